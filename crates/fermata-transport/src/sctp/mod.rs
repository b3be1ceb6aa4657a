//! Data channels of one connection (RFC 8831): one SCTP association over DTLS, by `sctp-proto`; sans-IO.
//!
//! What it is: packets, messages and time in; packets, messages and the opening and closing of the three
//! channels of this protocol out. Channels are opened in-band (RFC 8832), by either end.
//!
//! What it is not: it protects nothing (the bytes go through DTLS) and gives messages no meaning. Make it when
//! DTLS is up and the SDP has an application section, not before.
//!
//! Memory: a peer can make us hold one receive window and we send no more than
//! [`limits::DATA_BUFFERED_MAX`] bytes ahead of its acknowledgements. Messages are read out of the association
//! only when they are polled, so a slow reader closes the peer's window.
//!
//! When the association breaks there is no more data on this connection; media is none the wiser.
//!
//! # Contract
//! After every call [`Sctp::poll`] until `None`; then [`Sctp::next_timeout`] is right.

mod dcep;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use sctp_proto::{
    Association, ClientConfig, DatagramEvent, Endpoint, EndpointConfig, Event, Payload,
    PayloadProtocolIdentifier as Protocol, ServerConfig, StreamEvent, TransportConfig,
};

use crate::config::Channel;
use crate::error::SendError;
use crate::limits;
use crate::parts::SctpConfig;
use dcep::Reliability;

/// What comes out of [`Sctp::poll`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SctpOutput {
    /// To be sent through DTLS.
    Packet(Bytes),
    /// Can be written to from now on, whoever opened it.
    Opened(Channel),
    /// A whole message.
    Message {
        /// Where it came.
        channel: Channel,
        /// Bytes, or text?
        binary: bool,
        /// At most as many bytes as we announced.
        data: Vec<u8>,
    },
    /// The peer closed the channel, or it could not be opened. It can be opened again.
    Closed(Channel),
    /// The association is gone, and all channels with it. Once, and nothing comes after it.
    Lost(String),
}

/// Counters of one association.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct SctpStats {
    /// Messages dropped: on no channel of ours, or neither text nor bytes.
    pub(crate) messages_refused: u64,
    /// Streams that were reset: unknown labels, second ones of a label, nonsense, too many.
    pub(crate) streams_refused: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The peer uses it and has not said what for.
    Nameless,
    /// We asked, the peer has not answered.
    Opening(Channel),
    Open(Channel),
}

#[derive(Debug, Clone, Copy)]
struct Stream {
    id: u16,
    state: State,
    /// There may be something to read.
    readable: bool,
}

/// One association with its channels.
pub(crate) struct Sctp {
    /// Whose streams have even numbers (RFC 8832 section 6).
    is_client: bool,
    /// Largest message taken, as our SDP says, bytes.
    message_len_max: usize,
    /// The largest that the peer takes, bytes.
    peer_message_len_max: usize,
    endpoint: Endpoint,
    association: Option<Association>,
    established: bool,
    lost: bool,
    /// To be opened as soon as the association stands.
    wanted: Vec<Channel>,
    /// At most [`limits::DATA_CHANNELS_MAX`].
    streams: Vec<Stream>,
    /// One burst of the association: at most its congestion window.
    packets: VecDeque<Bytes>,
    /// A few; filled only by [`Sctp::poll`] and emptied by it.
    events: VecDeque<SctpOutput>,
    now: Instant,
    stats: SctpStats,
}

impl fmt::Debug for Sctp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sctp")
            .field("is_client", &self.is_client)
            .field("established", &self.established)
            .field("streams", &self.streams)
            .finish_non_exhaustive()
    }
}

/// Our `a=sctp-port`; what everybody uses.
pub(crate) const SCTP_PORT: u16 = 5_000;

/// The engine wants addresses; there is only one peer and it is reached through DTLS.
const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5_000);

impl Sctp {
    /// A new association. As client (which is the DTLS client) it begins at once, else it waits for the peer.
    /// `message_len_max` is what our SDP announces, bytes. Our port is [`SCTP_PORT`].
    pub(crate) fn new(
        now: Instant,
        is_client: bool,
        config: &SctpConfig,
        message_len_max: usize,
    ) -> Self {
        let transport = Arc::new(transport_config(config, message_len_max));
        let mut endpoint_config = EndpointConfig::new();
        endpoint_config.max_payload_size(limits::SCTP_PAYLOAD_LEN);
        let mut server = ServerConfig::new();
        server.transport = Arc::clone(&transport);
        let mut endpoint = Endpoint::new(Arc::new(endpoint_config), Some(Arc::new(server)));
        let mut association = None;
        if is_client {
            // A peer that begins too is not answered: it answers us. One association is all there is.
            endpoint.reject_new_associations();
            let mut client = ClientConfig::new();
            client.transport = transport;
            association = endpoint.connect(client, PEER).ok().map(|(_, association)| association);
        }
        let mut sctp = Self {
            is_client,
            message_len_max,
            peer_message_len_max: match config.remote_message_len_max {
                // No limit (RFC 8841 section 6.1); what is larger could not be held anyway.
                0 => limits::DATA_BUFFERED_MAX,
                len => len.min(limits::DATA_BUFFERED_MAX),
            },
            endpoint,
            association,
            established: false,
            lost: false,
            wanted: Vec::new(),
            streams: Vec::new(),
            packets: VecDeque::new(),
            events: VecDeque::new(),
            now,
            stats: SctpStats::default(),
        };
        sctp.limit_messages();
        sctp
    }

    /// Takes one packet out of DTLS. What cannot be read is dropped.
    pub(crate) fn handle(&mut self, now: Instant, packet: &[u8]) {
        self.now = now;
        if self.lost {
            return;
        }
        let packet = Bytes::copy_from_slice(packet);
        match self.endpoint.handle(now, PEER, None, None, packet) {
            Some((_, DatagramEvent::NewAssociation(association))) => {
                self.endpoint.reject_new_associations();
                self.association = Some(association);
                self.limit_messages();
            }
            Some((_, DatagramEvent::AssociationEvent(event))) => {
                if let Some(association) = &mut self.association {
                    association.handle_event(event);
                }
            }
            None => {}
        }
    }

    /// Tells the time, at the latest when [`Sctp::next_timeout`] said so.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        if let Some(association) = &mut self.association {
            association.handle_timeout(now);
        }
    }

    /// When [`Sctp::handle_timeout`] is due; `None` if nothing is waited for.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.association.as_ref()?.poll_timeout()
    }

    /// Opens a channel, now or once the association stands. Nothing happens if it is open or opening.
    pub(crate) fn open(&mut self, now: Instant, channel: Channel) {
        self.now = now;
        if self.lost || self.wanted.contains(&channel) || self.find(channel).is_some() {
            return;
        }
        if self.established {
            self.open_now(channel);
        } else {
            self.wanted.push(channel);
        }
    }

    /// Can this channel be written to?
    pub(crate) fn is_open(&self, channel: Channel) -> bool {
        self.find(channel).is_some_and(|stream| stream.state == State::Open(channel))
    }

    /// Has the association broken?
    #[cfg(test)]
    pub(crate) fn is_lost(&self) -> bool {
        self.lost
    }

    /// Counters.
    pub(crate) fn stats(&self) -> SctpStats {
        self.stats
    }

    /// Queues one message.
    ///
    /// # Errors
    /// [`SendError::NotOpen`], [`SendError::TooLong`] against the peer's limit or, to be tried later or
    /// dropped, [`SendError::Full`].
    pub(crate) fn send(
        &mut self,
        now: Instant,
        channel: Channel,
        binary: bool,
        data: &[u8],
    ) -> Result<(), SendError> {
        self.now = now;
        let open = self.find(channel).filter(|stream| stream.state == State::Open(channel));
        let id = open.ok_or(SendError::NotOpen)?.id;
        if data.len() > self.peer_message_len_max {
            return Err(SendError::TooLong { len: data.len() });
        }
        if self.buffered() + data.len() > limits::DATA_BUFFERED_MAX {
            return Err(SendError::Full);
        }
        // SCTP has no empty messages: one byte stands for none (RFC 8831 section 6.6).
        let (protocol, data) = match (binary, data.is_empty()) {
            (true, false) => (Protocol::Binary, data),
            (true, true) => (Protocol::BinaryEmpty, [0].as_slice()),
            (false, false) => (Protocol::String, data),
            (false, true) => (Protocol::StringEmpty, [0].as_slice()),
        };
        let association = self.association.as_mut().ok_or(SendError::NotOpen)?;
        let mut stream = association.stream(id).map_err(|_| SendError::NotOpen)?;
        // Fails only on a stream that is being reset.
        stream.write_with_ppi(data, protocol).map(|_| ()).map_err(|_| SendError::NotOpen)
    }

    /// Bytes sent or waiting that the peer has not acknowledged, over all channels.
    pub(crate) fn buffered(&mut self) -> usize {
        let Some(association) = &mut self.association else { return 0 };
        let amount = |id| association.stream(id).ok()?.buffered_amount().ok();
        self.streams.iter().map(|stream| stream.id).filter_map(amount).sum()
    }

    /// The next output.
    pub(crate) fn poll(&mut self) -> Option<SctpOutput> {
        loop {
            self.gather();
            if let Some(packet) = self.packets.pop_front() {
                return Some(SctpOutput::Packet(packet));
            }
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            if !self.take_event() && !self.read_one() {
                return None;
            }
        }
    }

    /// Takes what is to be sent out of the engine, one burst at a time.
    fn gather(&mut self) {
        while self.packets.is_empty() {
            let next = self.endpoint.poll_transmit().or_else(|| {
                let now = self.now;
                self.association.as_mut()?.poll_transmit(now)
            });
            let Some(transmit) = next else { return };
            if let Payload::RawEncode(packets) = transmit.payload {
                self.packets.extend(packets);
            }
        }
    }

    /// Acts on one event of the association. False if there is none.
    fn take_event(&mut self) -> bool {
        let Some(association) = &mut self.association else { return false };
        // These are for endpoints with many associations.
        while association.poll_endpoint_event().is_some() {}
        let Some(event) = association.poll() else { return false };
        match event {
            Event::Connected => self.connected(),
            Event::AssociationLost { reason } | Event::HandshakeFailed { reason } => {
                self.lose(&reason);
            }
            Event::Stream(StreamEvent::Opened { .. }) => self.count(),
            Event::Stream(StreamEvent::Readable { id }) => self.readable(id),
            Event::Stream(StreamEvent::Finished { id } | StreamEvent::Stopped { id, .. }) => {
                self.finished(id);
            }
            _ => {}
        }
        true
    }

    fn connected(&mut self) {
        self.established = true;
        self.limit_messages();
        for channel in std::mem::take(&mut self.wanted) {
            // The peer may have opened it meanwhile.
            if self.find(channel).is_none() {
                self.open_now(channel);
            }
        }
    }

    /// The peer has begun to use a stream, perhaps with a part of a message only.
    fn count(&mut self) {
        let Some(association) = &mut self.association else { return };
        // A list for those who accept streams one by one; left alone it would grow for ever.
        while association.accept_stream().is_some() {}
        if association.stream_ids().len() > limits::SCTP_STREAMS_LIVE_MAX {
            self.lose(&"the peer uses too many streams");
        }
    }

    fn lose(&mut self, reason: &dyn fmt::Display) {
        tracing::debug!(%reason, "The data channels of a connection are over.");
        // The word to the peer, if there is one to be said.
        self.gather();
        self.association = None;
        self.established = false;
        self.lost = true;
        self.streams.clear();
        self.wanted.clear();
        self.events.push_back(SctpOutput::Lost(reason.to_string()));
    }

    fn open_now(&mut self, channel: Channel) {
        let reliability = match channel {
            Channel::Reliable => Reliability::RELIABLE,
            Channel::Lossy | Channel::DataTrack => Reliability::LOSSY,
        };
        let Some(association) = &mut self.association else { return };
        let first = u16::from(!self.is_client);
        // A number may still belong to a channel whose end the peer has not confirmed.
        for id in (first..limits::SCTP_STREAMS_MAX).step_by(2).take(limits::DATA_CHANNELS_MAX * 2) {
            let Ok(mut stream) = association.open_stream(id, Protocol::Binary) else { continue };
            let open = dcep::open(channel.label(), reliability);
            let done = stream
                .set_reliability_params(!reliability.ordered, reliability.kind, reliability.value)
                .and_then(|()| stream.write_with_ppi(&open, Protocol::Dcep));
            if done.is_ok() {
                let state = State::Opening(channel);
                self.streams.push(Stream { id, state, readable: false });
                return;
            }
            break;
        }
        self.events.push_back(SctpOutput::Closed(channel));
    }

    /// Something can be read on a stream, perhaps one that the peer has just begun to use.
    fn readable(&mut self, id: u16) {
        if let Some(stream) = self.streams.iter_mut().find(|stream| stream.id == id) {
            stream.readable = true;
            return;
        }
        let Some(association) = &mut self.association else { return };
        // One that we have reset goes on for a while on the peer's side.
        if !association.stream(id).is_ok_and(|stream| stream.is_readable()) {
            return;
        }
        if self.streams.len() < limits::DATA_CHANNELS_MAX {
            self.streams.push(Stream { id, state: State::Nameless, readable: true });
        } else {
            self.refuse(id);
        }
    }

    /// The peer has reset a stream; the engine has answered with ours.
    fn finished(&mut self, id: u16) {
        let Some(at) = self.streams.iter().position(|stream| stream.id == id) else { return };
        let stream = self.streams.swap_remove(at);
        if let State::Opening(channel) | State::Open(channel) = stream.state {
            self.events.push_back(SctpOutput::Closed(channel));
        }
    }

    /// Resets a stream that nobody would ever read.
    fn refuse(&mut self, id: u16) {
        self.stats.streams_refused += 1;
        self.close(id);
    }

    fn close(&mut self, id: u16) {
        self.streams.retain(|stream| stream.id != id);
        if let Some(association) = &mut self.association
            && let Ok(mut stream) = association.stream(id)
        {
            // Without an association there is nothing to reset.
            let _ = stream.close();
        }
    }

    /// Reads one message of any stream. False if there is none.
    ///
    /// A message may overtake the last word of the association's handshake. It stays where it is until then,
    /// since no answer could be given.
    fn read_one(&mut self) -> bool {
        if !self.established {
            return false;
        }
        let Some(stream) = self.streams.iter_mut().find(|stream| stream.readable) else {
            return false;
        };
        let (id, state) = (stream.id, stream.state);
        let message = self
            .association
            .as_mut()
            .and_then(|association| association.stream(id).ok()?.read().ok()?);
        match message {
            None => stream.readable = false,
            Some(message) => {
                let mut data = vec![0; message.len()];
                if message.read(&mut data).is_ok() {
                    self.message(id, state, message.ppi, data);
                }
            }
        }
        true
    }

    fn message(&mut self, id: u16, state: State, protocol: Protocol, mut data: Vec<u8>) {
        let binary = match protocol {
            Protocol::Dcep => return self.control(id, state, &data),
            Protocol::String | Protocol::StringEmpty => false,
            Protocol::Binary | Protocol::BinaryEmpty => true,
            Protocol::Unknown => {
                self.stats.messages_refused += 1;
                return;
            }
        };
        if matches!(protocol, Protocol::StringEmpty | Protocol::BinaryEmpty) {
            data.clear();
        }
        let channel = match state {
            State::Open(channel) => channel,
            // Its acknowledgement was overtaken: who sends has opened.
            State::Opening(channel) => {
                self.opened(id, channel);
                channel
            }
            State::Nameless => {
                self.stats.messages_refused += 1;
                return;
            }
        };
        if data.len() > self.message_len_max {
            self.stats.messages_refused += 1;
            return;
        }
        self.events.push_back(SctpOutput::Message { channel, binary, data });
    }

    /// `DATA_CHANNEL_OPEN` or `DATA_CHANNEL_ACK`.
    fn control(&mut self, id: u16, state: State, message: &[u8]) {
        match state {
            State::Opening(channel) if dcep::is_ack(message) => self.opened(id, channel),
            // Late, after data that said the same.
            State::Open(_) if dcep::is_ack(message) => {}
            State::Nameless => self.accept(id, message),
            State::Opening(channel) | State::Open(channel) => {
                self.refuse(id);
                self.events.push_back(SctpOutput::Closed(channel));
            }
        }
    }

    /// The peer says what a stream is for.
    fn accept(&mut self, id: u16, message: &[u8]) {
        let asked = dcep::parse_open(message)
            .and_then(|open| Some((Channel::from_label(open.label)?, open.reliability)));
        let Some((channel, reliability)) = asked else { return self.refuse(id) };
        if self.find(channel).is_some() {
            return self.refuse(id);
        }
        let answered = self.association.as_mut().is_some_and(|association| {
            let Ok(mut stream) = association.stream(id) else { return false };
            stream
                .set_reliability_params(!reliability.ordered, reliability.kind, reliability.value)
                .and_then(|()| stream.write_with_ppi(&dcep::ACKNOWLEDGEMENT, Protocol::Dcep))
                .is_ok()
        });
        if answered { self.opened(id, channel) } else { self.refuse(id) }
    }

    fn opened(&mut self, id: u16, channel: Channel) {
        self.wanted.retain(|wanted| *wanted != channel);
        if let Some(stream) = self.streams.iter_mut().find(|stream| stream.id == id) {
            stream.state = State::Open(channel);
            self.events.push_back(SctpOutput::Opened(channel));
        }
    }

    fn find(&self, channel: Channel) -> Option<Stream> {
        let is_it = |stream: &&Stream| match stream.state {
            State::Opening(named) | State::Open(named) => named == channel,
            State::Nameless => false,
        };
        self.streams.iter().find(is_it).copied()
    }

    fn limit_messages(&mut self) {
        let len = u32::try_from(self.peer_message_len_max).unwrap_or(u32::MAX);
        if let Some(association) = &mut self.association {
            association.set_max_send_message_size(len);
        }
    }
}

fn transport_config(config: &SctpConfig, message_len_max: usize) -> TransportConfig {
    let message_len = u32::try_from(message_len_max).unwrap_or(u32::MAX);
    TransportConfig::default()
        .with_local_port(SCTP_PORT)
        .with_remote_port(config.remote_port)
        // A message is delivered whole, so one has to fit; more of a window than that only costs memory.
        .with_max_receive_buffer_size(message_len.max(limits::SCTP_WINDOW_MIN))
        .with_max_receive_message_size(message_len)
        .with_max_num_inbound_streams(limits::SCTP_STREAMS_MAX)
        .with_max_num_outbound_streams(limits::SCTP_STREAMS_MAX)
        // Whether the peer is alive is known from ICE.
        .with_max_init_retransmits(None)
        .with_max_data_retransmits(None)
        .with_rto_initial_ms(limits::SCTP_RTO_INITIAL_MS)
        .with_rto_min_ms(limits::SCTP_RTO_MIN_MS)
        .with_rto_max_ms(limits::SCTP_RTO_MAX_MS)
}
