//! How much of the credit limit is used: from 70 % on, in steps of 10 (billing section 8).

use super::{tell, texts};
use crate::command::Refusal;
use crate::money::Money;
use crate::notice::{NoticeKey, NoticeKind};
use crate::state::{Item, ItemKey};
use crate::step::Step;

/// Shares of the credit limit that are reported, percent.
const STEPS: &[i64] = &[70, 80, 90, 100];

/// The available balance is `after`: the highest step that is reached is told, once until less than 70 % is used.
pub(super) fn moved(step: &mut Step<'_>, after: Money) -> Result<(), Refusal> {
    let profile = step.profile()?;
    let (limit, currency) = (profile.credit_limit, profile.currency);
    let used = limit.checked_sub(after)?;
    let percent = if limit.is_positive() && used.is_positive() {
        i128::from(used.micros()) * 100 / i128::from(limit.micros())
    } else {
        0
    };
    let known: Vec<_> = step
        .state()
        .sent
        .iter()
        .filter(|key| key.kind == NoticeKind::CreditUsed)
        .cloned()
        .collect();
    let Some(top) = STEPS.iter().rev().copied().find(|level| percent >= i128::from(*level)) else {
        for key in known {
            step.remove(ItemKey::Sent(key));
        }
        return Ok(());
    };
    // All steps of one stretch above 70 % share the moment it began, so that a later stretch is a new one.
    let of = known.first().map_or_else(|| format!("credit/{}", step.now()), |key| key.of.clone());
    let key = |threshold| NoticeKey { kind: NoticeKind::CreditUsed, of: of.clone(), threshold };
    if step.state().sent.contains(&key(top)) {
        return Ok(());
    }
    tell(step, key(top), texts::credit_used(currency, used, limit, top))?;
    for level in STEPS.iter().copied().filter(|level| *level < top) {
        step.put(Item::Sent(key(level)));
    }
    Ok(())
}
