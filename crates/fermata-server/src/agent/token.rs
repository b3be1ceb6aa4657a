//! Tokens that agents join with.

use fermata_agent::Assignment;
use fermata_auth::{Claims, Source, VideoGrant};
use fermata_types::Now;
use livekit_protocol as lk;

use crate::limits::AGENT_TOKEN_LIFETIME;
use crate::server::Server;

/// Signs a token for an agent with the key that its worker showed; `None` if that key is gone.
pub(super) fn sign(shared: &Server, assignment: &Assignment, now: Now) -> Option<String> {
    let app = shared.directory.app(assignment.app)?;
    let pair = app.api_keys.iter().find(|pair| pair.key == assignment.key)?;
    Some(fermata_auth::sign(&claims(assignment, now), &pair.key, &pair.secret))
}

fn claims(assignment: &Assignment, now: Now) -> Claims {
    let permission = &assignment.permission;
    let now_s = now.wall.as_second();
    let lifetime_s = i64::try_from(AGENT_TOKEN_LIFETIME.as_secs()).unwrap_or(0);
    Claims {
        identity: assignment.identity.clone(),
        name: assignment.name.clone(),
        metadata: assignment.metadata.clone(),
        attributes: assignment.attributes.clone(),
        kind: "agent".to_owned(),
        not_before: Some(now_s),
        expires_at: now_s.saturating_add(lifetime_s),
        video: VideoGrant {
            room_join: true,
            agent: true,
            room: assignment.room.to_string(),
            can_publish: Some(permission.can_publish),
            can_subscribe: Some(permission.can_subscribe),
            can_publish_data: Some(permission.can_publish_data),
            can_publish_sources: permission.can_publish_sources().map(source).collect(),
            can_update_own_metadata: permission.can_update_metadata,
            hidden: permission.hidden,
            can_subscribe_metrics: permission.can_subscribe_metrics,
            ..VideoGrant::default()
        },
        creation_denied: !assignment.may_create,
        ..Claims::default()
    }
}

fn source(source: lk::TrackSource) -> Source {
    match source {
        lk::TrackSource::Unknown => Source::Unknown,
        lk::TrackSource::Camera => Source::Camera,
        lk::TrackSource::Microphone => Source::Microphone,
        lk::TrackSource::ScreenShare => Source::ScreenShare,
        lk::TrackSource::ScreenShareAudio => Source::ScreenShareAudio,
    }
}
