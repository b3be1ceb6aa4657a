//! Requests of APIs: lists, removals.

use fermata_types::{RoomName, SdkAppId};

use crate::io::{Command, Output, ParticipantSnapshot, Reply, RequestId, RoomSnapshot};
use crate::key::RoomId;
use crate::leave::Leaving;
use crate::sfu::Sfu;

impl Sfu {
    /// Does it and answers.
    pub(crate) fn on_command(&mut self, request: RequestId, command: Command) {
        let reply = match command {
            Command::ListRooms { app } => Reply::Rooms(self.list_rooms(app)),
            Command::ListParticipants { app, room } => self.list_participants(app, room),
            Command::RemoveParticipant { app, room, identity } => {
                self.remove_participant(app, room, &identity)
            }
            Command::DismissRoom { app, room } => match self.find_room(app, room) {
                None => Reply::NoSuchRoom,
                Some(id) => {
                    self.close_room(id);
                    Reply::Done
                }
            },
        };
        self.context.out.push_back(Output::Reply(request, reply));
    }

    fn find_room(&self, app: SdkAppId, room: RoomName) -> Option<RoomId> {
        self.room_ids.get(&(app, room)).copied()
    }

    fn list_rooms(&self, app: SdkAppId) -> Vec<RoomSnapshot> {
        let rooms = self.rooms.values().filter(|room| room.app == app);
        let snapshot = |room: &crate::room::Room| {
            let info = self.room_info(room.id)?;
            Some(RoomSnapshot { info, name: room.name.clone(), scene: room.scene })
        };
        rooms.filter_map(snapshot).collect()
    }

    fn list_participants(&self, app: SdkAppId, room: RoomName) -> Reply {
        let room = self.find_room(app, room).and_then(|id| self.rooms.get(&id));
        let Some(room) = room else { return Reply::NoSuchRoom };
        let snapshots = room.members.values().filter_map(|member| {
            let participant = self.participants.get(member)?;
            Some(ParticipantSnapshot {
                info: self.participant_info(*member)?,
                role: participant.role,
                address: participant.address.clone(),
            })
        });
        Reply::Participants(snapshots.collect())
    }

    fn remove_participant(&mut self, app: SdkAppId, room: RoomName, identity: &str) -> Reply {
        let id = self.find_room(app, room.clone());
        let Some(found) = id.and_then(|id| self.rooms.get(&id)) else { return Reply::NoSuchRoom };
        let Some(member) = found.members.get(identity).copied() else {
            return Reply::NoSuchParticipant;
        };
        let at = self.context.now.wall;
        self.revocations.insert(app, room, identity.to_owned(), at);
        self.close_participant(member, Leaving::Removed);
        Reply::Done
    }
}
