//! Offer and answer, both ways round.

use std::collections::HashMap;

use fermata_rtp::Codec;
use fermata_types::MediaKind;
use str0m::Candidate;
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::channel::{ChannelConfig, Reliability};
use str0m::media::Direction as EngineDirection;

use crate::codecs;
use crate::config::{Channel, PeerKind};
use crate::error::SdpError;
use crate::id::{Mid, Rid};
use crate::limits;
use crate::lines::Line;
use crate::payload::Payloads;
use crate::sdp::{self, Direction, Edit, Fmtp, Section};
use crate::transport::Transport;

/// Longest piece of the engine's words that goes into an error.
const DETAIL_LEN_MAX: usize = 200;

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
    fn for_answer(self) -> Fmtp {
        let mut changes = vec![("usedtx", self.dtx.then_some("1"))];
        if self.stereo {
            changes.push(("stereo", Some("1")));
            changes.push(("maxaveragebitrate", Some("510000")));
        }
        changes
    }

    fn for_offer(self) -> Fmtp {
        if self.stereo { vec![("sprop-stereo", Some("1"))] } else { Vec::new() }
    }
}

/// A track waiting to be offered.
#[derive(Debug, Clone)]
struct Staged {
    mid: Mid,
    kind: MediaKind,
}

/// State of the negotiation, in either role.
#[derive(Default)]
pub(crate) struct Negotiation {
    pub(crate) local_ufrag: String,
    tunings: HashMap<Mid, AudioTuning>,
    candidates: usize,
    /// What the peer's payload types have stood for so far.
    payloads: Payloads,
    /// We answer: sections of the last accepted offer, and the engine's answer to it.
    offered: Vec<Section>,
    answer: Option<String>,
    /// We offer: msid tokens of every section that carries or will carry a track.
    labels: HashMap<Mid, (String, String)>,
    /// Track token with which a section was first offered; the client's track object keeps it.
    born: HashMap<Mid, String>,
    adds: Vec<Staged>,
    stops: Vec<Mid>,
    pending: Option<SdpPendingOffer>,
    offered_adds: Vec<Staged>,
    offered_stops: Vec<Mid>,
    /// Sections that have gone inactive on both ends and can carry another track.
    idle: Vec<Mid>,
    channels_offered: bool,
    mids_given: u32,
}

impl Transport {
    /// Reads our user fragment back; it changes with an ICE restart.
    pub(crate) fn refresh_ufrag(&mut self) {
        self.negotiation.local_ufrag = self.rtc.direct_api().local_ice_credentials().ufrag;
    }

    /// Negotiates Opus on this section so, from the next answer or offer on. Default: DTX on, mono.
    pub fn tune_audio(&mut self, mid: Mid, tuning: AudioTuning) {
        if self.lines.get(mid).is_some() || self.negotiation.labels.contains_key(&mid) {
            self.negotiation.tunings.insert(mid, tuning);
        }
    }

    fn tuning(&self, mid: Mid) -> AudioTuning {
        self.negotiation.tunings.get(&mid).copied().unwrap_or_default()
    }

    /// Takes a client's offer and reads what it wants. [`Transport::answer`] makes the answer.
    ///
    /// A changed ICE user fragment in it is an ICE restart.
    ///
    /// # Errors
    /// See [`SdpError`]; nothing changed unless it is [`SdpError::Refused`].
    pub fn accept_offer(&mut self, text: &str) -> Result<Offered, SdpError> {
        if self.kind.offers() {
            return Err(SdpError::WrongRole);
        }
        self.check_alive()?;
        let mut scanned = sdp::scan(text)?;
        let mut payloads = self.negotiation.payloads.clone();
        payloads.take(&mut scanned.payloads)?;
        let offer = SdpOffer::from_sdp_string(&scanned.text).map_err(malformed)?;
        self.negotiation.payloads = payloads;
        let answer = self.rtc.sdp_api().accept_offer(offer).map_err(refused)?;
        let sections = scanned.sections;
        for section in sections.iter().filter(|section| !section.rejected) {
            if let Some(kind) = section.kind {
                let mid = Mid::from(section.mid.as_str());
                self.lines.insert(mid, mid.0, kind);
            }
        }
        self.lines.retain(|mid| sections.iter().any(|section| section.mid == mid.as_str()));
        self.after_negotiation();
        self.negotiation.answer = Some(answer.to_sdp_string());
        let offered = sections.iter().filter_map(|section| self.offered_section(section)).collect();
        self.negotiation.offered = sections;
        Ok(Offered { sections: offered })
    }

    fn offered_section(&self, section: &Section) -> Option<OfferedSection> {
        let kind = section.kind.filter(|_| !section.rejected)?;
        let mid = Mid::from(section.mid.as_str());
        let mut codecs = self.lines.get(mid).map(Line::codecs).unwrap_or_default();
        codecs.sort_by_key(|codec| section.rank(*codec));
        Some(OfferedSection {
            mid,
            kind,
            sends: matches!(section.direction, Direction::SendOnly | Direction::SendRecv),
            placeholder: section.direction == Direction::RecvOnly,
            stream_id: section.stream_id.clone(),
            track_id: section.track_id.clone(),
            rids: section.rids.clone(),
            codecs,
        })
    }

    /// The answer to the last accepted offer, as the client should see it: placeholders named in
    /// `assignments` carry those tracks, all others are inactive and announce nothing.
    ///
    /// Give **all** assignments in force, not only new ones. May be asked again for the same offer, but a
    /// client takes only one answer. A [`PeerKind::Publisher`] has none to give.
    ///
    /// # Errors
    /// [`SdpError::NothingOutstanding`] before the first offer;
    /// [`SdpError::NotAPlaceholder`] for an assignment to a section that the client did not offer `recvonly`.
    pub fn answer(&mut self, assignments: &[Assignment<'_>]) -> Result<String, SdpError> {
        let answer = self.negotiation.answer.as_deref().ok_or(SdpError::NothingOutstanding)?;
        let offered: HashMap<Mid, Direction> = self
            .negotiation
            .offered
            .iter()
            .filter(|section| section.kind.is_some())
            .map(|section| (Mid::from(section.mid.as_str()), section.direction))
            .collect();
        let mut fills = HashMap::new();
        for assignment in assignments {
            let mid = assignment.mid;
            if offered.get(&mid) != Some(&Direction::RecvOnly) || self.kind != PeerKind::Single {
                return Err(SdpError::NotAPlaceholder { mid });
            }
            let stream_id = sdp::sanitise_token(assignment.stream_id);
            let track_id = sdp::sanitise_token(assignment.track_id);
            fills.insert(mid, Edit::Fill { stream_id, track_id });
        }
        Ok(sdp::rewrite(answer, |mid| {
            let direction = offered.get(&mid);
            let edit = match direction {
                // Data channels.
                None => Edit::Keep,
                // Nothing is sent but on filled placeholders, not even where the client would receive.
                Some(_) => fills.remove(&mid).unwrap_or(Edit::Blank),
            };
            let sends = matches!(direction, Some(Direction::SendOnly | Direction::SendRecv));
            let fmtp = if sends { self.tuning(mid).for_answer() } else { Vec::new() };
            (edit, fmtp)
        }))
    }

    /// Stages a track to be offered, on a new section or, if configured or no more sections are to be had,
    /// on one that has gone idle.
    ///
    /// A reused section has the name it had before: its sequence numbers and timestamps must go on.
    /// Beyond [`limits::STAGED_TRACKS_MAX`] staged or [`limits::SDP_SECTIONS_MAX`] sections in use, the track
    /// is never offered and sending on it says [`crate::SendError::NotSending`].
    /// On a connection where the client offers, likewise.
    pub fn add_track(&mut self, kind: MediaKind, stream_id: &str, track_id: &str) -> Mid {
        let negotiation = &mut self.negotiation;
        let new = negotiation.adds.iter().filter(|add| self.lines.get(add.mid).is_none()).count();
        // One section is for the data channels.
        let full = self.lines.len() + new + 1 >= limits::SDP_SECTIONS_MAX;
        let reusable = |mid: &Mid| self.lines.get(*mid).is_some_and(|line| line.kind == kind);
        let idle = (full || self.reuse_sections)
            .then(|| negotiation.idle.iter().position(reusable))
            .flatten()
            .map(|at| negotiation.idle.remove(at));
        let mid = idle.unwrap_or_else(|| {
            negotiation.mids_given = negotiation.mids_given.wrapping_add(1);
            Mid::from(format!("s{}", negotiation.mids_given).as_str())
        });
        let room = negotiation.adds.len() < limits::STAGED_TRACKS_MAX && (idle.is_some() || !full);
        if self.kind.offers() && room {
            let label = (sdp::sanitise_token(stream_id), sdp::sanitise_token(track_id));
            negotiation.born.entry(mid).or_insert_with(|| label.1.clone());
            negotiation.labels.insert(mid, label);
            negotiation.adds.push(Staged { mid, kind });
        }
        mid
    }

    /// Stages the end of a track. Sending on its section stops with the next offer.
    pub fn stop_track(&mut self, mid: Mid) {
        let negotiation = &mut self.negotiation;
        if let Some(at) = negotiation.adds.iter().position(|add| add.mid == mid) {
            negotiation.adds.remove(at);
            negotiation.labels.remove(&mid);
            if self.lines.get(mid).is_none() {
                negotiation.born.remove(&mid);
            }
            // Taken from the idle ones and never offered: back with it.
            if self.lines.get(mid).is_some() {
                negotiation.idle.push(mid);
            }
        } else if negotiation.labels.contains_key(&mid) && !negotiation.stops.contains(&mid) {
            negotiation.stops.push(mid);
        }
    }

    /// Is there anything to offer?
    pub fn needs_offer(&self) -> bool {
        let negotiation = &self.negotiation;
        self.kind.offers()
            && (!negotiation.channels_offered
                || !negotiation.adds.is_empty()
                || !negotiation.stops.is_empty())
    }

    /// Is our last offer still unanswered?
    pub fn has_pending_offer(&self) -> bool {
        self.negotiation.pending.is_some()
    }

    /// The next offer with everything staged, or `None`: nothing staged, an offer is outstanding, the
    /// connection is closed, or the client offers. The first one opens the data channels and is never `None`.
    ///
    /// `ice_restart` makes an offer even if nothing is staged; [`Transport::local_ufrag`] changes when the
    /// answer is accepted.
    pub fn create_offer(&mut self, ice_restart: bool) -> Option<String> {
        let wanted = self.needs_offer() || (ice_restart && self.kind.offers());
        if !wanted || self.has_pending_offer() || !self.rtc.is_alive() {
            return None;
        }
        let negotiation = &mut self.negotiation;
        let adds = std::mem::take(&mut negotiation.adds);
        let stops = std::mem::take(&mut negotiation.stops);
        let mut api = self.rtc.sdp_api();
        if !negotiation.channels_offered {
            for channel in Channel::ALL {
                api.add_channel_with_config(channel_config(channel));
            }
        }
        for line in stops.iter().filter_map(|mid| self.lines.get(*mid)) {
            api.set_direction(line.wire, EngineDirection::Inactive);
        }
        for add in &adds {
            if let Some(line) = self.lines.get(add.mid) {
                api.set_direction(line.wire, EngineDirection::SendOnly);
                continue;
            }
            let label = negotiation.labels.get(&add.mid).cloned().unwrap_or_default();
            let kind = codecs::kind_to_engine(add.kind);
            let direction = EngineDirection::SendOnly;
            let wire = api.add_media(kind, direction, Some(label.0), Some(label.1), None);
            self.lines.insert(add.mid, wire, add.kind);
        }
        if ice_restart {
            api.ice_restart(true);
        }
        let offer = api.apply();
        for mid in &stops {
            negotiation.labels.remove(mid);
            negotiation.tunings.remove(mid);
        }
        negotiation.channels_offered = true;
        self.lines.refresh(&mut self.rtc);
        let Some((offer, pending)) = offer else {
            // Only sections that were inactive already, because the client had switched them off.
            self.retire(stops);
            return None;
        };
        self.negotiation.pending = Some(pending);
        self.negotiation.offered_adds = adds;
        self.negotiation.offered_stops = stops;
        Some(self.rewrite_offer(&offer.to_sdp_string()))
    }

    fn rewrite_offer(&self, text: &str) -> String {
        sdp::rewrite(text, |wire| {
            let Some(mid) = self.lines.mid_of(wire.0) else { return (Edit::Keep, Vec::new()) };
            let edit = match self.negotiation.labels.get(&mid) {
                Some((stream_id, track_id)) => Edit::Fill {
                    stream_id: self.stream_of(mid, stream_id, track_id),
                    track_id: track_id.clone(),
                },
                None => Edit::Blank,
            };
            (edit, self.tuning(mid).for_offer())
        })
    }

    /// The stream token of a section's track. On a reused section the client's track object still has the id of
    /// the first one, so the stream's part after `|`, where this protocol's clients look first, names the track.
    fn stream_of(&self, mid: Mid, stream_id: &str, track_id: &str) -> String {
        let reused = self.negotiation.born.get(&mid).is_some_and(|born| born != track_id);
        match stream_id.split_once('|') {
            Some((participant, _)) if reused => {
                sdp::sanitise_token(&format!("{participant}|{track_id}"))
            }
            _ => stream_id.to_owned(),
        }
    }

    /// Takes the client's answer to our outstanding offer.
    ///
    /// # Errors
    /// [`SdpError::NothingOutstanding`] for a late or second answer. A text out of bounds or malformed leaves
    /// the offer outstanding. After [`SdpError::Refused`] its new tracks are staged again.
    pub fn accept_answer(&mut self, text: &str) -> Result<(), SdpError> {
        if !self.kind.offers() {
            return Err(SdpError::WrongRole);
        }
        self.check_alive()?;
        if self.negotiation.pending.is_none() {
            return Err(SdpError::NothingOutstanding);
        }
        let mut scanned = sdp::scan(text)?;
        let mut payloads = self.negotiation.payloads.clone();
        payloads.take(&mut scanned.payloads)?;
        let answer = SdpAnswer::from_sdp_string(&scanned.text).map_err(malformed)?;
        self.negotiation.payloads = payloads;
        let pending = self.negotiation.pending.take().ok_or(SdpError::NothingOutstanding)?;
        let adds = std::mem::take(&mut self.negotiation.offered_adds);
        let stops = std::mem::take(&mut self.negotiation.offered_stops);
        if let Err(error) = self.rtc.sdp_api().accept_answer(pending, answer) {
            self.restage(adds, stops);
            return Err(refused(error));
        }
        self.after_negotiation();
        self.retire(stops);
        Ok(())
    }

    /// Keeps stopped sections for other tracks, unless the client has switched them off for good.
    fn retire(&mut self, stops: Vec<Mid>) {
        let usable = |mid: &Mid| self.lines.get(*mid).is_some_and(|line| !line.dead);
        self.negotiation.idle.extend(stops.into_iter().filter(usable));
    }

    /// After a refused negotiation: new sections that the engine does not know are to be offered again.
    fn restage(&mut self, adds: Vec<Staged>, stops: Vec<Mid>) {
        let mut again = Vec::new();
        for add in adds {
            let known =
                self.lines.get(add.mid).is_some_and(|line| self.rtc.media(line.wire).is_some());
            if !known {
                self.lines.remove(add.mid);
                again.push(add);
            }
        }
        // One that was to be stopped already need not come back at all.
        let stopped = std::mem::take(&mut self.negotiation.stops);
        again.retain(|add| !stopped.contains(&add.mid));
        self.negotiation.stops =
            stopped.into_iter().filter(|mid| self.lines.get(*mid).is_some()).collect();
        again.append(&mut self.negotiation.adds);
        self.negotiation.adds = again;
        self.lines.refresh(&mut self.rtc);
        self.retire(stops);
    }

    fn after_negotiation(&mut self) {
        self.lines.refresh(&mut self.rtc);
        self.forget_ssrcs();
        self.refresh_ufrag();
        let lines = &self.lines;
        let labels = &self.negotiation.labels;
        self.negotiation
            .tunings
            .retain(|mid, _| lines.get(*mid).is_some() || labels.contains_key(mid));
    }

    /// Takes a trickled candidate: the text of RFC 8839 section 5.1, beginning with `candidate:`.
    ///
    /// As we are ICE-lite it is a convenience; the peer's checks tell its addresses anyway.
    ///
    /// # Errors
    /// [`SdpError::Candidate`] for anything but an IP address over UDP, to be ignored by callers;
    /// [`SdpError::TooManyCandidates`] beyond [`limits::REMOTE_CANDIDATES_MAX`].
    pub fn add_remote_candidate(&mut self, candidate: &str) -> Result<(), SdpError> {
        self.check_alive()?;
        if candidate.len() > limits::CANDIDATE_LEN_MAX {
            return Err(SdpError::Candidate);
        }
        self.check_candidates(1)?;
        let text = candidate.strip_prefix("a=").unwrap_or(candidate);
        let candidate = Candidate::from_sdp_string(text).map_err(|_| SdpError::Candidate)?;
        if candidate.proto() != str0m::net::Protocol::Udp {
            return Err(SdpError::Candidate);
        }
        self.negotiation.candidates += 1;
        self.rtc.add_remote_candidate(candidate);
        Ok(())
    }

    fn check_candidates(&self, more: usize) -> Result<(), SdpError> {
        if self.negotiation.candidates + more > limits::REMOTE_CANDIDATES_MAX {
            return Err(SdpError::TooManyCandidates);
        }
        Ok(())
    }

    fn check_alive(&self) -> Result<(), SdpError> {
        if self.rtc.is_alive() { Ok(()) } else { Err(SdpError::Closed) }
    }
}

fn channel_config(channel: Channel) -> ChannelConfig {
    let (ordered, reliability) = match channel {
        Channel::Reliable => (true, Reliability::Reliable),
        Channel::Lossy | Channel::DataTrack => {
            (false, Reliability::MaxRetransmits { retransmits: 0 })
        }
    };
    let label = channel.label().to_owned();
    ChannelConfig { label, ordered, reliability, ..ChannelConfig::default() }
}

fn malformed(error: impl std::fmt::Display) -> SdpError {
    SdpError::Malformed { detail: shortened(&error) }
}

fn refused(error: impl std::fmt::Display) -> SdpError {
    SdpError::Refused { detail: shortened(&error) }
}

fn shortened(error: &impl std::fmt::Display) -> String {
    error.to_string().chars().take(DETAIL_LEN_MAX).collect()
}
