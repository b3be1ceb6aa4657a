//! Development mode's guard: nobody but this machine, and no web page from elsewhere.
//!
//! The credentials of development mode are public, so a page on another site could use them through the
//! visitor's browser: directly (then `Origin` tells), or by a name that resolves to 127.0.0.1 (then `Host`
//! tells).

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::peer::{Peer, host_is_loopback};
use crate::metrics::Metric;
use crate::server::Shared;

/// Middleware: refuses what does not come from this machine, in development mode.
pub async fn guard(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    if !shared.settings.dev {
        return next.run(request).await;
    }
    let host = request.extensions().get::<Peer>().map_or("", |peer| peer.host.as_str());
    let problem = if host_is_loopback(host) {
        let origin = request.headers().get(header::ORIGIN);
        match origin.map(|origin| origin.to_str().unwrap_or_default()) {
            Some(origin) if !origin_is_loopback(origin) => Some("Origin"),
            _ => None,
        }
    } else {
        Some("Host")
    };
    let Some(problem) = problem else { return next.run(request).await };
    shared.metrics.add(Metric::HttpForeign, 1);
    let text = format!(
        "foreign_request: In development mode only pages and programs of this machine may ask; \
         {problem} must be localhost or a loopback address.\n"
    );
    (StatusCode::FORBIDDEN, text).into_response()
}

/// Is it `http(s)://` and a loopback host?
fn origin_is_loopback(origin: &str) -> bool {
    let rest = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    rest.is_some_and(|host| !host.contains('/') && !host.contains('@') && host_is_loopback(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins() {
        for origin in ["http://localhost:5173", "https://127.0.0.1", "http://[::1]:1"] {
            assert!(origin_is_loopback(origin), "{origin}");
        }
        for origin in [
            "null",
            "",
            "https://example.org",
            "http://localhost@evil",
            "file://localhost",
            "localhost",
        ] {
            assert!(!origin_is_loopback(origin), "{origin}");
        }
    }
}
