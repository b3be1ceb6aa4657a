//! Callbacks in the vendor's form: groups 1 (rooms) and 2 (media).
//!
//! What is decided here, where the vendor's words leave room:
//! - 103 is told when a user is admitted, which is what the vendor calls entering; media may still be connecting.
//!   A stay that is taken up again over a new connection is the same stay and told by nothing: a second 103 without
//!   a 104 between would make receivers count one user twice. `Reason` of 103 is therefore always 1.
//! - 104 alone tells that a user left; the media that ran stop without words of their own.
//! - `Reason` of 104: 1 left; 2 gone without a word (timeout, broken or never connected); 3 put out (removed,
//!   replaced by the same user's later entry, room dismissed, server stopped). 4 (cross-room) and 5 (the client's
//!   process killed, which a server cannot see) are not used.
//! - 102 is told at the end of every room, dismissed or empty.
//! - Muting is stopping and unmuting is starting, as with the vendor's clients ([`crate::follow`]).
//! - Agents, recorders and other robots are users, as the vendor's robots are. Participants whom the others do not
//!   see (hidden) are nobody's users and not told.

use fermata_sfu::io::{Occupant, RoomEvent, RoomEventKind};
use fermata_types::{Role, RoomName, StayEnd};
use jiff::Timestamp;
use livekit_protocol as lk;
use lk::client_info::Sdk;
use serde::Serialize;

use crate::follow::{Change, Medium};

/// Group of rooms.
pub const GROUP_ROOM: u8 = 1;
/// Group of media.
pub const GROUP_MEDIA: u8 = 2;

/// A callback, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VendorCallback {
    /// `EventGroupId`.
    pub group: u8,
    /// `EventType`.
    pub event_type: u16,
    /// The JSON body, to be signed as it is.
    pub body: Vec<u8>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope {
    event_group_id: u8,
    event_type: u16,
    callback_ts: i64,
    event_info: Info,
}

/// Fields in the order in which the vendor documents them; which of them an event has is in its constructor.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Info {
    room_id: RoomId,
    event_ts: i64,
    event_ms_ts: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    terminal_type: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_type: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<u8>,
}

/// A number for integer rooms, else a string.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum RoomId {
    Number(u32),
    Text(String),
}

impl Default for RoomId {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl Info {
    fn new(event: &RoomEvent) -> Self {
        let room_id = match &event.room {
            RoomName::Integer(number) => RoomId::Number(*number),
            RoomName::Text(text) => RoomId::Text(text.to_string()),
        };
        let (event_ts, event_ms_ts) = (event.at.as_second(), event.at.as_millisecond());
        Self { room_id, event_ts, event_ms_ts, ..Self::default() }
    }

    fn user(self, identity: &str) -> Self {
        Self { user_id: Some(identity.to_owned()), ..self }
    }

    fn role(self, role: Role) -> Self {
        let role = match role {
            Role::Anchor => 20,
            Role::Audience => 21,
        };
        Self { role: Some(role), ..self }
    }

    fn client(self, client: &lk::ClientInfo) -> Self {
        let (terminal, user) = (terminal_type(client), user_type(client));
        Self { terminal_type: Some(terminal), user_type: Some(user), ..self }
    }

    fn reason(self, reason: u8) -> Self {
        Self { reason: Some(reason), ..self }
    }
}

/// The callback that an event makes, if it makes one. `now` is told as the moment of the callback.
pub fn callback(event: &RoomEvent, change: &Change, now: Timestamp) -> Option<VendorCallback> {
    let (event_type, info) = told(event, change)?;
    let group = if event_type < 200 { GROUP_ROOM } else { GROUP_MEDIA };
    let callback_ts = now.as_millisecond();
    let envelope = Envelope { event_group_id: group, event_type, callback_ts, event_info: info };
    // Numbers and strings: JSON has a form for all of it.
    let body = serde_json::to_vec(&envelope).ok()?;
    Some(VendorCallback { group, event_type, body })
}

fn told(event: &RoomEvent, change: &Change) -> Option<(u16, Info)> {
    use RoomEventKind as K;
    let info = Info::new(event);
    let about = |who: &Occupant| {
        let hidden = who.info.permission.as_ref().is_some_and(|permission| permission.hidden);
        (!hidden).then(|| Info::new(event).user(&who.info.identity))
    };
    Some(match &event.kind {
        // Made by an API: nobody entered first.
        K::RoomStarted { creator, .. } => (101, info.user(creator.as_deref().unwrap_or_default())),
        K::RoomFinished { .. } => (102, info),
        K::Entered(who) => (103, about(who)?.role(who.role).client(&who.client).reason(1)),
        K::Left { occupant: who, end, .. } => {
            (104, about(who)?.role(who.role).reason(exit_reason(*end)))
        }
        K::RoleChanged(who) => (105, about(who)?.role(who.role)),
        K::TrackPublished { occupant, .. }
        | K::TrackUnpublished { occupant, .. }
        | K::TrackMuted { occupant, .. } => {
            let (medium, starts) = change.media?;
            let start = match medium {
                Medium::Video => 201,
                Medium::Audio => 203,
                Medium::Substream => 205,
            };
            let info = about(occupant)?;
            if starts { (start, info) } else { (start + 1, info.reason(0)) }
        }
        K::Active(_) | K::Resumed(_) => return None,
    })
}

fn exit_reason(end: StayEnd) -> u8 {
    match end {
        StayEnd::Left => 1,
        StayEnd::TimedOut | StayEnd::Failed | StayEnd::NeverConnected | StayEnd::Lost => 2,
        StayEnd::Removed | StayEnd::Replaced | StayEnd::Dismissed | StayEnd::Shutdown => 3,
    }
}

/// 1 Windows, 2 Android, 3 iOS, 4 Linux, 100 other.
fn terminal_type(client: &lk::ClientInfo) -> u8 {
    let os = client.os.to_ascii_lowercase();
    let is = |names: &[&str]| names.iter().any(|name| os.starts_with(name));
    if is(&["windows"]) {
        1
    } else if is(&["android"]) {
        2
    } else if is(&["ios", "ipados", "iphone"]) {
        3
    } else if is(&["linux", "ubuntu", "debian", "fedora"]) {
        4
    } else if os.is_empty() && client.sdk() == Sdk::Android {
        2
    } else {
        100
    }
}

/// 1 in a browser, 3 native.
fn user_type(client: &lk::ClientInfo) -> u8 {
    let web = matches!(client.sdk(), Sdk::Js | Sdk::UnityWeb) || !client.browser.is_empty();
    if web { 1 } else { 3 }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::samples::{event, occupant, track};

    fn now() -> Timestamp {
        Timestamp::from_millisecond(1_700_000_000_100).unwrap()
    }

    fn check(event: &RoomEvent, change: &Change, expected: &Value) {
        let made = callback(event, change, now()).unwrap();
        let got: Value = serde_json::from_slice(&made.body).unwrap();
        assert_eq!(got, *expected);
        assert_eq!(got["EventGroupId"], made.group);
        assert_eq!(got["EventType"], made.event_type);
    }

    fn envelope(group: u8, event: u16, more: &Value) -> Value {
        let mut info =
            json!({"RoomId": 1234, "EventTs": 1_700_000_000, "EventMsTs": 1_700_000_000_050_i64});
        for (name, value) in more.as_object().unwrap() {
            info[name] = value.clone();
        }
        json!({"EventGroupId": group, "EventType": event, "CallbackTs": 1_700_000_000_100_i64, "EventInfo": info})
    }

    #[test]
    fn rooms_are_told_with_the_documented_fields() {
        let none = Change::default();
        let mut ann = Box::new(occupant("ann"));
        ann.client = lk::ClientInfo {
            sdk: Sdk::Js.into(),
            os: "Windows".to_owned(),
            browser: "Chrome".to_owned(),
            ..lk::ClientInfo::default()
        };
        let kinds = [
            (
                101,
                RoomEventKind::RoomStarted { creator: Some("ann".into()), agents: vec![] },
                json!({"UserId": "ann"}),
            ),
            (
                101,
                RoomEventKind::RoomStarted { creator: None, agents: vec![] },
                json!({"UserId": ""}),
            ),
            (102, RoomEventKind::RoomFinished { dismissed: true }, json!({})),
            (
                103,
                RoomEventKind::Entered(ann.clone()),
                json!({"UserId": "ann", "Role": 20, "TerminalType": 1, "UserType": 1, "Reason": 1}),
            ),
            (
                104,
                RoomEventKind::Left { occupant: ann.clone(), end: StayEnd::Left, was_active: true },
                json!({"UserId": "ann", "Role": 20, "Reason": 1}),
            ),
            (
                105,
                RoomEventKind::RoleChanged(Box::new(Occupant {
                    role: Role::Audience,
                    ..(*ann).clone()
                })),
                json!({"UserId": "ann", "Role": 21}),
            ),
        ];
        for (event_type, kind, more) in kinds {
            check(&event(kind), &none, &envelope(1, event_type, &more));
        }
        for kind in [RoomEventKind::Active(ann.clone()), RoomEventKind::Resumed(ann)] {
            assert_eq!(callback(&event(kind), &none, now()), None);
        }
    }

    #[test]
    fn media_are_told_as_they_start_and_stop() {
        let info = Box::new(track("TR_a", lk::TrackSource::Camera));
        let of = || Box::new(occupant("ann"));
        let kinds = || {
            [
                RoomEventKind::TrackPublished { occupant: of(), track: info.clone() },
                RoomEventKind::TrackMuted { occupant: of(), track: info.clone() },
                RoomEventKind::TrackUnpublished { occupant: of(), track: info.clone() },
            ]
        };
        for (medium, start) in
            [(Medium::Video, 201), (Medium::Audio, 203), (Medium::Substream, 205)]
        {
            for kind in kinds() {
                let event = event(kind);
                let change = |starts| Change { media: Some((medium, starts)), ended: vec![] };
                check(&event, &change(true), &envelope(2, start, &json!({"UserId": "ann"})));
                let stop = envelope(2, start + 1, &json!({"UserId": "ann", "Reason": 0}));
                check(&event, &change(false), &stop);
                assert_eq!(callback(&event, &Change::default(), now()), None);
            }
        }
    }

    #[test]
    fn string_rooms_are_strings_even_if_they_look_like_numbers() {
        let mut event = event(RoomEventKind::RoomFinished { dismissed: false });
        event.room = RoomName::parse("1234").unwrap();
        let made = callback(&event, &Change::default(), now()).unwrap();
        let got: Value = serde_json::from_slice(&made.body).unwrap();
        assert_eq!(got["EventInfo"]["RoomId"], json!("1234"));
    }

    #[test]
    fn why_a_user_left_is_told() {
        let rows = [
            (StayEnd::Left, 1),
            (StayEnd::TimedOut, 2),
            (StayEnd::Failed, 2),
            (StayEnd::NeverConnected, 2),
            (StayEnd::Lost, 2),
            (StayEnd::Removed, 3),
            (StayEnd::Replaced, 3),
            (StayEnd::Dismissed, 3),
            (StayEnd::Shutdown, 3),
        ];
        for (end, reason) in rows {
            let occupant = Box::new(occupant("ann"));
            let event = event(RoomEventKind::Left { occupant, end, was_active: false });
            let more = json!({"UserId": "ann", "Role": 20, "Reason": reason});
            check(&event, &Change::default(), &envelope(1, 104, &more));
        }
    }

    #[test]
    fn the_hidden_are_not_told_and_agents_are() {
        let mut hidden = occupant("ann");
        hidden.info.permission = Some(lk::ParticipantPermission {
            hidden: true,
            ..lk::ParticipantPermission::default()
        });
        let hidden = Box::new(hidden);
        let info = Box::new(track("TR_a", lk::TrackSource::Camera));
        let change = Change { media: Some((Medium::Video, true)), ended: vec![] };
        for kind in [
            RoomEventKind::Entered(hidden.clone()),
            RoomEventKind::RoleChanged(hidden.clone()),
            RoomEventKind::TrackPublished { occupant: hidden.clone(), track: info },
            RoomEventKind::Left { occupant: hidden, end: StayEnd::Left, was_active: true },
        ] {
            assert_eq!(callback(&event(kind), &change, now()), None);
        }
        let mut agent = Box::new(occupant("bot"));
        agent.info.kind = lk::participant_info::Kind::Agent.into();
        assert!(
            callback(&event(RoomEventKind::Entered(agent)), &Change::default(), now()).is_some()
        );
    }

    #[test]
    fn clients_are_told_by_system_and_kind() {
        let rows = [
            ("Windows", Sdk::Js, "Chrome", 1, 1),
            ("mac OS", Sdk::Js, "Safari", 100, 1),
            ("Android", Sdk::Android, "", 2, 3),
            ("", Sdk::Android, "", 2, 3),
            ("iOS", Sdk::Swift, "", 3, 3),
            ("ios", Sdk::ReactNative, "", 3, 3),
            ("linux", Sdk::Python, "", 4, 3),
            ("", Sdk::Unknown, "", 100, 3),
            ("Linux", Sdk::Flutter, "Firefox", 4, 1),
        ];
        for (os, sdk, browser, terminal, user) in rows {
            let client = lk::ClientInfo {
                sdk: sdk.into(),
                os: os.to_owned(),
                browser: browser.to_owned(),
                ..lk::ClientInfo::default()
            };
            assert_eq!(
                (terminal_type(&client), user_type(&client)),
                (terminal, user),
                "{os} {sdk:?}"
            );
        }
    }
}
