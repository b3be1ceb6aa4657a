//! Tells whoever listens what happens in rooms; see [`crate::io::RoomEvent`].
//!
//! What it is not: on the path of packets. Events come of joins, leaves and messages alone, and where nobody
//! listens ([`crate::SfuConfig::events`]) nothing is looked up or copied for them.

use fermata_types::StayEnd;
use livekit_protocol as lk;

use crate::io::{Occupant, Output, RoomEvent, RoomEventKind};
use crate::key::{ParticipantId, RoomId, TrackId};
use crate::participant::Participant;
use crate::seam::Order;
use crate::sfu::Sfu;

impl Sfu {
    /// Tells an event of a room that lives, with the room as it is now.
    fn tell_event(&mut self, id: RoomId, kind: RoomEventKind) {
        let Some(info) = self.room_info(id) else { return };
        let Some(room) = self.rooms.get_mut(&id) else { return };
        room.last_event += 1;
        let event = RoomEvent {
            app: room.app,
            room: room.name.clone(),
            room_sid: room.sid.clone(),
            seq: room.last_event,
            at: self.context.now.wall,
            scene: room.scene,
            info,
            kind,
        };
        self.context.out.push_back(Output::Event(Box::new(event)));
    }

    /// Tells an event that is about a participant who is there.
    fn tell_about(&mut self, id: ParticipantId, kind: impl FnOnce(Box<Occupant>) -> RoomEventKind) {
        if let Some((room, occupant)) = self.occupant(id) {
            self.tell_event(room, kind(occupant));
        }
    }

    /// A participant as events show it, and its room; `None` if nobody listens.
    pub(crate) fn occupant(&self, id: ParticipantId) -> Option<(RoomId, Box<Occupant>)> {
        let participant = self.participants.get(&id).filter(|_| self.config.events)?;
        let info = self.participant_info(id)?;
        Some((participant.room, Box::new(occupant(participant, info))))
    }

    /// A room was made, by `creator` or by an API. Before anything else happens in it.
    pub(crate) fn tell_room_started(&mut self, id: RoomId, creator: Option<String>) {
        if let Some(room) = self.rooms.get(&id).filter(|_| self.config.events) {
            let agents = room.options.agents.clone();
            self.tell_event(id, RoomEventKind::RoomStarted { creator, agents });
        }
    }

    /// A room is about to be taken away, with nobody left in it.
    pub(crate) fn tell_room_finished(&mut self, id: RoomId) {
        if let Some(room) = self.rooms.get(&id).filter(|_| self.config.events) {
            let dismissed = room.dismissed;
            self.tell_event(id, RoomEventKind::RoomFinished { dismissed });
        }
    }

    /// A participant was admitted and is in its room.
    pub(crate) fn tell_entered(&mut self, id: ParticipantId) {
        self.tell_about(id, RoomEventKind::Entered);
    }

    /// Media of a participant connected for the first time.
    pub(crate) fn tell_active(&mut self, id: ParticipantId) {
        self.tell_about(id, RoomEventKind::Active);
    }

    /// A participant came back over a new connection.
    pub(crate) fn tell_resumed(&mut self, id: ParticipantId) {
        self.tell_about(id, RoomEventKind::Resumed);
    }

    /// Something about a participant may have changed: tells what listeners want to know of it, whoever
    /// changed it.
    pub(crate) fn note_changes(&mut self, id: ParticipantId) {
        self.tell_role_changed(id);
        let Some(participant) = self.participants.get(&id) else { return };
        let tracks = participant.publications.values().copied();
        let changed = |id: &TrackId| {
            let track = self.tracks.get(id).filter(|track| track.backup_of.is_none());
            track.is_some_and(|track| track.muted_noted != track.info.muted)
        };
        for track in tracks.filter(changed).collect::<Vec<_>>() {
            self.tell_muted(id, track);
        }
    }

    /// Tells if a participant is anchor or audience now and was the other before.
    pub(crate) fn tell_role_changed(&mut self, id: ParticipantId) {
        let Some(participant) = self.participants.get_mut(&id) else { return };
        let role = participant.role;
        if std::mem::replace(&mut participant.role_noted, role) != role {
            self.tell_about(id, RoomEventKind::RoleChanged);
        }
    }

    /// A participant is gone; `before` is what [`Self::occupant`] said while it was there.
    pub(crate) fn tell_left(
        &mut self,
        before: Option<(RoomId, Box<Occupant>)>,
        reason: lk::DisconnectReason,
        end: StayEnd,
        was_active: bool,
    ) {
        if let Some((room, mut occupant)) = before {
            occupant.info.state = lk::participant_info::State::Disconnected.into();
            occupant.info.disconnect_reason = reason.into();
            self.tell_event(room, RoomEventKind::Left { occupant, end, was_active });
        }
    }

    /// Tells of tracks that can be received and were not told yet: media of their publisher is connected both
    /// ways, so that its entry was told before.
    pub(crate) fn tell_published(&mut self, id: ParticipantId) {
        let Some(participant) = self.participants.get(&id).filter(|_| self.config.events) else {
            return;
        };
        if !participant.was_connected || participant.up.as_ref().is_none_or(|up| !up.connected) {
            return;
        }
        let mut tracks: Vec<TrackId> = participant.publications.values().copied().collect();
        tracks.sort_unstable();
        for track in tracks {
            let Some(publication) = self.tracks.get_mut(&track) else { continue };
            if publication.backup_of.is_some()
                || std::mem::replace(&mut publication.told_published, true)
            {
                continue;
            }
            let track = Box::new(publication.info.clone());
            self.tell_about(id, |occupant| RoomEventKind::TrackPublished { occupant, track });
        }
    }

    /// A track that was told of ended while its publisher stays.
    pub(crate) fn tell_unpublished(&mut self, id: ParticipantId, track: Option<lk::TrackInfo>) {
        if let Some(track) = track.map(Box::new) {
            self.tell_about(id, |occupant| RoomEventKind::TrackUnpublished { occupant, track });
        }
    }

    /// Tells if a track that listeners know of is muted now and was not before, or the other way round.
    /// Until something comes of it, nothing of it freezes.
    pub(crate) fn tell_muted(&mut self, id: ParticipantId, track: TrackId) {
        let Some(publication) = self.tracks.get_mut(&track) else { return };
        let muted = publication.info.muted;
        if std::mem::replace(&mut publication.muted_noted, muted) == muted {
            return;
        }
        for shard in publication.shards() {
            self.context.order(shard, Order::Rest(track));
        }
        if let Some(track) = self.told_track(track).map(Box::new) {
            self.tell_about(id, |occupant| RoomEventKind::TrackMuted { occupant, track });
        }
    }

    /// A track as it is now, if listeners know of it.
    pub(crate) fn told_track(&self, track: TrackId) -> Option<lk::TrackInfo> {
        let publication = self.tracks.get(&track).filter(|track| track.told_published)?;
        Some(publication.info.clone())
    }
}

fn occupant(participant: &Participant, info: lk::ParticipantInfo) -> Occupant {
    Occupant {
        info,
        stay: participant.sid.clone(),
        role: participant.role,
        client: participant.client.clone(),
        address: participant.address.clone(),
        entered_at: participant.entered.wall,
    }
}

#[cfg(test)]
mod tests {
    use fermata_types::{NodeId, Now, Role, RoomName, Scene, SdkAppId};

    use super::*;
    use crate::io::{ConnectionId, Input, Join, RoomOptions, RoomPermission, Verdict};
    use crate::{Sfu, SfuConfig};

    const APP: SdkAppId = SdkAppId(1_400_000_001);

    fn join() -> Join {
        Join {
            connection: ConnectionId(1),
            probe: false,
            app: APP,
            room: RoomName::Integer(5),
            identity: "ann".to_owned(),
            name: String::new(),
            metadata: String::new(),
            attributes: std::collections::BTreeMap::new(),
            permission: RoomPermission {
                can_subscribe: true,
                can_publish: true,
                can_publish_data: true,
                can_publish_sources: Vec::new(),
                can_update_metadata: false,
                hidden: false,
                recorder: false,
                agent: false,
                can_subscribe_metrics: false,
            },
            role: Role::Anchor,
            kind: 0,
            issued_at: 0,
            may_create: true,
            room_options: RoomOptions::default(),
            client: crate::io::ClientSettings::default(),
        }
    }

    #[test]
    fn a_role_that_changed_is_told_once() {
        let now = Now::read();
        let candidates = vec!["10.0.0.1:7882".parse().unwrap()];
        let config = SfuConfig::new(NodeId::from_text("ND_test"), vec![candidates]);
        let (mut sfu, _) = Sfu::new(config, [7; 32], now);
        let verdict = Verdict {
            epoch: 1,
            refused: Vec::new(),
            inside: true,
            stay_age_max: None,
            clock_offset: jiff::SignedDuration::ZERO,
            default_scene: Scene::Live,
            disconnect_timeout: std::time::Duration::from_secs(90),
        };
        sfu.handle_input(now, Input::Verdict(APP, verdict));
        sfu.handle_input(now, Input::Join(Box::new(join())));
        let id = *sfu.participants.keys().next().unwrap();
        for role in [Role::Audience, Role::Audience, Role::Anchor] {
            sfu.participants.get_mut(&id).unwrap().role = role;
            sfu.announce(id);
        }
        let mut told = Vec::new();
        while let Some(output) = sfu.context.out.pop_front() {
            if let Output::Event(event) = output
                && let RoomEventKind::RoleChanged(occupant) = event.kind
            {
                told.push((event.seq, occupant.role));
            }
        }
        assert_eq!(told, [(3, Role::Audience), (4, Role::Anchor)]);
    }
}
