//! Receiving over a single connection: the client offers sections, we fill them with tracks.
//!
//! When there are too few, or one was given up, the client is asked for another offer
//! (`MediaSectionsRequirement`; zero and zero also makes it offer).
//!
//! A section that was given up goes inactive in one answer and gets a new SSRC before it carries another
//! track: libwebrtc makes a new receiver when a section comes back, and connects it to the track that people
//! see only if the SSRC is another one.

use fermata_transport::{MediaKind, Mid, Offered};
use livekit_protocol as lk;
use lk::signal_response::Message as Response;

use crate::context::Context;
use crate::key::{ParticipantId, TrackId};
use crate::participant::{Participant, Section};
use crate::seam::Order;
use crate::sfu::Sfu;

impl Sfu {
    /// Takes note of the sections offered and puts waiting tracks into free ones.
    pub(crate) fn fill_sections(&mut self, id: ParticipantId, offered: &Offered) {
        let Self { participants, tracks, context, .. } = self;
        let Some(participant) = participants.get_mut(&id) else { return };
        if !participant.single {
            return;
        }
        participant.sections_asked = false;
        participant.sections_freed = false;
        drop_closed_sections(participant, offered, context);
        for section in offered.sections.iter().filter(|section| section.placeholder) {
            if participant.sections.iter().all(|known| known.mid != section.mid) {
                participant.sections.push(Section {
                    mid: section.mid,
                    kind: section.kind,
                    track: None,
                    used: false,
                });
            }
        }
        let waiting: Vec<TrackId> = participant
            .subscriptions
            .iter()
            .filter(|(_, subscription)| subscription.mid.is_none())
            .map(|(track, _)| *track)
            .collect();
        for track in waiting {
            if let Some(publication) = tracks.get(&track) {
                give_section(participant, track, publication.kind, context);
            }
        }
        // Free for the next offer: the answer to this one says that they are inactive.
        for section in participant.sections.iter_mut().filter(|section| section.used) {
            section.used = false;
            let order = Order::Renumber { peer: id, mid: section.mid };
            context.order(participant.shard, order);
            if let Some(link) = participant.up.as_mut() {
                link.with(context, |t| t.reset_sender(section.mid));
            }
        }
    }

    /// Asks for an offer if tracks wait for sections, or some were given up.
    pub(crate) fn ask_sections(&mut self, id: ParticipantId) {
        let Self { participants, tracks, context, .. } = self;
        let Some(participant) = participants.get_mut(&id) else { return };
        if !participant.single || participant.sections_asked {
            return;
        }
        let waiting = |kind| {
            let subscriptions = participant.subscriptions.iter();
            subscriptions
                .filter(|(_, subscription)| subscription.mid.is_none())
                .filter(|(track, _)| tracks.get(track).is_some_and(|t| t.kind == kind))
                .count()
        };
        let free = |kind| {
            let sections = participant.sections.iter();
            sections.filter(|section| section.kind == kind && section.track.is_none()).count()
        };
        let (audios, videos) = (waiting(MediaKind::Audio), waiting(MediaKind::Video));
        if audios + videos == 0 && !participant.sections_freed {
            return;
        }
        let missing =
            |waiting: usize, free| u32::try_from(waiting.saturating_sub(free)).unwrap_or(u32::MAX);
        let requirement = lk::MediaSectionsRequirement {
            num_audios: missing(audios, free(MediaKind::Audio)),
            num_videos: missing(videos, free(MediaKind::Video)),
        };
        participant.sections_asked = participant.connection.is_some();
        context.signal(participant.connection, Response::MediaSectionsRequirement(requirement));
    }

    /// What every filled section carries: section, stream name, track name.
    pub(crate) fn section_names(&self, id: ParticipantId) -> Vec<(Mid, String, String)> {
        let Some(participant) = self.participants.get(&id) else { return Vec::new() };
        let filled = participant.sections.iter().filter_map(|section| {
            let track = self.tracks.get(&section.track?)?;
            let publisher = self.participants.get(&track.publisher)?;
            let stream = stream_id(publisher.sid.as_str(), track.stream_name());
            Some((section.mid, stream, track.sid.to_string()))
        });
        filled.collect()
    }
}

/// Stream name in session descriptions: who, and which tracks belong together.
/// Clients split it at the first bar.
pub(crate) fn stream_id(publisher: &str, stream: &str) -> String {
    format!("{publisher}|{stream}")
}

/// Puts a waiting track into a free section, if there is one of its kind.
fn give_section(
    participant: &mut Participant,
    track: TrackId,
    kind: MediaKind,
    context: &mut Context,
) {
    let free =
        |section: &&mut Section| section.kind == kind && section.track.is_none() && !section.used;
    let Some(section) = participant.sections.iter_mut().find(free) else { return };
    let Some(subscription) = participant.subscriptions.get_mut(&track) else { return };
    section.track = Some(track);
    subscription.mid = Some(section.mid);
    if let Some(track) = subscription.source {
        let order = Order::Move { peer: participant.id, track, mid: subscription.mid };
        context.order(participant.shard, order);
    }
}

/// Forgets sections in which the client does not receive any more; their tracks wait again.
fn drop_closed_sections(participant: &mut Participant, offered: &Offered, context: &mut Context) {
    let Participant { id, shard, sections, subscriptions, .. } = participant;
    sections.retain(|section| {
        let open = offered.sections.iter().any(|o| o.mid == section.mid && o.placeholder);
        if !open && let Some(track) = section.track {
            let subscription = subscriptions.get_mut(&track);
            let source = subscription.and_then(|subscription| {
                subscription.mid = None;
                subscription.source
            });
            if let Some(track) = source {
                context.order(*shard, Order::Move { peer: *id, track, mid: None });
            }
        }
        open
    });
}
