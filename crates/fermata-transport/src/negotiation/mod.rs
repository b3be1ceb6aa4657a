//! Offer and answer, both ways round (RFC 8829): what a connection's sections are, were and shall be.
//!
//! What it is: a state machine that takes and gives descriptions as text, and tells the rest of the connection
//! what was agreed ([`Negotiation::negotiated`]).
//! What it is not: it opens no transport and keeps no time. ICE credentials are made elsewhere and handed in,
//! also after [`Accepted::ice_restart`].

mod answerer;
mod line;
mod offerer;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;

use fermata_rtp::Codec;
use fermata_types::MediaKind;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::candidates::HostCandidates;
use crate::config::PeerKind;
use crate::description::write::{SectionText, SessionText};
use crate::description::{Description, Media, Setup, candidate, write};
use crate::error::SdpError;
use crate::id::{Mid, Rid};
use crate::limits;
use crate::parts::{Credentials, ExtensionIds, Negotiated, Remote, Role, SctpConfig};
use crate::payload::Payloads;

use line::Line;
use offerer::{Pending, Staged};

/// What the peer takes where it does not say (RFC 8841 section 6.1).
const MESSAGE_LEN_MAX_UNSAID: usize = 65_536;

/// A client's offer that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// Its audio and video sections in order, without rejected ones.
    pub sections: Vec<OfferedSection>,
}

/// One section of a client's offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedSection {
    /// Its name.
    pub mid: Mid,
    /// Audio or video.
    pub kind: MediaKind,
    /// The client sends media here (`sendonly` or `sendrecv`).
    pub sends: bool,
    /// The client only wants to receive here (`recvonly`): a place for a track.
    pub placeholder: bool,
    /// First token of the msid; may be empty.
    pub stream_id: String,
    /// Second token of the msid, in this protocol the client's track id; may be empty.
    pub track_id: String,
    /// Simulcast layers the client announced, in its order.
    pub rids: Vec<Rid>,
    /// Codecs both ends agree on, the one the client prefers (and so sends) first.
    pub codecs: Vec<Codec>,
}

/// Which track goes out on a placeholder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assignment<'a> {
    /// The placeholder.
    pub mid: Mid,
    /// First token of the msid, for clients of this protocol `PA_x|camera`. Sanitised.
    pub stream_id: &'a str,
    /// Second token, the track's sid. Sanitised.
    pub track_id: &'a str,
}

/// How Opus is negotiated on one section (RFC 7587 section 6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioTuning {
    /// Ask for discontinuous transmission (`usedtx=1`).
    pub dtx: bool,
    /// Ask for two channels and a bitrate to match (`stereo=1`, `maxaveragebitrate=510000`);
    /// in our own offers, say that we send two (`sprop-stereo=1`).
    pub stereo: bool,
}

impl Default for AudioTuning {
    fn default() -> Self {
        Self { dtx: true, stereo: false }
    }
}

impl AudioTuning {
    /// What it adds to the parameters of Opus in an answer.
    fn for_answer(self) -> Vec<(&'static str, &'static str)> {
        let mut added = Vec::new();
        if self.dtx {
            added.push(("usedtx", "1"));
        }
        if self.stereo {
            added.extend([("stereo", "1"), ("maxaveragebitrate", "510000")]);
        }
        added
    }
}

/// What a negotiation is built from.
#[derive(Debug, Clone)]
pub(crate) struct NegotiationConfig {
    pub(crate) kind: PeerKind,
    /// Our first ICE credentials.
    pub(crate) credentials: Credentials,
    /// SHA-256 of our certificate.
    pub(crate) fingerprint: [u8; 32],
    /// Addresses at which we receive.
    pub(crate) candidates: HostCandidates,
    /// Longest data message we take, bytes.
    pub(crate) message_len_max: usize,
    /// See [`crate::TransportConfig::reuse_sections`].
    pub(crate) reuse_sections: bool,
    /// For SSRCs, the session's number and our canonical name.
    pub(crate) seed: [u8; 32],
}

/// An offer that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) offered: Offered,
    /// The client restarts ICE: [`Negotiation::set_local_credentials`] has to follow before the answer.
    pub(crate) ice_restart: bool,
}

/// State of the negotiation, in either role.
#[derive(Debug)]
pub(crate) struct Negotiation {
    kind: PeerKind,
    local: Credentials,
    /// Those of an offer that restarts ICE and is still unanswered.
    offered_local: Option<Credentials>,
    fingerprint: String,
    candidates: HostCandidates,
    message_len_max: usize,
    reuse_sections: bool,
    rng: StdRng,
    session_id: u64,
    session_version: u64,
    /// What the peer's payload types have stood for so far.
    payloads: Payloads,
    /// Remote candidates seen.
    candidates_seen: usize,
    /// All sections in the order of the description.
    lines: Vec<Line>,
    /// What was agreed. Its extensions, remote and data channels are the state itself, its lines a copy.
    negotiated: Negotiated,
    /// An offer was accepted and can be answered.
    answerable: bool,
    adds: Vec<Staged>,
    stops: Vec<Mid>,
    pending: Option<Pending>,
    /// Sections that have gone inactive on both ends and can carry another track.
    idle: Vec<Mid>,
    channels_offered: bool,
    mids_given: u32,
}

impl Negotiation {
    /// A negotiation that waits for its first offer, or for the first `create_offer`.
    pub(crate) fn new(config: NegotiationConfig) -> Self {
        let mut rng = StdRng::from_seed(config.seed);
        // RFC 8829 section 5.2.1 has 63 bits; fewer for those that read it as a float.
        let session_id = rng.next_u64() >> 11;
        let cname = format!("{:016x}", rng.next_u64());
        Self {
            kind: config.kind,
            local: config.credentials,
            offered_local: None,
            fingerprint: crate::description::fingerprint_text(&config.fingerprint),
            candidates: config.candidates,
            message_len_max: config.message_len_max,
            reuse_sections: config.reuse_sections,
            rng,
            session_id,
            session_version: 0,
            payloads: Payloads::default(),
            candidates_seen: 0,
            lines: Vec::new(),
            negotiated: Negotiated { cname, ..Negotiated::default() },
            answerable: false,
            adds: Vec::new(),
            stops: Vec::new(),
            pending: None,
            idle: Vec::new(),
            channels_offered: false,
            mids_given: 0,
        }
    }

    /// What was agreed so far. Changes, with a higher version, by every method that takes `&mut self`,
    /// [`Self::answer`] among them: which placeholders send is decided there.
    pub(crate) fn negotiated(&self) -> &Negotiated {
        &self.negotiated
    }

    /// Our user fragment. That of a restart we offered counts once the offer is answered.
    pub(crate) fn local_ufrag(&self) -> &str {
        &self.local.ufrag
    }

    /// New credentials after an ICE restart by the client; its answer will say them.
    pub(crate) fn set_local_credentials(&mut self, credentials: Credentials) {
        self.local = credentials;
    }

    /// Negotiates Opus on this section so, from the next answer or offer on. Default: DTX on, mono.
    pub(crate) fn tune_audio(&mut self, mid: Mid, tuning: AudioTuning) {
        if let Some(staged) = self.adds.iter_mut().find(|staged| staged.mid == mid) {
            staged.tuning = tuning;
        } else if let Some(line) = self.line_mut(mid) {
            line.tuning = tuning;
        }
    }

    /// Puts a codec first in the answers about this section, so that the peer sends in it.
    pub(crate) fn prefer_codec(&mut self, mid: Mid, codec: Codec) {
        if let Some(line) = self.line_mut(mid) {
            line.preferred = Some(codec);
        }
    }

    /// Gives a section that has SSRCs new ones; the next answer or offer says them.
    pub(crate) fn reset_sender(&mut self, mid: Mid) {
        let Some(index) = self.lines.iter().position(|line| line.mid() == mid) else { return };
        if let Some(line) = self.lines.get_mut(index)
            && line.config.local_ssrc.is_some()
        {
            line.config.local_ssrc = None;
            line.config.local_rtx_ssrc = None;
            self.give_ssrcs(index);
            self.publish();
        }
    }

    /// Takes a trickled candidate and returns its address.
    ///
    /// # Errors
    /// [`SdpError::Candidate`] and, beyond [`limits::REMOTE_CANDIDATES_MAX`], [`SdpError::TooManyCandidates`].
    pub(crate) fn add_remote_candidate(&mut self, text: &str) -> Result<SocketAddr, SdpError> {
        if self.candidates_seen >= limits::REMOTE_CANDIDATES_MAX {
            return Err(SdpError::TooManyCandidates);
        }
        let address = candidate::parse(text)?;
        self.candidates_seen += 1;
        Ok(address)
    }

    fn line(&self, mid: Mid) -> Option<&Line> {
        self.lines.iter().find(|line| line.mid() == mid)
    }

    fn line_mut(&mut self, mid: Mid) -> Option<&mut Line> {
        self.lines.iter_mut().find(|line| line.mid() == mid)
    }

    /// Gives a section the SSRCs it needs to send with.
    fn give_ssrcs(&mut self, index: usize) {
        let Some((media, rtx)) = self.lines.get(index).map(Line::lacks_ssrcs) else { return };
        if media {
            let ssrc = self.fresh_ssrc();
            if let Some(line) = self.lines.get_mut(index) {
                line.config.local_ssrc = Some(ssrc);
            }
        }
        if rtx {
            let ssrc = self.fresh_ssrc();
            if let Some(line) = self.lines.get_mut(index) {
                line.config.local_rtx_ssrc = Some(ssrc);
            }
        }
    }

    /// An SSRC that nobody on this connection has.
    fn fresh_ssrc(&mut self) -> u32 {
        loop {
            let ssrc = self.rng.next_u32();
            if ssrc != 0 && !self.lines.iter().any(|line| line.has_ssrc(ssrc)) {
                return ssrc;
            }
        }
    }

    /// Checks what a peer says of the session against what is known. Changes nothing.
    fn check_session(&self, description: &Description<'_>, answer: bool) -> Result<Remote, String> {
        if description.ice_lite {
            return Err("both ends are ICE-lite".to_owned());
        }
        description.check_bundle()?;
        let credentials = description.credentials().ok_or("no ICE credentials")?;
        let known = self.negotiated.remote.as_ref();
        let fingerprint = match (description.fingerprint(), known) {
            (Some(fingerprint), Some(known)) if fingerprint != known.fingerprint => {
                return Err("another certificate than before".to_owned());
            }
            (Some(fingerprint), _) => fingerprint,
            (None, Some(known)) => known.fingerprint,
            (None, None) => return Err("no sha-256 fingerprint".to_owned()),
        };
        if answer
            && self.offered_local.is_none()
            && known.is_some_and(|known| known.credentials != credentials)
        {
            return Err("an ICE restart that was not offered".to_owned());
        }
        let our_role = match (known, description.setup()) {
            (Some(known), _) => known.our_role,
            (None, Some(Setup::HoldConn)) => return Err("setup is holdconn".to_owned()),
            (None, Some(Setup::Passive)) => Role::Active,
            (None, Some(Setup::Active | Setup::ActPass) | None) => Role::Passive,
        };
        Ok(Remote { credentials, fingerprint, our_role })
    }

    /// Takes over the sections of a peer, which have been checked, and what they say of data channels.
    fn take_sections(&mut self, description: &Description<'_>) {
        let mut sctp = None;
        for (line, section) in self.lines.iter_mut().zip(&description.sections) {
            if line.media == Media::Data && sctp.is_some() {
                // One association is all there is (RFC 8841 section 4.3).
                line.reject();
            }
            line.take(section, &mut self.negotiated.extensions);
            if line.media == Media::Data && !line.rejected() {
                let said = section.message_len_max.unwrap_or(MESSAGE_LEN_MAX_UNSAID);
                sctp = Some(SctpConfig {
                    remote_port: section.sctp_port.unwrap_or(write::SCTP_PORT),
                    // RFC 8841 section 6.1: 0 is any length.
                    remote_message_len_max: if said == 0 { usize::MAX } else { said },
                });
            }
        }
        self.negotiated.sctp = sctp;
    }

    /// Tells the rest of the connection, with a new version if anything changed since `before`.
    fn publish(&mut self) {
        let kind = self.kind;
        let lines = self.lines.iter_mut().filter(|line| line.kind().is_some());
        let lines = lines.map(|line| {
            let label = line.label.is_some() && kind != PeerKind::Publisher;
            line.config.sending = label && line.peer.receives();
            line.config.receiving = line.peer.sends() && kind != PeerKind::Subscriber;
            line.config.clone()
        });
        self.negotiated.lines = lines.collect();
        self.negotiated.version += 1;
    }

    fn write(&self, setup: &'static str, sections: &[SectionText<'_>]) -> String {
        let session = SessionText {
            id: self.session_id,
            version: self.session_version,
            credentials: self.offered_local.as_ref().unwrap_or(&self.local),
            fingerprint: &self.fingerprint,
            setup,
            candidates: &self.candidates,
            message_len_max: self.message_len_max,
            cname: &self.negotiated.cname,
        };
        write::write(&session, sections)
    }
}

/// The extension ids of a connection on which we offer: ours from the start.
fn our_extensions() -> ExtensionIds {
    use crate::description::extension::Extension;
    let mut ids = ExtensionIds::default();
    for extension in Extension::ALL {
        extension.set_in(&mut ids, extension.our_id());
    }
    ids
}

fn refused(detail: impl Into<String>) -> SdpError {
    SdpError::Refused { detail: detail.into() }
}
