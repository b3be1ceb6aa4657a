//! Offer and answer, both ways round: calls of the connection, and what their outcome means for its parts.

use fermata_types::MediaKind;

use crate::dtls::{Certificate, Dtls, Fingerprint};
use crate::error::SdpError;
use crate::id::Mid;
use crate::negotiation::{Assignment, AudioTuning, Offered};
use crate::parts::{Credentials, Role};
use crate::transport::Transport;

impl Transport {
    /// Negotiates Opus on this section so, from the next answer or offer on. Default: DTX on, mono.
    pub fn tune_audio(&mut self, mid: Mid, tuning: AudioTuning) {
        self.negotiation.tune_audio(mid, tuning);
    }

    /// Takes a client's offer and reads what it wants. [`Transport::answer`] makes the answer.
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
        self.apply();
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
        let answer = self.negotiation.answer(assignments)?;
        self.apply();
        Ok(answer)
    }

    /// Stages a track to be offered, on a new section or, if configured or no more sections are to be had,
    /// on one that has gone idle.
    ///
    /// A reused section has the name it had before: its sequence numbers and timestamps must go on.
    /// Beyond [`crate::limits::STAGED_TRACKS_MAX`] staged or [`crate::limits::SDP_SECTIONS_MAX`] sections in use,
    /// the track is never offered and has no [`Transport::send_slot`].
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
    /// `ice_restart` makes an offer even if nothing is staged; [`Transport::local_ufrag`] changes when the
    /// answer is accepted.
    pub fn create_offer(&mut self, ice_restart: bool) -> Option<String> {
        if !self.is_alive() || !self.negotiation.can_offer(ice_restart) {
            return None;
        }
        let restart = ice_restart.then(|| self.restart_ice());
        let offer = self.negotiation.create_offer(restart);
        self.apply();
        offer
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
        let accepted = self.negotiation.accept_answer(text);
        // Also after a refusal: its sections do not send.
        self.apply();
        accepted
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
        self.apply();
    }

    fn check_alive(&self) -> Result<(), SdpError> {
        if self.is_alive() { Ok(()) } else { Err(SdpError::Closed) }
    }

    fn restart_ice(&mut self) -> Credentials {
        let seed = self.draw();
        self.ice.restart(&seed);
        self.ice.local().clone()
    }

    /// Tells all parts what is agreed now.
    fn apply(&mut self) {
        let negotiated = self.negotiation.negotiated();
        if negotiated.version == self.applied {
            return;
        }
        self.applied = negotiated.version;
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
}

/// SHA-256 of our certificate; its text was made by ourselves.
pub(crate) fn digest_of(certificate: &Certificate) -> [u8; 32] {
    let mut digest = [0; 32];
    let pairs = certificate.fingerprint().rsplit(' ').next().unwrap_or_default().split(':');
    for (byte, pair) in digest.iter_mut().zip(pairs) {
        *byte = u8::from_str_radix(pair, 16).unwrap_or_default();
    }
    digest
}
