//! The client against the server's transport in memory, under a virtual clock: both dialects, no sockets.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail as tests do")]

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use fermata_testkit::client::{ClientConfig, ClientEvent, ClientOutput, Dialect, RtcClient};
use fermata_testkit::{AudioOptions, VideoOptions};
use fermata_transport::egress::Egress;
use fermata_transport::{
    Assignment, Channel, Codec, Event, MediaKind, Mid, PeerKind, Rid, RtpIn, RtpOut, Transport,
    TransportConfig,
};
use fermata_types::Now;
use livekit_protocol as lk;
use lk::signal_request::Message as Request;
use lk::signal_response::Message as Response;

const SERVER: &str = "192.0.2.1:7882";
const STEP: Duration = Duration::from_millis(5);

/// What came in at the server, kept.
struct Got {
    mid: Mid,
    rid: Option<Rid>,
    codec: Codec,
    seq: u64,
    timestamp: u32,
    marker: bool,
    payload: Vec<u8>,
    audio_level_db: Option<i8>,
    voice_activity: Option<bool>,
}

impl From<RtpIn<'_>> for Got {
    fn from(packet: RtpIn<'_>) -> Self {
        Self {
            mid: packet.mid,
            rid: packet.rid,
            codec: packet.codec,
            seq: packet.seq,
            timestamp: packet.timestamp,
            marker: packet.marker,
            payload: packet.payload.to_vec(),
            audio_level_db: packet.audio_level_db,
            voice_activity: packet.voice_activity,
        }
    }
}

/// A client, and the half of a server that it talks to.
struct End {
    client: RtcClient,
    local: [SocketAddr; 2],
    publisher: Transport,
    subscriber: Option<Transport>,
    requests: Vec<Request>,
    events: Vec<ClientEvent>,
    server_events: VecDeque<Event>,
    media: Vec<Got>,
    out: Egress,
    /// Tracks to go out on placeholders, by section.
    filled: HashMap<Mid, String>,
    places: Vec<(Mid, MediaKind)>,
}

impl End {
    fn new(now: Now, number: u8, dialect: Dialect) -> Self {
        let local = [1, 2].map(|port| SocketAddr::from(([198, 51, 100, number], port)));
        let config = ClientConfig { places: (1, 1), ..ClientConfig::new(dialect, local) };
        let mut client = RtcClient::new(now, &config);
        let server =
            TransportConfig { candidates: vec![SERVER.parse().unwrap()], ..Default::default() };
        let dual = dialect == Dialect::Dual;
        let kind = if dual { PeerKind::Publisher } else { PeerKind::Single };
        let first = client.first_offer();
        let mut end = Self {
            client,
            local,
            publisher: Transport::new(now.instant, kind, &server, [number; 32]),
            subscriber: dual.then(|| {
                let kind = PeerKind::Subscriber;
                Transport::new(now.instant, kind, &server, [100 + number; 32])
            }),
            requests: Vec::new(),
            events: Vec::new(),
            server_events: VecDeque::new(),
            media: Vec::new(),
            out: Egress::new(1 << 20, 1_024),
            filled: HashMap::new(),
            places: Vec::new(),
        };
        end.tell(now, &Response::Join(lk::JoinResponse::default()));
        if let Some(offer) = first {
            end.offered(now, &offer);
        }
        end.offer_tracks(now);
        end
    }

    fn tell(&mut self, now: Now, response: &Response) {
        self.client.handle_signal(now, response).unwrap();
    }

    /// The server offers what is staged.
    fn offer_tracks(&mut self, now: Now) {
        let Some(sdp) = self.subscriber.as_mut().and_then(|t| t.create_offer(false)) else {
            return;
        };
        self.drain_server();
        let offer =
            lk::SessionDescription { r#type: "offer".into(), sdp, id: 1, ..Default::default() };
        self.tell(now, &Response::Offer(offer));
    }

    fn offered(&mut self, now: Now, offer: &lk::SessionDescription) {
        let offered = self.publisher.accept_offer(&offer.sdp).unwrap();
        self.drain_server();
        self.places =
            offered.sections.iter().filter(|s| s.placeholder).map(|s| (s.mid, s.kind)).collect();
        let assignments: Vec<_> = self
            .filled
            .iter()
            .map(|(mid, sid)| Assignment { mid: *mid, stream_id: "PA_x|camera", track_id: sid })
            .collect();
        let sdp = self.publisher.answer(&assignments).unwrap();
        let mid_to_track_id =
            self.filled.iter().map(|(mid, sid)| (mid.to_string(), sid.clone())).collect();
        let answer =
            lk::SessionDescription { r#type: "answer".into(), sdp, id: offer.id, mid_to_track_id };
        self.tell(now, &Response::Answer(answer));
    }

    fn request(&mut self, now: Now, request: Request) {
        match &request {
            Request::Offer(offer) => self.offered(now, offer),
            Request::Answer(answer) => {
                self.subscriber.as_mut().unwrap().accept_answer(&answer.sdp).unwrap();
                self.drain_server();
            }
            Request::AddTrack(add) => {
                let track = lk::TrackInfo { sid: format!("TR_{}", add.cid), ..Default::default() };
                let cid = add.cid.clone();
                self.tell(
                    now,
                    &Response::TrackPublished(lk::TrackPublishedResponse {
                        cid,
                        track: Some(track),
                    }),
                );
            }
            _ => {}
        }
        self.requests.push(request);
    }

    /// Everything the server's half has to say goes to the client at once.
    fn drain_server(&mut self) {
        self.drain_server_at(None);
    }

    fn drain_server_at(&mut self, now: Option<Now>) {
        let now = now.unwrap_or_else(Now::read);
        for transport in [Some(&mut self.publisher), self.subscriber.as_mut()].into_iter().flatten()
        {
            transport.flush(now.instant, &mut self.out);
            self.server_events.extend(std::iter::from_fn(|| transport.poll_event()));
        }
        for (path, data) in self.out.datagrams() {
            self.client.handle_datagram(now, path.source, path.destination, data);
        }
        self.out.clear();
    }

    fn step(&mut self, now: Now) {
        self.publisher.handle_timeout(now.instant, &mut self.out);
        if let Some(subscriber) = &mut self.subscriber {
            subscriber.handle_timeout(now.instant, &mut self.out);
        }
        self.drain_server_at(Some(now));
        self.client.handle_timeout(now);
        for _ in 0..10_000 {
            match self.client.poll() {
                ClientOutput::Signal(request) => self.request(now, request.message.unwrap()),
                ClientOutput::Transmit(transmit) => {
                    let server = SERVER.parse().unwrap();
                    let transport = if transmit.source == self.local[1] {
                        self.subscriber.as_mut().unwrap()
                    } else {
                        &mut self.publisher
                    };
                    let mut data = transmit.data;
                    let (from, out) = (transmit.source, &mut self.out);
                    let taken =
                        transport.handle_datagram(now.instant, from, server, &mut data, out);
                    self.media.extend(taken.unwrap().map(Got::from));
                    self.drain_server_at(Some(now));
                }
                ClientOutput::Event(event) => self.events.push(event),
                ClientOutput::Keys(_) | ClientOutput::Streams(_) => {}
                ClientOutput::Timeout(at) => {
                    assert!(at > now.instant);
                    return;
                }
            }
        }
        panic!("the client never rests");
    }

    fn sending(&mut self) -> &mut Transport {
        self.subscriber.as_mut().unwrap_or(&mut self.publisher)
    }

    fn media(&mut self) -> Vec<Got> {
        std::mem::take(&mut self.media)
    }
}

fn forward(to: &mut End, now: Now, mid: Mid, packet: &Got) {
    let out = RtpOut {
        codec: packet.codec,
        seq: packet.seq,
        timestamp: packet.timestamp,
        marker: packet.marker,
        payload: &packet.payload,
        vp8: None,
        dependency: None,
        audio_level_db: packet.audio_level_db,
        voice_activity: packet.voice_activity,
        at: now.instant,
    };
    let transport = to.subscriber.as_mut().unwrap_or(&mut to.publisher);
    let slot = transport.send_slot(mid).unwrap();
    transport.send_rtp(now.instant, slot, &out, 0, &mut to.out).unwrap();
    to.drain_server_at(Some(now));
}

/// From one client's publisher to another's receiving connection, layer `h`; then data both ways.
fn check(dialect: Dialect) {
    let mut now = Now::read();
    let mut ada = End::new(now, 1, dialect);
    let mut bob = End::new(now, 2, dialect);
    let audio = ada.client.publish_audio(AudioOptions::default()).unwrap();
    let options = VideoOptions { simulcast: true, ..VideoOptions::default() };
    let video = ada.client.publish_video(options).unwrap();
    let mut run = |ends: [&mut End; 2], done: &dyn Fn([&End; 2]) -> bool| {
        let [ada, bob] = ends;
        for _ in 0..2_000 {
            if done([ada, bob]) {
                return now;
            }
            now = now.plus(STEP);
            ada.step(now);
            bob.step(now);
        }
        panic!("never");
    };
    run([&mut ada, &mut bob], &|[ada, bob]| ada.client.is_connected() && bob.client.is_connected());
    assert_eq!(ada.client.sid_of(&audio), Some("TR_cid1"));

    // Room for two tracks at the receiver.
    let (sound, picture) = if dialect == Dialect::Dual {
        let subscriber = bob.subscriber.as_mut().unwrap();
        let sound = subscriber.add_track(MediaKind::Audio, "PA_x|camera", "TR_cid1");
        let picture = subscriber.add_track(MediaKind::Video, "PA_x|camera", "TR_cid2");
        bob.offer_tracks(now);
        (sound, picture)
    } else {
        let place = |kind| bob.places.iter().find(|place| place.1 == kind).unwrap().0;
        let (sound, picture) = (place(MediaKind::Audio), place(MediaKind::Video));
        bob.filled = HashMap::from([(sound, "TR_cid1".into()), (picture, "TR_cid2".into())]);
        let wanted = lk::MediaSectionsRequirement { num_audios: 1, num_videos: 0 };
        bob.tell(now, &Response::MediaSectionsRequirement(wanted));
        assert_eq!(bob.client.places(), (2, 1));
        (sound, picture)
    };
    for _ in 0..100 {
        now = now.plus(STEP);
        ada.step(now);
        bob.step(now);
    }
    ada.media();
    let mid_of = |packet: &Got| packet.codec.kind() == MediaKind::Video;
    let video_in = loop {
        now = now.plus(STEP);
        ada.step(now);
        bob.step(now);
        if let Some(packet) = ada.media().into_iter().find(mid_of) {
            break packet.mid;
        }
    };
    ada.publisher.request_keyframe(video_in, Some("h".into()));
    ada.drain_server_at(Some(now));
    for _ in 0..400 {
        now = now.plus(STEP);
        ada.step(now);
        bob.step(now);
        for packet in ada.media() {
            let layer = packet.rid.map(|rid| rid.to_string());
            match layer.as_deref() {
                None => forward(&mut bob, now, sound, &packet),
                Some("h") => forward(&mut bob, now, picture, &packet),
                Some(_) => {}
            }
        }
    }
    let statistics = bob.client.statistics();
    let heard = &statistics.received["TR_cid1"];
    let seen = &statistics.received["TR_cid2"];
    // Two seconds: 50 audio packets and 25 frames each.
    assert!((95..=101).contains(&heard.packets), "{heard:?}");
    assert!((48..=51).contains(&seen.frames), "{seen:?}");
    assert_eq!(seen.size, Some((640, 360)));
    assert_eq!(seen.keyframes, 1);
    assert_eq!((heard.lost, seen.lost, seen.picture_id_jumps, seen.unstamped), (0, 0, 0, 0));
    assert_eq!(seen.latency.count, seen.packets);
    assert!(seen.latency.max_us <= 20_000, "{:?}", seen.latency.max_us);
    assert!(
        bob.events
            .iter()
            .any(|e| matches!(e, ClientEvent::TrackStarted { sid } if sid == "TR_cid2"))
    );
    let sent = ada.client.statistics().sent[&video];
    assert!(sent.keyframe_requests == 1 && sent.keyframes == 4, "{sent:?}");

    ada.client.send_data(true, "chat", b"hello".to_vec(), vec!["bob".into()]).unwrap();
    for _ in 0..20 {
        now = now.plus(STEP);
        ada.step(now);
    }
    let up = ada.server_events.iter().find_map(|event| match event {
        Event::Data { channel: Channel::Reliable, data, .. } => Some(data.clone()),
        _ => None,
    });
    let up = up.unwrap();
    bob.sending().send_data(Channel::Reliable, true, &up).unwrap();
    for _ in 0..20 {
        now = now.plus(STEP);
        bob.step(now);
    }
    let down = bob.events.iter().find_map(|event| match event {
        ClientEvent::Data { reliable: true, packet } => Some(packet.clone()),
        _ => None,
    });
    let packet = down.unwrap();
    assert_eq!((packet.sequence, packet.destination_identities), (1, vec!["bob".to_owned()]));

    // An ended track goes inactive; a mute tells the server and stops the packets.
    ada.client.mute(&audio, true).unwrap();
    ada.client.unpublish(&video).unwrap();
    for _ in 0..20 {
        now = now.plus(STEP);
        ada.step(now);
    }
    ada.media();
    for _ in 0..50 {
        now = now.plus(STEP);
        ada.step(now);
    }
    assert!(ada.media().is_empty());
    assert!(ada.requests.iter().any(|r| matches!(r, Request::Mute(mute) if mute.muted)));
    ada.client.leave();
    ada.step(now);
    assert!(ada.requests.iter().any(|r| matches!(r, Request::Leave(_))));
}

#[test]
fn two_connections() {
    check(Dialect::Dual);
}

#[test]
fn one_connection() {
    check(Dialect::Single);
}

#[test]
fn a_resume_restarts_ice_on_the_connection_that_the_client_offers() {
    let mut now = Now::read();
    let mut ada = End::new(now, 1, Dialect::Dual);
    ada.client.publish_audio(AudioOptions::default()).unwrap();
    let mut run = |ada: &mut End, steps: usize| {
        for _ in 0..steps {
            now = now.plus(STEP);
            ada.step(now);
        }
    };
    run(&mut ada, 400);
    assert!(ada.client.is_connected());
    let before = ada.publisher.local_ufrag();
    ada.client.resume();
    run(&mut ada, 200);
    assert_ne!(ada.publisher.local_ufrag(), before);
    let sync = ada.requests.iter().find_map(|request| match request {
        Request::SyncState(state) => Some(state.clone()),
        _ => None,
    });
    let sync = sync.unwrap();
    assert_eq!(sync.publish_tracks[0].cid, "cid1");
    assert!(sync.answer.is_some());
    ada.media();
    run(&mut ada, 100);
    assert!(ada.media().len() >= 20, "media goes on");
}
