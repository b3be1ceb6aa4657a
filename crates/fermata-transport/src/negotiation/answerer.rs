//! Where the client offers: publishers, and single connections.

use std::collections::HashMap;

use fermata_rtp::Codec;

use crate::config::PeerKind;
use crate::description::{self, Description, Direction, Section, sanitise_token};
use crate::error::SdpError;
use crate::id::Mid;
use crate::parts::Role;

use super::line::{Label, Line};
use super::{Accepted, Assignment, Negotiation, Offered, OfferedSection, refused};

impl Negotiation {
    /// Takes a client's offer and reads what it wants. [`Self::answer`] makes the answer.
    ///
    /// # Errors
    /// See [`SdpError`]; nothing changed then.
    pub(crate) fn accept_offer(&mut self, text: &str) -> Result<Accepted, SdpError> {
        if self.kind.offers() {
            return Err(SdpError::WrongRole);
        }
        let mut description = description::parse(text)?;
        let mut payloads = self.payloads.clone();
        payloads.take(&mut description.payloads)?;
        if description.sections.is_empty() {
            return Err(refused("no sections"));
        }
        let remote = self.check_session(&description, false).map_err(refused)?;
        self.check_order(&description).map_err(refused)?;
        self.payloads = payloads;
        let before = self.negotiated.remote.replace(remote.clone());
        let ice_restart = before.is_some_and(|before| before.credentials != remote.credentials);
        for (index, section) in description.sections.iter().enumerate() {
            match self.lines.get_mut(index) {
                Some(line) if line.is(section) => line.reword(section),
                Some(line) => *line = Line::offered(section),
                None => self.lines.push(Line::offered(section)),
            }
        }
        self.take_sections(&description);
        self.answerable = true;
        self.session_version += 1;
        self.publish();
        let lines = self.lines.iter().zip(&description.sections);
        let sections = lines.filter_map(|(line, section)| offered(line, section)).collect();
        Ok(Accepted { offered: Offered { sections }, ice_restart })
    }

    /// A section keeps its place for ever, unless it was switched off and another takes it
    /// (RFC 8829 section 5.2.2).
    fn check_order(&self, description: &Description<'_>) -> Result<(), String> {
        if description.sections.len() < self.lines.len() {
            return Err("sections are missing that were there before".to_owned());
        }
        for (line, section) in self.lines.iter().zip(&description.sections) {
            if !line.is(section) && !line.rejected() {
                return Err(format!("section {} is not where it was", line.mid()));
            }
        }
        Ok(())
    }

    /// The answer to the last accepted offer: placeholders named in `assignments` carry those tracks, all others
    /// are inactive and announce nothing.
    ///
    /// Give **all** assignments in force, not only new ones. May be asked again for the same offer.
    ///
    /// # Errors
    /// [`SdpError::NothingOutstanding`] before the first offer;
    /// [`SdpError::NotAPlaceholder`] for an assignment to a section that the client did not offer `recvonly`.
    pub(crate) fn answer(&mut self, assignments: &[Assignment<'_>]) -> Result<String, SdpError> {
        if !self.answerable {
            return Err(SdpError::NothingOutstanding);
        }
        let mut fills: HashMap<Mid, Label> = HashMap::with_capacity(assignments.len());
        for assignment in assignments {
            let mid = assignment.mid;
            let place = self.line(mid).filter(|line| {
                line.kind().is_some() && !line.rejected() && line.peer == Direction::RecvOnly
            });
            if place.is_none() || self.kind != PeerKind::Single {
                return Err(SdpError::NotAPlaceholder { mid });
            }
            let stream_id = sanitise_token(assignment.stream_id);
            let track_id = sanitise_token(assignment.track_id);
            fills.insert(mid, Label { stream_id, track_id });
        }
        for index in 0..self.lines.len() {
            let Some(line) = self.lines.get_mut(index) else { break };
            line.label = fills.remove(&line.mid());
            if line.label.is_some() {
                self.give_ssrcs(index);
            }
        }
        self.publish();
        let setup = match self.negotiated.remote.as_ref().map(|remote| remote.our_role) {
            Some(Role::Active) => "active",
            Some(Role::Passive) | None => "passive",
        };
        let sections: Vec<_> = self.lines.iter().map(Line::in_answer).collect();
        Ok(self.write(setup, &sections))
    }
}

fn offered(line: &Line, section: &Section<'_>) -> Option<OfferedSection> {
    let kind = line.kind().filter(|_| !line.rejected())?;
    let direction = section.direction;
    let mut codecs: Vec<Codec> = Vec::new();
    for known in section.known() {
        let codec = known.format.codec();
        let agreed = line.config.payloads.iter().any(|payload| payload.pt == known.pt);
        if agreed && !codecs.contains(&codec) {
            codecs.push(codec);
        }
    }
    Some(OfferedSection {
        mid: line.mid(),
        kind,
        sends: direction.sends(),
        placeholder: direction == Direction::RecvOnly,
        stream_id: section.stream_id.to_owned(),
        track_id: section.track_id.to_owned(),
        rids: section.rids.clone(),
        codecs,
    })
}
