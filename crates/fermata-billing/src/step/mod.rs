//! The one function that changes an account.
//!
//! What it is not: a loop. One call is one transaction; timers that are due are fired by the shell, one
//! call each, in due order, before any later command ([`State::next_timer`]).

mod context;

use jiff::Timestamp;

pub use self::context::Step;
use crate::catalog::Catalog;
use crate::command::{Answer, Command, Meta, Refusal};
use crate::journal::{DataClass, JournalRow, Record, RecordKind};
use crate::notice::Delivery;
use crate::policy::Policy;
use crate::state::{Change, Item, ItemKey, State};
use crate::transition::Transition;
use crate::{account, bills, metering, notices, packages, payments, reclaim, standing};

/// Why history could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ReadError(pub String);

/// Looks up what the working set does not hold. All of one account, as of the transaction of the step.
pub trait Reads {
    /// An item of a kind that is not loaded: a closed day, the credit notes of a bill.
    ///
    /// # Errors
    /// [`ReadError`] if the backend fails.
    fn item(&self, key: &ItemKey) -> Result<Option<Item>, ReadError>;
    /// A record of the account by kind and id.
    ///
    /// # Errors
    /// [`ReadError`] if the backend fails.
    fn record(&self, kind: RecordKind, id: &str) -> Result<Option<Record>, ReadError>;
    /// Is a payment with this reference booked in *another* account?
    ///
    /// # Errors
    /// [`ReadError`] if the backend fails.
    fn payment_elsewhere(&self, provider_ref: &str) -> Result<bool, ReadError>;
    /// Account time before which every window of the account's use has arrived; [`Timestamp::MAX`] if no node
    /// owes any (A17).
    ///
    /// # Errors
    /// [`ReadError`] if the backend fails.
    fn watermark(&self) -> Result<Timestamp, ReadError>;
}

/// What a step reads beside the state.
#[derive(Clone, Copy)]
pub struct Env<'a> {
    /// Price lists and package types, all versions.
    pub catalog: &'a Catalog,
    /// The terms in force for the account.
    pub policy: &'a Policy,
    /// Is the sweep of reclamation switched on (A28)?
    pub reclaim_on: bool,
    /// History.
    pub reads: &'a dyn Reads,
}

impl std::fmt::Debug for Env<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Env").field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// What a step did: to be committed whole, or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What to tell the caller.
    pub answer: Answer,
    /// Changes of the working set, one a key, already carried out on the state.
    pub changes: Vec<Change>,
    /// Rows to append to the journal, in order.
    pub journal: Vec<JournalRow>,
    /// Deliveries for the outbox.
    pub outbox: Vec<Delivery>,
    /// Classes of data of the account to delete in the same transaction (T21).
    pub deletions: Vec<DataClass>,
    /// Transitions taken, in order; for coverage and for the sandbox clock's answer.
    pub transitions: Vec<Transition>,
    /// What is allowed changed: nodes must be told.
    pub epoch_changed: bool,
}

/// Carries one command out.
///
/// # Errors
/// [`Refusal`]; the state is as it was before.
pub fn step(
    state: &mut State,
    command: &Command,
    meta: &Meta,
    env: Env<'_>,
) -> Result<Outcome, Refusal> {
    transact(state, meta, env, |step| dispatch(step, command))
}

/// Carries one transaction out, or takes all of it back.
pub(crate) fn transact(
    state: &mut State,
    meta: &Meta,
    env: Env<'_>,
    act: impl FnOnce(&mut Step<'_>) -> Result<Answer, Refusal>,
) -> Result<Outcome, Refusal> {
    let mut step = Step::new(state, meta, env);
    match act(&mut step) {
        Ok(answer) => Ok(step.finish(answer)),
        Err(refusal) => {
            step.undo();
            Err(refusal)
        }
    }
}

fn dispatch(step: &mut Step<'_>, command: &Command) -> Result<Answer, Refusal> {
    if let Command::Open(terms) = command {
        return account::open(step, terms);
    }
    step.profile()?;
    match command {
        Command::Open(_) => Err(Refusal::AlreadyOpen),
        Command::CreateApp { app } => account::create_app(step, *app),
        Command::DisableApp { app } => standing::disable_app(step, *app),
        Command::EnableApp { app } => standing::enable_app(step, *app),
        Command::Change(change) => account::change(step, change),
        Command::Usage { deltas } => metering::usage(step, deltas),
        Command::Pay { amount, provider_ref } => payments::pay(step, *amount, provider_ref),
        Command::ReversePayment { provider_ref, reason } => {
            payments::reverse(step, provider_ref, reason)
        }
        Command::BuyPackage { type_code, app } => packages::buy(step, type_code, *app),
        Command::RefundPackage { package } => packages::refund(step, package),
        Command::SetBilling { billing } => account::set_billing(step, *billing),
        Command::RaiseHold { kind, scope, cause, reason, evidence } => {
            standing::raise_hold(step, *kind, *scope, *cause, reason, evidence)
        }
        Command::ApproveHold { hold } => standing::approve_hold(step, hold),
        Command::DropHold { hold } => standing::drop_hold(step, hold),
        Command::OpenTicket => reclaim::open_ticket(step),
        Command::ConfirmTicket { ticket } => reclaim::confirm_ticket(step, ticket),
        Command::CancelTicket { ticket } => reclaim::cancel_ticket(step, ticket),
        Command::GrantVoucher { amount, expires_at, reason } => {
            payments::grant_voucher(step, *amount, *expires_at, reason)
        }
        Command::IssueCreditNote { bill, amount, reason } => {
            bills::credit_note(step, bill, *amount, reason)
        }
        Command::Adjust { amount, reason } => payments::adjust(step, *amount, reason),
        Command::PutContact(contact) => notices::put_contact(step, contact),
        Command::DropContact { name } => notices::drop_contact(step, name),
        Command::Subscribe(subscription) => notices::subscribe(step, subscription),
        Command::Unsubscribe { name } => notices::unsubscribe(step, name),
        Command::Reevaluate => standing::reevaluate(step),
        Command::Fire { timer } => fire(step, timer),
        Command::MoveClock { to, wall } => account::move_clock(step, *to, *wall),
    }
}

/// Fires a timer: re-checks that it is armed and due, takes it off, acts (policy section 2, rule 3).
fn fire(step: &mut Step<'_>, timer: &crate::timer::TimerKind) -> Result<Answer, Refusal> {
    use crate::timer::TimerKind as Kind;
    let due = step.state().timers.get(timer).copied();
    if due.is_none_or(|due| due > step.now()) {
        return Ok(Answer::Done);
    }
    step.disarm(timer);
    match timer {
        Kind::FreeGrant(month) => packages::grant_free(step, *month),
        Kind::PackageExpiry(id) => packages::expire(step, id),
        Kind::VoucherExpiry(id) => payments::expire_voucher(step, id),
        Kind::DayClose(day) => bills::close_day(step, *day),
        Kind::MonthClose(month) => bills::close_month(step, *month),
        Kind::ArrearsWarning(hours) => standing::warn(step, *hours),
        Kind::Suspend => standing::suspend(step),
        Kind::ReclaimNotice(days) => reclaim::notice(step, *days),
        Kind::ReclaimDue => reclaim::sweep(step),
        Kind::ReclaimStep => reclaim::clear_next(step),
        Kind::ClosureConfirm => reclaim::confirm_due(step),
        Kind::BalanceAlert => notices::balance_alert_again(step),
    }?;
    Ok(Answer::Done)
}
