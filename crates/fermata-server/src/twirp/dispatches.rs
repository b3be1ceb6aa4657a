//! `livekit.AgentDispatchService`: which agents a room is to have.

use axum::response::Response;
use fermata_agent::{DispatchError, DispatchId, NewDispatch};
use fermata_billing::effect::OperationClass;
use fermata_sfu::io::{Command, Reply, RoomOptions};
use fermata_types::RoomName;
use livekit_protocol as lk;

use super::Call;
use super::caller::room_name;
use super::code::{Code, TwirpError};
use super::rooms::{failed, participants};
use crate::agent::AgentsError;

/// Carries out a call.
pub(super) async fn call(call: &Call<'_>) -> Result<Response, TwirpError> {
    match call.method.name {
        "CreateDispatch" => call.answer(&create(call, call.read()?).await?),
        "DeleteDispatch" => call.answer(&delete(call, call.read()?).await?),
        _ => call.answer(&list(call, call.read()?).await?),
    }
}

impl From<AgentsError> for TwirpError {
    fn from(error: AgentsError) -> Self {
        let code = match &error {
            AgentsError::Dispatch(DispatchError::Invalid(_)) => Code::InvalidArgument,
            AgentsError::Dispatch(DispatchError::NoSuchRoom | DispatchError::NoSuchDispatch) => {
                Code::NotFound
            }
            AgentsError::Dispatch(DispatchError::Full) => Code::ResourceExhausted,
            AgentsError::Dispatch(_) => Code::Internal,
            AgentsError::Unavailable => Code::Unavailable,
        };
        Self::new(code, error.to_string())
    }
}

async fn create(
    call: &Call<'_>,
    ask: lk::CreateAgentDispatchRequest,
) -> Result<lk::AgentDispatch, TwirpError> {
    call.admit(&ask.room, "").await?;
    let room = room_name(&ask.room)?;
    let info = room_of_dispatch(call, &room).await?;
    let dispatch = NewDispatch {
        app: call.caller.app,
        participants: participants(call, &ask.room).await?,
        info,
        room,
        wish: lk::RoomAgentDispatch {
            agent_name: ask.agent_name,
            metadata: ask.metadata,
            restart_policy: ask.restart_policy,
            deployment: ask.deployment,
            attributes: ask.attributes,
        },
        may_dispatch: call.allows(OperationClass::Join).await.is_ok(),
    };
    Ok(call.shared.agents.create_dispatch(dispatch).await?)
}

/// The room as it is; it is made where rooms come into being by themselves.
async fn room_of_dispatch(call: &Call<'_>, room: &RoomName) -> Result<lk::Room, TwirpError> {
    let app = call.caller.app;
    if call.shared.settings.auto_create {
        let options = RoomOptions::default();
        let command = Command::CreateRoom { app, room: room.clone(), options };
        return match call.shared.command(command).await? {
            Reply::Room(room) => Ok(room.info),
            other => Err(failed(other)),
        };
    }
    match call.shared.command(Command::ListRooms { app }).await? {
        Reply::Rooms(rooms) => {
            let found = rooms.into_iter().find(|each| each.name == *room);
            found.map(|room| room.info).ok_or_else(|| failed(Reply::NoSuchRoom))
        }
        other => Err(failed(other)),
    }
}

async fn delete(
    call: &Call<'_>,
    ask: lk::DeleteAgentDispatchRequest,
) -> Result<lk::AgentDispatch, TwirpError> {
    call.admit(&ask.room, "").await?;
    let room = room_name(&ask.room)?;
    let id = DispatchId::from_text(&ask.dispatch_id);
    Ok(call.shared.agents.delete_dispatch(call.caller.app, room, id).await?)
}

async fn list(
    call: &Call<'_>,
    ask: lk::ListAgentDispatchRequest,
) -> Result<lk::ListAgentDispatchResponse, TwirpError> {
    call.admit(&ask.room, "").await?;
    // A room that does not live has no dispatches; one that was made just now has them in a moment.
    participants(call, &ask.room).await?;
    let room = room_name(&ask.room)?;
    let id = Some(ask.dispatch_id).filter(|id| !id.is_empty());
    let id = id.as_deref().map(DispatchId::from_text);
    let listed = call.shared.agents.list_dispatches(call.caller.app, room, id).await;
    Ok(lk::ListAgentDispatchResponse { agent_dispatches: listed? })
}
