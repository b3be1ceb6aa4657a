//! Room management: dismissing rooms, removing users, blocking what users send.
//!
//! What it is not: it decides nothing about who may come back; that is the rooms' own business.

use fermata_billing::effect::OperationClass;
use fermata_sfu::io::{Command, Reply};
use fermata_trtc::{Code, room_id};
use fermata_types::{RoomName, SdkAppId};
use serde_json::Map;

use super::call::{Answer, Call};
use super::fault::Fault;

/// Answers `DismissRoom`.
pub(super) async fn dismiss_room(call: &Call) -> Answer {
    dismiss(call, integer_room(call)?).await
}

/// Answers `DismissRoomByStrRoomId`.
pub(super) async fn dismiss_room_by_str(call: &Call) -> Answer {
    dismiss(call, string_room(call, "RoomId")?).await
}

/// Answers `RemoveUser`.
pub(super) async fn remove_user(call: &Call) -> Answer {
    remove(call, integer_room(call)?).await
}

/// Answers `RemoveUserByStrRoomId`.
pub(super) async fn remove_user_by_str(call: &Call) -> Answer {
    remove(call, string_room(call, "RoomId")?).await
}

/// Answers `SetUserBlocked`.
pub(super) async fn set_user_blocked(call: &Call) -> Answer {
    block(call, integer_room(call)?).await
}

/// Answers `SetUserBlockedByStrRoomId`.
pub(super) async fn set_user_blocked_by_str(call: &Call) -> Answer {
    block(call, string_room(call, "StrRoomId")?).await
}

fn integer_room(call: &Call) -> Result<RoomName, Fault> {
    Ok(room_id::integer(call.params.int("RoomId")?)?)
}

fn string_room(call: &Call, name: &str) -> Result<RoomName, Fault> {
    Ok(room_id::string(call.params.text(name)?)?)
}

async fn dismiss(call: &Call, room: RoomName) -> Answer {
    let app = call.needed_app()?;
    done(call.shared.command(Command::DismissRoom { app, room: room.clone() }).await?, &room, "")
}

/// Removes everybody who is named and there. Only if none of them is there, the call fails.
async fn remove(call: &Call, room: RoomName) -> Answer {
    let app = call.needed_app()?;
    let users = call.texts("UserIds");
    let Some(first) = users.first().cloned() else {
        return Err(Fault::new(
            "MissingParameter.UserIds",
            "UserIds is empty; it takes 1 to 10 users.",
        ));
    };
    let mut removed = false;
    for identity in users {
        let command = Command::RemoveParticipant { app, room: room.clone(), identity };
        match call.shared.command(command).await? {
            Reply::NoSuchParticipant => {}
            // Gone with the last of its users.
            Reply::NoSuchRoom if removed => {}
            reply => {
                done(reply, &room, "")?;
                removed = true;
            }
        }
    }
    if removed { Ok(Map::new()) } else { done(Reply::NoSuchParticipant, &room, &first) }
}

async fn block(call: &Call, room: RoomName) -> Answer {
    let app: SdkAppId = call.needed_app()?;
    let identity = call.params.text("UserId")?.to_owned();
    let (audio, video) = match call.params.int("IsMute")? {
        0 => (false, false),
        1 => (true, true),
        2 => (true, false),
        3 => (false, true),
        other => {
            let message = format!(
                "IsMute is {other}; it takes 0 (blocks nothing), 1 (audio and video), 2 (audio) or 3 (video)."
            );
            return Err(Fault::new("InvalidParameterValue", message));
        }
    };
    // A suspension leaves open what silences. What only opens a user's mouth again is a call like any other.
    if !audio && !video {
        let refused = |refusal| Fault::suspended(&refusal);
        call.shared.allows(&call.account, call.app, OperationClass::Api).map_err(refused)?;
    }
    let command =
        Command::BlockUser { app, room: room.clone(), identity: identity.clone(), audio, video };
    done(call.shared.command(command).await?, &room, &identity)
}

/// An answer without fields, or what was not there.
fn done(reply: Reply, room: &RoomName, user: &str) -> Answer {
    let fault = |code: Code, message: String| Err(Fault::new(code.as_str(), message));
    match reply {
        Reply::Done => Ok(Map::new()),
        Reply::NoSuchRoom => {
            fault(Code::ROOM_NOT_EXIST, format!("There is no live room {}.", shown(room)))
        }
        Reply::NoSuchParticipant => fault(
            Code::USER_NOT_EXIST,
            format!("The user {user:?} is not in the room {}.", shown(room)),
        ),
        Reply::Invalid(message) => fault(Code::INVALID_PARAMETER_VALUE, message),
        other => {
            tracing::error!(reply = ?other, "The node gave an answer of another kind.");
            Err(Fault::internal())
        }
    }
}

/// A room as the vendor writes it.
fn shown(room: &RoomName) -> String {
    match room {
        RoomName::Integer(number) => number.to_string(),
        RoomName::Text(name) => format!("{name:?}"),
    }
}
