//! What the tests of this crate share: a server in this process, the real program, and a plain HTTP client.

pub(crate) mod program;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response};
use fermata_auth::{Claims, VideoGrant};
use fermata_callback::schedule::Pace;
use fermata_node::{Listen, Node, NodeConfig, event_channel};
use fermata_server::config::{Layers, Settings};
use fermata_server::directory::Directory;
use fermata_server::server::{Server, Shared, Tasks};
use fermata_server::{dev, http};
use fermata_sfu::io::Join;
use fermata_signal::{Hello, JoinParts};
use fermata_store::{MemoryStore, SqliteOptions, SqliteStore, Store, StoreStats};
use fermata_types::{NodeId, Now};
use serde_json::Value;
use tower::ServiceExt as _;

/// A server with a real node, an in-memory store and all its tasks, asked without sockets. It tries deliveries
/// again almost at once.
pub(crate) struct InProcess {
    pub(crate) shared: Shared,
    pub(crate) router: Router,
    tasks: Tasks,
    _folder: tempfile::TempDir,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: axum::http::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {:?}", self.text))
    }

    pub(crate) fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl InProcess {
    /// With these flags beside `--dev` (or instead of it, with `dev=false`).
    pub(crate) async fn start(flags: &[(&'static str, &str)]) -> Self {
        Self::start_on(flags, |_| Arc::new(MemoryStore::new())).await
    }

    /// The same over SQLite in the server's folder.
    pub(crate) async fn start_sqlite() -> Self {
        let open = |folder: &Path| -> Arc<dyn Store> {
            Arc::new(SqliteStore::open(SqliteOptions::in_dir(folder).unwrap()).unwrap())
        };
        Self::start_on(&[], open).await
    }

    /// The same over what `store` opens in the server's folder.
    pub(crate) async fn start_on(
        flags: &[(&'static str, &str)],
        store: impl FnOnce(&Path) -> Arc<dyn Store>,
    ) -> Self {
        Self::start_calling(flags, store, Pace::default()).await
    }

    /// The same with callbacks of applications tried at this pace.
    pub(crate) async fn start_calling(
        flags: &[(&'static str, &str)],
        store: impl FnOnce(&Path) -> Arc<dyn Store>,
        pace: Pace,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut all = vec![("dev", "true"), ("udp_port", "0")];
        all.extend_from_slice(flags);
        let all = all.iter().map(|(k, v)| (*k, (*v).to_owned())).collect();
        let layers = Layers::merge(&all, None, &std::collections::BTreeMap::new()).unwrap();
        let settings = Settings::new(&layers).unwrap();
        let store = store(folder.path());
        dev::prepare(&*store).await.unwrap();
        let directory = Directory::load(&*store, dev::built_in()).await.unwrap();
        let listen = vec![Listen::on(SocketAddr::from(([127, 0, 0, 1], 0)))];
        let mut config =
            NodeConfig::new(NodeId::from_text("ND_test"), folder.path().to_owned(), listen);
        config.limits = settings.limits();
        let (events_in, events) = event_channel();
        config.events = Some(events_in);
        let node = Node::start(config, Arc::new(Arc::clone(&store))).await.unwrap();
        let stats = Box::new(StoreStats::default);
        let data_dir = folder.path().to_owned();
        let channels = Tasks::channels(&settings).unwrap().pausing(Duration::from_millis(20));
        let channels = channels.calling(pace);
        let shared =
            Arc::new(Server::new(settings, data_dir, store, stats, node, directory).unwrap());
        let tasks = Tasks::start(&shared, channels, events).await.unwrap();
        let router = http::router(&shared);
        Self { shared, router, tasks, _folder: folder }
    }

    /// Asks; `request` is `METHOD /path`.
    pub(crate) async fn ask(
        &self,
        request: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Answer {
        let (method, path) = request.split_once(' ').unwrap();
        let mut builder = Request::builder().method(method).uri(path);
        if !headers.iter().any(|(name, _)| *name == "host") {
            builder = builder.header("host", "localhost:7880");
        }
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        let body = match body {
            Some(body) => {
                builder = builder.header("content-type", "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        self.send(builder.body(body).unwrap()).await
    }

    pub(crate) async fn send(&self, mut request: Request<Body>) -> Answer {
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 9))));
        let response: Response<Body> = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 16 << 20).await.unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Answer { status: parts.status.as_u16(), headers: parts.headers, text }
    }

    /// Asks the operator API with a development token.
    pub(crate) async fn api(&self, request: &str, body: Option<&Value>) -> Answer {
        let (method, path) = request.split_once(' ').unwrap();
        let bearer = ("authorization", "Bearer dev-operator");
        self.ask(&format!("{method} /api/v1{path}"), &[bearer], body).await
    }

    pub(crate) async fn stop(self) {
        self.shared.node.shutdown().await;
        self.tasks.stop().await;
    }
}

/// Claims of a token that lets `identity` into `room` for an hour.
pub(crate) fn claims(identity: &str, room: &str) -> Claims {
    Claims {
        identity: identity.to_owned(),
        expires_at: Now::read().wall.as_second() + 3600,
        video: VideoGrant { room_join: true, room: room.to_owned(), ..VideoGrant::default() },
        ..Claims::default()
    }
}

/// A token of development mode's key.
pub(crate) fn dev_token(identity: &str, room: &str) -> String {
    fermata_auth::sign(&claims(identity, room), dev::API_KEY, dev::API_SECRET)
}

/// A join past HTTP, as a token of [`dev_token`] would make it.
pub(crate) fn join(node: &fermata_node::NodeHandle, identity: &str, room: &str) -> Join {
    fermata_signal::join(JoinParts {
        connection: node.next_connection(),
        probe: false,
        app: dev::SDK_APP_ID,
        claims: claims(identity, room),
        hello: Hello::default(),
        auto_create: true,
    })
    .unwrap()
}
