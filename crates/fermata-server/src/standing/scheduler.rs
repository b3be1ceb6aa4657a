//! Fires what is due: bills, suspensions, expiries, reclamation.
//!
//! The store fires in due order and each timer once; this only asks it often enough, and never in a circle.
//! Polling late makes suspension and reclamation later, never different (policy I10).

use std::time::Duration;

use fermata_billing::timer::TimerKind;
use fermata_store::{Fired, StoreError};
use fermata_types::Now;
use jiff::{SignedDuration, Timestamp};
use tokio::time::sleep;

use crate::limits::{
    CATCH_UP_TIME_MAX, SCHEDULER_PAUSE, SCHEDULER_PAUSE_MAX, SCHEDULER_SLEEP_MAX,
    TIMERS_PER_CALL_MAX,
};
use crate::metrics::Metric;
use crate::server::{Server, Shared};

/// What one call of the store did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Round {
    /// As many as one call fires; more may be due.
    Full,
    /// Nothing more is due.
    Done,
}

/// Fires what fell due while the program was down, before anybody is served, for a while at most.
/// What is left, and what fails, follows while serving.
pub async fn catch_up(shared: &Shared) {
    let began = Now::read().instant;
    let mut fired = 0;
    loop {
        let (count, round) = match round(shared).await {
            Ok(done) => done,
            Err(error) => {
                failed(shared, &error);
                return;
            }
        };
        fired += count;
        let spent = Now::read().instant.saturating_duration_since(began);
        if round == Round::Done || spent > CATCH_UP_TIME_MAX {
            if fired > 0 {
                tracing::info!(timers = fired, all = round == Round::Done, "Fired overdue timers.");
            }
            return;
        }
    }
}

/// Fires what is due, for ever.
pub async fn run(shared: Shared) {
    let mut pause = SCHEDULER_PAUSE;
    loop {
        match turn(&shared).await {
            Ok(wait) => {
                pause = SCHEDULER_PAUSE;
                sleep(wait).await;
            }
            Err(error) => {
                failed(&shared, &error);
                if matches!(error, StoreError::Closed) {
                    return;
                }
                sleep(pause).await;
                pause = (pause * 2).min(SCHEDULER_PAUSE_MAX);
            }
        }
    }
}

fn failed(shared: &Server, error: &StoreError) {
    shared.metrics.add(Metric::SchedulerFailures, 1);
    if matches!(error, StoreError::Closed) {
        return;
    }
    tracing::warn!(%error, "Due timers cannot be fired; they are tried again.");
}

/// Fires what is due now; returns how long to sleep.
async fn turn(shared: &Shared) -> Result<Duration, StoreError> {
    let next = shared.store.next_due().await?;
    let now = Now::read().wall;
    let overdue = next.filter(|due| *due <= now);
    shared.metrics.set(Metric::TimersOverdue, overdue.map_or(0, |due| seconds(due, now)));
    if overdue.is_none() {
        return Ok(until(next, now));
    }
    let (_, round) = round(shared).await?;
    if round == Round::Full {
        return Ok(Duration::ZERO);
    }
    let next = shared.store.next_due().await?;
    let now = Now::read().wall;
    let late = next.filter(|due| *due <= now);
    shared.metrics.set(Metric::TimersOverdue, late.map_or(0, |due| seconds(due, now)));
    // What is due and does not fire is not asked for in a circle.
    Ok(if late.is_some() { SCHEDULER_SLEEP_MAX } else { until(next, now) })
}

/// One call of the store, and what follows from it at once.
async fn round(shared: &Shared) -> Result<(usize, Round), StoreError> {
    let fired = shared.store.fire_due(Now::read().wall, TIMERS_PER_CALL_MAX).await?;
    if let Some(last) = fired.last() {
        shared.metrics.add(Metric::TimersFired, fired.len() as u64);
        shared.metrics.set(Metric::TimerLateness, seconds(last.due, last.applied));
        shared.outbox_bell.notify_one();
    }
    for Fired { account, timer, due, .. } in &fired {
        tracing::debug!(%account, timer = timer.code(), %due, "Fired a timer.");
    }
    // A step of clearing takes keys away, whether or not it changes what is allowed.
    let matters = |fired: &&Fired| fired.epoch_changed || fired.timer == TimerKind::ReclaimStep;
    let mut changed: Vec<_> = fired.iter().filter(matters).map(|fired| &fired.account).collect();
    changed.sort_unstable();
    changed.dedup();
    for account in changed {
        if let Err(error) = shared.enforce(account).await {
            // The watcher of changes tries again.
            tracing::warn!(%account, %error, "A standing cannot be brought to the node.");
        }
    }
    let full = fired.len() >= TIMERS_PER_CALL_MAX as usize;
    Ok((fired.len(), if full { Round::Full } else { Round::Done }))
}

fn seconds(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_secs()).unwrap_or(0)
}

/// Sleep until `next`, but not for long: a timer may be armed meanwhile.
fn until(next: Option<Timestamp>, now: Timestamp) -> Duration {
    let Some(next) = next else { return SCHEDULER_SLEEP_MAX };
    let left = next.duration_since(now).max(SignedDuration::ZERO);
    Duration::try_from(left).unwrap_or(SCHEDULER_SLEEP_MAX).min(SCHEDULER_SLEEP_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleeps_are_short_and_end_when_something_is_due() {
        let now = Timestamp::UNIX_EPOCH;
        let at = |ms| Timestamp::from_millisecond(ms).unwrap();
        assert_eq!(until(None, now), SCHEDULER_SLEEP_MAX);
        assert_eq!(until(Some(at(3_600_000)), now), SCHEDULER_SLEEP_MAX);
        assert_eq!(until(Some(at(250)), now), Duration::from_millis(250));
        assert_eq!(until(Some(at(-250)), now), Duration::ZERO);
        assert_eq!((seconds(now, at(2_500)), seconds(at(2_500), now)), (2, 0));
    }
}
