//! The socket of a media thread: non-blocking UDP, runs of datagrams in one call (GSO, GRO), and the addresses it is
//! reached at.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use fermata_transport::egress::Batch;
use mio::net::UdpSocket;
use mio::{Interest, Registry, Token};
use quinn_udp::{Transmit, UdpSocketState};
use socket2::{Domain, Protocol, Type};

use crate::config::Listen;
use crate::counters::{Counters, add, count};
use crate::inbox::Inbox;
use crate::limits::SOCKET_BUFFER_LEN;
use crate::node::StartError;

/// A bound socket. Its token is [`SOCKET`].
#[derive(Debug)]
pub(crate) struct Socket {
    udp: UdpSocket,
    /// What the kernel can do for us.
    state: UdpSocketState,
    /// Addresses that clients reach it at; never empty.
    advertised: Vec<SocketAddr>,
    /// It may have more to read.
    readable: bool,
    counters: Arc<Counters>,
}

/// Its token where it is waited for.
pub(crate) const SOCKET: Token = Token(0);

impl Socket {
    /// Binds it.
    pub(crate) fn bind(listen: &Listen, counters: Arc<Counters>) -> Result<Self, StartError> {
        let failed = |source| StartError::Bind { bind: listen.bind, source };
        let udp = bind_udp(listen.bind).map_err(failed)?;
        let local = udp.local_addr().map_err(failed)?;
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
        let state = UdpSocketState::new((&udp).into()).map_err(failed)?;
        // The kernel gives what it allows; less is no reason not to start.
        let _ = state.set_recv_buffer_size((&udp).into(), SOCKET_BUFFER_LEN);
        let _ = state.set_send_buffer_size((&udp).into(), SOCKET_BUFFER_LEN);
        Ok(Self { udp, state, advertised, readable: true, counters })
    }

    /// Every address that clients reach us at.
    pub(crate) fn candidates(&self) -> &[SocketAddr] {
        &self.advertised
    }

    /// Asks to be woken when it is readable.
    pub(crate) fn register(&mut self, registry: &Registry) -> io::Result<()> {
        registry.register(&mut self.udp, SOCKET, Interest::READABLE)
    }

    /// Something arrived.
    pub(crate) fn mark_readable(&mut self) {
        self.readable = true;
    }

    /// Has it more to read?
    pub(crate) fn is_readable(&self) -> bool {
        self.readable
    }

    /// Takes what waits into the buffers, as much as one call brings; how many of them were filled.
    pub(crate) fn receive(&mut self, inbox: &mut Inbox) -> usize {
        if !self.readable {
            return 0;
        }
        let Self { udp, state, .. } = self;
        match inbox.fill(|buffers, metas| state.recv((&*udp).into(), buffers, metas)) {
            Ok(count) => count,
            Err(error) => {
                // After another error, trying again at once could go on for ever; the next arrival wakes us again.
                self.readable = false;
                if error.kind() != io::ErrorKind::WouldBlock {
                    count(&self.counters.receive_failed);
                }
                0
            }
        }
    }

    /// To which of our addresses `source` sent what arrived. Behind one socket they are all the same to us, so the
    /// first one of the sender's kind stands for all.
    pub(crate) fn destination(&self, source: SocketAddr) -> SocketAddr {
        let same_kind = |ours: &&SocketAddr| ours.ip().is_loopback() == source.ip().is_loopback();
        let found = self.advertised.iter().find(same_kind).or_else(|| self.advertised.first());
        found.copied().unwrap_or(source)
    }

    /// Sends a run of datagrams. What the kernel does not take is dropped, as a network would.
    pub(crate) fn send(&self, batch: &Batch<'_>) {
        if !self.advertised.contains(&batch.path.source) {
            add(&self.counters.send_failed, batch.count());
            return;
        }
        // Where the kernel or the device cannot cut them up, they go one by one.
        let at_once = self.state.max_gso_segments().max(1) * batch.segment_len.max(1);
        for contents in batch.bytes.chunks(at_once) {
            let transmit = Transmit {
                destination: batch.path.destination,
                ecn: None,
                contents,
                segment_size: Some(batch.segment_len),
                src_ip: None,
            };
            let Err(error) = self.state.try_send((&self.udp).into(), &transmit) else {
                continue;
            };
            let lost = contents.len().div_ceil(batch.segment_len.max(1));
            if error.kind() == io::ErrorKind::WouldBlock {
                add(&self.counters.send_dropped_full, lost);
            } else {
                add(&self.counters.send_failed, lost);
            }
        }
    }
}

fn bind_udp(bind: SocketAddr) -> io::Result<UdpSocket> {
    let socket = socket2::Socket::new(Domain::for_address(bind), Type::DGRAM, Some(Protocol::UDP))?;
    if bind.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&bind.into())?;
    Ok(UdpSocket::from_std(socket.into()))
}
