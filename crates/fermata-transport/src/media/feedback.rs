//! RTCP of the peer: what it tells of its streams, and what it asks of ours.

use std::time::{Duration, Instant, SystemTime};

use fermata_rtp::ntp::{self, NtpTime};
use fermata_rtp::rtcp::{self, ExtendedBlock, Packet, Reports};

use super::Media;
use super::outbound::micros;
use crate::event::{Event, Lost, SenderInfo};
use crate::events::Events;

/// Seconds from the beginning of NTP's era (1900) to that of Unix.
const UNIX_EPOCH_S: u64 = 2_208_988_800;
/// Seconds of an era; the next one begins in 2036.
const ERA_S: u64 = 1 << 32;

impl Media {
    /// Takes one SRTCP datagram, decrypting in place.
    pub(crate) fn receive_rtcp(&mut self, now: Instant, data: &mut [u8], events: &mut Events) {
        let opened = self.opener.as_ref().and_then(|opener| opener.open_rtcp(data).ok());
        let plain = opened.and_then(|(len, index)| Some((data.get(..len)?, index)));
        let Some((compound, index)) = plain else {
            self.counters.refused += 1;
            return;
        };
        let ssrc = compound.get(4..8).and_then(<[u8]>::first_chunk).copied();
        let ssrc = ssrc.map(u32::from_be_bytes).unwrap_or_default();
        if !self.senders.is_new(ssrc, index, now) {
            self.counters.refused += 1;
            return;
        }
        for packet in rtcp::parse(compound) {
            self.take(now, packet, events);
        }
    }

    fn take(&mut self, now: Instant, packet: Packet<'_>, events: &mut Events) {
        match packet {
            Packet::SenderReport { ssrc, info, reports } => {
                self.sender_report_of(ssrc, &info, now);
                self.reports(now, reports);
            }
            Packet::ReceiverReport { reports, .. } => self.reports(now, reports),
            Packet::Nack { media, lost, .. } => self.nack(media, lost, events),
            Packet::PictureLoss { media, .. } => self.keyframe_wanted(media, None, events),
            Packet::FullIntra { entries, .. } => {
                for (ssrc, number) in entries {
                    self.keyframe_wanted(ssrc, Some(number), events);
                }
            }
            Packet::EstimatedBitrate { bps, .. } => {
                self.outbound.bandwidth.on_remb(micros(self.clock.since(now)), bps);
                self.tell_bandwidth(events);
            }
            Packet::TransportFeedback(view) => {
                let now_us = micros(self.clock.since(now));
                let rtt = self.rtt.filter(|_| self.rtt_from_reports);
                let since = self.outbound.bandwidth.on_feedback(&view, now_us, rtt);
                if !self.rtt_from_reports {
                    self.rtt = since.or(self.rtt);
                }
                // What was learnt may be a reason to probe.
                self.renew_bandwidth_at(now);
                self.tell_bandwidth(events);
            }
            Packet::ExtendedReport { ssrc, blocks } => {
                for block in blocks {
                    if let ExtendedBlock::ReferenceTime(sent) = block {
                        self.references.on_reference(ssrc, sent, now);
                    }
                }
            }
            _ => {}
        }
    }

    /// Says how much may be sent, if that has changed.
    pub(super) fn tell_bandwidth(&mut self, events: &mut Events) {
        if let Some(estimate) = self.outbound.bandwidth.poll() {
            events.feedback(Event::BandwidthEstimate(estimate));
        }
    }

    fn sender_report_of(&mut self, ssrc: u32, info: &rtcp::SenderInfo, now: Instant) {
        let Some(at) = self.inbound.find(ssrc) else { return };
        let Some(stream) = self.inbound.streams.get_mut(at) else { return };
        let Some(main) = &mut stream.main else { return };
        main.receiver.on_sender_report(info.ntp, now);
        if let Some(layer) = self.inbound.layers.get_mut(stream.layer) {
            let ntp = wall(info.ntp);
            layer.sender_report = Some(SenderInfo { rtp_time: info.rtp_time, ntp, received: now });
        }
    }

    fn reports(&mut self, now: Instant, reports: Reports<'_>) {
        let arrived = self.clock.ntp(now).compact();
        for block in reports {
            if self.outbound.on_report(&block)
                && let Some(rtt) = ntp::round_trip(arrived, block.last_sender_report, block.delay)
            {
                self.rtt = Some(rtt);
                self.rtt_from_reports = true;
            }
        }
    }

    fn nack(&mut self, ssrc: u32, lost: rtcp::LostPackets<'_>, events: &mut Events) {
        let Some((line, false)) = self.outbound.find(ssrc) else { return };
        self.counters.nacks_received += 1;
        line.nacks += 1;
        if !line.sends_again() {
            return;
        }
        let mid = line.mid;
        let mut run: Option<Lost> = None;
        for seq in lost.filter_map(|seq| line.sent_seq(seq)) {
            if run.as_mut().is_some_and(|run| run.add(seq)) {
                continue;
            }
            if let Some(lost) = run.replace(Lost::new(seq)) {
                events.feedback(Event::Nack { mid, lost });
            }
        }
        if let Some(lost) = run {
            events.feedback(Event::Nack { mid, lost });
        }
    }

    fn keyframe_wanted(&mut self, ssrc: u32, number: Option<u8>, events: &mut Events) {
        let Some((line, false)) = self.outbound.find(ssrc) else { return };
        if number.is_some_and(|number| !line.is_new_request(number)) {
            return;
        }
        self.counters.keyframe_requests_received += 1;
        events.feedback(Event::KeyframeRequested { mid: line.mid });
    }
}

/// NTP time as a moment of the peer's wall clock.
fn wall(ntp: NtpTime) -> SystemTime {
    let seconds = ntp.0 >> 32;
    let era = if seconds < UNIX_EPOCH_S { ERA_S } else { 0 };
    let nanos = ((ntp.0 & 0xffff_ffff) * 1_000_000_000) >> 32;
    SystemTime::UNIX_EPOCH
        + Duration::from_secs(seconds + era - UNIX_EPOCH_S)
        + Duration::from_nanos(nanos)
}
