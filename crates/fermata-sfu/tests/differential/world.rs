//! Forwarder, people and network under one clock, a millisecond at a time.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::client::{Publisher, Receiver};
use crate::dice::{part, unit};
use crate::net::{Direction, Ms};
use crate::shape::{CLEAN, Shape};
use crate::wire::Kind;

/// Nobody comes later than this. That they come at different times matters: connections that began together would
/// send their feedback in step for ever, and how it meets would be the same in every run.
const ENTER_UNTIL: Ms = 150;
/// Media begins.
pub(crate) const MEDIA_FROM: Ms = 1_000;
/// The network turns bad.
pub(crate) const BAD_FROM: Ms = 2_000;
/// Media ends.
pub(crate) const MEDIA_UNTIL: Ms = 10_000;
/// All ends.
const END: Ms = 10_600;
/// The receiver that changes its mind: when, and to which layer.
pub(crate) const WANTS: [(Ms, usize); 5] =
    [(3_000, 0), (4_310, 2), (5_730, 1), (7_150, 0), (8_520, 2)];

/// Receivers: on a clean link, on a bad one, and one on a bad link that changes its layer.
pub(crate) const RECEIVERS: usize = 3;
/// The one of them that changes its layer.
pub(crate) const CHANGING: usize = 2;

/// From a client; the first is the publisher.
pub(crate) enum ToServer {
    Offer(String),
    Answer(u32, String),
    /// A layer, by `UpdateTrackSettings`.
    Want(usize),
}

/// To a client.
pub(crate) enum ToClient {
    Offer(u32, String),
    Answer(String),
}

/// What is compared.
pub(crate) trait Forwarder {
    /// A client comes; its addresses for what it publishes and for what it receives.
    fn enter(&mut self, now: Instant, client: usize, addresses: [SocketAddr; 2]);
    fn signal(&mut self, now: Instant, client: usize, message: ToServer);
    fn datagram(&mut self, now: Instant, source: SocketAddr, data: &[u8]);
    /// A millisecond has passed.
    fn time(&mut self, now: Instant);
    fn outgoing(&mut self, now: Instant) -> Vec<(SocketAddr, Vec<u8>)>;
    fn messages(&mut self) -> Vec<(usize, ToClient)>;
}

pub(crate) fn server() -> SocketAddr {
    "10.0.0.1:7882".parse().unwrap()
}

fn address(client: usize, connection: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 1, u8::try_from(client).unwrap()], 10_000 + connection))
}

/// Both directions of a connection.
struct Link {
    address: SocketAddr,
    up: Direction,
    down: Direction,
}

impl Link {
    fn learn(&mut self, sdp: &str) {
        self.up.formats.learn(sdp);
        self.down.formats.learn(sdp);
    }
}

pub(crate) struct World<'a> {
    forwarder: &'a mut dyn Forwarder,
    start: Instant,
    pub(crate) publisher: Publisher,
    /// The first is the publisher's own connection for receiving.
    pub(crate) receivers: Vec<Receiver>,
    /// The publisher's, then those of the receivers, in their order.
    links: Vec<Link>,
    /// When each client comes.
    enters: Vec<Ms>,
}

impl<'a> World<'a> {
    pub(crate) fn new(
        forwarder: &'a mut dyn Forwarder,
        start: Instant,
        seed: u64,
        shape: Shape,
    ) -> Self {
        let publisher = Publisher::new(start, address(0, 0), seed);
        let receiver = |client| Receiver::new(start, address(client, 1));
        let receivers: Vec<Receiver> = (0..=RECEIVERS).map(receiver).collect();
        let addresses = receivers.iter().map(|receiver| receiver.engine.address);
        let links = std::iter::once(publisher.engine.address).chain(addresses).enumerate();
        let link = |(number, address)| {
            let shape = if number == 1 || number == 2 { CLEAN } else { shape };
            let direction =
                |way| Direction::new(seed * 100 + number as u64 * 2 + way, shape, BAD_FROM);
            Link { address, up: direction(0), down: direction(1) }
        };
        let links = links.map(link).collect();
        let enter = |client| 1 + part(unit(seed, [30, client as u64, 0, 0]), ENTER_UNTIL);
        let enters = (0..=RECEIVERS).map(enter).collect();
        Self { forwarder, start, publisher, receivers, links, enters }
    }

    fn enter(&mut self, instant: Instant, client: usize) {
        self.forwarder.enter(instant, client, [0, 1].map(|way| address(client, way)));
        if client == 0 {
            let offer = self.publisher.offer();
            self.links[0].learn(&offer);
            self.forwarder.signal(instant, 0, ToServer::Offer(offer));
        }
    }

    /// What went to and fro on the publisher's link.
    pub(crate) fn publisher_sent(&self, kind: Kind) -> u64 {
        self.links[0].up.tally.of(kind)
    }

    /// What the forwarder sent to a receiver, and media packets of it that it sent again as they were.
    pub(crate) fn sent_to(&self, receiver: usize, kind: Kind) -> (u64, u64) {
        let tally = &self.links[receiver + 2].down.tally;
        (tally.of(kind), tally.repeated)
    }

    pub(crate) fn run(&mut self) {
        for now in 1..=END {
            let instant = self.start + Duration::from_millis(now);
            for client in 0..=RECEIVERS {
                if self.enters[client] == now {
                    self.enter(instant, client);
                }
            }
            self.carry(now, instant);
            self.people(now, instant);
            self.forwarder.time(instant);
            self.signals(instant);
            self.gather(now, instant);
            if now == MEDIA_FROM {
                let engines = self.receivers.iter().skip(1).map(|receiver| &receiver.engine);
                assert!(self.publisher.engine.connected, "the publisher is connected");
                assert!(
                    engines.into_iter().all(|engine| engine.connected),
                    "receivers are connected"
                );
            }
        }
    }

    /// Datagrams that are due.
    fn carry(&mut self, now: Ms, instant: Instant) {
        for link in &mut self.links {
            while let Some(data) = link.up.receive(now) {
                self.forwarder.datagram(instant, link.address, &data);
            }
        }
        let receivers = self.receivers.iter_mut().map(|receiver| &mut receiver.engine);
        let engines = std::iter::once(&mut self.publisher.engine).chain(receivers);
        for (link, engine) in self.links.iter_mut().zip(engines) {
            while let Some(data) = link.down.receive(now) {
                engine.receive(instant, server(), &data);
            }
            if engine.at <= instant {
                engine.time(instant);
            }
        }
    }

    /// What people do of themselves.
    fn people(&mut self, now: Ms, instant: Instant) {
        self.publisher.listen(now);
        if (MEDIA_FROM..MEDIA_UNTIL).contains(&now) {
            for due in self.publisher.source.due(now) {
                self.publisher.send(instant, due);
            }
        }
        for receiver in &mut self.receivers {
            receiver.listen(now, instant);
        }
        for (_, layer) in WANTS.iter().filter(|(at, _)| *at == now) {
            self.forwarder.signal(instant, CHANGING + 1, ToServer::Want(*layer));
        }
    }

    /// Messages, which travel at once.
    fn signals(&mut self, instant: Instant) {
        loop {
            let messages = self.forwarder.messages();
            if messages.is_empty() {
                return;
            }
            for (client, message) in messages {
                match message {
                    ToClient::Answer(sdp) => {
                        self.links[0].learn(&sdp);
                        self.publisher.accept_answer(instant, &sdp);
                    }
                    ToClient::Offer(id, sdp) => {
                        let answer = self.receivers[client].answer(instant, &sdp);
                        self.links[client + 1].learn(&answer);
                        self.forwarder.signal(instant, client, ToServer::Answer(id, answer));
                    }
                }
            }
        }
    }

    /// Datagrams that set out.
    fn gather(&mut self, now: Ms, instant: Instant) {
        let receivers = self.receivers.iter_mut().map(|receiver| &mut receiver.engine);
        let engines = std::iter::once(&mut self.publisher.engine).chain(receivers);
        for (link, engine) in self.links.iter_mut().zip(engines) {
            for (_, data) in engine.outgoing() {
                link.up.send(now, data);
            }
        }
        for (to, data) in self.forwarder.outgoing(instant) {
            let link = self.links.iter_mut().find(|link| link.address == to);
            link.unwrap().down.send(now, data);
        }
    }
}
