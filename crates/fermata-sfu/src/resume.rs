//! Going on with an earlier stay over a new signalling connection.

use livekit_protocol as lk;
use lk::DisconnectReason;
use lk::leave_request::Action;
use lk::signal_response::Message as Response;

use crate::io::{Admitted, ConnectionId, Join, Output};
use crate::key::ParticipantId;
use crate::leave::Leaving;
use crate::limits::REQUEST_SIDS_MAX;
use crate::sfu::Sfu;

impl Sfu {
    /// The participant that a join wants to go on with, if it is there and can.
    pub(crate) fn resumable(&self, join: &Join) -> Option<ParticipantId> {
        let resume = join.client.resume.as_ref()?;
        let room = self.rooms.get(self.room_ids.get(&(join.app, join.room.clone()))?)?;
        let id = *room.members.get(&join.identity)?;
        let participant = self.participants.get(&id)?;
        let same = resume.participant.is_empty() || resume.participant == participant.sid.as_str();
        let alive = participant.link(participant.out_side()).is_some_and(|link| !link.closed);
        let dialect = participant.single == join.client.single_connection;
        // Unknown applications have no rooms; whoever may not stay has been dismissed by now.
        let allowed = self.verdicts.get(&join.app).is_some_and(|verdict| verdict.inside);
        (same && alive && dialect && allowed).then_some(id)
    }

    /// Nobody to go on with: the client is to enter anew.
    pub(crate) fn refuse_resume(&mut self, connection: ConnectionId) {
        self.context.stats.resumes_unknown += 1;
        self.send_leave(connection, DisconnectReason::StateMismatch, Action::Reconnect);
    }

    /// Takes the new signalling connection and brings the client up to date.
    pub(crate) fn resume(&mut self, id: ParticipantId, join: Join) {
        self.context.stats.resumes += 1;
        let server_info = self.server_info();
        let room_sid = self.room_sid(id);
        let ice_servers = self.ice_servers(id);
        let Some(participant) = self.participants.get_mut(&id) else { return };
        let connection = join.connection;
        if let Some(old) = participant.connection.replace(connection) {
            self.connections.remove(&old);
            self.context.out.push_back(Output::CloseSignal(old));
        }
        self.connections.insert(connection, id);
        participant.heard_at = self.context.now.instant;
        participant.sections_asked = false;
        participant.qualities_due = true;
        let (room_id, last_message_seq) = (participant.room, participant.data.last_sequence);
        let silent = participant.close_signal_on_resume.take();
        if let Some(room) = room_sid {
            let admitted = Admitted { participant: participant.sid.clone(), room };
            self.context.out.push_back(Output::Joined(connection, Ok(admitted)));
        }
        self.arm_vanish(id);
        if silent == Some(true) {
            self.cut_signal(id);
            return;
        }
        let response = lk::ReconnectResponse {
            server_info: Some(server_info),
            ice_servers,
            last_message_seq,
            ..Default::default()
        };
        self.context.signal(Some(connection), Response::Reconnect(response));
        if silent == Some(false) {
            self.cut_signal(id);
            return;
        }
        self.tell_resumed(id);
        self.send_full_update(id);
        let room = self.room_info(room_id);
        self.context.signal(Some(connection), Response::RoomUpdate(lk::RoomUpdate { room }));
        self.order_token(id);
        self.restart_ice(id);
        let resume = join.client.resume.and_then(|resume| resume.sync_state);
        if let Some(state) = resume {
            self.on_sync_state(id, &state);
        }
        if let Some(offer) = join.client.publisher_offer {
            self.on_offer(id, &offer);
        }
        self.ask_sections(id);
    }

    /// Closes a client's signalling connection without a word, as a simulation of its loss.
    fn cut_signal(&mut self, id: ParticipantId) {
        let Some(participant) = self.participants.get_mut(&id) else { return };
        if let Some(connection) = participant.connection.take() {
            self.connections.remove(&connection);
            self.context.out.push_back(Output::CloseSignal(connection));
        }
    }

    /// A resumed client tells what it has and wants.
    pub(crate) fn on_sync_state(&mut self, id: ParticipantId, state: &lk::SyncState) {
        if self.lacks_track_of(id, state) {
            // What the client takes for published is not here: only a new start helps.
            self.close_participant(id, Leaving::Failed);
            return;
        }
        if let Some(subscription) = &state.subscription {
            self.choose_tracks(id, subscription);
        }
        for sid in state.track_sids_disabled.iter().take(REQUEST_SIDS_MAX) {
            let Some(track) = self.track_for(id, sid) else { continue };
            let participant = self.participants.get(&id);
            let subscription = participant.and_then(|p| p.subscriptions.get(&track));
            let Some(mut settings) = subscription.map(|s| s.settings) else { continue };
            settings.disabled = true;
            self.set_track_settings(id, track, settings);
        }
        self.negotiate(id);
        self.replay_data(id, &state.datachannel_receive_states);
    }

    /// Whether the client says it publishes a track that is not known here.
    fn lacks_track_of(&self, id: ParticipantId, state: &lk::SyncState) -> bool {
        let Some(participant) = self.participants.get(&id) else { return false };
        let published = state.publish_tracks.iter().filter_map(|track| track.track.as_ref());
        published.take(REQUEST_SIDS_MAX).any(|track| {
            self.own_track(id, &track.sid).is_none()
                && participant.pending.iter().all(|pending| pending.info.sid != track.sid)
        })
    }
}
