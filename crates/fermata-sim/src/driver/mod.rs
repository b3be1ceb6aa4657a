//! Who carries commands out: the core by itself, or a store.
//!
//! The rule is the same for all: what is due fires in due order before anything later happens.

mod direct;
mod stored;

use fermata_billing::command::Actor;
use fermata_billing::command::{Answer, Command, OpenAccount, Refusal};
use fermata_billing::journal::JournalRow;
use fermata_billing::policy::Policy;
use fermata_billing::state::State;
use fermata_types::{SdkAppId, Sku};
use jiff::{SignedDuration, Timestamp};

pub(crate) use direct::{Direct, replay};
pub(crate) use stored::Stored;

use crate::Fallible;
use crate::coverage::{Coverage, CrashPoint};

/// Seconds of one stay in one minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) stay: u64,
    pub(crate) account: usize,
    pub(crate) app: SdkAppId,
    pub(crate) sku: Sku,
    /// When the stay began.
    pub(crate) entered: Timestamp,
    pub(crate) start: Timestamp,
    pub(crate) seconds: i64,
}

/// What a node sends at once.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) node: usize,
    pub(crate) windows: Vec<Window>,
    /// All windows of the node before this were sent.
    pub(crate) mark: Timestamp,
}

/// Carries commands out on the books of numbered accounts. Texts are failures of the driver, or of a rule that
/// must hold at every step.
pub(crate) trait Driver {
    /// Opens an account with its first applications.
    fn open(
        &mut self,
        account: usize,
        terms: &OpenAccount,
        apps: &[SdkAppId],
        wall: Timestamp,
    ) -> Fallible<()>;
    /// Fires what is due in the account.
    fn look(&mut self, account: usize, wall: Timestamp) -> Fallible<()>;
    /// Fires what is due in the account and carries a command out.
    fn call(
        &mut self,
        account: usize,
        command: &Command,
        actor: &Actor,
        wall: Timestamp,
        crash: Option<CrashPoint>,
    ) -> Fallible<Result<Answer, Refusal>>;
    /// Takes a batch in.
    fn batch(&mut self, batch: &Batch, wall: Timestamp, crash: Option<CrashPoint>) -> Fallible<()>;
    /// Moves a sandbox clock.
    fn clock(&mut self, account: usize, by: SignedDuration, wall: Timestamp) -> Fallible<()>;
    /// Fires what is due everywhere.
    fn poll(&mut self, wall: Timestamp, crash: Option<CrashPoint>) -> Fallible<()>;
    /// Switches the sweep of reclamation.
    fn sweep(&mut self, on: bool) -> Fallible<()>;
    /// New terms of a partner; its accounts are judged anew.
    fn terms(&mut self, partner: usize, policy: &Policy, wall: Timestamp) -> Fallible<()>;
    /// An account's books as they are committed.
    fn state(&mut self, account: usize) -> Fallible<&State>;
    /// Rows of its journal that were not asked for before.
    fn rows(&mut self, account: usize) -> Fallible<Vec<JournalRow>>;
    /// Everything recomputed from the journals; a sentence for what disagrees.
    fn verify(&mut self) -> Fallible<()>;
    /// What was reached.
    fn coverage(&mut self) -> &mut Coverage;
}
