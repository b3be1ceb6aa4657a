//! Sending sections: from a plaintext packet to an SRTP packet in the arena.

use std::time::Instant;

use fermata_rtp::header::Form;
use fermata_rtp::ntp::Mapping;
use fermata_rtp::rtcp::{ReportBlock, SenderInfo};
use fermata_rtp::{Codec, header};
use fermata_srtp::{ReplayWindow, Replayed};
use fermata_types::MediaKind;
use rustc_hash::{FxHashMap, FxHashSet};

use super::bandwidth::Bandwidth;
use super::template::{Shape, Template, Values, level_of};
use super::writing::{Wire, Writing};
use crate::egress::Egress;
use crate::error::SendError;
use crate::event::{DependencyOut, RtpOut, SendSlot};
use crate::id::Mid;
use crate::limits;
use crate::parts::{ExtensionIds, LineConfig, Negotiated};
use crate::stats::StreamStats;

/// Sequence numbers below this fit a receiver that has just met the SSRC (RFC 3711 section 3.3.1).
const FIRST_ROLLOVER: u64 = 1 << 16;

/// How many codecs there are.
const CODECS: usize = Codec::ALL.len();

/// The payload types of a codec.
#[derive(Debug, Clone, Copy)]
struct Types {
    pt: u8,
    /// Of retransmissions.
    rtx: Option<u8>,
}

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
    /// By codec; in place, since every packet asks.
    types: [Option<Types>; CODECS],
    /// Of the codec that was agreed first.
    first: Option<Types>,
    ids: ExtensionIds,
    /// The header that was written last. Nearly always the next has the same shape.
    template: Option<(Shape, Template)>,
    /// The headers of the next packet in both forms, for their lengths.
    heads: [Option<Template>; 2],
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
            types: [None; CODECS],
            first: None,
            ids: ExtensionIds::default(),
            template: None,
            heads: [None; 2],
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
        self.types = [None; CODECS];
        for payload in &config.payloads {
            if let Some(place) = self.types.get_mut(payload.codec as usize) {
                place.get_or_insert(Types { pt: payload.pt, rtx: payload.rtx });
            }
        }
        self.first = config.payloads.first().and_then(|payload| self.types_of(payload.codec));
        self.ids = config.extensions;
        if !config.feedback.transport_cc {
            self.ids.transport_cc = None;
        }
        // What begins a stream is longer than the one-byte form holds, and the rest is of no use without it.
        self.ids.dependency = self.ids.dependency.filter(|_| config.mixed);
        self.template = None;
        self.renew_head_len();
    }

    fn types_of(&self, codec: Codec) -> Option<Types> {
        self.types.get(codec as usize).copied().flatten()
    }

    /// The peer knows the SSRC.
    fn make_known(&mut self) {
        if !self.known {
            self.known = true;
            self.renew_head_len();
        }
    }

    fn renew_head_len(&mut self) {
        let repeats = self.first.is_some_and(|types| self.repeats_itself(types));
        let audio = self.kind == MediaKind::Audio;
        let head = |form| Template::new(self.shape(repeats, audio, form), self.mid, &self.ids);
        self.heads = [head(Form::OneByte), head(Form::TwoByte)];
    }

    /// Bytes of the header of the next packet.
    fn head_len(&self, dependency: Option<&DependencyOut<'_>>) -> usize {
        let dependency = dependency.filter(|_| self.ids.dependency.is_some());
        let [short, long] = &self.heads;
        let head = match self.form(dependency) {
            Form::OneByte => short,
            Form::TwoByte => long,
        };
        head.as_ref().map_or(0, |head| head.len_for(dependency))
    }

    /// The form of extensions that a packet needs.
    fn form(&self, dependency: Option<&DependencyOut<'_>>) -> Form {
        dependency.zip(self.ids.dependency).map_or(Form::OneByte, |(dependency, id)| {
            Form::of(id, dependency.rewrite.len(dependency.descriptor, dependency.targets))
        })
    }

    /// The descriptor of a packet as it goes out, if it does.
    fn dependency<'a>(&self, packet: &RtpOut<'a>) -> Option<(u8, DependencyOut<'a>)> {
        self.ids.dependency.zip(packet.dependency)
    }

    /// What a header says of a packet; `level`: it has an audio level.
    fn shape(&self, repeats: bool, level: bool, form: Form) -> Shape {
        Shape {
            form,
            mid: repeats || !self.known,
            changing: !repeats,
            level: level && self.ids.audio_level.is_some(),
        }
    }

    fn template(&mut self, shape: Shape) -> Option<&Template> {
        if self.template.as_ref().is_none_or(|(last, _)| *last != shape) {
            self.template = Some((shape, Template::new(shape, self.mid, &self.ids)?));
        }
        self.template.as_ref().map(|(_, template)| template)
    }

    /// Without a stream for retransmissions, a packet goes out again under its own number, and then it has to be
    /// the same to the last bit: nothing that changes may be in it.
    fn repeats_itself(&self, types: Types) -> bool {
        self.kind == MediaKind::Video && (types.rtx.is_none() || self.rtx_ssrc.is_none())
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
    pub(super) bandwidth: Bandwidth,
    stamp: Option<Stamp>,
}

/// The moment of sending as the wire has it. Packets go out many at a moment.
#[derive(Debug, Clone, Copy)]
struct Stamp {
    now: Instant,
    send_time: [u8; 3],
    at_us: u64,
}

impl Outbound {
    /// Transport-wide numbers and those of retransmissions begin where told, the latter below half a round.
    pub(super) fn new(twcc_seq: u16, rtx_seq: u16, estimate: bool) -> Self {
        Self {
            lines: Vec::new(),
            ssrcs: Vec::new(),
            tag_len: 0,
            twcc_seq,
            rtx_seq: u64::from(rtx_seq >> 1),
            bandwidth: Bandwidth::new(estimate),
            stamp: None,
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
        lines.any(|line| line.types_of(codec).is_some())
    }

    pub(super) fn wire_len(
        &self,
        slot: SendSlot,
        payload_len: usize,
        dependency: Option<&DependencyOut<'_>>,
    ) -> usize {
        let Some(line) = self.lines.get(slot.index()).filter(|line| line.sending) else { return 0 };
        line.head_len(dependency) + payload_len + self.tag_len
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
                line.make_known();
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
        let stamp = self.stamp(wire.now, wire.clock);
        let Self { lines, bandwidth, twcc_seq, tag_len, .. } = self;
        let line = lines.get_mut(slot.index()).filter(|line| line.sending);
        let line = line.ok_or(SendError::NotSending)?;
        let types = line.types_of(packet.codec).ok_or(SendError::CodecNotNegotiated)?;
        let seq = packet.seq;
        match line.used.highest() {
            None if seq >= FIRST_ROLLOVER => return Err(SendError::FirstSeq { seq }),
            None => {}
            Some(_) => line.used.check(seq).map_err(|_| SendError::Reused { seq })?,
        }
        let repeats = line.repeats_itself(types);
        let values = values_of(packet, types.pt, line.ssrc, seq, &stamp, *twcc_seq);
        let dependency = line.dependency(packet);
        let form = line.form(dependency.as_ref().map(|(_, dependency)| dependency));
        let shape = line.shape(repeats, packet.audio_level_db.is_some(), form);
        let template = line.template(shape).ok_or(SendError::NoRoom)?;
        let pad_to = if repeats { 0 } else { pad_to };
        let writing = Writing {
            template,
            values,
            roc: roc(seq),
            dependency,
            osn: None,
            pad_to,
            tag_len: *tag_len,
        };
        let len = writing.write(wire, packet, out)?;
        // A jump beyond the window only forgets what is behind it.
        line.used.commit(seq);
        line.packets += 1;
        line.octets += packet.payload.len() as u64;
        line.latest = Some((packet.timestamp, packet.at, packet.codec.clock_rate_hz()));
        if line.ids.transport_cc.is_some() && !repeats {
            bandwidth.on_sent(*twcc_seq, len, stamp.at_us, None);
            *twcc_seq = twcc_seq.wrapping_add(1);
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
        let stamp = self.stamp(wire.now, wire.clock);
        let Self { lines, bandwidth, twcc_seq, tag_len, .. } = self;
        let line = lines.get_mut(slot.index()).filter(|line| line.sending);
        let line = line.ok_or(SendError::NotSending)?;
        let types = line.types_of(packet.codec).ok_or(SendError::CodecNotNegotiated)?;
        let sent = matches!(line.used.check(packet.seq), Err(Replayed::Seen { .. }));
        if !sent || line.kind != MediaKind::Video {
            return Err(SendError::NotAgain);
        }
        // Its own stream, or bit for bit what was sent before.
        let again = types.rtx.zip(line.rtx_ssrc);
        let (pt, ssrc) = again.unwrap_or((types.pt, line.ssrc));
        let seq = again.map_or(packet.seq, |_| line.rtx_seq);
        let dependency = line.dependency(packet);
        let shape = Shape {
            form: line.form(dependency.as_ref().map(|(_, dependency)| dependency)),
            mid: again.is_none() || !line.rtx_known,
            changing: again.is_some(),
            level: packet.audio_level_db.is_some() && line.ids.audio_level.is_some(),
        };
        let template = Template::new(shape, line.mid, &line.ids).ok_or(SendError::NoRoom)?;
        let writing = Writing {
            template: &template,
            values: values_of(packet, pt, ssrc, seq, &stamp, *twcc_seq),
            roc: roc(seq),
            dependency,
            osn: again.map(|_| low16(packet.seq)),
            pad_to: 0,
            tag_len: *tag_len,
        };
        let len = writing.write(wire, packet, out)?;
        if again.is_some() {
            line.rtx_seq += 1;
            if line.ids.transport_cc.is_some() {
                bandwidth.on_sent(*twcc_seq, len, stamp.at_us, None);
                *twcc_seq = twcc_seq.wrapping_add(1);
            }
        }
        Ok(len)
    }

    /// One packet of nothing but padding, among the retransmissions of a section that has some, so that no receiver
    /// takes it for media. Bytes on the wire; `None` if no section has any.
    pub(super) fn send_padding(
        &mut self,
        wire: Wire<'_>,
        probe: u8,
        out: &mut Egress,
    ) -> Option<usize> {
        let stamp = self.stamp(wire.now, wire.clock);
        let Self { lines, bandwidth, twcc_seq, tag_len, .. } = self;
        let line = lines.iter_mut().find(|line| {
            let again = line.first.is_some_and(|types| !line.repeats_itself(types));
            line.sends_again() && again && line.packets > 0 && line.ids.transport_cc.is_some()
        })?;
        let (pt, ssrc) = (line.first?.rtx?, line.rtx_ssrc?);
        let seq = line.rtx_seq;
        let (timestamp, at, _) = line.latest?;
        let packet = RtpOut {
            codec: Codec::Vp8,
            seq,
            timestamp,
            marker: false,
            payload: &[],
            vp8: None,
            dependency: None,
            audio_level_db: None,
            voice_activity: None,
            at,
        };
        let shape =
            Shape { mid: !line.rtx_known, changing: true, level: false, form: Form::OneByte };
        let template = Template::new(shape, line.mid, &line.ids)?;
        let writing = Writing {
            template: &template,
            values: values_of(&packet, pt, ssrc, seq, &stamp, *twcc_seq),
            roc: roc(seq),
            dependency: None,
            osn: None,
            pad_to: template.len() + *tag_len + header::PADDING_LEN_MAX,
            tag_len: *tag_len,
        };
        let len = writing.write(wire, &packet, out).ok()?;
        line.rtx_seq += 1;
        bandwidth.on_sent(*twcc_seq, len, stamp.at_us, Some(probe));
        *twcc_seq = twcc_seq.wrapping_add(1);
        Some(len)
    }

    fn stamp(&mut self, now: Instant, clock: &Mapping) -> Stamp {
        if let Some(stamp) = self.stamp
            && stamp.now == now
        {
            return stamp;
        }
        let since = clock.since(now);
        let send_time = clock.ntp_after(since).abs_send_time();
        *self.stamp.insert(Stamp { now, send_time, at_us: micros(since) })
    }
}

/// Microseconds of the connection's clock.
pub(super) fn micros(since: std::time::Duration) -> u64 {
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

fn check_len(packet: &RtpOut<'_>) -> Result<(), SendError> {
    let len = packet.payload.len();
    if len > limits::RTP_PAYLOAD_LEN_MAX { Err(SendError::TooLong { len }) } else { Ok(()) }
}

fn values_of(
    packet: &RtpOut<'_>,
    payload_type: u8,
    ssrc: u32,
    seq: u64,
    stamp: &Stamp,
    twcc: u16,
) -> Values {
    Values {
        marker: packet.marker,
        payload_type,
        sequence_number: low16(seq),
        timestamp: packet.timestamp,
        ssrc,
        send_time: stamp.send_time,
        twcc,
        level: level_of(packet.audio_level_db, packet.voice_activity),
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
