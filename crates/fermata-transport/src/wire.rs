//! The half of a connection that moves packets: datagrams and time in, datagrams and events out.
//!
//! What it is not: it negotiates nothing; what is agreed comes as an [`Agreement`] from the other half,
//! [`crate::Session`], which may live in another thread or on another machine.

use std::fmt;
use std::net::SocketAddr;
use std::time::Instant;

use fermata_rtp::header;
use fermata_srtp::{KeyingMaterial, Opener, Sealer};

use crate::candidates::{HostCandidates, Protocol};
use crate::config::{Channel, PeerKind, TransportConfig};
use crate::dtls::{Certificate, Dtls, DtlsClosed, DtlsOutput, Fingerprint, Keys};
use crate::egress::{Egress, Path};
use crate::error::TransportError;
use crate::event::{Estimate, Event, RtpIn, SenderInfo};
use crate::events::Events;
use crate::ice::{IceEvent, IceLite};
use crate::id::{Mid, Rid};
use crate::limits;
use crate::media::Media;
use crate::parts::{Role, SctpConfig};
use crate::sctp::{Sctp, SctpOutput};
use crate::session::Agreement;
use crate::stats::{StreamStats, TransportStats};

/// The half of a WebRTC connection that moves packets. See the crate's page for the contract.
pub struct Wire {
    kind: PeerKind,
    /// Data channels as agreed.
    agreed_sctp: Option<SctpConfig>,
    pub(crate) ice: IceLite,
    pub(crate) certificate: Option<Certificate>,
    /// `None` once it has ended.
    pub(crate) dtls: Option<Dtls>,
    /// We begin the handshake.
    pub(crate) active: bool,
    pub(crate) sctp: Option<Sctp>,
    pub(crate) media: Media,
    events: Events,
    presence: Presence,
    /// Once DTLS is up: were we its client?
    keyed: Option<bool>,
    /// Where to send.
    path: Option<Path>,
    /// Where the last datagram came from, if ICE knows the address.
    heard: Option<Path>,
    pub(crate) last_now: Instant,
    /// Of ICE, DTLS and SCTP.
    deadline: Option<Instant>,
    ending: Ending,
    pub(crate) message_len_max: usize,
    pub(crate) bytes_sent: u64,
    bytes_received: u64,
    refused: u64,
    messages_refused: u64,
}

/// Whether the peer can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    /// ICE and DTLS have never been up.
    Waiting,
    Up,
    /// The peer's checks stopped.
    Lost,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    No,
    /// We have a goodbye to say.
    Asked,
    Over,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire")
            .field("kind", &self.kind)
            .field("presence", &self.presence)
            .field("ending", &self.ending)
            .finish_non_exhaustive()
    }
}

impl Wire {
    /// A new connection with what its session agreed so far ([`Session::agreement`](crate::Session::agreement)).
    ///
    /// `config` has to be the session's. Without a certificate in it the connection is closed from the beginning.
    pub fn new(now: Instant, config: &TransportConfig, agreement: &Agreement) -> Self {
        let certificate = config.certificate.clone();
        let candidates = HostCandidates::new(&config.candidates, &config.tcp_candidates);
        let ice = IceLite::new(agreement.local.clone(), candidates);
        let message_len_max = config.data_message_len_max.max(limits::DATA_MESSAGE_LEN_MIN);
        let media = Media::new(now, agreement.random, config.estimate_bandwidth);
        let dtls = certificate.as_ref().map(|certificate| Dtls::new(certificate, Role::Passive));
        let mut wire = Self {
            kind: agreement.kind,
            agreed_sctp: None,
            ice,
            certificate,
            dtls,
            active: false,
            sctp: None,
            media,
            events: Events::default(),
            presence: Presence::Waiting,
            keyed: None,
            path: None,
            heard: None,
            last_now: now,
            deadline: None,
            ending: Ending::No,
            message_len_max,
            bytes_sent: 0,
            bytes_received: 0,
            refused: 0,
            messages_refused: 0,
        };
        if wire.dtls.is_none() {
            wire.end();
        }
        wire.apply(agreement);
        wire
    }

    /// What it was made for.
    pub fn kind(&self) -> PeerKind {
        self.kind
    }

    /// One datagram, decrypted in place. A media packet is returned and borrows from `data`; everything else
    /// becomes events.
    ///
    /// # Errors
    /// [`TransportError::Failed`] closed this connection; all others are counted and harmless.
    pub fn handle_datagram<'d>(
        &mut self,
        now: Instant,
        source: SocketAddr,
        destination: SocketAddr,
        data: &'d mut [u8],
        out: &mut Egress,
    ) -> Result<Option<RtpIn<'d>>, TransportError> {
        if self.ending != Ending::No {
            return Ok(None);
        }
        self.last_now = self.last_now.max(now);
        let len = data.len();
        let from = Path { source: destination, destination: source };
        let refused = self.packets_refused();
        let taken = match Kind::of(data) {
            _ if len > limits::DATAGRAM_LEN_MAX => Err(TransportError::TooLong { len }),
            None => Err(TransportError::Malformed),
            Some(Kind::Stun) => self.check(now, from, data, out).map(|()| None),
            Some(_) if !self.is_from_peer(from) => Err(TransportError::UnknownAddress),
            Some(Kind::Dtls) => self.handshake(now, data, out).map(|()| None),
            Some(Kind::Media) if header::is_rtcp(data) => {
                self.media.receive_rtcp(now, data, &mut self.events);
                Ok(None)
            }
            Some(Kind::Media) => Ok(self.media.receive(now, data)),
        };
        // Nobody who only knows an address may look as if the peer were still there.
        if taken.is_ok() && self.packets_refused() > refused {
            return Err(TransportError::Refused);
        }
        match &taken {
            Ok(_) => self.bytes_received += len as u64,
            Err(_) => self.refused += 1,
        }
        taken
    }

    /// Packets that did not authenticate, so far; they are counted where they are refused.
    fn packets_refused(&self) -> u64 {
        self.media.counters.refused + self.dtls.as_ref().map_or(0, |dtls| dtls.stats().refused)
    }

    /// May this be the peer? Only where a check of its came from, so that nobody else is heard or answered.
    fn is_from_peer(&mut self, from: Path) -> bool {
        if self.heard == Some(from) {
            return true;
        }
        let known = self.ice.knows(from.destination, from.source);
        if known {
            self.heard = Some(from);
        }
        known
    }

    fn check(
        &mut self,
        now: Instant,
        from: Path,
        data: &[u8],
        out: &mut Egress,
    ) -> Result<(), TransportError> {
        let before = out.bytes_len();
        let event = self.ice.handle(now, from.destination, from.source, data, out);
        self.bytes_sent += (out.bytes_len() - before) as u64;
        let event =
            event.map_err(|refused| TransportError::Check { detail: refused.to_string() })?;
        self.on_ice(event);
        // Renews the deadline too: every check puts the end off.
        self.pump(now, out);
        Ok(())
    }

    fn handshake(
        &mut self,
        now: Instant,
        data: &[u8],
        out: &mut Egress,
    ) -> Result<(), TransportError> {
        if let Some(dtls) = &mut self.dtls {
            dtls.handle(now, data);
        }
        match self.pump(now, out) {
            Some(detail) => Err(TransportError::Failed { detail }),
            None => Ok(()),
        }
    }

    /// Tells the time, at the latest when [`Wire::next_timeout`] said so.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Egress) {
        self.last_now = self.last_now.max(now);
        if self.ending != Ending::Over && self.deadline.is_some_and(|at| at <= now) {
            if let Some(event) = self.ice.handle_timeout(now) {
                self.on_ice(event);
            }
            self.heard = None;
            if let Some(dtls) = &mut self.dtls {
                dtls.handle_timeout(now);
            }
            if let Some(sctp) = &mut self.sctp
                && sctp.next_timeout().is_some_and(|at| at <= now)
            {
                sctp.handle_timeout(now);
            }
        }
        self.flush(now, out);
    }

    /// Writes what calls without an [`Egress`] caused: data, keyframe requests, a goodbye, a step of the
    /// handshake. After any such call, before the next wait.
    pub fn flush(&mut self, now: Instant, out: &mut Egress) {
        self.last_now = self.last_now.max(now);
        if self.ending == Ending::Over {
            return;
        }
        self.pump(now, out);
        if let Some(path) = self.media_path() {
            let before = out.bytes_len();
            self.media.handle_timeout(now, path, out, &mut self.events);
            self.bytes_sent += (out.bytes_len() - before) as u64;
        }
        if self.ending == Ending::Asked {
            if let Some(dtls) = &mut self.dtls {
                dtls.close(now);
            }
            self.pump(now, out);
            self.end();
        }
    }

    /// What happened, oldest first.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop()
    }

    /// When [`Wire::handle_timeout`] is due; far away if never.
    pub fn next_timeout(&self) -> Instant {
        let media = self.media_path().and_then(|_| self.media.next_timeout());
        let idle = self.last_now + limits::IDLE_TIMEOUT;
        [self.deadline, media].into_iter().flatten().fold(idle, Instant::min)
    }

    /// Has it not ended yet, and not been asked to?
    pub fn is_alive(&self) -> bool {
        self.ending == Ending::No
    }

    /// Are ICE and DTLS up, and is the peer still heard from?
    pub fn is_connected(&self) -> bool {
        self.presence == Presence::Up && self.is_alive()
    }

    /// Over what media goes, while the connection is up.
    pub fn protocol(&self) -> Option<Protocol> {
        self.ice.protocol().filter(|_| self.is_connected())
    }

    /// The peer's end of the way that media goes, while the connection is up.
    pub fn peer_address(&self) -> Option<SocketAddr> {
        self.ice.selected().filter(|_| self.is_connected()).map(|path| path.destination)
    }

    /// Did the peer pass an ICE check from `source` to `destination`, and has it not been silent there too long?
    pub fn knows(&self, source: SocketAddr, destination: SocketAddr) -> bool {
        self.ice.knows(source, destination)
    }

    /// Ends the connection; the next [`Wire::flush`] says goodbye to the peer, then comes
    /// [`Event::Closed`]. Nothing waits for the peer's reply.
    pub fn close(&mut self) {
        if self.ending == Ending::No {
            self.ending = Ending::Asked;
        }
    }

    /// Counters and path quality.
    pub fn stats(&self) -> TransportStats {
        let counters = &self.media.counters;
        let messages = self.sctp.as_ref().map_or(0, |sctp| sctp.stats().messages_refused);
        let handshake = self.dtls.as_ref().map_or(0, |dtls| dtls.stats().refused);
        TransportStats {
            packets_sent: counters.packets_sent,
            payload_bytes_sent: counters.payload_bytes_sent,
            packets_sent_again: counters.packets_sent_again,
            padding_sent: counters.padding_sent,
            packets_received: counters.packets_received,
            payload_bytes_received: counters.payload_bytes_received,
            bytes_sent: self.bytes_sent,
            bytes_received: self.bytes_received,
            loss_sent: self.media.loss_sent(),
            loss_received: self.media.loss_received(),
            loss_feedback: self.media.loss_feedback(),
            rtt: self.media.rtt(),
            nacks_received: counters.nacks_received,
            keyframe_requests_received: counters.keyframe_requests_received,
            datagrams_refused: self.refused + handshake,
            packets_refused: counters.refused,
            packets_unknown: counters.unknown,
            messages_refused: self.messages_refused + messages,
            addresses_dropped: self.ice.counters().pairs_dropped,
            checks_passed_over: self.ice.counters().passed_over,
            rtcp_unsent: counters.rtcp_unsent,
            events_dropped: self.events.dropped,
        }
    }

    /// Feedback about what is sent on a section, once the peer reported any.
    pub fn sent_stats(&self, mid: Mid) -> Option<StreamStats> {
        self.media.sent_stats(mid)
    }

    /// Feedback about what comes in on a section and layer, once something came.
    pub fn received_stats(&self, mid: Mid, rid: Option<Rid>) -> Option<StreamStats> {
        self.media.received_stats(mid, rid)
    }

    /// How much the path to the peer can take as of now, once the peer has given feedback. For figures; whoever divides
    /// it waits for [`Event::Estimate`], which tells changes that matter.
    pub fn estimate(&self) -> Option<Estimate> {
        self.media.estimate()
    }

    /// What everything that the peer wants would need, bits per second on the wire: more is not looked for.
    pub fn set_wanted(&mut self, now: Instant, bps: u64) {
        self.media.set_wanted(now, bps);
    }

    /// The latest sender report of a section and layer, if one came.
    pub fn sender_report(&self, mid: Mid, rid: Option<Rid>) -> Option<SenderInfo> {
        self.media.sender_report(mid, rid)
    }

    /// Takes what is agreed now. Agreements have to come in the order in which they were made.
    pub fn apply(&mut self, agreement: &Agreement) {
        if agreement.local != *self.ice.local() {
            self.ice.restart(agreement.local.clone());
        }
        let negotiated = &agreement.negotiated;
        self.agreed_sctp = negotiated.sctp;
        self.media.configure(negotiated);
        let Some(remote) = &negotiated.remote else { return };
        let moved = self.ice.remote() != Some(&remote.credentials);
        if moved {
            self.ice.set_remote(remote.credentials.clone());
        }
        let fingerprint = Fingerprint::sha_256(remote.fingerprint);
        let turns = remote.our_role == Role::Active && !self.active;
        self.active |= turns;
        let now = self.last_now;
        if let (Some(dtls), Some(certificate)) = (&mut self.dtls, &self.certificate) {
            if turns {
                // A peer that waits has not begun: nothing is lost of the one that waited too.
                *dtls = Dtls::new(certificate, Role::Active);
            }
            dtls.set_remote_fingerprints(now, &[fingerprint]);
        }
        if moved {
            self.path_changed();
        }
        self.begin_handshake();
        self.open_association(now);
    }

    /// Where media goes, while it may.
    pub(crate) fn media_path(&self) -> Option<Path> {
        self.path.filter(|_| self.is_connected())
    }

    /// ICE may have chosen another path, or forgotten one.
    pub(crate) fn path_changed(&mut self) {
        self.path = self.ice.selected();
        self.heard = None;
        self.renew_deadline();
    }

    fn on_ice(&mut self, event: IceEvent) {
        if event != IceEvent::Unchanged {
            self.path_changed();
        }
        match event {
            IceEvent::Connected => self.reached(),
            IceEvent::Disconnected if self.presence == Presence::Up => {
                self.presence = Presence::Lost;
                self.events.push(Event::Disconnected);
            }
            _ => {}
        }
        self.begin_handshake();
    }

    /// Where the peer insists on waiting, we begin as soon as we know where it is.
    pub(crate) fn begin_handshake(&mut self) {
        if self.active
            && self.path.is_some()
            && let Some(dtls) = &mut self.dtls
        {
            dtls.start(self.last_now);
        }
    }

    /// Says so when both ICE and DTLS are up.
    fn reached(&mut self) {
        if self.presence != Presence::Up && self.keyed.is_some() && self.path.is_some() {
            self.presence = Presence::Up;
            self.events.push(Event::Connected);
        }
    }

    /// Moves everything between DTLS, SCTP and the network until nothing moves any more. Why the connection failed,
    /// if it did.
    fn pump(&mut self, now: Instant, out: &mut Egress) -> Option<String> {
        let mut failure = None;
        loop {
            if let Some(output) = self.dtls.as_mut().and_then(Dtls::poll) {
                self.on_dtls(now, output, &mut failure, out);
            } else if let Some(output) = self.next_of_sctp() {
                self.on_sctp(now, output);
            } else {
                break;
            }
        }
        self.renew_deadline();
        failure
    }

    fn next_of_sctp(&mut self) -> Option<SctpOutput> {
        // What nobody takes stays in the association, whose window then closes.
        if self.events.has_room() { self.sctp.as_mut()?.poll() } else { None }
    }

    fn on_dtls(
        &mut self,
        now: Instant,
        output: DtlsOutput,
        failure: &mut Option<String>,
        out: &mut Egress,
    ) {
        match output {
            DtlsOutput::Datagram(datagram) => {
                // Without a path it is lost, as on any network; what matters is sent again.
                if let Some(path) = self.path
                    && out.push(path, &datagram)
                {
                    self.bytes_sent += datagram.len() as u64;
                }
            }
            DtlsOutput::Keys(keys) => {
                if let Err(error) = self.on_keys(now, &keys) {
                    *failure = Some(error.to_string());
                    self.end();
                }
            }
            DtlsOutput::Data(data) => {
                if let Some(sctp) = &mut self.sctp {
                    sctp.handle(now, &data);
                }
            }
            DtlsOutput::Closed(reason) => {
                if !matches!(reason, DtlsClosed::ByPeer | DtlsClosed::ByUs) {
                    *failure = Some(reason.to_string());
                }
                self.end();
            }
        }
    }

    fn on_keys(&mut self, now: Instant, keys: &Keys) -> Result<(), fermata_srtp::Error> {
        let Keys { profile, material, is_client } = keys;
        let material = KeyingMaterial::split(*profile, material)?;
        let client = (material.client_key, material.client_salt);
        let server = (material.server_key, material.server_salt);
        let (ours, theirs) = if *is_client { (client, server) } else { (server, client) };
        let sealer = Sealer::new(*profile, ours.0, ours.1)?;
        let opener = Opener::new(*profile, theirs.0, theirs.1)?;
        self.media.set_keys(sealer, opener);
        self.keyed = Some(*is_client);
        self.reached();
        self.open_association(now);
        Ok(())
    }

    /// Begins with data channels once they are agreed and DTLS is up.
    pub(crate) fn open_association(&mut self, now: Instant) {
        let config = self.agreed_sctp;
        let (Some(is_client), Some(config), None) = (self.keyed, config, &self.sctp) else {
            return;
        };
        let mut sctp = Sctp::new(now, is_client, &config, self.message_len_max);
        if self.kind.offers() {
            for channel in Channel::ALL {
                sctp.open(now, channel);
            }
        }
        self.sctp = Some(sctp);
    }

    fn on_sctp(&mut self, now: Instant, output: SctpOutput) {
        match output {
            SctpOutput::Packet(packet) => {
                if let Some(dtls) = &mut self.dtls {
                    // What does not go out is lost and sent again.
                    let _ = dtls.send(now, &packet);
                }
            }
            SctpOutput::Opened(channel) => self.events.push(Event::ChannelOpened(channel)),
            SctpOutput::Message { channel, binary, data } => {
                self.events.push(Event::Data { channel, binary, data });
            }
            SctpOutput::Closed(_) | SctpOutput::Lost(_) => {}
        }
    }

    /// The connection is over, for whatever reason.
    fn end(&mut self) {
        if self.ending == Ending::Over {
            return;
        }
        self.ending = Ending::Over;
        let stats = self.stats();
        (self.messages_refused, self.refused) = (stats.messages_refused, stats.datagrams_refused);
        self.sctp = None;
        self.dtls = None;
        self.path = None;
        self.deadline = None;
        self.events.push(Event::Closed);
    }

    fn renew_deadline(&mut self) {
        let parts = [
            self.ice.next_timeout(),
            self.dtls.as_ref().and_then(Dtls::next_timeout),
            self.sctp.as_ref().and_then(Sctp::next_timeout),
        ];
        let alive = self.ending != Ending::Over;
        self.deadline = parts.into_iter().flatten().min().filter(|_| alive);
    }
}

/// What a datagram is, by its first byte (RFC 7983 section 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Stun,
    Dtls,
    Media,
}

impl Kind {
    fn of(data: &[u8]) -> Option<Self> {
        match data.first()? {
            0..=3 => Some(Self::Stun),
            20..=63 => Some(Self::Dtls),
            128..=191 => Some(Self::Media),
            _ => None,
        }
    }
}
