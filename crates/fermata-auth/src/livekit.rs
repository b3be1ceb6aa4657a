//! `LiveKit` access tokens: JSON Web Tokens signed with HS256 by an API key's secret.
//!
//! Other algorithms are refused, `none` first of all. Fields that are not known are ignored, because SDKs
//! and other products of the same family put more into these tokens than a room server reads.

use std::collections::BTreeMap;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fermata_types::{Reason, Refusal, Role};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};

#[cfg(doc)]
use crate::limits::ROOM_AGENTS_MAX;
use crate::limits::{LEEWAY_S, TOKEN_LEN_MAX};
use crate::livekit_wire as wire;

/// What a token says, after its signature was found right (or to be signed).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claims {
    /// Who: `sub`, or `jti` where `sub` is missing. May be empty in tokens of server APIs.
    pub identity: String,
    /// Display name.
    pub name: String,
    /// Participant metadata.
    pub metadata: String,
    /// Participant attributes.
    pub attributes: BTreeMap<String, String>,
    /// Participant kind as written: `standard`, `agent`, `ingress`, ...; empty means standard.
    pub kind: String,
    /// Not valid before (`nbf`), seconds since 1970, if the token says so.
    pub not_before: Option<i64>,
    /// Issue time (`iat`), seconds since 1970, if the token says so.
    pub issued_at: Option<i64>,
    /// End of its life (`exp`), seconds since 1970.
    pub expires_at: i64,
    /// Rights in a room.
    pub video: VideoGrant,
    /// How the room is made if this join makes it.
    pub room_config: Option<RoomConfig>,
    /// Anchor or audience, if the token was made by this program; other tokens leave it to the rights.
    pub role: Option<Role>,
    /// The join must not make its room, even where rooms come into being by being joined. Only tokens made
    /// by this program say so.
    pub creation_denied: bool,
}

impl Claims {
    /// When the token was made: `nbf`, else `iat`, else 0. Seconds since 1970; compared with revocations.
    pub fn made_at(&self) -> i64 {
        self.not_before.or(self.issued_at).unwrap_or(0)
    }
}

/// Rights as the token writes them (`video`). Absent ones have `LiveKit`'s defaults, see the methods.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent rights on the wire")]
pub struct VideoGrant {
    /// May join [`VideoGrant::room`].
    pub room_join: bool,
    /// The room it is for; empty: none, or all for server APIs.
    pub room: String,
    /// May create rooms.
    pub room_create: bool,
    /// May list rooms.
    pub room_list: bool,
    /// May record.
    pub room_record: bool,
    /// May administer [`VideoGrant::room`].
    pub room_admin: bool,
    /// May publish; absent means yes.
    pub can_publish: Option<bool>,
    /// May subscribe; absent means yes.
    pub can_subscribe: Option<bool>,
    /// May send data; absent means as `can_publish`.
    pub can_publish_data: Option<bool>,
    /// Sources that may be published; empty means all.
    pub can_publish_sources: Vec<Source>,
    /// May change its own name, metadata and attributes.
    pub can_update_own_metadata: bool,
    /// Invisible to others.
    pub hidden: bool,
    /// Records; shown to clients.
    pub recorder: bool,
    /// An agent.
    pub agent: bool,
    /// May receive metrics.
    pub can_subscribe_metrics: bool,
    /// The room that participants of [`VideoGrant::room`] may be forwarded or moved to; empty: none.
    pub destination_room: String,
}

impl VideoGrant {
    /// May publish media.
    pub fn may_publish(&self) -> bool {
        self.can_publish.unwrap_or(true)
    }

    /// May receive media.
    pub fn may_subscribe(&self) -> bool {
        self.can_subscribe.unwrap_or(true)
    }

    /// May send data.
    pub fn may_publish_data(&self) -> bool {
        self.can_publish_data.unwrap_or_else(|| self.may_publish())
    }
}

/// Where a track comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A word we do not know; it permits nothing, and keeps a list of such words from meaning "all".
    Unknown,
    /// Camera.
    Camera,
    /// Microphone.
    Microphone,
    /// Screen.
    ScreenShare,
    /// Sound of the screen.
    ScreenShareAudio,
}

/// Room settings in a token (`roomConfig`); what we do not support in it is ignored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RoomConfig {
    /// Name of a configuration; kept, not used.
    pub name: String,
    /// Seconds an empty room waits for its first user.
    pub empty_timeout_s: Option<u32>,
    /// Seconds a room stays after the last user left.
    pub departure_timeout_s: Option<u32>,
    /// Most users, 0 means no limit of its own.
    pub max_participants: Option<u32>,
    /// Room metadata.
    pub metadata: String,
    /// Agents to be dispatched to the room once it is made, [`ROOM_AGENTS_MAX`] at most.
    pub agents: Vec<AgentWish>,
}

/// An agent that a token asks for (`roomConfig.agents`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AgentWish {
    /// Name that workers registered; empty: those without a name.
    pub agent_name: String,
    /// Metadata of its jobs.
    pub metadata: String,
    /// Deployment that workers registered; mostly empty.
    pub deployment: String,
    /// Attributes of its jobs.
    pub attributes: BTreeMap<String, String>,
}

/// Reads the API key (`iss`) of a token without checking anything, to find the secret to check it with.
///
/// # Errors
/// `TokenMissing` for an empty token, `TokenInvalid` if it is no JWT, too long, or names no key.
pub fn decode_unverified_key(token: &str) -> Result<String, Refusal> {
    #[derive(serde::Deserialize)]
    struct Issuer {
        #[serde(default)]
        iss: String,
    }
    if token.is_empty() {
        return Err(Reason::TokenMissing.into());
    }
    if token.len() > TOKEN_LEN_MAX {
        return Err(invalid(format!("it has {} bytes, {TOKEN_LEN_MAX} are allowed", token.len())));
    }
    let mut parts = token.split('.');
    let (Some(_), Some(payload), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(invalid("it does not have three parts"));
    };
    let payload =
        URL_SAFE_NO_PAD.decode(payload).map_err(|_| invalid("the claims are not base64url"))?;
    let issuer: Issuer =
        serde_json::from_slice(&payload).map_err(|_| invalid("the claims are not JSON"))?;
    if issuer.iss.is_empty() {
        return Err(invalid("it names no API key in iss"));
    }
    Ok(issuer.iss)
}

/// Checks a token's signature and time, and reads it.
///
/// # Errors
/// `TokenMissing`, `TokenInvalid` (form, algorithm, signature, a claim of the wrong type, no `exp`),
/// `TokenExpired` (over, or not begun, by more than the leeway).
pub fn verify(token: &str, secret: &str, now: Timestamp) -> Result<Claims, Refusal> {
    decode_unverified_key(token)?;
    let mut validation = Validation::new(Algorithm::HS256);
    // The library would read the clock for these; the times are checked below against `now`.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let key = DecodingKey::from_secret(secret.as_bytes());
    let data = jsonwebtoken::decode::<wire::TokenClaims>(token, &key, &validation)
        .map_err(|error| invalid(describe(&error)))?;
    let claims = data.claims.into_claims()?;
    check_times(&claims, now.as_second())?;
    Ok(claims)
}

/// Is now inside the token's life, give or take the leeway?
fn check_times(claims: &Claims, now_s: i64) -> Result<(), Refusal> {
    if now_s > claims.expires_at.saturating_add(LEEWAY_S) {
        let ago = now_s.saturating_sub(claims.expires_at);
        return Err(Refusal::with_detail(Reason::TokenExpired, format!("it expired {ago} s ago")));
    }
    if let Some(begin) = claims.not_before
        && now_s < begin.saturating_sub(LEEWAY_S)
    {
        let ahead = begin.saturating_sub(now_s);
        return Err(Refusal::with_detail(Reason::TokenExpired, format!("it begins in {ahead} s")));
    }
    Ok(())
}

/// Makes a token for an API key. The result has the form that [`verify`] and every `LiveKit` SDK reads.
pub fn sign(claims: &Claims, key: &str, secret: &str) -> String {
    let header = URL_SAFE_NO_PAD.encode(br#"{"alg":"HS256","typ":"JWT"}"#);
    let payload = URL_SAFE_NO_PAD.encode(wire::to_json(claims, key).to_string());
    let signed = format!("{header}.{payload}");
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes()));
    format!("{signed}.{signature}")
}

/// A refusal as [`Reason::TokenInvalid`].
pub(crate) fn invalid(detail: impl Into<String>) -> Refusal {
    Refusal::with_detail(Reason::TokenInvalid, detail)
}

/// What the library found, in words of ours.
fn describe(error: &jsonwebtoken::errors::Error) -> String {
    use jsonwebtoken::errors::ErrorKind;
    match error.kind() {
        ErrorKind::InvalidSignature => {
            "the signature does not verify with the secret of its API key".to_owned()
        }
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => {
            "only HS256 is accepted".to_owned()
        }
        ErrorKind::Json(cause) => format!("it cannot be read: {cause}"),
        _ => "it is no JSON Web Token".to_owned(),
    }
}

#[cfg(test)]
#[path = "livekit_tests.rs"]
mod tests;
