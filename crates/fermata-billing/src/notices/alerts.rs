//! Alerts that people asked for: a balance below their threshold, a package that runs out (billing section 8).

use jiff::{SignedDuration, Timestamp};

use super::{credit, send};
use crate::clause::ClauseId;
use crate::command::Refusal;
use crate::limits::BALANCE_ALERTS_MAX;
use crate::money::Money;
use crate::notice::{NoticeKey, NoticeKind, Subscription};
use crate::notices::texts;
use crate::standing;
use crate::state::{ItemKey, Package, PackageStatus};
use crate::step::Step;
use crate::timer::TimerKind;
use crate::transition::Transition;

/// At most one balance alert in this time.
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// Shares used at which a package is reported (T1), percent.
const PACKAGE_STEPS: &[i64] = &[80, 90, 100];

/// The available balance went from `before` to `after`: low-balance alerts and the use of the credit limit (T4).
///
/// An alert goes out on the way down, at most one in 24 hours and five in a row; when the balance has recovered,
/// counting begins anew. A credit never sends one.
///
/// # Errors
/// What writing a notice down may answer.
pub(crate) fn balance_moved(
    step: &mut Step<'_>,
    before: Money,
    after: Money,
) -> Result<(), Refusal> {
    for subscription in balance_subscriptions(step) {
        let below = subscription.below.unwrap_or(Money::ZERO);
        if after >= below {
            recovered(step, &subscription);
        } else if after < before {
            alert(step, &subscription, after)?;
        }
    }
    arm_next_alert(step);
    credit::moved(step, after)
}

/// A day has passed since a balance alert: it goes out again where the balance still is below.
///
/// # Errors
/// What writing a notice down may answer.
pub(crate) fn balance_alert_again(step: &mut Step<'_>) -> Result<(), Refusal> {
    let Some(available) = standing::available(step.state()) else { return Ok(()) };
    for subscription in balance_subscriptions(step) {
        if available >= subscription.below.unwrap_or(Money::ZERO) {
            recovered(step, &subscription);
        } else if !run(step, &subscription).is_empty() {
            alert(step, &subscription, available)?;
        }
    }
    arm_next_alert(step);
    Ok(())
}

fn balance_subscriptions(step: &Step<'_>) -> Vec<Subscription> {
    let all = step.state().subscriptions.values();
    all.filter(|one| one.kind == NoticeKind::BalanceLow).cloned().collect()
}

/// The alerts in a row of a subscription, the oldest first: when each was sent, and its key.
///
/// The moment is part of the key's `of`, `subscription/moment`, so that each alert of a row is a notice of its own.
fn run(step: &Step<'_>, subscription: &Subscription) -> Vec<(Timestamp, NoticeKey)> {
    let mut run: Vec<_> = step
        .state()
        .sent
        .iter()
        .filter(|key| key.kind == NoticeKind::BalanceLow)
        .filter_map(|key| {
            let at = key.of.strip_prefix(&subscription.name)?.strip_prefix('/')?;
            Some((at.parse().ok()?, key.clone()))
        })
        .collect();
    run.sort();
    run
}

fn alert(
    step: &mut Step<'_>,
    subscription: &Subscription,
    available: Money,
) -> Result<(), Refusal> {
    let run = run(step, subscription);
    let now = step.now();
    let too_soon = run.last().is_some_and(|(last, _)| now.duration_since(*last) < DAY);
    if too_soon || run.len() >= BALANCE_ALERTS_MAX {
        return Ok(());
    }
    let below = subscription.below.unwrap_or(Money::ZERO);
    let key = NoticeKey {
        kind: NoticeKind::BalanceLow,
        of: format!("{}/{now}", subscription.name),
        threshold: below.micros(),
    };
    let words = texts::balance_low(step.profile()?.currency, available, below);
    let to = step.state().contacts.get(&subscription.contact).cloned().into_iter().collect();
    step.took(Transition::T4);
    send(step, key, words.title, words.text, words.clauses, to)
}

/// Ends the row. Its last alert is kept for its day, so that a balance that flickers sends no more than one.
fn recovered(step: &mut Step<'_>, subscription: &Subscription) {
    let now = step.now();
    let mut run = run(step, subscription);
    if run.last().is_some_and(|(last, _)| now.duration_since(*last) < DAY) {
        run.pop();
    }
    for (_, key) in run {
        step.remove(ItemKey::Sent(key));
    }
}

/// The timer stands a day after the oldest last alert of a row that may go on.
fn arm_next_alert(step: &mut Step<'_>) {
    let next = balance_subscriptions(step)
        .iter()
        .filter_map(|subscription| {
            let run = run(step, subscription);
            let last = run.last().map(|(last, _)| *last)?;
            (run.len() < BALANCE_ALERTS_MAX).then(|| standing::later(last, DAY))
        })
        .filter(|due| *due > step.now())
        .min();
    match next {
        Some(due) if step.state().timers.get(&TimerKind::BalanceAlert) == Some(&due) => {}
        Some(due) => step.arm(TimerKind::BalanceAlert, due),
        None => step.disarm(&TimerKind::BalanceAlert),
    }
}

/// A package was burnt: 80, 90 and 100 % used (T1), and the share left that somebody subscribed to. Each once a
/// package, however its minutes are counted anew.
///
/// # Errors
/// What writing a notice down may answer.
pub(crate) fn package_moved(
    step: &mut Step<'_>,
    before: &Package,
    after: &Package,
) -> Result<(), Refusal> {
    let all = i128::from(after.units.thousandths());
    if after.status != PackageStatus::Live || after.left >= before.left || all <= 0 {
        return Ok(());
    }
    let left = i128::from(after.left.thousandths());
    for percent in PACKAGE_STEPS {
        if (all - left) * 100 >= all * i128::from(*percent) {
            let key = NoticeKey {
                kind: NoticeKind::PackageUsed,
                of: after.id.to_string(),
                threshold: *percent,
            };
            super::tell(step, key, texts::package_used(after, *percent))?;
        }
    }
    let alarms = step.state().subscriptions.values();
    let alarms: Vec<_> =
        alarms.filter(|one| one.kind == NoticeKind::PackageAlarm).cloned().collect();
    for alarm in alarms {
        let Some(percent) = alarm.percent else { continue };
        if left * 100 > all * i128::from(percent) {
            continue;
        }
        let key = NoticeKey {
            kind: NoticeKind::PackageAlarm,
            of: format!("{}/{}", after.id, alarm.name),
            threshold: i64::from(percent),
        };
        let words = texts::package_alarm(after, percent);
        let to = step.state().contacts.get(&alarm.contact).cloned().into_iter().collect();
        send(step, key, words.title, words.text, &[ClauseId::T1], to)?;
    }
    Ok(())
}

/// Forgets what a subscription has sent: it was changed or removed.
pub(super) fn forget_subscription(step: &mut Step<'_>, name: &str) {
    let ended: Vec<_> = step
        .state()
        .sent
        .iter()
        .filter(|key| match key.kind {
            NoticeKind::BalanceLow => key.of.split('/').next() == Some(name),
            NoticeKind::PackageAlarm => key.of.split('/').nth(1) == Some(name),
            _ => false,
        })
        .cloned()
        .collect();
    for key in ended {
        step.remove(ItemKey::Sent(key));
    }
    arm_next_alert(step);
}
