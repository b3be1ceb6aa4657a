//! Datagrams of one peer as they come in: each to its connection, media packets into the rings.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

use fermata_transport::{Codec, Mid, Rid, RtpIn, Transport};
use fermata_types::ParticipantSid;
use rustc_hash::FxHashMap;

use crate::context::Context;
use crate::demux::stun_ufrag;
use crate::forward::{PacketIn, RtpView};
use crate::key::{LinkId, RoomId, Side, TrackId};
use crate::participant::Participant;
use crate::path::rings::red_primary;
use crate::publication::Publication;
use crate::room::Room;
use crate::sfu::Sfu;
use crate::timer::Timer;

/// A media packet of the batch that is being handled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
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
struct Taken {
    accepted: u32,
    malformed: u32,
}

impl Sfu {
    /// Handles datagrams of one peer, each `segment_len` long but for the last.
    pub(crate) fn on_datagrams(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        data: &mut [u8],
        segment_len: usize,
    ) {
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
            None => self.demux.by_address(source, now),
        };
        let Some(id) = found else {
            self.context.stats.datagrams_unknown += run.len().div_ceil(step) as u64;
            return;
        };
        let Self { participants, tracks, rooms, context, arrivals, restarts, demux, .. } = self;
        let Some(participant) = participants.get_mut(&id.participant) else { return };
        let Participant { sid, up, down, publications, .. } = participant;
        let link = match id.side {
            Side::Up => up.as_mut(),
            Side::Down => down.as_mut(),
        };
        let Some(link) = link else { return };
        let mut intake = Intake { id, sid, publications, tracks, rooms, arrivals, restarts, now };
        let taken = link.receive(context, |transport, context| {
            intake.take(transport, context, source, destination, run, step)
        });
        let Some(taken) = taken else { return };
        context.stats.malformed_datagrams += u64::from(taken.malformed);
        if taken.accepted == 0 {
            return;
        }
        if by_name {
            demux.learn(source, id, now);
        }
        participant.heard_at = now;
        participant.media_heard_at = now;
        if !participant.data.is_idle() {
            self.flush_data(id.participant);
        }
    }
}

/// What is needed to take in media packets of one participant.
struct Intake<'a> {
    id: LinkId,
    sid: &'a ParticipantSid,
    publications: &'a BTreeMap<Mid, TrackId>,
    tracks: &'a mut FxHashMap<TrackId, Publication>,
    rooms: &'a mut BTreeMap<RoomId, Room>,
    arrivals: &'a mut Vec<Arrival>,
    restarts: &'a mut Vec<TrackId>,
    now: Instant,
}

impl Intake<'_> {
    /// Each datagram in its turn.
    fn take(
        &mut self,
        transport: &mut Transport,
        context: &mut Context,
        source: SocketAddr,
        destination: SocketAddr,
        run: &mut [u8],
        step: usize,
    ) -> Taken {
        let mut taken = Taken::default();
        for datagram in run.chunks_mut(step) {
            let page = context.control.page();
            match transport.handle_datagram(self.now, source, destination, datagram, page) {
                Ok(packet) => {
                    taken.accepted += 1;
                    if let Some(packet) = packet {
                        self.packet(context, &packet);
                    }
                }
                Err(_) => taken.malformed += 1,
            }
        }
        taken
    }

    /// Looks at a media packet and puts it where receivers find it.
    fn packet(&mut self, context: &mut Context, rtp: &RtpIn<'_>) {
        let now = self.now;
        context.stats.rtp_in += 1;
        let track = self.publications.get(&rtp.mid).filter(|_| self.id.side == Side::Up);
        let Some(publication) = track.and_then(|track| self.tracks.get_mut(track)) else {
            context.stats.rtp_dropped_unbound += 1;
            return;
        };
        if let Some(dbov) = rtp.audio_level_db
            && !publication.info.muted
            && let Some(room) = self.rooms.get_mut(&publication.room)
        {
            room.speakers.observe(now, self.sid, &publication.sid, dbov);
            if let Some(at) = room.speakers.next_timeout() {
                context.timers.arm_earlier(Timer::Speakers(publication.room), at);
            }
        }
        let id = publication.id;
        if publication.needs_start(rtp.codec) {
            publication.start(rtp.codec);
            self.arrivals.retain(|arrival| arrival.track != id);
            self.restarts.push(id);
            context.timers.arm_earlier(Timer::Track(id), now);
        }
        let Some(up) = publication.up.as_mut() else { return };
        let packet = PacketIn {
            rid: rtp.rid.as_ref().map(Rid::as_str),
            seq: rtp.seq,
            timestamp: rtp.timestamp,
            marker: rtp.marker,
            payload: rtp.payload,
            arrived: rtp.arrived,
        };
        let Some(view) = up.receive(&packet) else {
            context.stats.rtp_dropped_unbound += 1;
            return;
        };
        let len = rtp.payload.len();
        publication.tally.packet(now, view.layer, rtp.seq, rtp.timestamp, len);
        if publication.blocked || publication.subscribers.is_empty() {
            return;
        }
        if view.view.understood {
            publication.rings.push(publication.kind, view.layer, rtp);
        }
        let primary = (rtp.codec == Codec::Red).then(|| red_primary(rtp.payload)).flatten();
        let primary_len = primary.map_or(0, <[u8]>::len);
        self.arrivals.push(Arrival { track: id, codec: rtp.codec, len, primary_len, view });
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
