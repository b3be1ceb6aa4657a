//! Where a change of a total belongs: an open day, a closed one, or aside.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use crate::calendar::Calendar;
use crate::command::{Refusal, UsageDelta};
use crate::limits::{DAY_SECONDS_MAX, FUTURE_MAX, LATE_WINDOW};
use crate::metering::{Late, use_order};
use crate::state::DayKey;
use crate::step::Step;

/// Reasons for which usage is set aside, for the operator.
pub(super) const UNKNOWN_APP: &str = "the application is not one of this account";
pub(super) const FUTURE: &str = "it lies more than 5 minutes in the future";
pub(super) const TOO_LATE: &str = "its day ended more than 35 days ago";
pub(super) const BEFORE_OPENING: &str = "it lies before the day on which the account was opened";
pub(super) const UNPRICED: &str = "no price list was in force on its day";
pub(super) const TOO_MUCH: &str = "it is more than one application can use in a day";
pub(super) const NO_DAY: &str = "its moment lies on no day of the calendar";

/// What is set aside: seconds by use and reason, so that a flood of one kind is one row.
#[derive(Debug, Default)]
pub(super) struct Aside(pub(super) BTreeMap<(DayKey, &'static str), i64>);

impl Aside {
    /// Sets seconds aside; always answers `false`: they are not counted.
    pub(super) fn add(&mut self, key: DayKey, seconds: i64, reason: &'static str) -> bool {
        let sum = self.0.entry((key, reason)).or_default();
        *sum = sum.saturating_add(seconds);
        false
    }
}

/// The changes of a report, sorted and summed.
#[derive(Debug, Default)]
pub(super) struct Intake {
    pub(super) open: BTreeMap<DayKey, i64>,
    pub(super) late: Late,
    pub(super) aside: Aside,
}

/// A total of seconds after a change; none beyond what a day can have.
pub(super) fn total(before: i64, change: i64) -> Option<i64> {
    let total = before.checked_add(change)?;
    (total.unsigned_abs() <= DAY_SECONDS_MAX.unsigned_abs()).then_some(total)
}

impl Intake {
    /// Sorts the changes of a report by what becomes of them.
    ///
    /// # Errors
    /// [`Refusal::NotOpen`], [`Refusal::Calendar`] if the account's own facts are beyond it.
    pub(super) fn sort(step: &Step<'_>, deltas: &[UsageDelta]) -> Result<Self, Refusal> {
        let profile = step.profile()?;
        let opened = profile.calendar.day_of(profile.opened_at)?;
        let latest = step.applied().checked_add(FUTURE_MAX).unwrap_or(Timestamp::MAX);
        let mut days = Days { calendar: &profile.calendar, last: None };
        let mut intake = Self::default();
        for delta in deltas.iter().filter(|delta| delta.seconds != 0) {
            let key = |day| DayKey { day, app: delta.app, sku: delta.sku };
            let mut aside = |day, reason| intake.aside.add(key(day), delta.seconds, reason);
            let Some((day, end)) = days.of(delta.at) else {
                aside(TimeZone::UTC.to_datetime(delta.at).date(), NO_DAY);
                continue;
            };
            let over = end.checked_add(LATE_WINDOW).unwrap_or(Timestamp::MAX);
            if !step.state().apps.contains_key(&delta.app) {
                aside(day, UNKNOWN_APP);
            } else if delta.at > latest {
                aside(day, FUTURE);
            } else if day < opened {
                aside(day, BEFORE_OPENING);
            } else if total(0, delta.seconds).is_none() {
                aside(day, TOO_MUCH);
            } else if day >= profile.open_day {
                let sum = intake.open.entry(key(day)).or_default();
                *sum = sum.saturating_add(delta.seconds);
            } else if step.applied() < over {
                let sum = intake.late.entry(use_order(key(day))).or_default();
                *sum = sum.saturating_add(delta.seconds);
            } else {
                aside(day, TOO_LATE);
            }
        }
        Ok(intake)
    }
}

/// Finds days; remembers the last, since the reports of a batch are mostly of one.
struct Days<'a> {
    calendar: &'a Calendar,
    last: Option<(Date, Timestamp, Timestamp)>,
}

impl Days<'_> {
    /// The day of a moment, and its end; none beyond the calendar.
    fn of(&mut self, at: Timestamp) -> Option<(Date, Timestamp)> {
        if let Some((day, start, end)) = self.last
            && (start..end).contains(&at)
        {
            return Some((day, end));
        }
        let day = self.calendar.day_of(at).ok()?;
        let (start, end) = (self.calendar.day_start(day).ok()?, self.calendar.day_end(day).ok()?);
        self.last = Some((day, start, end));
        Some((day, end))
    }
}
