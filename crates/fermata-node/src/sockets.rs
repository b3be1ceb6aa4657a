//! The media sockets: non-blocking UDP, and which of our addresses belongs to which.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, Type};

use crate::config::Listen;
use crate::counters::{Counters, count};
use crate::limits::{SOCKET_BUFFER_LEN, SOCKETS_MAX};
use crate::node::StartError;

/// One bound socket.
#[derive(Debug)]
pub(crate) struct Socket {
    udp: UdpSocket,
    /// Addresses that clients reach it at; never empty.
    advertised: Vec<SocketAddr>,
    /// It may have more to read.
    pub(crate) readable: bool,
}

/// All of them. A socket's token is its place.
#[derive(Debug)]
pub(crate) struct Sockets {
    all: Vec<Socket>,
    counters: Arc<Counters>,
}

impl Sockets {
    /// Binds them.
    pub(crate) fn bind(listen: &[Listen], counters: Arc<Counters>) -> Result<Self, StartError> {
        if listen.is_empty() || listen.len() > SOCKETS_MAX {
            let problem = format!("{} UDP sockets; 1 to {SOCKETS_MAX} are allowed", listen.len());
            return Err(StartError::Config { key: "listen", problem });
        }
        let all = listen.iter().map(Socket::bind).collect::<Result<_, _>>()?;
        Ok(Self { all, counters })
    }

    /// Every address that clients reach us at.
    pub(crate) fn candidates(&self) -> Vec<SocketAddr> {
        self.all.iter().flat_map(|socket| socket.advertised.iter().copied()).collect()
    }

    /// Asks to be woken when one is readable.
    pub(crate) fn register(&mut self, registry: &Registry) -> io::Result<()> {
        for (place, socket) in self.all.iter_mut().enumerate() {
            registry.register(&mut socket.udp, Token(place), Interest::READABLE)?;
        }
        Ok(())
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// Something arrived at the socket with this token.
    pub(crate) fn mark_readable(&mut self, token: Token) {
        if let Some(socket) = self.all.get_mut(token.0) {
            socket.readable = true;
        }
    }

    /// Does any have more to read?
    pub(crate) fn any_readable(&self) -> bool {
        self.all.iter().any(|socket| socket.readable)
    }

    /// Reads one datagram of a socket: its length, who sent it, and to which of our addresses.
    pub(crate) fn receive(
        &mut self,
        place: usize,
        buffer: &mut [u8],
    ) -> Option<(usize, SocketAddr, SocketAddr)> {
        let socket = self.all.get_mut(place).filter(|socket| socket.readable)?;
        match socket.udp.recv_from(buffer) {
            Ok((len, source)) => Some((len, source, socket.destination(source))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                socket.readable = false;
                None
            }
            Err(_) => {
                // Trying again at once could go on for ever; the next arrival wakes us again.
                socket.readable = false;
                count(&self.counters.receive_failed);
                None
            }
        }
    }

    /// Sends a datagram from one of our addresses. What the kernel does not take is dropped, as a network would.
    pub(crate) fn send(&self, source: SocketAddr, destination: SocketAddr, data: &[u8]) {
        let Some(socket) = self.all.iter().find(|s| s.advertised.contains(&source)) else {
            count(&self.counters.send_failed);
            return;
        };
        match socket.udp.send_to(data, destination) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                count(&self.counters.send_dropped_full);
            }
            Err(_) => count(&self.counters.send_failed),
        }
    }
}

impl Socket {
    fn bind(listen: &Listen) -> Result<Self, StartError> {
        let udp = bind_udp(listen.bind)
            .map_err(|source| StartError::Bind { bind: listen.bind, source })?;
        let local =
            udp.local_addr().map_err(|source| StartError::Bind { bind: listen.bind, source })?;
        let mut advertised = listen.advertised.clone();
        if advertised.is_empty() {
            advertised.push(local);
        }
        for address in &mut advertised {
            if address.port() == 0 {
                address.set_port(local.port());
            }
            let problem = if address.ip().is_unspecified() {
                "is bound to every address, so it must be said at which one clients reach it"
            } else if address.is_ipv4() != local.is_ipv4() {
                "is advertised at an address of the other IP version"
            } else {
                continue;
            };
            return Err(StartError::Config {
                key: "listen",
                problem: format!("{local} {problem}"),
            });
        }
        Ok(Self { udp, advertised, readable: true })
    }

    /// To which of our addresses a datagram was sent. Behind one socket they are all the same to us,
    /// so the first one of the sender's kind stands for all.
    fn destination(&self, source: SocketAddr) -> SocketAddr {
        let same_kind = |ours: &&SocketAddr| ours.ip().is_loopback() == source.ip().is_loopback();
        let found = self.advertised.iter().find(same_kind).or_else(|| self.advertised.first());
        found.copied().unwrap_or(source)
    }
}

fn bind_udp(bind: SocketAddr) -> io::Result<UdpSocket> {
    let socket = socket2::Socket::new(Domain::for_address(bind), Type::DGRAM, Some(Protocol::UDP))?;
    if bind.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // The kernel gives what it allows; less is no reason not to start.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_LEN);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER_LEN);
    socket.set_nonblocking(true)?;
    socket.bind(&bind.into())?;
    Ok(UdpSocket::from_std(socket.into()))
}
