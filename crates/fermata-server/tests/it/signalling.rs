//! Signalling WebSockets against the real program: admission before the upgrade, frames, closing.

use crate::common::program::Program;
use crate::common::{claims, dev_token};
use fermata_server::dev::{API_KEY, API_SECRET};
use futures_util::{SinkExt as _, StreamExt as _};
use livekit_protocol as lk;
use lk::signal_response::Message as Response;
use prost::Message as _;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn connect(program: &Program, path: &str, token: &str) -> Result<Socket, tungstenite::Error> {
    let url = format!(
        "ws://{}{path}?access_token={token}&protocol=16&auto_subscribe=1",
        program.address()
    );
    connect_async(url).await.map(|(socket, _)| socket)
}

/// The next signal message; `None` with the close code when the server closes.
async fn next(socket: &mut Socket) -> Result<Response, Option<u16>> {
    loop {
        let message = tokio::time::timeout(std::time::Duration::from_secs(30), socket.next()).await;
        match message.expect("the server says nothing") {
            Some(Ok(Message::Binary(bytes))) => {
                let response = lk::SignalResponse::decode(bytes).unwrap();
                if let Some(message) = response.message {
                    return Ok(message);
                }
            }
            Some(Ok(Message::Text(text))) => {
                let response: lk::SignalResponse = serde_json::from_str(&text).unwrap();
                if let Some(message) = response.message {
                    return Ok(message);
                }
            }
            Some(Ok(Message::Close(frame))) => return Err(frame.map(|frame| frame.code.into())),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Err(None),
        }
    }
}

/// Reads until the server closes; answers the reason of a leave on the way, and the close code.
async fn until_closed(socket: &mut Socket) -> (Option<i32>, Option<u16>) {
    let mut reason = None;
    loop {
        match next(socket).await {
            Ok(Response::Leave(leave)) => reason = Some(leave.reason),
            Ok(_) => {}
            Err(code) => return (reason, code),
        }
    }
}

async fn joined(program: &Program, identity: &str, room: &str) -> Socket {
    let mut socket = connect(program, "/rtc", &dev_token(identity, room)).await.unwrap();
    let Ok(Response::Join(join)) = next(&mut socket).await else { panic!("no join response") };
    assert_eq!(join.participant.unwrap().identity, identity);
    socket
}

async fn pong(socket: &mut Socket) -> bool {
    let ping = lk::Ping { timestamp: 5, rtt: 0 };
    let request = lk::SignalRequest { message: Some(lk::signal_request::Message::PingReq(ping)) };
    socket.send(Message::Binary(request.encode_to_vec().into())).await.unwrap();
    loop {
        match next(socket).await {
            Ok(Response::PongResp(pong)) => return pong.last_ping_timestamp == 5,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}

#[tokio::test]
async fn refusals_come_as_status_before_the_upgrade() {
    let program = Program::serve(&["--dev"]);
    let mut expired = claims("ann", "r");
    expired.expires_at = 1;
    let rows = [
        (sign(&expired), 401, "token_expired"),
        (sign(&claims(&"x".repeat(257), "r")), 400, "identity_too_long"),
        (fermata_auth::sign(&claims("ann", "r"), "nokey", API_SECRET), 401, "key_unknown"),
        ("x.y.z".to_owned(), 401, "token_invalid"),
    ];
    for (token, status, code) in rows {
        for path in ["/rtc", "//rtc", "/rtc/v1"] {
            // Admission's own refusals need a whole request, which v1 has in a parameter of its own.
            if path == "/rtc/v1" && status != 401 {
                continue;
            }
            let Err(tungstenite::Error::Http(response)) = connect(&program, path, &token).await
            else {
                panic!("{path} {code}: not refused");
            };
            assert_eq!(response.status().as_u16(), status, "{path} {code}");
            let body = response.body().clone().unwrap_or_default();
            let text = String::from_utf8(body).unwrap();
            assert!(text.starts_with(&format!("{code}: ")), "{path}: {text}");
        }
    }
}

fn sign(claims: &fermata_auth::Claims) -> String {
    fermata_auth::sign(claims, API_KEY, API_SECRET)
}

#[tokio::test]
async fn a_client_joins_talks_and_is_listed() {
    let program = Program::serve(&["--dev"]);
    let mut ann = joined(&program, "ann", "int/7").await;
    assert!(pong(&mut ann).await);
    let dev = [("Authorization", "Bearer dev-operator")];
    let (status, body) =
        program.ask("GET /api/v1/apps/1400000001/rooms/int%2F7/participants", &dev, "");
    assert_eq!(status, 200);
    assert!(body.contains("\"identity\":\"ann\"") && body.contains("127.0.0.1"), "{body}");

    // Text in, text out.
    ann.send(Message::Text(r#"{"pingReq":{"timestamp":"6"}}"#.into())).await.unwrap();
    loop {
        match ann.next().await.unwrap().unwrap() {
            Message::Text(text) if text.contains("pongResp") => break,
            Message::Close(frame) => panic!("closed: {frame:?}"),
            _ => {}
        }
    }

    let path = "DELETE /api/v1/apps/1400000001/rooms/int%2F7/participants/ann";
    assert_eq!(program.ask(path, &dev, "").0, 204);
    let (reason, code) = until_closed(&mut ann).await;
    assert_eq!(reason, Some(lk::DisconnectReason::ParticipantRemoved.into()));
    assert_eq!(code, Some(1000));
}

#[tokio::test]
async fn the_same_identity_replaces_and_a_refused_one_does_not() {
    let program = Program::serve(&["--dev"]);
    let mut first = joined(&program, "ann", "r").await;
    let bad = fermata_auth::sign(&claims("ann", "r"), API_KEY, "wrong");
    assert!(connect(&program, "/rtc", &bad).await.is_err());
    let validate = format!("GET /rtc/validate?access_token={}", dev_token("ann", "r"));
    assert_eq!(program.ask(&validate, &[], "").0, 200);
    assert!(pong(&mut first).await, "neither a refusal nor a validation displaces");
    let mut second = joined(&program, "ann", "r").await;
    let (reason, code) = until_closed(&mut first).await;
    assert_eq!(reason, Some(lk::DisconnectReason::DuplicateIdentity.into()));
    assert_eq!(code, Some(1000));
    assert!(pong(&mut second).await);
}

#[tokio::test]
async fn garbage_disturbs_nobody_and_too_much_of_it_ends_the_connection() {
    let program = Program::serve(&["--dev"]);
    let mut ann = joined(&program, "ann", "r").await;
    let mut bob = joined(&program, "bob", "r").await;
    bob.send(Message::Binary(vec![0xff; 64].into())).await.unwrap();
    bob.send(Message::Text("{".into())).await.unwrap();
    assert!(pong(&mut bob).await, "a little is counted and dropped");
    for _ in 0..20 {
        if bob.send(Message::Binary(vec![0xff; 64].into())).await.is_err() {
            break;
        }
    }
    let (_, code) = until_closed(&mut bob).await;
    assert_eq!(code, Some(1007));
    assert!(pong(&mut ann).await);
    let (_, metrics) = program.ask("GET /metrics", &[], "");
    let malformed =
        metrics.lines().find(|line| line.starts_with("fermata_ws_malformed_total ")).unwrap();
    assert!(malformed.split(' ').nth(1).unwrap().parse::<u32>().unwrap() >= 17, "{malformed}");
}

#[tokio::test]
async fn a_flood_of_messages_ends_the_connection() {
    let program = Program::serve(&["--dev"]);
    let mut ann = joined(&program, "ann", "r").await;
    let ping =
        lk::SignalRequest { message: Some(lk::signal_request::Message::Ping(1)) }.encode_to_vec();
    for _ in 0..5_000 {
        if ann.feed(Message::Binary(ping.clone().into())).await.is_err() {
            break;
        }
    }
    let _ = ann.flush().await;
    let (_, code) = until_closed(&mut ann).await;
    assert!(matches!(code, Some(1008) | None), "{code:?}");
    let (_, metrics) = program.ask("GET /metrics", &[], "");
    assert!(metrics.contains("\nfermata_ws_limited_total 1\n"), "{metrics}");
}

#[tokio::test]
async fn stopping_says_good_bye() {
    let program = Program::serve(&["--dev"]);
    let mut ann = joined(&program, "ann", "r").await;
    let ended = tokio::task::spawn_blocking(move || program.terminate());
    let (reason, code) = until_closed(&mut ann).await;
    assert_eq!(reason, Some(lk::DisconnectReason::ServerShutdown.into()));
    assert_eq!(code, Some(1000));
    assert_eq!(ended.await.unwrap().code(), Some(0));
}
