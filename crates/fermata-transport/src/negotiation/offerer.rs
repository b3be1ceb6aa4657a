//! Where we offer: subscriber connections.

use fermata_types::MediaKind;

use crate::description::{self, Description, sanitise_token};
use crate::error::SdpError;
use crate::id::Mid;
use crate::limits;
use crate::parts::Credentials;

use super::line::{Label, Line};
use super::{AudioTuning, Negotiation, our_extensions, refused};

/// Name of the section for data channels; those of tracks are `s` and a number.
const DATA_MID: &str = "data";

/// A track waiting to be offered.
#[derive(Debug, Clone)]
pub(super) struct Staged {
    pub(super) mid: Mid,
    kind: MediaKind,
    label: Label,
    pub(super) tuning: AudioTuning,
}

/// An offer that is not answered yet.
#[derive(Debug)]
pub(super) struct Pending {
    adds: Vec<Staged>,
    stops: Vec<Mid>,
}

impl Negotiation {
    /// Stages a track to be offered, on a new section or, if configured or no more sections are to be had,
    /// on one that has gone idle. See [`crate::Transport::add_track`].
    pub(crate) fn add_track(&mut self, kind: MediaKind, stream_id: &str, track_id: &str) -> Mid {
        let new = self.adds.iter().filter(|add| self.line(add.mid).is_none()).count();
        let tracks = self.lines.iter().filter(|line| line.kind().is_some()).count();
        // One section is for the data channels.
        let full = tracks + new + 1 >= limits::SDP_SECTIONS_MAX;
        let reusable = |mid: &Mid| {
            self.line(*mid).is_some_and(|line| line.kind() == Some(kind) && !line.rejected())
        };
        let idle = (full || self.reuse_sections)
            .then(|| self.idle.iter().position(reusable))
            .flatten()
            .map(|at| self.idle.remove(at));
        let mid = idle.unwrap_or_else(|| {
            self.mids_given = self.mids_given.wrapping_add(1);
            Mid::from(format!("s{}", self.mids_given).as_str())
        });
        let room = self.adds.len() < limits::STAGED_TRACKS_MAX && (idle.is_some() || !full);
        if self.kind.offers() && room {
            let label =
                Label { stream_id: sanitise_token(stream_id), track_id: sanitise_token(track_id) };
            self.adds.push(Staged { mid, kind, label, tuning: AudioTuning::default() });
        }
        mid
    }

    /// Stages the end of a track. Sending on its section stops with the next offer.
    pub(crate) fn stop_track(&mut self, mid: Mid) {
        if let Some(at) = self.adds.iter().position(|add| add.mid == mid) {
            self.adds.remove(at);
            // Taken from the idle ones and never offered: back with it.
            if self.line(mid).is_some() {
                self.idle.push(mid);
            }
        } else if self.line(mid).is_some_and(|line| line.label.is_some())
            && !self.stops.contains(&mid)
        {
            self.stops.push(mid);
        }
    }

    /// Is there anything to offer?
    pub(crate) fn needs_offer(&self) -> bool {
        self.kind.offers()
            && (!self.channels_offered || !self.adds.is_empty() || !self.stops.is_empty())
    }

    /// Is our last offer still unanswered?
    pub(crate) fn has_pending_offer(&self) -> bool {
        self.pending.is_some()
    }

    /// Would [`Self::create_offer`] have something to say? To be asked before credentials are made for it.
    pub(crate) fn can_offer(&self, ice_restart: bool) -> bool {
        (self.needs_offer() || (ice_restart && self.kind.offers())) && !self.has_pending_offer()
    }

    /// The next offer with everything staged, or `None`: nothing staged, an offer is outstanding, or the client
    /// offers. The first one opens the data channels and is never `None`. With `restart` credentials it is made
    /// even if nothing is staged; [`Self::local_ufrag`] changes when the answer is accepted.
    pub(crate) fn create_offer(&mut self, restart: Option<Credentials>) -> Option<String> {
        if !self.can_offer(restart.is_some()) {
            return None;
        }
        let first = !std::mem::replace(&mut self.channels_offered, true);
        if first {
            self.negotiated.extensions = our_extensions();
            self.lines.insert(0, Line::for_data(Mid::from(DATA_MID)));
        }
        let adds = std::mem::take(&mut self.adds);
        let stops = std::mem::take(&mut self.stops);
        let mut changed = first || restart.is_some() || !adds.is_empty();
        for mid in &stops {
            if let Some(line) = self.line_mut(*mid) {
                line.label = None;
                line.tuning = AudioTuning::default();
                changed |= !line.rejected();
            }
        }
        for add in &adds {
            self.fill(add);
        }
        self.publish();
        if !changed {
            // Only sections that the client had switched off.
            self.retire(stops);
            return None;
        }
        self.offered_local = restart;
        self.pending = Some(Pending { adds, stops });
        self.session_version += 1;
        Some(self.offer_text())
    }

    /// Puts a staged track on its section, a new one if need be.
    fn fill(&mut self, add: &Staged) {
        let known = self.lines.iter().position(|line| line.mid() == add.mid);
        let index = known.unwrap_or_else(|| {
            self.lines.push(Line::for_track(add.mid, add.kind));
            self.lines.len() - 1
        });
        if let Some(line) = self.lines.get_mut(index) {
            line.born.get_or_insert_with(|| add.label.track_id.clone());
            line.label = Some(add.label.clone());
            line.tuning = add.tuning;
        }
        self.give_ssrcs(index);
    }

    fn offer_text(&self) -> String {
        let streams: Vec<String> = self.lines.iter().map(stream_of).collect();
        let lines = self.lines.iter().zip(&streams);
        let sections: Vec<_> = lines.map(|(line, stream)| line.in_offer(stream)).collect();
        // RFC 8842 section 5.2: in every offer, also later.
        self.write("actpass", &sections)
    }

    /// Takes the client's answer to our outstanding offer.
    ///
    /// # Errors
    /// [`SdpError::NothingOutstanding`] for a late or second answer. A text out of bounds or malformed leaves
    /// the offer outstanding. After [`SdpError::Refused`] its new tracks are staged again.
    pub(crate) fn accept_answer(&mut self, text: &str) -> Result<(), SdpError> {
        if !self.kind.offers() {
            return Err(SdpError::WrongRole);
        }
        if self.pending.is_none() {
            return Err(SdpError::NothingOutstanding);
        }
        let mut description = description::parse(text)?;
        let mut payloads = self.payloads.clone();
        payloads.take(&mut description.payloads)?;
        self.payloads = payloads;
        let Some(Pending { adds, stops }) = self.pending.take() else {
            return Err(SdpError::NothingOutstanding);
        };
        let checked =
            self.check_sections(&description).and_then(|()| self.check_session(&description, true));
        // Whatever the answer: the client has seen them.
        if let Some(credentials) = self.offered_local.take() {
            self.local = credentials;
        }
        match checked {
            Ok(remote) => {
                self.negotiated.remote = Some(remote);
                self.take_sections(&description);
                self.retire(stops);
                self.publish();
                Ok(())
            }
            Err(detail) => {
                self.restage(adds, stops);
                Err(refused(detail))
            }
        }
    }

    /// An answer has the sections of the offer (RFC 3264 section 6).
    fn check_sections(&self, description: &Description<'_>) -> Result<(), String> {
        let (ours, theirs) = (self.lines.len(), description.sections.len());
        if ours != theirs {
            return Err(format!("{theirs} sections in answer to {ours}"));
        }
        let mut pairs = self.lines.iter().zip(&description.sections);
        match pairs.find(|(line, section)| !line.is(section)) {
            Some((line, _)) => Err(format!("section {} is not where it was offered", line.mid())),
            None => Ok(()),
        }
    }

    /// Keeps stopped sections for other tracks, unless the client has switched them off for good.
    fn retire(&mut self, stops: Vec<Mid>) {
        let usable = |mid: &Mid| self.line(*mid).is_some_and(|line| !line.rejected());
        let stops: Vec<Mid> = stops.into_iter().filter(usable).collect();
        self.idle.extend(stops);
    }

    /// After a refused answer: its tracks are to be offered again. Their sections stay where the client saw them.
    fn restage(&mut self, adds: Vec<Staged>, stops: Vec<Mid>) {
        let mut again = Vec::with_capacity(adds.len() + self.adds.len());
        for add in adds {
            // One that was to be stopped already need not come back at all: the next offer says so.
            if self.stops.contains(&add.mid) {
                continue;
            }
            if let Some(line) = self.line_mut(add.mid) {
                line.label = None;
            }
            again.push(add);
        }
        again.append(&mut self.adds);
        self.adds = again;
        self.retire(stops);
        self.publish();
    }
}

/// The stream token of a section's track. On a reused section the client's track object still has the id of
/// the first one, so the stream's part after `|`, where this protocol's clients look first, names the track.
fn stream_of(line: &Line) -> String {
    let Some(label) = &line.label else { return String::new() };
    let reused = line.born.as_ref().is_some_and(|born| *born != label.track_id);
    match label.stream_id.split_once('|') {
        Some((participant, _)) if reused => {
            sanitise_token(&format!("{participant}|{}", label.track_id))
        }
        _ => label.stream_id.clone(),
    }
}
