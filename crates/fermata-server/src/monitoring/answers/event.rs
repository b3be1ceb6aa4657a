//! Events of users, and what went badly.

use fermata_monitor::limits::{UNUSUAL_ANSWER_MAX, UNUSUAL_SPAN_MAX};
use fermata_monitor::{Signal, rule};
use fermata_store::monitoring::{EventKind, EventRow, Page, Unusual};
use fermata_types::{Media, Now, SdkAppId, StayEnd};
use serde_json::{Value, json};

use super::call::text;
use super::check::{comm, refuse, said, window};
use super::{AnswerError, UnusualEvent, UserEvent};
use crate::monitoring::settle;
use crate::server::Shared;

/// The vendor's experience of slow entry.
const SLOW_ENTRY: u32 = 1;
/// The vendor's experience of video that stands still.
const VIDEO_LAG: u32 = 4;
/// The vendor's experience of sound that is missing.
const AUDIO_LAG: u32 = 5;

/// Answers `DescribeUserEvent`: what a user did in a room, in order.
///
/// # Errors
/// [`AnswerError`].
pub async fn describe_user_event(
    shared: &Shared,
    app: SdkAppId,
    ask: &UserEvent,
) -> Result<Value, AnswerError> {
    let (from, to) = window(ask.span, Now::read().wall, None)?;
    let (room, second) = comm(app, &ask.comm)?;
    if ask.room != room {
        return refuse("InvalidParameter.RoomId", "RoomId is not the room of CommId.");
    }
    settle(shared, None).await;
    let Some(life) = shared.monitoring.life(app, room, second).await? else {
        return Ok(json!({ "Data": [] }));
    };
    let (sid, user) = (life.room_sid, ask.user.clone());
    let events = shared.monitoring.events_of(sid, user, from, to).await?;
    let content: Vec<_> = events.iter().filter_map(message).collect();
    // All are the user's own: none is about what somebody else sent.
    let lists = if content.is_empty() {
        Vec::new()
    } else {
        vec![json!({ "Content": content, "PeerId": "" })]
    };
    Ok(json!({ "Data": lists }))
}

/// The vendor's `EventMessage`; its appendix has no number for a change of role.
fn message(event: &EventRow) -> Option<Value> {
    // Numbers of the vendor's appendix: entering and leaving as its servers tell them, the rest as clients in
    // browsers do.
    let (id, one) = match event.kind {
        EventKind::Entered => (7_000, 0),
        EventKind::Connected => (32_793, -1),
        EventKind::Resumed => (32_791, -1),
        EventKind::RoleChanged(_) => return None,
        EventKind::TrackOn(media) if media.is_video() => (32_768, -1),
        EventKind::TrackOn(_) => (32_769, -1),
        EventKind::TrackOff(media) if media.is_video() => (32_770, -1),
        EventKind::TrackOff(_) => (32_771, -1),
        EventKind::Muted(media) if media.is_video() => (32_773, -1),
        EventKind::Muted(_) => (32_772, -1),
        EventKind::Unmuted(media) if media.is_video() => (32_775, -1),
        EventKind::Unmuted(_) => (32_774, -1),
        EventKind::Left(end) => (7_001, how_left(end)),
    };
    let stream = match event.kind {
        EventKind::TrackOn(media)
        | EventKind::TrackOff(media)
        | EventKind::Muted(media)
        | EventKind::Unmuted(media) => match media {
            Media::Video => 2,
            Media::Screen => 7,
            Media::Audio | Media::ScreenAudio => 0,
        },
        _ => 0,
    };
    Some(json!({
        "Type": stream,
        "Time": event.at.as_millisecond(),
        "EventId": id,
        "ParamOne": one,
        "ParamTwo": -1,
    }))
}

/// 0: of its own, 1: vanished, 2: sent away.
const fn how_left(end: StayEnd) -> i32 {
    match end {
        StayEnd::Left => 0,
        StayEnd::TimedOut | StayEnd::Failed | StayEnd::NeverConnected | StayEnd::Lost => 1,
        StayEnd::Replaced | StayEnd::Removed | StayEnd::Dismissed | StayEnd::Shutdown => 2,
    }
}

/// Answers `DescribeUnusualEvent`: the latest 20.
///
/// # Errors
/// [`AnswerError`].
pub async fn describe_unusual_event(
    shared: &Shared,
    app: SdkAppId,
    ask: &UnusualEvent,
) -> Result<Value, AnswerError> {
    let hours = i64::try_from(UNUSUAL_SPAN_MAX.as_secs() / 3_600).unwrap_or(1);
    let (from, to) = window(ask.span, Now::read().wall, Some(hours))?;
    settle(shared, None).await;
    let felt = fermata_monitor::RULES.iter().filter(|rule| experience(rule.id).is_some());
    let felt = felt.map(|rule| rule.id).collect();
    let page = Page { skip: 0, len: u32::try_from(UNUSUAL_ANSWER_MAX).unwrap_or(20) };
    let room = said(ask.room.as_ref());
    let found = shared.monitoring.unusual(app, from, to, room, felt, page).await?;
    let rows: Vec<_> = found.rows.iter().filter_map(abnormal).collect();
    Ok(json!({ "Total": rows.len(), "AbnormalExperienceList": rows }))
}

/// The vendor's `AbnormalExperience`.
fn abnormal(unusual: &Unusual) -> Option<Value> {
    let felt = experience(unusual.experience)?;
    let event = |(rule, peer): &(u32, String)| {
        let id = cause(*rule, felt, !peer.is_empty())?;
        Some(json!({ "AbnormalEventId": id, "PeerId": peer }))
    };
    let causes: Vec<_> = unusual.causes.iter().filter_map(event).collect();
    Some(json!({
        "UserId": unusual.identity,
        "ExperienceId": felt,
        "RoomId": text(&unusual.room),
        "AbnormalEventList": causes,
        "EventTime": unusual.at.as_second(),
    }))
}

/// The vendor's number of what a user met by one of our rules, where it has one.
fn experience(id: u32) -> Option<u32> {
    match rule(id)?.signal {
        Signal::NeverConnected | Signal::JoinTime => Some(SLOW_ENTRY),
        Signal::VideoFreeze => Some(VIDEO_LAG),
        Signal::AudioFreeze => Some(AUDIO_LAG),
        _ => None,
    }
}

/// The vendor's number of what may have caused it. `peer`: it was at the one whose media was received, so on the
/// way up from there.
fn cause(id: u32, felt: u32, peer: bool) -> Option<u32> {
    let video = felt == VIDEO_LAG;
    Some(match rule(id)?.signal {
        Signal::Cpu => 2_001,
        Signal::RoundTrip if peer => 2_003,
        Signal::RoundTrip => 2_013,
        Signal::Jitter if peer => 2_004,
        Signal::Jitter => 2_014,
        Signal::LossUp if video => 2_007,
        Signal::LossUp => 2_005,
        Signal::LossDown if video => 2_017,
        Signal::LossDown => 2_015,
        Signal::FrameRate => 2_010,
        Signal::Nothing if video => 2_010,
        Signal::Nothing => 2_006,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_that_the_vendor_knows_has_its_number() {
        let felt: Vec<_> = fermata_monitor::RULES
            .iter()
            .filter(|rule| rule.felt)
            .map(|rule| (rule.name, experience(rule.id)))
            .collect();
        let expected = [
            ("never_connected", Some(1)),
            ("slow_join", Some(1)),
            ("vanished", None),
            ("reconnected", None),
            ("audio_freeze", Some(5)),
            ("video_freeze", Some(4)),
        ];
        assert_eq!(felt, expected);
        for rule in fermata_monitor::RULES.iter().filter(|rule| !rule.felt) {
            for felt in [SLOW_ENTRY, VIDEO_LAG, AUDIO_LAG] {
                let id = cause(rule.id, felt, true);
                assert!(id.is_some_and(|id| (2_001..=2_026).contains(&id)), "{}", rule.name);
            }
        }
    }
}
