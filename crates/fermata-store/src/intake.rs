//! Sorting out a node's batch before any backend sees it: what can be true, and what cannot.
//!
//! Only what is wrong with a fact by itself is found here. That a window is too full over all its
//! SKUs, or that an opening contradicts an earlier one, shows in the backend only.

use fermata_billing::limits::FUTURE_MAX;
use fermata_types::{
    NodeId, ParticipantSid, RoomName, StayClosed, StayOpened, UsageBatch, UsageWindow,
    WINDOW_SECONDS,
};
use jiff::Timestamp;

use crate::limits::{BATCH_FACTS_MAX, ID_LEN_MAX, IDENTITY_LEN_MAX};
use crate::rules::{id_ok, invalid, node, stored};
use crate::{QuarantineReason as Reason, Quarantined, StoreError};

/// A batch whose facts are each possible by themselves.
#[derive(Debug)]
pub(crate) struct Sifted {
    pub(crate) node: NodeId,
    pub(crate) opened: Vec<StayOpened>,
    pub(crate) windows: Vec<UsageWindow>,
    pub(crate) closed: Vec<StayClosed>,
    pub(crate) watermark: Timestamp,
    /// The rest, for the quarantine.
    pub(crate) rejected: Vec<Quarantined>,
}

/// Sorts a batch that arrived at `wall`. Moments come out as they are stored; a watermark promises nothing
/// about the future.
///
/// # Errors
/// [`StoreError::Invalid`] for a batch that is too large or has no proper node.
pub(crate) fn sift(batch: UsageBatch, wall: Timestamp) -> Result<Sifted, StoreError> {
    node(&batch.node)?;
    let facts = batch.opened.len() + batch.windows.len() + batch.closed.len();
    if facts > BATCH_FACTS_MAX {
        let problem = format!("{facts} facts; at most {BATCH_FACTS_MAX} are allowed in one");
        return Err(invalid("batch", problem));
    }
    let latest = wall.saturating_add(FUTURE_MAX).unwrap_or(wall);
    let mut sifted = Sifted {
        node: batch.node,
        opened: Vec::with_capacity(batch.opened.len()),
        windows: Vec::with_capacity(batch.windows.len()),
        closed: Vec::with_capacity(batch.closed.len()),
        // A node that has nothing to promise yet may say any time long past.
        watermark: stored(batch.watermark.max(Timestamp::UNIX_EPOCH).min(latest)),
        rejected: Vec::new(),
    };
    for mut opened in batch.opened {
        opened.entered_at = stored(opened.entered_at);
        match opening_fault(&opened) {
            None => sifted.opened.push(opened),
            Some(reason) => sifted.reject(&opened.stay, opened.entered_at, reason, 0),
        }
    }
    for window in batch.windows {
        match window_fault(&window) {
            None => sifted.windows.push(window),
            Some(reason) => {
                sifted.reject(&window.stay, window.window_start, reason, window.seconds);
            }
        }
    }
    for mut closed in batch.closed {
        closed.ended_at = stored(closed.ended_at);
        match stay_fault(&closed.stay).or_else(|| moment_fault(closed.ended_at)) {
            None => sifted.closed.push(closed),
            Some(reason) => sifted.reject(&closed.stay, closed.ended_at, reason, 0),
        }
    }
    Ok(sifted)
}

impl Sifted {
    fn reject(&mut self, stay: &ParticipantSid, at: Timestamp, reason: Reason, seconds: u32) {
        self.rejected.push(Quarantined {
            node: self.node.clone(),
            // An overlong id is cut, so that the quarantine's rows are bounded too.
            stay: ParticipantSid::from_text(cut(stay.as_str(), ID_LEN_MAX)),
            at: stored(at),
            reason,
            seconds: seconds.into(),
        });
    }
}

fn opening_fault(opened: &StayOpened) -> Option<Reason> {
    let identity_ok = (1..=IDENTITY_LEN_MAX).contains(&opened.identity.len());
    // A name that would not read back must not be written.
    let room_ok = RoomName::parse(&opened.room.to_string()).as_ref() == Ok(&opened.room);
    let ids_ok = identity_ok && room_ok && id_ok(opened.room_sid.as_str());
    stay_fault(&opened.stay)
        .or_else(|| (!ids_ok).then_some(Reason::IdInvalid))
        .or_else(|| moment_fault(opened.entered_at))
        .or_else(|| (opened.app.0 == 0).then_some(Reason::AppUnknown))
}

fn window_fault(window: &UsageWindow) -> Option<Reason> {
    let start = window.window_start;
    let aligned =
        start.subsec_nanosecond() == 0 && start.as_second() % i64::from(WINDOW_SECONDS) == 0;
    let seconds_ok = (1..=WINDOW_SECONDS).contains(&window.seconds);
    stay_fault(&window.stay)
        .or_else(|| moment_fault(start))
        .or_else(|| (!aligned).then_some(Reason::WindowMisaligned))
        .or_else(|| (!seconds_ok).then_some(Reason::SecondsOutOfRange))
}

fn stay_fault(stay: &ParticipantSid) -> Option<Reason> {
    (!id_ok(stay.as_str())).then_some(Reason::IdInvalid)
}

fn moment_fault(at: Timestamp) -> Option<Reason> {
    (at < Timestamp::UNIX_EPOCH).then_some(Reason::TimeOutOfRange)
}

fn cut(text: &str, len_max: usize) -> &str {
    let end = (0..=len_max.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use fermata_types::Sku;

    use super::*;

    #[test]
    fn windows_are_judged_one_by_one() {
        let at = |s: i64| Timestamp::from_second(s).expect("in range");
        let window = |stay: &str, start: Timestamp, seconds| UsageWindow {
            stay: ParticipantSid::from_text(stay),
            sku: Sku::Audio,
            window_start: start,
            seconds,
        };
        let long = "é".repeat(ID_LEN_MAX);
        let half = Timestamp::from_millisecond(60_500).expect("in range");
        let rows = [
            (window("PA_1", at(60), 1), None),
            (window("PA_1", at(60), 60), None),
            (window("PA_1", at(60), 0), Some(Reason::SecondsOutOfRange)),
            (window("PA_1", at(60), 61), Some(Reason::SecondsOutOfRange)),
            (window("PA_1", at(61), 1), Some(Reason::WindowMisaligned)),
            (window("PA_1", half, 1), Some(Reason::WindowMisaligned)),
            (window("PA_1", at(-60), 1), Some(Reason::TimeOutOfRange)),
            (window("", at(60), 1), Some(Reason::IdInvalid)),
            (window(&long, at(60), 1), Some(Reason::IdInvalid)),
        ];
        for (window, expected) in rows {
            let batch = UsageBatch {
                node: NodeId::from_text("ND_1"),
                opened: vec![],
                windows: vec![window.clone()],
                closed: vec![],
                watermark: Timestamp::MIN,
            };
            let sifted = sift(batch, at(120)).expect("a batch");
            assert_eq!(sifted.rejected.first().map(|row| row.reason), expected, "{window:?}");
            assert_eq!(sifted.windows.len(), usize::from(expected.is_none()));
            assert!(sifted.rejected.iter().all(|row| row.stay.as_str().len() <= ID_LEN_MAX));
        }
    }
}
