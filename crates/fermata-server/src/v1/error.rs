//! Errors of the operator API: the one map from what went wrong to status and code.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use fermata_store::StoreError;
use serde::Serialize;
use utoipa::ToSchema;

use super::standing::ReasonView;
use crate::secret::NoRandomness;

/// Why a request of the operator API was not carried out. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiError {
    /// Neither a token nor a session, or one that is not in force.
    #[error(
        "This needs a token that is in force, sent as bearer token, or a session of the console."
    )]
    Unauthorized,
    /// Name, password or one-time code do not fit, or the user is disabled; which of it is not told.
    #[error("The name, the password or the code is wrong, or the user is disabled.")]
    SignInFailed,
    /// The password fits; a one-time code is missing.
    #[error("This user signs in with a one-time code, too; send it as `code`.")]
    CodeNeeded,
    /// There were too many failed attempts to sign in.
    #[error("There were too many failed attempts; try again in {} s.", seconds(.0))]
    TooManyAttempts(Duration),
    /// A call by a session that changes something came without the session's word against forged requests.
    #[error("A call by a session needs its csrf_token in the header X-CSRF-Token.")]
    Csrf,
    /// The token's role may not do this.
    #[error("{0}")]
    Forbidden(String),
    /// The standing of the account or application does not allow it (policy 2.2).
    #[error("{message}")]
    Suspended {
        /// What was asked for, and what is in its way.
        message: String,
        /// All holds in force, the earliest first (policy I14).
        reasons: Vec<ReasonView>,
    },
    /// A purchase costs more than is available (policy A5).
    #[error("{message}")]
    InsufficientBalance {
        /// What is missing.
        message: String,
        /// Cash, usable vouchers and credit limit, less debts; a decimal number.
        available: String,
        /// The price; a decimal number.
        price: String,
    },
    /// A suspension for a violation is never lifted (policy S19).
    #[error("{0}")]
    Final(String),
    /// Two persons are needed, and this is the same one (policy T14).
    #[error("{0}")]
    SamePerson(String),
    /// The idempotency key was used for another request.
    #[error("This Idempotency-Key was used for another request; take a new one.")]
    KeyReused,
    /// The provider's reference was used for another payment.
    #[error("{0}")]
    RefReused(String),
    /// It is not possible in the present state.
    #[error("{0}")]
    Conflict(String),
    /// Only accounts with a clock of their own can do this.
    #[error("{0}")]
    NotSandbox(String),
    /// A sandbox clock cannot go there.
    #[error("{0}")]
    Clock(String),
    /// A parameter of the path, the query or the body is malformed, unknown or out of range.
    #[error("{0}")]
    Invalid(String),
    /// The body is larger than allowed.
    #[error("The body is larger than {} bytes.", crate::limits::HTTP_BODY_BYTES_MAX)]
    TooLarge,
    /// The body is not declared as JSON.
    #[error("The body must be JSON, with content type application/json.")]
    NotJson,
    /// There is no such thing, or no such path.
    #[error("There is no {0}.")]
    NotFound(String),
    /// The path does not take this method.
    #[error("This path does not take this method.")]
    MethodNotAllowed,
    /// It exists already, or another thing has the name.
    #[error("{0}")]
    Exists(String),
    /// A named limit is reached.
    #[error("{0}")]
    Limit(String),
    /// The disk is full or read-only.
    #[error("The store cannot be written now: the disk is full or read-only.")]
    NotWritable,
    /// Too much is waiting, or the server is stopping.
    #[error("The server cannot do this now; try again later.")]
    Unavailable,
    /// Something failed inside; the log says what.
    #[error("The server failed inside; its log says why.")]
    Internal,
}

/// (code, status, meaning) of every error, for the page of the guide.
pub const CODES: &[(&str, u16, &str)] = &[
    (
        "unauthorized",
        401,
        "Neither a token nor a session of the console, or one that is not in force.",
    ),
    (
        "sign_in_failed",
        401,
        "Name, password or one-time code do not fit, or the user is disabled; which of it is not told.",
    ),
    ("code_needed", 401, "The password fits, and a one-time code is missing."),
    (
        "too_many_attempts",
        429,
        "There were too many failed attempts to sign in; `Retry-After` says when to try again.",
    ),
    (
        "csrf",
        403,
        "A call by a session that changes something came without the session's `csrf_token` in `X-CSRF-Token`.",
    ),
    (
        "forbidden",
        403,
        "The caller's role may not do this, or the caller may only read. What belongs to others is not forbidden but not found.",
    ),
    (
        "ServiceSuspended",
        403,
        "The standing of the account or application does not allow it; `reasons` has every hold with `kind`, `scope`, `since`, `remedy` and `clauses`, the earliest first.",
    ),
    (
        "InsufficientBalance",
        402,
        "The purchase costs more than is available; `available` and `price` say by how much. Recharge first.",
    ),
    ("Final", 409, "A suspension for a violation is never lifted."),
    ("same_person", 403, "Two persons are needed, and this is the one that proposed it."),
    (
        "idempotency_key_reused",
        409,
        "The `Idempotency-Key` was used for another request; take a new one.",
    ),
    ("ref_reused", 409, "The provider's reference was used for another payment."),
    ("conflict", 409, "It is not possible in the present state; the message says why."),
    ("not_sandbox", 409, "Only sandbox accounts have a clock and usage of their own making."),
    ("clock", 400, "A sandbox clock cannot go there: forward only, at most 400 days a call."),
    (
        "invalid",
        400,
        "A parameter of the path, the query or the body is malformed, unknown or out of range; the message names it.",
    ),
    ("too_large", 413, "The body is larger than allowed."),
    ("not_json", 415, "The body is not declared as JSON."),
    ("not_found", 404, "There is no such thing, or no such path."),
    ("method_not_allowed", 405, "The path does not take this method."),
    ("exists", 409, "It exists already, or another thing has the name."),
    ("limit", 409, "A named limit is reached; the message names it."),
    ("not_writable", 503, "The disk is full or read-only; reading goes on."),
    ("unavailable", 503, "Too much is waiting, or the server is stopping; try again later."),
    ("internal", 500, "Something failed inside; the log says what."),
];

impl ApiError {
    /// Stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::SignInFailed => "sign_in_failed",
            Self::CodeNeeded => "code_needed",
            Self::TooManyAttempts(_) => "too_many_attempts",
            Self::Csrf => "csrf",
            Self::Forbidden(_) => "forbidden",
            Self::Suspended { .. } => "ServiceSuspended",
            Self::InsufficientBalance { .. } => "InsufficientBalance",
            Self::Final(_) => "Final",
            Self::SamePerson(_) => "same_person",
            Self::KeyReused => "idempotency_key_reused",
            Self::RefReused(_) => "ref_reused",
            Self::Conflict(_) => "conflict",
            Self::NotSandbox(_) => "not_sandbox",
            Self::Clock(_) => "clock",
            Self::Invalid(_) => "invalid",
            Self::TooLarge => "too_large",
            Self::NotJson => "not_json",
            Self::NotFound(_) => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Exists(_) => "exists",
            Self::Limit(_) => "limit",
            Self::NotWritable => "not_writable",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }

    /// Status of the code.
    pub fn status(&self) -> StatusCode {
        let row = CODES.iter().find(|(code, ..)| *code == self.code());
        row.and_then(|(_, status, _)| StatusCode::from_u16(*status).ok())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// Whole seconds, so that nobody comes back too early.
fn seconds(wait: &Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound { what, id } => Self::NotFound(format!("{what} {id}")),
            StoreError::Exists { what, id } => {
                Self::Exists(format!("There is a {what} {id} already."))
            }
            StoreError::Invalid { field, problem } => Self::Invalid(format!("{field}: {problem}")),
            StoreError::NotWritable(problem) => {
                tracing::error!(%problem, "The store cannot be written.");
                Self::NotWritable
            }
            StoreError::Refused(refusal) => super::refusal::told(*refusal, None),
            StoreError::OnceReused => Self::KeyReused,
            StoreError::Busy { .. } | StoreError::Closed => Self::Unavailable,
            other => {
                tracing::error!(error = %other, "The store failed.");
                Self::Internal
            }
        }
    }
}

impl From<NoRandomness> for ApiError {
    fn from(error: NoRandomness) -> Self {
        tracing::error!(%error, "No secret could be made.");
        Self::Internal
    }
}

/// Body of every error.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorDetail,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorDetail {
    /// Stable, for programs.
    pub code: &'static str,
    /// For people; may change.
    pub message: String,
    /// `ServiceSuspended`: all holds in force, the earliest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasons: Option<Vec<ReasonView>>,
    /// `InsufficientBalance`: what is available, a decimal number in the account's currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available: Option<String>,
    /// `InsufficientBalance`: the price, a decimal number in the account's currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<String>,
}

impl From<&ApiError> for ErrorDetail {
    fn from(error: &ApiError) -> Self {
        let (code, message) = (error.code(), error.to_string());
        let mut detail = Self { code, message, reasons: None, available: None, price: None };
        match error {
            ApiError::Suspended { reasons, .. } => detail.reasons = Some(reasons.clone()),
            ApiError::InsufficientBalance { available, price, .. } => {
                detail.available = Some(available.clone());
                detail.price = Some(price.clone());
            }
            _ => {}
        }
        detail
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = ErrorBody { error: ErrorDetail::from(&self) };
        let mut response = (self.status(), Json(body)).into_response();
        // Every 401 has it (RFC 9110 section 15.5.2); browsers ask nobody because of this scheme.
        if self.status() == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Self::TooManyAttempts(wait) = self {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds(&wait)));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_its_row_and_every_row_its_error() {
        let errors = [
            ApiError::Unauthorized,
            ApiError::SignInFailed,
            ApiError::CodeNeeded,
            ApiError::TooManyAttempts(Duration::ZERO),
            ApiError::Csrf,
            ApiError::Forbidden(String::new()),
            ApiError::Suspended { message: String::new(), reasons: Vec::new() },
            ApiError::InsufficientBalance {
                message: String::new(),
                available: String::new(),
                price: String::new(),
            },
            ApiError::Final(String::new()),
            ApiError::SamePerson(String::new()),
            ApiError::KeyReused,
            ApiError::RefReused(String::new()),
            ApiError::Conflict(String::new()),
            ApiError::NotSandbox(String::new()),
            ApiError::Clock(String::new()),
            ApiError::Invalid(String::new()),
            ApiError::TooLarge,
            ApiError::NotJson,
            ApiError::NotFound(String::new()),
            ApiError::MethodNotAllowed,
            ApiError::Exists(String::new()),
            ApiError::Limit(String::new()),
            ApiError::NotWritable,
            ApiError::Unavailable,
            ApiError::Internal,
        ];
        assert_eq!(errors.len(), CODES.len());
        for (error, (code, status, _)) in errors.iter().zip(CODES) {
            assert_eq!((error.code(), error.status().as_u16()), (*code, *status));
        }
    }

    #[test]
    fn who_tried_too_often_is_told_when_to_come_back() {
        for (millis, told) in [(1, "1"), (1_000, "1"), (89_001, "90")] {
            let error = ApiError::TooManyAttempts(Duration::from_millis(millis));
            assert!(error.to_string().contains(&format!("in {told} s")), "{error}");
            let response = error.into_response();
            assert_eq!(response.headers()[header::RETRY_AFTER], told);
        }
    }

    #[test]
    fn store_errors_map() {
        let rows = [
            (StoreError::NotFound { what: "application", id: "7".into() }, "not_found"),
            (StoreError::Exists { what: "API key", id: "k".into() }, "exists"),
            (StoreError::Invalid { field: "name", problem: "it is empty".into() }, "invalid"),
            (StoreError::NotWritable("full".into()), "not_writable"),
            (StoreError::Busy { waiting: 1 }, "unavailable"),
            (StoreError::Closed, "unavailable"),
            (StoreError::Backend("x".into()), "internal"),
        ];
        for (error, code) in rows {
            assert_eq!(ApiError::from(error).code(), code);
        }
    }
}
