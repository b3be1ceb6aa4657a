//! The connection itself: datagrams and time in, datagrams and events out.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::{Instant, SystemTime};

use str0m::bwe::{Bitrate, BweKind};
use str0m::channel::{ChannelData, ChannelId};
use str0m::net::{DatagramRecv, Protocol, Receive};
use str0m::rtp::{RtpPacket, Ssrc};
use str0m::{Candidate, IceConnectionState, Input, Output, Rtc, RtcError};

use crate::codecs;
use crate::config::{Channel, PeerKind, TransportConfig};
use crate::error::TransportError;
use crate::event::{Event, Poll, RtpIn, SenderInfo, Transmit};
use crate::id::{Mid, Rid};
use crate::limits;
use crate::lines::Lines;
use crate::negotiate::Negotiation;
use crate::stats::{Collector, StreamStats, TransportStats, Way};

/// One WebRTC connection. See the crate's page for the polling contract.
pub struct Transport {
    pub(crate) rtc: Rtc,
    pub(crate) kind: PeerKind,
    pub(crate) lines: Lines,
    pub(crate) negotiation: Negotiation,
    pub(crate) channels: [Option<ChannelId>; 3],
    pub(crate) data_message_len_max: usize,
    pub(crate) reuse_sections: bool,
    pub(crate) stats: Collector,
    ssrcs: HashMap<Ssrc, (Mid, Option<Rid>)>,
    reports: HashMap<(Mid, Option<Rid>), SenderInfo>,
    bwe_bps: Option<u64>,
    last_now: Instant,
    path: Path,
    closed_told: bool,
}

/// Whether the peer can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Path {
    /// ICE and DTLS have never been up.
    Waiting,
    Up,
    /// The peer's checks stopped.
    Lost,
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("kind", &self.kind)
            .field("sections", &self.lines.len())
            .field("connected", &self.is_connected())
            .finish_non_exhaustive()
    }
}

impl Transport {
    /// A new connection that waits for its first offer, or for the first `create_offer`.
    ///
    /// Candidates of `config` that are no usable host address (unspecified, multicast) are left out.
    pub fn new(now: Instant, kind: PeerKind, config: &TransportConfig) -> Self {
        let message_len_max = config.data_message_len_max.max(limits::DATA_MESSAGE_LEN_MIN);
        let mut builder = Rtc::builder()
            .set_rtp_mode(true)
            .set_ice_lite(true)
            .set_extension_map(codecs::extensions())
            .set_sctp_max_message_size(u32::try_from(message_len_max).unwrap_or(u32::MAX))
            .set_sctp_max_buffered_amount(limits::DATA_BUFFERED_MAX)
            .set_stats_interval(Some(limits::STATS_INTERVAL))
            .enable_bwe(config.bwe_initial_bps.map(Bitrate::from));
        codecs::configure(builder.codec_config());
        let mut rtc = builder.build(now);
        for address in &config.candidates {
            if let Ok(candidate) = Candidate::host(*address, "udp") {
                rtc.add_local_candidate(candidate);
            }
        }
        let mut transport = Self {
            rtc,
            kind,
            lines: Lines::new(),
            negotiation: Negotiation::default(),
            channels: [None; 3],
            data_message_len_max: message_len_max,
            reuse_sections: config.reuse_sections,
            stats: Collector::default(),
            ssrcs: HashMap::new(),
            reports: HashMap::new(),
            bwe_bps: None,
            last_now: now,
            path: Path::Waiting,
            closed_told: false,
        };
        transport.refresh_ufrag();
        transport
    }

    /// What it was made for.
    pub fn kind(&self) -> PeerKind {
        self.kind
    }

    /// Our ICE user fragment, by which a STUN request names this connection
    /// (see [`crate::stun_username_ufrag`]).
    /// Changes when an ICE restart completes: read it again after each `accept_offer` and `accept_answer`.
    pub fn local_ufrag(&self) -> String {
        self.negotiation.local_ufrag.clone()
    }

    /// Does this datagram belong here? By the address in use, else by the STUN credentials, else by the
    /// addresses the peer was seen at. For STUN from a new address this parses and authenticates the message,
    /// so with many connections look the connection up by [`crate::stun_username_ufrag`] first.
    pub fn accepts(
        &self,
        now: Instant,
        source: SocketAddr,
        destination: SocketAddr,
        data: &[u8],
    ) -> bool {
        receive(source, destination, data)
            .is_ok_and(|receive| self.rtc.accepts(&Input::Receive(now, receive)))
    }

    /// Takes one datagram. Poll to the timeout before the next.
    ///
    /// # Errors
    /// [`TransportError::TooLong`] and [`TransportError::Malformed`] are counted and harmless;
    /// [`TransportError::Failed`] closed this connection.
    pub fn handle_datagram(
        &mut self,
        now: Instant,
        source: SocketAddr,
        destination: SocketAddr,
        data: &[u8],
    ) -> Result<(), TransportError> {
        self.last_now = self.last_now.max(now);
        match receive(source, destination, data) {
            Ok(receive) => self.input(Input::Receive(now, receive)),
            Err(error) => {
                self.stats.stats.datagrams_refused += 1;
                Err(error)
            }
        }
    }

    /// Tells the time, at the latest when the last [`Poll::Timeout`] said so.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.last_now = self.last_now.max(now);
        // A failure has closed the connection, which polling reports.
        let _ = self.input(Input::Timeout(now));
    }

    fn input(&mut self, input: Input<'_>) -> Result<(), TransportError> {
        self.rtc.handle_input(input).map_err(|error| self.fail(&error))
    }

    /// A failure of the engine ends this connection and no other.
    fn fail(&mut self, error: &RtcError) -> TransportError {
        tracing::debug!(%error, "Closed a connection that failed.");
        self.rtc.disconnect();
        TransportError::Failed { detail: error.to_string() }
    }

    /// The next output. Call until [`Poll::Timeout`] after every single input or change.
    pub fn poll(&mut self) -> Poll {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Transmit(transmit)) => {
                    return Poll::Transmit(Transmit {
                        source: transmit.source,
                        destination: transmit.destination,
                        data: transmit.contents.into(),
                    });
                }
                Ok(Output::Event(event)) => {
                    if let Some(event) = self.translate(event) {
                        return Poll::Event(event);
                    }
                }
                Ok(Output::Timeout(at)) if self.rtc.is_alive() => {
                    return Poll::Timeout(at.min(self.last_now + limits::IDLE_TIMEOUT));
                }
                Ok(Output::Timeout(_)) => return self.closed(),
                Err(error) => {
                    self.fail(&error);
                    return self.closed();
                }
            }
        }
    }

    fn closed(&mut self) -> Poll {
        if self.closed_told {
            return Poll::Timeout(self.last_now + limits::IDLE_TIMEOUT);
        }
        self.closed_told = true;
        Poll::Event(Event::Closed)
    }

    /// Has it not ended yet?
    pub fn is_alive(&self) -> bool {
        self.rtc.is_alive()
    }

    /// Are ICE and DTLS up, and is the peer still heard from?
    pub fn is_connected(&self) -> bool {
        self.path == Path::Up && self.rtc.is_alive()
    }

    /// Says goodbye to the peer. Poll on until [`Event::Closed`]; nothing waits for the peer's reply.
    pub fn close(&mut self) {
        if self.rtc.close().is_err() {
            self.rtc.disconnect();
        }
    }

    /// Counters and path quality.
    pub fn stats(&self) -> TransportStats {
        self.stats.stats
    }

    /// Feedback about what is sent on a section, once the peer reported any.
    pub fn sent_stats(&self, mid: Mid) -> Option<StreamStats> {
        let line = self.lines.get(mid)?;
        self.stats.stream((line.wire, None, Way::Sent))
    }

    /// Feedback about what comes in on a section and layer, once something came.
    pub fn received_stats(&self, mid: Mid, rid: Option<Rid>) -> Option<StreamStats> {
        let line = self.lines.get(mid)?;
        self.stats.stream((line.wire, rid.map(|rid| rid.0), Way::Received))
    }

    /// The latest [`Event::BandwidthEstimate`], bits per second.
    pub fn bwe_bps(&self) -> Option<u64> {
        self.bwe_bps
    }

    /// The latest sender report of a section and layer, if one came.
    pub fn sender_report(&self, mid: Mid, rid: Option<Rid>) -> Option<SenderInfo> {
        self.reports.get(&(mid, rid)).copied()
    }

    fn translate(&mut self, event: str0m::Event) -> Option<Event> {
        use str0m::Event as Engine;
        match event {
            Engine::Connected => {
                self.path = Path::Up;
                Some(Event::Connected)
            }
            Engine::IceConnectionStateChange(state) => self.ice_state(state),
            Engine::MediaAdded(added) => self.lines.mid_of(added.mid).map(Event::MediaAdded),
            Engine::RtpPacket(packet) => self.rtp(packet).map(Event::Rtp),
            Engine::KeyframeRequest(request) => {
                self.stats.stats.keyframe_requests_received += 1;
                let mid = self.lines.mid_of(request.mid)?;
                Some(Event::KeyframeRequested { mid })
            }
            Engine::ChannelOpen(id, label) => self.channel_opened(id, &label),
            Engine::ChannelData(data) => self.channel_data(data),
            Engine::ChannelClose(id) => {
                for slot in &mut self.channels {
                    slot.take_if(|open| *open == id);
                }
                None
            }
            Engine::PeerStats(report) => {
                self.stats.peer(&report);
                None
            }
            Engine::MediaEgressStats(report) => {
                self.stats.egress(&report);
                None
            }
            Engine::MediaIngressStats(report) => {
                self.stats.ingress(&report);
                None
            }
            Engine::EgressBitrateEstimate(
                BweKind::Twcc { estimate, .. } | BweKind::Remb { estimate, .. },
            ) => {
                let bps = estimate.as_u64();
                self.bwe_bps = Some(bps);
                Some(Event::BandwidthEstimate { bps })
            }
            // Closing is told once its last datagrams are out; the others carry nothing we use.
            _ => None,
        }
    }

    fn ice_state(&mut self, state: IceConnectionState) -> Option<Event> {
        match state {
            IceConnectionState::Disconnected if self.path == Path::Up => {
                self.path = Path::Lost;
                Some(Event::Disconnected)
            }
            IceConnectionState::Connected | IceConnectionState::Completed
                if self.path == Path::Lost =>
            {
                self.path = Path::Up;
                Some(Event::Connected)
            }
            _ => None,
        }
    }

    fn rtp(&mut self, packet: RtpPacket) -> Option<RtpIn> {
        let place = self.place_of(&packet);
        let codec = self.lines.codec_of(packet.header.payload_type);
        let (Some((mid, rid)), Some(codec)) = (place, codec) else {
            self.stats.stats.packets_unknown += 1;
            return None;
        };
        if let Some(info) = packet.last_sender_info {
            #[expect(clippy::cast_possible_truncation, reason = "RTP time is the low 32 bits")]
            let rtp_time = info.rtp_time.numer() as u32;
            self.remember_report((mid, rid), rtp_time, info.ntp_time, packet.timestamp);
        }
        self.stats.stats.packets_received += 1;
        self.stats.stats.payload_bytes_received += packet.payload.len() as u64;
        Some(RtpIn {
            mid,
            rid,
            codec,
            seq: *packet.seq_no,
            timestamp: packet.header.timestamp,
            marker: packet.header.marker,
            audio_level_db: packet.header.ext_vals.audio_level,
            voice_activity: packet.header.ext_vals.voice_activity,
            payload: packet.payload,
            arrived: packet.timestamp,
        })
    }

    /// The section and layer of a packet. Asking the engine wakes all of it, hence the cache by SSRC.
    fn place_of(&mut self, packet: &RtpPacket) -> Option<(Mid, Option<Rid>)> {
        let ssrc = packet.header.ssrc;
        let named = packet.header.ext_vals.mid;
        if let Some(place) = self.ssrcs.get(&ssrc)
            && named.is_none_or(|mid| mid == place.0.0)
        {
            return Some(*place);
        }
        let mut api = self.rtc.direct_api();
        let stream = api.stream_rx(&ssrc)?;
        let place = (self.lines.mid_of(stream.mid())?, stream.rid().map(Rid));
        if self.ssrcs.len() >= limits::SSRC_CACHE_MAX {
            self.ssrcs.clear();
        }
        self.ssrcs.insert(ssrc, place);
        Some(place)
    }

    fn remember_report(
        &mut self,
        place: (Mid, Option<Rid>),
        rtp_time: u32,
        ntp: SystemTime,
        received: Instant,
    ) {
        let known = self.reports.get(&place);
        if known.is_some_and(|known| known.rtp_time == rtp_time && known.ntp == ntp) {
            return;
        }
        if self.reports.len() >= limits::SENDER_REPORTS_MAX {
            self.reports.clear();
        }
        self.reports.insert(place, SenderInfo { rtp_time, ntp, received });
    }

    /// Forgets which SSRC belongs where; a negotiation may have changed it.
    pub(crate) fn forget_ssrcs(&mut self) {
        self.ssrcs.clear();
    }

    fn channel_opened(&mut self, id: ChannelId, label: &str) -> Option<Event> {
        let slot = Channel::from_label(label)
            .and_then(|channel| Some((channel, self.channels.get_mut(channel.index())?)));
        match slot {
            Some((channel, slot)) if slot.is_none_or(|open| open == id) => {
                *slot = Some(id);
                Some(Event::ChannelOpened(channel))
            }
            // A label of nobody's, or a second channel of one label: nothing would ever read it.
            _ => {
                self.rtc.direct_api().close_data_channel(id);
                None
            }
        }
    }

    fn channel_data(&mut self, message: ChannelData) -> Option<Event> {
        let len = message.data.len();
        let channel = Channel::ALL
            .into_iter()
            .find(|channel| self.channel_id(*channel) == Some(message.id))
            .filter(|_| len <= self.data_message_len_max);
        let Some(channel) = channel else {
            self.stats.stats.messages_refused += 1;
            return None;
        };
        Some(Event::Data { channel, binary: message.binary, data: message.data })
    }

    pub(crate) fn channel_id(&self, channel: Channel) -> Option<ChannelId> {
        self.channels.get(channel.index()).copied().flatten()
    }
}

fn receive(
    source: SocketAddr,
    destination: SocketAddr,
    data: &[u8],
) -> Result<Receive<'_>, TransportError> {
    if data.len() > limits::DATAGRAM_LEN_MAX {
        return Err(TransportError::TooLong { len: data.len() });
    }
    let contents = DatagramRecv::try_from(data).map_err(|_| TransportError::Malformed)?;
    Ok(Receive { proto: Protocol::Udp, source, destination, contents })
}
