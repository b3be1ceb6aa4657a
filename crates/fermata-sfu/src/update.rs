//! What the others are told: participants and the room.

use fermata_types::RoomSid;
use livekit_protocol as lk;
use lk::signal_response::Message as Response;
use prost::Message as _;

use crate::io::{Output, TokenOrder};
use crate::key::{ParticipantId, RoomId};
use crate::limits::{REFRESH_INTERVAL, ROOM_UPDATE_INTERVAL, UPDATE_DELAY, UPDATE_LEN_MAX};
use crate::participant::Participant;
use crate::sfu::Sfu;
use crate::timer::Timer;

/// From this protocol on clients recognise a returning identity and need no word of the earlier stay.
const PROTOCOL_KNOWS_IDENTITY: i32 = 12;

impl Sfu {
    /// The participant as the protocol shows it.
    pub(crate) fn participant_info(&self, id: ParticipantId) -> Option<lk::ParticipantInfo> {
        let participant = self.participants.get(&id)?;
        let tracks = participant.publications.values().filter_map(|track| self.tracks.get(track));
        let mut tracks: Vec<_> = tracks.filter(|track| track.backup_of.is_none()).collect();
        tracks.sort_by_key(|track| track.id);
        Some(participant.info(tracks.into_iter().map(|track| track.info.clone()).collect()))
    }

    /// Everybody in the room whom `id` may see, without itself.
    pub(crate) fn visible_others(&self, id: ParticipantId) -> Vec<lk::ParticipantInfo> {
        let room = self.participants.get(&id).and_then(|p| self.rooms.get(&p.room));
        let Some(room) = room else { return Vec::new() };
        let others = room.members.values().filter(|member| **member != id);
        let visible = others.filter(|member| {
            self.participants.get(member).is_some_and(|member| !member.permission.hidden)
        });
        visible.filter_map(|member| self.participant_info(*member)).collect()
    }

    /// The room as the protocol shows it.
    pub(crate) fn room_info(&self, id: RoomId) -> Option<lk::Room> {
        let (participants, publishers) = self.room_numbers(id);
        self.rooms.get(&id).map(|room| room.info(participants, publishers))
    }

    /// Visible users of a room, and how many of them publish.
    fn room_numbers(&self, id: RoomId) -> (u32, u32) {
        let Some(room) = self.rooms.get(&id) else { return (0, 0) };
        let members = room.members.values().filter_map(|member| self.participants.get(member));
        let (mut all, mut publishers) = (0, 0);
        for member in members.filter(|member| !member.permission.hidden) {
            all += 1;
            publishers += u32::from(!member.publications.is_empty());
        }
        (all, publishers)
    }

    /// Something about a participant has changed: everybody is told, with a higher version.
    /// News of publishers go out at once, of others within [`UPDATE_DELAY`].
    pub(crate) fn announce(&mut self, id: ParticipantId) {
        let Some(participant) = self.participants.get_mut(&id) else { return };
        participant.version += 1;
        self.note_changes(id);
        let Some(participant) = self.participants.get(&id) else { return };
        let room_id = participant.room;
        let (hidden, connection) = (participant.permission.hidden, participant.connection);
        let Some(info) = self.participant_info(id) else { return };
        if hidden {
            let update = lk::ParticipantUpdate { participants: vec![info] };
            self.context.signal(connection, Response::Update(update));
            return;
        }
        let at_once = info.is_publisher;
        let Some(room) = self.rooms.get_mut(&room_id) else { return };
        room.news.insert(info.sid.clone(), info);
        if at_once {
            self.flush_news(room_id);
        } else {
            let at = self.context.now.instant + UPDATE_DELAY;
            self.context.timers.arm_earlier(Timer::Updates(room_id), at);
        }
    }

    /// Tells that somebody left.
    pub(crate) fn tell_departure(
        &mut self,
        room_id: RoomId,
        info: lk::ParticipantInfo,
        replaced: bool,
    ) {
        // What waited about it is outdated.
        if let Some(room) = self.rooms.get_mut(&room_id) {
            room.news.remove(&info.sid);
        }
        let told = |member: &Participant| !replaced || member.protocol < PROTOCOL_KNOWS_IDENTITY;
        self.send_update(room_id, vec![info], told);
    }

    /// Sends the news that wait in a room.
    pub(crate) fn flush_news(&mut self, id: RoomId) {
        self.context.timers.disarm(Timer::Updates(id));
        let Some(room) = self.rooms.get_mut(&id) else { return };
        let news: Vec<_> = std::mem::take(&mut room.news).into_values().collect();
        if !news.is_empty() {
            self.send_update(id, news, |_| true);
        }
    }

    fn send_update(
        &mut self,
        room: RoomId,
        participants: Vec<lk::ParticipantInfo>,
        told: impl Fn(&Participant) -> bool,
    ) {
        let chunks = chunks(participants);
        let Some(room) = self.rooms.get(&room) else { return };
        for member in room.members.values().filter_map(|member| self.participants.get(member)) {
            if told(member) {
                for chunk in &chunks {
                    self.context.signal(member.connection, Response::Update(chunk.clone()));
                }
            }
        }
    }

    /// Tells one client everything about everybody, itself included.
    pub(crate) fn send_full_update(&mut self, id: ParticipantId) {
        let Some(participant) = self.participants.get(&id) else { return };
        let connection = participant.connection;
        let mut all = self.visible_others(id);
        all.extend(self.participant_info(id));
        for chunk in chunks(all) {
            self.context.signal(connection, Response::Update(chunk));
        }
    }

    /// Numbers of a room may have changed; told at most every [`ROOM_UPDATE_INTERVAL`].
    pub(crate) fn room_numbers_changed(&mut self, id: RoomId) {
        let numbers = self.room_numbers(id);
        if self.rooms.get(&id).is_some_and(|room| room.told != numbers) {
            let timer = Timer::RoomUpdate(id);
            if !self.context.timers.is_armed(timer) {
                self.context.timers.arm(timer, self.context.now.instant + ROOM_UPDATE_INTERVAL);
            }
        }
    }

    /// Tells everybody about the room if its numbers have changed.
    pub(crate) fn send_room_update(&mut self, id: RoomId) {
        let numbers = self.room_numbers(id);
        if self.rooms.get(&id).is_some_and(|room| room.told != numbers) {
            self.tell_room(id);
        }
    }

    /// Tells everybody about the room at once.
    pub(crate) fn tell_room(&mut self, id: RoomId) {
        let numbers = self.room_numbers(id);
        let Some(info) = self.room_info(id) else { return };
        let Some(room) = self.rooms.get_mut(&id) else { return };
        room.told = numbers;
        for member in room.members.values().filter_map(|member| self.participants.get(member)) {
            let update = lk::RoomUpdate { room: Some(info.clone()) };
            self.context.signal(member.connection, Response::RoomUpdate(update));
        }
    }

    /// The sid of a participant's room.
    pub(crate) fn room_sid(&self, id: ParticipantId) -> Option<RoomSid> {
        let room = self.participants.get(&id)?.room;
        self.rooms.get(&room).map(|room| room.sid.clone())
    }

    /// Orders a fresh token for a client that is connected, and the next one later.
    pub(crate) fn order_token(&mut self, id: ParticipantId) {
        let at = self.context.now.instant + REFRESH_INTERVAL;
        let Some(participant) = self.participants.get(&id) else { return };
        self.context.timers.arm(Timer::Refresh(id), at);
        let Some(room) = self.rooms.get(&participant.room) else { return };
        let Some(connection) = participant.connection else { return };
        let order = TokenOrder {
            app: room.app,
            room: room.name.clone(),
            identity: participant.identity.clone(),
            name: participant.name.clone(),
            metadata: participant.metadata.clone(),
            attributes: participant.attributes.clone(),
            permission: participant.permission.clone(),
            role: participant.role,
            kind: participant.kind,
            may_create: participant.may_create,
        };
        self.context.out.push_back(Output::RefreshToken(connection, Box::new(order)));
    }

    /// The shell signed a token.
    pub(crate) fn on_fresh_token(&mut self, connection: crate::io::ConnectionId, token: String) {
        if self.connections.contains_key(&connection) {
            self.context.signal(Some(connection), Response::RefreshToken(token));
        }
    }
}

/// Splits participants into messages of at most [`UPDATE_LEN_MAX`] bytes, or of one participant.
fn chunks(participants: Vec<lk::ParticipantInfo>) -> Vec<lk::ParticipantUpdate> {
    let mut chunks: Vec<lk::ParticipantUpdate> = Vec::new();
    let mut len = usize::MAX;
    for participant in participants {
        let more = participant.encoded_len() + 8;
        match chunks.last_mut() {
            Some(chunk) if len.saturating_add(more) <= UPDATE_LEN_MAX => {
                len += more;
                chunk.participants.push(participant);
            }
            _ => {
                len = more;
                chunks.push(lk::ParticipantUpdate { participants: vec![participant] });
            }
        }
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn updates_are_split_by_size_and_lose_nobody() {
        let participant =
            |len| lk::ParticipantInfo { metadata: "x".repeat(len), ..Default::default() };
        let all = vec![
            participant(60_000),
            participant(60_000),
            participant(60_000),
            participant(400_000),
        ];
        let sizes: Vec<_> = chunks(all).iter().map(|chunk| chunk.participants.len()).collect();
        assert_eq!(sizes, [2, 1, 1]);
        assert!(chunks(Vec::new()).is_empty());
    }
}
