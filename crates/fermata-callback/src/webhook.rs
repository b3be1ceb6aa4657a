//! Webhooks in `LiveKit`'s form.
//!
//! The body is the JSON form of protobuf of `livekit.WebhookEvent`: names in camel case, 64-bit numbers as strings,
//! default values left out; `LiveKit`'s SDKs read nothing else into it.
//! A user is joined when its media connected; one that left before that is told as `participant_connection_aborted`.
//! Tracks of a leaving user end with events of their own, before it. All participants are told, hidden ones and
//! robots too: the record says what they are.

use fermata_sfu::io::{Occupant, RoomEvent, RoomEventKind};
use livekit_protocol as lk;

use crate::follow::Change;

/// Content type of the body.
pub const CONTENT_TYPE: &str = "application/webhook+json";

/// The webhook events that an event makes, in order; they have no id yet.
pub fn events(event: &RoomEvent, change: &Change) -> Vec<lk::WebhookEvent> {
    use RoomEventKind as K;
    match &event.kind {
        K::RoomStarted { .. } => vec![plain(event, "room_started")],
        K::RoomFinished { dismissed } => {
            let reason = if *dismissed {
                lk::RoomEndReason::RoomEndApiDelete
            } else {
                lk::RoomEndReason::RoomEndIdleTimeout
            };
            let finished = plain(event, "room_finished");
            vec![lk::WebhookEvent { room_end_reason: reason.into(), ..finished }]
        }
        K::Active(who) => vec![about(event, "participant_joined", who, None)],
        K::Left { occupant, was_active, .. } => {
            let ended = change.ended.iter();
            let mut all: Vec<_> = ended
                .map(|track| about(event, "track_unpublished", occupant, Some(track)))
                .collect();
            let name =
                if *was_active { "participant_left" } else { "participant_connection_aborted" };
            all.push(about(event, name, occupant, None));
            all
        }
        K::TrackPublished { occupant, track } => {
            vec![about(event, "track_published", occupant, Some(track))]
        }
        K::TrackUnpublished { occupant, track } => {
            vec![about(event, "track_unpublished", occupant, Some(track))]
        }
        K::Entered(_) | K::Resumed(_) | K::RoleChanged(_) | K::TrackMuted { .. } => Vec::new(),
    }
}

fn plain(event: &RoomEvent, name: &str) -> lk::WebhookEvent {
    lk::WebhookEvent {
        event: name.to_owned(),
        room: Some(event.info.clone()),
        created_at: event.at.as_second(),
        ..lk::WebhookEvent::default()
    }
}

fn about(
    event: &RoomEvent,
    name: &str,
    who: &Occupant,
    track: Option<&lk::TrackInfo>,
) -> lk::WebhookEvent {
    lk::WebhookEvent {
        participant: Some(who.info.clone()),
        track: track.cloned(),
        ..plain(event, name)
    }
}

/// The JSON body of an event with this id, before which so many events of the receiver were given up unsent.
pub fn body(event: lk::WebhookEvent, id: String, dropped: u32) -> Vec<u8> {
    let dropped = i32::try_from(dropped).unwrap_or(i32::MAX);
    #[expect(deprecated, reason = "receivers of the present SDKs read it")]
    let event = lk::WebhookEvent { id, num_dropped: dropped, ..event };
    // Clients and callers of server APIs choose numbers of enumerations, and JSON has no form for unknown ones: then without what
    // they chose.
    let body = serde_json::to_vec(&event);
    body.or_else(|_| serde_json::to_vec(&plainer(event))).unwrap_or_default()
}

/// Without the parts that clients write into a track's record, beyond what names it, and without unknown sources.
fn plainer(event: lk::WebhookEvent) -> lk::WebhookEvent {
    let tidy = |track: &lk::TrackInfo| lk::TrackInfo {
        sid: track.sid.clone(),
        r#type: track.r#type().into(),
        name: track.name.clone(),
        muted: track.muted,
        width: track.width,
        height: track.height,
        source: track.source().into(),
        mime_type: track.mime_type.clone(),
        mid: track.mid.clone(),
        stream: track.stream.clone(),
        ..lk::TrackInfo::default()
    };
    let participant = event.participant.map(|who| {
        let sources = |mut permission: lk::ParticipantPermission| {
            let known = |source: &i32| lk::TrackSource::try_from(*source).is_ok();
            permission.can_publish_sources.retain(known);
            permission
        };
        let tracks = who.tracks.iter().map(tidy).collect();
        lk::ParticipantInfo { tracks, permission: who.permission.map(sources), ..who }
    });
    lk::WebhookEvent { participant, track: event.track.as_ref().map(tidy), ..event }
}

#[cfg(test)]
mod tests {
    use fermata_types::StayEnd;
    use serde_json::{Value, json};

    use super::*;
    use crate::samples::{event, occupant, track};

    fn names(kind: RoomEventKind, change: &Change) -> Vec<String> {
        events(&event(kind), change).into_iter().map(|event| event.event).collect()
    }

    fn left(was_active: bool) -> RoomEventKind {
        let occupant = Box::new(occupant("ann"));
        RoomEventKind::Left { occupant, end: StayEnd::Left, was_active }
    }

    #[test]
    fn each_event_has_its_names() {
        let none = Change::default();
        let of = || Box::new(occupant("ann"));
        let cam = || Box::new(track("TR_c", lk::TrackSource::Camera));
        let rows = [
            (RoomEventKind::RoomStarted { creator: None, agents: vec![] }, vec!["room_started"]),
            (RoomEventKind::RoomFinished { dismissed: true }, vec!["room_finished"]),
            (RoomEventKind::Entered(of()), vec![]),
            (RoomEventKind::Active(of()), vec!["participant_joined"]),
            (RoomEventKind::Resumed(of()), vec![]),
            (RoomEventKind::RoleChanged(of()), vec![]),
            (left(true), vec!["participant_left"]),
            (left(false), vec!["participant_connection_aborted"]),
            (
                RoomEventKind::TrackPublished { occupant: of(), track: cam() },
                vec!["track_published"],
            ),
            (RoomEventKind::TrackMuted { occupant: of(), track: cam() }, vec![]),
            (
                RoomEventKind::TrackUnpublished { occupant: of(), track: cam() },
                vec!["track_unpublished"],
            ),
        ];
        for (kind, expected) in rows {
            assert_eq!(names(kind, &none), expected);
        }
        let ended = Change { media: None, ended: vec![*cam(), *cam()] };
        assert_eq!(
            names(left(true), &ended),
            ["track_unpublished", "track_unpublished", "participant_left"]
        );
    }

    #[test]
    fn the_body_has_the_names_that_sdks_read() {
        let cam = Box::new(track("TR_c", lk::TrackSource::Camera));
        let published =
            RoomEventKind::TrackPublished { occupant: Box::new(occupant("ann")), track: cam };
        let made = events(&event(published), &Change::default()).remove(0);
        let got: Value = serde_json::from_slice(&body(made, "EV_1".to_owned(), 2)).unwrap();
        assert_eq!(
            got,
            json!({
                "event": "track_published", "id": "EV_1", "createdAt": "1700000000", "numDropped": 2,
                "room": {"sid": "RM_a", "name": "int/1234"},
                "participant": {"sid": "PA_ann", "identity": "ann"},
                "track": {"sid": "TR_c", "type": "VIDEO", "source": "CAMERA"},
            })
        );
        let finished = RoomEventKind::RoomFinished { dismissed: true };
        let made = events(&event(finished), &Change::default()).remove(0);
        let got: Value = serde_json::from_slice(&body(made, "EV_1".to_owned(), 0)).unwrap();
        assert_eq!(got["roomEndReason"], "ROOM_END_API_DELETE");
        assert_eq!(got.get("numDropped"), None);
    }

    #[test]
    fn numbers_that_clients_made_up_do_not_lose_the_event() {
        let mut cam = track("TR_c", lk::TrackSource::Camera);
        (cam.source, cam.name) = (4711, "cam".to_owned());
        let mut ann = occupant("ann");
        ann.info.tracks = vec![cam.clone()];
        ann.info.permission = Some(lk::ParticipantPermission {
            can_publish_sources: vec![4711, lk::TrackSource::Camera.into()],
            ..lk::ParticipantPermission::default()
        });
        let published =
            RoomEventKind::TrackPublished { occupant: Box::new(ann), track: Box::new(cam) };
        let made = events(&event(published), &Change::default()).remove(0);
        let got: Value = serde_json::from_slice(&body(made, "EV_1".to_owned(), 0)).unwrap();
        assert_eq!(got["track"]["name"], "cam");
        assert_eq!(got["participant"]["tracks"][0]["sid"], "TR_c");
        assert_eq!(got["participant"]["permission"]["canPublishSources"], json!(["CAMERA"]));
    }
}
