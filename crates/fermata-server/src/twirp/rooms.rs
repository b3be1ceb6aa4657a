//! `livekit.RoomService`: rooms, who is in them, and what can be done to them.

use std::time::Duration;

use axum::response::Response;
use fermata_sfu::io::{Command, ParticipantChange, Reply, RoomOptions, RoomPermission, RpcCall};
use livekit_protocol as lk;
use lk::data_packet::Kind;

use super::Call;
use super::caller::room_name;
use super::code::{Code, TwirpError};
use crate::limits::{RPC_TIME, RPC_TIME_MAX, TWIRP_ROOM_AGENTS_MAX};

/// Carries out a call.
pub(super) async fn call(call: &Call<'_>) -> Result<Response, TwirpError> {
    match call.method.name {
        "CreateRoom" => call.answer(&create_room(call, call.read()?).await?),
        "ListRooms" => call.answer(&list_rooms(call, call.read()?).await?),
        "DeleteRoom" => call.answer(&delete_room(call, call.read()?).await?),
        "ListParticipants" => call.answer(&list_participants(call, call.read()?).await?),
        "GetParticipant" => call.answer(&get_participant(call, call.read()?).await?),
        "RemoveParticipant" => call.answer(&remove_participant(call, call.read()?).await?),
        "MutePublishedTrack" => call.answer(&mute_track(call, call.read()?).await?),
        "UpdateParticipant" => call.answer(&update_participant(call, call.read()?).await?),
        "UpdateSubscriptions" => call.answer(&update_subscriptions(call, call.read()?).await?),
        "SendData" => call.answer(&send_data(call, call.read()?).await?),
        "UpdateRoomMetadata" => call.answer(&update_metadata(call, call.read()?).await?),
        "PerformRpc" => call.answer(&perform_rpc(call, call.read()?).await?),
        "ForwardParticipant" => {
            let ask: lk::ForwardParticipantRequest = call.read()?;
            Err(refuse_transfer(call, &ask.room, &ask.destination_room).await)
        }
        "MoveParticipant" => {
            let ask: lk::MoveParticipantRequest = call.read()?;
            Err(refuse_transfer(call, &ask.room, &ask.destination_room).await)
        }
        _ => Err(unexpected()),
    }
}

/// A reply that does not belong to the command.
fn unexpected() -> TwirpError {
    TwirpError::new(Code::Internal, "the server failed inside; its log says why")
}

/// Anything but what the command is answered with when it succeeds.
pub(super) fn failed(reply: Reply) -> TwirpError {
    match reply {
        Reply::NoSuchRoom => TwirpError::new(Code::NotFound, "requested room does not exist"),
        Reply::NoSuchParticipant => TwirpError::new(Code::NotFound, "participant does not exist"),
        Reply::NoSuchTrack => TwirpError::new(Code::NotFound, "track is not found"),
        Reply::Refused(refusal) => TwirpError::from(&refusal),
        Reply::Invalid(problem) => TwirpError::new(Code::InvalidArgument, problem),
        other => {
            tracing::error!(reply = ?std::mem::discriminant(&other), "A reply that fits no command.");
            unexpected()
        }
    }
}

fn invalid(argument: &'static str, text: impl Into<String>) -> TwirpError {
    TwirpError::new(Code::InvalidArgument, text).with("argument", argument)
}

async fn create_room(call: &Call<'_>, ask: lk::CreateRoomRequest) -> Result<lk::Room, TwirpError> {
    call.admit(&ask.name, "").await?;
    let not_built = [
        ("room_preset", !ask.room_preset.is_empty(), "named room configurations do not exist here"),
        (
            "egress",
            ask.egress.is_some(),
            "rooms cannot be recorded or streamed from their beginning on",
        ),
        ("replay_enabled", ask.replay_enabled, "rooms cannot be replayed"),
    ];
    for (argument, asked, why) in not_built {
        if asked {
            let text = format!("{argument} is not implemented: {why}");
            return Err(TwirpError::new(Code::Unimplemented, text).with("argument", argument));
        }
    }
    if ask.agents.len() > TWIRP_ROOM_AGENTS_MAX {
        let text = format!(
            "{} agents are asked for; at most {TWIRP_ROOM_AGENTS_MAX} are allowed",
            ask.agents.len()
        );
        return Err(invalid("agents", text));
    }
    let some = |number: u32| Some(number).filter(|number| *number > 0);
    let options = RoomOptions {
        scene: fermata_signal::scene_of(&ask.metadata),
        metadata: ask.metadata,
        empty_timeout_s: some(ask.empty_timeout),
        departure_timeout_s: some(ask.departure_timeout),
        max_participants: some(ask.max_participants),
        agents: ask.agents,
    };
    let room = room_name(&ask.name)?;
    let command = Command::CreateRoom { app: call.caller.app, room, options };
    match call.shared.command(command).await? {
        Reply::Room(room) => Ok(room.info),
        other => Err(failed(other)),
    }
}

async fn list_rooms(
    call: &Call<'_>,
    ask: lk::ListRoomsRequest,
) -> Result<lk::ListRoomsResponse, TwirpError> {
    call.admit("", "").await?;
    match call.shared.command(Command::ListRooms { app: call.caller.app }).await? {
        Reply::Rooms(rooms) => {
            let wanted = |info: &lk::Room| ask.names.is_empty() || ask.names.contains(&info.name);
            let rooms = rooms.into_iter().map(|room| room.info).filter(wanted).collect();
            Ok(lk::ListRoomsResponse { rooms })
        }
        other => Err(failed(other)),
    }
}

async fn delete_room(
    call: &Call<'_>,
    ask: lk::DeleteRoomRequest,
) -> Result<lk::DeleteRoomResponse, TwirpError> {
    call.admit(&ask.room, "").await?;
    let room = room_name(&ask.room)?;
    done(call, Command::DismissRoom { app: call.caller.app, room }).await?;
    Ok(lk::DeleteRoomResponse::default())
}

async fn done(call: &Call<'_>, command: Command) -> Result<(), TwirpError> {
    match call.shared.command(command).await? {
        Reply::Done => Ok(()),
        other => Err(failed(other)),
    }
}

/// Everybody in a room.
pub(super) async fn participants(
    call: &Call<'_>,
    room: &str,
) -> Result<Vec<lk::ParticipantInfo>, TwirpError> {
    let room = room_name(room)?;
    match call.shared.command(Command::ListParticipants { app: call.caller.app, room }).await? {
        Reply::Participants(list) => Ok(list.into_iter().map(|each| each.info).collect()),
        other => Err(failed(other)),
    }
}

async fn list_participants(
    call: &Call<'_>,
    ask: lk::ListParticipantsRequest,
) -> Result<lk::ListParticipantsResponse, TwirpError> {
    call.admit(&ask.room, "").await?;
    Ok(lk::ListParticipantsResponse { participants: participants(call, &ask.room).await? })
}

async fn get_participant(
    call: &Call<'_>,
    ask: lk::RoomParticipantIdentity,
) -> Result<lk::ParticipantInfo, TwirpError> {
    call.admit(&ask.room, "").await?;
    let all = participants(call, &ask.room).await?;
    let found = all.into_iter().find(|info| info.identity == ask.identity);
    found.ok_or_else(|| failed(Reply::NoSuchParticipant))
}

async fn remove_participant(
    call: &Call<'_>,
    ask: lk::RoomParticipantIdentity,
) -> Result<lk::RemoveParticipantResponse, TwirpError> {
    call.admit(&ask.room, "").await?;
    let (app, room) = (call.caller.app, room_name(&ask.room)?);
    // Tokens from before the removal never come back, whatever `revoke_token_ts` says.
    done(call, Command::RemoveParticipant { app, room, identity: ask.identity }).await?;
    Ok(lk::RemoveParticipantResponse::default())
}

async fn mute_track(
    call: &Call<'_>,
    ask: lk::MuteRoomTrackRequest,
) -> Result<lk::MuteRoomTrackResponse, TwirpError> {
    call.admit(&ask.room, "").await?;
    let command = Command::MuteTrack {
        app: call.caller.app,
        room: room_name(&ask.room)?,
        identity: ask.identity,
        track: ask.track_sid,
        muted: ask.muted,
    };
    match call.shared.command(command).await? {
        Reply::Track(track) => Ok(lk::MuteRoomTrackResponse { track: Some(*track) }),
        other => Err(failed(other)),
    }
}

async fn update_participant(
    call: &Call<'_>,
    ask: lk::UpdateParticipantRequest,
) -> Result<lk::ParticipantInfo, TwirpError> {
    call.admit(&ask.room, "").await?;
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    let change = ParticipantChange {
        name: some(ask.name),
        metadata: some(ask.metadata),
        attributes: ask.attributes.into_iter().collect(),
        permission: ask.permission.map(permission),
    };
    let command = Command::UpdateParticipant {
        app: call.caller.app,
        room: room_name(&ask.room)?,
        identity: ask.identity,
        change: Box::new(change),
    };
    match call.shared.command(command).await? {
        Reply::Participant(participant) => Ok(participant.info),
        other => Err(failed(other)),
    }
}

/// Rights in our words.
fn permission(wire: lk::ParticipantPermission) -> RoomPermission {
    #[expect(deprecated, reason = "clients still write them")]
    let (recorder, agent) = (wire.recorder, wire.agent);
    RoomPermission {
        can_subscribe: wire.can_subscribe,
        can_publish: wire.can_publish,
        can_publish_data: wire.can_publish_data,
        can_publish_sources: wire.can_publish_sources,
        can_update_metadata: wire.can_update_metadata,
        hidden: wire.hidden,
        recorder,
        agent,
        can_subscribe_metrics: wire.can_subscribe_metrics,
    }
}

async fn update_subscriptions(
    call: &Call<'_>,
    ask: lk::UpdateSubscriptionsRequest,
) -> Result<lk::UpdateSubscriptionsResponse, TwirpError> {
    call.admit(&ask.room, "").await?;
    let command = Command::UpdateSubscriptions {
        app: call.caller.app,
        room: room_name(&ask.room)?,
        identity: ask.identity,
        tracks: ask.track_sids,
        participant_tracks: ask.participant_tracks,
        subscribe: ask.subscribe,
    };
    done(call, command).await?;
    Ok(lk::UpdateSubscriptionsResponse::default())
}

async fn send_data(
    call: &Call<'_>,
    ask: lk::SendDataRequest,
) -> Result<lk::SendDataResponse, TwirpError> {
    call.admit(&ask.room, "").await?;
    if ![0, 16].contains(&ask.nonce.len()) {
        let text =
            format!("the nonce has {} bytes; it must have 16, or be absent", ask.nonce.len());
        return Err(invalid("nonce", text));
    }
    let reliable = match Kind::try_from(ask.kind) {
        Ok(Kind::Reliable) => true,
        Ok(Kind::Lossy) => false,
        Err(_) => {
            let text = format!("kind {} is neither 0 (reliable) nor 1 (lossy)", ask.kind);
            return Err(invalid("kind", text));
        }
    };
    #[expect(deprecated, reason = "clients still write them")]
    let to_sids = ask.destination_sids;
    let command = Command::SendData {
        app: call.caller.app,
        room: room_name(&ask.room)?,
        data: ask.data,
        reliable,
        topic: ask.topic,
        to_identities: ask.destination_identities,
        to_sids,
    };
    done(call, command).await?;
    Ok(lk::SendDataResponse::default())
}

async fn update_metadata(
    call: &Call<'_>,
    ask: lk::UpdateRoomMetadataRequest,
) -> Result<lk::Room, TwirpError> {
    call.admit(&ask.room, "").await?;
    let (app, room) = (call.caller.app, room_name(&ask.room)?);
    let command = Command::SetRoomMetadata { app, room, metadata: ask.metadata };
    match call.shared.command(command).await? {
        Reply::Room(room) => Ok(room.info),
        other => Err(failed(other)),
    }
}

async fn perform_rpc(
    call: &Call<'_>,
    ask: lk::PerformRpcRequest,
) -> Result<lk::PerformRpcResponse, TwirpError> {
    call.admit(&ask.room, "").await?;
    if ask.destination_identity.is_empty() {
        return Err(invalid("destination_identity", "destination_identity is required"));
    }
    let response_timeout = match ask.response_timeout_ms {
        0 => RPC_TIME,
        some => Duration::from_millis(some.into()),
    };
    if response_timeout > RPC_TIME_MAX {
        let text = format!(
            "response_timeout_ms is {}; at most {} are allowed",
            ask.response_timeout_ms,
            RPC_TIME_MAX.as_millis()
        );
        return Err(invalid("response_timeout_ms", text));
    }
    let rpc = RpcCall {
        destination: ask.destination_identity,
        method: ask.method,
        payload: ask.payload,
        response_timeout,
    };
    let (app, room) = (call.caller.app, room_name(&ask.room)?);
    match call.shared.command(Command::PerformRpc { app, room, call: rpc }).await? {
        Reply::RpcAnswered(Ok(payload)) => Ok(lk::PerformRpcResponse { payload }),
        Reply::RpcAnswered(Err(failure)) => Err(failure.into()),
        other => Err(failed(other)),
    }
}

/// Forwarding and moving need a connection between rooms, which `LiveKit`'s open server has not either.
async fn refuse_transfer(call: &Call<'_>, room: &str, destination: &str) -> TwirpError {
    if let Err(error) = call.admit(room, destination).await {
        return error;
    }
    if room == destination {
        return invalid("destination_room", "the destination room is the source room");
    }
    TwirpError::new(
        Code::Unimplemented,
        "participants cannot be forwarded or moved to another room; let the client join it",
    )
}
