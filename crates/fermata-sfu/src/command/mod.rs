//! Requests of APIs, one family a file: rooms, participants, tracks, data, remote procedure calls.
//!
//! What it is not: it does not ask who may ask; that is the edge's business. Sizes and numbers are checked here,
//! since every edge comes through here.
//!
//! Invariant: each request gets exactly one [`Reply`]. All but [`Command::PerformRpc`] get it at once.

mod data;
mod participant;
mod room;
mod rpc;
mod track;

use fermata_types::{RoomName, SdkAppId};

use crate::io::{Command, Output, Reply, RequestId};
use crate::key::{ParticipantId, RoomId};
use crate::mute::Blocked;
use crate::sfu::Sfu;

pub(crate) use rpc::Calls;

/// What was done, or why not.
type Answer = Result<Reply, Reply>;

impl Sfu {
    /// Does it and answers.
    pub(crate) fn on_command(&mut self, request: RequestId, command: Command) {
        let answer = match command {
            Command::ListRooms { app } => Ok(Reply::Rooms(self.list_rooms(app))),
            Command::ListParticipants { app, room } => self.list_participants(app, &room),
            Command::CreateRoom { app, room, options } => self.create_room(app, room, options),
            Command::SetRoomMetadata { app, room, metadata } => {
                self.set_room_metadata(app, &room, metadata)
            }
            Command::DismissRoom { app, room } => self.dismiss_room(app, &room),
            Command::RemoveParticipant { app, room, identity } => {
                self.remove_participant(app, room, identity)
            }
            Command::UpdateParticipant { app, room, identity, change } => self
                .member(app, &room, &identity)
                .and_then(|id| self.update_participant(id, *change)),
            Command::BlockUser { app, room, identity, audio, video } => {
                self.block_user(app, &room, identity, Blocked { audio, video })
            }
            Command::MuteTrack { app, room, identity, track, muted } => self
                .member(app, &room, &identity)
                .and_then(|id| self.mute_by_server(id, &track, muted)),
            Command::UpdateSubscriptions {
                app,
                room,
                identity,
                tracks,
                participant_tracks,
                subscribe,
            } => self
                .member(app, &room, &identity)
                .and_then(|id| self.choose_for(id, tracks, participant_tracks, subscribe)),
            Command::SendData { app, room, data, reliable, topic, to_identities, to_sids } => {
                let message = data::ServerData { data, reliable, topic, to_identities, to_sids };
                self.room(app, &room).and_then(|id| self.send_server_data(id, message))
            }
            Command::PerformRpc { app, room, call } => {
                let called = self
                    .member(app, &room, &call.destination)
                    .and_then(|id| self.perform_rpc(request, app, id, call));
                match called {
                    // Answered once the client has, or a timer has run out.
                    Ok(()) => return,
                    Err(refused) => Err(refused),
                }
            }
        };
        self.reply(request, answer.unwrap_or_else(|refused| refused));
    }

    fn reply(&mut self, request: RequestId, reply: Reply) {
        self.context.out.push_back(Output::Reply(request, reply));
    }

    fn find_room(&self, app: SdkAppId, room: &RoomName) -> Option<RoomId> {
        self.room_ids.get(&(app, room.clone())).copied()
    }

    fn room(&self, app: SdkAppId, room: &RoomName) -> Result<RoomId, Reply> {
        self.find_room(app, room).ok_or(Reply::NoSuchRoom)
    }

    fn member(
        &self,
        app: SdkAppId,
        room: &RoomName,
        identity: &str,
    ) -> Result<ParticipantId, Reply> {
        let id = self.room(app, room)?;
        let room = self.rooms.get(&id).ok_or(Reply::NoSuchRoom)?;
        room.members.get(identity).copied().ok_or(Reply::NoSuchParticipant)
    }
}

/// Refuses what is longer than allowed, naming both.
fn bounded(what: &str, len: usize, max: usize) -> Result<(), Reply> {
    if len > max {
        return Err(Reply::Invalid(format!("{what} has {len} bytes; at most {max} are allowed")));
    }
    Ok(())
}

/// Refuses more than are allowed, naming both numbers.
fn limited(what: &str, count: usize, max: usize) -> Result<(), Reply> {
    if count > max {
        return Err(Reply::Invalid(format!("{count} {what} are named; at most {max} are allowed")));
    }
    Ok(())
}
