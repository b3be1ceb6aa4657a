//! The last step: what is due of each connection is written, numbered and encrypted into datagrams that lie behind
//! each other, padded where that makes a run of one length of them.

use std::time::Instant;

use fermata_transport::egress::{Egress, SEGMENTS_MAX};
use fermata_transport::{RtpOut, SendSlot, Wire};
use fermata_types::Now;
use rustc_hash::FxHashMap;

use super::queue::{Item, Lane, Outgoing};
use crate::SfuStats;
use crate::key::TrackId;
use crate::limits::{PAD_AUDIO_MAX, PAD_VIDEO_MAX};
use crate::shard::Shard;
use crate::shard::peer::Peer;
use crate::shard::subscriptions::Subscriptions;
use crate::shard::track::Track;

impl Shard {
    /// Datagrams to send now, first those that are no media; `None` when nothing more is due.
    ///
    /// Call it after every input until it gives `None`, and before [`Shard::next_timeout`].
    /// What is given is gone at the next call.
    pub fn poll_egress(&mut self, now: Now) -> Option<&Egress> {
        if self.begin_egress(now) { Some(self.egress()) } else { None }
    }

    /// Makes [`Self::egress`] the next datagrams to send; false if there are none.
    pub(crate) fn begin_egress(&mut self, now: Now) -> bool {
        self.lent = Lent::Control;
        if !self.context.control.lend() {
            self.lent = Lent::Media;
            self.media.clear();
            self.render(now.instant);
        }
        let (datagrams, bytes) = (self.egress().len(), self.egress().bytes_len());
        self.context.stats.datagrams_out += datagrams as u64;
        self.context.stats.bytes_out += bytes as u64;
        datagrams > 0
    }

    /// What was begun last.
    pub(crate) fn egress(&self) -> &Egress {
        match self.lent {
            Lent::Control => self.context.control.lent(),
            Lent::Media => &self.media,
        }
    }

    /// Serves connections until none has anything due, or the buffer is full.
    fn render(&mut self, now: Instant) {
        let Self { peers, tracks, context, pacer, media, .. } = self;
        let tick = pacer.begin(now);
        while let Some(id) = pacer.next() {
            let link = peers.get_mut(&id.participant).and_then(Peer::sending);
            let Some((link, subscriptions)) = link.filter(|(link, _)| link.side() == id.side)
            else {
                pacer.skip();
                continue;
            };
            let mut waits = false;
            if link.connected {
                let version = link.version();
                let served = link.send(context, |wire, queue, stats| {
                    queue.begin(tick);
                    let rendering =
                        Rendering { now, version, wire, subscriptions, tracks, media, stats };
                    rendering.serve(queue)
                });
                match served {
                    Some(Served::Full) => return,
                    Some(Served::All { waits: some }) => waits = some,
                    None => {}
                }
            } else {
                let lost = link.queue.clear();
                context.stats.rtp_dropped_unsendable += lost as u64;
            }
            pacer.served(tick, &mut link.queue, waits);
        }
    }
}

/// Which datagrams were given out last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::shard) enum Lent {
    /// Those that are no media.
    Control,
    Media,
}

/// How far a connection was served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Served {
    /// The buffer has no room for more.
    Full,
    /// Everything that is due went out; something waits for the next tick, or not.
    All { waits: bool },
}

/// One packet about to be written.
struct Due<'a> {
    slot: SendSlot,
    packet: RtpOut<'a>,
    /// Bytes on the wire without padding.
    len: usize,
}

/// What is needed to write packets of one connection.
struct Rendering<'a> {
    now: Instant,
    /// Of what was negotiated.
    version: u64,
    wire: &'a mut Wire,
    subscriptions: &'a mut Subscriptions,
    tracks: &'a FxHashMap<TrackId, Track>,
    media: &'a mut Egress,
    stats: &'a mut SfuStats,
}

impl Rendering<'_> {
    fn serve(mut self, queue: &mut Outgoing) -> Served {
        for lane in Lane::ALL {
            loop {
                let due = queue.due(lane);
                if due == 0 {
                    break;
                }
                if !self.media.has_room(SEGMENTS_MAX) {
                    return Served::Full;
                }
                // Alone, nothing needs to be compared.
                if due == 1 { self.single(queue, lane) } else { self.chunk(queue, lane) }
            }
        }
        Served::All { waits: queue.end() }
    }

    /// Writes one packet of a lane.
    fn single(&mut self, queue: &mut Outgoing, lane: Lane) {
        let Some(item) = queue.pop(lane) else { return };
        let mut known = None;
        let tracks = self.tracks;
        if let Some((slot, packet)) = self.look_up(&item, queue, tracks, &mut known) {
            queue.spend(self.wire.wire_len_of(slot, &packet));
            self.write(slot, &packet, 0, lane);
        }
    }

    /// Writes up to [`SEGMENTS_MAX`] packets of a lane.
    fn chunk(&mut self, queue: &mut Outgoing, lane: Lane) {
        let tracks = self.tracks;
        let mut due: [Option<Due<'_>>; SEGMENTS_MAX] = [const { None }; SEGMENTS_MAX];
        let mut lens = [0; SEGMENTS_MAX];
        let mut count = 0;
        let mut known = None;
        while count < SEGMENTS_MAX
            && let Some(item) = queue.pop(lane)
        {
            let found = self.look_up(&item, queue, tracks, &mut known);
            let Some((slot, packet)) = found else { continue };
            let len = self.wire.wire_len_of(slot, &packet);
            queue.spend(len);
            if let (Some(place), Some(own)) = (due.get_mut(count), lens.get_mut(count)) {
                *place = Some(Due { slot, packet, len });
                *own = len;
                count += 1;
            }
        }
        let lens = lens.get(..count).unwrap_or_default();
        let mut left = due.iter().flatten();
        let runs = Runs { lens, tolerance: tolerance(lane) };
        for run in runs {
            for (place, Due { slot, packet, len }) in left.by_ref().take(run.count).enumerate() {
                // The last of a run may be shorter.
                let last = place + 1 == run.count;
                let pad_to = if last || *len == run.longest { 0 } else { run.longest };
                self.write(*slot, packet, pad_to, lane);
            }
        }
    }

    /// Where a packet goes out and what it is, if it still can; counted if not. `known` is what was found for the
    /// packet before.
    fn look_up<'t>(
        &mut self,
        item: &Item,
        queue: &mut Outgoing,
        tracks: &'t FxHashMap<TrackId, Track>,
        known: &mut Option<(TrackId, &'t Track, SendSlot)>,
    ) -> Option<(SendSlot, RtpOut<'t>)> {
        if known.is_none_or(|(track, ..)| track != item.track) {
            let slot = queue.slot(self.version, item.track).or_else(|| {
                let subscription = self.subscriptions.get_mut(item.track);
                let route = subscription.and_then(|s| s.route(self.version, self.wire));
                let slot = route.and_then(|route| route.slot)?;
                queue.note_slot(self.version, item.track, slot);
                Some(slot)
            });
            let publication = tracks.get(&item.track);
            *known = publication.zip(slot).map(|(from, slot)| (item.track, from, slot));
        }
        let Some((_, publication, slot)) = *known else {
            self.stats.rtp_dropped_unsendable += 1;
            return None;
        };
        let packet = publication.rings.packet(&item.entry, item.seq);
        if packet.is_none() {
            self.stats.packets_overwritten += 1;
        }
        Some((slot, packet?))
    }

    fn write(&mut self, slot: SendSlot, packet: &RtpOut<'_>, pad_to: usize, lane: Lane) {
        let Self { now, wire, media, stats, .. } = self;
        let sent = if lane == Lane::Again {
            wire.send_rtx(*now, slot, packet, media)
        } else {
            wire.send_rtp(*now, slot, packet, pad_to, media)
        };
        match (sent, lane) {
            (Ok(()), Lane::Again) => stats.retransmissions += 1,
            (Ok(()), _) => stats.rtp_out += 1,
            (Err(_), _) => stats.rtp_dropped_unsendable += 1,
        }
    }
}

fn tolerance(lane: Lane) -> usize {
    match lane {
        Lane::Audio => PAD_AUDIO_MAX,
        Lane::Video => PAD_VIDEO_MAX,
        // They get no padding.
        Lane::Again => 0,
    }
}

/// Packets that are made as long as the longest of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    count: usize,
    longest: usize,
}

/// Cuts lengths into runs in which no two differ by more than the tolerance.
#[derive(Debug)]
struct Runs<'a> {
    lens: &'a [usize],
    tolerance: usize,
}

impl Iterator for Runs<'_> {
    type Item = Run;

    fn next(&mut self) -> Option<Run> {
        let first = *self.lens.first()?;
        let (mut least, mut longest, mut count) = (first, first, 0);
        for len in self.lens {
            let (low, high) = (least.min(*len), longest.max(*len));
            if high - low > self.tolerance {
                break;
            }
            (least, longest, count) = (low, high, count + 1);
        }
        self.lens = self.lens.get(count..).unwrap_or_default();
        Some(Run { count, longest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_of_nearly_equal_lengths() {
        let check = |lens: &[usize], tolerance: usize, expected: &[(usize, usize)]| {
            let runs = Runs { lens, tolerance };
            let runs: Vec<_> = runs.map(|run| (run.count, run.longest)).collect();
            assert_eq!(runs, expected, "{lens:?}");
        };
        check(&[], 32, &[]);
        check(&[100], 0, &[(1, 100)]);
        check(&[100, 100, 99], 0, &[(2, 100), (1, 99)]);
        check(&[1_200, 1_180, 1_210, 700, 710], 32, &[(3, 1_210), (2, 710)]);
        check(&[100, 130, 90, 60], 32, &[(2, 130), (2, 90)]);
        check(&[80, 144, 145, 81], 64, &[(2, 144), (2, 145)]);
    }
}
