//! Real requests to real receivers on loopback, plain and over TLS.

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::*;

const SECRET: &str = "whsec_test";

fn moment() -> Timestamp {
    Timestamp::from_second(1_700_000_000).unwrap()
}

fn webhooks(reach: Reach) -> Webhooks {
    Webhooks::new(reach, Arc::new(rustls::RootCertStore::empty())).unwrap()
}

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Reads one request: its head in lower case, and its body.
async fn read_request(socket: &mut (impl AsyncRead + Unpin)) -> (String, Vec<u8>) {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let read = socket.read(&mut chunk).await.unwrap();
        bytes.extend_from_slice(&chunk[..read]);
        let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else {
            assert!(read > 0, "the request broke off");
            continue;
        };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_lowercase();
        let length = header_of(&head, "content-length").parse::<usize>().unwrap();
        if bytes.len() >= end + 4 + length {
            return (head, bytes[end + 4..].to_vec());
        }
        assert!(read > 0, "the body broke off");
    }
}

fn header_of(head: &str, name: &str) -> String {
    let line = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
    line.unwrap_or_else(|| panic!("no {name} in {head}")).to_owned()
}

/// Takes one request and answers `answer`, byte by byte as given.
fn receiver(listener: TcpListener, answer: Vec<u8>) -> JoinHandle<(String, Vec<u8>)> {
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let request = read_request(&mut socket).await;
        // The other side may have enough before all is written.
        let _ = socket.write_all(&answer).await;
        request
    })
}

fn answer(status: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\nok").into_bytes()
}

async fn send(hooks: &Webhooks, url: &str) -> Result<(), WebhookError> {
    hooks.send(url, SECRET, "ND_1/owner", b"{\"id\":\"x\"}".to_vec(), moment()).await
}

#[test]
fn signatures_are_hmac_over_timestamp_dot_body() {
    // Computed with another implementation.
    assert_eq!(
        signature(SECRET, 1_700_000_000, b"{\"id\":\"x\"}"),
        "v1=80e8d098018f757aa814ab1abb924f35d304affa1d93d29611a54696207eb7c3"
    );
}

#[tokio::test]
async fn a_receiver_gets_a_signed_request_and_any_2xx_is_a_delivery() {
    for status in ["200 OK", "204 No Content", "299 Whatever"] {
        let (listener, port) = listener().await;
        let got = receiver(listener, answer(status));
        let url = format!("http://127.0.0.1:{port}/hook?a=b%20c");
        send(&webhooks(Reach::PublicAndLoopback), &url).await.unwrap();
        let (head, body) = got.await.unwrap();
        assert!(head.starts_with("post /hook?a=b%20c http/1.1\r\n"), "{head}");
        assert_eq!(header_of(&head, "host"), format!("127.0.0.1:{port}"));
        assert_eq!(header_of(&head, ID_HEADER), "nd_1/owner");
        assert_eq!(header_of(&head, "content-type"), "application/json");
        let timestamp: i64 = header_of(&head, TIMESTAMP_HEADER).parse().unwrap();
        assert_eq!(timestamp, moment().as_second());
        assert_eq!(header_of(&head, SIGNATURE_HEADER), signature(SECRET, timestamp, &body));
        assert_eq!(body, b"{\"id\":\"x\"}");
    }
}

#[tokio::test]
async fn other_answers_are_failures_and_redirects_are_not_followed() {
    let (elsewhere, other) = listener().await;
    for status in ["302 Found", "307 Temporary Redirect", "400 Bad Request", "500 No"] {
        let (listener, port) = listener().await;
        let text = format!(
            "HTTP/1.1 {status}\r\nlocation: http://127.0.0.1:{other}/\r\ncontent-length: 0\r\n\r\n"
        );
        let got = receiver(listener, text.into_bytes());
        let url = format!("http://127.0.0.1:{port}/");
        let error = send(&webhooks(Reach::PublicAndLoopback), &url).await.unwrap_err();
        assert!(
            matches!(&error, WebhookError::Status(s) if status.starts_with(s.as_str())),
            "{error}"
        );
        got.await.unwrap();
    }
    // Nobody has connected there: the only connection to come is our own.
    let own = TcpStream::connect(("127.0.0.1", other)).await.unwrap();
    let (_, from) = elsewhere.accept().await.unwrap();
    assert_eq!(from, own.local_addr().unwrap());
}

#[tokio::test]
async fn addresses_that_are_not_public_are_refused_whatever_names_them() {
    let (listener, port) = listener().await;
    for host in [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0x7f000001",
        "2130706433",
        "127.1",
        "0.0.0.0",
        "10.0.0.1",
        "169.254.169.254",
        "[fd00::1]",
        "[64:ff9b::7f00:1]",
    ] {
        let url = format!("http://{host}:{port}/");
        let error = send(&webhooks(Reach::Public), &url).await.unwrap_err();
        assert!(matches!(error, WebhookError::Address { .. }), "{host}: {error}");
    }
    let own = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let (_, from) = listener.accept().await.unwrap();
    assert_eq!(from, own.local_addr().unwrap(), "somebody else connected");
}

#[tokio::test]
async fn a_name_of_this_machine_is_reached_where_that_is_allowed() {
    for reach in [Reach::PublicAndLoopback, Reach::Unicast] {
        let (listener, port) = listener().await;
        let got = receiver(listener, answer("200 OK"));
        send(&webhooks(reach), &format!("http://localhost:{port}/")).await.unwrap();
        assert_eq!(header_of(&got.await.unwrap().0, "host"), format!("localhost:{port}"));
    }
}

#[tokio::test]
async fn urls_that_are_none_are_refused_for_good() {
    for url in
        ["", "/x", "ftp://example.org/", "http://", "https://ann:pw@example.org/", "http://a b/"]
    {
        let error = send(&webhooks(Reach::Unicast), url).await.unwrap_err();
        assert!(matches!(error, WebhookError::Url(_)) && error.is_final(), "{url}: {error}");
    }
}

#[tokio::test]
async fn nobody_there_and_half_answers_are_failures() {
    let (listener, port) = listener().await;
    let url = format!("http://127.0.0.1:{port}/");
    let hooks = webhooks(Reach::Unicast);
    let got = receiver(listener, b"HTTP/1.1 200".to_vec());
    assert!(matches!(send(&hooks, &url).await, Err(WebhookError::Http(_))));
    got.await.unwrap();
    // The receiver has closed its listener.
    assert!(matches!(send(&hooks, &url).await, Err(WebhookError::Connect { .. })));
}

#[tokio::test]
async fn answers_are_bounded() {
    let hooks = webhooks(Reach::Unicast);
    let (first, port) = listener().await;
    let head = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "a".repeat(WEBHOOK_HEAD_BYTES_MAX));
    let got = receiver(first, head.into_bytes());
    assert!(matches!(
        send(&hooks, &format!("http://127.0.0.1:{port}/")).await,
        Err(WebhookError::Http(_))
    ));
    got.await.unwrap();

    let (second, port) = listener().await;
    let mut endless = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    endless.resize(endless.len() + 8 * 1024 * 1024, b'a');
    let got = receiver(second, endless);
    send(&hooks, &format!("http://127.0.0.1:{port}/")).await.unwrap();
    got.await.unwrap();
}

#[tokio::test]
async fn certificates_are_verified() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(server));
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let trusting = Webhooks::new(Reach::Unicast, Arc::new(roots)).unwrap();
    let strict = webhooks(Reach::Unicast);

    let (listener, port) = listener().await;
    let serving = tokio::spawn(async move {
        let mut heads = Vec::new();
        for _ in 0..3 {
            let (socket, _) = listener.accept().await.unwrap();
            // The strict ones end the handshake.
            let Ok(mut socket) = acceptor.accept(socket).await else { continue };
            heads.push(read_request(&mut socket).await.0);
            socket.write_all(&answer("200 OK")).await.unwrap();
            socket.shutdown().await.unwrap();
        }
        heads
    });
    send(&trusting, &format!("https://localhost:{port}/tls")).await.unwrap();
    let unknown = send(&strict, &format!("https://localhost:{port}/")).await.unwrap_err();
    assert!(matches!(unknown, WebhookError::Tls { .. }), "{unknown}");
    let misnamed = send(&trusting, &format!("https://127.0.0.1:{port}/")).await.unwrap_err();
    assert!(matches!(misnamed, WebhookError::Tls { .. }), "{misnamed}");
    let heads = serving.await.unwrap();
    assert_eq!(heads.len(), 1);
    assert!(heads[0].starts_with("post /tls http/1.1"));
}
