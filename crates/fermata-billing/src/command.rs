//! What can be asked of an account, what comes back, and why it may be refused.

use fermata_types::{AccountId, SdkAppId, Sku};
use jiff::{SignedDuration, Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use crate::calendar::CalendarError;
use crate::catalog::CatalogError;
use crate::effect::OperationClass;
use crate::hold::{HoldCause, HoldKind, Scope};
use crate::id::{BillId, HoldId, PackageId, PartnerId, TicketId};
use crate::journal::{CreditNote, Payment, PaymentReversed, Refund, VoucherGranted};
use crate::money::{Currency, Money, MoneyError};
use crate::notice::{Contact, Subscription};
use crate::state::{BillingMode, Hold, Package, Ticket};
use crate::timer::TimerKind;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// In which role.
    pub role: ActorRole,
    /// Name of the credential, for the audit.
    pub name: String,
}

/// In which role somebody asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorRole {
    /// The program itself: timers, usage.
    System,
    /// Runs the installation.
    Operator,
    /// A reseller.
    Partner(PartnerId),
    /// The account's own people.
    Customer,
}

impl Actor {
    /// The program itself.
    pub fn system() -> Self {
        Self { role: ActorRole::System, name: "system".to_owned() }
    }

    /// Role and name as the audit shows them.
    pub fn text(&self) -> String {
        match &self.role {
            ActorRole::System => self.name.clone(),
            ActorRole::Operator => format!("operator:{}", self.name),
            ActorRole::Partner(id) => format!("partner:{id}:{}", self.name),
            ActorRole::Customer => format!("customer:{}", self.name),
        }
    }
}

/// When and by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// The moment the command counts from, account time; of a timer its due instant (policy section 2, rule 4).
    pub now: Timestamp,
    /// Account time of the commit: `now`, or later when the program is late with a timer.
    pub applied: Timestamp,
    /// Who.
    pub actor: Actor,
}

/// What can be asked of one account. Each is one transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Opens the account; its first grant of free minutes is full (A7).
    Open(OpenAccount),
    /// An application was created; its funding is checked (T9).
    CreateApp {
        /// Which.
        app: SdkAppId,
    },
    /// T12.
    DisableApp {
        /// Which.
        app: SdkAppId,
    },
    /// T13. Clears `manual` only (A9).
    EnableApp {
        /// Which.
        app: SdkAppId,
    },
    /// Changes what an account is run by; absent fields stay.
    Change(ChangeAccount),
    /// T1, T25, T26.
    Usage {
        /// Changes of totals, one an application, SKU and minute or coarser.
        deltas: Vec<UsageDelta>,
    },
    /// A payment came in (T7). Idempotent on the reference.
    Pay {
        /// More than zero.
        amount: Money,
        /// The provider's reference.
        provider_ref: String,
    },
    /// A payment was taken back (T27). Idempotent.
    ReversePayment {
        /// The provider's reference.
        provider_ref: String,
        /// Why.
        reason: String,
    },
    /// Buys a package (T10, A5).
    BuyPackage {
        /// Code of the type.
        type_code: String,
        /// The application, where the scope needs one.
        app: Option<SdkAppId>,
    },
    /// Gives a package back.
    RefundPackage {
        /// Which.
        package: PackageId,
    },
    /// Switches postpaid (T10, A25).
    SetBilling {
        /// To what.
        billing: BillingMode,
    },
    /// Raises or proposes a hold (T14, T16, `admin`).
    RaiseHold {
        /// `violation`, `admin`, `partner_freeze` or `closure`.
        kind: HoldKind,
        /// The account, or one application where the kind allows.
        scope: Scope,
        /// `content` or `agreement`, for a violation.
        cause: Option<HoldCause>,
        /// In words.
        reason: String,
        /// Reference of the evidence; needed for a violation.
        evidence: String,
    },
    /// Approves a proposed violation (T14); not by who proposed it.
    ApproveHold {
        /// Which.
        hold: HoldId,
    },
    /// Drops a hold where the table allows it (T15, T16).
    DropHold {
        /// Which.
        hold: HoldId,
    },
    /// The customer asks to close the account (T28).
    OpenTicket,
    /// The closure is confirmed after the days to think again.
    ConfirmTicket {
        /// Which.
        ticket: TicketId,
    },
    /// The closure is taken back, until clearing starts.
    CancelTicket {
        /// Which.
        ticket: TicketId,
    },
    /// Gives a voucher.
    GrantVoucher {
        /// More than zero.
        amount: Money,
        /// Later than now.
        expires_at: Timestamp,
        /// Why.
        reason: String,
    },
    /// Gives part of a bill back (P14).
    IssueCreditNote {
        /// Of which bill.
        bill: BillId,
        /// More than zero, at most what is left of the bill's total.
        amount: Money,
        /// Why.
        reason: String,
    },
    /// An operator's correction of the balance, up or down (A22).
    Adjust {
        /// Not zero.
        amount: Money,
        /// Why.
        reason: String,
    },
    /// Adds or replaces a contact.
    PutContact(Contact),
    /// Removes a contact and its subscriptions.
    DropContact {
        /// Which.
        name: String,
    },
    /// Adds or replaces a subscription.
    Subscribe(Subscription),
    /// Removes a subscription.
    Unsubscribe {
        /// Which.
        name: String,
    },
    /// The terms of the account's agreement changed (T17): derived timers are computed anew from facts.
    Reevaluate,
    /// A timer is due. Idempotent: nothing happens if it is not armed for that instant.
    Fire {
        /// Which.
        timer: TimerKind,
    },
    /// Sandbox only: moves the account's clock to `to`; timers on the way must have fired before.
    MoveClock {
        /// Not before the account's now, at most 400 days after it.
        to: Timestamp,
        /// Wall time, which the offset is counted from.
        wall: Timestamp,
    },
}

/// How an account is opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenAccount {
    /// Its id.
    pub account: AccountId,
    /// Its currency; the catalog must have prices in it.
    pub currency: Currency,
    /// IANA zone of its civil days.
    pub zone: String,
    /// Postpaid or not.
    pub billing: BillingMode,
    /// A clock of its own?
    pub sandbox: bool,
    /// Its reseller.
    pub partner: Option<PartnerId>,
    /// Zero or more.
    pub credit_limit: Money,
}

/// Changes of an account; absent fields stay.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ChangeAccount {
    /// New zone, from the next civil month on (A16).
    pub zone: Option<String>,
    /// New credit limit (A22).
    pub credit_limit: Option<Money>,
    /// Legal exemption from reclamation (A13).
    pub reclaim_exempt: Option<bool>,
    /// Whom to tell, all of them: who is not named goes. Only the owner stays if not named.
    #[serde(default)]
    pub contacts: Option<Vec<Contact>>,
}

/// A change of the total of one application and SKU at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageDelta {
    /// Application.
    pub app: SdkAppId,
    /// SKU.
    pub sku: Sku,
    /// Account time of the use (start of its minute); its civil day is found from it.
    pub at: Timestamp,
    /// Seconds more, or fewer if a report proved impossible.
    pub seconds: i64,
}

/// What a command answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", content = "is", rename_all = "snake_case")]
pub enum Answer {
    /// Done; there is nothing more to say.
    Done,
    /// The payment, new or known.
    Payment(Payment),
    /// The reversal, new or known.
    PaymentReversed(PaymentReversed),
    /// The package.
    Package(Package),
    /// The refund.
    Refund(Refund),
    /// The hold.
    Hold(Hold),
    /// Kinds of holds that remain on an application (T13).
    Remaining(Vec<HoldKind>),
    /// The ticket.
    Ticket(Ticket),
    /// The voucher.
    Voucher(VoucherGranted),
    /// The credit note.
    CreditNote(CreditNote),
}

/// Why a command was refused. Nothing was changed then, and nothing was counted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The account was never opened.
    #[error("the account has no books yet; open it first")]
    NotOpen,
    /// It was opened before, with other terms.
    #[error("the account is open already")]
    AlreadyOpen,
    /// There is no such thing in this account.
    #[error("there is no {what} {id} in this account")]
    Unknown {
        /// Noun.
        what: &'static str,
        /// Its id.
        id: String,
    },
    /// A value is outside what is allowed.
    #[error("{field}: {problem}")]
    Invalid {
        /// Which field of the call.
        field: &'static str,
        /// What is wrong and what is allowed.
        problem: String,
    },
    /// Money, units or a sum would leave their range (P18).
    #[error(transparent)]
    Money(#[from] MoneyError),
    /// A civil date or zone is none.
    #[error(transparent)]
    Calendar(#[from] CalendarError),
    /// The price list has no answer.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// What is asked for is not allowed in the account's standing (policy 2.2).
    #[error("suspended ({}): {} is not allowed", kinds(holds), class.code())]
    Suspended {
        /// What was asked for.
        class: OperationClass,
        /// All holds in force, the earliest first (A9, I14).
        holds: Vec<Hold>,
        /// Being cleared, or cleared.
        cleared: bool,
    },
    /// The purchase costs more than is available (A5).
    #[error("the balance of {available:?} does not cover the price of {price:?}; recharge first")]
    InsufficientBalance {
        /// Cash, usable vouchers and credit limit, less debts.
        available: Money,
        /// The price.
        price: Money,
    },
    /// The provider's reference was used for another payment.
    #[error("the payment {provider_ref} is booked already with another amount or account")]
    RefReused {
        /// The reference.
        provider_ref: String,
    },
    /// A violation is never dropped (S19, T15).
    #[error("a suspension for a violation is final (S19)")]
    Final,
    /// Two persons are needed, and this is the same one.
    #[error("whoever proposed a violation cannot approve it (T14)")]
    SamePerson,
    /// Only somebody else may do this.
    #[error("only {who} may do this")]
    NotYours {
        /// Who.
        who: &'static str,
    },
    /// It is not possible in the present state.
    #[error("{0}")]
    Conflict(String),
    /// Only accounts with a clock of their own.
    #[error("only sandbox accounts have a clock and usage of their own making")]
    NotSandbox,
    /// A sandbox clock cannot go there.
    #[error("the clock shows {now} and cannot go to {to}: forward only, at most {} days a call", most.as_hours() / 24)]
    Clock {
        /// What it shows.
        now: Timestamp,
        /// Where it should go.
        to: Timestamp,
        /// Longest step.
        most: SignedDuration,
    },
    /// As many as are allowed.
    #[error("there are {max} {what} already, as many as are allowed")]
    LimitReached {
        /// Of what.
        what: &'static str,
        /// How many.
        max: usize,
    },
    /// A day was asked for that is not closed.
    #[error("{day} is not closed yet")]
    DayOpen {
        /// Which.
        day: Date,
    },
    /// History could not be read; nothing was done.
    #[error("the books could not be read: {0}")]
    Reads(String),
    /// Stored facts contradict each other; nothing was done. `fermata verify` says which.
    #[error("the books contradict themselves: {0}")]
    Corrupt(String),
}

fn kinds(holds: &[Hold]) -> String {
    let codes: Vec<_> = holds.iter().map(|hold| hold.kind.code()).collect();
    if codes.is_empty() { "the account is cleared".to_owned() } else { codes.join(", ") }
}

impl Refusal {
    /// A value outside what is allowed.
    pub(crate) fn invalid(field: &'static str, problem: impl Into<String>) -> Self {
        Self::Invalid { field, problem: problem.into() }
    }

    /// Nothing of that name.
    #[expect(clippy::needless_pass_by_value, reason = "callers hand in a reference or a small id")]
    pub(crate) fn unknown(what: &'static str, id: impl ToString) -> Self {
        Self::Unknown { what, id: id.to_string() }
    }
}
