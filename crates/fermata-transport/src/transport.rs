//! A connection whole: both of its halves in one place.

use std::ops::{Deref, DerefMut};
use std::time::Instant;

use fermata_types::MediaKind;

use crate::config::{PeerKind, TransportConfig};
use crate::dtls::Certificate;
use crate::error::SdpError;
use crate::id::Mid;
use crate::negotiation::{Assignment, AudioTuning, Offered};
use crate::session::Session;
use crate::wire::Wire;

/// A [`Session`] and its [`Wire`] in one thread; what is agreed takes effect at once. Derefs to the wire, and has
/// the methods of the session, which say what they do.
#[derive(Debug)]
pub struct Transport {
    session: Session,
    wire: Wire,
}

impl Transport {
    /// A new connection that waits for its first offer, or for the first `create_offer`.
    ///
    /// `seed` is secret and used for one connection only. Without a certificate in `config` it makes its own; if
    /// none can be made, the connection is closed from the beginning.
    pub fn new(now: Instant, kind: PeerKind, config: &TransportConfig, seed: [u8; 32]) -> Self {
        let mut config = config.clone();
        if config.certificate.is_none() {
            let made = Certificate::generate();
            let made = made
                .inspect_err(|error| tracing::error!(%error, "A connection has no certificate."));
            config.certificate = made.ok();
        }
        let mut session = Session::new(kind, &config, seed);
        let agreement = session.poll_agreement().unwrap_or_else(|| session.agreement());
        let wire = Wire::new(now, &config, &agreement);
        Self { session, wire }
    }

    /// See [`Session::local_ufrag`].
    pub fn local_ufrag(&self) -> String {
        self.session.local_ufrag().to_owned()
    }

    /// See [`Session::tune_audio`].
    pub fn tune_audio(&mut self, mid: Mid, tuning: AudioTuning) {
        self.session.tune_audio(mid, tuning);
    }

    /// See [`Session::accept_offer`].
    ///
    /// # Errors
    /// Its errors.
    pub fn accept_offer(&mut self, text: &str) -> Result<Offered, SdpError> {
        self.step(|session| session.accept_offer(text))
    }

    /// See [`Session::answer`].
    ///
    /// # Errors
    /// Its errors.
    pub fn answer(&mut self, assignments: &[Assignment<'_>]) -> Result<String, SdpError> {
        self.step(|session| session.answer(assignments))
    }

    /// See [`Session::add_track`].
    pub fn add_track(&mut self, kind: MediaKind, stream_id: &str, track_id: &str) -> Mid {
        self.step(|session| session.add_track(kind, stream_id, track_id))
    }

    /// See [`Session::stop_track`].
    pub fn stop_track(&mut self, mid: Mid) {
        self.step(|session| session.stop_track(mid));
    }

    /// See [`Session::needs_offer`].
    pub fn needs_offer(&self) -> bool {
        self.session.needs_offer()
    }

    /// See [`Session::has_pending_offer`].
    pub fn has_pending_offer(&self) -> bool {
        self.session.has_pending_offer()
    }

    /// See [`Session::create_offer`].
    pub fn create_offer(&mut self, ice_restart: bool) -> Option<String> {
        self.step(|session| session.create_offer(ice_restart))
    }

    /// See [`Session::accept_answer`].
    ///
    /// # Errors
    /// Its errors.
    pub fn accept_answer(&mut self, text: &str) -> Result<(), SdpError> {
        self.step(|session| session.accept_answer(text))
    }

    /// See [`Session::add_remote_candidate`].
    ///
    /// # Errors
    /// Its errors.
    pub fn add_remote_candidate(&mut self, candidate: &str) -> Result<(), SdpError> {
        self.step(|session| session.add_remote_candidate(candidate))
    }

    /// See [`Session::reset_sender`].
    pub fn reset_sender(&mut self, mid: Mid) {
        self.step(|session| session.reset_sender(mid));
    }

    /// One call of the session, and what it comes to.
    fn step<R>(&mut self, call: impl FnOnce(&mut Session) -> R) -> R {
        if !self.wire.is_alive() {
            self.session.close();
        }
        let result = call(&mut self.session);
        if let Some(agreement) = self.session.poll_agreement() {
            self.wire.apply(&agreement);
        }
        result
    }
}

impl Deref for Transport {
    type Target = Wire;

    fn deref(&self) -> &Wire {
        &self.wire
    }
}

impl DerefMut for Transport {
    fn deref_mut(&mut self) -> &mut Wire {
        &mut self.wire
    }
}
