//! The terms an account is under: the policy's own, or those of its partner's agreement (S1, A15).

mod agreement;

use serde::{Deserialize, Serialize};

use crate::effect::FreezePolicy;

pub use agreement::{
    Agreement, AgreementVersion, PolicyDifference, PolicyError, differences, policy_at,
};

/// Terms in force for one account at one moment. Defaults are the policy's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a knob of its own, named as in A15")]
pub struct Policy {
    /// Hours between arrears and suspension (S9). 0 to 8,760.
    pub grace_hours: u32,
    /// Never suspended for arrears.
    pub non_stop: bool,
    /// Hours after the begin of arrears at which warnings go out, each 1 or more and below the grace.
    pub warn_hours: Vec<u32>,
    /// Hours after which an eligible hold may be reclaimed (S21), 24 or more; none: never.
    pub reclaim_after_hours: Option<u32>,
    /// May the partner freeze its accounts (T16)?
    pub partner_may_freeze: bool,
    /// What a freeze does.
    pub freeze: FreezePolicy,
    /// Does a freeze count towards reclamation (hold table, "per agreement")?
    pub freeze_reclaims: bool,
    /// Do packages go on burning while suspended for arrears (A3)?
    pub burn_while_suspended: bool,
    /// Are minutes after `unfunded` billed instead of absorbed (A8)?
    pub unfunded_billed: bool,
    /// Does a new month's free grant lift `unfunded` (A7)?
    pub free_renewal_reopens: bool,
    /// Is the partner told of what happens to its accounts?
    pub partner_notified: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            grace_hours: 24,
            non_stop: false,
            warn_hours: vec![12, 23],
            reclaim_after_hours: Some(60 * 24),
            partner_may_freeze: true,
            freeze: FreezePolicy::default(),
            freeze_reclaims: false,
            burn_while_suspended: true,
            unfunded_billed: false,
            free_renewal_reopens: false,
            partner_notified: false,
        }
    }
}
