//! Events of rooms, cut down to what monitoring keeps of them.

use fermata_sfu::io::{Occupant, RoomEvent, RoomEventKind};
use fermata_store::monitoring::{Client, EventKind};
use fermata_types::{Media, ParticipantSid, RoomName, RoomSid, SdkAppId, StayEnd};
use jiff::Timestamp;
use livekit_protocol as lk;

/// Something happened.
#[derive(Debug, Clone)]
pub(super) struct Happening {
    pub(super) app: SdkAppId,
    pub(super) room: RoomName,
    pub(super) room_sid: RoomSid,
    pub(super) at: Timestamp,
    pub(super) what: What,
}

/// What happened.
#[derive(Debug, Clone)]
pub(super) enum What {
    RoomStarted { creator: String },
    RoomFinished,
    User(Who, Did),
}

/// What a user did.
#[derive(Debug, Clone, Copy)]
pub(super) enum Did {
    Entered,
    Connected,
    Left {
        end: StayEnd,
        was_active: bool,
    },
    /// Anything else.
    Other(EventKind),
}

/// Who did it.
#[derive(Debug, Clone)]
pub(super) struct Who {
    pub(super) stay: ParticipantSid,
    pub(super) identity: String,
    pub(super) client: Client,
    pub(super) entered_at: Timestamp,
}

impl Happening {
    pub(super) fn of(event: &RoomEvent) -> Self {
        use RoomEventKind as Kind;
        let user = |occupant: &Occupant, did| What::User(who(occupant), did);
        let track = |occupant: &Occupant, track: &lk::TrackInfo, kind: fn(Media) -> EventKind| {
            user(occupant, Did::Other(kind(media(track))))
        };
        let what = match &event.kind {
            Kind::RoomStarted { creator, .. } => {
                What::RoomStarted { creator: creator.clone().unwrap_or_default() }
            }
            Kind::RoomFinished { .. } => What::RoomFinished,
            Kind::Entered(occupant) => user(occupant, Did::Entered),
            Kind::Active(occupant) => user(occupant, Did::Connected),
            Kind::Resumed(occupant) => user(occupant, Did::Other(EventKind::Resumed)),
            Kind::RoleChanged(occupant) => {
                user(occupant, Did::Other(EventKind::RoleChanged(occupant.role)))
            }
            Kind::Left { occupant, end, was_active } => {
                user(occupant, Did::Left { end: *end, was_active: *was_active })
            }
            Kind::TrackPublished { occupant, track: info } => {
                track(occupant, info, EventKind::TrackOn)
            }
            Kind::TrackUnpublished { occupant, track: info } => {
                track(occupant, info, EventKind::TrackOff)
            }
            Kind::TrackMuted { occupant, track: info } if info.muted => {
                track(occupant, info, EventKind::Muted)
            }
            Kind::TrackMuted { occupant, track: info } => track(occupant, info, EventKind::Unmuted),
        };
        let (app, room, room_sid) = (event.app, event.room.clone(), event.room_sid.clone());
        Self { app, room, room_sid, at: event.at, what }
    }
}

fn who(occupant: &Occupant) -> Who {
    let client = &occupant.client;
    let device = [&client.device_model, &client.browser].into_iter().find(|text| !text.is_empty());
    let sdk = lk::client_info::Sdk::try_from(client.sdk).unwrap_or_default();
    Who {
        stay: occupant.stay.clone(),
        identity: occupant.info.identity.clone(),
        client: Client {
            device: device.cloned().unwrap_or_default(),
            os: format!("{} {}", client.os, client.os_version).trim().to_owned(),
            sdk: sdk.as_str_name().to_ascii_lowercase(),
            version: client.version.clone(),
            address: occupant.address.clone(),
        },
        entered_at: occupant.entered_at,
    }
}

/// What a track carries, by its source; where a client tells none, by its type.
fn media(track: &lk::TrackInfo) -> Media {
    match track.source() {
        lk::TrackSource::Camera => Media::Video,
        lk::TrackSource::ScreenShare => Media::Screen,
        lk::TrackSource::ScreenShareAudio => Media::ScreenAudio,
        lk::TrackSource::Unknown if track.r#type() == lk::TrackType::Video => Media::Screen,
        lk::TrackSource::Microphone | lk::TrackSource::Unknown => Media::Audio,
    }
}
