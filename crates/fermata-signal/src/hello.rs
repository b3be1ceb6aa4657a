//! What a client says when it comes: query parameters (v0), or one `join_request` parameter (v1, also taken on `/rtc`).

use std::collections::BTreeMap;
use std::io::Read as _;

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use fermata_sfu::io::{ClientSettings, Resume};
use fermata_types::{Reason, Refusal};
use flate2::read::GzDecoder;
use livekit_protocol as lk;
use lk::wrapped_join_request::Compression;
use prost::Message as _;

use crate::limits::{
    ADD_TRACKS_MAX, ATTRIBUTES_TEXT_LEN_MAX, CAPABILITIES_MAX, CLIENT_TEXT_LEN_MAX,
    JOIN_REQUEST_LEN_MAX, JOIN_REQUEST_TEXT_LEN_MAX,
};
use crate::path::Endpoint;

/// base64url; some SDKs pad, some do not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A client's request to join, apart from its token.
#[derive(Debug, Clone, Default)]
pub struct Hello {
    /// Settings and abilities.
    pub client: ClientSettings,
    /// Metadata that is to replace the token's; empty leaves it.
    pub metadata: String,
    /// Attributes to set over the token's.
    pub attributes: BTreeMap<String, String>,
    /// Room asked for beside the token; empty means the token's.
    pub room: String,
    /// `access_token` parameter; empty if there was none (then the header has it).
    pub access_token: String,
}

impl Hello {
    /// Reads the query parameters (already percent-decoded) of a request to `endpoint`.
    /// `address` is where the client connects from, for lists. Unknown parameters are ignored; of a repeated one the first counts.
    ///
    /// # Errors
    /// `RequestInvalid` naming the parameter: a `join_request` or `attributes` that cannot be read; v1 without `join_request`.
    pub fn read<'a>(
        endpoint: Endpoint,
        query: impl IntoIterator<Item = (&'a str, &'a str)>,
        address: &str,
    ) -> Result<Self, Refusal> {
        let mut values = BTreeMap::new();
        for (name, value) in query {
            values.entry(name).or_insert(value);
        }
        let query = Query(values);
        let mut hello = if let Some(text) = query.get("join_request") {
            Self::from_join_request(read_join_request(text)?)?
        } else if endpoint == Endpoint::RtcV1 {
            return Err(invalid("join_request is missing"));
        } else {
            Self::from_parameters(&query)?
        };
        // A join request means one connection wherever it arrives.
        hello.client.single_connection = endpoint.is_v1() || query.get("join_request").is_some();
        hello.client.protocol = hello.client.info.protocol;
        hello.client.address = cut(address);
        hello.client.info.address.clone_from(&hello.client.address);
        query.get("room").unwrap_or_default().clone_into(&mut hello.room);
        query.get("access_token").unwrap_or_default().clone_into(&mut hello.access_token);
        Ok(hello)
    }

    /// The v0 way.
    fn from_parameters(query: &Query<'_>) -> Result<Self, Refusal> {
        let mut client = ClientSettings {
            info: client_info(query),
            auto_subscribe: query.flag("auto_subscribe", true),
            adaptive_stream: query.flag("adaptive_stream", false),
            ..ClientSettings::default()
        };
        if query.flag("reconnect", false) {
            client.resume = Some(Resume {
                participant: query.text("sid"),
                reason: query.number("reconnect_reason"),
                sync_state: None,
            });
        }
        let attributes = query.get("attributes").map(read_attributes).transpose()?;
        Ok(Self { client, attributes: attributes.unwrap_or_default(), ..Self::default() })
    }

    /// The v1 way.
    fn from_join_request(request: lk::JoinRequest) -> Result<Self, Refusal> {
        let tracks = request.add_track_requests.len();
        if tracks > ADD_TRACKS_MAX {
            let detail = format!("join_request: {tracks} tracks, {ADD_TRACKS_MAX} are allowed");
            return Err(invalid(detail));
        }
        let settings = request.connection_settings.unwrap_or(lk::ConnectionSettings {
            auto_subscribe: true,
            ..lk::ConnectionSettings::default()
        });
        let resume = request.reconnect.then_some(Resume {
            participant: request.participant_sid,
            reason: request.reconnect_reason,
            sync_state: request.sync_state,
        });
        let client = ClientSettings {
            info: bound(request.client_info.unwrap_or_default()),
            auto_subscribe: settings.auto_subscribe,
            adaptive_stream: settings.adaptive_stream,
            publisher_offer: request.publisher_offer,
            add_tracks: request.add_track_requests,
            resume,
            ..ClientSettings::default()
        };
        Ok(Self {
            client,
            metadata: request.metadata,
            attributes: request.participant_attributes.into_iter().collect(),
            ..Self::default()
        })
    }
}

/// Parameters by name.
struct Query<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Query<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).copied().filter(|value| !value.is_empty())
    }

    fn text(&self, name: &str) -> String {
        cut(self.get(name).unwrap_or_default())
    }

    fn number(&self, name: &str) -> i32 {
        self.get(name).and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// `1` and `true` are yes, `0` and `false` are no, anything else is `absent`.
    fn flag(&self, name: &str, absent: bool) -> bool {
        match self.get(name) {
            Some("1" | "true" | "True" | "TRUE") => true,
            Some("0" | "false" | "False" | "FALSE") => false,
            _ => absent,
        }
    }
}

/// `LiveKit`'s record of a client, from v0 parameters.
fn client_info(query: &Query<'_>) -> lk::ClientInfo {
    use lk::client_info::{Capability, Sdk};
    // Parameters use short lower-case words without the underscores of the enum.
    let sdk = match query.text("sdk").to_ascii_lowercase().as_str() {
        "reactnative" => Some(Sdk::ReactNative),
        "unityweb" => Some(Sdk::UnityWeb),
        word => Sdk::from_str_name(&word.to_ascii_uppercase()),
    };
    let capabilities = query.get("capabilities").unwrap_or_default();
    lk::ClientInfo {
        sdk: sdk.unwrap_or(Sdk::Unknown).into(),
        version: query.text("version"),
        protocol: query.number("protocol"),
        os: query.text("os"),
        os_version: query.text("os_version"),
        device_model: query.text("device_model"),
        browser: query.text("browser"),
        browser_version: query.text("browser_version"),
        network: query.text("network"),
        client_protocol: query.number("client_protocol"),
        capabilities: capabilities
            .split(',')
            .filter_map(|name| Capability::from_str_name(name.trim()))
            .map(i32::from)
            .take(CAPABILITIES_MAX)
            .collect(),
        ..lk::ClientInfo::default()
    }
}

/// The client's own record of itself, made no larger than a v0 one could be.
fn bound(mut info: lk::ClientInfo) -> lk::ClientInfo {
    for text in [
        &mut info.version,
        &mut info.os,
        &mut info.os_version,
        &mut info.device_model,
        &mut info.browser,
        &mut info.browser_version,
        &mut info.address,
        &mut info.network,
        &mut info.other_sdks,
    ] {
        if text.len() > CLIENT_TEXT_LEN_MAX {
            *text = cut(text);
        }
    }
    info.capabilities.truncate(CAPABILITIES_MAX);
    info
}

/// At most [`CLIENT_TEXT_LEN_MAX`] bytes of a text, whole characters.
fn cut(text: &str) -> String {
    let end = text.floor_char_boundary(CLIENT_TEXT_LEN_MAX);
    text.get(..end).unwrap_or_default().to_owned()
}

/// base64url of a JSON object of texts.
fn read_attributes(text: &str) -> Result<BTreeMap<String, String>, Refusal> {
    if text.len() > ATTRIBUTES_TEXT_LEN_MAX {
        let detail =
            format!("attributes: {} bytes, {ATTRIBUTES_TEXT_LEN_MAX} are allowed", text.len());
        return Err(Refusal::with_detail(Reason::AttributesTooLarge, detail));
    }
    let json = BASE64.decode(text).map_err(|_| invalid("attributes are not base64url"))?;
    serde_json::from_slice(&json).map_err(|_| invalid("attributes are no JSON object of texts"))
}

/// base64url of a `WrappedJoinRequest`, which may be compressed.
fn read_join_request(text: &str) -> Result<lk::JoinRequest, Refusal> {
    if text.len() > JOIN_REQUEST_TEXT_LEN_MAX {
        let detail =
            format!("join_request: {} bytes, {JOIN_REQUEST_TEXT_LEN_MAX} are allowed", text.len());
        return Err(invalid(detail));
    }
    let bytes = BASE64.decode(text).map_err(|_| invalid("join_request is not base64url"))?;
    let wrapped = lk::WrappedJoinRequest::decode(bytes.as_slice())
        .map_err(|e| invalid(format!("join_request: {e}")))?;
    let inner = match Compression::try_from(wrapped.compression) {
        Ok(Compression::None) => wrapped.join_request,
        Ok(Compression::Gzip) => inflate(&wrapped.join_request)?,
        Err(_) => {
            return Err(invalid("join_request: unknown compression; none and gzip are known"));
        }
    };
    lk::JoinRequest::decode(inner.as_slice()).map_err(|e| invalid(format!("join_request: {e}")))
}

/// gzip, to at most [`JOIN_REQUEST_LEN_MAX`] bytes.
fn inflate(packed: &[u8]) -> Result<Vec<u8>, Refusal> {
    let bound = u64::try_from(JOIN_REQUEST_LEN_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut out = Vec::new();
    GzDecoder::new(packed)
        .take(bound)
        .read_to_end(&mut out)
        .map_err(|_| invalid("join_request: it is not gzip data"))?;
    if out.len() > JOIN_REQUEST_LEN_MAX {
        let detail = format!("join_request: it inflates to more than {JOIN_REQUEST_LEN_MAX} bytes");
        return Err(invalid(detail));
    }
    Ok(out)
}

fn invalid(detail: impl Into<String>) -> Refusal {
    Refusal::with_detail(Reason::RequestInvalid, detail)
}

#[cfg(test)]
#[path = "hello_tests.rs"]
mod tests;
