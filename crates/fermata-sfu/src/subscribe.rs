//! Subscriptions: who receives which track, by default, by wish and by permission.

use fermata_transport::MediaKind;
use livekit_protocol as lk;
use lk::signal_response::Message as Response;

use crate::forward::Settings;
use crate::key::{ParticipantId, TrackId};
use crate::limits::{CHOICES_MAX, REQUEST_SIDS_MAX, SUBSCRIPTIONS_MAX};
use crate::participant::Subscription;
use crate::seam::Order;
use crate::sections::stream_id;
use crate::sfu::Sfu;

impl Sfu {
    /// Subscribes a newcomer to everything there is, as far as it wants to and may.
    pub(crate) fn auto_subscribe_all(&mut self, id: ParticipantId) {
        let Some(participant) = self.participants.get(&id) else { return };
        let Some(room) = self.rooms.get(&participant.room) else { return };
        let tracks: Vec<TrackId> = room
            .members
            .values()
            .filter_map(|member| self.participants.get(member))
            .flat_map(|member| member.publications.values().copied())
            .collect();
        for track in tracks {
            self.reconsider(id, track);
        }
    }

    /// Subscribes everybody to a new track, as far as they want to and may.
    pub(crate) fn auto_subscribe(&mut self, track: TrackId) {
        let Some(publication) = self.tracks.get(&track) else { return };
        let Some(room) = self.rooms.get(&publication.room) else { return };
        let members: Vec<_> = room.members.values().copied().collect();
        for member in members {
            if self.reconsider(member, track) {
                self.negotiate(member);
            }
        }
    }

    /// Makes a subscription be there or not be there, by wish and permission.
    /// True if it was changed and has to be negotiated.
    pub(crate) fn reconsider(&mut self, id: ParticipantId, track: TrackId) -> bool {
        let (Some(participant), Some(publication)) =
            (self.participants.get(&id), self.tracks.get(&track))
        else {
            return false;
        };
        let Some(publisher) = self.participants.get(&publication.publisher) else { return false };
        let backup = publication.backup_of.is_some();
        if backup || publisher.id == id || publisher.room != participant.room {
            return false;
        }
        // Nobody is told of a hidden publisher, so nobody can make sense of its tracks.
        let by_default = participant.auto_subscribe && !publisher.permission.hidden;
        let wanted = participant.choices.get(&track).copied().unwrap_or(by_default)
            && participant.permission.can_subscribe;
        let allowed = publisher.allowed.permits(participant, publication.sid.as_str());
        let there = participant.subscriptions.contains_key(&track);
        let was_forbidden = participant.forbidden.contains(&track);
        if wanted && !allowed && !was_forbidden {
            self.tell_permission(id, track, false);
        } else if was_forbidden && allowed {
            self.tell_permission(id, track, true);
        }
        match (wanted && allowed, there) {
            (true, false) => self.subscribe(id, track),
            (false, true) => {
                self.unsubscribe(id, track);
                true
            }
            _ => false,
        }
    }

    fn subscribe(&mut self, id: ParticipantId, track: TrackId) -> bool {
        let Self { participants, tracks, context, placement, .. } = self;
        let Some(publication) = tracks.get_mut(&track) else { return false };
        let publisher = participants.get(&publication.publisher);
        let Some((publisher_sid, publisher_connection)) =
            publisher.map(|publisher| (publisher.sid.to_string(), publisher.connection))
        else {
            return false;
        };
        let Some(participant) = participants.get_mut(&id) else { return false };
        if participant.subscriptions.len() >= SUBSCRIPTIONS_MAX {
            context.stats.limited += 1;
            return false;
        }
        participant.qualities_due = true;
        let stream = stream_id(&publisher_sid, publication.stream_name());
        let (kind, sid) = (publication.kind, publication.sid.to_string());
        let tuning = (kind == MediaKind::Audio).then(|| publication.tuning());
        let mid = participant.down.as_mut().and_then(|link| {
            link.with(context, |t| {
                let mid = t.add_track(kind, &stream, &sid);
                if let Some(tuning) = tuning {
                    t.tune_audio(mid, tuning);
                }
                mid
            })
        });
        let subscription = Subscription {
            mid,
            settings: Settings::default(),
            source: None,
            needs_backup: false,
            told_unsupported: false,
        };
        participant.subscriptions.insert(track, subscription);
        placement.add(participant.shard);
        publication.subscribers.insert(id);
        if !publication.told_subscribed {
            publication.told_subscribed = true;
            let told = lk::TrackSubscribed { track_sid: sid };
            context.signal(publisher_connection, Response::TrackSubscribed(told));
        }
        // What the client can decode is known once it has answered.
        self.attach(id, track, track);
        self.tell_shards(track);
        true
    }

    /// Takes a subscription away; the caller negotiates.
    pub(crate) fn unsubscribe(&mut self, id: ParticipantId, track: TrackId) {
        self.detach(id, track);
        let Self { participants, tracks, context, placement, .. } = self;
        let Some(participant) = participants.get_mut(&id) else { return };
        let Some(subscription) = participant.subscriptions.remove(&track) else { return };
        placement.remove(participant.shard);
        if let Some(mid) = subscription.mid {
            let section = participant.sections.iter_mut().find(|section| section.mid == mid);
            if let Some(section) = section {
                section.track = None;
                section.used = true;
                participant.sections_freed = true;
            }
            if let Some(link) = participant.down.as_mut() {
                link.with(context, |session| session.stop_track(mid));
            }
        }
        if let Some(publication) = tracks.get_mut(&track) {
            publication.subscribers.remove(&id);
        }
        self.tell_shards(track);
        self.update_dynacast(track);
    }

    /// Frees the tracks that a leaving participant received.
    pub(crate) fn unsubscribe_all(&mut self, id: ParticipantId) {
        let Some(participant) = self.participants.get(&id) else { return };
        let tracks: Vec<_> = participant.subscriptions.keys().copied().collect();
        for track in tracks {
            self.unsubscribe(id, track);
        }
    }

    /// Drops wishes about a track that is gone.
    pub(crate) fn forget_track(&mut self, track: TrackId) {
        let Some(publication) = self.tracks.get(&track) else { return };
        let Some(room) = self.rooms.get(&publication.room) else { return };
        for member in room.members.values() {
            if let Some(participant) = self.participants.get_mut(member) {
                participant.choices.remove(&track);
                participant.forbidden.remove(&track);
            }
        }
    }

    /// The client wants tracks, or does not want them any more.
    pub(crate) fn on_subscription(&mut self, id: ParticipantId, request: &lk::UpdateSubscription) {
        self.choose_tracks(id, request);
        self.negotiate(id);
    }

    /// Applies a wish without negotiating.
    pub(crate) fn choose_tracks(&mut self, id: ParticipantId, request: &lk::UpdateSubscription) {
        let nested = request.participant_tracks.iter().flat_map(|tracks| &tracks.track_sids);
        let mut sids = request.track_sids.iter().chain(nested);
        for sid in sids.by_ref().take(REQUEST_SIDS_MAX) {
            let Some(track) = self.track_for(id, sid) else {
                self.tell_not_found(id, sid, request.subscribe);
                continue;
            };
            let Some(participant) = self.participants.get_mut(&id) else { return };
            if participant.choices.len() < CHOICES_MAX || participant.choices.contains_key(&track) {
                participant.choices.insert(track, request.subscribe);
            } else {
                self.context.stats.limited += 1;
            }
            self.reconsider(id, track);
        }
        self.context.stats.limited += u64::from(sids.next().is_some());
    }

    /// A track by its public name, if it is in the participant's room.
    pub(crate) fn track_for(&self, id: ParticipantId, sid: &str) -> Option<TrackId> {
        let room = self.participants.get(&id)?.room;
        let track = *self.track_ids.get(&fermata_types::TrackSid::from_text(sid))?;
        (self.tracks.get(&track)?.room == room).then_some(track)
    }

    fn tell_not_found(&mut self, id: ParticipantId, sid: &str, subscribe: bool) {
        let Some(participant) = self.participants.get(&id) else { return };
        if subscribe {
            let response = lk::SubscriptionResponse {
                track_sid: sid.chars().take(64).collect(),
                err: lk::SubscriptionError::SeTrackNotfound.into(),
            };
            self.context.signal(participant.connection, Response::SubscriptionResponse(response));
        }
    }

    /// The client says how it wants to see tracks.
    pub(crate) fn on_track_settings(
        &mut self,
        id: ParticipantId,
        request: &lk::UpdateTrackSettings,
    ) {
        let settings = Settings::from_lk(request);
        for sid in request.track_sids.iter().take(REQUEST_SIDS_MAX) {
            if let Some(track) = self.track_for(id, sid) {
                self.set_track_settings(id, track, settings);
            }
        }
    }

    /// Applies wishes about one track.
    pub(crate) fn set_track_settings(
        &mut self,
        id: ParticipantId,
        track: TrackId,
        settings: Settings,
    ) {
        let Some(participant) = self.participants.get_mut(&id) else { return };
        let Some(subscription) = participant.subscriptions.get_mut(&track) else { return };
        subscription.settings = settings;
        match subscription.source {
            Some(track) => {
                let order = Order::Settings { peer: id, track, settings };
                self.context.order(participant.shard, order);
            }
            None => self.update_dynacast(track),
        }
    }

    /// Asks for keyframes of every video that the participant should see and does not yet.
    pub(crate) fn refresh_pictures(&mut self, id: ParticipantId) {
        if let Some(participant) = self.participants.get(&id) {
            self.context.order(participant.shard, Order::Refresh(id));
        }
    }
}
