//! From a token and a request to a [`Join`], and from rights back to claims when a token is refreshed.
//!
//! Only what the token and the request themselves decide is decided here; admission is in the SFU.

use fermata_auth::{AgentWish, Claims, Source, VideoGrant};
use fermata_sfu::io::{ConnectionId, Join, RoomOptions, RoomPermission, TokenOrder};
use fermata_types::{Reason, Refusal, Role, RoomName, Scene, SdkAppId};
use jiff::Timestamp;
use livekit_protocol as lk;
use lk::participant_info::Kind;
use serde::Deserialize;

use crate::hello::Hello;
use crate::limits::REFRESHED_TOKEN_LIFETIME;

/// What a join is made of.
#[derive(Debug)]
pub struct JoinParts {
    /// The new signalling connection.
    pub connection: ConnectionId,
    /// Only ask (validate endpoints).
    pub probe: bool,
    /// Application of the token's key.
    pub app: SdkAppId,
    /// What the token says.
    pub claims: Claims,
    /// What the client asks for.
    pub hello: Hello,
    /// Do rooms come into being by being joined, whatever the token says?
    pub auto_create: bool,
}

/// Makes the request that the SFU's admission decides on.
///
/// The role is the token's if this program made it; otherwise who may not publish is audience.
/// Metadata and attributes of the request are taken only if the token allows changing one's own.
///
/// # Errors
/// `JoinNotGranted` (no `roomJoin`), `RoomNotGranted` (another room asked for than granted),
/// `RoomNameInvalid`, `IdentityMissing`.
pub fn join(parts: JoinParts) -> Result<Join, Refusal> {
    let JoinParts { connection, probe, app, claims, hello, auto_create } = parts;
    let grant = &claims.video;
    if !grant.room_join {
        return Err(Reason::JoinNotGranted.into());
    }
    let room = room_of(grant, &hello)?;
    if claims.identity.is_empty() {
        return Err(Reason::IdentityMissing.into());
    }
    let permission = permission_of(grant);
    let role =
        claims.role.unwrap_or(if permission.can_publish { Role::Anchor } else { Role::Audience });
    let (mut metadata, mut attributes) = (claims.metadata.clone(), claims.attributes.clone());
    if permission.can_update_metadata {
        if !hello.metadata.is_empty() {
            metadata.clone_from(&hello.metadata);
        }
        attributes.extend(hello.attributes);
    }
    Ok(Join {
        connection,
        probe,
        app,
        room,
        identity: claims.identity.clone(),
        name: claims.name.clone(),
        metadata,
        attributes,
        role,
        kind: kind_of(&claims),
        issued_at: claims.made_at(),
        may_create: !claims.creation_denied && (auto_create || grant.room_create),
        room_options: options_of(&claims),
        permission,
        client: hello.client,
    })
}

/// The room of the token; a room asked for beside it must be the same.
fn room_of(grant: &VideoGrant, hello: &Hello) -> Result<RoomName, Refusal> {
    let text = if grant.room.is_empty() { &hello.room } else { &grant.room };
    if !hello.room.is_empty() && hello.room != *text {
        return Err(Refusal::with_detail(
            Reason::RoomNotGranted,
            format!("it is for {:?}, not for {:?}", short(text), short(&hello.room)),
        ));
    }
    RoomName::parse(text).map_err(|e| {
        Refusal::with_detail(Reason::RoomNameInvalid, short(&e.to_string()).to_owned())
    })
}

/// Enough of a text to recognise it in a message.
fn short(text: &str) -> &str {
    text.get(..text.floor_char_boundary(80)).unwrap_or_default()
}

/// Rights in our words, with the defaults applied.
pub fn permission_of(grant: &VideoGrant) -> RoomPermission {
    RoomPermission {
        can_subscribe: grant.may_subscribe(),
        can_publish: grant.may_publish(),
        can_publish_data: grant.may_publish_data(),
        can_publish_sources: grant.can_publish_sources.iter().map(|s| wire_source(*s)).collect(),
        can_update_metadata: grant.can_update_own_metadata,
        hidden: grant.hidden,
        recorder: grant.recorder,
        agent: grant.agent,
        can_subscribe_metrics: grant.can_subscribe_metrics,
    }
}

fn wire_source(source: Source) -> i32 {
    let source = match source {
        Source::Unknown => lk::TrackSource::Unknown,
        Source::Camera => lk::TrackSource::Camera,
        Source::Microphone => lk::TrackSource::Microphone,
        Source::ScreenShare => lk::TrackSource::ScreenShare,
        Source::ScreenShareAudio => lk::TrackSource::ScreenShareAudio,
    };
    source.into()
}

fn token_source(source: i32) -> Source {
    match lk::TrackSource::try_from(source) {
        Ok(lk::TrackSource::Camera) => Source::Camera,
        Ok(lk::TrackSource::Microphone) => Source::Microphone,
        Ok(lk::TrackSource::ScreenShare) => Source::ScreenShare,
        Ok(lk::TrackSource::ScreenShareAudio) => Source::ScreenShareAudio,
        Ok(lk::TrackSource::Unknown) | Err(_) => Source::Unknown,
    }
}

/// Participant kind; an agent's grant makes an agent, unknown words make standard participants.
fn kind_of(claims: &Claims) -> i32 {
    let named = Kind::from_str_name(&claims.kind.to_ascii_uppercase());
    let kind = match named {
        None | Some(Kind::Standard) if claims.video.agent => Kind::Agent,
        None => Kind::Standard,
        Some(kind) => kind,
    };
    kind.into()
}

/// Room settings of the token. The scene stands in the room's metadata, because `LiveKit` has no word for it.
fn options_of(claims: &Claims) -> RoomOptions {
    let Some(config) = &claims.room_config else { return RoomOptions::default() };
    RoomOptions {
        scene: scene_of(&config.metadata),
        metadata: config.metadata.clone(),
        empty_timeout_s: config.empty_timeout_s,
        departure_timeout_s: config.departure_timeout_s,
        max_participants: config.max_participants,
        agents: config.agents.iter().map(wish_of).collect(),
    }
}

fn wish_of(agent: &AgentWish) -> lk::RoomAgentDispatch {
    lk::RoomAgentDispatch {
        agent_name: agent.agent_name.clone(),
        metadata: agent.metadata.clone(),
        deployment: agent.deployment.clone(),
        attributes: agent.attributes.clone().into_iter().collect(),
        ..Default::default()
    }
}

/// The scene that room metadata names: `{"scene":"call"}` or `{"scene":"live"}` among whatever else.
/// Metadata of any other form names none.
pub fn scene_of(metadata: &str) -> Option<Scene> {
    #[derive(Deserialize)]
    struct Named {
        scene: Scene,
    }
    serde_json::from_str::<Named>(metadata).ok().map(|named| named.scene)
}

/// The claims of a refreshed token: the participant's rights as they are now, valid for
/// [`REFRESHED_TOKEN_LIFETIME`] from `now`.
pub fn refresh_claims(order: &TokenOrder, now: Timestamp) -> Claims {
    let now_s = now.as_second();
    let lifetime_s = i64::try_from(REFRESHED_TOKEN_LIFETIME.as_secs()).unwrap_or(0);
    let permission = &order.permission;
    Claims {
        identity: order.identity.clone(),
        name: order.name.clone(),
        metadata: order.metadata.clone(),
        attributes: order.attributes.clone(),
        kind: Kind::try_from(order.kind).map_or("", |k| k.as_str_name()).to_ascii_lowercase(),
        not_before: Some(now_s),
        issued_at: None,
        expires_at: now_s.saturating_add(lifetime_s),
        video: VideoGrant {
            room_join: true,
            room: order.room.to_string(),
            can_publish: Some(permission.can_publish),
            can_subscribe: Some(permission.can_subscribe),
            can_publish_data: Some(permission.can_publish_data),
            can_publish_sources: permission
                .can_publish_sources
                .iter()
                .map(|source| token_source(*source))
                .collect(),
            can_update_own_metadata: permission.can_update_metadata,
            hidden: permission.hidden,
            recorder: permission.recorder,
            agent: permission.agent,
            can_subscribe_metrics: permission.can_subscribe_metrics,
            ..VideoGrant::default()
        },
        room_config: None,
        role: Some(order.role),
        creation_denied: !order.may_create,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> Claims {
        Claims {
            identity: "ann".to_owned(),
            video: VideoGrant {
                room_join: true,
                room: "standup".to_owned(),
                ..VideoGrant::default()
            },
            ..Claims::default()
        }
    }

    fn parts(claims: Claims) -> JoinParts {
        let hello = Hello::default();
        JoinParts {
            connection: ConnectionId(1),
            probe: false,
            app: SdkAppId(7),
            claims,
            hello,
            auto_create: false,
        }
    }

    #[test]
    fn a_plain_token_makes_an_anchor_with_all_rights() {
        let join = join(parts(claims())).unwrap();
        assert_eq!(join.room, RoomName::Text("standup".into()));
        assert_eq!((join.role, join.kind), (Role::Anchor, 0));
        let p = &join.permission;
        assert!(p.can_publish && p.can_subscribe && p.can_publish_data && !p.can_update_metadata);
        assert!(!join.may_create && join.issued_at == 0);
    }

    #[test]
    fn what_the_token_lacks_is_refused() {
        let check = |change: fn(&mut JoinParts), expected: Reason| {
            let mut parts = parts(claims());
            change(&mut parts);
            assert_eq!(join(parts).map(|_| ()).unwrap_err().reason(), expected);
        };
        check(|p| p.claims.video.room_join = false, Reason::JoinNotGranted);
        check(|p| p.hello.room = "other".to_owned(), Reason::RoomNotGranted);
        check(|p| p.claims.video.room.clear(), Reason::RoomNameInvalid);
        check(|p| p.claims.video.room = "x".repeat(257), Reason::RoomNameInvalid);
        check(|p| p.claims.video.room = "int/0".to_owned(), Reason::RoomNameInvalid);
        check(|p| p.claims.identity.clear(), Reason::IdentityMissing);
    }

    #[test]
    fn the_role_follows_the_rights_unless_the_token_says_it() {
        let mut listener = claims();
        listener.video.can_publish = Some(false);
        assert_eq!(join(parts(listener.clone())).unwrap().role, Role::Audience);
        listener.role = Some(Role::Anchor);
        assert_eq!(join(parts(listener)).unwrap().role, Role::Anchor);
    }

    #[test]
    fn a_room_is_made_by_right_or_by_configuration_unless_the_token_forbids_it() {
        let rows = [
            ((false, false, false), false),
            ((true, false, false), true),
            ((false, true, false), true),
            ((true, true, false), true),
            ((true, true, true), false),
            ((true, false, true), false),
        ];
        for ((auto_create, room_create, creation_denied), expected) in rows {
            let mut parts = parts(claims());
            parts.auto_create = auto_create;
            parts.claims.video.room_create = room_create;
            parts.claims.creation_denied = creation_denied;
            let row = (auto_create, room_create, creation_denied);
            assert_eq!(join(parts).unwrap().may_create, expected, "{row:?}");
        }
    }

    #[test]
    fn own_metadata_needs_the_right_to_change_it() {
        let with = |allowed| {
            let mut parts = parts(claims());
            parts.claims.metadata = "token".to_owned();
            parts.claims.attributes = [("a".to_owned(), "1".to_owned())].into();
            parts.claims.video.can_update_own_metadata = allowed;
            parts.hello.metadata = "own".to_owned();
            parts.hello.attributes = [("a".to_owned(), "2".to_owned())].into();
            let join = join(parts).unwrap();
            (join.metadata, join.attributes.get("a").cloned().unwrap())
        };
        assert_eq!(with(false), ("token".to_owned(), "1".to_owned()));
        assert_eq!(with(true), ("own".to_owned(), "2".to_owned()));
    }

    #[test]
    fn room_settings_and_scene() {
        let mut claims = claims();
        claims.room_config = Some(fermata_auth::RoomConfig {
            metadata: r#"{"scene":"live","title":"x"}"#.to_owned(),
            max_participants: Some(9),
            agents: vec![AgentWish { agent_name: "echo".to_owned(), ..Default::default() }],
            ..Default::default()
        });
        claims.video.agent = true;
        let join = join(parts(claims)).unwrap();
        assert_eq!(join.room_options.scene, Some(Scene::Live));
        assert_eq!(join.room_options.max_participants, Some(9));
        assert_eq!(join.room_options.agents[0].agent_name, "echo");
        assert_eq!(join.kind, i32::from(Kind::Agent));
        for other in ["", "live", "[]", r#"{"scene":"party"}"#, r#"{"scene":1}"#] {
            assert_eq!(scene_of(other), None, "{other}");
        }
        assert_eq!(scene_of(r#"{"scene":"call"}"#), Some(Scene::Call));
    }

    #[test]
    fn a_refreshed_token_gives_the_same_rights_again() {
        let mut claims = claims();
        claims.video.can_publish_sources = vec![Source::Microphone, Source::ScreenShare];
        claims.video.hidden = true;
        claims.kind = "agent".to_owned();
        claims.attributes = [("a".to_owned(), "1".to_owned())].into();
        let before = join(parts(claims)).unwrap();
        let order = |may_create| TokenOrder {
            app: before.app,
            room: before.room.clone(),
            identity: before.identity.clone(),
            name: before.name.clone(),
            metadata: before.metadata.clone(),
            attributes: before.attributes.clone(),
            permission: before.permission.clone(),
            role: Role::Anchor,
            kind: before.kind,
            may_create,
        };
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        for may_create in [true, false] {
            let claims = refresh_claims(&order(may_create), now);
            let token = fermata_auth::sign(&claims, "key", "secret");
            let read = fermata_auth::verify(&token, "secret", now).unwrap();
            let after = join(JoinParts { auto_create: true, ..parts(read) }).unwrap();
            assert_eq!(
                (&after.room, &after.identity, after.role),
                (&before.room, &before.identity, before.role)
            );
            assert_eq!(after.permission, before.permission);
            assert_eq!((after.kind, &after.attributes), (before.kind, &before.attributes));
            assert_eq!((after.issued_at, after.may_create), (1_700_000_000, may_create));
        }
    }
}
