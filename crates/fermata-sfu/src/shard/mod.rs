//! A shard: the connections of some people, and the way of media packets through them, without IO.
//!
//! It is told by the rooms ([`crate::Sfu`]) whom to serve and what they receive, tells them what it notices, and
//! hands packets of tracks that are received elsewhere to other shards; see [`crate::seam`]. One shard belongs to one
//! thread and shares nothing.
//!
//! What it is not: it knows no room, no right, no signalling message, and counts no minute.
//!
//! - `orders`, `subscribing`: what the rooms want done.
//! - `events`: what connections report, and the work on tracks that is due now and then.
//! - `path`: the way of media packets.
//! - `relay`: to and from other shards.
//! - `share`: what goes out where there is not room for everything. `sound`: what of it sound takes.
//! - `outbox`: data messages towards a receiver. `sample`: how stays fared.

mod context;
mod demux;
mod events;
mod link;
mod orders;
mod outbox;
mod path;
mod peer;
mod relay;
mod sample;
mod share;
mod sound;
mod subscribing;
mod subscriptions;
mod track;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fermata_transport::egress::Egress;
use fermata_transport::{Protocol, TransportConfig};
use fermata_types::Now;
use rustc_hash::FxHashMap;

use self::context::{Context, Timer};
use self::demux::Demux;
use self::link::Link;
use self::path::{Arrival, Lent, Pacer};
use self::peer::Peer;
use self::relay::Relay;
use self::track::Track;
use crate::SfuStats;
use crate::key::{LinkId, ParticipantId, TrackId};
use crate::limits::{MEDIA_BYTES, MEDIA_DATAGRAMS, TIMERS_PER_STEP};
use crate::seam::{ShardHop, ShardId, ShardOrder, ShardReport};

/// Deadline given when nothing at all is due.
const IDLE: Duration = Duration::from_hours(1);

/// Datagrams of one sender, as the kernel joins them.
#[derive(Debug)]
pub struct Datagrams<'a> {
    /// Who sent them.
    pub source: SocketAddr,
    /// Our address they were sent to (one of the candidates).
    pub destination: SocketAddr,
    /// Their bytes one behind the other; they are decrypted in place.
    pub data: &'a mut [u8],
    /// Bytes of each but the last, which may be shorter; 0, or no less than all of them, for one datagram.
    pub segment_len: usize,
}

/// Connections and packets of one media thread.
///
/// Drive it by the `handle_*` methods; after each call [`Shard::poll_egress`], [`Shard::poll_report`] and
/// [`Shard::poll_hop`] until there is nothing more, then wait until [`Shard::next_timeout`].
#[derive(Debug)]
pub struct Shard {
    id: ShardId,
    config: TransportConfig,
    context: Context,
    peers: FxHashMap<ParticipantId, Peer>,
    tracks: FxHashMap<TrackId, Track>,
    demux: Demux,
    /// Media packets of the batch that is being handled.
    arrivals: Vec<Arrival>,
    /// Tracks that come in another codec from this batch on.
    restarts: Vec<TrackId>,
    /// Who has media to send, and when.
    pacer: Pacer,
    /// The media that was given out last.
    media: Egress,
    lent: Lent,
    /// Ways to the other shards.
    relays: Vec<Relay>,
}

impl Shard {
    /// An empty one; `config` is that of its connections, `shards` how many there are.
    pub(crate) fn new(id: ShardId, shards: usize, config: TransportConfig, now: Now) -> Self {
        Self {
            id,
            config,
            context: Context::new(now),
            peers: FxHashMap::default(),
            tracks: FxHashMap::default(),
            demux: Demux::default(),
            arrivals: Vec::new(),
            restarts: Vec::new(),
            pacer: Pacer::new(now.instant),
            media: Egress::new(MEDIA_BYTES, MEDIA_DATAGRAMS),
            lent: Lent::Control,
            relays: (0..shards).map(|_| Relay::default()).collect(),
        }
    }

    /// Which one it is.
    pub fn id(&self) -> ShardId {
        self.id
    }

    /// Takes datagrams of one sender.
    pub fn handle_datagrams(&mut self, now: Now, datagrams: Datagrams<'_>) {
        self.context.now = now;
        self.on_datagrams(datagrams);
        self.finish_step();
    }

    /// Does what the rooms want.
    pub fn handle_order(&mut self, now: Now, order: ShardOrder) {
        self.context.now = now;
        self.on_order(order.0);
        self.finish_step();
    }

    /// Takes what another shard handed over.
    pub fn handle_hop(&mut self, now: Now, from: ShardId, hop: ShardHop) {
        self.context.now = now;
        self.on_hop(from, hop.0);
        self.finish_step();
    }

    /// The instant of [`Shard::next_timeout`] has come.
    pub fn handle_timeout(&mut self, now: Now) {
        self.context.now = now;
        self.finish_step();
    }

    /// The next thing to tell the rooms: [`crate::io::Input::Report`].
    pub fn poll_report(&mut self) -> Option<ShardReport> {
        self.context.reports.pop_front().map(ShardReport)
    }

    /// The next thing to hand to another shard: [`Shard::handle_hop`].
    pub fn poll_hop(&mut self) -> Option<(ShardId, ShardHop)> {
        if self.context.hops.is_empty() {
            self.flush_relays();
        }
        self.context.hops.pop_front().map(|(to, hop)| (to, ShardHop(hop)))
    }

    /// When [`Shard::handle_timeout`] is due, once [`Shard::poll_egress`] has nothing more.
    pub fn next_timeout(&mut self) -> Instant {
        let now = self.context.now.instant;
        // What writing media brought up is still to be handled.
        let at_once =
            (!self.context.events.is_empty() || !self.context.control.is_empty()).then_some(now);
        let due = [at_once, self.pacer.due(now), self.context.timers.next()];
        due.into_iter().flatten().min().unwrap_or(now + IDLE)
    }

    /// Counters and gauges as of now; what only the rooms know is 0.
    pub fn stats(&self) -> SfuStats {
        let mut stats = SfuStats {
            egress_dropped: self.context.control.dropped() + self.media.dropped(),
            ..self.context.stats.clone()
        };
        stats.participants_constrained =
            self.peers.values().filter(|peer| peer.sharing.constrained).count() as u64;
        for link in self.peers.values().flat_map(|peer| peer.up.iter().chain(&peer.down)) {
            stats.transports += 1;
            match link.wire().protocol() {
                Some(Protocol::Udp) => stats.transports_udp += 1,
                Some(Protocol::Tcp) => stats.transports_tcp += 1,
                None => {}
            }
            stats.add_link(&link.wire().stats());
        }
        stats
    }

    /// Does one of its connections count on hearing from `source` at `destination`? It does from the first ICE check
    /// that it granted until the peer has been silent there for long. Others are strangers.
    pub fn knows(&self, source: SocketAddr, destination: SocketAddr) -> bool {
        let link = self.demux.by_address(source, destination);
        let peer = link.and_then(|id| Some((self.peers.get(&id.participant)?, id.side)));
        peer.and_then(|(peer, side)| peer.link(side))
            .is_some_and(|link| link.wire().knows(source, destination))
    }

    /// Media packets taken in so far, from connections and from other shards.
    pub fn packets_in(&self) -> u64 {
        self.context.stats.rtp_in + self.context.stats.hops_in
    }

    /// Entries in every map that should be empty when nobody is there. For leak tests.
    pub fn entries(&self) -> usize {
        self.peers.len()
            + self.tracks.len()
            + self.demux.len()
            + self.context.timers.len()
            + self.context.events.len()
            + self.context.reports.len()
            + self.context.hops.len()
            + self.context.levels.len()
            + self.pacer.len()
    }

    /// What follows from an input, and what is due.
    fn finish_step(&mut self) {
        self.settle();
        let now = self.context.now.instant;
        // What is left over is due at once; packets come in between.
        for _ in 0..TIMERS_PER_STEP {
            let Some(timer) = self.context.timers.pop_due(now) else { break };
            self.on_timer(timer);
            self.settle();
        }
    }

    /// Handles what connections reported, and what follows from that, until nothing is left.
    fn settle(&mut self) {
        while let Some(((link, nth), event)) = self.context.events.pop_front() {
            self.on_link_event(link, nth, event);
        }
    }

    fn on_timer(&mut self, timer: Timer) {
        match timer {
            Timer::Link(id) => {
                let Self { peers, context, .. } = self;
                let link = peers.get_mut(&id.participant).and_then(|peer| peer.link_mut(id.side));
                if let Some(link) = link {
                    link.drive(context);
                }
            }
            Timer::Track(id) => self.on_track_timer(id),
            Timer::Area(id) => self.on_area_timer(id),
            Timer::Share(id) => self.on_share_timer(id),
            Timer::Levels => self.tell_levels(),
        }
    }

    /// The connection of an id.
    fn link_mut(&mut self, id: LinkId) -> Option<&mut Link> {
        self.peers.get_mut(&id.participant)?.link_mut(id.side)
    }
}
