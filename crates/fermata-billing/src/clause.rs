//! Every clause of the standing policy by its id: promises, answers, transitions, invariants, properties.
//!
//! Code, tests, API errors, console texts and the guide name a rule by this id and take its wording from here.
//! What it is not: no rule is applied here; the tables are in [`crate::hold`], [`crate::effect`] and
//! [`crate::transition`].

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// What a clause is: the letter of its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// `S`: what the operator promises and enforces.
    Promise,
    /// `A`: how a question that the promises leave open is answered.
    Answer,
    /// `T`: how the state of an account changes.
    Transition,
    /// `I`: what holds in every state.
    Invariant,
    /// `P`: what holds of minutes, money and storage.
    Property,
}

macro_rules! clauses {
    ($($family:ident { $($id:ident = $sentence:literal,)+ })+) => {
        /// The id of one clause, such as `S10`; ordered as in the guide.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ClauseId {
            $($(#[doc = $sentence] $id,)+)+
        }

        impl ClauseId {
            /// Every clause, in the order of the guide.
            pub const ALL: &'static [Self] = &[$($(Self::$id,)+)+];

            /// The id as it is written: `S10`.
            pub const fn id(self) -> &'static str {
                match self { $($(Self::$id => stringify!($id),)+)+ }
            }

            /// What the clause says, one plain sentence.
            pub const fn sentence(self) -> &'static str {
                match self { $($(Self::$id => $sentence,)+)+ }
            }

            /// What kind of clause it is.
            pub const fn family(self) -> Family {
                match self { $($(Self::$id)|+ => Family::$family,)+ }
            }
        }
    };
}

clauses! {
    Promise {
        S1 = "A partner's customer is governed by the agreement between the two, and by this \
            policy where there is none.",
        S2 = "Call, Conference, Live and RTC Engine are all treated alike.",
        S3 = "What a customer leaves suspended for long is reclaimed, and nothing brings it back.",
        S4 = "With daily postpaid, the bill of a day is made the next day between 08:00 and 12:00.",
        S5 = "With monthly postpaid, the bill of a month comes on the 1st to 3rd of the next, and \
            the time it really comes is the one that counts.",
        S6 = "Every bill, and every deduction behind it, can be looked up in full.",
        S7 = "Falling into arrears ends no call: calls in progress go on and are billed as ever.",
        S8 = "When packages are used up, postpaid is on and the balance does not suffice, the \
            account is in arrears and is reminded of it.",
        S9 = "An account in arrears has 24 hours to recharge, and if it does, it is not suspended.",
        S10 = "An account that did not recharge in time is suspended, even if prepaid packages \
            still hold minutes.",
        S11 = "Warnings of arrears and of suspension can be subscribed to, because arrears can \
            end with every service of the account unavailable.",
        S12 = "Suspension keeps new users out of rooms; whoever was inside stays and is billed as \
            ever.",
        S13 = "A room that is still open can be closed by force through the dismissal API.",
        S14 = "From the day of suspension on, API and console are unavailable and the account's \
            applications can do nothing with the product.",
        S15 = "While suspended for arrears, no recording can be accessed, and what becomes of the \
            stored data is for the storage's own rules.",
        S16 = "Every account receives a package of free minutes each month.",
        S17 = "When the free minutes are used and nothing was bought, service is suspended until \
            a package is bought.",
        S18 = "An application that its owner disables is suspended at once, and enabling it \
            restores it.",
        S19 = "A suspension for a violation is final.",
        S20 = "Nothing is reclaimed from an account suspended for any reason but debt, violation \
            or other breach.",
        S21 = "An account suspended for debt, violation or other breach may be reclaimed \
            automatically after more than 60 days.",
        S22 = "Reclamation runs regularly and deletes all of the account's data: configurations, \
            service logs, terminal authorisations and packages.",
        S23 = "A customer can ask for the end of service and for the deletion of the account's \
            data.",
    }
    Answer {
        A1 = "New users are refused from suspension on, not from arrears on: during the 24 hours \
            nothing is blocked.",
        A2 = "Suspension refuses by class of operation, and dismissing, removing, listing one's \
            live rooms and paying stay open in every state.",
        A3 = "Minutes left in packages do not prevent suspension for arrears; live calls burn \
            packages first, then money, unless `burn_while_suspended` is `false`.",
        A4 = "Arrears means that cash, usable vouchers and credit limit together are below zero \
            after a posting; zero is enough, a partial payment stops no clock, and a new episode \
            has its own 24 hours.",
        A5 = "A package costs no more than what is available, so buying never leads into arrears, \
            and a debt is settled before a package is bought.",
        A6 = "Arrears, violation, partner freeze and closure are about the account and all its \
            applications; manual and unfunded are about one application.",
        A7 = "An application suspended as unfunded is reopened by a paid package with minutes \
            left or by postpaid, and not by a new month's free minutes, unless \
            `free_renewal_reopens` is set.",
        A8 = "Minutes that run on after `unfunded` are counted and rated at the operator's cost, \
            unless `unfunded_billed` is `true`.",
        A9 = "Holds are independent: each is cleared by its own remedy, and newcomers enter when \
            all are gone.",
        A10 = "A mistaken violation cannot be annulled: that would stand outside these rules, is off, \
            and no call does it; a violation that is only proposed can be withdrawn.",
        A11 = "Only arrears and violation count towards reclamation; manual, unfunded and admin \
            never do.",
        A12 = "Reclamation needs strictly more than 60 times 24 hours of one and the same hold \
            without a break, counted from its effective or applied time, whichever is later.",
        A13 = "Reclamation has an operator's switch, is announced before, and passes by accounts \
            exempt for legal reasons.",
        A14 = "The clearing is irreversible from the commit that begins it; its steps can be \
            repeated and resumed, and each leaves a receipt.",
        A15 = "A partner's terms are data with versions: grace, blocked operations, recordings, \
            reclamation, who is told and who may freeze.",
        A16 = "An account has one time zone: days and months are civil there, deadlines of 24 \
            hours and 60 days are absolute, and a change of zone begins with the next month.",
        A17 = "A daily bill closes once all usage up to midnight has arrived, at 12:00 at the \
            latest; what comes after goes on a later bill.",
        A18 = "Late usage of a suspended or cleared account is recorded and billed, may deepen a \
            debt, and restarts no clock.",
        A19 = "A credit that is committed at the deadline or before it wins over the suspension.",
        A20 = "Whoever's stay was committed before the suspension was inside before; nodes learn \
            of a change at once, and refresh their verdicts every 10 seconds at the latest.",
        A21 = "A user who reconnects or reloads while their stay is still open is inside before, \
            and a refused entry displaces nobody.",
        A22 = "Any posting can lead into arrears: a bill, a chargeback, a cut of the credit \
            limit, a manual debit.",
        A23 = "A node cut off from the server goes on admitting accounts it last saw open for 5 \
            minutes, refuses all others, and keeps usage on its disk.",
        A24 = "Recordings are denied at once when arrears suspend and readable again when they \
            are cleared; deletion is for the storage's rules.",
        A25 = "Postpaid can be disabled in debt: the debt stays, and later use needs packages.",
        A26 = "Ledger, bills and audit survive the clearing, cut off from all that was cleared, \
            for as long as the operator must keep them.",
        A27 = "Recordings and relays that run when a hold comes run on like the calls inside and \
            are metered, and the customer can stop them in every state.",
        A28 = "Reclamation is on for sandbox accounts and in development mode, and off in \
            production until the operator turns it on; a notice is sent once it is queued for \
            delivery.",
    }
    Transition {
        T1 = "Usage burns packages, and what they do not cover accrues.",
        T2 = "A day's bill closes with one debit.",
        T3 = "A month's bill closes with one debit.",
        T4 = "A warning is sent when the available balance falls past a subscribed threshold.",
        T5 = "A debit that takes the balance below zero opens an arrears episode with 24 hours to \
            recharge.",
        T6 = "A further debit during an episode changes nothing about its deadline.",
        T7 = "A credit that brings the balance to zero or above ends the episode and the \
            suspension at once.",
        T8 = "The deadline suspends the account if the balance is still below zero.",
        T9 = "An application that nothing pays for is suspended as unfunded.",
        T10 = "A package paid for, or postpaid enabled, reopens the applications it funds.",
        T11 = "A new month brings new free minutes.",
        T12 = "Disabling an application suspends it.",
        T13 = "Enabling an application lifts that suspension and no other.",
        T14 = "An approved violation closes the account.",
        T15 = "A violation cannot be cleared.",
        T16 = "A partner freezes or unfreezes an account of its own.",
        T17 = "A new version of an agreement recomputes the timers of its accounts.",
        T18 = "Dismissing a room ends its stays in any state of the account.",
        T19 = "Reclamation is announced 30, 7 and 1 day before.",
        T20 = "The sweep begins to clear an account that was suspended for more than 60 days.",
        T21 = "Each clearing step deletes one class of data and leaves a receipt.",
        T22 = "After the last step the account is cleared, and its row, ledger, bills and audit \
            remain.",
        T23 = "A credit before the clearing begins saves the account.",
        T24 = "A credit after the clearing began settles debt and brings no data back.",
        T25 = "Usage that arrives after its day was billed goes on the next bill.",
        T26 = "Usage that is too late or from the future is put aside for the operator.",
        T27 = "A reversed payment is debited like any other posting.",
        T28 = "A closure ticket closes the account, and once confirmed clears it by consent.",
    }
    Invariant {
        I1 = "The hold arrears stands exactly when an episode is open, its grace is over and no \
            agreement exempts the account.",
        I2 = "No debit moves the beginning of an episode.",
        I3 = "With none but manual, unfunded and admin holds there is no reclaim timer.",
        I4 = "A violation never disappears, except by an annulment that leaves its record.",
        I5 = "A credit to the balance touches no hold but arrears.",
        I6 = "A new entry is allowed exactly when there is no hold and no reclaim stage.",
        I7 = "Recordings are readable exactly when no hold blocks them and nothing is being or \
            was cleared.",
        I8 = "Clearing begins only after more than 60 days without a break, or by consent.",
        I9 = "There is no way back from clearing or cleared.",
        I10 = "However rarely timers are looked at, the same history gives the same holds and \
            notices, or the same ones later.",
        I11 = "A notice is sent at most once per kind, episode and threshold.",
        I12 = "A stay admitted before the suspension keeps its media until it ends, or a \
            violation or closure ends it.",
        I13 = "Every change of a hold leaves an audit row and a new epoch.",
        I14 = "The reasons in an error are exactly the holds that stand.",
    }
    Property {
        P1 = "The entries of every ledger transaction sum to zero.",
        P2 = "All ledger accounts of one unit sum to zero.",
        P3 = "No package falls below zero.",
        P4 = "The minutes of a day are those covered, those billed and those absorbed.",
        P5 = "Usage messages permuted, duplicated or split give the same totals and the same \
            money.",
        P6 = "Packages burn in the published order.",
        P7 = "Replaying the log of commands gives the same state.",
        P8 = "What is cached equals what is recomputed.",
        P9 = "Billing periods follow each other without gap or overlap, across clock changes and \
            changes of zone.",
        P10 = "Closing a period twice does nothing the second time.",
        P11 = "An issued bill never changes.",
        P12 = "The same idempotency key gets the same response.",
        P13 = "A reversal restores every balance.",
        P14 = "Credits never exceed what they credit.",
        P15 = "On every bill, the balance before and the postings give the balance after.",
        P16 = "The price is the one in force when the usage happened.",
        P17 = "Late usage is on exactly one bill, exactly once.",
        P18 = "No amount overflows, whatever is asked for.",
        P19 = "The chain of audit rows verifies.",
        P20 = "A crash at any point and a restart leave what no crash would have left.",
        P21 = "All storage backends give the same results.",
        P22 = "Sandbox and live never mix.",
        P23 = "Dropping every cache changes nothing.",
        P24 = "Every promise has a scenario that people can read.",
        P25 = "Within one stay and window, the seconds of one kind are no more than the window is \
            long.",
    }
}

impl ClauseId {
    /// The clause with this id.
    pub fn parse(id: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|clause| clause.id() == id)
    }

    /// The clauses of one kind, in order.
    pub fn of(family: Family) -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(move |clause| clause.family() == family)
    }
}

impl fmt::Display for ClauseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl Serialize for ClauseId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

impl<'de> Deserialize<'de> for ClauseId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let id = String::deserialize(deserializer)?;
        Self::parse(&id).ok_or_else(|| {
            de::Error::invalid_value(de::Unexpected::Str(&id), &"the id of a clause, such as S10")
        })
    }
}

#[cfg(test)]
mod tests;
