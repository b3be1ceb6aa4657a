//! One light receiver: its socket, its streams, its feedback.

use std::collections::HashMap;
use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use fermata_rtp::header::{self, Header};
use fermata_rtp::rtcp::{self, Packet, ReportBlock, write};
use fermata_rtp::twcc::ArrivalLog;
use fermata_srtp::{KeyingMaterial, Opener, Profile, Sealer};
use fermata_testkit::client::{BypassMessage, MediaKeys, MediaProfile, StreamMap, is_media};
use fermata_testkit::synth::{self, Stamp};
use fermata_types::Now;
use mio::{Interest, Poll, Token};
use quinn_udp::{RecvMeta, UdpSocketState};
use tokio::sync::mpsc;

use super::stream::{Carries, Stream};
use super::totals::Totals;
use crate::figures::Histogram;
use crate::limits;
use crate::spacing::{Deviations, Spacing};

/// Names of our feedback's senders begin here.
const SENDER_SSRC: u32 = 0x4C4F_0000;

/// A track as this receiver sees it.
#[derive(Debug)]
struct Track {
    sid: String,
    video: bool,
    /// From when on its first frame is waited for.
    since: Instant,
    first_packet: Option<Instant>,
    /// Timestamp of the first keyframe that began.
    key_timestamp: Option<u32>,
    first_frame: Option<Instant>,
    keyframe_at: Instant,
    keyframe_asks: u8,
}

/// One light receiver.
#[derive(Debug)]
pub(super) struct Reader {
    socket: mio::net::UdpSocket,
    state: UdpSocketState,
    datagrams: mpsc::Sender<(SocketAddr, Vec<u8>)>,
    remote: Option<SocketAddr>,
    keys: Option<(Opener, Sealer)>,
    rtcp_index: u32,
    sender: u32,
    map: StreamMap,
    described: bool,
    tracks: Vec<Track>,
    streams: HashMap<u32, Stream, rustc_hash::FxBuildHasher>,
    arrivals: ArrivalLog,
    started: Instant,
    report_at: Instant,
    delays: Histogram,
    deviations: Deviations,
    compound: Vec<u8>,
    lost: Vec<u16>,
    retransmissions: u64,
    keyframes_asked: u64,
    unopened: u64,
    unknown: u64,
    feedback: u64,
}

impl Reader {
    pub(super) fn new(
        now: Instant,
        id: u32,
        socket: &Arc<UdpSocket>,
        datagrams: mpsc::Sender<(SocketAddr, Vec<u8>)>,
        poll: &Poll,
        token: Token,
    ) -> io::Result<Self> {
        let mut socket = mio::net::UdpSocket::from_std(socket.try_clone()?);
        let state = UdpSocketState::new((&socket).into())?;
        // What the system does not grant is measured as loss of our own making.
        let _ = state.set_recv_buffer_size((&socket).into(), limits::SOCKET_BUFFER);
        poll.registry().register(&mut socket, token, Interest::READABLE)?;
        Ok(Self {
            socket,
            state,
            datagrams,
            remote: None,
            keys: None,
            rtcp_index: 0,
            sender: SENDER_SSRC + id,
            map: StreamMap::default(),
            described: false,
            tracks: Vec::new(),
            streams: HashMap::default(),
            arrivals: ArrivalLog::new(),
            started: now,
            // Not all in the same moment.
            report_at: now + Duration::from_millis(u64::from(id) * 37 % 1_000),
            delays: Histogram::default(),
            deviations: Deviations::default(),
            compound: Vec::new(),
            lost: Vec::new(),
            retransmissions: 0,
            keyframes_asked: 0,
            unopened: 0,
            unknown: 0,
            feedback: 0,
        })
    }

    pub(super) fn receive(
        &self,
        buffers: &mut [IoSliceMut<'_>],
        metas: &mut [RecvMeta],
    ) -> io::Result<usize> {
        self.state.recv((&self.socket).into(), buffers, metas)
    }

    pub(super) fn message(&mut self, now: Instant, message: BypassMessage, poll: &Poll) {
        match message {
            BypassMessage::Keys(keys) => self.keys = crypto(&keys),
            BypassMessage::Remote(remote) => self.remote = Some(remote),
            BypassMessage::Streams(map) => self.describe(now, *map),
            BypassMessage::Ended => {
                // Counters stay; the socket is read no more.
                let _ = poll.registry().deregister(&mut self.socket);
            }
            BypassMessage::Socket { .. } => {}
        }
    }

    fn describe(&mut self, now: Instant, map: StreamMap) {
        for track in &map.tracks {
            if self.tracks.iter().any(|known| known.sid == track.sid)
                || self.tracks.len() >= limits::STREAMS_MAX
            {
                continue;
            }
            self.tracks.push(Track {
                sid: track.sid.clone(),
                video: track.video,
                since: if self.described { now } else { self.started },
                first_packet: None,
                key_timestamp: None,
                first_frame: None,
                keyframe_at: now + limits::KEYFRAME_AGAIN,
                keyframe_asks: 0,
            });
        }
        self.described |= !map.tracks.is_empty();
        self.map = map;
        let unknown: Vec<u32> = self
            .streams
            .iter()
            .filter(|(_, stream)| stream.carries == Carries::Unknown)
            .map(|(ssrc, _)| *ssrc)
            .collect();
        for ssrc in unknown {
            let carries = self.carries(ssrc, None, None);
            if let Some(stream) = self.streams.get_mut(&ssrc) {
                stream.carries = carries;
            }
        }
    }

    fn carries(&self, ssrc: u32, mid: Option<&str>, repeats: Option<u8>) -> Carries {
        for track in &self.map.tracks {
            if let Some((_, media)) = track.repairs.iter().find(|(repair, _)| *repair == ssrc) {
                return Carries::Repairs(*media);
            }
            if repeats.is_none() && (track.ssrcs.contains(&ssrc) || mid == Some(&track.mid)) {
                let place = self.tracks.iter().position(|known| known.sid == track.sid);
                return place.map_or(Carries::Unknown, Carries::Media);
            }
        }
        Carries::Unknown
    }

    /// Takes a datagram off the socket.
    pub(super) fn datagram(&mut self, now: Now, meta: &RecvMeta, datagram: &mut [u8]) {
        if !is_media(datagram) {
            // A session that does not keep up loses datagrams as on any network.
            let _ = self.datagrams.try_send((meta.addr, datagram.to_vec()));
            return;
        }
        self.remote = Some(meta.addr);
        let (arrived, wall_us) = arrival(now, meta);
        if header::is_rtcp(datagram) {
            self.control(arrived, datagram);
        } else if let Some(header) = header::parse(datagram) {
            self.media(arrived, wall_us, &header, datagram);
        }
    }

    fn control(&mut self, now: Instant, datagram: &mut [u8]) {
        let Some((opener, _)) = &self.keys else { return };
        let Ok((len, _)) = opener.open_rtcp(datagram) else {
            self.unopened += 1;
            return;
        };
        for packet in rtcp::parse(datagram.get(..len).unwrap_or_default()) {
            if let Packet::SenderReport { ssrc, info, .. } = packet
                && let Some(stream) = self.streams.get_mut(&ssrc)
            {
                stream.report.on_sender_report(info.ntp, now);
            }
        }
    }

    fn media(&mut self, now: Instant, wall_us: u64, header: &Header, datagram: &mut [u8]) {
        if let Some(id) = self.map.transport_cc {
            let number = header::extensions(datagram, header).find(|(found, _)| *found == id);
            if let Some((_, [high, low])) = number {
                self.arrivals.record(u16::from_be_bytes([*high, *low]), now);
            }
        }
        if !self.streams.contains_key(&header.ssrc) {
            self.meet(header, datagram);
        }
        let Some(stream) = self.streams.get_mut(&header.ssrc) else { return };
        let len = datagram.len();
        let index = stream.count(header.sequence_number, header.timestamp, len, now);
        let Some(index) = index else { return };
        let place = match stream.carries {
            Carries::Media(place) => place,
            Carries::Unknown => {
                self.unknown += 1;
                return;
            }
            Carries::Repairs(media) => {
                self.repair(now, header, datagram, index, media);
                return;
            }
        };
        let counted = stream.packets;
        let Some(track) = self.tracks.get_mut(place) else { return };
        let first = track.first_packet.is_none();
        if first {
            track.first_packet = Some(now);
        }
        if first || track.first_frame.is_none() || counted.is_multiple_of(limits::SAMPLE_EVERY) {
            self.look(now, wall_us, header, datagram, (index, place));
        }
    }

    /// A stream that has not been seen.
    fn meet(&mut self, header: &Header, datagram: &[u8]) {
        if self.streams.len() >= limits::STREAMS_MAX {
            self.unknown += 1;
            return;
        }
        let mid = self.map.mid.and_then(|id| {
            let mut all = header::extensions(datagram, header);
            all.find(|(found, _)| *found == id).map(|(_, content)| content)
        });
        let mid = mid.and_then(|mid| std::str::from_utf8(mid).ok());
        let repeats = self.map.retransmissions.get(&header.payload_type).copied();
        let carries = self.carries(header.ssrc, mid, repeats);
        let video = !self.map.audio.contains(&header.payload_type);
        self.streams.insert(header.ssrc, Stream::new(header.ssrc, video, carries));
    }

    fn open<'d>(
        &mut self,
        header: &Header,
        datagram: &'d mut [u8],
        index: u64,
    ) -> Option<&'d [u8]> {
        let (opener, _) = self.keys.as_ref()?;
        let roc = u32::try_from(index >> 16).unwrap_or(0);
        let Ok(end) = opener.open_rtp(datagram, header.header_len, roc) else {
            self.unopened += 1;
            return None;
        };
        let end = header.payload_end(datagram, end)?;
        datagram.get(header.header_len..end)
    }

    /// Decrypts a packet of media and reads its stamp.
    fn look(
        &mut self,
        now: Instant,
        wall_us: u64,
        header: &Header,
        datagram: &mut [u8],
        (index, place): (u64, usize),
    ) {
        let Some(payload) = self.open(header, datagram, index) else { return };
        if payload.is_empty() {
            if let Some(stream) = self.streams.get_mut(&header.ssrc) {
                stream.padding += 1;
            }
            return;
        }
        if let Some(stamp) = Stamp::read(payload) {
            self.delays.add(wall_us.saturating_sub(stamp.sent_us));
            let stream = self.streams.get_mut(&header.ssrc);
            if let Some(us) = stream.and_then(|it| it.spacing.add(stamp.sent_us, wall_us)) {
                self.deviations.add(us);
            }
        }
        let vp8 = self.map.vp8.contains(&header.payload_type);
        let Some(track) = self.tracks.get_mut(place) else { return };
        if track.first_frame.is_some() {
            return;
        }
        if vp8 {
            let read = synth::read_vp8(payload);
            if read.is_some_and(|read| read.keyframe.is_some()) {
                track.key_timestamp = Some(header.timestamp);
            }
            if header.marker && track.key_timestamp == Some(header.timestamp) {
                track.first_frame = Some(now);
            }
        } else {
            track.first_frame = Some(now);
        }
    }

    /// A retransmission (RFC 4588): two bytes of the original number before the payload.
    fn repair(
        &mut self,
        now: Instant,
        header: &Header,
        datagram: &mut [u8],
        index: u64,
        media: u32,
    ) {
        let Some(payload) = self.open(header, datagram, index) else { return };
        let Some(original) = payload.first_chunk::<2>().copied() else {
            if let Some(stream) = self.streams.get_mut(&header.ssrc) {
                stream.padding += 1;
            }
            return;
        };
        self.retransmissions += 1;
        if let Some(stream) = self.streams.get_mut(&media) {
            stream.repair(u16::from_be_bytes(original), now);
        }
    }

    /// Sends what feedback is due.
    pub(super) fn feedback(&mut self, now: Instant) {
        if self.keys.is_none() || self.remote.is_none() {
            return;
        }
        let sender = self.sender;
        let mut compound = std::mem::take(&mut self.compound);
        compound.clear();
        for (ssrc, stream) in &mut self.streams {
            if !matches!(stream.carries, Carries::Media(_)) {
                continue;
            }
            stream.nack.due(now, limits::ROUND_TRIP, &mut self.lost);
            if !self.lost.is_empty() {
                write::nack(&mut compound, sender, *ssrc, &self.lost);
                self.lost.clear();
            }
        }
        self.ask_for_keyframes(now, &mut compound);
        if self.arrivals.next_timeout().is_some_and(|at| now >= at) {
            let media = self.streams.keys().next().copied().unwrap_or(0);
            while self.arrivals.feedback(sender, media, &mut compound) {
                self.flush(&mut compound);
            }
        }
        if now >= self.report_at {
            self.report_at = now + limits::REPORT_INTERVAL;
            self.report(now, &mut compound);
        }
        self.flush(&mut compound);
        self.compound = compound;
    }

    fn ask_for_keyframes(&mut self, now: Instant, compound: &mut Vec<u8>) {
        for (ssrc, stream) in &self.streams {
            let Carries::Media(place) = stream.carries else { continue };
            let Some(track) = self.tracks.get_mut(place) else { continue };
            if !track.video
                || track.first_frame.is_some()
                || now < track.keyframe_at
                || track.keyframe_asks >= limits::KEYFRAME_ASKS_MAX
            {
                continue;
            }
            track.keyframe_asks += 1;
            track.keyframe_at = now + limits::KEYFRAME_AGAIN;
            self.keyframes_asked += 1;
            write::picture_loss(compound, self.sender, *ssrc);
        }
    }

    fn report(&mut self, now: Instant, compound: &mut Vec<u8>) {
        let media = self.streams.values_mut().filter(|s| matches!(s.carries, Carries::Media(_)));
        let blocks: Vec<ReportBlock> =
            media.filter_map(|stream| stream.report.report_block(now)).collect();
        for blocks in blocks.chunks(limits::REPORT_BLOCKS_MAX) {
            self.flush_if_long(compound);
            write::receiver_report(compound, self.sender, blocks);
        }
        write::sdes_cname(compound, self.sender, "load");
    }

    fn flush_if_long(&mut self, compound: &mut Vec<u8>) {
        if compound.len() > limits::FEEDBACK_LEN_MAX / 3 {
            self.flush(compound);
        }
    }

    fn flush(&mut self, compound: &mut Vec<u8>) {
        if compound.is_empty() {
            return;
        }
        if let (Some((_, sealer)), Some(remote)) = (&self.keys, self.remote)
            && sealer.seal_rtcp(compound, self.rtcp_index).is_ok()
        {
            self.rtcp_index += 1;
            self.feedback += 1;
            // What the system does not take is lost, as on any network.
            let _ = self.socket.send_to(compound, remote);
        }
        compound.clear();
    }

    pub(super) fn measure(&mut self) {
        self.delays = Histogram::default();
        self.deviations = Deviations::default();
        for stream in self.streams.values_mut() {
            stream.spacing = Spacing::default();
        }
    }

    pub(super) fn add_to(&self, totals: &mut Totals) {
        for stream in self.streams.values() {
            totals.padding += stream.padding;
            if !matches!(stream.carries, Carries::Media(_)) {
                continue;
            }
            if stream.spacing.is_begun() {
                totals.deviations.add_stream(&stream.spacing);
            }
            totals.packets += stream.packets;
            totals.bytes += stream.bytes;
            totals.lost += stream.lost();
            totals.duplicates += stream.duplicates;
            totals.reordered += stream.reordered;
            totals.repaired += stream.repaired;
            totals.asked += stream.nack.asked();
        }
        totals.retransmissions += self.retransmissions;
        totals.keyframes_asked += self.keyframes_asked;
        totals.unopened += self.unopened;
        totals.unknown += self.unknown;
        totals.feedback += self.feedback;
        totals.delays.merge(&self.delays);
        totals.deviations.merge(&self.deviations);
        for track in &self.tracks {
            let since = |at: Instant| {
                let waited = at.saturating_duration_since(track.since);
                u64::try_from(waited.as_micros()).unwrap_or(u64::MAX)
            };
            totals.tracks += usize::from(track.first_packet.is_some());
            totals.first_packets.extend(track.first_packet.map(since));
            totals.first_frames.extend(track.first_frame.map(since));
        }
    }
}

/// When a datagram reached the machine, on both clocks; the kernel knows it better than we do.
fn arrival(now: Now, meta: &RecvMeta) -> (Instant, u64) {
    let wall = SystemTime::from(now.wall).duration_since(SystemTime::UNIX_EPOCH);
    let wall = wall.unwrap_or_default();
    let at = meta.timestamp.unwrap_or(wall).min(wall);
    let waited = wall.saturating_sub(at);
    let instant = now.instant.checked_sub(waited).unwrap_or(now.instant);
    (instant, u64::try_from(at.as_micros()).unwrap_or_default())
}

fn crypto(keys: &MediaKeys) -> Option<(Opener, Sealer)> {
    let profile = match keys.profile {
        MediaProfile::Gcm128 => Profile::AeadAes128Gcm,
        MediaProfile::Gcm256 => Profile::AeadAes256Gcm,
        MediaProfile::CmSha1 => Profile::Aes128CmHmacSha1_80,
    };
    let material = keys.material.get(..profile.keying_material_len())?;
    let split = KeyingMaterial::split(profile, material).ok()?;
    let client = (split.client_key, split.client_salt);
    let server = (split.server_key, split.server_salt);
    let (ours, theirs) = if keys.client { (client, server) } else { (server, client) };
    let opener = Opener::new(profile, theirs.0, theirs.1).ok()?;
    Some((opener, Sealer::new(profile, ours.0, ours.1).ok()?))
}
