//! The claims of a `LiveKit` token as JSON writes them, apart from what the rest of the program sees.
//!
//! Tolerant where SDKs differ: `null` counts as absent, numbers may be strings (proto3 JSON), room settings
//! come in `camelCase` or `snake_case`.

use std::collections::BTreeMap;

use fermata_types::{Refusal, Role};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use crate::limits::ROOM_AGENTS_MAX;
use crate::livekit::{AgentWish, Claims, RoomConfig, Source, VideoGrant, invalid};

/// All claims we read.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct TokenClaims {
    sub: Option<String>,
    jti: Option<String>,
    exp: Option<Number>,
    nbf: Option<Number>,
    iat: Option<Number>,
    name: Option<String>,
    metadata: Option<String>,
    attributes: Option<BTreeMap<String, String>>,
    kind: Option<String>,
    video: Option<Video>,
    #[serde(alias = "room_config")]
    room_config: Option<Room>,
    fermata: Option<Own>,
}

/// What only this program writes: things that `LiveKit`'s claims have no word for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Own {
    role: Option<Role>,
    /// May the room be made by this join? Only `false` is ever written.
    create: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Video {
    room: Option<String>,
    room_join: Option<bool>,
    room_create: Option<bool>,
    room_list: Option<bool>,
    room_record: Option<bool>,
    room_admin: Option<bool>,
    can_publish: Option<bool>,
    can_subscribe: Option<bool>,
    can_publish_data: Option<bool>,
    can_publish_sources: Option<Vec<String>>,
    can_update_own_metadata: Option<bool>,
    hidden: Option<bool>,
    recorder: Option<bool>,
    agent: Option<bool>,
    can_subscribe_metrics: Option<bool>,
    destination_room: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Room {
    name: Option<String>,
    #[serde(alias = "empty_timeout")]
    empty_timeout: Option<Number>,
    #[serde(alias = "departure_timeout")]
    departure_timeout: Option<Number>,
    #[serde(alias = "max_participants")]
    max_participants: Option<Number>,
    metadata: Option<String>,
    agents: Option<Vec<Agent>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Agent {
    #[serde(alias = "agent_name")]
    agent_name: Option<String>,
    metadata: Option<String>,
    deployment: Option<String>,
    attributes: Option<BTreeMap<String, String>>,
}

impl Agent {
    fn into_wish(self) -> AgentWish {
        AgentWish {
            agent_name: self.agent_name.unwrap_or_default(),
            metadata: self.metadata.unwrap_or_default(),
            deployment: self.deployment.unwrap_or_default(),
            attributes: self.attributes.unwrap_or_default(),
        }
    }
}

/// A whole number, written as integer, as float or as string.
#[derive(Debug, Clone, Copy)]
struct Number(i64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let number = match &value {
            Value::Number(n) => n.as_i64().or_else(|| n.as_f64().and_then(whole)),
            Value::String(s) => s.parse().ok(),
            _ => None,
        };
        number.map(Self).ok_or_else(|| serde::de::Error::custom("a number is needed"))
    }
}

/// A float's whole part, if it is a moment that a clock can have.
fn whole(float: f64) -> Option<i64> {
    const LIMIT: f64 = 9_007_199_254_740_992.0;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "its size was checked, the fraction is to go"
    )]
    (float.abs() <= LIMIT).then_some(float as i64)
}

impl TokenClaims {
    /// In the words of the rest of the program.
    pub(crate) fn into_claims(self) -> Result<Claims, Refusal> {
        let expires_at = self.exp.ok_or_else(|| invalid("it has no exp"))?.0;
        let own = self.fermata.unwrap_or_default();
        let identity = self.sub.filter(|s| !s.is_empty()).or(self.jti).unwrap_or_default();
        Ok(Claims {
            identity,
            name: self.name.unwrap_or_default(),
            metadata: self.metadata.unwrap_or_default(),
            attributes: self.attributes.unwrap_or_default(),
            kind: self.kind.unwrap_or_default(),
            not_before: self.nbf.map(|n| n.0),
            issued_at: self.iat.map(|n| n.0),
            expires_at,
            video: self.video.unwrap_or_default().into_grant(),
            room_config: self.room_config.map(Room::into_config).transpose()?,
            role: own.role,
            creation_denied: own.create == Some(false),
        })
    }
}

impl Video {
    fn into_grant(self) -> VideoGrant {
        let sources = self.can_publish_sources.unwrap_or_default();
        VideoGrant {
            room_join: self.room_join.unwrap_or(false),
            room: self.room.unwrap_or_default(),
            room_create: self.room_create.unwrap_or(false),
            room_list: self.room_list.unwrap_or(false),
            room_record: self.room_record.unwrap_or(false),
            room_admin: self.room_admin.unwrap_or(false),
            can_publish: self.can_publish,
            can_subscribe: self.can_subscribe,
            can_publish_data: self.can_publish_data,
            can_publish_sources: sources.iter().map(|word| Source::from_word(word)).collect(),
            can_update_own_metadata: self.can_update_own_metadata.unwrap_or(false),
            hidden: self.hidden.unwrap_or(false),
            recorder: self.recorder.unwrap_or(false),
            agent: self.agent.unwrap_or(false),
            can_subscribe_metrics: self.can_subscribe_metrics.unwrap_or(false),
            destination_room: self.destination_room.unwrap_or_default(),
        }
    }
}

impl Room {
    fn into_config(self) -> Result<RoomConfig, Refusal> {
        let u32_of = |number: Option<Number>, field: &str| match number {
            None => Ok(None),
            Some(Number(n)) => u32::try_from(n).map(Some).map_err(|_| {
                invalid(format!("roomConfig.{field} is {n}, 0 to 4294967295 is allowed"))
            }),
        };
        let agents = self.agents.unwrap_or_default();
        if agents.len() > ROOM_AGENTS_MAX {
            return Err(invalid(format!(
                "roomConfig.agents has {} entries, at most {ROOM_AGENTS_MAX} are allowed",
                agents.len()
            )));
        }
        Ok(RoomConfig {
            name: self.name.unwrap_or_default(),
            empty_timeout_s: u32_of(self.empty_timeout, "emptyTimeout")?,
            departure_timeout_s: u32_of(self.departure_timeout, "departureTimeout")?,
            max_participants: u32_of(self.max_participants, "maxParticipants")?,
            metadata: self.metadata.unwrap_or_default(),
            agents: agents.into_iter().map(Agent::into_wish).collect(),
        })
    }
}

impl Source {
    /// The word in tokens, as SDKs write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Camera => "camera",
            Self::Microphone => "microphone",
            Self::ScreenShare => "screen_share",
            Self::ScreenShareAudio => "screen_share_audio",
        }
    }

    /// Reads a word; case does not matter.
    pub fn from_word(word: &str) -> Self {
        [Self::Camera, Self::Microphone, Self::ScreenShare, Self::ScreenShareAudio]
            .into_iter()
            .find(|source| source.word().eq_ignore_ascii_case(word))
            .unwrap_or(Self::Unknown)
    }
}

/// The claims as JSON; what has its default value is left out.
pub(crate) fn to_json(claims: &Claims, key: &str) -> Value {
    let mut map = Map::new();
    map.insert("iss".to_owned(), json!(key));
    map.insert("exp".to_owned(), json!(claims.expires_at));
    put(&mut map, "sub", &claims.identity);
    put(&mut map, "name", &claims.name);
    put(&mut map, "metadata", &claims.metadata);
    put(&mut map, "kind", &claims.kind);
    if let Some(begin) = claims.not_before {
        map.insert("nbf".to_owned(), json!(begin));
    }
    if let Some(at) = claims.issued_at {
        map.insert("iat".to_owned(), json!(at));
    }
    if !claims.attributes.is_empty() {
        map.insert("attributes".to_owned(), json!(claims.attributes));
    }
    map.insert("video".to_owned(), grant_to_json(&claims.video));
    if let Some(config) = &claims.room_config {
        map.insert("roomConfig".to_owned(), config_to_json(config));
    }
    let own = own_to_json(claims);
    if !own.is_empty() {
        map.insert("fermata".to_owned(), Value::Object(own));
    }
    Value::Object(map)
}

fn own_to_json(claims: &Claims) -> Map<String, Value> {
    let mut map = Map::new();
    if let Some(role) = claims.role {
        map.insert("role".to_owned(), json!(role));
    }
    if claims.creation_denied {
        map.insert("create".to_owned(), json!(false));
    }
    map
}

fn put(map: &mut Map<String, Value>, name: &str, text: &str) {
    if !text.is_empty() {
        map.insert(name.to_owned(), json!(text));
    }
}

fn grant_to_json(grant: &VideoGrant) -> Value {
    let mut map = Map::new();
    put(&mut map, "room", &grant.room);
    put(&mut map, "destinationRoom", &grant.destination_room);
    let flags = [
        ("roomJoin", grant.room_join),
        ("roomCreate", grant.room_create),
        ("roomList", grant.room_list),
        ("roomRecord", grant.room_record),
        ("roomAdmin", grant.room_admin),
        ("canUpdateOwnMetadata", grant.can_update_own_metadata),
        ("hidden", grant.hidden),
        ("recorder", grant.recorder),
        ("agent", grant.agent),
        ("canSubscribeMetrics", grant.can_subscribe_metrics),
    ];
    for (name, flag) in flags {
        if flag {
            map.insert(name.to_owned(), json!(true));
        }
    }
    let options = [
        ("canPublish", grant.can_publish),
        ("canSubscribe", grant.can_subscribe),
        ("canPublishData", grant.can_publish_data),
    ];
    for (name, option) in options {
        if let Some(value) = option {
            map.insert(name.to_owned(), json!(value));
        }
    }
    if !grant.can_publish_sources.is_empty() {
        let words: Vec<_> = grant.can_publish_sources.iter().map(|s| s.word()).collect();
        map.insert("canPublishSources".to_owned(), json!(words));
    }
    Value::Object(map)
}

fn config_to_json(config: &RoomConfig) -> Value {
    let mut map = Map::new();
    put(&mut map, "name", &config.name);
    put(&mut map, "metadata", &config.metadata);
    let numbers = [
        ("emptyTimeout", config.empty_timeout_s),
        ("departureTimeout", config.departure_timeout_s),
        ("maxParticipants", config.max_participants),
    ];
    for (name, number) in numbers {
        if let Some(number) = number {
            map.insert(name.to_owned(), json!(number));
        }
    }
    if !config.agents.is_empty() {
        let agents: Vec<_> = config.agents.iter().map(agent_to_json).collect();
        map.insert("agents".to_owned(), json!(agents));
    }
    Value::Object(map)
}

fn agent_to_json(agent: &AgentWish) -> Value {
    let mut map = Map::new();
    put(&mut map, "agentName", &agent.agent_name);
    put(&mut map, "metadata", &agent.metadata);
    put(&mut map, "deployment", &agent.deployment);
    if !agent.attributes.is_empty() {
        map.insert("attributes".to_owned(), json!(agent.attributes));
    }
    Value::Object(map)
}
