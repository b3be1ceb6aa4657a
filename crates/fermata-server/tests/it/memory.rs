//! What a quiet connection costs the real program.

use std::time::Duration;

use fermata_auth::VideoGrant;
use futures_util::StreamExt as _;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::common::dev_token;
use crate::common::program::Program;
use crate::twirp::token;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// How many are opened: many enough that what each costs shows, fewer than one application may have workers.
const SOCKETS: u64 = 150;

/// Most that one may cost, KiB, with all that stands behind it. The library's own read buffer alone has 128.
const EACH_MAX_KIB: u64 = 100;

#[expect(clippy::unwrap_used, reason = "only tests are here")]
async fn open(program: &Program, path: &str, token: &str) -> Socket {
    let mut request = format!("ws://{}{path}", program.address()).into_client_request().unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    let (mut socket, _) = connect_async(request).await.unwrap();
    if path.starts_with("/rtc") {
        // The first message comes when the server reads.
        let first = tokio::time::timeout(Duration::from_secs(30), socket.next()).await;
        first.unwrap().unwrap().unwrap();
    }
    socket
}

#[tokio::test]
async fn a_quiet_websocket_costs_little() {
    let agent = token(VideoGrant { agent: true, ..VideoGrant::default() });
    for path in ["/agent?protocol=1", "/rtc?protocol=15"] {
        let program = Program::serve(&["--dev"]);
        // What the first ones cost once for all.
        let mut sockets = Vec::new();
        let mut before = 0;
        for index in 0..SOCKETS + 10 {
            if index == 10 {
                before = program.memory_kib();
            }
            let own = dev_token(&format!("u{index}"), &format!("r{index}"));
            let token = if path.starts_with("/rtc") { &own } else { &agent };
            sockets.push(open(&program, path, token).await);
        }
        let each = (program.memory_kib() - before) / SOCKETS;
        assert!(each <= EACH_MAX_KIB, "{path}: {each} KiB");
    }
}
