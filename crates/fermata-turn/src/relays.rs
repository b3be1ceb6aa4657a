//! Sockets of allocations, and what the tasks of the relay share.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fermata_types::Now;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::core::{Action, Core, Flow, RelayId};
use crate::counters::{Counters, count};
use crate::limits::MESSAGE_LEN_MAX;

/// What the tasks share. Locks are held for one message, never while waiting.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) core: Mutex<Core>,
    pub(crate) counters: Arc<Counters>,
    /// Where sockets of allocations are bound.
    pub(crate) relay_ip: IpAddr,
    /// Where clients come to over UDP.
    pub(crate) udp: Option<UdpSocket>,
    sockets: Mutex<Sockets>,
    /// Queues of connections over TLS.
    pub(crate) connections: Mutex<HashMap<SocketAddr, mpsc::Sender<Vec<u8>>>>,
}

/// Sockets of allocations. As many as there are allocations, which are bounded.
#[derive(Debug, Default)]
struct Sockets {
    by_relay: HashMap<RelayId, (Arc<UdpSocket>, AbortHandle)>,
    /// Where they are bound.
    addresses: HashSet<SocketAddr>,
}

/// The lock of something that no panic leaves half done.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn new(
        core: Core,
        counters: Arc<Counters>,
        relay_ip: IpAddr,
        udp: Option<UdpSocket>,
    ) -> Self {
        let (sockets, connections) = (Mutex::default(), Mutex::default());
        Self { core: Mutex::new(core), counters, relay_ip, udp, sockets, connections }
    }

    /// Takes a message of a client; what it is to be answered.
    pub(crate) fn on_client(self: &Arc<Self>, flow: Flow, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut open = |relay, ipv6| self.open(relay, ipv6).ok();
        let action = lock(&self.core).handle_client(Now::read(), flow, bytes, &mut open);
        self.close_ended();
        match action {
            Action::Nothing => None,
            Action::Answer(answer) => Some(answer),
            Action::Relay { relay, to, data } => {
                let socket =
                    lock(&self.sockets).by_relay.get(&relay).map(|(socket, _)| Arc::clone(socket));
                if socket.is_none_or(|socket| socket.try_send_to(data, to).is_err()) {
                    count(&self.counters.dropped_full);
                }
                None
            }
        }
    }

    /// Passes something on to a client; what its socket or queue does not take is dropped.
    pub(crate) fn tell(&self, flow: Flow, bytes: &[u8]) {
        let taken = if flow.tls {
            let queue = lock(&self.connections).get(&flow.client).cloned();
            queue.is_some_and(|queue| queue.try_send(bytes.to_vec()).is_ok())
        } else {
            self.udp.as_ref().is_some_and(|udp| udp.try_send_to(bytes, flow.client).is_ok())
        };
        if !taken {
            count(&self.counters.dropped_full);
        }
    }

    /// A client's connection is gone.
    pub(crate) fn on_gone(&self, flow: Flow) {
        lock(&self.core).end(flow);
        self.close_ended();
    }

    /// Closes the sockets of allocations that have ended.
    pub(crate) fn close_ended(&self) {
        loop {
            let Some(relay) = lock(&self.core).poll_ended() else { return };
            let mut sockets = lock(&self.sockets);
            if let Some((socket, task)) = sockets.by_relay.remove(&relay) {
                if let Ok(address) = socket.local_addr() {
                    sockets.addresses.remove(&address);
                }
                task.abort();
            }
        }
    }

    /// Is a socket of an allocation bound there?
    pub(crate) fn is_bound(&self, address: SocketAddr) -> bool {
        lock(&self.sockets).addresses.contains(&address)
    }

    /// Closes all of them.
    pub(crate) fn close_all(&self) {
        let Sockets { by_relay, .. } = std::mem::take(&mut *lock(&self.sockets));
        for (_, task) in by_relay.into_values() {
            task.abort();
        }
    }

    fn open(self: &Arc<Self>, relay: RelayId, ipv6: bool) -> io::Result<u16> {
        if self.relay_ip.is_ipv6() != ipv6 {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let socket = std::net::UdpSocket::bind(SocketAddr::new(self.relay_ip, 0))?;
        socket.set_nonblocking(true)?;
        let socket = Arc::new(UdpSocket::from_std(socket)?);
        let address = socket.local_addr()?;
        let task = tokio::spawn(listen(Arc::clone(self), relay, Arc::clone(&socket)));
        let mut sockets = lock(&self.sockets);
        sockets.by_relay.insert(relay, (socket, task.abort_handle()));
        sockets.addresses.insert(address);
        Ok(address.port())
    }
}

/// Passes on what comes to an allocation's socket, until it is ended.
async fn listen(shared: Arc<Shared>, relay: RelayId, socket: Arc<UdpSocket>) {
    let mut data = vec![0; MESSAGE_LEN_MAX];
    let mut out = Vec::with_capacity(2 * MESSAGE_LEN_MAX);
    loop {
        // An ICMP error of something sent before is no end.
        let Ok((len, from)) = socket.recv_from(&mut data).await else { continue };
        let Some(datagram) = data.get(..len) else { continue };
        let now = Now::read().instant;
        let flow = lock(&shared.core).handle_peer(now, relay, from, datagram, &mut out);
        if let Some(flow) = flow {
            shared.tell(flow, &out);
        }
    }
}
