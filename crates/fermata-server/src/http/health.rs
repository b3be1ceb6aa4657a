//! What the server says about itself: `/`, `/healthz`, `/readyz`, `/metrics`.

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use fermata_node::NodeStats;
use serde::Serialize;

use super::pages::{Presence, presence};
use super::peer::Peer;
use crate::server::Shared;
use crate::v1::auth::is_operator;

/// `GET /`: clients probe it to see whether they are online. A person in a browser gets the meeting page.
pub fn root(shared: &Shared, headers: &HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    let person = accept.is_some_and(|accept| accept.contains("text/html"));
    if person && presence(shared) != Presence::Absent {
        return ([(header::VARY, "accept")], Redirect::to("/meet/")).into_response();
    }
    ([(header::VARY, "accept")], "OK").into_response()
}

/// The parts of the server and how they are.
#[derive(Debug, Serialize)]
struct Health {
    /// `ok`, `degraded` or `stopping`.
    status: &'static str,
    /// Can the store be written: `ok` or `failing`.
    store: &'static str,
    /// Do the node's threads (rooms and media) answer: `ok` or `failing`.
    node: &'static str,
    /// Can usage be written down: `ok` or `failing`.
    usage: &'static str,
    /// The meeting page: `embedded`, `folder` or `absent`.
    meet: &'static str,
    /// Version of the program.
    version: &'static str,
}

impl Health {
    async fn look(shared: &Shared) -> Self {
        let word = |good: bool| if good { "ok" } else { "failing" };
        let node = shared.node.stats().await.is_ok();
        let (store, usage) = (shared.store_writable().await, shared.node.usage_writable());
        let status = match (shared.is_stopping(), node && store && usage) {
            (true, _) => "stopping",
            (false, true) => "ok",
            (false, false) => "degraded",
        };
        Self {
            status,
            store: word(store),
            node: word(node),
            usage: word(usage),
            meet: presence(shared).as_str(),
            version: env!("CARGO_PKG_VERSION"),
        }
    }

    fn answer(self, good: bool) -> Response {
        let status = if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        (status, [(header::CACHE_CONTROL, "no-store")], Json(self)).into_response()
    }
}

/// `GET /healthz`: 200 while the process does its work; 503 when only a restart helps (a thread of
/// the node is gone). A full disk does not make it 503, because a restart would not help.
pub async fn healthz(State(shared): State<Shared>) -> Response {
    let health = Health::look(&shared).await;
    let good = health.node == "ok" || health.status == "stopping";
    health.answer(good)
}

/// `GET /readyz`: 200 while newcomers are taken.
pub async fn readyz(State(shared): State<Shared>) -> Response {
    let health = Health::look(&shared).await;
    let good = health.status == "ok";
    health.answer(good)
}

/// `GET /metrics`: for this machine, or with an operator token.
pub async fn metrics(
    State(shared): State<Shared>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> Response {
    if !peer.local && !is_operator(&shared, &headers) {
        let text = "unauthorized: Metrics are open to the machine itself and to operator tokens.\n";
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], text)
            .into_response();
    }
    let node = shared.node.stats().await.unwrap_or_else(|_| NodeStats::default());
    let turn = shared.relay.get().map(|relay| relay.stats()).unwrap_or_default();
    let text = shared.metrics.expose(&node, &(shared.store_stats)(), &turn);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}
