//! How an account's standing changes: T1 to T28 as a table (policy 2.3).
//!
//! Each row is one transaction under the account's lock.
//! What it is not: the table is for readers, for audit rows and for the counters of tests that show every
//! row to be reached; the state machine itself is the function `step`.

use crate::clause::ClauseId;

macro_rules! transitions {
    ($($id:ident)+) => {
        /// One transition. Each is the clause of the same id.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Transition {
            $(#[doc = concat!("Clause ", stringify!($id), ".")] $id,)+
        }

        impl Transition {
            /// Every transition, in order.
            pub const ALL: &'static [Self] = &[$(Self::$id,)+];

            /// The clause of the same id.
            pub const fn clause(self) -> ClauseId {
                match self { $(Self::$id => ClauseId::$id,)+ }
            }

            /// The transition of the same id; `None` for any other clause.
            pub const fn from_clause(clause: ClauseId) -> Option<Self> {
                match clause { $(ClauseId::$id => Some(Self::$id),)+ _ => None }
            }
        }
    };
}

transitions! {
    T1 T2 T3 T4 T5 T6 T7 T8 T9 T10 T11 T12 T13 T14
    T15 T16 T17 T18 T19 T20 T21 T22 T23 T24 T25 T26 T27 T28
}

impl Transition {
    /// The id as it is written: `T5`.
    pub const fn id(self) -> &'static str {
        self.clause().id()
    }
}

/// One row of the transition table; texts for readers, empty where there is nothing to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransitionRule {
    /// Whose row it is.
    pub transition: Transition,
    /// What happens.
    pub event: &'static str,
    /// What must be so for it to apply.
    pub guard: &'static str,
    /// What it changes.
    pub change: &'static str,
    /// Which timers it sets or deletes.
    pub timers: &'static str,
    /// What follows: notices, orders to nodes, further transitions.
    pub effects: &'static str,
}

const fn row(transition: Transition, texts: [&'static str; 5]) -> TransitionRule {
    let [event, guard, change, timers, effects] = texts;
    TransitionRule { transition, event, guard, change, timers, effects }
}

/// The transition table, one row each in the order of [`Transition`] (policy 2.3).
///
/// Columns: event, guard, change, timers, effects.
pub const TRANSITIONS: &[TransitionRule] = &[
    row(
        Transition::T1,
        [
            "usage is posted",
            "it adds seconds to a window",
            "packages burn, minutes that none covers accrue",
            "",
            "alarms where a package passes 80, 90 or 100 %; then T9",
        ],
    ),
    row(
        Transition::T2,
        [
            "a day's bill closes: 08:00 to 12:00 of the next day in the account's zone",
            "the day is not closed",
            "the bill is issued with one debit",
            "the next daily closing",
            "notice that the bill is ready; then T5",
        ],
    ),
    row(
        Transition::T3,
        [
            "a month's bill closes: on the 1st to 3rd of the next month",
            "the month is not closed",
            "the bill is issued with one debit",
            "the next monthly closing",
            "notice that the bill is ready; then T5",
        ],
    ),
    row(
        Transition::T4,
        [
            "the available balance falls past a threshold",
            "somebody subscribed to it",
            "the crossing is remembered",
            "",
            "low-balance warning",
        ],
    ),
    row(
        Transition::T5,
        [
            "a debit",
            "it takes the available balance from zero or above to below zero",
            "an episode opens at the time of the commit",
            "suspension 24 hours later; warnings 12 and 23 hours later",
            "arrears reminder to the owner, always, and to subscribers",
        ],
    ),
    row(
        Transition::T6,
        ["a debit", "an episode is open already", "none: the clock goes on as it was", "", ""],
    ),
    row(
        Transition::T7,
        [
            "a credit",
            "it takes the available balance from below zero to zero or above",
            "the episode ends and hold arrears is dropped",
            "suspension and warnings deleted; reclamation computed anew",
            "notice that arrears are cleared; where it was suspended, service restored and a new epoch",
        ],
    ),
    row(
        Transition::T8,
        [
            "the suspension is due",
            "the episode is open, the available balance is below zero, and no agreement exempts the account",
            "hold arrears is raised, effective at the due time",
            "reclamation and its notices",
            "notice of suspension; new epoch; recordings denied",
        ],
    ),
    row(
        Transition::T9,
        [
            "funding is checked: after T1, an expiry, a refund, a new application or the end of postpaid",
            "no free minutes, no usable package of application or account, no postpaid",
            "hold unfunded is raised on every application for which that is so",
            "",
            "notice that a purchase is needed; new epoch",
        ],
    ),
    row(
        Transition::T10,
        [
            "a package is paid for, or postpaid is enabled",
            "hold unfunded stands, and now there is something to pay from",
            "hold unfunded is dropped on the applications covered",
            "expiry of the package",
            "service restored where no other hold stands",
        ],
    ),
    row(
        Transition::T11,
        [
            "a month begins",
            "the account is not cleared and has no violation",
            "a new package of free minutes",
            "the next month's",
            "unfunded is not dropped by it",
        ],
    ),
    row(
        Transition::T12,
        [
            "the owner disables an application",
            "it is enabled",
            "hold manual is raised",
            "",
            "new epoch; rooms dismissed if asked for",
        ],
    ),
    row(
        Transition::T13,
        [
            "the owner enables an application",
            "it is disabled",
            "hold manual is dropped",
            "",
            "new epoch; the answer lists the holds that remain",
        ],
    ),
    row(
        Transition::T14,
        [
            "a violation is decided",
            "one operator proposed it, another approves",
            "hold violation is raised",
            "reclamation and its notices",
            "notice with the reason; rooms dismissed; new epoch",
        ],
    ),
    row(
        Transition::T15,
        [
            "somebody asks to clear a violation",
            "",
            "none: there is no such transition",
            "",
            "refused as final",
        ],
    ),
    row(
        Transition::T16,
        [
            "the partner freezes or unfreezes an account",
            "the account is the partner's, and an agreement is in force",
            "hold partner_freeze is raised or dropped",
            "as the agreement says",
            "both are told; new epoch",
        ],
    ),
    row(
        Transition::T17,
        [
            "a version of an agreement comes into force",
            "",
            "none but what follows from the facts under the new terms",
            "all timers of its accounts computed anew",
            "audit row",
        ],
    ),
    row(
        Transition::T18,
        [
            "a room is dismissed",
            "none: in any state",
            "stays end, their last windows are posted",
            "",
            "the room is closed",
        ],
    ),
    row(
        Transition::T19,
        [
            "a reclaim notice is due",
            "the hold that counts still stands",
            "none but that the notice is remembered",
            "",
            "notices 30, 7 and 1 day before",
        ],
    ),
    row(
        Transition::T20,
        [
            "the reclaim sweep",
            "a hold that counts stands for more than 60 days; not exempt; switched on; notices sent",
            "the clearing begins",
            "",
            "last notice; from here on irreversible",
        ],
    ),
    row(
        Transition::T21,
        [
            "a clearing step",
            "the clearing goes on",
            "one class of data is deleted, a receipt written, the step counted",
            "",
            "in turn: configuration, service logs, terminal authorisations, recordings, packages",
        ],
    ),
    row(
        Transition::T22,
        [
            "the last step is done",
            "every class has its receipt",
            "the account is cleared",
            "all deleted",
            "receipt; account row, ledger, bills and audit remain",
        ],
    ),
    row(
        Transition::T23,
        [
            "a credit while reclamation is due",
            "zero or above, only arrears counted, and T20 is not committed",
            "T7; reclamation is off",
            "reclamation deleted",
            "the account is saved",
        ],
    ),
    row(
        Transition::T24,
        [
            "a credit after T20",
            "",
            "it is booked against the debt",
            "",
            "the data stays deleted; a new account may be opened, unless for a violation",
        ],
    ),
    row(
        Transition::T25,
        [
            "late usage for a day that was billed",
            "it happened within the last 35 days",
            "packages valid at that time burn, the rest goes on the next bill as a late line",
            "",
            "issued bills stay as they are",
        ],
    ),
    row(
        Transition::T26,
        [
            "usage that is too late, or more than 5 minutes in the future",
            "",
            "none: it is quarantined",
            "",
            "alert to the operator",
        ],
    ),
    row(
        Transition::T27,
        [
            "a payment is reversed",
            "the payment is known",
            "a reversing posting",
            "",
            "notice; then T5",
        ],
    ),
    row(
        Transition::T28,
        [
            "the owner opens a ticket for closure",
            "the owner is verified",
            "hold closure is raised; once confirmed, T20 by consent",
            "confirmation, 7 days later",
            "notices; rooms dismissed; new epoch",
        ],
    ),
];

impl Transition {
    /// The row of [`TRANSITIONS`].
    pub const fn rule(self) -> &'static TransitionRule {
        &TRANSITIONS[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clause::Family;

    #[test]
    fn t1_to_t28_each_have_their_row_and_their_clause() {
        let clauses: Vec<_> = ClauseId::of(Family::Transition).collect();
        let own: Vec<_> = Transition::ALL.iter().map(|t| t.clause()).collect();
        assert_eq!(own, clauses);
        assert_eq!(TRANSITIONS.len(), 28);
        for transition in Transition::ALL {
            let rule = transition.rule();
            assert_eq!(rule.transition, *transition);
            assert_eq!(Transition::from_clause(transition.clause()), Some(*transition));
            assert!(!rule.event.is_empty() && !rule.change.is_empty(), "{transition:?}");
        }
        assert_eq!(Transition::from_clause(ClauseId::S1), None);
    }

    #[test]
    fn t15_has_no_change_and_t6_leaves_the_clock_alone() {
        assert!(Transition::T15.rule().change.starts_with("none"));
        assert!(Transition::T6.rule().change.starts_with("none"));
        assert!(Transition::T6.rule().timers.is_empty());
    }
}
