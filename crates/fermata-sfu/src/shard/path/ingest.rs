//! Datagrams of one peer as they come in: each to its connection, media packets into the rings.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

use fermata_transport::{
    Codec, MediaKind, Mid, Rid, RtpIn, Wire, stun_username_ufrag as stun_ufrag,
};
use rustc_hash::FxHashMap;

use super::rings::red_primary;
use crate::forward::{PacketIn, RtpView};
use crate::key::{LinkId, Side, TrackId};
use crate::limits::{LEVELS_INTERVAL, LEVELS_MAX};
use crate::seam::Level;
use crate::shard::context::{Context, Timer};
use crate::shard::relay::{Relay, shards_of};
use crate::shard::track::Track;
use crate::shard::{Datagrams, Shard};

/// A media packet of the batch that is being handled.
#[derive(Debug, Clone, Copy)]
pub(in crate::shard) struct Arrival {
    /// Its track.
    pub(super) track: TrackId,
    /// What its payload holds.
    pub(super) codec: Codec,
    /// Bytes of its payload.
    pub(super) len: usize,
    /// Bytes of the plain block in redundant audio.
    pub(super) primary_len: usize,
    /// What was seen of it.
    pub(super) view: RtpView,
}

/// Bytes of the datagrams at the front of `data` that go to the same connection: one if it is STUN, which says by
/// itself where it belongs, else all up to the next that is.
fn run_len(data: &[u8], step: usize) -> usize {
    let mut datagrams = data.chunks(step);
    if datagrams.next().is_none_or(|first| stun_ufrag(first).is_some()) {
        return step.min(data.len());
    }
    let others = datagrams.take_while(|datagram| stun_ufrag(datagram).is_none()).count();
    step.saturating_mul(1 + others).min(data.len())
}

/// What became of some datagrams.
#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    accepted: u32,
    malformed: u32,
}

impl Shard {
    /// Handles datagrams of one sender.
    pub(in crate::shard) fn on_datagrams(&mut self, datagrams: Datagrams<'_>) {
        let Datagrams { source, destination, data, segment_len } = datagrams;
        let len = data.len();
        let step = if segment_len == 0 { len } else { segment_len.min(len) }.max(1);
        let stats = &mut self.context.stats;
        stats.datagrams_in += len.div_ceil(step).max(1) as u64;
        stats.bytes_in += len as u64;
        stats.datagrams_unknown += u64::from(len == 0);
        let mut rest = data;
        while !rest.is_empty() {
            let (run, tail) = rest.split_at_mut(run_len(rest, step));
            self.take_run(source, destination, run, step);
            rest = tail;
        }
        self.fan_out();
    }

    /// Hands datagrams to the one connection they belong to.
    fn take_run(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        run: &mut [u8],
        step: usize,
    ) {
        let now = self.context.now.instant;
        let ufrag = stun_ufrag(run.get(..step).unwrap_or(run));
        let by_name = ufrag.is_some();
        let found = match ufrag {
            Some(ufrag) => self.demux.by_ufrag(ufrag),
            None => self.demux.by_address(source, destination),
        };
        let Self { peers, tracks, context, arrivals, restarts, relays, demux, .. } = self;
        let peer = found.and_then(|id| Some((id, peers.get_mut(&id.participant)?)));
        let Some((id, peer)) = peer.filter(|(id, peer)| peer.link(id.side).is_some()) else {
            context.stats.datagrams_unknown += run.len().div_ceil(step) as u64;
            return;
        };
        let (publications, link) = match id.side {
            Side::Up => (&peer.publications, peer.up.as_mut()),
            Side::Down => (&peer.publications, peer.down.as_mut()),
        };
        let Some(link) = link else { return };
        let taken = Taken { arrivals, restarts };
        let mut intake = Intake { id, publications, tracks, relays, taken, now };
        let counted = link.receive(context, |wire, context| {
            intake.take(wire, context, source, destination, run, step)
        });
        let Some(counted) = counted else { return };
        context.stats.malformed_datagrams += u64::from(counted.malformed);
        if counted.accepted == 0 {
            return;
        }
        if by_name {
            demux.learn(source, destination, id, now);
        } else {
            demux.note_heard(source, destination, now);
        }
        peer.note_heard(context);
        if !peer.outbox.is_idle() {
            self.flush_data(id.participant);
        }
    }
}

/// What is needed to take in media packets of one connection.
struct Intake<'a> {
    id: LinkId,
    publications: &'a BTreeMap<Mid, TrackId>,
    tracks: &'a mut FxHashMap<TrackId, Track>,
    relays: &'a mut [Relay],
    taken: Taken<'a>,
    now: Instant,
}

impl Intake<'_> {
    /// Each datagram in its turn.
    fn take(
        &mut self,
        wire: &mut Wire,
        context: &mut Context,
        source: SocketAddr,
        destination: SocketAddr,
        run: &mut [u8],
        step: usize,
    ) -> Counted {
        let mut counted = Counted::default();
        for datagram in run.chunks_mut(step) {
            let page = context.control.page();
            match wire.handle_datagram(self.now, source, destination, datagram, page) {
                Ok(packet) => {
                    counted.accepted += 1;
                    if let Some(packet) = packet {
                        self.packet(context, &packet);
                    }
                }
                Err(_) => counted.malformed += 1,
            }
        }
        counted
    }

    /// A media packet of a publisher: counted, heard, handed to other shards, then taken like any other.
    fn packet(&mut self, context: &mut Context, rtp: &RtpIn<'_>) {
        let now = self.now;
        context.stats.rtp_in += 1;
        let track = self.publications.get(&rtp.mid).filter(|_| self.id.side == Side::Up);
        let Some(track) = track.and_then(|track| self.tracks.get_mut(track)) else {
            context.stats.rtp_dropped_unbound += 1;
            return;
        };
        if let Some(dbov) = rtp.audio_level_db
            && !track.state().muted
        {
            note_level(context, Level { track: track.spec.id, at: now, dbov });
        }
        let Some(view) = self.taken.packet(now, track, context, rtp) else { return };
        track.tally.packet(now, view.layer, rtp.seq, rtp.timestamp, rtp.payload.len());
        if track.state().blocked {
            return;
        }
        for to in shards_of(track.feeds) {
            let relay = self.relays.get_mut(to.index());
            if relay.is_some_and(|relay| relay.push(track.spec.id, rtp)) {
                context.stats.hops_out += 1;
            } else {
                context.stats.hops_dropped += 1;
            }
        }
    }
}

/// Keeps how loud a packet was until the rooms are told.
fn note_level(context: &mut Context, level: Level) {
    if context.levels.is_empty() {
        context.timers.arm(Timer::Levels, level.at + LEVELS_INTERVAL);
    }
    if context.levels.len() < LEVELS_MAX {
        context.levels.push(level);
    } else {
        context.stats.limited += 1;
    }
}

/// What a batch of packets brings up.
pub(in crate::shard) struct Taken<'a> {
    pub(in crate::shard) arrivals: &'a mut Vec<Arrival>,
    pub(in crate::shard) restarts: &'a mut Vec<TrackId>,
}

impl Taken<'_> {
    /// Looks at a packet, from a connection or from another shard, and puts it where receivers find it. What was
    /// seen of it; `None` if it belongs to no layer.
    pub(in crate::shard) fn packet(
        &mut self,
        now: Instant,
        track: &mut Track,
        context: &mut Context,
        rtp: &RtpIn<'_>,
    ) -> Option<RtpView> {
        let id = track.spec.id;
        if track.needs_start(rtp.codec) {
            track.start(rtp.codec);
            self.arrivals.retain(|arrival| arrival.track != id);
            self.restarts.push(id);
            context.timers.arm_earlier(Timer::Track(id), now);
        }
        let packet = PacketIn {
            rid: rtp.rid.as_ref().map(Rid::as_str),
            seq: rtp.seq,
            timestamp: rtp.timestamp,
            marker: rtp.marker,
            payload: rtp.payload,
            dependency: rtp.dependency,
            arrived: rtp.arrived,
        };
        let Some(view) = track.up.as_mut().and_then(|up| up.receive(&packet)) else {
            context.stats.rtp_dropped_unbound += 1;
            return None;
        };
        let len = rtp.payload.len();
        let primary = (rtp.codec == Codec::Red).then(|| red_primary(rtp.payload)).flatten();
        if track.spec.kind == MediaKind::Audio {
            track.sound.count(now, len, primary.map_or(len, <[u8]>::len));
        }
        if track.state().blocked || track.subscribers.is_empty() {
            return Some(view);
        }
        if view.view.understood {
            track.rings.push(track.spec.kind, &view, rtp);
        }
        let primary_len = primary.map_or(0, <[u8]>::len);
        self.arrivals.push(Arrival { track: id, codec: rtp.codec, len, primary_len, view });
        Some(view)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A binding request with a user name, 36 bytes.
    fn stun() -> Vec<u8> {
        let mut data = vec![0, 1, 0, 16, 0x21, 0x12, 0xA4, 0x42];
        data.extend([7; 12]);
        data.extend([0, 6, 0, 9]);
        data.extend(b"ours:them\0\0\0");
        data
    }

    #[test]
    fn batches_are_cut_at_what_names_its_connection() {
        let media = [0x80; 36];
        let runs = |datagrams: &[&[u8]]| {
            let data = datagrams.concat();
            let mut rest = &data[..];
            let mut runs = Vec::new();
            while !rest.is_empty() {
                let (run, tail) = rest.split_at(run_len(rest, 36));
                runs.push(run.len());
                rest = tail;
            }
            runs
        };
        let (media, stun) = (&media[..], &stun()[..]);
        assert_eq!(stun_ufrag(stun), Some("ours"));
        assert_eq!(runs(&[]), Vec::<usize>::new());
        assert_eq!(runs(&[media]), [36]);
        assert_eq!(runs(&[media, media, &[0x80; 5]]), [77]);
        assert_eq!(runs(&[stun, stun, &[0x80; 5]]), [36, 36, 5]);
        assert_eq!(runs(&[media, stun, media, media]), [36, 36, 72]);
    }
}
