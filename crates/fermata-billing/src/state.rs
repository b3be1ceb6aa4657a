//! The facts of one account that a step reads and changes: its working set, bounded by its limits.
//!
//! What it is not: history. Ledger transactions, bills, audit rows and closed days are written once into the
//! journal ([`crate::journal`]) and looked up through [`crate::Reads`].

use std::collections::{BTreeMap, BTreeSet};

use fermata_types::{AccountId, SdkAppId, Sku};
use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use crate::calendar::{Calendar, YearMonth};
use crate::catalog::{PackageScope, Validity};
use crate::hold::{HoldCause, HoldKind, Scope};
use crate::id::{BillId, HoldId, PackageId, PartnerId, TicketId, VoucherId};
use crate::journal::LedgerAccount;
use crate::money::{Currency, Money};
use crate::notice::{Contact, NoticeKey, Subscription};
use crate::timer::TimerKind;
use crate::units::Units;

/// The working set of one account. All changes go through [`State::apply`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    /// Who and how; none before the account was opened.
    pub profile: Option<Profile>,
    /// Counters that only rise.
    pub head: Head,
    /// Its applications.
    pub apps: BTreeMap<SdkAppId, AppFacts>,
    /// Holds in force, and proposals that wait for a second person.
    pub holds: BTreeMap<HoldId, Hold>,
    /// The arrears episode, if one is open (policy section 2).
    pub episode: Option<Episode>,
    /// The reclaim stage.
    pub reclaim: Reclaim,
    /// The ticket that asks to close the account, if one is open (T28).
    pub ticket: Option<Ticket>,
    /// Packages until the end of their late window.
    pub packages: BTreeMap<PackageId, Package>,
    /// Vouchers with something left.
    pub vouchers: BTreeMap<VoucherId, Voucher>,
    /// Use of civil days that are not closed yet.
    pub days: BTreeMap<DayKey, DayUse>,
    /// Minutes of closed days that wait for their line on a bill: late ones, and the month's for a monthly bill.
    pub pending: BTreeMap<PendingKey, PendingLine>,
    /// Cached balances, one a ledger account: the sum of its entries (micro-units, or thousandths of minutes).
    pub balances: BTreeMap<LedgerAccount, i64>,
    /// What is due when, in account time.
    pub timers: BTreeMap<TimerKind, Timestamp>,
    /// Whom to tell.
    pub contacts: BTreeMap<String, Contact>,
    /// What they want to be told.
    pub subscriptions: BTreeMap<String, Subscription>,
    /// Notices that must not be sent again (I11); dropped when what they belong to ends.
    pub sent: BTreeSet<NoticeKey>,
}

/// How an account is run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Its id.
    pub account: AccountId,
    /// The one currency of its money.
    pub currency: Currency,
    /// Its civil time.
    pub calendar: Calendar,
    /// What happens to minutes that no package covers.
    pub billing: BillingMode,
    /// Has a clock of its own; never mixes with live accounts (P22).
    pub sandbox: bool,
    /// The reseller whose agreement replaces the policy, if any (S1).
    pub partner: Option<PartnerId>,
    /// How far below zero cash may go before arrears (A4); zero or more.
    pub credit_limit: Money,
    /// Legal exemption from reclamation (A13).
    pub reclaim_exempt: bool,
    /// Opening of the account, account time.
    pub opened_at: Timestamp,
    /// The first civil day that is not closed.
    pub open_day: Date,
    /// The first civil month whose monthly bill is not closed.
    pub open_month: YearMonth,
    /// The first civil day that lies in no bill's period yet; periods tile the days (P9).
    pub unbilled_from: Date,
    /// The month of the last grant of free minutes (T11).
    pub free_month: Option<YearMonth>,
}

/// Postpaid, and how often it is billed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BillingMode {
    /// Uncovered minutes are billed every day (S4).
    Daily,
    /// Uncovered minutes are billed every month (S5).
    Monthly,
    /// No postpaid: without minutes, service is suspended (S17) and what still runs is absorbed (A8).
    Off,
}

/// Counters of one account. They only rise, whatever is refused or repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Head {
    /// Number of the last id that was given.
    pub serial: u64,
    /// Rises with every change of what is allowed; nodes compare it (I13).
    pub epoch: u64,
    /// Number of the last journal row.
    pub journal_seq: u64,
    /// Hash of the last journal row (P19).
    pub journal_hash: [u8; 32],
    /// Sandbox only: account time less wall time, microseconds; only grows.
    pub clock_offset_us: i64,
}

/// An application as billing sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppFacts {
    /// Its number.
    pub app: SdkAppId,
    /// When it was created.
    pub created_at: Timestamp,
}

/// One reason for which service is restricted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Its id.
    pub id: HoldId,
    /// Which kind.
    pub kind: HoldKind,
    /// The account, or one application of it.
    pub scope: Scope,
    /// The finer reason, where the kind has one.
    pub cause: Option<HoldCause>,
    /// From when it holds by the rules.
    pub since: Timestamp,
    /// When it was really applied; later than `since` if the program was late (A12).
    pub applied_at: Timestamp,
    /// In words, for people.
    pub reason: String,
    /// Evidence of a violation, a reference.
    pub evidence: String,
    /// Who raised or proposed it.
    pub raised_by: String,
    /// Waits for another operator's approval; without effect until then (T14).
    pub proposed: bool,
}

/// The balance is below zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Episode {
    /// Number of the episode in the account.
    pub number: u64,
    /// Commit time of the posting that opened it (T5); nothing moves it (I2).
    pub since: Timestamp,
    /// When suspension is due; none under an agreement without suspension.
    pub suspend_due: Option<Timestamp>,
}

/// How far reclamation has come.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum Reclaim {
    /// Not due.
    #[default]
    None,
    /// An eligible hold is present; clearing may begin after `at`.
    Due {
        /// 60 days after the later of effective and applied time of the eligible hold (A12).
        at: Timestamp,
    },
    /// Being cleared; there is no way back (I9).
    Clearing {
        /// The next step.
        step: u32,
        /// When it began.
        since: Timestamp,
    },
    /// Cleared; ledger, bills and audit remain (A26).
    Cleared {
        /// When the last step was done.
        at: Timestamp,
    },
}

impl Reclaim {
    /// Past the point of no return (A14)?
    pub fn is_irreversible(&self) -> bool {
        matches!(self, Self::Clearing { .. } | Self::Cleared { .. })
    }
}

/// A customer's wish to end the service and have its data cleared (S23, T28).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// Its id.
    pub id: TicketId,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// The days to think again end here; only then can it be confirmed.
    pub confirm_due: Timestamp,
    /// The hold it raised once the operator accepted.
    pub hold: Option<HoldId>,
}

/// Prepaid minutes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Its id.
    pub id: PackageId,
    /// Code of its type.
    pub type_code: String,
    /// Catalog version it was sold by; its ratios are those of that version.
    pub catalog_version: u32,
    /// What it covers.
    pub scope: PackageScope,
    /// The application, if the scope is one.
    pub app: Option<SdkAppId>,
    /// The free one of the month?
    pub free: bool,
    /// How its days were counted.
    pub validity: Validity,
    /// First civil day it covers, from 00:00.
    pub from: Date,
    /// Last civil day it covers, to 23:59:59.
    pub until: Date,
    /// Smaller burns first, after scope and expiry.
    pub priority: i32,
    /// Bought or granted.
    pub created_at: Timestamp,
    /// What was paid for it.
    pub price: Money,
    /// Units it began with.
    pub units: Units,
    /// Units left when the last closed day had burnt its share; open days burn from here. Of an expired one,
    /// the rest that expired, which late usage of its days may still burn (T25).
    pub settled: Units,
    /// Units left now: `settled` less what the open days burn; nothing once it is not live any more.
    pub left: Units,
    /// Where it stands.
    pub status: PackageStatus,
}

/// Where a package stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PackageStatus {
    /// Can be burnt.
    Live,
    /// Its days are over; what was left is expired, and late usage of its days may still burn it (T25).
    Expired,
    /// Given back for money.
    Refunded,
    /// Forfeited when the account was cleared (T21).
    Reclaimed,
}

/// Money that was given, with an end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voucher {
    /// Its id.
    pub id: VoucherId,
    /// What it began with.
    pub amount: Money,
    /// What is left.
    pub left: Money,
    /// Last moment it is usable.
    pub expires_at: Timestamp,
    /// Why it was given.
    pub reason: String,
}

/// One application, SKU and civil day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DayKey {
    /// Civil day in the account's calendar.
    pub day: Date,
    /// Application.
    pub app: SdkAppId,
    /// SKU.
    pub sku: Sku,
}

/// Use of one application, SKU and civil day, and who pays for it.
///
/// `minutes() == covered + billed + absorbed` always (P4); of a day that is not closed, `covered` and what is
/// above the floors is computed anew from the totals at every step, so the order of reports does not matter (P5).
/// Floors are kept as they were set and cut to the minutes where they are used, so a correction that is itself
/// corrected leaves no trace. Of a closed day, late minutes are added as they are charged; where its seconds
/// were corrected downwards, the charged minutes stay and are more than `minutes()`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayUse {
    /// Of what.
    pub key: DayKey,
    /// Seconds so far.
    pub seconds: i64,
    /// Minutes covered by packages, with the units each burnt, in burning order.
    pub burns: Vec<Burn>,
    /// Minutes billed in money, at least the floor.
    pub billed: u64,
    /// Minutes nobody pays for (A8), at least the floor.
    pub absorbed: u64,
    /// Minutes that stay billed since postpaid was switched off.
    pub billed_floor: u64,
    /// Minutes that stay absorbed since postpaid was switched on or a package came.
    pub absorbed_floor: u64,
    /// Version of the price list in force on the day (P16).
    pub catalog_version: u32,
}

impl DayUse {
    /// Minutes: seconds rounded up on the running daily total.
    pub fn minutes(&self) -> u64 {
        u64::try_from(self.seconds).unwrap_or(0).div_ceil(60)
    }

    /// Minutes covered by packages.
    pub fn covered(&self) -> u64 {
        self.burns.iter().map(|burn| burn.minutes).sum()
    }
}

/// What one package gave to one day's use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Burn {
    /// The package.
    pub package: PackageId,
    /// Minutes it covered.
    pub minutes: u64,
    /// Units that took.
    pub units: Units,
}

/// What a pending line is about. Late minutes get a line of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PendingKey {
    /// Of which use.
    pub key: DayKey,
    /// Arrived after the day was closed (T25).
    pub late: bool,
}

/// Minutes of closed days that no bill has shown yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingLine {
    /// About what.
    pub key: PendingKey,
    /// All minutes of the line.
    pub minutes: u64,
    /// Covered by packages, with the units each burnt.
    pub burns: Vec<Burn>,
    /// To be paid.
    pub billed: u64,
    /// Paid by nobody.
    pub absorbed: u64,
    /// Price list of the day.
    pub catalog_version: u32,
}

/// One fact of the working set, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "item", content = "is", rename_all = "snake_case")]
pub enum Item {
    /// [`State::profile`].
    Profile(Profile),
    /// [`State::head`].
    Head(Head),
    /// One of [`State::apps`].
    App(AppFacts),
    /// One of [`State::holds`].
    Hold(Hold),
    /// [`State::episode`].
    Episode(Episode),
    /// [`State::reclaim`].
    Reclaim(Reclaim),
    /// [`State::ticket`].
    Ticket(Ticket),
    /// One of [`State::packages`].
    Package(Package),
    /// One of [`State::vouchers`].
    Voucher(Voucher),
    /// One of [`State::days`].
    Day(DayUse),
    /// One of [`State::pending`].
    Pending(PendingLine),
    /// One of [`State::balances`].
    Balance(LedgerAccount, i64),
    /// One of [`State::timers`].
    Timer(TimerKind, Timestamp),
    /// One of [`State::contacts`].
    Contact(Contact),
    /// One of [`State::subscriptions`].
    Subscription(Subscription),
    /// One of [`State::sent`].
    Sent(NoticeKey),
    /// Use of a closed day; not in the working set, read through [`crate::Reads::item`].
    ClosedDay(DayUse),
    /// What credit notes gave back of a bill so far; not in the working set either (P14).
    Credited(BillId, Money),
}

/// Table kinds of items that are looked up one by one and not loaded with the working set.
pub const NOT_LOADED: &[&str] = &[CLOSED_DAY, CREDITED];
const CLOSED_DAY: &str = "closed_day";
const CREDITED: &str = "credited";

/// Names an [`Item`] in its account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ItemKey {
    /// The profile.
    Profile,
    /// The counters.
    Head,
    /// An application.
    App(SdkAppId),
    /// A hold.
    Hold(HoldId),
    /// The episode.
    Episode,
    /// The reclaim stage.
    Reclaim,
    /// The ticket.
    Ticket,
    /// A package.
    Package(PackageId),
    /// A voucher.
    Voucher(VoucherId),
    /// A day's use.
    Day(DayKey),
    /// A pending line.
    Pending(PendingKey),
    /// A balance.
    Balance(LedgerAccount),
    /// A timer.
    Timer(TimerKind),
    /// A contact.
    Contact(String),
    /// A subscription.
    Subscription(String),
    /// A sent notice.
    Sent(NoticeKey),
    /// Use of a closed day.
    ClosedDay(DayKey),
    /// Credit notes of a bill.
    Credited(BillId),
}

impl ItemKey {
    /// (kind, key) as text, for a table.
    pub fn text(&self) -> (&'static str, String) {
        let day = |key: &DayKey| format!("{}/{}/{}", key.day, key.app, key.sku.code());
        match self {
            Self::Profile => ("profile", String::new()),
            Self::Head => ("head", String::new()),
            Self::App(app) => ("app", app.to_string()),
            Self::Hold(id) => ("hold", id.to_string()),
            Self::Episode => ("episode", String::new()),
            Self::Reclaim => ("reclaim", String::new()),
            Self::Ticket => ("ticket", String::new()),
            Self::Package(id) => ("package", id.to_string()),
            Self::Voucher(id) => ("voucher", id.to_string()),
            Self::Day(key) => ("day", day(key)),
            Self::Pending(key) => {
                ("pending", format!("{}/{}", day(&key.key), if key.late { "late" } else { "due" }))
            }
            Self::Balance(account) => ("balance", account.code()),
            Self::Timer(timer) => ("timer", timer.code()),
            Self::Contact(name) => ("contact", name.clone()),
            Self::Subscription(name) => ("subscription", name.clone()),
            Self::Sent(key) => ("sent", key.text()),
            Self::ClosedDay(key) => (CLOSED_DAY, day(key)),
            Self::Credited(bill) => (CREDITED, bill.to_string()),
        }
    }
}

impl Item {
    /// Its name in the account.
    pub fn key(&self) -> ItemKey {
        match self {
            Self::Profile(_) => ItemKey::Profile,
            Self::Head(_) => ItemKey::Head,
            Self::App(app) => ItemKey::App(app.app),
            Self::Hold(hold) => ItemKey::Hold(hold.id.clone()),
            Self::Episode(_) => ItemKey::Episode,
            Self::Reclaim(_) => ItemKey::Reclaim,
            Self::Ticket(_) => ItemKey::Ticket,
            Self::Package(package) => ItemKey::Package(package.id.clone()),
            Self::Voucher(voucher) => ItemKey::Voucher(voucher.id.clone()),
            Self::Day(day) => ItemKey::Day(day.key),
            Self::Pending(line) => ItemKey::Pending(line.key),
            Self::Balance(account, _) => ItemKey::Balance(account.clone()),
            Self::Timer(timer, _) => ItemKey::Timer(timer.clone()),
            Self::Contact(contact) => ItemKey::Contact(contact.name.clone()),
            Self::Subscription(subscription) => ItemKey::Subscription(subscription.name.clone()),
            Self::Sent(key) => ItemKey::Sent(key.clone()),
            Self::ClosedDay(day) => ItemKey::ClosedDay(day.key),
            Self::Credited(bill, _) => ItemKey::Credited(bill.clone()),
        }
    }
}

/// One change of the working set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Adds or replaces.
    Put(Item),
    /// Removes; nothing happens if it is not there.
    Drop(ItemKey),
}

impl Change {
    /// What it changes.
    pub fn key(&self) -> ItemKey {
        match self {
            Self::Put(item) => item.key(),
            Self::Drop(key) => key.clone(),
        }
    }
}

/// `Put` of what was there before, or `Drop` if nothing was.
fn inverse(old: Option<Item>, key: ItemKey) -> Change {
    old.map_or(Change::Drop(key), Change::Put)
}

impl State {
    /// Carries a change out and returns the one that takes it back.
    pub fn apply(&mut self, change: Change) -> Change {
        let key = change.key();
        let item = match change {
            Change::Put(item) => Some(item),
            Change::Drop(_) => None,
        };
        macro_rules! single {
            ($field:ident, $kind:ident) => {{
                let new = match item {
                    Some(Item::$kind(value)) => Some(value),
                    _ => None,
                };
                inverse(std::mem::replace(&mut self.$field, new).map(Item::$kind), key)
            }};
        }
        macro_rules! valued {
            ($field:ident, $kind:ident) => {{
                let new = match item {
                    Some(Item::$kind(value)) => value,
                    _ => Default::default(),
                };
                Change::Put(Item::$kind(std::mem::replace(&mut self.$field, new)))
            }};
        }
        macro_rules! mapped {
            ($field:ident, $kind:ident, $id:expr) => {{
                let old = match item {
                    Some(Item::$kind(value)) => self.$field.insert($id, value),
                    _ => self.$field.remove(&$id),
                };
                inverse(old.map(Item::$kind), key)
            }};
        }
        macro_rules! paired {
            ($field:ident, $kind:ident, $id:expr) => {{
                let id = $id;
                let old = match item {
                    Some(Item::$kind(_, value)) => self.$field.insert(id.clone(), value),
                    _ => self.$field.remove(&id),
                };
                inverse(old.map(|old| Item::$kind(id, old)), key)
            }};
        }
        match key.clone() {
            ItemKey::Profile => single!(profile, Profile),
            ItemKey::Head => valued!(head, Head),
            ItemKey::App(id) => mapped!(apps, App, id),
            ItemKey::Hold(id) => mapped!(holds, Hold, id),
            ItemKey::Episode => single!(episode, Episode),
            ItemKey::Reclaim => valued!(reclaim, Reclaim),
            ItemKey::Ticket => single!(ticket, Ticket),
            ItemKey::Package(id) => mapped!(packages, Package, id),
            ItemKey::Voucher(id) => mapped!(vouchers, Voucher, id),
            ItemKey::Day(id) => mapped!(days, Day, id),
            ItemKey::Pending(id) => mapped!(pending, Pending, id),
            ItemKey::Balance(id) => paired!(balances, Balance, id),
            ItemKey::Timer(id) => paired!(timers, Timer, id),
            ItemKey::Contact(id) => mapped!(contacts, Contact, id),
            ItemKey::Subscription(id) => mapped!(subscriptions, Subscription, id),
            ItemKey::Sent(id) => {
                let put = item.is_some();
                let had = if put { !self.sent.insert(id.clone()) } else { self.sent.remove(&id) };
                inverse(had.then_some(Item::Sent(id)), key)
            }
            // Not kept here, so there is nothing to take back either.
            ItemKey::ClosedDay(_) | ItemKey::Credited(_) => Change::Drop(key),
        }
    }

    /// The timer that is due first: by moment, then by kind.
    pub fn next_timer(&self) -> Option<(TimerKind, Timestamp)> {
        self.timers
            .iter()
            .min_by(|a, b| (a.1, a.0).cmp(&(b.1, b.0)))
            .map(|(kind, due)| (kind.clone(), *due))
    }
}
