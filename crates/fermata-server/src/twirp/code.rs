//! Twirp's errors: `{"code", "msg", "meta"}` with the status that belongs to the code.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use fermata_sfu::io::RpcFailure;
use fermata_types::{Reason, Refusal};
use serde_json::json;

use crate::v1::error::ApiError;

/// What kind of error it is, as far as we give it. Source: the Twirp specification, version 7.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    /// The body cannot be decoded, or is too large.
    Malformed,
    /// No such method, a verb other than POST, or another content type.
    BadRoute,
    /// An argument cannot be used.
    InvalidArgument,
    /// Somebody did not answer in time.
    DeadlineExceeded,
    /// There is no such room, participant, track or dispatch.
    NotFound,
    /// The token does not grant it.
    PermissionDenied,
    /// No token, or one that does not verify.
    Unauthenticated,
    /// A limit is reached.
    ResourceExhausted,
    /// The standing of the application or account does not allow it.
    FailedPrecondition,
    /// It was cut off.
    Aborted,
    /// It is not built.
    Unimplemented,
    /// Something failed inside.
    Internal,
    /// The server cannot do it now.
    Unavailable,
    /// Something that is none of these.
    Unknown,
}

impl Code {
    fn row(self) -> (&'static str, u16) {
        match self {
            Self::Malformed => ("malformed", 400),
            Self::BadRoute => ("bad_route", 404),
            Self::InvalidArgument => ("invalid_argument", 400),
            Self::DeadlineExceeded => ("deadline_exceeded", 408),
            Self::NotFound => ("not_found", 404),
            Self::PermissionDenied => ("permission_denied", 403),
            Self::Unauthenticated => ("unauthenticated", 401),
            Self::ResourceExhausted => ("resource_exhausted", 429),
            Self::FailedPrecondition => ("failed_precondition", 412),
            Self::Aborted => ("aborted", 409),
            Self::Unimplemented => ("unimplemented", 501),
            Self::Internal => ("internal", 500),
            Self::Unavailable => ("unavailable", 503),
            Self::Unknown => ("unknown", 500),
        }
    }

    /// The word on the wire.
    pub(super) fn as_str(self) -> &'static str {
        self.row().0
    }

    /// The HTTP status.
    pub(super) fn status(self) -> u16 {
        self.row().1
    }
}

/// An error as the client gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TwirpError {
    pub(super) code: Code,
    pub(super) message: String,
    /// Details for programs.
    meta: BTreeMap<&'static str, String>,
}

impl TwirpError {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), meta: BTreeMap::new() }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.meta.insert(name, value.into());
        self
    }
}

impl IntoResponse for TwirpError {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut body = json!({ "code": self.code.as_str(), "msg": self.message });
        if !self.meta.is_empty() {
            body["meta"] = json!(self.meta);
        }
        (status, Json(body)).into_response()
    }
}

impl From<ApiError> for TwirpError {
    fn from(error: ApiError) -> Self {
        let code = match &error {
            ApiError::Unavailable | ApiError::NotWritable => Code::Unavailable,
            _ => Code::Internal,
        };
        Self::new(code, error.to_string())
    }
}

/// What admission or the standing refuses, in the words that joins are refused with: `code: sentence` for each
/// reason. `reasons` in the details has the codes.
impl From<&Refusal> for TwirpError {
    fn from(refusal: &Refusal) -> Self {
        let codes: Vec<_> = refusal.reasons().iter().map(|reason| reason.code()).collect();
        let error = Self::new(code_of(refusal.reason()), refusal.to_string());
        error.with("reasons", codes.join(","))
    }
}

fn code_of(reason: Reason) -> Code {
    match reason {
        Reason::TokenMissing
        | Reason::TokenInvalid
        | Reason::TokenExpired
        | Reason::KeyUnknown
        | Reason::UserSigInvalid
        | Reason::UserSigExpired => Code::Unauthenticated,
        // The token is good, and so is the request; what is in the way is the standing, until somebody acts.
        Reason::AppDisabled
        | Reason::Arrears
        | Reason::Unfunded
        | Reason::Violation
        | Reason::PartnerFreeze
        | Reason::Admin
        | Reason::Closure
        | Reason::Cleared => Code::FailedPrecondition,
        Reason::IdentityMissing
        | Reason::IdentityTooLong
        | Reason::RoomNameInvalid
        | Reason::AttributesTooLarge
        | Reason::RequestInvalid => Code::InvalidArgument,
        Reason::RoomMissing => Code::NotFound,
        Reason::RoomFull | Reason::NodeFull => Code::ResourceExhausted,
        Reason::Unavailable => Code::Unavailable,
        _ => Code::PermissionDenied,
    }
}

/// How a remote procedure call failed; `rpc_code` and `rpc_data` in the details have what the client said.
impl From<RpcFailure> for TwirpError {
    fn from(failure: RpcFailure) -> Self {
        // Codes of LiveKit's RPC that it gives itself; every other one is the application's own.
        let code = match failure.code {
            1400 => Code::Unimplemented,
            1401 => Code::NotFound,
            1402 => Code::InvalidArgument,
            1404 | 1504 | 1505 => Code::Internal,
            1501 | 1502 => Code::DeadlineExceeded,
            1503 => Code::Aborted,
            _ => Code::Unknown,
        };
        let mut error = Self::new(code, failure.message).with("rpc_code", failure.code.to_string());
        if !failure.data.is_empty() {
            error = error.with("rpc_data", failure.data);
        }
        error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_code_that_fits_its_status() {
        for reason in Reason::ALL {
            let code = code_of(*reason);
            let fits = match reason.status() {
                401 => matches!(code, Code::Unauthenticated | Code::PermissionDenied),
                403 => matches!(
                    code,
                    Code::PermissionDenied | Code::FailedPrecondition | Code::ResourceExhausted
                ),
                400 => code == Code::InvalidArgument,
                404 => code == Code::NotFound,
                _ => matches!(code, Code::Unavailable | Code::ResourceExhausted),
            };
            assert!(fits, "{reason:?}: {code:?}");
        }
    }

    #[test]
    fn all_reasons_are_told() {
        let refusal = Refusal::from_reasons(vec![Reason::Arrears, Reason::AppDisabled]).unwrap();
        let error = TwirpError::from(&refusal);
        assert_eq!(error.code, Code::FailedPrecondition);
        assert!(
            error.message.contains("suspended_arrears: ") && error.message.contains("recharges")
        );
        assert!(error.message.contains("app_disabled: "), "{}", error.message);
        assert_eq!(error.meta["reasons"], "suspended_arrears,app_disabled");
    }
}
