//! One word about an account or application, for people. What it is not: no code decides by a label.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::HoldKind;

/// One word for people about an account or application; the earlier one wins. Decides nothing (policy 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Label {
    /// The data is gone (T22).
    Cleared,
    /// The data is being deleted (T20, T21).
    Clearing,
    /// Hold `violation`.
    Violation,
    /// Hold `closure`.
    Closure,
    /// Hold `arrears`.
    Arrears,
    /// Hold `partner_freeze`.
    PartnerFreeze,
    /// Hold `admin`.
    Admin,
    /// Hold `unfunded`.
    Unfunded,
    /// Hold `manual`.
    Manual,
    /// Owing money, not suspended yet (S9).
    Grace,
    /// Nothing is in the way.
    Active,
}

impl Label {
    /// Every label, in the order of precedence.
    pub const ALL: &'static [Self] = &[
        Self::Cleared,
        Self::Clearing,
        Self::Violation,
        Self::Closure,
        Self::Arrears,
        Self::PartnerFreeze,
        Self::Admin,
        Self::Unfunded,
        Self::Manual,
        Self::Grace,
        Self::Active,
    ];

    /// Stable name on the wire.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Cleared => "cleared",
            Self::Clearing => "clearing",
            Self::Violation => "violation",
            Self::Closure => "closure",
            Self::Arrears => "arrears",
            Self::PartnerFreeze => "partner_freeze",
            Self::Admin => "admin",
            Self::Unfunded => "unfunded",
            Self::Manual => "manual",
            Self::Grace => "grace",
            Self::Active => "active",
        }
    }

    /// What the label tells its reader, one sentence.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Cleared => "The account's data was deleted; its bills and ledger remain.",
            Self::Clearing => "The account's data is being deleted, and that cannot be stopped.",
            Self::Violation => "Closed for good because of a violation.",
            Self::Closure => "Being closed at the customer's wish.",
            Self::Arrears => "Suspended because money is owed.",
            Self::PartnerFreeze => "Frozen by the partner who serves the account.",
            Self::Admin => "Held by the operator for the time being.",
            Self::Unfunded => "Waiting for a package or for postpaid.",
            Self::Manual => "Disabled by its owner.",
            Self::Grace => {
                "Money is owed, and the 24 hours to recharge are running; nothing is blocked."
            }
            Self::Active => "In service.",
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl From<HoldKind> for Label {
    fn from(kind: HoldKind) -> Self {
        match kind {
            HoldKind::Arrears => Self::Arrears,
            HoldKind::Unfunded => Self::Unfunded,
            HoldKind::Manual => Self::Manual,
            HoldKind::Violation => Self::Violation,
            HoldKind::PartnerFreeze => Self::PartnerFreeze,
            HoldKind::Admin => Self::Admin,
            HoldKind::Closure => Self::Closure,
        }
    }
}

/// The label of an account or application: the first of all that apply (policy 2.1).
pub fn label(
    stage_clearing: bool,
    cleared: bool,
    kinds: impl Iterator<Item = HoldKind>,
    episode_open: bool,
) -> Label {
    let stage = if cleared {
        Label::Cleared
    } else if stage_clearing {
        Label::Clearing
    } else {
        Label::Active
    };
    let grace = if episode_open { Label::Grace } else { Label::Active };
    kinds.map(Label::from).fold(stage.min(grace), Label::min)
}
