//! The half of a connection that talks about it: offers and answers, both ways round, and what they come to.
//!
//! What it is not: it moves no packet and knows no time. What was agreed goes to the other half,
//! [`crate::Wire`], as an [`Agreement`], by value.

use std::fmt;

use fermata_rtp::Codec;
use fermata_types::MediaKind;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::candidates::HostCandidates;
use crate::config::{PeerKind, TransportConfig};
use crate::dtls::Certificate;
use crate::error::SdpError;
use crate::ice::credentials;
use crate::id::Mid;
use crate::limits;
use crate::negotiation::{Assignment, AudioTuning, Negotiation, NegotiationConfig, Offered};
use crate::parts::{Credentials, Negotiated};

/// All that was agreed on a connection so far: what its [`Wire`](crate::Wire) has to know. Plain values.
#[derive(Clone)]
pub struct Agreement {
    pub(crate) kind: PeerKind,
    pub(crate) negotiated: Negotiated,
    /// Our newest ICE credentials, those of a restart that is only offered among them.
    pub(crate) local: Credentials,
    /// First numbers of packets are drawn from it; the same for the whole life of the connection.
    pub(crate) random: [u8; 8],
}

impl fmt::Debug for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Passwords stay out of logs.
        f.debug_struct("Agreement")
            .field("kind", &self.kind)
            .field("version", &self.negotiated.version)
            .field("local", &self.local.ufrag)
            .finish_non_exhaustive()
    }
}

/// The negotiating half of a WebRTC connection. See the crate's page for the contract.
pub struct Session {
    kind: PeerKind,
    negotiation: Negotiation,
    local: Credentials,
    random: [u8; 8],
    rng: StdRng,
    closed: bool,
    /// What [`Session::poll_agreement`] gave last: version and credentials.
    told: Option<(u64, String)>,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("kind", &self.kind)
            .field("local", &self.local.ufrag)
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// A connection that waits for its first offer, or for the first `create_offer`.
    ///
    /// Candidates of `config` that are no usable host address (unspecified, multicast, port 0) are left out.
    /// `seed` is secret and used for one connection only: ICE credentials, SSRCs and first
    /// packet numbers are drawn from it.
    /// Without a certificate in `config` nobody can connect.
    pub fn new(kind: PeerKind, config: &TransportConfig, seed: [u8; 32]) -> Self {
        let mut rng = StdRng::from_seed(seed);
        let local = credentials::generate(&drawn(&mut rng));
        let negotiation = Negotiation::new(NegotiationConfig {
            kind,
            credentials: local.clone(),
            fingerprint: config.certificate.as_ref().map(digest_of).unwrap_or_default(),
            candidates: HostCandidates::new(&config.candidates, &config.tcp_candidates),
            message_len_max: config.data_message_len_max.max(limits::DATA_MESSAGE_LEN_MIN),
            reuse_sections: config.reuse_sections,
            seed: drawn(&mut rng),
        });
        let random = rng.next_u64().to_be_bytes();
        Self { kind, negotiation, local, random, rng, closed: false, told: None }
    }

    /// What it was made for.
    pub fn kind(&self) -> PeerKind {
        self.kind
    }

    /// Our ICE user fragment, by which a STUN request names this connection
    /// (see [`crate::stun_username_ufrag`]).
    /// Changes when an ICE restart completes: read it again after each `accept_offer` and `accept_answer`.
    pub fn local_ufrag(&self) -> &str {
        self.negotiation.local_ufrag()
    }

    /// All that was agreed so far.
    pub fn agreement(&self) -> Agreement {
        Agreement {
            kind: self.kind,
            negotiated: self.negotiation.negotiated().clone(),
            local: self.local.clone(),
            random: self.random,
        }
    }

    /// The same, if it has changed since the last call. After every other call it belongs to the
    /// [`Wire`](crate::Wire).
    pub fn poll_agreement(&mut self) -> Option<Agreement> {
        let version = self.negotiation.negotiated().version;
        let told = self.told.as_ref();
        if told.is_some_and(|(v, ufrag)| *v == version && *ufrag == self.local.ufrag) {
            return None;
        }
        self.told = Some((version, self.local.ufrag.clone()));
        Some(self.agreement())
    }

    /// The connection is over: nothing is offered or accepted any more.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// Negotiates Opus on this section so, from the next answer or offer on. Default: DTX on, mono.
    pub fn tune_audio(&mut self, mid: Mid, tuning: AudioTuning) {
        self.negotiation.tune_audio(mid, tuning);
    }

    /// Asks for a codec on a section that the client offered, from the next answer on. Nothing comes of it where that
    /// codec was not offered.
    pub fn prefer_codec(&mut self, mid: Mid, codec: Codec) {
        self.negotiation.prefer_codec(mid, codec);
    }

    /// Takes a client's offer and reads what it wants. [`Session::answer`] makes the answer.
    ///
    /// A changed ICE user fragment in it is an ICE restart.
    ///
    /// # Errors
    /// See [`SdpError`]; nothing changed unless it is [`SdpError::Refused`].
    pub fn accept_offer(&mut self, text: &str) -> Result<Offered, SdpError> {
        if self.kind().offers() {
            return Err(SdpError::WrongRole);
        }
        self.check_alive()?;
        let accepted = self.negotiation.accept_offer(text)?;
        if accepted.ice_restart {
            let credentials = self.restart_ice();
            self.negotiation.set_local_credentials(credentials);
        }
        Ok(accepted.offered)
    }

    /// The answer to the last accepted offer, as the client should see it: placeholders named in
    /// `assignments` carry those tracks, all others are inactive and announce nothing.
    ///
    /// Give **all** assignments in force, not only new ones. May be asked again for the same offer, but a
    /// client takes only one answer. A [`crate::PeerKind::Publisher`] has none to give.
    ///
    /// # Errors
    /// [`SdpError::NothingOutstanding`] before the first offer;
    /// [`SdpError::NotAPlaceholder`] for an assignment to a section that the client did not offer `recvonly`.
    pub fn answer(&mut self, assignments: &[Assignment<'_>]) -> Result<String, SdpError> {
        self.negotiation.answer(assignments)
    }

    /// Stages a track to be offered, on a new section or, if configured or no more sections are to be had,
    /// on one that has gone idle.
    ///
    /// A reused section has the name it had before: its sequence numbers and timestamps must go on.
    /// Beyond [`crate::limits::STAGED_TRACKS_MAX`] staged or [`crate::limits::SDP_SECTIONS_MAX`] sections in use,
    /// the track is never offered and has no [`send_slot`](crate::Wire::send_slot).
    /// On a connection where the client offers, likewise.
    pub fn add_track(&mut self, kind: MediaKind, stream_id: &str, track_id: &str) -> Mid {
        self.negotiation.add_track(kind, stream_id, track_id)
    }

    /// Stages the end of a track. Sending on its section stops with the next offer.
    pub fn stop_track(&mut self, mid: Mid) {
        self.negotiation.stop_track(mid);
    }

    /// Is there anything to offer?
    pub fn needs_offer(&self) -> bool {
        self.negotiation.needs_offer()
    }

    /// Is our last offer still unanswered?
    pub fn has_pending_offer(&self) -> bool {
        self.negotiation.has_pending_offer()
    }

    /// The next offer with everything staged, or `None`: nothing staged, an offer is outstanding, the
    /// connection is closed, or the client offers. The first one opens the data channels and is never `None`.
    ///
    /// `ice_restart` makes an offer even if nothing is staged; [`Session::local_ufrag`] changes when the
    /// answer is accepted.
    pub fn create_offer(&mut self, ice_restart: bool) -> Option<String> {
        if self.closed || !self.negotiation.can_offer(ice_restart) {
            return None;
        }
        let restart = ice_restart.then(|| self.restart_ice());
        self.negotiation.create_offer(restart)
    }

    /// Takes the client's answer to our outstanding offer.
    ///
    /// # Errors
    /// [`SdpError::NothingOutstanding`] for a late or second answer. A text out of bounds or malformed leaves
    /// the offer outstanding. After [`SdpError::Refused`] its new tracks are staged again.
    pub fn accept_answer(&mut self, text: &str) -> Result<(), SdpError> {
        if !self.kind().offers() {
            return Err(SdpError::WrongRole);
        }
        self.check_alive()?;
        self.negotiation.accept_answer(text)
    }

    /// Takes a trickled candidate: the text of RFC 8839 section 5.1, beginning with `candidate:`.
    ///
    /// As we are ICE-lite it is only looked at; the peer's checks tell its addresses.
    ///
    /// # Errors
    /// [`SdpError::Candidate`] for anything but an IP address over UDP, to be ignored by callers;
    /// [`SdpError::TooManyCandidates`] beyond [`crate::limits::REMOTE_CANDIDATES_MAX`].
    pub fn add_remote_candidate(&mut self, candidate: &str) -> Result<(), SdpError> {
        self.check_alive()?;
        self.negotiation.add_remote_candidate(candidate).map(|_| ())
    }

    /// Gives a section a new SSRC, so that sequence numbers and timestamps may start anew.
    ///
    /// The peer learns of it by the next answer or offer, and by the section's name in the packets. For a
    /// section that went inactive and will carry another track; otherwise continuing the numbers is better.
    pub fn reset_sender(&mut self, mid: Mid) {
        self.negotiation.reset_sender(mid);
    }

    /// Whether a codec can be sent on a section; `None` as long as that is not known: the section is not agreed
    /// (yet), or does not send.
    pub fn sends(&self, mid: Mid, codec: Codec) -> Option<bool> {
        let line = self.negotiation.negotiated().line(mid)?;
        let known = line.sending && !line.payloads.is_empty();
        known.then(|| line.payloads.iter().any(|payload| payload.codec == codec))
    }

    fn check_alive(&self) -> Result<(), SdpError> {
        if self.closed { Err(SdpError::Closed) } else { Ok(()) }
    }

    fn restart_ice(&mut self) -> Credentials {
        self.local = credentials::generate(&drawn(&mut self.rng));
        self.local.clone()
    }
}

/// SHA-256 of our certificate; its text was made by ourselves.
fn digest_of(certificate: &Certificate) -> [u8; 32] {
    let mut digest = [0; 32];
    let pairs = certificate.fingerprint().rsplit(' ').next().unwrap_or_default().split(':');
    for (byte, pair) in digest.iter_mut().zip(pairs) {
        *byte = u8::from_str_radix(pair, 16).unwrap_or_default();
    }
    digest
}

fn drawn(rng: &mut StdRng) -> [u8; 32] {
    let mut bytes = [0; 32];
    rng.fill_bytes(&mut bytes);
    bytes
}
