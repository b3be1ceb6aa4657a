//! Events for the tests of this crate.

use fermata_sfu::io::{Occupant, RoomEvent, RoomEventKind};
use fermata_types::{ParticipantSid, Role, RoomName, RoomSid, Scene, SdkAppId};
use jiff::Timestamp;
use livekit_protocol as lk;

pub(crate) fn event(kind: RoomEventKind) -> RoomEvent {
    RoomEvent {
        app: SdkAppId(1_400_000_001),
        room: RoomName::Integer(1234),
        room_sid: RoomSid::from_text("RM_a"),
        seq: 3,
        at: Timestamp::from_millisecond(1_700_000_000_050).unwrap(),
        scene: Scene::Call,
        info: lk::Room {
            sid: "RM_a".to_owned(),
            name: "int/1234".to_owned(),
            ..lk::Room::default()
        },
        kind,
    }
}

pub(crate) fn in_room(sid: &str, event: RoomEvent) -> RoomEvent {
    RoomEvent { room_sid: RoomSid::from_text(sid), ..event }
}

pub(crate) fn occupant(who: &str) -> Occupant {
    Occupant {
        info: lk::ParticipantInfo {
            sid: format!("PA_{who}"),
            identity: who.to_owned(),
            ..lk::ParticipantInfo::default()
        },
        stay: ParticipantSid::from_text(&format!("PA_{who}")),
        role: Role::Anchor,
        client: lk::ClientInfo::default(),
        address: "127.0.0.1".to_owned(),
        entered_at: Timestamp::UNIX_EPOCH,
    }
}

pub(crate) fn track(sid: &str, source: lk::TrackSource) -> lk::TrackInfo {
    let kind = match source {
        lk::TrackSource::Microphone | lk::TrackSource::ScreenShareAudio => lk::TrackType::Audio,
        _ => lk::TrackType::Video,
    };
    lk::TrackInfo {
        sid: sid.to_owned(),
        r#type: kind.into(),
        source: source.into(),
        ..lk::TrackInfo::default()
    }
}
