//! Which of `LiveKit`'s paths a request is for. Double slashes are tolerated, because SDKs append to URLs.

/// A path of the client protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// `/rtc`: WebSocket, two connections (one if it carries a `join_request`).
    Rtc,
    /// `/rtc/v1`: WebSocket, one connection.
    RtcV1,
    /// `/rtc/validate`: what the WebSocket would have said.
    Validate,
    /// `/rtc/v1/validate`: the same for v1.
    ValidateV1,
}

impl Endpoint {
    /// The endpoint of a path, if it is one of these.
    pub fn of_path(path: &str) -> Option<Self> {
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        if parts.next() != Some("rtc") {
            return None;
        }
        match (parts.next(), parts.next(), parts.next()) {
            (None, None, None) => Some(Self::Rtc),
            (Some("v1"), None, None) => Some(Self::RtcV1),
            (Some("validate"), None, None) => Some(Self::Validate),
            (Some("v1"), Some("validate"), None) => Some(Self::ValidateV1),
            _ => None,
        }
    }

    /// Is it only asked whether the join would be admitted?
    pub fn is_validate(self) -> bool {
        matches!(self, Self::Validate | Self::ValidateV1)
    }

    /// Does the client use one connection here?
    pub fn is_v1(self) -> bool {
        matches!(self, Self::RtcV1 | Self::ValidateV1)
    }
}

/// What a validate endpoint answers, with status 200, when the join would be admitted.
pub const VALIDATE_BODY: &str = "success";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let rows = [
            ("/rtc", Some(Endpoint::Rtc)),
            ("//rtc", Some(Endpoint::Rtc)),
            ("/rtc/", Some(Endpoint::Rtc)),
            ("/rtc/v1", Some(Endpoint::RtcV1)),
            ("//rtc//v1", Some(Endpoint::RtcV1)),
            ("/rtc/validate", Some(Endpoint::Validate)),
            ("/rtc/v1/validate", Some(Endpoint::ValidateV1)),
            ("/rtc//v1//validate/", Some(Endpoint::ValidateV1)),
            ("/", None),
            ("", None),
            ("/rtc/v2", None),
            ("/rtc/v1/validate/x", None),
            ("/rtcx", None),
            ("/x/rtc", None),
        ];
        for (path, expected) in rows {
            assert_eq!(Endpoint::of_path(path), expected, "{path}");
        }
        assert!(Endpoint::ValidateV1.is_validate() && Endpoint::ValidateV1.is_v1());
        assert!(!Endpoint::Rtc.is_validate() && !Endpoint::Rtc.is_v1());
    }
}
