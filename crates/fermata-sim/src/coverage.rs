//! What a run has reached: transitions of the policy, crash points, and how much was simulated.

use std::collections::BTreeMap;

use fermata_billing::transition::Transition;

/// Places where things go wrong on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CrashPoint {
    /// The step was computed and not committed; the cache is lost, and the caller tries again.
    BeforeCommit,
    /// Committed, but the caller never heard of it and sends the same again.
    AfterCommit,
    /// Between two timers that were due together.
    BetweenTimers,
    /// Between two steps of clearing.
    MidReclaim,
    /// A delivery went out, and the program died before it could note that.
    AfterDelivery,
    /// A second controller fires a timer that was fired already.
    TwoControllers,
    /// The program was down when suspension was due.
    DownAcrossSuspend,
    /// The program was down during the whole window of a bill.
    DownAcrossBill,
    /// The provider told of a payment twice.
    PaymentTwice,
    /// A batch arrived twice.
    BatchTwice,
    /// A batch arrived before an earlier one of its node.
    BatchReordered,
    /// A batch arrived after its day was closed.
    BatchLate,
    /// A node died and the end of its log was torn.
    TornTail,
}

impl CrashPoint {
    /// Every point.
    pub const ALL: &'static [Self] = &[
        Self::BeforeCommit,
        Self::AfterCommit,
        Self::BetweenTimers,
        Self::MidReclaim,
        Self::AfterDelivery,
        Self::TwoControllers,
        Self::DownAcrossSuspend,
        Self::DownAcrossBill,
        Self::PaymentTwice,
        Self::BatchTwice,
        Self::BatchReordered,
        Self::BatchLate,
        Self::TornTail,
    ];
}

/// Counters of one run or of many.
#[derive(Debug, Clone, Default)]
pub struct Coverage {
    /// How often each transition was taken; T15 counts its refusals, T18 dismissals that a held account may do.
    pub transitions: BTreeMap<Transition, u64>,
    /// How often each crash point was reached.
    pub crashes: BTreeMap<CrashPoint, u64>,
    /// Civil days of accounts that were lived through.
    pub account_days: u64,
    /// Steps of the core.
    pub steps: u64,
    /// Events of the history.
    pub events: u64,
    /// Comparisons of an account with the oracle.
    pub comparisons: u64,
    /// Bills that were compared line by line.
    pub bills: u64,
}

impl Coverage {
    pub(crate) fn took(&mut self, transition: Transition) {
        *self.transitions.entry(transition).or_default() += 1;
    }

    pub(crate) fn reached(&mut self, point: CrashPoint) {
        *self.crashes.entry(point).or_default() += 1;
    }

    /// Adds another run's counters.
    pub fn add(&mut self, other: &Self) {
        for (transition, count) in &other.transitions {
            *self.transitions.entry(*transition).or_default() += count;
        }
        for (point, count) in &other.crashes {
            *self.crashes.entry(*point).or_default() += count;
        }
        self.account_days += other.account_days;
        self.steps += other.steps;
        self.events += other.events;
        self.comparisons += other.comparisons;
        self.bills += other.bills;
    }

    /// Transitions that no run has taken.
    pub fn missing_transitions(&self) -> Vec<Transition> {
        let all = Transition::ALL.iter().copied();
        all.filter(|one| !self.transitions.contains_key(one)).collect()
    }

    /// Crash points that no run has reached.
    pub fn missing_crashes(&self) -> Vec<CrashPoint> {
        let all = CrashPoint::ALL.iter().copied();
        all.filter(|one| !self.crashes.contains_key(one)).collect()
    }
}
