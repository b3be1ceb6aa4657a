//! Usage on its way to packages and money (T1, T25, T26).
//!
//! Use is kept as totals: seconds of an application, SKU and civil day. Of days that are not closed, who pays
//! is computed anew from the totals at every step ([`reallocate`]), so that the order, the split and the
//! repetition of reports make no difference (P5, P6). Of closed days only what is new is allocated, and goes
//! on the next bill (T25).
//!
//! Usage is never refused for what it says: what cannot be counted is set aside for the operator (T26), and
//! the rest of the report counts.
//!
//! What it is not: it closes no day and writes no bill ([`crate::bills`]).

mod allocate;
mod intake;
mod late;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use fermata_types::{SdkAppId, Sku};
use jiff::civil::Date;

use crate::clause::ClauseId;
use crate::command::{Answer, Refusal, UsageDelta};
use crate::journal::{QuarantinedUse, Record};
use crate::notice::{NoticeKey, NoticeKind};
use crate::state::{DayKey, DayUse, Item};
use crate::step::Step;
use crate::transition::Transition;
use crate::{bills, notices, standing};

pub(crate) use allocate::{freeze_floors, reallocate};

use intake::{Aside, Intake};

/// In which uses of one day are allocated, and late uses are booked: by day, then SKU, then application.
type UseOrder = (Date, Sku, SdkAppId);

const fn use_order(key: DayKey) -> UseOrder {
    (key.day, key.sku, key.app)
}

const fn key_of((day, sku, app): UseOrder) -> DayKey {
    DayKey { day, app, sku }
}

/// Counts changes of totals: open days are reallocated (T1), closed ones get late minutes (T25), the rest is
/// set aside (T26). Then the funding is checked (T9). Standing refuses no usage (policy 2.2, A18).
///
/// # Errors
/// [`Refusal::Reads`]; [`Refusal::Corrupt`] or [`Refusal::Money`] if the books do not allow to go on.
pub(crate) fn usage(step: &mut Step<'_>, deltas: &[UsageDelta]) -> Result<Answer, Refusal> {
    let mut intake = Intake::sort(step, deltas)?;
    let counted = !(intake.open.is_empty() && intake.late.is_empty());
    let mut opened = false;
    for (key, seconds) in std::mem::take(&mut intake.open) {
        opened |= add_open(step, key, seconds, &mut intake.aside)?;
    }
    if opened {
        step.took(Transition::T1);
    }
    let late = std::mem::take(&mut intake.late);
    if late::book(step, late, &mut intake.aside)? {
        step.took(Transition::T25);
    }
    quarantine(step, intake.aside)?;
    if counted {
        reallocate(step)?;
        standing::check_funding(step)?;
        if step.state().reclaim.is_irreversible() {
            // A cleared account closes no days any more, unless something late is to be billed after all (A18).
            bills::arm_closings(step)?;
        }
    }
    Ok(Answer::Done)
}

/// Adds seconds to an open day. A total may go below zero for a while, when a correction overtakes what it
/// corrects; that counts as no minutes, and the order of the two makes no difference (P5).
fn add_open(
    step: &mut Step<'_>,
    key: DayKey,
    seconds: i64,
    aside: &mut Aside,
) -> Result<bool, Refusal> {
    let mut day = match step.state().days.get(&key) {
        Some(day) => day.clone(),
        None => match blank(step, key)? {
            Some(day) => day,
            None => return Ok(aside.add(key, seconds, intake::UNPRICED)),
        },
    };
    let Some(total) = intake::total(day.seconds, seconds) else {
        return Ok(aside.add(key, seconds, intake::TOO_MUCH));
    };
    day.seconds = total;
    step.put(Item::Day(day));
    Ok(true)
}

/// A day's use without any, at the price list in force as the day began (P16); none if there was no list.
fn blank(step: &Step<'_>, key: DayKey) -> Result<Option<DayUse>, Refusal> {
    let start = step.profile()?.calendar.day_start(key.day)?;
    let Ok(version) = step.env().catalog.version_at(start) else { return Ok(None) };
    Ok(Some(DayUse {
        key,
        seconds: 0,
        burns: Vec::new(),
        billed: 0,
        absorbed: 0,
        billed_floor: 0,
        absorbed_floor: 0,
        catalog_version: version.version,
    }))
}

/// Writes down what was set aside and alerts the operator, once a day (T26).
fn quarantine(step: &mut Step<'_>, aside: Aside) -> Result<(), Refusal> {
    let Some(((_, first), _)) = aside.0.first_key_value() else { return Ok(()) };
    let text = format!(
        "Usage of this account could not be counted and was set aside; the first reason: {first}. The journal \
         has all of it. Nobody is billed for it."
    );
    for ((key, reason), seconds) in aside.0 {
        let record = QuarantinedUse { key, seconds, reason: reason.to_owned() };
        step.record(ClauseId::T26, Record::Quarantined(record))?;
    }
    step.took(Transition::T26);
    let today = step.profile()?.calendar.day_of(step.applied())?;
    let kind = NoticeKind::OperatorAlert;
    let key = NoticeKey { kind, of: today.to_string(), threshold: 0 };
    notices::notify(step, key, "Usage was set aside".to_owned(), text, &[ClauseId::T26])
}

/// Sums by use, in the order in which they are booked.
type Late = BTreeMap<UseOrder, i64>;
