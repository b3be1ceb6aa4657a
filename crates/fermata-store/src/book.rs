//! What calls about an account's books take and give, as values.
//!
//! What it is not: the books themselves; those are the facts of `fermata-billing`.

use std::collections::BTreeSet;

use fermata_billing::command::{Actor, Answer, Command};
use fermata_billing::id::PartnerId;
use fermata_billing::notice::Delivery;
use fermata_billing::policy::Policy;
use fermata_billing::state::{Hold, Reclaim, State};
use fermata_billing::timer::TimerKind;
use fermata_billing::transition::Transition;
use fermata_types::{AccountId, SdkAppId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// The switch of the reclaim sweep over live accounts; off until an operator turns it on (A28).
/// Sandbox accounts are swept always.
pub const RECLAIM_SWEEP: &str = "reclaim_sweep";

/// A command for one account's books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillingCall {
    /// Whose books.
    pub account: AccountId,
    /// What is asked. `Open`, `CreateApp`, `Fire` and `MoveClock` have methods of their own and are refused here.
    pub command: Command,
    /// Who asks.
    pub actor: Actor,
    /// Wall time of the call.
    pub wall: Timestamp,
    /// Makes a repetition answer the same and do nothing.
    pub once: Option<Once>,
}

/// A caller's key for one call: the second call with it is answered as the first was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    /// Whose key it is: the id of a credential, 1 to 64 bytes.
    pub scope: String,
    /// The caller's text, 1 to 255 bytes.
    pub key: String,
    /// Hash of the request; another request with the same key is `OnceReused`.
    pub request_hash: [u8; 32],
}

/// What a command did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Billed {
    /// What to tell the caller.
    pub answer: Answer,
    /// Timers that were due and fired before it.
    pub fired: Vec<Fired>,
    /// Transitions the command itself took.
    pub transitions: Vec<Transition>,
    /// Did the command change what is allowed?
    pub epoch_changed: bool,
    /// Nothing was done: the answer is that of an earlier call with the same [`Once`].
    pub replayed: bool,
}

/// A timer that fired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fired {
    /// Whose.
    pub account: AccountId,
    /// Which.
    pub timer: TimerKind,
    /// When it was due, account time; its effects count from then.
    pub due: Timestamp,
    /// When it was really carried out, account time; `due` or later.
    pub applied: Timestamp,
    /// Transitions taken.
    pub transitions: Vec<Transition>,
    /// Did it change what is allowed?
    pub epoch_changed: bool,
}

/// Where a sandbox clock is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockTarget {
    /// So much further than it shows when the call is carried out.
    By(SignedDuration),
    /// To a moment.
    To(Timestamp),
}

/// Where a sandbox clock got to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advanced {
    /// What it shows now. Earlier than the target only if as many timers fired as one call may fire.
    pub now: Timestamp,
    /// What fired on the way; empty for a repetition.
    pub fired: Vec<Fired>,
}

/// The books of one account at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Books {
    /// The working set.
    pub state: State,
    /// Account time of the question: wall time, or what the sandbox clock shows.
    pub now: Timestamp,
    /// The terms in force then.
    pub policy: Policy,
}

/// What decides who may enter: the small part of the books that every door needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Whose.
    pub account: AccountId,
    /// Rises with every change of what is allowed.
    pub epoch: u64,
    /// Has a clock of its own.
    pub sandbox: bool,
    /// Account time less wall time, microseconds; zero for live accounts.
    pub clock_offset_us: i64,
    /// Its applications, by number.
    pub apps: Vec<SdkAppId>,
    /// Holds, proposed ones included, by id.
    pub holds: Vec<Hold>,
    /// The reclaim stage.
    pub reclaim: Reclaim,
    /// The terms in force.
    pub policy: Policy,
}

/// What a batch of usage changed beside the sums.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Taken {
    /// Accounts of which something else is allowed now than before, by id.
    pub epoch_changed: Vec<AccountId>,
}

/// Accounts whose epoch changed since a number of [`crate::Store::changes`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// The number to ask with next time.
    pub upto: u64,
    /// Which; none: so many that they are not known one by one any more, any account may be among them.
    pub accounts: Option<BTreeSet<AccountId>>,
}

/// A delivery that one worker may carry out until its lease ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxItem {
    /// Stable id; the receiver tells repetitions by it.
    pub id: String,
    /// Whose notice it is.
    pub account: AccountId,
    /// What to deliver to whom.
    pub delivery: Delivery,
    /// How often it was claimed, this time included.
    pub attempts: u32,
}

/// How much the outbox holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutboxLen {
    /// To be delivered, claimed ones included.
    pub waiting: u64,
    /// Given up.
    pub dead: u64,
}

/// A reseller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partner {
    /// Its id, 1 to 64 bytes.
    pub id: PartnerId,
    /// Display name, 1 to 128 characters.
    pub name: String,
    /// When it was added.
    pub created_at: Timestamp,
}
