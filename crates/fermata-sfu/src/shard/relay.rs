//! To and from other shards: packets by value, keyframe requests, clocks of layers.
//!
//! Packets that came since hops were last asked for go together in a [`Batch`], whose buffers come back to be filled
//! again, so that nothing is allocated once there are enough of them. With too many batches on their way to a shard that
//! does not keep up, the next one waits and grows; when that is full too, packets for it are dropped and counted, and
//! its receivers ask for keyframes.

use fermata_transport::{Mid, Rid, RtpIn};

use super::Shard;
use super::context::Timer;
use super::path::Taken;
use crate::key::TrackId;
use crate::limits::{HOP_BATCH_BYTES_MAX, HOP_BATCH_PACKETS_MAX, HOP_BATCHES_MAX};
use crate::seam::{Batch, Hop, Packet, ShardId};

/// The way to one other shard.
#[derive(Debug, Default)]
pub(super) struct Relay {
    /// Being filled.
    open: Batch,
    /// Read and returned.
    spare: Vec<Batch>,
    /// On their way, or being read.
    away: usize,
}

impl Relay {
    /// Adds a packet; false if there is no room.
    pub(super) fn push(&mut self, track: TrackId, rtp: &RtpIn<'_>) -> bool {
        let dependency = rtp.dependency.unwrap_or_default();
        let bytes = self.open.bytes.len() + dependency.len() + rtp.payload.len();
        if bytes > HOP_BATCH_BYTES_MAX || self.open.packets.len() >= HOP_BATCH_PACKETS_MAX {
            return false;
        }
        self.open.bytes.extend_from_slice(dependency);
        self.open.bytes.extend_from_slice(rtp.payload);
        self.open.packets.push(Packet {
            track,
            rid: rtp.rid,
            codec: rtp.codec,
            seq: rtp.seq,
            timestamp: rtp.timestamp,
            marker: rtp.marker,
            arrived: rtp.arrived,
            audio_level_db: rtp.audio_level_db,
            voice_activity: rtp.voice_activity,
            dependency_len: dependency.len(),
            len: rtp.payload.len(),
        });
        true
    }

    /// What was gathered, if anything, unless too much is on its way.
    fn take(&mut self) -> Option<Batch> {
        if self.open.packets.is_empty() || self.away >= HOP_BATCHES_MAX {
            return None;
        }
        self.away += 1;
        let next = self.spare.pop().unwrap_or_default();
        Some(std::mem::replace(&mut self.open, next))
    }

    /// A batch came back.
    fn give_back(&mut self, mut batch: Batch) {
        batch.bytes.clear();
        batch.packets.clear();
        self.away = self.away.saturating_sub(1);
        self.spare.push(batch);
    }
}

/// The shards of a set of bits.
pub(super) fn shards_of(bits: u64) -> impl Iterator<Item = ShardId> {
    let mut left = bits;
    std::iter::from_fn(move || {
        let lowest = (left != 0).then(|| left.trailing_zeros())?;
        left &= left - 1;
        Some(ShardId(u8::try_from(lowest).unwrap_or(u8::MAX)))
    })
}

impl Shard {
    /// Lets go what was gathered for other shards.
    pub(super) fn flush_relays(&mut self) {
        let Self { relays, context, .. } = self;
        for (place, relay) in (0..).map(ShardId).zip(relays) {
            if let Some(batch) = relay.take() {
                context.hops.push_back((place, Hop::Media(batch)));
            }
        }
    }

    /// Takes what another shard handed over.
    pub(super) fn on_hop(&mut self, from: ShardId, hop: Hop) {
        match hop {
            Hop::Media(batch) => self.on_batch(from, batch),
            Hop::Return(batch) => {
                if let Some(relay) = self.relays.get_mut(from.index()) {
                    relay.give_back(batch);
                }
            }
            Hop::SenderReport { track, rid, report } => {
                if let Some(up) = self.tracks.get_mut(&track).and_then(|track| track.up.as_mut()) {
                    up.set_sender_report(Some(rid.as_str()), report);
                }
            }
            Hop::Keyframe { track: id, rid } => {
                let track = self.tracks.get_mut(&id);
                if let Some(up) = track.and_then(|track| track.up.as_mut()) {
                    up.request_keyframe_of(rid.as_ref().map(Rid::as_str));
                    let now = self.context.now.instant;
                    self.context.timers.arm_earlier(Timer::Track(id), now);
                }
            }
        }
    }

    /// Packets of tracks that come in elsewhere go the way of all packets from here on.
    fn on_batch(&mut self, from: ShardId, batch: Batch) {
        let now = self.context.now.instant;
        let mut rest = &batch.bytes[..];
        for packet in &batch.packets {
            let Some((dependency, tail)) = rest.split_at_checked(packet.dependency_len) else {
                break;
            };
            let Some((payload, tail)) = tail.split_at_checked(packet.len) else { break };
            rest = tail;
            self.context.stats.hops_in += 1;
            let Self { tracks, arrivals, restarts, context, .. } = self;
            let Some(track) = tracks.get_mut(&packet.track) else { continue };
            let rtp = RtpIn {
                mid: Mid::from(""),
                rid: packet.rid,
                codec: packet.codec,
                seq: packet.seq,
                timestamp: packet.timestamp,
                marker: packet.marker,
                payload,
                dependency: (!dependency.is_empty()).then_some(dependency),
                arrived: packet.arrived,
                audio_level_db: packet.audio_level_db,
                voice_activity: packet.voice_activity,
            };
            let mut taken = Taken { arrivals, restarts };
            taken.packet(now, track, context, &rtp);
        }
        self.context.hops.push_back((from, Hop::Return(batch)));
        self.fan_out();
    }
}

#[cfg(test)]
mod tests {
    use fermata_transport::Codec;
    use fermata_types::Now;

    use super::*;

    #[test]
    fn what_a_slow_shard_does_not_take_waits_up_to_a_limit() {
        let payload = [7; 1_000];
        let rtp = RtpIn {
            mid: Mid::from("0"),
            rid: None,
            codec: Codec::Vp8,
            seq: 1,
            timestamp: 0,
            marker: false,
            payload: &payload,
            dependency: None,
            arrived: Now::read().instant,
            audio_level_db: None,
            voice_activity: None,
        };
        let mut relay = Relay::default();
        let mut away = Vec::new();
        for _ in 0..HOP_BATCHES_MAX {
            assert!(relay.push(TrackId(1), &rtp));
            away.extend(relay.take());
        }
        assert_eq!(away.len(), HOP_BATCHES_MAX);
        let waiting = (0..10_000).take_while(|_| relay.push(TrackId(1), &rtp)).count();
        assert_eq!(waiting, HOP_BATCH_BYTES_MAX / payload.len());
        assert!(relay.take().is_none(), "too many are on their way");
        relay.give_back(away.pop().expect("one"));
        let grown = relay.take().expect("there is room for one");
        assert_eq!((grown.packets.len(), relay.open.packets.len()), (waiting, 0));
        let empty = RtpIn { payload: &[], ..rtp };
        let waiting = (0..1_000_000).take_while(|_| relay.push(TrackId(1), &empty)).count();
        assert_eq!(waiting, HOP_BATCH_PACKETS_MAX);
    }

    #[test]
    fn a_dependency_descriptor_goes_with_its_packet() {
        let rtp = RtpIn {
            mid: Mid::from("0"),
            rid: None,
            codec: Codec::Av1,
            seq: 1,
            timestamp: 0,
            marker: false,
            payload: &[5, 6],
            dependency: Some(&[1, 2, 3]),
            arrived: Now::read().instant,
            audio_level_db: None,
            voice_activity: None,
        };
        let mut relay = Relay::default();
        assert!(relay.push(TrackId(1), &rtp));
        assert!(relay.push(TrackId(1), &RtpIn { dependency: None, ..rtp }));
        let batch = relay.take().expect("two packets");
        assert_eq!(batch.bytes, [1, 2, 3, 5, 6, 5, 6]);
        let lens: Vec<_> = batch.packets.iter().map(|p| (p.dependency_len, p.len)).collect();
        assert_eq!(lens, [(3, 2), (0, 2)]);
    }

    #[test]
    fn bits_are_shards() {
        assert_eq!(shards_of(0).count(), 0);
        let shards: Vec<_> = shards_of(1 | 1 << 5 | 1 << 63).map(|shard| shard.0).collect();
        assert_eq!(shards, [0, 5, 63]);
    }
}
