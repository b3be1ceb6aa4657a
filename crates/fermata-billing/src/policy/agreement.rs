//! Agreements with partners: the same terms as the policy's, in versions that take effect by date (A15).
//!
//! What it is not: nothing is applied here. Whoever adds a version has its accounts judged anew (T17), at once
//! or when the version takes effect ([`Agreement::next_change`]).

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Policy;
use crate::effect::OperationClass;
use crate::id::PartnerId;
use crate::limits::{
    AGREEMENT_VERSIONS_MAX, CATALOG_ACTOR_CHARS_MAX, GRACE_HOURS_MAX, RECLAIM_HOURS_MAX,
    RECLAIM_HOURS_MIN, WARN_HOURS_MAX,
};

/// The agreement with one partner: all versions, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    /// With whom.
    pub partner: PartnerId,
    /// Its versions by number; each takes effect later than the one before.
    pub versions: Vec<AgreementVersion>,
}

/// One version. Never changed after it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgreementVersion {
    /// 1, 2, 3, ...
    pub version: u32,
    /// When it takes effect.
    pub effective_from: Timestamp,
    /// The terms.
    pub policy: Policy,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub actor: String,
}

/// Why terms or a version were refused. Nothing was changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// A value is outside what is allowed.
    #[error("{field}: {value} is not allowed; {allowed}")]
    OutOfRange {
        /// Which field of the terms.
        field: &'static str,
        /// What was given.
        value: String,
        /// What is allowed.
        allowed: String,
    },
    /// It would take effect in the past.
    #[error("effective_from: {effective_from} is before now, {now}; terms cannot change backwards")]
    InThePast {
        /// What was given.
        effective_from: Timestamp,
        /// The moment of the call.
        now: Timestamp,
    },
    /// It would take effect before the version before it, or at the same moment.
    #[error(
        "effective_from: {effective_from} is not after {last}, when the last version takes effect"
    )]
    NotAfterLast {
        /// What was given.
        effective_from: Timestamp,
        /// When the last version takes effect.
        last: Timestamp,
    },
    /// As many versions as are allowed.
    #[error("the agreement has {AGREEMENT_VERSIONS_MAX} versions already, as many as are allowed")]
    TooManyVersions,
    /// No name, or too long a name, of who makes it.
    #[error("actor: 1 to {CATALOG_ACTOR_CHARS_MAX} characters are allowed, these are {chars}")]
    BadActor {
        /// How many were given.
        chars: usize,
    },
}

/// What one field says in two versions of the terms, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyDifference {
    /// Name of the field, dotted where it is inside another.
    pub field: String,
    /// What it said.
    pub old: String,
    /// What it says now.
    pub new: String,
}

/// The terms in force at `at`: the agreement's, or the policy's own where there is none (S1, A15).
/// A partner whose agreement is not in force yet may not freeze (T16).
pub fn policy_at(agreement: Option<&Agreement>, at: Timestamp) -> Policy {
    let Some(agreement) = agreement else { return Policy::default() };
    agreement.version_at(at).map_or_else(
        || Policy { partner_may_freeze: false, ..Policy::default() },
        |version| version.policy.clone(),
    )
}

impl Agreement {
    /// An agreement without terms; the policy holds until its first version takes effect.
    pub fn new(partner: PartnerId) -> Self {
        Self { partner, versions: Vec::new() }
    }

    /// The version in force at `at`; none before the first.
    pub fn version_at(&self, at: Timestamp) -> Option<&AgreementVersion> {
        self.versions.iter().rev().find(|version| version.effective_from <= at)
    }

    /// When the next version after `at` takes effect: its accounts are to be judged anew then (T17).
    pub fn next_change(&self, at: Timestamp) -> Option<Timestamp> {
        self.versions.iter().map(|version| version.effective_from).find(|from| *from > at)
    }

    /// This agreement with one version more. It takes effect at `effective_from`, or at `now` if none is given.
    ///
    /// # Errors
    /// [`PolicyError`]: whatever is wrong with the terms, the moment or the name.
    pub fn add(
        &self,
        policy: Policy,
        effective_from: Option<Timestamp>,
        now: Timestamp,
        actor: &str,
    ) -> Result<Self, PolicyError> {
        policy.check()?;
        let chars = actor.chars().count();
        if chars == 0 || chars > CATALOG_ACTOR_CHARS_MAX {
            return Err(PolicyError::BadActor { chars });
        }
        if self.versions.len() >= AGREEMENT_VERSIONS_MAX {
            return Err(PolicyError::TooManyVersions);
        }
        let effective_from = effective_from.unwrap_or(now);
        if effective_from < now {
            return Err(PolicyError::InThePast { effective_from, now });
        }
        let last = self.versions.last();
        if let Some(last) = last.map(|last| last.effective_from)
            && effective_from <= last
        {
            return Err(PolicyError::NotAfterLast { effective_from, last });
        }
        let version = last.map_or(1, |last| last.version.saturating_add(1));
        let mut versions = self.versions.clone();
        versions.push(AgreementVersion {
            version,
            effective_from,
            policy,
            created_at: now,
            actor: actor.to_owned(),
        });
        Ok(Self { partner: self.partner.clone(), versions })
    }
}

impl Policy {
    /// Are these terms within bounds?
    ///
    /// # Errors
    /// [`PolicyError::OutOfRange`], naming the field, what it says and what is allowed.
    pub fn check(&self) -> Result<(), PolicyError> {
        if self.grace_hours > GRACE_HOURS_MAX {
            return Err(out_of_range(
                "grace_hours",
                &self.grace_hours,
                format!("0 to {GRACE_HOURS_MAX} hours are"),
            ));
        }
        self.check_warnings()?;
        if let Some(hours) = self.reclaim_after_hours
            && !(RECLAIM_HOURS_MIN..=RECLAIM_HOURS_MAX).contains(&hours)
        {
            return Err(out_of_range(
                "reclaim_after_hours",
                &hours,
                format!("{RECLAIM_HOURS_MIN} to {RECLAIM_HOURS_MAX} hours are, or none for never"),
            ));
        }
        let blocked = self.freeze.blocked.iter().flatten();
        let open = [OperationClass::Dismiss, OperationClass::Billing, OperationClass::Usage];
        match blocked.copied().find(|class| open.contains(class)) {
            Some(class) => Err(out_of_range(
                "freeze.blocked",
                &class.code(),
                "dismiss, billing and usage stay open under every freeze (A2)".to_owned(),
            )),
            None => Ok(()),
        }
    }

    fn check_warnings(&self) -> Result<(), PolicyError> {
        let field = "warn_hours";
        if self.warn_hours.len() > WARN_HOURS_MAX {
            let count = format!("a list of {}", self.warn_hours.len());
            return Err(out_of_range(field, &count, format!("at most {WARN_HOURS_MAX} are")));
        }
        let mut seen = BTreeSet::new();
        for hours in &self.warn_hours {
            if *hours == 0 || *hours >= self.grace_hours {
                let allowed = match self.grace_hours {
                    0 | 1 => "with so short a grace the list must be empty".to_owned(),
                    grace => format!("1 to {} hours are, below grace_hours", grace - 1),
                };
                return Err(out_of_range(field, hours, allowed));
            }
            if !seen.insert(*hours) {
                let twice = format!("{hours} twice");
                return Err(out_of_range(field, &twice, "each hour may be named once".to_owned()));
            }
        }
        Ok(())
    }
}

fn out_of_range(
    field: &'static str,
    value: &(impl ToString + ?Sized),
    allowed: String,
) -> PolicyError {
    PolicyError::OutOfRange { field, value: value.to_string(), allowed }
}

/// The fields in which two terms differ, in the order of their names.
pub fn differences(old: &Policy, new: &Policy) -> Vec<PolicyDifference> {
    let (old, new) = (fields(old), fields(new));
    let names: BTreeSet<_> = old.iter().chain(&new).map(|(name, _)| name.clone()).collect();
    let of = |fields: &[(String, String)], name: &str| {
        let found = fields.iter().find(|(field, _)| field == name);
        found.map_or_else(|| "as the policy says".to_owned(), |(_, value)| value.clone())
    };
    names
        .into_iter()
        .map(|field| PolicyDifference { old: of(&old, &field), new: of(&new, &field), field })
        .filter(|difference| difference.old != difference.new)
        .collect()
}

fn fields(policy: &Policy) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    // Terms are plain data and always become JSON; were they not, there would be no difference to show.
    flatten("", &serde_json::to_value(policy).unwrap_or_default(), &mut fields);
    fields
}

fn flatten(name: &str, value: &Value, into: &mut Vec<(String, String)>) {
    match value {
        Value::Object(inner) => {
            for (key, value) in inner {
                let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                flatten(&name, value, into);
            }
        }
        Value::Null => into.push((name.to_owned(), "none".to_owned())),
        Value::Bool(yes) => {
            let word = if *yes { "yes" } else { "no" };
            into.push((name.to_owned(), word.to_owned()));
        }
        Value::String(text) => into.push((name.to_owned(), text.clone())),
        Value::Array(items) => {
            let texts: Vec<_> = items
                .iter()
                .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned))
                .collect();
            let text = if texts.is_empty() { "none".to_owned() } else { texts.join(", ") };
            into.push((name.to_owned(), text));
        }
        Value::Number(number) => into.push((name.to_owned(), number.to_string())),
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
