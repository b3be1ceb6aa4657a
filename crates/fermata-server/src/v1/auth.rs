//! Who may use the operator API: bearers of an operator token that is in force, and whoever may open the
//! control socket in the data folder.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::error::ApiError;
use crate::metrics::Metric;
use crate::server::Shared;

/// Marks requests that came over the control socket, whose file permissions are the credential.
#[derive(Debug, Clone, Copy)]
pub struct OverControlSocket;

/// The bearer token of a request. The scheme's name is case-insensitive (RFC 9110 section 11.1).
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Does the request carry an operator token that is in force?
pub fn is_operator(shared: &Shared, headers: &HeaderMap) -> bool {
    bearer(headers).is_some_and(|token| shared.directory.operator(token).is_some())
}

/// Middleware of the whole API.
pub async fn require_operator(
    State(shared): State<Shared>,
    request: Request,
    next: Next,
) -> Response {
    let control = request.extensions().get::<OverControlSocket>().is_some();
    if control || is_operator(&shared, request.headers()) {
        return next.run(request).await;
    }
    shared.metrics.add(Metric::ApiUnauthorized, 1);
    ApiError::Unauthorized.into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bearer_tokens() {
        let rows = [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("Basic abc", None),
            ("abc", None),
        ];
        for (value, expected) in rows {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            assert_eq!(bearer(&headers), expected, "{value}");
        }
    }
}
