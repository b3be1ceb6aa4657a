//! The address to which a session connects.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::Compression;
use flate2::write::GzEncoder;
use livekit_protocol as lk;
use prost::Message as _;
use std::io::Write as _;

/// Protocol version that the client speaks: 17 is the last with in-band data channels on one connection.
const PROTOCOL: i32 = 17;

/// What distinguishes one connection attempt from another.
#[derive(Debug)]
pub(super) struct Attempt<'a> {
    pub(super) base: &'a str,
    pub(super) token: &'a str,
    pub(super) auto_subscribe: bool,
    pub(super) adaptive_stream: bool,
    /// Our sid, to resume.
    pub(super) resume: Option<&'a str>,
}

fn base(url: &str) -> String {
    let url = url.trim_end_matches('/');
    match url.split_once("://") {
        Some(("http", rest)) => format!("ws://{rest}"),
        _ => url.to_owned(),
    }
}

/// `/rtc` with its query parameters.
pub(super) fn dual(attempt: &Attempt<'_>) -> String {
    let flag = |set: bool| u8::from(set);
    let mut url = format!(
        "{}/rtc?access_token={}&auto_subscribe={}&adaptive_stream={}&sdk=rust&version=0.0.0&protocol={PROTOCOL}",
        base(attempt.base),
        attempt.token,
        flag(attempt.auto_subscribe),
        flag(attempt.adaptive_stream),
    );
    if let Some(sid) = attempt.resume {
        url.push_str("&reconnect=1&sid=");
        url.push_str(sid);
    }
    url
}

/// `/rtc/v1` with its join request, gzipped as clients do.
pub(super) fn single(attempt: &Attempt<'_>, offer: Option<lk::SessionDescription>) -> String {
    let join = lk::JoinRequest {
        client_info: Some(lk::ClientInfo {
            sdk: lk::client_info::Sdk::Rust.into(),
            version: "0.0.0".to_owned(),
            protocol: PROTOCOL,
            ..Default::default()
        }),
        connection_settings: Some(lk::ConnectionSettings {
            auto_subscribe: attempt.auto_subscribe,
            adaptive_stream: attempt.adaptive_stream,
            ..Default::default()
        }),
        publisher_offer: offer,
        reconnect: attempt.resume.is_some(),
        participant_sid: attempt.resume.unwrap_or_default().to_owned(),
        ..Default::default()
    };
    let plain = join.encode_to_vec();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // Writing to memory does not fail; if it did, the plain form is as good.
    let packed = encoder.write_all(&plain).and_then(|()| encoder.finish());
    let wrapped = match packed {
        Ok(packed) => lk::WrappedJoinRequest {
            compression: lk::wrapped_join_request::Compression::Gzip.into(),
            join_request: packed,
        },
        Err(_) => lk::WrappedJoinRequest { join_request: plain, ..Default::default() },
    };
    let text = URL_SAFE_NO_PAD.encode(wrapped.encode_to_vec());
    format!("{}/rtc/v1?access_token={}&join_request={text}", base(attempt.base), attempt.token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_name_the_token() {
        let attempt = Attempt {
            base: "http://127.0.0.1:7880/",
            token: "a.b.c",
            auto_subscribe: true,
            adaptive_stream: false,
            resume: Some("PA_1"),
        };
        let dual = dual(&attempt);
        assert!(dual.starts_with("ws://127.0.0.1:7880/rtc?access_token=a.b.c&auto_subscribe=1&"));
        assert!(dual.ends_with("&reconnect=1&sid=PA_1"));
        let offer = lk::SessionDescription { sdp: "v=0".repeat(3_000), ..Default::default() };
        let single = single(&attempt, Some(offer));
        assert!(single.starts_with("ws://127.0.0.1:7880/rtc/v1?access_token=a.b.c&join_request="));
        assert!(single.len() < 1_000, "compressed");
    }
}
