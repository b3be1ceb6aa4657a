//! DTLS 1.2 of one connection (RFC 6347, RFC 5764), over `dimpl`; sans-IO.
//!
//! What it is: datagrams, application bytes and time in; datagrams, application bytes, the keys for SRTP and
//! one closing word out. It checks the peer's certificate against the fingerprints of the SDP (RFC 8122), and
//! nothing of the peer's gets out before that: no keys and no data.
//!
//! What it is not: it knows no ICE (whoever calls gives only datagrams of a checked path), protects no media
//! and reads no SCTP.
//!
//! The engine below is made when the first datagram comes, or when we have to begin, so that a connection
//! that never gets that far costs nothing; and it is dropped as soon as the connection has closed.
//!
//! # Contract
//! After every call that takes `now`, [`Dtls::poll`] until `None`; then [`Dtls::next_timeout`] is right.

mod certificate;
mod profile;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::time::Instant;

use dimpl::{Output as Engine, SrtpProfile};
use fermata_srtp::Profile;

pub(crate) use certificate::Fingerprint;
pub use certificate::{Certificate, CertificateError};

use crate::limits;
use crate::parts::Role;

/// What the handshake agreed on for SRTP. Handed out once.
pub(crate) struct Keys {
    /// The protection profile.
    pub(crate) profile: Profile,
    /// The exporter's output as in RFC 5764 section 4.2, of the length that the profile asks for.
    pub(crate) material: Vec<u8>,
    /// Are the client's keys ours?
    pub(crate) is_client: bool,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("profile", &self.profile)
            .field("is_client", &self.is_client)
            .finish_non_exhaustive()
    }
}

/// Why the connection ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DtlsClosed {
    /// Both ends agreed; the peer said goodbye first.
    #[error("the peer closed")]
    ByPeer,
    /// [`Dtls::close`] was called.
    #[error("we closed")]
    ByUs,
    /// Somebody else is at the other end, or the SDP was changed on its way.
    #[error("the peer's certificate has none of the {announced} fingerprints of its SDP")]
    Fingerprint {
        /// How many were announced.
        announced: usize,
    },
    /// A peer that wants no media keys is no WebRTC peer.
    #[error(
        "the peer offers none of the SRTP profiles AEAD_AES_128_GCM, AEAD_AES_256_GCM, AES128_CM_SHA1_80"
    )]
    NoProfile,
    /// The handshake failed, took too long, or the peer sent a fatal alert.
    #[error("DTLS failed: {detail}")]
    Failed {
        /// The engine's words.
        detail: String,
    },
}

/// What comes out of [`Dtls::poll`].
#[derive(Debug)]
pub(crate) enum DtlsOutput {
    /// To be sent to the peer.
    Datagram(Vec<u8>),
    /// The handshake is complete and the peer is who the SDP says. Once.
    Keys(Keys),
    /// Bytes for SCTP, one message.
    Data(Vec<u8>),
    /// Over. Once, and nothing comes after it.
    Closed(DtlsClosed),
}

/// Counters of one connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct DtlsStats {
    /// Datagrams that are no DTLS records, were too long, or came before they could be of use.
    pub(crate) refused: u64,
    /// Outputs dropped because [`limits::DTLS_OUTPUTS_MAX`] waited to be polled.
    pub(crate) dropped: u64,
}

/// Application bytes were not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DtlsSendError {
    /// Not connected yet, the peer is not verified yet, or closed.
    #[error("not connected")]
    NotConnected,
    /// Longer than [`limits::DTLS_DATA_LEN_MAX`].
    #[error("{len} bytes do not fit one datagram, the most is {max}", max = limits::DTLS_DATA_LEN_MAX)]
    TooLong {
        /// Their number.
        len: usize,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing came and nothing was sent.
    Waiting,
    Handshaking,
    /// The handshake is done; whether the peer is verified stands elsewhere.
    Connected,
    Closed,
}

/// DTLS of one connection.
pub(crate) struct Dtls {
    certificate: Certificate,
    role: Role,
    state: State,
    engine: Option<Box<dimpl::Dtls>>,
    announced: Vec<Fingerprint>,
    /// The peer's certificate, kept only while the SDP with its fingerprint is still to come.
    unverified: Option<Vec<u8>>,
    verified: bool,
    /// Keys that wait for the fingerprint.
    held: Option<Keys>,
    keys_made: bool,
    outputs: VecDeque<DtlsOutput>,
    deadline: Option<Instant>,
    stats: DtlsStats,
}

impl fmt::Debug for Dtls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dtls")
            .field("role", &self.role)
            .field("state", &self.state)
            .field("verified", &self.verified)
            .finish_non_exhaustive()
    }
}

impl Dtls {
    /// A connection that waits: for the peer's first datagram, or (active) for [`Dtls::start`].
    ///
    /// Passive is what we are unless the peer insists: only the server chooses the SRTP profile.
    pub(crate) fn new(certificate: &Certificate, role: Role) -> Self {
        Self {
            certificate: certificate.clone(),
            role,
            state: State::Waiting,
            engine: None,
            announced: Vec::new(),
            unverified: None,
            verified: false,
            held: None,
            keys_made: false,
            outputs: VecDeque::new(),
            deadline: None,
            stats: DtlsStats::default(),
        }
    }

    /// What the peer's SDP says of its certificate: it has to match one of these.
    /// At most [`limits::FINGERPRINTS_MAX`] are read. A later SDP replaces them; a peer that is already
    /// verified stays so, since a new certificate would need a new handshake.
    pub(crate) fn set_remote_fingerprints(&mut self, now: Instant, announced: &[Fingerprint]) {
        self.announced = announced.iter().take(limits::FINGERPRINTS_MAX).cloned().collect();
        if let Some(certificate) = self.unverified.take() {
            self.verify(&certificate);
            self.release_held();
        }
        if self.engine.is_some() {
            self.drain(now);
        }
    }

    /// Active: sends the first message. Passive, or already begun: nothing happens.
    pub(crate) fn start(&mut self, now: Instant) {
        if self.role == Role::Active && self.state == State::Waiting {
            self.begin(now);
            self.drain(now);
        }
    }

    /// Takes one datagram of the peer. What cannot be read is counted and changes nothing.
    pub(crate) fn handle(&mut self, now: Instant, datagram: &[u8]) {
        if datagram.len() > limits::DATAGRAM_LEN_MAX
            || !is_record(datagram)
            || self.state == State::Closed
        {
            self.stats.refused += 1;
            return;
        }
        if self.state == State::Waiting {
            if self.role == Role::Active || !profile::is_client_hello(datagram) {
                self.stats.refused += 1;
                return;
            }
            self.begin(now);
        }
        let hello = (self.state == State::Handshaking && profile::is_client_hello(datagram))
            .then(|| profile::prefer_aes_128(datagram))
            .flatten();
        let datagram = hello.as_deref().unwrap_or(datagram);
        let Some(engine) = self.engine.as_mut() else { return };
        // The engine knows the time only from its timer call, and has to hear it before the datagram.
        let done = engine.handle_timeout(now).and_then(|()| engine.handle_packet(datagram));
        self.finish(now, done);
    }

    /// Tells the time, at the latest when [`Dtls::next_timeout`] said so.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.deadline.is_none_or(|deadline| now < deadline) {
            return;
        }
        if let Some(engine) = self.engine.as_mut() {
            let done = engine.handle_timeout(now);
            self.finish(now, done);
        }
    }

    /// When [`Dtls::handle_timeout`] is due; `None` if nothing is waited for.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.deadline
    }

    /// The next output, oldest first.
    pub(crate) fn poll(&mut self) -> Option<DtlsOutput> {
        self.outputs.pop_front()
    }

    /// Is the handshake complete and the peer verified?
    pub(crate) fn is_connected(&self) -> bool {
        self.state == State::Connected && self.verified
    }

    /// Has it ended?
    #[cfg(test)]
    pub(crate) fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// Counters.
    pub(crate) fn stats(&self) -> DtlsStats {
        self.stats
    }

    /// Protects one message; the datagram comes out of [`Dtls::poll`].
    ///
    /// # Errors
    /// See [`DtlsSendError`].
    pub(crate) fn send(&mut self, now: Instant, data: &[u8]) -> Result<(), DtlsSendError> {
        if data.len() > limits::DTLS_DATA_LEN_MAX {
            return Err(DtlsSendError::TooLong { len: data.len() });
        }
        if !self.is_connected() {
            return Err(DtlsSendError::NotConnected);
        }
        let Some(engine) = self.engine.as_mut() else { return Err(DtlsSendError::NotConnected) };
        let done = engine.send_application_data(data).map(|_| ());
        self.finish(now, done);
        Ok(())
    }

    /// Says goodbye, if there is anybody to say it to, and is closed at once.
    pub(crate) fn close(&mut self, now: Instant) {
        if self.state == State::Closed {
            return;
        }
        if let Some(engine) = self.engine.as_mut()
            && engine.close().is_ok()
        {
            self.drain(now);
        }
        self.end(DtlsClosed::ByUs);
    }

    fn begin(&mut self, now: Instant) {
        let config = self.certificate.config();
        let mut engine = Box::new(dimpl::Dtls::new_12(config, self.certificate.pair(), now));
        engine.set_active(self.role == Role::Active);
        self.state = State::Handshaking;
        let done = engine.handle_timeout(now);
        self.engine = Some(engine);
        if let Err(error) = done {
            self.fail(&error);
        }
    }

    fn finish(&mut self, now: Instant, done: Result<(), dimpl::Error>) {
        // Also after a failure: an alert may wait to be sent.
        self.drain(now);
        if let Err(error) = done {
            self.fail(&error);
        }
    }

    fn fail(&mut self, error: &dimpl::Error) {
        self.end(DtlsClosed::Failed { detail: error.to_string() });
    }

    /// Takes everything out of the engine.
    fn drain(&mut self, now: Instant) {
        let mut scratch = [0_u8; SCRATCH_LEN];
        let Some(mut engine) = self.engine.take() else { return };
        let mut ending = None;
        loop {
            match engine.poll_output(&mut scratch) {
                Engine::Packet(datagram) => self.push(DtlsOutput::Datagram(datagram.to_vec())),
                Engine::PeerCert(der) => {
                    if self.announced.is_empty() {
                        self.unverified = Some(der.to_vec());
                    } else {
                        self.verify(der);
                    }
                }
                Engine::Connected => self.state = State::Connected,
                Engine::KeyingMaterial(material, profile) => self.keys(&material, profile),
                Engine::ApplicationData(data) if self.verified => {
                    self.push(DtlsOutput::Data(data.to_vec()));
                }
                Engine::ApplicationData(_) => self.stats.refused += 1,
                Engine::CloseNotify => ending = Some(DtlsClosed::ByPeer),
                Engine::Timeout(at) => {
                    self.deadline = Some(at);
                    break;
                }
                // Nothing is ever longer than the scratch space: records are bounded by datagrams.
                Engine::BufferTooSmall { needed } => {
                    let detail = format!("a record of {needed} bytes");
                    ending = Some(DtlsClosed::Failed { detail });
                    break;
                }
                _ => {}
            }
            if self.state == State::Closed {
                return;
            }
        }
        self.engine = Some(engine);
        if let Some(reason) = ending {
            self.end(reason);
        } else if self.state == State::Connected && !self.keys_made {
            self.end(DtlsClosed::NoProfile);
        } else if self.state == State::Connected {
            self.settle(now);
        }
    }

    /// After the handshake the engine has no timers of its own and answers with a moment far away.
    fn settle(&mut self, now: Instant) {
        self.release_held();
        self.deadline = self.deadline.filter(|at| *at < now + limits::DTLS_TIMER_MAX);
    }

    fn keys(&mut self, material: &[u8], profile: SrtpProfile) {
        let Some(profile) = profile::from_engine(profile) else { return };
        if std::mem::replace(&mut self.keys_made, true) {
            return;
        }
        let is_client = self.role == Role::Active;
        self.held = Some(Keys { profile, material: material.to_vec(), is_client });
    }

    fn release_held(&mut self) {
        if self.verified
            && self.state == State::Connected
            && let Some(keys) = self.held.take()
        {
            self.push(DtlsOutput::Keys(keys));
        }
    }

    fn verify(&mut self, certificate: &[u8]) {
        if self.announced.iter().any(|announced| announced.matches(certificate)) {
            self.verified = true;
        } else if !self.verified {
            self.end(DtlsClosed::Fingerprint { announced: self.announced.len() });
        }
    }

    fn end(&mut self, reason: DtlsClosed) {
        if self.state == State::Closed {
            return;
        }
        tracing::debug!(%reason, "DTLS is over.");
        self.state = State::Closed;
        self.engine = None;
        self.held = None;
        self.unverified = None;
        self.deadline = None;
        // Not bounded like the others: it comes once and must not be lost.
        self.outputs.push_back(DtlsOutput::Closed(reason));
    }

    fn push(&mut self, output: DtlsOutput) {
        // Keys come once and must not be lost; the rest is sent again by whoever misses it.
        let must = matches!(output, DtlsOutput::Keys(_));
        if self.outputs.len() < limits::DTLS_OUTPUTS_MAX || must {
            self.outputs.push_back(output);
        } else {
            self.stats.dropped += 1;
        }
    }
}

/// Room for the longest thing the engine gives: a certificate, or what was in one datagram.
const SCRATCH_LEN: usize = 8 * 1024;

/// Does it begin with a whole record of DTLS 1.0 or 1.2 (RFC 6347 section 4.1)? A `ClientHello` comes as 1.0.
fn is_record(datagram: &[u8]) -> bool {
    let Some((head, body)) = datagram.split_first_chunk::<13>() else { return false };
    let [20..=23, 0xFE, 0xFD | 0xFF, .., len0, len1] = *head else { return false };
    let len = usize::from(u16::from_be_bytes([len0, len1]));
    (1..=body.len()).contains(&len)
}
