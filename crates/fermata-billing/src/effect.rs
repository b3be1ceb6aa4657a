//! What each hold leaves allowed: the effect matrix and the one function that answers for it (policy 2.2).
//!
//! Every door asks [`allows`]: entries, APIs, console, tasks and recordings alike.
//! What it is not: it knows no balance and no price; "buy a package" allowed here may still be too dear (A5).

use serde::{Deserialize, Serialize};

use crate::hold::HoldKind;

/// A kind of thing that somebody may try; a row of the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperationClass {
    /// Entering a room anew, creating one, starting a recording, relay, mix or AI task.
    Join,
    /// Coming back to a stay that is still open (A21).
    Resume,
    /// Media and in-room signalling of a stay.
    MediaOfStay,
    /// Recordings and relays that run already (A27).
    RunningTask,
    /// Dismissing a room, removing or muting a user, stopping a task, listing one's own live rooms and tasks.
    Dismiss,
    /// Every other call of the API and page of the console that belongs to an application.
    Api,
    /// Listing, reading and playing recordings.
    Recordings,
    /// Recharging, paying, bills, ledger, balance, notification settings, tickets.
    Billing,
    /// Buying a package.
    BuyPackage,
    /// Enabling or disabling an application.
    EnableApp,
    /// Usage that media nodes report.
    Usage,
}

impl OperationClass {
    /// Every class, in the order of [`MATRIX`].
    pub const ALL: &'static [Self] = &[
        Self::Join,
        Self::Resume,
        Self::MediaOfStay,
        Self::RunningTask,
        Self::Dismiss,
        Self::Api,
        Self::Recordings,
        Self::Billing,
        Self::BuyPackage,
        Self::EnableApp,
        Self::Usage,
    ];

    /// Stable name on the wire.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Resume => "resume",
            Self::MediaOfStay => "media_of_stay",
            Self::RunningTask => "running_task",
            Self::Dismiss => "dismiss",
            Self::Api => "api",
            Self::Recordings => "recordings",
            Self::Billing => "billing",
            Self::BuyPackage => "buy_package",
            Self::EnableApp => "enable_app",
            Self::Usage => "usage",
        }
    }

    /// What belongs to the class, one sentence.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Join => {
                "Enter a room anew, create one, or start a recording, relay, mix or AI task."
            }
            Self::Resume => "Come back to a stay that is still open.",
            Self::MediaOfStay => "Send and receive media and messages in a room one is in.",
            Self::RunningTask => "Keep a recording or relay running that was started before.",
            Self::Dismiss => {
                "Dismiss a room, remove or mute a user, stop a task, or list one's own live rooms and tasks."
            }
            Self::Api => "Use any other call of the API or page of the console.",
            Self::Recordings => "List, read or play recordings.",
            Self::Billing => {
                "Recharge and pay, see bills, ledger and balance, set notifications, open tickets."
            }
            Self::BuyPackage => "Buy a package.",
            Self::EnableApp => "Enable or disable an application.",
            Self::Usage => "Have the usage counted that media nodes report.",
        }
    }

    /// Whether it stays open in every state, since it lowers cost and harm or lets people pay (A2).
    const fn always_open(self) -> bool {
        matches!(self, Self::Dismiss | Self::Billing | Self::Usage)
    }
}

/// A column of the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    /// No hold; also within the grace (A1).
    Active,
    /// `unfunded`, and with it `partner_freeze` and `admin`.
    Unfunded,
    /// `manual`.
    Manual,
    /// `arrears`.
    Arrears,
    /// `violation`, and with it `closure`.
    Violation,
    /// Clearing or cleared.
    Cleared,
}

impl Column {
    /// Every column, left to right.
    pub const ALL: &'static [Self] = &[
        Self::Active,
        Self::Unfunded,
        Self::Manual,
        Self::Arrears,
        Self::Violation,
        Self::Cleared,
    ];

    /// The column's head.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Active => "active or grace",
            Self::Unfunded => "unfunded",
            Self::Manual => "manual",
            Self::Arrears => "arrears",
            Self::Violation => "violation",
            Self::Cleared => "cleared",
        }
    }
}

/// A cell of the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Allowed.
    Yes,
    /// Allowed, but nothing changes until the other holds are cleared.
    YesWithoutEffect,
    /// Allowed for what happened before; nothing new can arise.
    LateOnly,
    /// Refused.
    No,
    /// Refused; only a new activation of the service could.
    NewActivationOnly,
    /// Refused: what is asked for was deleted.
    Gone,
    /// Nothing is left to act on: what stays open in every state (A2) is let through and finds nothing,
    /// anything else is refused.
    NotApplicable,
}

impl Effect {
    /// The words in the table.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::YesWithoutEffect => "yes, without effect until the other holds clear",
            Self::LateOnly => "yes, late usage only",
            Self::No => "no",
            Self::NewActivationOnly => "no, by a new activation only",
            Self::Gone => "gone",
            Self::NotApplicable => "-",
        }
    }

    const fn permits(self, class: OperationClass) -> bool {
        match self {
            Self::Yes | Self::YesWithoutEffect | Self::LateOnly => true,
            Self::No | Self::NewActivationOnly | Self::Gone => false,
            Self::NotApplicable => class.always_open(),
        }
    }
}

/// The effect matrix: a row per class in the order of [`OperationClass::ALL`], cells in the order of
/// [`Column::ALL`] (policy 2.2).
#[rustfmt::skip]
pub const MATRIX: &[(OperationClass, [Effect; 6])] = {
    use Effect::{Gone, LateOnly, NewActivationOnly, No, NotApplicable, Yes, YesWithoutEffect};
    &[
        //                             active unfunded manual arrears          violation cleared
        (OperationClass::Join,        [Yes,   No,      No,    No,               No,  No]),
        (OperationClass::Resume,      [Yes,   Yes,     Yes,   Yes,              No,  No]),
        (OperationClass::MediaOfStay, [Yes,   Yes,     Yes,   Yes,              No,  NotApplicable]),
        (OperationClass::RunningTask, [Yes,   Yes,     Yes,   Yes,              No,  NotApplicable]),
        (OperationClass::Dismiss,     [Yes,   Yes,     Yes,   Yes,              Yes, NotApplicable]),
        (OperationClass::Api,         [Yes,   No,      No,    No,               No,  No]),
        (OperationClass::Recordings,  [Yes,   Yes,     Yes,   No,               No,  Gone]),
        (OperationClass::Billing,     [Yes,   Yes,     Yes,   Yes,              Yes, Yes]),
        (OperationClass::BuyPackage,  [Yes,   Yes,     Yes,   Yes,              No,  NewActivationOnly]),
        (OperationClass::EnableApp,   [Yes,   Yes,     Yes,   YesWithoutEffect, No,  No]),
        (OperationClass::Usage,       [Yes,   Yes,     Yes,   Yes,              Yes, LateOnly]),
    ]
};

/// The column that a hold acts as.
pub const fn column(kind: HoldKind) -> Column {
    match kind {
        HoldKind::Arrears => Column::Arrears,
        HoldKind::Unfunded | HoldKind::PartnerFreeze | HoldKind::Admin => Column::Unfunded,
        HoldKind::Manual => Column::Manual,
        HoldKind::Violation | HoldKind::Closure => Column::Violation,
    }
}

/// The cell of the matrix.
pub const fn effect(class: OperationClass, column: Column) -> Effect {
    MATRIX[class as usize].1[column as usize]
}

/// What an agreement says that `partner_freeze` does (A15). The default acts as `unfunded`.
///
/// New entries are refused under every freeze (I6), and what lowers cost and harm, the billing pages and
/// the counting of usage stay open under every freeze (A2); the agreement decides about the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FreezePolicy {
    /// Whether calls and tasks that were going on go on.
    pub ongoing_continue: bool,
    /// Whether recordings can be read (I7).
    pub recordings_open: bool,
    /// What is refused instead of the default; `None` leaves the column `unfunded` as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked: Option<Vec<OperationClass>>,
}

impl Default for FreezePolicy {
    fn default() -> Self {
        Self { ongoing_continue: true, recordings_open: true, blocked: None }
    }
}

impl FreezePolicy {
    /// Whether a freeze under this agreement leaves `class` allowed.
    pub fn permits(&self, class: OperationClass) -> bool {
        let listed = match &self.blocked {
            Some(blocked) => !blocked.contains(&class),
            None => effect(class, Column::Unfunded).permits(class),
        };
        match class {
            OperationClass::Join => false,
            OperationClass::Dismiss | OperationClass::Billing | OperationClass::Usage => true,
            OperationClass::Resume | OperationClass::MediaOfStay | OperationClass::RunningTask => {
                listed && self.ongoing_continue
            }
            OperationClass::Recordings => listed && self.recordings_open,
            OperationClass::Api | OperationClass::BuyPackage | OperationClass::EnableApp => listed,
        }
    }
}

/// Whether `class` is allowed: the meet over all holds present and the stage; one "no" is a no (policy 2.2).
///
/// `kinds` are the holds of the account, and those of the application where one is concerned.
/// `freeze` is what the account's agreement says; `None` is the default.
pub fn allows(
    class: OperationClass,
    kinds: impl IntoIterator<Item = HoldKind>,
    clearing_or_cleared: bool,
    freeze: Option<&FreezePolicy>,
) -> bool {
    let stage = if clearing_or_cleared { Column::Cleared } else { Column::Active };
    effect(class, stage).permits(class)
        && kinds.into_iter().all(|kind| match (kind, freeze) {
            (HoldKind::PartnerFreeze, Some(policy)) => policy.permits(class),
            _ => effect(class, column(kind)).permits(class),
        })
}

#[cfg(test)]
mod tests;
