//! Messages of clients, one family a file. Larger families have modules of their own
//! (`publish`, `subscribe`, `negotiate`, `resume`).

mod metadata;
mod simulate;
mod track;

use livekit_protocol as lk;
use lk::request_response::{Reason, Request};
use lk::signal_request::Message;
use lk::signal_response::Message as Response;

use crate::io::ConnectionId;
use crate::key::ParticipantId;
use crate::leave::Leaving;
use crate::sfu::Sfu;

impl Sfu {
    /// Handles a message of a client. Those of connections that are gone, or too many, are ignored.
    pub(crate) fn on_signal(&mut self, connection: ConnectionId, message: Message) {
        let Some(id) = self.connections.get(&connection).copied() else { return };
        let now = self.context.now.instant;
        let Some(participant) = self.participants.get_mut(&id) else { return };
        self.context.stats.signals_in += 1;
        participant.heard_at = now;
        if !participant.signals.take(now) {
            self.context.stats.limited += 1;
            return;
        }
        match message {
            Message::Offer(offer) => self.on_offer(id, &offer),
            Message::Answer(answer) => self.on_answer(id, &answer),
            Message::Trickle(trickle) => self.on_trickle(id, &trickle),
            Message::AddTrack(request) => self.on_add_track(id, request),
            Message::Mute(request) => self.on_mute(id, &request),
            Message::Subscription(request) => self.on_subscription(id, &request),
            Message::TrackSetting(request) => self.on_track_settings(id, &request),
            Message::Leave(_) => self.close_participant(id, Leaving::Client),
            #[expect(deprecated, reason = "older clients still send it")]
            Message::UpdateLayers(request) => self.on_update_layers(id, request),
            Message::SubscriptionPermission(request) => {
                self.on_subscription_permission(id, &request);
            }
            Message::SyncState(state) => self.on_sync_state(id, &state),
            Message::Simulate(request) => self.on_simulate(id, &request),
            Message::Ping(_) => self.answer_ping(connection),
            Message::PingReq(ping) => self.answer_ping_request(connection, ping),
            Message::UpdateMetadata(request) => self.on_update_metadata(id, request),
            Message::UpdateAudioTrack(request) => self.on_update_audio_track(id, request),
            Message::UpdateVideoTrack(request) => self.on_update_video_track(id, &request),
            Message::PublishDataTrackRequest(request) => {
                self.refuse(id, 0, Request::PublishDataTrack(request));
            }
            Message::UnpublishDataTrackRequest(request) => {
                self.refuse(id, 0, Request::UnpublishDataTrack(request));
            }
            Message::UpdateDataSubscription(_) => {}
            Message::StoreDataBlobRequest(request) => self.refuse(id, request.request_id, None),
            Message::GetDataBlobRequest(request) => self.refuse(id, request.request_id, None),
        }
    }

    fn answer_ping(&mut self, connection: ConnectionId) {
        let pong = Response::Pong(self.context.now.wall.as_millisecond());
        self.context.signal(Some(connection), pong);
    }

    fn answer_ping_request(&mut self, connection: ConnectionId, ping: lk::Ping) {
        let pong = lk::Pong {
            last_ping_timestamp: ping.timestamp,
            timestamp: self.context.now.wall.as_millisecond(),
        };
        self.context.signal(Some(connection), Response::PongResp(pong));
    }

    /// Says that this server has not got what was asked for.
    fn refuse(&mut self, id: ParticipantId, request_id: u32, request: impl Into<Option<Request>>) {
        let message = "this server does not offer it";
        self.respond(id, request_id, Reason::UnsupportedType, message, request.into());
    }

    /// Answers a request.
    pub(crate) fn respond(
        &mut self,
        id: ParticipantId,
        request_id: u32,
        reason: Reason,
        message: &str,
        request: Option<Request>,
    ) {
        let Some(participant) = self.participants.get(&id) else { return };
        let response = lk::RequestResponse {
            request_id,
            reason: reason.into(),
            message: message.to_owned(),
            request,
        };
        self.context.signal(participant.connection, Response::RequestResponse(response));
    }
}
