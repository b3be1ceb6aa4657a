//! ICE over TCP (RFC 6544): the listener of a media thread, and the connections that clients open to it where UDP
//! does not go through. Datagrams travel in them one behind the other (RFC 4571), and are handed on as if they had come
//! over UDP, from the connection's address to ours.
//!
//! What it is not: it decides nothing about who may connect. Whether a participant counts on a connection, the shard
//! says; one that none counts on in time is closed. It opens none itself.
//!
//! **Invariant:** its addresses are none of the UDP socket's, so an address of ours alone says which of them it is.

pub mod framing;
mod shares;
mod stream;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use fermata_transport::egress::Batch;
use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, SockRef, Type};

use self::shares::Shares;
use self::stream::{Stream, Turn};
use crate::config::TcpListen;
use crate::counters::{Counters, add, count};
use crate::limits::{
    STREAM_BACKLOG, STREAM_READ_LEN, STREAM_SEND_BUFFER_LEN, STREAM_SWEEP_INTERVAL,
    STREAMS_PER_WAKE,
};
use crate::node::StartError;

/// The listener's token.
pub(crate) const LISTENER: Token = Token(1);

/// Tokens of connections are their places, from this one on.
const FIRST: usize = 2;

/// The listener and its connections.
#[derive(Debug)]
pub(crate) struct Streams {
    listener: TcpListener,
    settings: TcpListen,
    /// Addresses that clients reach it at; never empty.
    advertised: Vec<SocketAddr>,
    registry: Registry,
    places: Vec<Option<Stream>>,
    free: Vec<usize>,
    by_peer: HashMap<SocketAddr, usize>,
    shares: Shares,
    /// There may be connections to take in.
    acceptable: bool,
    /// Those that may have more to read.
    ready: VecDeque<usize>,
    /// Those that something was put for.
    touched: Vec<usize>,
    buffer: Box<[u8]>,
    swept: Instant,
    counters: Arc<Counters>,
}

impl Streams {
    /// Listens at the IP address of `bind`, beside a UDP socket that is reached at `beside`.
    pub(crate) fn bind(
        bind: IpAddr,
        settings: &TcpListen,
        beside: &[SocketAddr],
        registry: &Registry,
        counters: Arc<Counters>,
    ) -> Result<Self, StartError> {
        let address = SocketAddr::new(bind, settings.port);
        let failed = |source| StartError::BindTcp { bind: address, source };
        let taken = |port: u16| beside.iter().any(|other| other.port() == port);
        let mut listener = listen(address).map_err(failed)?;
        let mut port = listener.local_addr().map_err(failed)?.port();
        if settings.port == 0 && taken(port) {
            // Held until there is another, so that it is another.
            let other = listen(address).map_err(failed)?;
            port = other.local_addr().map_err(failed)?.port();
            listener = other;
        }
        if taken(port) {
            let problem =
                format!("TCP port {port} is the UDP port beside it; it must be another one");
            return Err(StartError::Config { key: "listen", problem });
        }
        let mut advertised: Vec<SocketAddr> =
            beside.iter().map(|other| SocketAddr::new(other.ip(), port)).collect();
        advertised.dedup();
        let registry = registry.try_clone().map_err(StartError::Thread)?;
        registry
            .register(&mut listener, LISTENER, Interest::READABLE)
            .map_err(StartError::Thread)?;
        Ok(Self {
            listener,
            settings: settings.clone(),
            advertised,
            registry,
            places: Vec::new(),
            free: Vec::new(),
            by_peer: HashMap::new(),
            shares: Shares::default(),
            acceptable: true,
            ready: VecDeque::new(),
            touched: Vec::new(),
            buffer: vec![0; STREAM_READ_LEN].into_boxed_slice(),
            swept: fermata_types::Now::read().instant,
            counters,
        })
    }

    /// Every address that clients reach us at.
    pub(crate) fn candidates(&self) -> &[SocketAddr] {
        &self.advertised
    }

    /// Is it one of them?
    pub(crate) fn owns(&self, address: SocketAddr) -> bool {
        self.advertised.contains(&address)
    }

    /// Something happened to the listener or to a connection.
    pub(crate) fn on_event(&mut self, event: &Event) {
        if event.token() == LISTENER {
            self.acceptable = true;
            return;
        }
        let Some(place) = event.token().0.checked_sub(FIRST) else { return };
        let Some(stream) = self.places.get_mut(place).and_then(Option::as_mut) else { return };
        stream.ending |= event.is_read_closed() || event.is_error();
        if event.is_writable() {
            stream.writable = true;
            if !stream.touched {
                stream.touched = true;
                self.touched.push(place);
            }
        }
        if (event.is_readable() || stream.ending) && !stream.ready {
            stream.ready = true;
            self.ready.push_back(place);
        }
    }

    /// Is there more to take in?
    pub(crate) fn is_readable(&self) -> bool {
        self.acceptable || !self.ready.is_empty()
    }

    /// Takes in connections that wait.
    pub(crate) fn accept(&mut self, now: Instant) {
        for _ in 0..STREAMS_PER_WAKE {
            if !self.acceptable {
                return;
            }
            match self.listener.accept() {
                Ok((tcp, peer)) => self.admit(tcp, peer, now),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => self.acceptable = false,
                    io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => {}
                    // No file handle, perhaps: trying again at once could go on for ever. The next look does.
                    _ => {
                        count(&self.counters.tcp_accept_failed);
                        self.acceptable = false;
                    }
                },
            }
        }
    }

    /// Takes one in, or closes it at once.
    fn admit(&mut self, mut tcp: TcpStream, peer: SocketAddr, now: Instant) {
        // The same peer may come to two of our interfaces, which are one to us.
        if self.by_peer.len() >= self.settings.connections_max || self.by_peer.contains_key(&peer) {
            count(&self.counters.tcp_refused_full);
            return;
        }
        if !self.shares.take(peer.ip(), self.settings.connections_per_address_max) {
            count(&self.counters.tcp_refused_address);
            return;
        }
        let place = self.free.pop().unwrap_or(self.places.len());
        let interest = Interest::READABLE | Interest::WRITABLE;
        let _ = tcp.set_nodelay(true);
        let _ = SockRef::from(&tcp).set_send_buffer_size(STREAM_SEND_BUFFER_LEN);
        if self.registry.register(&mut tcp, Token(FIRST + place), interest).is_err() {
            count(&self.counters.tcp_accept_failed);
            self.shares.give_back(peer.ip());
            self.free.push(place);
            return;
        }
        let same_kind = |ours: &&SocketAddr| ours.ip().is_loopback() == peer.ip().is_loopback();
        let local = self.advertised.iter().find(same_kind).or_else(|| self.advertised.first());
        let stream = Stream::new(tcp, peer, local.copied().unwrap_or(peer), now);
        if place == self.places.len() {
            self.places.push(None);
        }
        if let Some(empty) = self.places.get_mut(place) {
            *empty = Some(stream);
        }
        self.by_peer.insert(peer, place);
        count(&self.counters.tcp_accepted);
        count(&self.counters.tcp_connections);
    }

    /// Reads once from the next connection that has something. `each` gets who sent a datagram, to which address of
    /// ours, the datagram, and whether that connection had proved itself; it answers whether it has by now.
    /// How many datagrams came; `None` if no connection has anything.
    pub(crate) fn receive(
        &mut self,
        mut each: impl FnMut(SocketAddr, SocketAddr, &mut [u8], bool) -> bool,
    ) -> Option<usize> {
        let place = self.ready.pop_front()?;
        let Some(stream) = self.places.get_mut(place).and_then(Option::as_mut) else {
            return Some(0);
        };
        let mut taken = 0;
        let turn = stream.read(&mut self.buffer, |source, destination, datagram, proved| {
            taken += 1;
            each(source, destination, datagram, proved)
        });
        stream.ready = turn == Turn::More;
        match turn {
            Turn::More => self.ready.push_back(place),
            Turn::Drained => {}
            Turn::Over => self.close(place),
            Turn::Garbage => {
                count(&self.counters.tcp_closed_malformed);
                self.close(place);
            }
        }
        Some(taken)
    }

    /// Puts datagrams for a connection; those of none, and those that its queue does not take, are dropped.
    pub(crate) fn send(&mut self, batch: &Batch<'_>) {
        let place = self.by_peer.get(&batch.path.destination).copied();
        let stream = place.and_then(|place| self.places.get_mut(place)?.as_mut());
        let stream = stream.filter(|stream| stream.local == batch.path.source);
        let (Some(stream), Some(place)) = (stream, place) else {
            add(&self.counters.tcp_send_gone, batch.count());
            return;
        };
        for datagram in batch.bytes.chunks(batch.segment_len.max(1)) {
            if !stream.queue.push(datagram) {
                count(&self.counters.tcp_send_dropped_full);
            }
        }
        if !stream.touched {
            stream.touched = true;
            self.touched.push(place);
        }
    }

    /// Writes what was put.
    pub(crate) fn flush(&mut self) {
        while let Some(place) = self.touched.pop() {
            let stream = self.places.get_mut(place).and_then(Option::as_mut);
            let Some(stream) = stream else { continue };
            stream.touched = false;
            if stream.write().is_err() {
                self.close(place);
            }
        }
    }

    /// Closes those that nobody counts on, or that have not proved themselves in time, if a look is due.
    pub(crate) fn sweep(&mut self, now: Instant, knows: impl Fn(SocketAddr, SocketAddr) -> bool) {
        if now.saturating_duration_since(self.swept) < STREAM_SWEEP_INTERVAL {
            return;
        }
        self.swept = now;
        self.acceptable = true;
        for place in 0..self.places.len() {
            let Some(stream) = self.places.get(place).and_then(Option::as_ref) else { continue };
            let age = now.saturating_duration_since(stream.opened);
            if stream.proved && !knows(stream.peer, stream.local) {
                count(&self.counters.tcp_closed_idle);
            } else if !stream.proved && age >= self.settings.proof_max {
                count(&self.counters.tcp_closed_unproved);
            } else {
                continue;
            }
            self.close(place);
        }
    }

    fn close(&mut self, place: usize) {
        let Some(mut stream) = self.places.get_mut(place).and_then(Option::take) else { return };
        let _ = self.registry.deregister(stream.source());
        self.by_peer.remove(&stream.peer);
        self.shares.give_back(stream.peer.ip());
        // Places that are still named there are passed over, or belong to a newcomer, to whom it does no harm.
        self.free.push(place);
        self.counters.tcp_connections.fetch_sub(1, Ordering::Relaxed);
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket =
        socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A restart must not wait for connections of the last run to be forgotten.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(STREAM_BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}
