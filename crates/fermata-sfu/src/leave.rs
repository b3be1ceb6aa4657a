//! How stays and rooms end.

use std::time::Duration;

use fermata_types::{StayClosed, StayEnd};
use livekit_protocol as lk;
use lk::DisconnectReason;
use lk::leave_request::Action;
use lk::signal_response::Message as Response;

use crate::io::{ConnectionId, Output, UsageFact};
use crate::key::{ParticipantId, RoomId};
use crate::seam::Order;
use crate::sfu::Sfu;
use crate::timer::Timer;

/// Why a participant goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaving {
    /// The client said so.
    Client,
    /// The same identity entered again.
    Replaced,
    /// Removed through an API.
    Removed,
    /// The room was dismissed.
    Dismissed,
    /// No sign of life for the disconnect timeout.
    Vanished,
    /// Media never connected.
    NeverConnected,
    /// The server stops.
    Shutdown,
    /// The connection broke or could not be negotiated; the client should come anew.
    Failed,
    /// A client asked to be thrown out, to test itself.
    Simulated(Action),
}

impl Leaving {
    /// What usage records say.
    fn end(self) -> StayEnd {
        match self {
            Self::Client | Self::Simulated(_) => StayEnd::Left,
            Self::Replaced => StayEnd::Replaced,
            Self::Removed => StayEnd::Removed,
            Self::Dismissed => StayEnd::Dismissed,
            Self::Vanished => StayEnd::TimedOut,
            Self::NeverConnected => StayEnd::NeverConnected,
            Self::Shutdown => StayEnd::Shutdown,
            Self::Failed => StayEnd::Failed,
        }
    }

    /// What clients are told.
    fn reason(self) -> DisconnectReason {
        match self {
            Self::Client => DisconnectReason::ClientInitiated,
            Self::Replaced => DisconnectReason::DuplicateIdentity,
            Self::Removed => DisconnectReason::ParticipantRemoved,
            Self::Dismissed => DisconnectReason::RoomDeleted,
            Self::Vanished => DisconnectReason::ConnectionTimeout,
            Self::NeverConnected => DisconnectReason::JoinFailure,
            Self::Shutdown | Self::Simulated(_) => DisconnectReason::ServerShutdown,
            Self::Failed => DisconnectReason::MediaFailure,
        }
    }

    /// What the client should do about it.
    fn action(self) -> Action {
        match self {
            Self::Failed => Action::Reconnect,
            Self::Simulated(action) => action,
            _ => Action::Disconnect,
        }
    }
}

impl Sfu {
    /// Ends a stay: tells the client, frees everything, tells the others, closes the books.
    pub(crate) fn close_participant(&mut self, id: ParticipantId, why: Leaving) {
        let before = self.occupant(id);
        let Some(participant) = self.participants.get_mut(&id) else { return };
        // The leave is the last it hears: nothing below is sent to it.
        let (room_id, connection) = (participant.room, participant.connection.take());
        let tracks: Vec<_> = participant.publications.values().copied().collect();
        if let Some(connection) = connection {
            self.send_leave(connection, why.reason(), why.action());
        }
        for track in tracks {
            self.withdraw(track);
        }
        self.unsubscribe_all(id);
        self.fail_calls(id);
        if let Some(shard) = self.participants.get(&id).map(|participant| participant.shard) {
            self.placement.remove(shard);
            self.context.order(shard, Order::Leave(id));
        }
        for timer in [
            Timer::JoinDeadline(id),
            Timer::Vanish(id),
            Timer::Refresh(id),
            Timer::Meter(id),
            Timer::Negotiation(id),
        ] {
            self.context.timers.disarm(timer);
        }
        let Some(mut participant) = self.participants.remove(&id) else { return };
        if !participant.was_connected {
            self.note_not_connecting(room_id);
        }
        participant.state = lk::participant_info::State::Disconnected;
        participant.version += 1;
        let mut info = participant.info(Vec::new());
        info.disconnect_reason = why.reason().into();
        if let Some(room) = self.rooms.get_mut(&room_id) {
            if room.members.get(&participant.identity) == Some(&id) {
                room.members.remove(&participant.identity);
            }
            room.speakers.remove_participant(&participant.sid);
        }
        if !participant.permission.hidden {
            self.tell_departure(room_id, info, why == Leaving::Replaced);
        }
        let now = self.context.now.instant;
        if why == Leaving::Client
            && let Some(room) = self.rooms.get(&room_id)
        {
            let (app, name) = (room.app, room.name.clone());
            self.departures.insert(app, name, participant.identity.clone(), now);
        }
        let (windows, ended_at) = participant.meter.close(now);
        let out = &mut self.context.out;
        out.extend(windows.into_iter().map(|window| Output::Usage(UsageFact::Window(window))));
        out.push_back(Output::Usage(UsageFact::Closed(StayClosed {
            stay: participant.sid,
            ended_at,
            end: why.end(),
        })));
        self.tell_left(before, why.reason(), why.end(), participant.was_connected);
        self.room_numbers_changed(room_id);
        // Who replaces an earlier stay is about to enter: the room is not left.
        if why != Leaving::Replaced {
            self.maybe_empty(room_id, participant.role);
        }
    }

    /// Sends a leave and closes the signalling connection.
    pub(crate) fn send_leave(
        &mut self,
        connection: ConnectionId,
        reason: DisconnectReason,
        action: Action,
    ) {
        let leave = lk::LeaveRequest {
            // Older clients know only this flag.
            can_reconnect: action != Action::Disconnect,
            reason: reason.into(),
            action: action.into(),
            regions: None,
        };
        self.connections.remove(&connection);
        self.context.signal(Some(connection), Response::Leave(leave));
        self.context.out.push_back(Output::CloseSignal(connection));
    }

    /// Starts the wait that closes an empty room.
    fn maybe_empty(&mut self, id: RoomId, last: fermata_types::Role) {
        let Some(room) = self.rooms.get(&id) else { return };
        if !room.members.is_empty() {
            return;
        }
        let linger = room.linger(last, &self.config.limits);
        if linger == Duration::ZERO || self.stopping {
            self.finish_room(id);
        } else {
            let at = self.context.now.instant + linger;
            self.context.timers.arm(Timer::RoomClose(id), at);
        }
    }

    /// The wait is over.
    pub(crate) fn on_room_close(&mut self, id: RoomId) {
        if self.rooms.get(&id).is_some_and(|room| room.members.is_empty()) {
            self.finish_room(id);
        }
    }

    /// Ends the life of a room that could go on; whoever is in it is dismissed.
    pub(crate) fn close_room(&mut self, id: RoomId) {
        let Some(room) = self.rooms.get_mut(&id) else { return };
        room.dismissed = true;
        let members: Vec<_> = room.members.values().copied().collect();
        for member in members {
            self.close_participant(member, Leaving::Dismissed);
        }
        // The last to go may have ended it already.
        self.finish_room(id);
    }

    /// Ends the life of a room that nobody is in.
    fn finish_room(&mut self, id: RoomId) {
        self.tell_room_finished(id);
        let Some(room) = self.rooms.remove(&id) else { return };
        self.room_ids.remove(&(room.app, room.name));
        for timer in [
            Timer::Speakers(id),
            Timer::Quality(id),
            Timer::Samples(id),
            Timer::Updates(id),
            Timer::RoomUpdate(id),
            Timer::RoomClose(id),
        ] {
            self.context.timers.disarm(timer);
        }
    }

    /// Tells everybody and ends every stay.
    pub(crate) fn on_shutdown(&mut self) {
        self.stopping = true;
        let mut everybody: Vec<_> = self.participants.keys().copied().collect();
        everybody.sort_unstable();
        for id in everybody {
            self.close_participant(id, Leaving::Shutdown);
        }
        let rooms: Vec<_> = self.rooms.keys().copied().collect();
        for room in rooms {
            self.finish_room(room);
        }
    }

    /// The signalling connection is gone. The stay goes on: the client may resume.
    pub(crate) fn on_signal_closed(&mut self, connection: ConnectionId) {
        let Some(id) = self.connections.remove(&connection) else { return };
        let Some(participant) = self.participants.get_mut(&id) else { return };
        if participant.connection == Some(connection) {
            participant.connection = None;
            participant.heard_at = self.context.now.instant;
            self.arm_vanish(id);
        }
        self.close_if_gone(id);
    }

    /// A client that has closed both its signalling and its media connections has left, even if its leave
    /// message was lost on the way. One that only fell silent is waited for.
    pub(crate) fn close_if_gone(&mut self, id: ParticipantId) {
        let Some(participant) = self.participants.get(&id) else { return };
        let gone = participant.connection.is_none()
            && participant.was_connected
            && participant.up.as_ref().is_none_or(|link| link.closed)
            && participant.down.as_ref().is_none_or(|link| link.closed);
        if gone {
            self.close_participant(id, Leaving::Client);
        }
    }

    /// Looks again when the participant may have vanished.
    pub(crate) fn arm_vanish(&mut self, id: ParticipantId) {
        let Some(participant) = self.participants.get(&id) else { return };
        let at = participant.heard_at + self.disconnect_timeout(participant.room);
        self.context.timers.arm(Timer::Vanish(id), at);
    }

    /// Nothing was heard for the disconnect timeout, unless something was since the timer was set.
    pub(crate) fn on_vanish(&mut self, id: ParticipantId) {
        let Some(participant) = self.participants.get(&id) else { return };
        let deadline = participant.heard_at + self.disconnect_timeout(participant.room);
        // Before media ever connected, a client that can still be talked to has its join deadline.
        let waits = participant.connection.is_some() && !participant.was_connected;
        if deadline > self.context.now.instant {
            self.arm_vanish(id);
        } else if !waits {
            self.close_participant(id, Leaving::Vanished);
        }
    }

    /// Media had to connect by now.
    pub(crate) fn on_join_deadline(&mut self, id: ParticipantId) {
        if self.participants.get(&id).is_some_and(|participant| !participant.was_connected) {
            self.close_participant(id, Leaving::NeverConnected);
        }
    }
}
