//! The tokio shell against a tiny server of its own: WebSocket and UDP on loopback, ports chosen by the system.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fermata_testkit::AudioOptions;
use fermata_testkit::client::{ClientEvent, Dialect, Role, Session, SessionError, SessionOptions};
use fermata_transport::egress::Egress;
use fermata_transport::{PeerKind, Transport, TransportConfig, stun_username_ufrag};
use fermata_types::Now;
use futures_util::{SinkExt as _, StreamExt as _};
use livekit_protocol as lk;
use lk::signal_request::Message as Request;
use lk::signal_response::Message as Response;
use prost::Message as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

const WAIT: Duration = Duration::from_secs(20);

/// What the server saw, for the test to read.
#[derive(Default)]
struct Seen {
    paths: Vec<String>,
    packets: u64,
    ended: bool,
}

struct Server {
    udp: UdpSocket,
    transports: Vec<Transport>,
    /// The transport that each address of the client belongs to.
    owners: HashMap<SocketAddr, usize>,
    out: Egress,
    socket: Option<WebSocketStream<TcpStream>>,
    seen: Arc<Mutex<Seen>>,
}

impl Server {
    async fn new(seen: Arc<Mutex<Seen>>) -> Self {
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let config =
            TransportConfig { candidates: vec![udp.local_addr().unwrap()], ..Default::default() };
        let now = Now::read().instant;
        let transports = [PeerKind::Publisher, PeerKind::Subscriber]
            .map(|kind| Transport::new(now, kind, &config, [kind as u8; 32]))
            .into();
        let (owners, out) = (HashMap::new(), Egress::new(1 << 20, 1_024));
        Self { udp, transports, owners, out, socket: None, seen }
    }

    async fn run(mut self, listener: TcpListener) {
        let mut buffer = [0; 2_000];
        loop {
            let until = self.drain().await;
            tokio::select! {
                stream = listener.accept() => self.accept(stream.unwrap().0).await,
                message = next(&mut self.socket) => self.message(message).await,
                Ok((len, from)) = self.udp.recv_from(&mut buffer) => {
                    let now = Now::read().instant;
                    let to = self.udp.local_addr().unwrap();
                    let data = &mut buffer[..len];
                    // Two connections from one host: told apart by ICE credentials, then by address.
                    if let Some(ufrag) = stun_username_ufrag(data) {
                        let named = self.transports.iter().position(|t| t.local_ufrag() == ufrag);
                        self.owners.extend(named.map(|owner| (from, owner)));
                    }
                    let Some(owner) = self.owners.get(&from) else { continue };
                    let transport = &mut self.transports[*owner];
                    let taken = transport.handle_datagram(now, from, to, data, &mut self.out);
                    if taken.unwrap().is_some() {
                        self.seen.lock().unwrap().packets += 1;
                    }
                }
                () = tokio::time::sleep_until(until.into()) => {
                    for transport in &mut self.transports {
                        transport.handle_timeout(Now::read().instant, &mut self.out);
                    }
                }
            }
        }
    }

    async fn drain(&mut self) -> std::time::Instant {
        let now = Now::read().instant;
        let mut until = now + Duration::from_secs(1);
        for transport in &mut self.transports {
            transport.flush(now, &mut self.out);
            while transport.poll_event().is_some() {}
            until = until.min(transport.next_timeout());
        }
        for (path, data) in self.out.datagrams() {
            self.udp.send_to(data, path.destination).await.unwrap();
        }
        self.out.clear();
        until
    }

    async fn accept(&mut self, stream: TcpStream) {
        let mut path = String::new();
        #[expect(clippy::result_large_err, reason = "the shape that the library asks for")]
        let note = |request: &tokio_tungstenite::tungstenite::handshake::server::Request,
                    response| {
            path = request.uri().to_string();
            Ok(response)
        };
        let socket = tokio_tungstenite::accept_hdr_async(stream, note).await.unwrap();
        self.socket = Some(socket);
        let resumed = path.contains("reconnect=1");
        self.seen.lock().unwrap().paths.push(path);
        if resumed {
            self.say(Response::Reconnect(lk::ReconnectResponse::default())).await;
            return;
        }
        let participant = lk::ParticipantInfo { sid: "PA_1".into(), ..Default::default() };
        let join = lk::JoinResponse { participant: Some(participant), ..Default::default() };
        self.say(Response::Join(join)).await;
        let sdp = self.transports[1].create_offer(false).unwrap();
        self.say(Response::Offer(lk::SessionDescription { sdp, ..Default::default() })).await;
    }

    async fn say(&mut self, message: Response) {
        let bytes = lk::SignalResponse { message: Some(message) }.encode_to_vec();
        self.socket.as_mut().unwrap().send(Message::Binary(bytes.into())).await.unwrap();
    }

    async fn message(&mut self, message: Option<Request>) {
        match message {
            None => self.socket = None,
            Some(Request::Offer(offer)) => {
                self.transports[0].accept_offer(&offer.sdp).unwrap();
                self.drain().await;
                let sdp = self.transports[0].answer(&[]).unwrap();
                let answer = lk::SessionDescription { sdp, id: offer.id, ..Default::default() };
                self.say(Response::Answer(answer)).await;
            }
            Some(Request::Answer(answer)) => {
                self.transports[1].accept_answer(&answer.sdp).unwrap();
            }
            Some(Request::AddTrack(add)) => {
                let track = lk::TrackInfo { sid: "TR_1".into(), ..Default::default() };
                let published = lk::TrackPublishedResponse { cid: add.cid, track: Some(track) };
                self.say(Response::TrackPublished(published)).await;
            }
            Some(Request::Leave(_)) => self.seen.lock().unwrap().ended = true,
            Some(_) => {}
        }
    }
}

async fn next(socket: &mut Option<WebSocketStream<TcpStream>>) -> Option<Request> {
    let Some(socket) = socket else { return std::future::pending().await };
    match socket.next().await? {
        Ok(Message::Binary(bytes)) => lk::SignalRequest::decode(bytes.as_ref()).ok()?.message,
        _ => None,
    }
}

/// Lets time pass until the packets are that many.
async fn packets(session: &mut Session, seen: &Mutex<Seen>, at_least: u64) {
    let enough = async {
        while seen.lock().unwrap().packets < at_least {
            session.next_event(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(WAIT, enough).await.expect("media arrives");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn joins_publishes_loses_its_signalling_resumes_and_leaves() {
    let seen = Arc::new(Mutex::new(Seen::default()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(Server::new(Arc::clone(&seen)).await.run(listener));

    let mut session = Session::connect(SessionOptions::new(&url, "token")).await.unwrap();
    assert_eq!(session.participant_sid(), "PA_1");
    for _ in 0..2 {
        let up = session.wait_for(WAIT, |event| match event {
            ClientEvent::Connected(role) => Some(*role),
            _ => None,
        });
        assert!(matches!(up.await, Some(Role::Publisher | Role::Subscriber)));
    }
    let cid = session.publish_audio(AudioOptions::default()).await.unwrap();
    packets(&mut session, &seen, 10).await;
    let statistics = session.statistics().await.unwrap();
    assert!(statistics.sent[&cid].packets >= 10);
    assert_eq!((statistics.outputs_dropped, statistics.events_dropped), (0, 0));

    session.drop_signal().await.unwrap();
    let before = seen.lock().unwrap().packets;
    packets(&mut session, &seen, before + 10).await;
    session.resume().await.unwrap();
    let before = seen.lock().unwrap().packets;
    packets(&mut session, &seen, before + 10).await;
    let paths = seen.lock().unwrap().paths.clone();
    assert!(paths[0].starts_with("/rtc?access_token=token"), "{paths:?}");
    assert!(paths[1].ends_with("&reconnect=1&sid=PA_1"), "{paths:?}");
    session.leave().await;
    let left = async {
        while !seen.lock().unwrap().ended {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(WAIT, left).await.expect("the server is told");
    server.abort();
}

/// Connects to a server that gives one answer over HTTP.
async fn answered(answer: &'static str, dialect: Dialect) -> SessionError {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        stream
    });
    let options = SessionOptions { dialect, ..SessionOptions::new(&url, "token") };
    let error = Session::connect(options).await.err().unwrap();
    server.abort();
    error
}

#[tokio::test]
async fn a_refusal_tells_its_status() {
    for dialect in [Dialect::Dual, Dialect::Single] {
        let answer = "HTTP/1.1 403 Forbidden\r\ncontent-length: 9\r\n\r\nno credit";
        let error = answered(answer, dialect).await;
        assert!(matches!(error, SessionError::Refused { status: 403, .. }), "{error:?}");
        let error = answered("nonsense\r\n\r\n", dialect).await;
        assert!(matches!(error, SessionError::Network { .. }), "{error:?}");
    }
}
