//! Participants: listed, removed, changed, blocked.

use fermata_types::{Role, RoomName, Scene, SdkAppId};
use livekit_protocol as lk;
use lk::signal_response::Message as Response;

use super::{Answer, bounded, limited};
use crate::io::{ParticipantChange, ParticipantSnapshot, Reply, RoomPermission};
use crate::key::ParticipantId;
use crate::leave::Leaving;
use crate::limits::{
    ATTRIBUTES_LEN_MAX, BLOCKED_USERS_MAX, METADATA_LEN_MAX, NAME_LEN_MAX, SOURCES_MAX,
};
use crate::mute::Blocked;
use crate::participant::Participant;
use crate::sfu::Sfu;

impl Sfu {
    pub(super) fn list_participants(&self, app: SdkAppId, name: &RoomName) -> Answer {
        let id = self.room(app, name)?;
        let room = self.rooms.get(&id).ok_or(Reply::NoSuchRoom)?;
        let snapshots = room.members.values().filter_map(|member| self.snapshot(*member));
        Ok(Reply::Participants(snapshots.collect()))
    }

    fn snapshot(&self, id: ParticipantId) -> Option<ParticipantSnapshot> {
        let participant = self.participants.get(&id)?;
        Some(ParticipantSnapshot {
            info: self.participant_info(id)?,
            role: participant.role,
            address: participant.address.clone(),
        })
    }

    pub(super) fn remove_participant(
        &mut self,
        app: SdkAppId,
        room: RoomName,
        identity: String,
    ) -> Answer {
        let member = self.member(app, &room, &identity)?;
        let at = self.context.now.wall;
        self.revocations.insert(app, room, identity, at);
        self.close_participant(member, Leaving::Removed);
        Ok(Reply::Done)
    }

    /// All of the change, or nothing of it.
    pub(super) fn update_participant(
        &mut self,
        id: ParticipantId,
        change: ParticipantChange,
    ) -> Answer {
        let participant = self.participants.get_mut(&id).ok_or(Reply::NoSuchParticipant)?;
        check(participant, &change)?;
        if let Some(name) = change.name {
            participant.name = name;
        }
        if let Some(metadata) = change.metadata {
            participant.metadata = metadata;
        }
        for (key, value) in change.attributes {
            if value.is_empty() {
                participant.attributes.remove(&key);
            } else {
                participant.attributes.insert(key, value);
            }
        }
        if let Some(permission) = change.permission {
            self.set_permission(id, permission);
        }
        self.announce(id);
        self.order_token(id);
        let snapshot = self.snapshot(id).ok_or(Reply::NoSuchParticipant)?;
        Ok(Reply::Participant(Box::new(snapshot)))
    }

    /// Other rights from now on. What is no longer allowed ends at once.
    fn set_permission(&mut self, id: ParticipantId, permission: RoomPermission) {
        let Self { participants, rooms, context, .. } = self;
        let Some(participant) = participants.get_mut(&id) else { return };
        let before = participant.permission.clone();
        // Who is visible, records or is an agent, is said once, by the token.
        participant.permission = RoomPermission {
            hidden: before.hidden,
            recorder: before.recorder,
            agent: before.agent,
            ..permission
        };
        let role = role_with(participant, &before, rooms.get(&participant.room).map(|r| r.scene));
        if role != participant.role {
            participant.role = role;
            participant.meter.set_role(context.now.instant, role);
        }
        let listens = participant.permission.can_subscribe != before.can_subscribe;
        self.take_back_tracks(id);
        if listens {
            self.auto_subscribe_all(id);
            self.negotiate(id);
        }
    }

    /// Unpublishes what may not be published any more, and forgets what was only announced.
    fn take_back_tracks(&mut self, id: ParticipantId) {
        let Some(participant) = self.participants.get(&id) else { return };
        let connection = participant.connection;
        let published = participant.publications.values().filter_map(|id| self.tracks.get(id));
        let published: Vec<_> = published
            .filter(|track| track.backup_of.is_none())
            .filter(|track| !participant.may_publish(track.info.source))
            .map(|track| (track.id, track.sid.to_string()))
            .collect();
        let announced = participant.pending.iter().map(|pending| &pending.info);
        let announced: Vec<_> = announced
            .filter(|info| !participant.may_publish(info.source))
            .map(|info| info.sid.clone())
            .collect();
        if let Some(participant) = self.participants.get_mut(&id) {
            participant.pending.retain(|pending| !announced.contains(&pending.info.sid));
        }
        let sids = published.iter().map(|(_, sid)| sid).chain(&announced);
        for sid in sids {
            let told = lk::TrackUnpublishedResponse { track_sid: sid.clone() };
            self.context.signal(connection, Response::TrackUnpublished(told));
        }
        for (track, _) in published {
            self.unpublish(track);
        }
    }

    /// Blocks or unblocks a user, who is here or was when it was blocked.
    pub(super) fn block_user(
        &mut self,
        app: SdkAppId,
        name: &RoomName,
        identity: String,
        blocked: Blocked,
    ) -> Answer {
        let id = self.room(app, name)?;
        let room = self.rooms.get_mut(&id).ok_or(Reply::NoSuchRoom)?;
        let member = room.members.get(&identity).copied();
        let known = room.blocked.contains_key(&identity);
        if member.is_none() && !known {
            return Err(Reply::NoSuchParticipant);
        }
        if blocked == Blocked::default() {
            room.blocked.remove(&identity);
        } else if known || room.blocked.len() < BLOCKED_USERS_MAX {
            room.blocked.insert(identity, blocked);
        } else {
            return Err(Reply::Invalid(format!(
                "{BLOCKED_USERS_MAX} users are blocked in this room; unblock one first"
            )));
        }
        if let Some(member) = member {
            self.apply_block(member, blocked);
        }
        Ok(Reply::Done)
    }
}

/// In a live room who gets the right to publish becomes an anchor, and who loses it audience; in a call everybody
/// is an anchor.
fn role_with(participant: &Participant, before: &RoomPermission, scene: Option<Scene>) -> Role {
    match (scene, before.can_publish, participant.permission.can_publish) {
        (Some(Scene::Live), false, true) => Role::Anchor,
        (Some(Scene::Live), true, false) => Role::Audience,
        _ => participant.role,
    }
}

fn check(participant: &Participant, change: &ParticipantChange) -> Result<(), Reply> {
    bounded("the name", change.name.as_ref().map_or(0, String::len), NAME_LEN_MAX)?;
    bounded("the metadata", change.metadata.as_ref().map_or(0, String::len), METADATA_LEN_MAX)?;
    let kept =
        participant.attributes.iter().filter(|(key, _)| !change.attributes.contains_key(*key));
    let new = change.attributes.iter().filter(|(_, value)| !value.is_empty());
    let attributes: usize = kept.chain(new).map(|(key, value)| key.len() + value.len()).sum();
    bounded("all attributes together", attributes, ATTRIBUTES_LEN_MAX)?;
    let Some(permission) = &change.permission else { return Ok(()) };
    limited("sources", permission.can_publish_sources.len(), SOURCES_MAX)?;
    for source in &permission.can_publish_sources {
        if lk::TrackSource::try_from(*source).is_err() {
            return Err(Reply::Invalid(format!(
                "{source} is no source; allowed are 0 (unknown), 1 (camera), 2 (microphone), \
                 3 (screen share) and 4 (screen share audio)"
            )));
        }
    }
    Ok(())
}
