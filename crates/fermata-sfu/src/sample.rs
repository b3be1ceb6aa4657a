//! Quality samples: every few seconds what passed, for each stay of a room, in small steps.
//!
//! What it is not: the counting, which shards do. Here it is only said whose turn it is, at most
//! [`SAMPLE_TRACKS_STEP`] tracks at a time, so that a large room holds up no packet for long.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;

use fermata_types::{Now, SAMPLE_SECONDS};
use jiff::Timestamp;

use crate::key::{ParticipantId, RoomId};
use crate::limits::{SAMPLE_PAUSE, SAMPLE_SPREAD_MS, SAMPLE_TRACKS_STEP};
use crate::participant::Participant;
use crate::seam::{Order, ShardId};
use crate::sfu::Sfu;
use crate::timer::Timer;

/// A round of samples in a room that is not finished.
#[derive(Debug)]
pub(crate) struct Round {
    /// Time of its samples.
    at: Timestamp,
    /// Who was sampled last.
    after: String,
}

impl Sfu {
    /// Sets the time of a room's next round: soon after the next multiple of [`SAMPLE_SECONDS`], each room at its
    /// own moment.
    pub(crate) fn arm_samples(&mut self, id: RoomId) {
        if self.config.events {
            let Now { instant, wall } = self.context.now;
            let period = i64::from(SAMPLE_SECONDS) * 1_000;
            let offset = i64::try_from(id.0 % SAMPLE_SPREAD_MS).unwrap_or(0);
            let passed = (wall.as_millisecond() - offset).rem_euclid(period);
            let wait = Duration::from_millis((period - passed).unsigned_abs());
            self.context.timers.arm(Timer::Samples(id), instant + wait);
        }
    }

    /// Has the stays of a room sampled, or goes on with that.
    pub(crate) fn on_samples(&mut self, id: RoomId) {
        let Self { rooms, participants, context, .. } = self;
        let now = context.now;
        let Some(room) = rooms.get_mut(&id) else { return };
        let round = room.round.take();
        let at = round.as_ref().map_or_else(|| whole(now.wall), |round| round.at);
        let from = round.map_or(Bound::Unbounded, |round| Bound::Excluded(round.after));
        let mut peers: BTreeMap<ShardId, Vec<ParticipantId>> = BTreeMap::new();
        let mut budget = SAMPLE_TRACKS_STEP;
        for (identity, member) in room.members.range::<String, _>((from, Bound::Unbounded)) {
            let Some(participant) = participants.get(member) else { continue };
            budget = budget.saturating_sub(participant.sampled_tracks());
            peers.entry(participant.shard).or_default().push(*member);
            if budget == 0 {
                room.round = Some(Round { at, after: identity.clone() });
                break;
            }
        }
        let goes_on = room.round.is_some();
        for (shard, peers) in peers {
            context.order(shard, Order::Sample { peers, at });
        }
        if goes_on {
            context.timers.arm(Timer::Samples(id), now.instant + SAMPLE_PAUSE);
        } else {
            self.arm_samples(id);
        }
    }
}

impl Participant {
    /// What sampling it costs, in tracks.
    fn sampled_tracks(&self) -> usize {
        1 + self.publications.len() + self.subscriptions.len()
    }
}

/// The last multiple of [`SAMPLE_SECONDS`].
fn whole(wall: Timestamp) -> Timestamp {
    let second = wall.as_millisecond().div_euclid(1_000);
    let second = second - second.rem_euclid(i64::from(SAMPLE_SECONDS));
    Timestamp::from_second(second).unwrap_or(wall)
}
