//! The HTTP edge: routes, and what every request goes through.
//!
//! From outside inwards: double slashes are removed, the peer is worked out, development mode's guard, a time
//! limit, the routes. Each route's handler is in a file of its own noun.

pub mod connections;
pub mod dev_token;
pub mod guard;
pub mod health;
pub mod livekit;
pub mod pages;
pub mod peer;
pub mod shares;
pub mod usersig;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{StatusCode, Uri};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get, post};
use tower_http::cors::{AllowHeaders, AllowMethods, Any, CorsLayer};

use crate::limits::{HTTP_BODY_BYTES_MAX, HTTP_REQUEST_TIME_MAX};
use crate::metrics::Metric;
use crate::server::Shared;
use crate::v1;

/// Everything that is served over TCP.
pub fn router(shared: &Shared) -> Router {
    let client = Router::new()
        .route("/rtc", any(livekit::rtc))
        .route("/rtc/v1", any(livekit::rtc))
        .route("/rtc/validate", get(livekit::validate))
        .route("/rtc/v1/validate", get(livekit::validate))
        .route("/usersig/token", post(usersig::exchange))
        .layer(cors());
    let routes = Router::new()
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .route("/meet", get(pages::index))
        .route("/meet/", get(pages::index))
        .route("/meet/{*path}", get(pages::asset))
        .route("/dev/info", get(dev_token::info))
        .route("/dev/token", post(dev_token::token))
        .merge(client)
        .merge(crate::server_api::router())
        .merge(crate::twirp::router())
        .merge(crate::agent::router())
        .merge(v1::router(shared))
        .fallback(nowhere)
        .layer(from_fn_with_state(shared.clone(), counted))
        .layer(DefaultBodyLimit::max(HTTP_BODY_BYTES_MAX))
        .with_state(shared.clone());
    // Layers of a router come after routing; what must come before it goes around a second one.
    Router::new()
        .fallback_service(routes)
        .layer(from_fn_with_state(shared.clone(), timed))
        .layer(from_fn_with_state(shared.clone(), guard::guard))
        .layer(from_fn_with_state(shared.clone(), peer::attach))
        .layer(from_fn(single_slashes))
}

/// The operator API alone, for the control socket.
pub fn control_router(shared: &Shared) -> Router {
    v1::router(shared)
        .layer(axum::Extension(v1::auth::OverControlSocket))
        .layer(DefaultBodyLimit::max(HTTP_BODY_BYTES_MAX))
        .with_state(shared.clone())
}

/// Every origin and every header: clients are pages of other sites, and their token is their credential.
pub(crate) fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods(AllowMethods::mirror_request())
        .allow_headers(AllowHeaders::mirror_request())
}

async fn nowhere() -> Response {
    (StatusCode::NOT_FOUND, "There is nothing at this path.\n").into_response()
}

/// Middleware: counts requests by route template and status.
async fn counted(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    shared.metrics.request(route, response.status().as_u16());
    response
}

/// Middleware: gives up requests that take too long. A backup may take its time.
async fn timed(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    if request.uri().path() == "/api/v1/backup" {
        return next.run(request).await;
    }
    let Ok(response) = tokio::time::timeout(HTTP_REQUEST_TIME_MAX, next.run(request)).await else {
        shared.metrics.add(Metric::HttpTimeouts, 1);
        return (StatusCode::SERVICE_UNAVAILABLE, "The request took too long.\n").into_response();
    };
    response
}

/// Middleware: `//rtc` is `/rtc`, because SDKs append to URLs that end in a slash.
async fn single_slashes(mut request: Request, next: Next) -> Response {
    if let Some(uri) = without_double_slashes(request.uri()) {
        *request.uri_mut() = uri;
    }
    next.run(request).await
}

fn without_double_slashes(uri: &Uri) -> Option<Uri> {
    if !uri.path().contains("//") {
        return None;
    }
    let mut path = String::with_capacity(uri.path().len());
    for c in uri.path().chars() {
        if c != '/' || !path.ends_with('/') {
            path.push(c);
        }
    }
    if let Some(query) = uri.query() {
        path.push('?');
        path.push_str(query);
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path.parse().ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes() {
        let rows = [
            ("/rtc", None),
            ("//rtc?x=//y", Some("/rtc?x=//y")),
            ("///rtc//v1///validate/", Some("/rtc/v1/validate/")),
        ];
        for (from, to) in rows {
            let uri = without_double_slashes(&from.parse().unwrap());
            assert_eq!(uri.map(|uri| uri.to_string()).as_deref(), to, "{from}");
        }
    }
}
