//! Session descriptions: our offers (two connections), the client's offers, candidates.
//!
//! With two connections we offer the one for receiving; one offer is outstanding at a time and whatever
//! changes meanwhile goes into the next. With a single connection only the client offers;
//! see [`crate::sections`] for what it offers room for.

use std::collections::HashMap;

use fermata_transport::{Assignment, PeerKind, SdpError};
use livekit_protocol as lk;
use lk::signal_response::Message as Response;

use crate::key::{LinkId, ParticipantId, Side};
use crate::leave::Leaving;
use crate::limits::{CANDIDATE_LEN_MAX, NEGOTIATION_TIMEOUT, SDP_LEN_MAX};
use crate::seam::Order;
use crate::sfu::Sfu;
use crate::timer::Timer;

impl Sfu {
    /// Brings the client's receiving side up to date: offers what changed, or asks for sections.
    pub(crate) fn negotiate(&mut self, id: ParticipantId) {
        let Some(participant) = self.participants.get(&id) else { return };
        if participant.single {
            self.ask_sections(id);
        } else {
            self.send_offer(id, false);
        }
    }

    /// Offers what is staged on the receiving connection, unless an offer is outstanding.
    pub(crate) fn send_offer(&mut self, id: ParticipantId, ice_restart: bool) {
        let Self { participants, context, .. } = self;
        let Some(participant) = participants.get_mut(&id) else { return };
        let Some(link) = participant.down.as_mut() else { return };
        let Some(Some(sdp)) = link.with(context, |t| t.create_offer(ice_restart)) else { return };
        participant.restart_wanted &= !ice_restart;
        participant.offer_id += 1;
        participant.offer_sdp = sdp;
        self.repeat_offer(id);
    }

    /// Sends the outstanding offer, for the first time or once more.
    pub(crate) fn repeat_offer(&mut self, id: ParticipantId) {
        let Self { participants, context, .. } = self;
        let Some(participant) = participants.get_mut(&id) else { return };
        let offer = lk::SessionDescription {
            r#type: "offer".to_owned(),
            sdp: participant.offer_sdp.clone(),
            id: participant.offer_id,
            ..Default::default()
        };
        context.signal(participant.connection, Response::Offer(offer));
        context.timers.arm(Timer::Negotiation(id), context.now.instant + NEGOTIATION_TIMEOUT);
    }

    /// Restarts ICE on the receiving connection, after the outstanding offer if there is one.
    pub(crate) fn restart_ice(&mut self, id: ParticipantId) {
        let Some(participant) = self.participants.get_mut(&id) else { return };
        let Some(link) = participant.down.as_ref() else { return };
        if link.session().has_pending_offer() {
            participant.restart_wanted = true;
            self.repeat_offer(id);
        } else {
            self.send_offer(id, true);
        }
    }

    /// The client answers our offer.
    pub(crate) fn on_answer(&mut self, id: ParticipantId, answer: &lk::SessionDescription) {
        let Self { participants, context, .. } = self;
        let Some(participant) = participants.get_mut(&id) else { return };
        // An answer to an offer that was replaced by a later one. Older clients send no number.
        if answer.id != 0 && answer.id != participant.offer_id {
            return;
        }
        let Some(link) = participant.down.as_mut() else { return };
        if answer.sdp.len() > SDP_LEN_MAX {
            context.stats.malformed_sdp += 1;
            return;
        }
        match link.with(context, |t| t.accept_answer(&answer.sdp)) {
            Some(Ok(())) => {
                participant.offer_sdp.clear();
                context.timers.disarm(Timer::Negotiation(id));
                let restart = participant.restart_wanted;
                self.choose_sources(id);
                self.send_offer(id, restart);
                self.refresh_pictures(id);
            }
            Some(Err(error)) => {
                context.stats.malformed_sdp += 1;
                tracing::debug!(%error, participant = %participant.sid, "Answer refused.");
            }
            None => {}
        }
    }

    /// Our offer was not answered. A client that cannot be talked to gets a new one when it resumes.
    pub(crate) fn on_negotiation_timeout(&mut self, id: ParticipantId) {
        let Some(participant) = self.participants.get(&id) else { return };
        let pending =
            participant.down.as_ref().is_some_and(|link| link.session().has_pending_offer());
        // Who never connected has its join deadline.
        if pending && participant.connection.is_some() && participant.was_connected {
            self.close_participant(id, Leaving::Failed);
        }
    }

    /// The client offers its sending connection, or its single one.
    pub(crate) fn on_offer(&mut self, id: ParticipantId, offer: &lk::SessionDescription) {
        if offer.sdp.len() > SDP_LEN_MAX {
            self.context.stats.malformed_sdp += 1;
            return;
        }
        self.renew_ended_link(id);
        let Self { participants, context, .. } = self;
        let Some(participant) = participants.get_mut(&id) else { return };
        let Some(link) = participant.up.as_mut() else { return };
        let offered = match link.with(context, |t| t.accept_offer(&offer.sdp)) {
            Some(Ok(offered)) => offered,
            Some(Err(error)) => {
                context.stats.malformed_sdp += 1;
                tracing::debug!(%error, participant = %participant.sid, "Offer refused.");
                // What is no SDP at all is only counted. Behind the rest may be a client that means well and
                // would wait for its answer for ever.
                if !matches!(error, SdpError::Malformed { .. } | SdpError::Mid { .. }) {
                    self.close_participant(id, Leaving::Failed);
                }
                return;
            }
            None => return,
        };
        self.fill_sections(id, &offered);
        // First, so that the answer can say how announced tracks are to be encoded.
        self.on_offered_media(id, &offered);
        self.send_answer(id, offer);
        self.choose_sources(id);
        self.ask_sections(id);
        self.refresh_pictures(id);
    }

    /// A client whose sending connection ended may come with a new one.
    fn renew_ended_link(&mut self, id: ParticipantId) {
        let Some(participant) = self.participants.get(&id) else { return };
        if participant.single || participant.up.as_ref().is_none_or(|link| !link.closed) {
            return;
        }
        let shard = participant.shard;
        let tracks: Vec<_> = participant.publications.values().copied().collect();
        for track in tracks {
            self.unpublish(track);
        }
        let link = LinkId { participant: id, side: Side::Up };
        self.context.order(shard, Order::Close(link));
        if let Some(participant) = self.participants.get_mut(&id) {
            participant.unbound.clear();
        }
        self.open_link(link, PeerKind::Publisher);
    }

    /// Answers the accepted offer, saying which track goes out on which section.
    fn send_answer(&mut self, id: ParticipantId, offer: &lk::SessionDescription) {
        let names = self.section_names(id);
        let Self { participants, context, .. } = self;
        let Some(participant) = participants.get_mut(&id) else { return };
        let Some(link) = participant.up.as_mut() else { return };
        let assignments: Vec<_> = names
            .iter()
            .map(|(mid, stream, track)| Assignment {
                mid: *mid,
                stream_id: stream,
                track_id: track,
            })
            .collect();
        match link.with(context, |t| t.answer(&assignments)) {
            Some(Ok(sdp)) => {
                let tracks: HashMap<_, _> = names
                    .iter()
                    .map(|(mid, _, track)| (mid.as_str().to_owned(), track.clone()))
                    .collect();
                let answer = lk::SessionDescription {
                    r#type: "answer".to_owned(),
                    sdp,
                    id: offer.id,
                    mid_to_track_id: tracks,
                };
                context.signal(participant.connection, Response::Answer(answer));
            }
            Some(Err(error)) => {
                context.stats.malformed_sdp += 1;
                tracing::warn!(%error, participant = %participant.sid, "Failed to answer an offer.");
            }
            None => {}
        }
    }

    /// A candidate of the client. We are ICE-lite and learn addresses from its checks, so that those of no
    /// use here (TCP, host names that only its own network knows, too many) are only counted.
    pub(crate) fn on_trickle(&mut self, id: ParticipantId, trickle: &lk::TrickleRequest) {
        /// What matters of a browser's `RTCIceCandidateInit`.
        #[derive(serde::Deserialize)]
        struct CandidateInit {
            #[serde(default)]
            candidate: String,
        }
        let Self { participants, context, .. } = self;
        let Some(participant) = participants.get_mut(&id) else { return };
        if trickle.candidate_init.len() > CANDIDATE_LEN_MAX {
            context.stats.malformed_candidates += 1;
            return;
        }
        let init: CandidateInit = match serde_json::from_str(&trickle.candidate_init) {
            Ok(init) => init,
            Err(_) if trickle.candidate_init.is_empty() => return,
            Err(_) => {
                context.stats.malformed_candidates += 1;
                return;
            }
        };
        if init.candidate.is_empty() {
            return;
        }
        let side = match lk::SignalTarget::try_from(trickle.target) {
            Ok(lk::SignalTarget::Subscriber) if !participant.single => Side::Down,
            _ => Side::Up,
        };
        let Some(link) = participant.link_mut(side) else { return };
        if let Some(Err(_)) = link.with(context, |t| t.add_remote_candidate(&init.candidate)) {
            context.stats.candidates_unused += 1;
        }
    }
}
