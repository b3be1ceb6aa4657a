//! RTCP of ours: reports, requests for missing packets and keyframes, transport-wide feedback.

use std::time::{Duration, Instant};

use fermata_rtp::rtcp::write;

use super::Media;
use super::outbound::micros;
use super::writing::Wire;
use crate::egress::{Egress, Path};
use crate::events::Events;
use crate::limits::{REFERENCE_TIMES_MAX, REPORT_INTERVAL, RTCP_LEN_MAX, RTT_UNKNOWN};

/// Bytes of a sender report with one description behind it, at most.
const SENDER_LEN_MAX: usize = 28 + 44;
/// Bytes of the answer to reference times behind it, at most.
const DELAYS_LEN_MAX: usize = 12 + 12 * REFERENCE_TIMES_MAX;
/// Bytes of one report block.
const BLOCK_LEN: usize = 24;
/// Bytes of a feedback packet without anything in it.
const FEEDBACK_LEN: usize = 12;

impl Media {
    /// Writes what is due.
    pub(crate) fn handle_timeout(
        &mut self,
        now: Instant,
        path: Path,
        out: &mut Egress,
        events: &mut Events,
    ) {
        if self.nack_at.is_some_and(|at| at <= now) {
            self.ask_again(now, path, out);
        }
        if self.arrivals.next_timeout().is_some_and(|at| at <= now) {
            self.tell_arrivals(path, out);
        }
        if self.report_at.is_some_and(|at| at <= now) {
            self.report(now, path, out);
        }
        if self.bandwidth_at.is_some_and(|at| at <= now) {
            self.probe(now, path, out);
            self.tell_bandwidth(events);
        }
        self.flush(path, out);
    }

    /// Padding that is due to find out how much the path can take.
    fn probe(&mut self, now: Instant, path: Path, out: &mut Egress) {
        let since = self.clock.since(now);
        let now_us = micros(since);
        self.outbound.bandwidth.handle_timeout(now_us);
        while let Some(id) = self.outbound.bandwidth.padding_due(now_us) {
            let wire = self.sealer.as_ref().map(|sealer| Wire {
                now,
                clock: &self.clock,
                sealer,
                path: &path,
            });
            let sent = wire.and_then(|wire| self.outbound.send_padding(wire, id, out));
            self.counters.padding_sent += u64::from(sent.is_some());
            self.outbound.bandwidth.on_padding(sent);
        }
        self.renew_bandwidth_at(now);
    }

    /// When the estimate has something to do next.
    pub(super) fn renew_bandwidth_at(&mut self, now: Instant) {
        let now_us = micros(self.clock.since(now));
        let next = self.outbound.bandwidth.next_timeout_us(now_us);
        self.bandwidth_at = next.map(|at| now + Duration::from_micros(at.saturating_sub(now_us)));
    }

    /// Writes what was asked for since.
    pub(crate) fn flush(&mut self, path: Path, out: &mut Egress) {
        if !std::mem::take(&mut self.keyframes_asked) {
            return;
        }
        for index in 0..self.inbound.layers.len() {
            let Some(layer) = self.inbound.layers.get_mut(index) else { continue };
            if let (true, Some(ssrc)) = (std::mem::take(&mut layer.keyframe), layer.main) {
                self.make_room(FEEDBACK_LEN, path, out);
                write::picture_loss(&mut self.rtcp, self.rtcp_ssrc, ssrc);
            }
        }
        self.emit(path, out);
    }

    /// Asks for missing packets.
    fn ask_again(&mut self, now: Instant, path: Path, out: &mut Egress) {
        let rtt = self.rtt.unwrap_or(RTT_UNKNOWN);
        let mut next: Option<Instant> = None;
        let mut lost = std::mem::take(&mut self.lost);
        for index in 0..self.inbound.streams.len() {
            let Some(stream) = self.inbound.streams.get_mut(index) else { continue };
            let ssrc = stream.ssrc;
            let Some(main) = &mut stream.main else { continue };
            let Some(missing) = &mut main.missing else { continue };
            lost.clear();
            missing.due(now, rtt, &mut lost);
            if let Some(due) = missing.next_timeout() {
                next = Some(next.map_or(due, |next| next.min(due)));
            }
            if lost.is_empty() {
                continue;
            }
            main.nacks += 1;
            self.make_room(FEEDBACK_LEN + 4 * lost.len(), path, out);
            write::nack(&mut self.rtcp, self.rtcp_ssrc, ssrc, &lost);
        }
        self.lost = lost;
        self.nack_at = next;
        self.emit(path, out);
    }

    /// Transport-wide feedback.
    fn tell_arrivals(&mut self, path: Path, out: &mut Egress) {
        let media = self.inbound.streams.first().map_or(0, |stream| stream.ssrc);
        while self.arrivals.feedback(self.rtcp_ssrc, media, &mut self.rtcp) {
            self.emit(path, out);
        }
    }

    /// Sender and receiver reports of everything that moved since the last.
    fn report(&mut self, now: Instant, path: Path, out: &mut Egress) {
        let mut moved = false;
        self.references.answers(now, &mut self.delays);
        for index in 0..self.outbound.lines.len() {
            let Some(line) = self.outbound.lines.get_mut(index) else { continue };
            let ssrc = line.ssrc;
            let Some(info) = line.sender_report(now, &self.clock) else { continue };
            moved = true;
            self.make_room(SENDER_LEN_MAX + DELAYS_LEN_MAX, path, out);
            write::sender_report(&mut self.rtcp, ssrc, &info, &[]);
            write::sdes_cname(&mut self.rtcp, ssrc, &self.cname);
            // Of every section: browsers look only at those of the one that they receive.
            write::delays(&mut self.rtcp, ssrc, &self.delays);
        }
        if moved {
            self.references.clear();
        }
        let mut blocks = std::mem::take(&mut self.blocks);
        blocks.clear();
        for stream in &mut self.inbound.streams {
            let Some(main) = stream.main.as_mut().filter(|main| main.fresh) else { continue };
            main.fresh = false;
            if let Some(block) = main.receiver.report_block(now) {
                main.fraction_lost = Some(block.fraction_lost);
                blocks.push(block);
            }
        }
        moved |= !blocks.is_empty();
        for blocks in blocks.chunks(RTCP_LEN_MAX / BLOCK_LEN / 2) {
            self.make_room(SENDER_LEN_MAX + BLOCK_LEN * blocks.len(), path, out);
            write::receiver_report(&mut self.rtcp, self.rtcp_ssrc, blocks);
            write::sdes_cname(&mut self.rtcp, self.rtcp_ssrc, &self.cname);
        }
        self.blocks = blocks;
        // A connection on which nothing moves is left in peace.
        self.report_at = moved.then(|| now + REPORT_INTERVAL);
        self.emit(path, out);
    }

    /// Sends what was written, unless so much more fits behind it.
    fn make_room(&mut self, len: usize, path: Path, out: &mut Egress) {
        if self.rtcp.len() + len > RTCP_LEN_MAX {
            self.emit(path, out);
        }
    }

    /// Encrypts and sends what was written.
    fn emit(&mut self, path: Path, out: &mut Egress) {
        if self.rtcp.is_empty() {
            return;
        }
        let sealed = self
            .sealer
            .as_ref()
            .is_some_and(|sealer| sealer.seal_rtcp(&mut self.rtcp, self.rtcp_index).is_ok());
        if sealed {
            self.rtcp_index += 1;
        }
        if !sealed || !out.push(path, &self.rtcp) {
            self.counters.rtcp_unsent += 1;
        }
        self.rtcp.clear();
    }
}
