//! Holds: what stands between an account and its service, as one table (policy 2.1).
//!
//! A hold is one reason with its own small machine; holds are independent of each other (A9), and what is
//! allowed is the most restrictive of those present, which [`crate::effect`] answers.
//! What it is not: nothing is raised or cleared here; the labels are for display and decide nothing.

mod label;
mod scope;

use std::fmt;

use fermata_types::Reason;
use serde::{Deserialize, Serialize};

use crate::clause::ClauseId;
pub use label::{Label, label};
pub use scope::{Scope, ScopeKind};

/// The seven kinds of hold, in the order of [`HOLDS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldKind {
    /// The account owed money for longer than the grace (S10, T8).
    Arrears,
    /// Nothing pays for the application's minutes (S17, T9).
    Unfunded,
    /// The customer disabled the application (S18, T12).
    Manual,
    /// Contents or conduct against the rules; final (S19, T14).
    Violation,
    /// The account's partner froze it (S1, T16).
    PartnerFreeze,
    /// The operator holds the account or an application, reversibly.
    Admin,
    /// The customer asked for the end of service (S23, T28).
    Closure,
}

/// Why exactly a hold of a kind that has several causes stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldCause {
    /// `unfunded`: the free minutes are used and nothing was bought.
    FreeUsed,
    /// `unfunded`: the last package is used up and there is no postpaid.
    PackageUsed,
    /// `unfunded`: the last package expired and there is no postpaid.
    PackageExpired,
    /// `violation`: the contents.
    Content,
    /// `violation`: a breach of the agreement.
    Agreement,
}

impl HoldCause {
    /// Every cause, in table order.
    pub const ALL: &'static [Self] =
        &[Self::FreeUsed, Self::PackageUsed, Self::PackageExpired, Self::Content, Self::Agreement];

    /// The kind of hold that this is a cause of.
    pub const fn kind(self) -> HoldKind {
        match self {
            Self::FreeUsed | Self::PackageUsed | Self::PackageExpired => HoldKind::Unfunded,
            Self::Content | Self::Agreement => HoldKind::Violation,
        }
    }

    /// Stable name on the wire and in the store.
    pub const fn code(self) -> &'static str {
        match self {
            Self::FreeUsed => "free_used",
            Self::PackageUsed => "package_used",
            Self::PackageExpired => "package_expired",
            Self::Content => "content",
            Self::Agreement => "agreement",
        }
    }
}

/// What happens to calls that were going on when the hold came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ongoing {
    /// They go on and are billed as ever.
    Continue,
    /// They go on at the operator's cost (A8).
    ContinueAbsorbed,
    /// They are dismissed.
    Dismiss,
    /// The agreement with the partner says; silent, they go on.
    ByAgreement,
}

/// What happens to access to recordings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recordings {
    /// Nobody reads them (S15, A24).
    Blocked,
    /// They can be read as ever.
    Open,
    /// The agreement with the partner says; silent, they can be read.
    ByAgreement,
}

/// Whether the 60 days to reclamation run while the hold stands (A11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReclaimClock {
    /// They run.
    Yes,
    /// They do not.
    No,
    /// The agreement with the partner says; silent, they do not.
    ByAgreement,
    /// Cleared by consent, after a time to think again, not by the 60 days.
    Consent,
}

/// Whether service can come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restorable {
    /// It can.
    Yes,
    /// It cannot.
    No,
    /// It can until the clearing begins.
    UntilCleared,
}

/// One row of the hold table. Texts are for readers; the enums are what code asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HoldRule {
    /// Whose row it is.
    pub kind: HoldKind,
    /// What it may be about.
    pub scopes: &'static [ScopeKind],
    /// What raises it, as the end of "raised when ...".
    pub raised_by: &'static str,
    /// What clears it, as the end of "cleared when ...".
    pub cleared_by: &'static str,
    /// Calls that were going on.
    pub ongoing: Ongoing,
    /// Access to recordings.
    pub recordings: Recordings,
    /// Whether the 60 days run.
    pub reclaim_clock: ReclaimClock,
    /// Whether service can come back.
    pub restorable: Restorable,
    /// What the reader can do, one sentence.
    pub remedy: &'static str,
    /// Where it comes from.
    pub clauses: &'static [ClauseId],
    /// How a refused entry names it.
    pub reason: Reason,
}

/// The hold table, one row per kind in the order of [`HoldKind`] (policy 2.1).
pub const HOLDS: &[HoldRule] = &[
    HoldRule {
        kind: HoldKind::Arrears,
        scopes: &[ScopeKind::Account],
        raised_by: "the balance fell below zero, and is still below when the grace of 24 hours ends",
        cleared_by: "any credit brings the balance to zero or above",
        ongoing: Ongoing::Continue,
        recordings: Recordings::Blocked,
        reclaim_clock: ReclaimClock::Yes,
        restorable: Restorable::Yes,
        remedy: "Recharge until the balance is zero or above; service comes back with the payment.",
        clauses: &[
            ClauseId::S7,
            ClauseId::S10,
            ClauseId::S12,
            ClauseId::S14,
            ClauseId::S15,
            ClauseId::T7,
            ClauseId::T8,
        ],
        reason: Reason::Arrears,
    },
    HoldRule {
        kind: HoldKind::Unfunded,
        scopes: &[ScopeKind::App],
        raised_by: "use, expiry or the end of postpaid leaves the application with nothing to pay from",
        cleared_by: "a package that covers it is paid for, or postpaid is enabled",
        ongoing: Ongoing::ContinueAbsorbed,
        recordings: Recordings::Open,
        reclaim_clock: ReclaimClock::No,
        restorable: Restorable::Yes,
        remedy: "Buy a package for the application or minutes for the account, or enable postpaid.",
        clauses: &[ClauseId::S17, ClauseId::T9, ClauseId::T10, ClauseId::A7, ClauseId::A8],
        reason: Reason::Unfunded,
    },
    HoldRule {
        kind: HoldKind::Manual,
        scopes: &[ScopeKind::App],
        raised_by: "the customer disables the application, and may ask that its rooms be dismissed",
        cleared_by: "the customer enables it",
        ongoing: Ongoing::Continue,
        recordings: Recordings::Open,
        reclaim_clock: ReclaimClock::No,
        restorable: Restorable::Yes,
        remedy: "Enable the application.",
        clauses: &[ClauseId::S18, ClauseId::S20, ClauseId::T12, ClauseId::T13],
        reason: Reason::AppDisabled,
    },
    HoldRule {
        kind: HoldKind::Violation,
        scopes: &[ScopeKind::Account],
        raised_by: "one operator proposes it with a reason and evidence, and another approves",
        cleared_by: "nothing: it is final",
        ongoing: Ongoing::Dismiss,
        recordings: Recordings::Blocked,
        reclaim_clock: ReclaimClock::Yes,
        restorable: Restorable::No,
        remedy: "Nothing restores this account; write to the operator if the finding is wrong.",
        clauses: &[ClauseId::S19, ClauseId::T14, ClauseId::T15, ClauseId::A10, ClauseId::I4],
        reason: Reason::Violation,
    },
    HoldRule {
        kind: HoldKind::PartnerFreeze,
        scopes: &[ScopeKind::Account],
        raised_by: "the account's partner freezes it under an agreement in force",
        cleared_by: "the same partner lifts the freeze",
        ongoing: Ongoing::ByAgreement,
        recordings: Recordings::ByAgreement,
        reclaim_clock: ReclaimClock::ByAgreement,
        restorable: Restorable::Yes,
        remedy: "Ask the partner who serves this account; only the partner can lift the freeze.",
        clauses: &[ClauseId::S1, ClauseId::T16, ClauseId::A15],
        reason: Reason::PartnerFreeze,
    },
    HoldRule {
        kind: HoldKind::Admin,
        scopes: &[ScopeKind::Account, ScopeKind::App],
        raised_by: "the operator holds it for a while, such as for a fraud review or maintenance",
        cleared_by: "the operator lifts it",
        ongoing: Ongoing::Continue,
        recordings: Recordings::Open,
        reclaim_clock: ReclaimClock::No,
        restorable: Restorable::Yes,
        remedy: "Ask the operator, by a ticket, what the hold is for and when it ends.",
        clauses: &[ClauseId::S20, ClauseId::A11],
        reason: Reason::Admin,
    },
    HoldRule {
        kind: HoldKind::Closure,
        scopes: &[ScopeKind::Account],
        raised_by: "the customer asks for the end of service and the operator accepts the ticket",
        cleared_by: "the operator cancels it, until the clearing begins",
        ongoing: Ongoing::Dismiss,
        recordings: Recordings::Blocked,
        reclaim_clock: ReclaimClock::Consent,
        restorable: Restorable::UntilCleared,
        remedy: "Cancel the closure ticket before the clearing begins.",
        clauses: &[ClauseId::S23, ClauseId::T28],
        reason: Reason::Closure,
    },
];

impl HoldKind {
    /// Every kind, in table order.
    pub const ALL: &'static [Self] = &[
        Self::Arrears,
        Self::Unfunded,
        Self::Manual,
        Self::Violation,
        Self::PartnerFreeze,
        Self::Admin,
        Self::Closure,
    ];

    /// The row of [`HOLDS`].
    pub const fn rule(self) -> &'static HoldRule {
        &HOLDS[self as usize]
    }

    /// Stable name on the wire, in the store and in metrics.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Arrears => "arrears",
            Self::Unfunded => "unfunded",
            Self::Manual => "manual",
            Self::Violation => "violation",
            Self::PartnerFreeze => "partner_freeze",
            Self::Admin => "admin",
            Self::Closure => "closure",
        }
    }

    /// The kind with this code.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.code() == code)
    }

    /// Whether a hold of this kind may have this scope.
    pub fn allows_scope(self, scope: Scope) -> bool {
        self.rule().scopes.contains(&scope.kind())
    }
}

impl fmt::Display for HoldKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests;
