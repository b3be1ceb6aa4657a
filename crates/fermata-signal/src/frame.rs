//! WebSocket messages: protobuf in binary ones, protobuf's JSON in text ones. Answers go in the client's style.

use livekit_protocol as lk;
use prost::Message as _;

use crate::limits::FRAME_LEN_MAX;

/// How a client speaks; it is answered the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Style {
    /// Protobuf in binary messages: every SDK.
    #[default]
    Binary,
    /// JSON in text messages: people with a WebSocket tool.
    Text,
}

/// A WebSocket message to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A binary message.
    Binary(Vec<u8>),
    /// A text message.
    Text(String),
}

/// Why a message cannot be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Too long.
    #[error("the message has {len} bytes, {FRAME_LEN_MAX} are allowed")]
    TooLong {
        /// Its length.
        len: usize,
    },
    /// It is no `SignalRequest`.
    #[error("the message is no signal request: {0}")]
    Malformed(String),
}

/// Reads a binary message. `None`: a request of a kind we do not know, which newer clients may send.
///
/// # Errors
/// [`FrameError`].
pub fn decode_binary(bytes: &[u8]) -> Result<Option<lk::signal_request::Message>, FrameError> {
    check_len(bytes.len())?;
    let request =
        lk::SignalRequest::decode(bytes).map_err(|e| FrameError::Malformed(e.to_string()))?;
    Ok(request.message)
}

/// Reads a text message. `None` as in [`decode_binary`].
///
/// # Errors
/// [`FrameError`].
pub fn decode_text(text: &str) -> Result<Option<lk::signal_request::Message>, FrameError> {
    check_len(text.len())?;
    let request: lk::SignalRequest =
        serde_json::from_str(text).map_err(|e| FrameError::Malformed(e.to_string()))?;
    Ok(request.message)
}

/// Writes a response in the client's style.
///
/// # Errors
/// [`FrameError::TooLong`], and [`FrameError::Malformed`] for values JSON cannot have; the caller drops and counts it.
pub fn encode(style: Style, response: &lk::SignalResponse) -> Result<Frame, FrameError> {
    match style {
        Style::Binary => {
            check_len(response.encoded_len())?;
            Ok(Frame::Binary(response.encode_to_vec()))
        }
        Style::Text => {
            let text = serde_json::to_string(response)
                .map_err(|e| FrameError::Malformed(e.to_string()))?;
            check_len(text.len())?;
            Ok(Frame::Text(text))
        }
    }
}

fn check_len(len: usize) -> Result<(), FrameError> {
    if len > FRAME_LEN_MAX { Err(FrameError::TooLong { len }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use lk::signal_request::Message as Request;
    use lk::signal_response::Message as Response;
    use proptest::prelude::*;

    use super::*;

    fn offer() -> lk::SignalRequest {
        let offer = lk::SessionDescription {
            r#type: "offer".to_owned(),
            sdp: "v=0\r\n".to_owned(),
            ..Default::default()
        };
        lk::SignalRequest { message: Some(Request::Offer(offer)) }
    }

    #[test]
    fn both_styles_read_the_same_request() {
        let binary = decode_binary(&offer().encode_to_vec());
        let text = decode_text(&serde_json::to_string(&offer()).unwrap());
        assert_eq!(binary, Ok(offer().message));
        assert_eq!(text, binary);
        let by_hand = decode_text(r#"{"pingReq":{"timestamp":"5"},"newerField":1}"#);
        assert_eq!(by_hand, Ok(Some(Request::PingReq(lk::Ping { timestamp: 5, rtt: 0 }))));
    }

    #[test]
    fn unknown_requests_are_no_error() {
        // Field 500, length-delimited, empty.
        assert_eq!(decode_binary(&[0xa2, 0x1f, 0x00]), Ok(None));
        assert_eq!(decode_binary(&[]), Ok(None));
        assert_eq!(decode_text("{}"), Ok(None));
    }

    #[test]
    fn long_ones_are_refused() {
        let long = vec![0; FRAME_LEN_MAX + 1];
        assert_eq!(decode_binary(&long), Err(FrameError::TooLong { len: FRAME_LEN_MAX + 1 }));
        assert_eq!(
            decode_text(&" ".repeat(FRAME_LEN_MAX + 1)),
            Err(FrameError::TooLong { len: FRAME_LEN_MAX + 1 })
        );
        let token =
            lk::SignalResponse { message: Some(Response::RefreshToken("x".repeat(FRAME_LEN_MAX))) };
        assert!(matches!(encode(Style::Binary, &token), Err(FrameError::TooLong { .. })));
        assert!(matches!(encode(Style::Text, &token), Err(FrameError::TooLong { .. })));
    }

    #[test]
    fn answers_go_in_the_style_of_the_client() {
        let pong = lk::SignalResponse { message: Some(Response::Pong(7)) };
        let Ok(Frame::Binary(bytes)) = encode(Style::Binary, &pong) else { panic!() };
        assert_eq!(lk::SignalResponse::decode(bytes.as_slice()), Ok(pong.clone()));
        let Ok(Frame::Text(text)) = encode(Style::Text, &pong) else { panic!() };
        assert_eq!(serde_json::from_str::<lk::SignalResponse>(&text).unwrap(), pong);
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300), text in ".{0,200}") {
            let _ = decode_binary(&bytes);
            let _ = decode_text(&text);
        }

        #[test]
        fn damaged_requests_never_panic(place in 0usize..64, with: u8, cut in 0usize..64) {
            let mut bytes = offer().encode_to_vec();
            let len = bytes.len();
            bytes[place % len] = with;
            bytes.truncate(cut.max(1));
            let _ = decode_binary(&bytes);
        }

        #[test]
        fn nested_json_is_refused(depth in 1usize..2000) {
            prop_assert!(decode_text(&"[".repeat(depth)).is_err());
        }
    }
}
