//! The media of one connection: received streams, sending sections, and the RTCP between the two ends.
//!
//! What it is: SRTP packets and time in, plaintext packets and feedback out, and the way back. Which packet goes to
//! whom, and in which order, is decided above.
//!
//! What it is not: it keeps no packet (whoever asks for one again gets it from the caller), paces nothing, and knows nothing of ICE, DTLS and SDP but what [`crate::parts`] says.
//!
//! Invariant: after the first packets of a stream nothing here allocates, but for events.

mod bandwidth;
mod feedback;
mod inbound;
mod outbound;
mod receive;
mod reference;
mod report;
mod sent;
mod source;
mod template;
#[cfg(test)]
mod tests;
mod writing;

use std::fmt;
use std::time::{Duration, Instant};

use fermata_rtp::Codec;
use fermata_rtp::ntp::{Mapping, NtpTime};
use fermata_rtp::rtcp::{Delay, ReportBlock};
use fermata_rtp::twcc::ArrivalLog;
use fermata_srtp::{Opener, Sealer};

use crate::egress::{Egress, Path};
use crate::error::SendError;
use crate::event::{DependencyOut, Estimate, RtpOut, SendSlot, SenderInfo};
use crate::id::{Mid, Rid};
use crate::limits::{BANDWIDTH_FIRST, REPORT_FIRST};
use crate::parts::Negotiated;
use crate::stats::StreamStats;
use inbound::Inbound;
use outbound::{Outbound, micros};
use reference::References;
use source::RtcpSenders;
use writing::Wire;

/// Where our NTP time begins: the year 2000. Nobody compares it with a clock on the wall, but zero means "none" in
/// reports, and some peers cannot read times before 1970.
const NTP_ORIGIN: NtpTime = NtpTime(3_155_673_600 << 32);

/// Counters of what came in and went out.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counters {
    pub(crate) packets_sent: u64,
    pub(crate) payload_bytes_sent: u64,
    pub(crate) packets_sent_again: u64,
    pub(crate) padding_sent: u64,
    pub(crate) packets_received: u64,
    pub(crate) payload_bytes_received: u64,
    /// Not authentic, repeated, too old, or before the keys.
    pub(crate) refused: u64,
    /// Of no section, layer or codec that we know.
    pub(crate) unknown: u64,
    pub(crate) nacks_received: u64,
    pub(crate) keyframe_requests_received: u64,
    /// RTCP that could not be written for want of room or numbers.
    pub(crate) rtcp_unsent: u64,
}

/// The media of one connection.
pub(crate) struct Media {
    clock: Mapping,
    sealer: Option<Sealer>,
    opener: Option<Opener>,
    inbound: Inbound,
    outbound: Outbound,
    senders: RtcpSenders,
    references: References,
    arrivals: ArrivalLog,
    cname: String,
    /// Of our reports and feedback.
    rtcp_ssrc: u32,
    /// SRTCP index of the next compound packet.
    rtcp_index: u32,
    /// The compound packet being written.
    rtcp: Vec<u8>,
    blocks: Vec<ReportBlock>,
    delays: Vec<Delay>,
    lost: Vec<u16>,
    report_at: Option<Instant>,
    /// Not later than the earliest request for a missing packet.
    nack_at: Option<Instant>,
    /// When the estimate of bandwidth has something to do.
    bandwidth_at: Option<Instant>,
    keyframes_asked: bool,
    rtt: Option<Duration>,
    rtt_from_reports: bool,
    pub(crate) counters: Counters,
}

impl fmt::Debug for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Media")
            .field("keyed", &self.sealer.is_some())
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}

impl Media {
    /// Nothing negotiated yet. `random` is shown on the wire and need not be secret; `estimate`: how much the path can
    /// take is estimated.
    pub(crate) fn new(now: Instant, random: [u8; 8], estimate: bool) -> Self {
        let [ssrc @ .., twcc_1, twcc_0, rtx_1, rtx_0] = random;
        let outbound = Outbound::new(
            u16::from_be_bytes([twcc_1, twcc_0]),
            u16::from_be_bytes([rtx_1, rtx_0]),
            estimate,
        );
        Self {
            clock: Mapping::new(now, NTP_ORIGIN),
            sealer: None,
            opener: None,
            inbound: Inbound::default(),
            outbound,
            senders: RtcpSenders::default(),
            references: References::default(),
            arrivals: ArrivalLog::new(),
            cname: String::new(),
            rtcp_ssrc: u32::from_be_bytes(ssrc),
            rtcp_index: 0,
            rtcp: Vec::new(),
            blocks: Vec::new(),
            delays: Vec::new(),
            lost: Vec::new(),
            report_at: None,
            nack_at: None,
            bandwidth_at: None,
            keyframes_asked: false,
            rtt: None,
            rtt_from_reports: false,
            counters: Counters::default(),
        }
    }

    /// Takes over what a negotiation agreed.
    pub(crate) fn configure(&mut self, negotiated: &Negotiated) {
        self.cname.clone_from(&negotiated.cname);
        self.inbound.configure(negotiated);
        self.outbound.configure(negotiated);
    }

    /// DTLS is done.
    pub(crate) fn set_keys(&mut self, sealer: Sealer, opener: Opener) {
        self.outbound.tag_len = sealer.profile().tag_len();
        self.sealer = Some(sealer);
        self.opener = Some(opener);
    }

    /// When [`Self::handle_timeout`] is due, while packets can be sent.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        [self.report_at, self.nack_at, self.arrivals.next_timeout(), self.bandwidth_at]
            .into_iter()
            .flatten()
            .min()
    }

    /// The name of a section that sends.
    pub(crate) fn slot(&self, mid: Mid) -> Option<SendSlot> {
        self.outbound.slot(mid)
    }

    /// Can this codec be sent on this section?
    pub(crate) fn sends(&self, mid: Mid, codec: Codec) -> bool {
        self.outbound.sends(mid, codec)
    }

    /// Bytes on the wire of a packet with that payload and dependency descriptor.
    pub(crate) fn wire_len(
        &self,
        slot: SendSlot,
        payload_len: usize,
        dependency: Option<&DependencyOut<'_>>,
    ) -> usize {
        self.outbound.wire_len(slot, payload_len, dependency)
    }

    /// Round-trip time, if known.
    pub(crate) fn rtt(&self) -> Option<Duration> {
        self.rtt
    }

    /// How much the path to the peer can take, once something is known.
    pub(crate) fn estimate(&self) -> Option<Estimate> {
        self.outbound.bandwidth.estimate()
    }

    /// What everything that the peer wants would need, bits per second.
    pub(crate) fn set_wanted(&mut self, now: Instant, bps: u64) {
        self.outbound.bandwidth.set_wanted(micros(self.clock.since(now)), bps);
    }

    /// Share of what we send that the peer misses, over its latest reports.
    pub(crate) fn loss_sent(&self) -> Option<f32> {
        self.outbound.loss()
    }

    /// Share of what did not arrive by the latest transport-wide feedback.
    pub(crate) fn loss_feedback(&self) -> Option<f32> {
        self.outbound.bandwidth.loss()
    }

    /// Share of what the peer sends that we miss, over our latest reports.
    pub(crate) fn loss_received(&self) -> Option<f32> {
        self.inbound.loss()
    }

    /// Feedback of the peer about a section.
    pub(crate) fn sent_stats(&self, mid: Mid) -> Option<StreamStats> {
        self.outbound.stats(mid)
    }

    /// What is known of a section and layer that comes in.
    pub(crate) fn received_stats(&self, mid: Mid, rid: Option<Rid>) -> Option<StreamStats> {
        self.inbound.stats(mid, rid)
    }

    /// The latest sender report of a section and layer.
    pub(crate) fn sender_report(&self, mid: Mid, rid: Option<Rid>) -> Option<SenderInfo> {
        self.inbound.layer(mid, rid)?.sender_report
    }

    /// Asks for a keyframe with the next flush. Nothing happens for a layer of which nothing was seen.
    pub(crate) fn request_keyframe(&mut self, mid: Mid, rid: Option<Rid>) {
        self.keyframes_asked |= self.inbound.ask_keyframe(mid, rid);
    }
}

impl Media {
    /// Writes one media packet. Bytes on the wire.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        path: Path,
        slot: SendSlot,
        packet: &RtpOut<'_>,
        pad_to: usize,
        out: &mut Egress,
    ) -> Result<usize, SendError> {
        let sealer = self.sealer.as_ref().ok_or(SendError::NotConnected)?;
        let wire = Wire { now, clock: &self.clock, sealer, path: &path };
        let len = self.outbound.send(wire, slot, packet, pad_to, out)?;
        self.counters.packets_sent += 1;
        self.counters.payload_bytes_sent += packet.payload.len() as u64;
        self.report_at.get_or_insert_with(|| now + REPORT_FIRST);
        if self.outbound.bandwidth.is_on() {
            self.bandwidth_at.get_or_insert_with(|| now + BANDWIDTH_FIRST);
        }
        Ok(len)
    }

    /// Writes one media packet again. Bytes on the wire.
    pub(crate) fn send_again(
        &mut self,
        now: Instant,
        path: Path,
        slot: SendSlot,
        packet: &RtpOut<'_>,
        out: &mut Egress,
    ) -> Result<usize, SendError> {
        let sealer = self.sealer.as_ref().ok_or(SendError::NotConnected)?;
        let wire = Wire { now, clock: &self.clock, sealer, path: &path };
        let len = self.outbound.send_again(wire, slot, packet, out)?;
        self.counters.packets_sent_again += 1;
        Ok(len)
    }
}

/// A mean of shares of 1/256.
fn mean(fractions: impl Iterator<Item = u8>) -> Option<f32> {
    let (sum, count) = fractions.fold((0_u32, 0_u16), |(sum, count), share| {
        (sum + u32::from(share), count.saturating_add(1))
    });
    let sum = u16::try_from(sum / u32::from(count.max(1))).ok()?;
    (count > 0).then(|| f32::from(sum) / 256.0)
}
