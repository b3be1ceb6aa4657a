//! Moving a sandbox account's clock: everything due on the way fires in order (P22).

use fermata_billing::command::{Actor, Command, Meta, Refusal};
use fermata_billing::limits::{CLOCK_STEP_MAX, FIRED_PER_CALL_MAX};
use fermata_types::AccountId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::bill::{recall, remember};
use super::{Desk, Judged, Shelf, at_desk};
use crate::rules::{self, stored};
use crate::{Advanced, ClockTarget, Once};

#[derive(Serialize, Deserialize)]
struct Kept {
    now: Timestamp,
}

/// Moves the clock; where it got to is kept even if a timer on the way refuses to fire.
pub(crate) fn advance<S: Shelf>(
    shelf: &mut S,
    account: &AccountId,
    target: ClockTarget,
    wall: Timestamp,
    actor: Actor,
    once: Option<&Once>,
) -> Judged<Advanced> {
    let wall = stored(wall);
    if let Some(Kept { now }) = recall(shelf, once)? {
        return Ok(Ok(Advanced { now, fired: Vec::new() }));
    }
    if shelf.account_row(account)?.is_none() {
        return Err(rules::no_account(account));
    }
    let advanced = at_desk(shelf, account, wall, |desk| go(desk, target, actor))?;
    if let Ok(Advanced { now, .. }) = &advanced {
        remember(shelf, once, &Kept { now: *now }, wall)?;
    }
    Ok(advanced)
}

fn go<S: Shelf>(desk: &mut Desk<'_, S>, target: ClockTarget, actor: Actor) -> Judged<Advanced> {
    match &desk.state.profile {
        None => return Ok(Err(Refusal::NotOpen.into())),
        Some(profile) if !profile.sandbox => return Ok(Err(Refusal::NotSandbox.into())),
        Some(_) => {}
    }
    let now = desk.now();
    let to = match target {
        ClockTarget::To(to) => stored(to),
        ClockTarget::By(by) => stored(now.saturating_add(by).unwrap_or(Timestamp::MAX)),
    };
    if to < now || to.duration_since(now) > CLOCK_STEP_MAX {
        return Ok(Err(Refusal::Clock { now, to, most: CLOCK_STEP_MAX }.into()));
    }
    let mut caught = desk.catch_up(to, true, FIRED_PER_CALL_MAX)?;
    let stopped = caught.more || caught.refused.is_some();
    // Where it stopped, the timers behind are still to come.
    let last = caught.fired.last().map_or(now, |fired| fired.applied);
    let reached = if stopped { last } else { to };
    if reached > now {
        let meta = Meta { now: reached, applied: reached, actor };
        let moved = Command::MoveClock { to: reached, wall: desk.wall };
        // Refused, all is undone: the timers have fired as if the clock had moved.
        desk.run(&moved, &meta)??;
    }
    match caught.refused.take() {
        Some(refused) => Ok(Err(refused)),
        None => Ok(Ok(Advanced { now: reached, fired: caught.fired })),
    }
}
