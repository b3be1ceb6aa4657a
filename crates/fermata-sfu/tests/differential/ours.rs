//! The shard as it is, with the protocol's messages around it.

use std::net::SocketAddr;
use std::time::Instant;

use fermata_sfu::io::{ConnectionId, Input, Output};
use fermata_sfu::{Datagrams, Local, SfuConfig};
use fermata_types::{NodeId, Now};
use livekit_protocol as lk;
use lk::signal_request::Message as Request;
use lk::signal_response::Message as Response;

use crate::source::{RIDS, SIZES};
use crate::support::{APP, description, join, verdict};
use crate::world::{Forwarder, ToClient, ToServer, server};

pub(crate) struct Ours {
    sfu: Local,
    start: Now,
    due: Instant,
    /// Sid of the video, as the publisher was told.
    video: String,
    out: Vec<(SocketAddr, Vec<u8>)>,
    messages: Vec<(usize, ToClient)>,
}

impl Ours {
    pub(crate) fn new(start: Now) -> Self {
        let mut config = SfuConfig::new(NodeId::from_text("ND_test"), vec![vec![server()]]);
        // The reference has none: what is compared is forwarding alone.
        config.limits.congestion_control = false;
        let sfu = Local::new(config, [7; 32], start);
        let (out, messages) = (Vec::new(), Vec::new());
        let due = start.instant;
        let mut ours = Self { sfu, start, due, video: String::new(), out, messages };
        ours.input(start.instant, Input::Verdict(APP, verdict(1)));
        ours
    }

    fn now(&self, instant: Instant) -> Now {
        self.start.plus(instant - self.start.instant)
    }

    fn input(&mut self, now: Instant, input: Input) {
        self.sfu.handle_input(self.now(now), input);
        self.drain(now);
    }

    fn request(&mut self, now: Instant, client: usize, request: Request) {
        self.input(now, Input::Signal(ConnectionId(client as u64), Box::new(request)));
    }

    fn drain(&mut self, now: Instant) {
        let now = self.now(now);
        while let Some(egress) = self.sfu.poll_egress(now) {
            let datagrams = egress.datagrams();
            self.out.extend(datagrams.map(|(path, data)| (path.destination, data.to_vec())));
        }
        loop {
            match self.sfu.poll_output() {
                Output::Timeout(at) => {
                    self.due = at;
                    return;
                }
                Output::Signal(connection, response) => {
                    let client = usize::try_from(connection.0).unwrap();
                    self.message(client, response.message.unwrap());
                }
                Output::Joined(_, result) => {
                    result.expect("nobody is refused");
                }
                Output::CloseSignal(_) => panic!("nobody is sent away"),
                _ => {}
            }
        }
    }

    fn message(&mut self, client: usize, message: Response) {
        match message {
            Response::Offer(offer) => {
                self.messages.push((client, ToClient::Offer(offer.id, offer.sdp)));
            }
            Response::Answer(answer) => {
                self.messages.push((client, ToClient::Answer(answer.sdp)));
            }
            Response::TrackPublished(published) if published.cid == "picture" => {
                self.video = published.track.unwrap().sid;
            }
            _ => {}
        }
    }

    fn announce(&mut self, now: Instant) {
        let sound = lk::AddTrackRequest {
            cid: "sound".to_owned(),
            r#type: lk::TrackType::Audio.into(),
            source: lk::TrackSource::Microphone.into(),
            disable_red: true,
            ..Default::default()
        };
        self.request(now, 0, Request::AddTrack(sound));
        let layers = RIDS.iter().zip(SIZES).zip(0..).map(|((rid, (width, height)), quality)| {
            let (width, height, rid) = (width.into(), height.into(), (*rid).to_owned());
            lk::VideoLayer { quality, width, height, rid, ..Default::default() }
        });
        let layers: Vec<_> = layers.collect();
        let codec = lk::SimulcastCodec {
            codec: "vp8".to_owned(),
            cid: "picture".to_owned(),
            layers: layers.clone(),
            ..Default::default()
        };
        let picture = lk::AddTrackRequest {
            cid: "picture".to_owned(),
            r#type: lk::TrackType::Video.into(),
            source: lk::TrackSource::Camera.into(),
            width: SIZES[2].0.into(),
            height: SIZES[2].1.into(),
            layers,
            simulcast_codecs: vec![codec],
            ..Default::default()
        };
        self.request(now, 0, Request::AddTrack(picture));
    }
}

impl Forwarder for Ours {
    fn enter(&mut self, now: Instant, client: usize, _addresses: [SocketAddr; 2]) {
        let mut join = join(&format!("client {client}"));
        join.connection = ConnectionId(client as u64);
        self.input(now, Input::Join(Box::new(join)));
        if client == 0 {
            self.announce(now);
        }
    }

    fn signal(&mut self, now: Instant, client: usize, message: ToServer) {
        let request = match message {
            ToServer::Offer(sdp) => {
                Request::Offer(lk::SessionDescription { id: 1, ..description("offer", sdp) })
            }
            ToServer::Answer(id, sdp) => {
                Request::Answer(lk::SessionDescription { id, ..description("answer", sdp) })
            }
            ToServer::Want(layer) => Request::TrackSetting(lk::UpdateTrackSettings {
                track_sids: vec![self.video.clone()],
                quality: i32::try_from(layer).unwrap(),
                ..Default::default()
            }),
        };
        self.request(now, client, request);
    }

    fn datagram(&mut self, now: Instant, source: SocketAddr, data: &[u8]) {
        let mut data = data.to_vec();
        let (destination, data) = (server(), &mut data[..]);
        let datagrams = Datagrams { source, destination, data, segment_len: 0 };
        self.sfu.handle_datagrams(self.now(now), datagrams);
        self.drain(now);
    }

    fn time(&mut self, now: Instant) {
        if self.due <= now {
            self.input(now, Input::Timeout);
        }
        self.drain(now);
    }

    fn outgoing(&mut self, _now: Instant) -> Vec<(SocketAddr, Vec<u8>)> {
        std::mem::take(&mut self.out)
    }

    fn messages(&mut self) -> Vec<(usize, ToClient)> {
        std::mem::take(&mut self.messages)
    }
}
