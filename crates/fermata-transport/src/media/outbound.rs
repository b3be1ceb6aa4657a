//! Sending sections: from a plaintext packet to an SRTP packet in the arena.

use std::time::Instant;

use fermata_rtp::header::{self, HeaderOut};
use fermata_rtp::ntp::Mapping;
use fermata_rtp::rtcp::{ReportBlock, SenderInfo};
use fermata_rtp::{Codec, extension, rtx, vp8};
use fermata_srtp::{ReplayWindow, Replayed, Sealer};
use fermata_types::MediaKind;
use rustc_hash::{FxHashMap, FxHashSet};

use super::sent::SentTimes;
use crate::egress::{Egress, Path};
use crate::error::SendError;
use crate::event::{RtpOut, SendSlot};
use crate::id::Mid;
use crate::limits;
use crate::parts::{ExtensionIds, LineConfig, Negotiated, Payload};
use crate::stats::StreamStats;

/// Sequence numbers below this fit a receiver that has just met the SSRC (RFC 3711 section 3.3.1).
const FIRST_ROLLOVER: u64 = 1 << 16;

/// What the peer said of a section last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard {
    pub(super) fraction_lost: u8,
    lost: i32,
    jitter: u32,
}

/// One section, sending or not.
#[derive(Debug)]
pub(super) struct SendLine {
    pub(super) mid: Mid,
    kind: MediaKind,
    sending: bool,
    pub(super) ssrc: u32,
    rtx_ssrc: Option<u32>,
    payloads: Vec<Payload>,
    ids: ExtensionIds,
    /// Numbers under which something was encrypted. Encrypting twice under one number would give the key away
    /// that packets are authenticated with (RFC 7714 section 8.1).
    used: ReplayWindow,
    /// The peer reported on the SSRC, so it knows whose it is.
    known: bool,
    rtx_known: bool,
    rtx_seq: u64,
    fir: Option<u8>,
    packets: u64,
    octets: u64,
    /// Packets at the last sender report.
    reported: u64,
    /// RTP time, its moment and its clock, of the latest packet.
    latest: Option<(u32, Instant, u32)>,
    pub(super) heard: Option<Heard>,
    pub(super) nacks: u64,
}

impl SendLine {
    fn new(config: &LineConfig, rtx_seq: u64) -> Self {
        Self {
            mid: config.mid,
            kind: config.kind,
            sending: false,
            ssrc: 0,
            rtx_ssrc: None,
            payloads: Vec::new(),
            ids: ExtensionIds::default(),
            used: ReplayWindow::new(),
            known: false,
            rtx_known: false,
            rtx_seq,
            fir: None,
            packets: 0,
            octets: 0,
            reported: 0,
            latest: None,
            heard: None,
            nacks: 0,
        }
    }

    fn configure(&mut self, config: &LineConfig, rtx_seq: u64) {
        if config.local_ssrc != Some(self.ssrc) {
            *self = Self::new(config, rtx_seq);
        }
        if config.local_rtx_ssrc != self.rtx_ssrc {
            self.rtx_known = false;
        }
        self.ssrc = config.local_ssrc.unwrap_or_default();
        self.rtx_ssrc = config.local_rtx_ssrc;
        self.sending = config.sending && config.local_ssrc.is_some();
        self.payloads.clone_from(&config.payloads);
        self.ids = config.extensions;
        if !config.feedback.transport_cc {
            self.ids.transport_cc = None;
        }
    }

    fn payload(&self, codec: Codec) -> Option<Payload> {
        self.payloads.iter().copied().find(|payload| payload.codec == codec)
    }

    /// Without a stream for retransmissions, a packet goes out again under its own number, and then it has to be
    /// the same to the last bit: nothing that changes may be in it.
    fn repeats_itself(&self, payload: Payload) -> bool {
        self.kind == MediaKind::Video && (payload.rtx.is_none() || self.rtx_ssrc.is_none())
    }

    /// A sender report, if something was sent since the last.
    pub(super) fn sender_report(&mut self, now: Instant, clock: &Mapping) -> Option<SenderInfo> {
        let (timestamp, at, rate) = self.latest.filter(|_| self.packets != self.reported)?;
        self.reported = self.packets;
        let ticks = |span: std::time::Duration| {
            #[expect(clippy::cast_possible_truncation, reason = "RTP time wraps")]
            let ticks = (span.as_nanos() * u128::from(rate) / 1_000_000_000) as u32;
            ticks
        };
        let rtp_time = match now.checked_duration_since(at) {
            Some(since) => timestamp.wrapping_add(ticks(since)),
            None => timestamp.wrapping_sub(ticks(at.saturating_duration_since(now))),
        };
        #[expect(clippy::cast_possible_truncation, reason = "both counters wrap on the wire")]
        let (packets, octets) = (self.packets as u32, self.octets as u32);
        Some(SenderInfo { ntp: clock.ntp(now), rtp_time, packets, octets })
    }

    /// The extended number of a packet that was sent, from its low 16 bits.
    pub(super) fn sent_seq(&self, seq: u16) -> Option<u64> {
        let highest = self.used.highest()?;
        let ahead = u64::from(seq).wrapping_sub(highest) & 0xffff;
        let behind = if ahead == 0 { 0 } else { FIRST_ROLLOVER - ahead };
        let seq = highest.checked_sub(behind)?;
        matches!(self.used.check(seq), Err(Replayed::Seen { .. })).then_some(seq)
    }

    /// Is a packet of this section ever sent again?
    pub(super) fn sends_again(&self) -> bool {
        self.kind == MediaKind::Video && self.sending
    }

    /// True if a full intra request of this number is a new one (RFC 5104 section 4.3.1.2).
    pub(super) fn is_new_request(&mut self, number: u8) -> bool {
        self.fir.replace(number) != Some(number)
    }
}

/// All sending sections of a connection.
#[derive(Debug)]
pub(super) struct Outbound {
    pub(super) lines: Vec<SendLine>,
    /// SSRC, place in `lines`, whether it is of retransmissions; by SSRC.
    ssrcs: Vec<(u32, u16, bool)>,
    pub(super) tag_len: usize,
    twcc_seq: u16,
    rtx_seq: u64,
    pub(super) times: SentTimes,
}

/// What every packet of a connection needs to get out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wire<'a> {
    pub(super) now: Instant,
    pub(super) clock: &'a Mapping,
    pub(super) sealer: &'a Sealer,
    pub(super) path: Path,
}

/// One packet about to be written.
struct Writing<'a> {
    header: HeaderOut,
    roc: u32,
    mid: Option<&'a str>,
    ids: ExtensionIds,
    changing: bool,
    osn: Option<u16>,
    pad_to: usize,
}

impl Outbound {
    /// Transport-wide numbers and those of retransmissions begin where told, the latter below half a round.
    pub(super) fn new(twcc_seq: u16, rtx_seq: u16) -> Self {
        Self {
            lines: Vec::new(),
            ssrcs: Vec::new(),
            tag_len: 0,
            twcc_seq,
            rtx_seq: u64::from(rtx_seq >> 1),
            times: SentTimes::default(),
        }
    }

    pub(super) fn configure(&mut self, negotiated: &Negotiated) {
        let configs: FxHashMap<Mid, &LineConfig> =
            negotiated.lines.iter().map(|config| (config.mid, config)).collect();
        let mut free = Vec::new();
        for (place, line) in self.lines.iter_mut().enumerate() {
            if let Some(config) = configs.get(&line.mid) {
                line.configure(config, self.rtx_seq);
            } else {
                line.sending = false;
                free.push(place);
            }
        }
        let known: FxHashSet<Mid> = self.lines.iter().map(|line| line.mid).collect();
        for config in &negotiated.lines {
            let sends = config.sending && config.local_ssrc.is_some();
            if !sends || known.contains(&config.mid) {
                continue;
            }
            let mut line = SendLine::new(config, self.rtx_seq);
            line.configure(config, self.rtx_seq);
            // The place of a section that is gone, if there is one.
            match free.pop().and_then(|place| self.lines.get_mut(place)) {
                Some(place) => *place = line,
                None => self.lines.push(line),
            }
        }
        self.ssrcs.clear();
        for (place, line) in (0_u16..).zip(&self.lines) {
            if line.ssrc != 0 {
                self.ssrcs.push((line.ssrc, place, false));
                self.ssrcs.extend(line.rtx_ssrc.map(|ssrc| (ssrc, place, true)));
            }
        }
        self.ssrcs.sort_unstable();
    }

    pub(super) fn slot(&self, mid: Mid) -> Option<SendSlot> {
        let place = self.lines.iter().position(|line| line.mid == mid && line.sending)?;
        u16::try_from(place).ok().map(SendSlot)
    }

    pub(super) fn sends(&self, mid: Mid, codec: Codec) -> bool {
        let mut lines = self.lines.iter().filter(|line| line.mid == mid && line.sending);
        lines.any(|line| line.payload(codec).is_some())
    }

    pub(super) fn wire_len(&self, slot: SendSlot, payload_len: usize) -> usize {
        let Some(line) = self.lines.get(slot.index()).filter(|line| line.sending) else { return 0 };
        let repeats = line.payloads.first().is_some_and(|payload| line.repeats_itself(*payload));
        let mid = line.ids.mid.filter(|_| !line.known || repeats);
        let mut content = mid.map_or(0, |_| 1 + line.mid.as_str().len());
        if !repeats {
            content += line.ids.abs_send_time.map_or(0, |_| 4);
            content += line.ids.transport_cc.map_or(0, |_| 3);
        }
        if line.kind == MediaKind::Audio {
            content += line.ids.audio_level.map_or(0, |_| 2);
        }
        let extensions = if content > 0 { 4 + content.next_multiple_of(4) } else { 0 };
        header::FIXED_LEN + extensions + payload_len + self.tag_len
    }

    /// The section of an SSRC of ours, and whether it is that of retransmissions.
    pub(super) fn find(&mut self, ssrc: u32) -> Option<(&mut SendLine, bool)> {
        let place = self.ssrcs.binary_search_by_key(&ssrc, |entry| entry.0).ok()?;
        let &(_, line, again) = self.ssrcs.get(place)?;
        self.lines.get_mut(usize::from(line)).map(|line| (line, again))
    }

    /// The peer reports on one of our streams.
    pub(super) fn on_report(&mut self, block: &ReportBlock) -> bool {
        match self.find(block.ssrc) {
            Some((line, true)) => {
                line.rtx_known = true;
                false
            }
            Some((line, false)) => {
                line.known = true;
                let ReportBlock { fraction_lost, lost, jitter, .. } = *block;
                line.heard = Some(Heard { fraction_lost, lost, jitter });
                true
            }
            None => false,
        }
    }

    pub(super) fn loss(&self) -> Option<f32> {
        let heard = self.lines.iter().filter(|line| line.sending).filter_map(|line| line.heard);
        super::mean(heard.map(|heard| heard.fraction_lost))
    }

    pub(super) fn stats(&self, mid: Mid) -> Option<StreamStats> {
        let line = self.lines.iter().find(|line| line.mid == mid)?;
        let heard = line.heard?;
        let lost = u64::try_from(heard.lost).unwrap_or(0);
        Some(StreamStats { lost, nacks: line.nacks, jitter: heard.jitter })
    }

    /// One media packet. Bytes on the wire.
    pub(super) fn send(
        &mut self,
        wire: Wire<'_>,
        slot: SendSlot,
        packet: &RtpOut<'_>,
        pad_to: usize,
        out: &mut Egress,
    ) -> Result<usize, SendError> {
        check_len(packet)?;
        let Self { lines, times, twcc_seq, tag_len, .. } = self;
        let line = lines.get_mut(slot.index()).filter(|line| line.sending);
        let line = line.ok_or(SendError::NotSending)?;
        let payload = line.payload(packet.codec).ok_or(SendError::CodecNotNegotiated)?;
        let seq = packet.seq;
        match line.used.highest() {
            None if seq >= FIRST_ROLLOVER => return Err(SendError::FirstSeq { seq }),
            None => {}
            Some(_) => line.used.check(seq).map_err(|_| SendError::Reused { seq })?,
        }
        let repeats = line.repeats_itself(payload);
        let writing = Writing {
            header: header_of(packet, payload.pt, line.ssrc, seq),
            roc: roc(seq),
            mid: (repeats || !line.known).then(|| line.mid.as_str()),
            ids: line.ids,
            changing: !repeats,
            osn: None,
            pad_to: if repeats { 0 } else { pad_to },
        };
        let twcc = line.ids.transport_cc.filter(|_| !repeats).map(|_| *twcc_seq);
        let len = writing.write(wire, packet, twcc, *tag_len, out)?;
        // A jump beyond the window only forgets what is behind it.
        line.used.commit(seq);
        line.packets += 1;
        line.octets += packet.payload.len() as u64;
        line.latest = Some((packet.timestamp, packet.at, packet.codec.clock_rate_hz()));
        if let Some(seq) = twcc {
            times.record(seq, len, wire.now);
            *twcc_seq = seq.wrapping_add(1);
        }
        Ok(len)
    }

    /// One media packet again. Bytes on the wire.
    pub(super) fn send_again(
        &mut self,
        wire: Wire<'_>,
        slot: SendSlot,
        packet: &RtpOut<'_>,
        out: &mut Egress,
    ) -> Result<usize, SendError> {
        check_len(packet)?;
        let Self { lines, times, twcc_seq, tag_len, .. } = self;
        let line = lines.get_mut(slot.index()).filter(|line| line.sending);
        let line = line.ok_or(SendError::NotSending)?;
        let payload = line.payload(packet.codec).ok_or(SendError::CodecNotNegotiated)?;
        let sent = matches!(line.used.check(packet.seq), Err(Replayed::Seen { .. }));
        if !sent || line.kind != MediaKind::Video {
            return Err(SendError::NotAgain);
        }
        let (Some(pt), Some(ssrc)) = (payload.rtx, line.rtx_ssrc) else {
            let writing = Writing {
                header: header_of(packet, payload.pt, line.ssrc, packet.seq),
                roc: roc(packet.seq),
                mid: Some(line.mid.as_str()),
                ids: line.ids,
                changing: false,
                osn: None,
                pad_to: 0,
            };
            return writing.write(wire, packet, None, *tag_len, out);
        };
        let seq = line.rtx_seq;
        let writing = Writing {
            header: header_of(packet, pt, ssrc, seq),
            roc: roc(seq),
            mid: (!line.rtx_known).then(|| line.mid.as_str()),
            ids: line.ids,
            changing: true,
            osn: Some(low16(packet.seq)),
            pad_to: 0,
        };
        let twcc = line.ids.transport_cc.map(|_| *twcc_seq);
        let len = writing.write(wire, packet, twcc, *tag_len, out)?;
        line.rtx_seq += 1;
        if let Some(seq) = twcc {
            times.record(seq, len, wire.now);
            *twcc_seq = seq.wrapping_add(1);
        }
        Ok(len)
    }
}

impl Writing<'_> {
    /// Header, extensions, payload, padding and tag, straight into the arena. Bytes on the wire.
    fn write(
        &self,
        wire: Wire<'_>,
        packet: &RtpOut<'_>,
        twcc: Option<u16>,
        tag_len: usize,
        out: &mut Egress,
    ) -> Result<usize, SendError> {
        let twcc = twcc.unwrap_or_default().to_be_bytes();
        let send_time = wire.clock.ntp(wire.now).abs_send_time();
        let level = packet
            .audio_level_db
            .map(|level| extension::write_audio_level(level, packet.voice_activity == Some(true)));
        let ids = &self.ids;
        let mut list: [(u8, &[u8]); 4] = [(0, &[]); 4];
        let changing = |id: Option<u8>| id.filter(|_| self.changing);
        let wanted: [(Option<u8>, &[u8]); 4] = [
            (ids.mid.filter(|_| self.mid.is_some()), self.mid.unwrap_or_default().as_bytes()),
            (changing(ids.abs_send_time), &send_time),
            (changing(ids.transport_cc), &twcc),
            (
                ids.audio_level.filter(|_| level.is_some()),
                level.as_ref().map_or(&[][..], |level| level.as_slice()),
            ),
        ];
        let mut count = 0;
        for (id, content) in wanted {
            if let (Some(id), Some(place)) = (id, list.get_mut(count)) {
                *place = (id, content);
                count += 1;
            }
        }
        let extensions = list.get(..count).unwrap_or_default();
        let osn_len = self.osn.map_or(0, |_| rtx::OSN_LEN);
        let payload_end = header::len(extensions) + osn_len + packet.payload.len();
        let plain = payload_end + tag_len;
        // Padding is all or nothing: it is for runs of one length.
        let padding = self.pad_to.checked_sub(plain).filter(|len| *len <= header::PADDING_LEN_MAX);
        let len = plain + padding.unwrap_or(0);
        let written = out.push_with(wire.path, len, |place| {
            let header_len = header::write(&self.header, extensions, place)?;
            let body = place.get_mut(header_len..payload_end)?;
            let body = if let Some(osn) = self.osn {
                rtx::write(osn, packet.payload, body)?;
                body.get_mut(rtx::OSN_LEN..)?
            } else {
                body.copy_from_slice(packet.payload);
                body
            };
            if let Some(numbers) = &packet.vp8 {
                // A descriptor that cannot be read has no numbers to be changed.
                vp8::patch(body, numbers);
            }
            if padding.is_some_and(|len| len > 0) {
                let end = len - tag_len;
                header::pad(place.get_mut(..end)?, payload_end);
            }
            wire.sealer.seal_rtp(place, header_len, self.roc).ok()
        });
        written.map(|()| len).ok_or(SendError::NoRoom)
    }
}

fn check_len(packet: &RtpOut<'_>) -> Result<(), SendError> {
    let len = packet.payload.len();
    if len > limits::RTP_PAYLOAD_LEN_MAX { Err(SendError::TooLong { len }) } else { Ok(()) }
}

fn header_of(packet: &RtpOut<'_>, payload_type: u8, ssrc: u32, seq: u64) -> HeaderOut {
    HeaderOut {
        marker: packet.marker,
        payload_type,
        sequence_number: low16(seq),
        timestamp: packet.timestamp,
        ssrc,
    }
}

fn low16(seq: u64) -> u16 {
    let [.., high, low] = seq.to_be_bytes();
    u16::from_be_bytes([high, low])
}

/// The rollover counter: bits 16 to 47.
fn roc(seq: u64) -> u32 {
    let [_, _, a, b, c, d, ..] = seq.to_be_bytes();
    u32::from_be_bytes([a, b, c, d])
}
