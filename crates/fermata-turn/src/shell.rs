//! The relay with its sockets: starting, serving UDP, stopping.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use fermata_transport::turn::TurnSecret;
use fermata_types::Now;
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::core::{Bounds, Core, Flow, Peers};
use crate::counters::{Counters, TurnStats};
use crate::limits::{MESSAGE_LEN_MAX, SWEEP_INTERVAL};
use crate::relays::{Shared, lock};
use crate::tls::{self, TlsListen};

/// Settings of a relay.
#[derive(Debug)]
pub struct TurnConfig {
    /// Where clients come to over UDP; port 0 takes any free one. `None`: not over UDP.
    pub udp: Option<SocketAddr>,
    /// Where clients come to over TLS. `None`: not over TLS.
    pub tls: Option<TlsListen>,
    /// Where sockets of allocations are bound; media sockets must be reachable from there. Nobody else needs to reach
    /// it: the loopback is best where media sockets listen on all interfaces.
    pub relay_ip: IpAddr,
    /// Of the credentials.
    pub secret: TurnSecret,
    /// What an operator bounds.
    pub bounds: Bounds,
}

/// Why a relay did not start.
#[derive(Debug, thiserror::Error)]
#[error("the {protocol} address {bind} cannot be used")]
pub struct TurnError {
    /// UDP or TCP.
    pub protocol: &'static str,
    /// The address asked for.
    pub bind: SocketAddr,
    /// Why.
    pub source: io::Error,
}

/// A relay that runs until it is stopped or dropped.
#[derive(Debug)]
pub struct Turn {
    shared: Arc<Shared>,
    udp: Option<SocketAddr>,
    tls: Option<SocketAddr>,
    tasks: JoinSet<()>,
}

impl Turn {
    /// Binds the sockets and serves.
    ///
    /// # Errors
    /// The address that cannot be bound.
    pub async fn start(config: TurnConfig) -> Result<Self, TurnError> {
        let TurnConfig { udp, tls, relay_ip, secret, bounds } = config;
        let counters = Arc::new(Counters::default());
        let nobody = Peers::default();
        let core = Core::new(bounds, secret, &rand::random(), nobody, Arc::clone(&counters));
        let failed = |protocol, bind| move |source| TurnError { protocol, bind, source };
        let udp = match udp {
            Some(bind) => Some(UdpSocket::bind(bind).await.map_err(failed("UDP", bind))?),
            None => None,
        };
        let udp_address = udp.as_ref().and_then(|udp| udp.local_addr().ok());
        let shared = Arc::new(Shared::new(core, counters, relay_ip, udp));
        let (mut tasks, mut tls_address) = (JoinSet::new(), None);
        if let Some(TlsListen { bind, source }) = tls {
            let listener = TcpListener::bind(bind).await.map_err(failed("TCP", bind))?;
            tls_address = listener.local_addr().ok();
            tasks.spawn(tls::serve(Arc::clone(&shared), listener, source));
        }
        tasks.spawn(serve_udp(Arc::clone(&shared)));
        tasks.spawn(sweep(Arc::clone(&shared)));
        Ok(Self { shared, udp: udp_address, tls: tls_address, tasks })
    }

    /// Whom it relays to: the node's media addresses. Before, it refuses everybody.
    pub fn set_peers(&self, peers: Peers) {
        lock(&self.shared.core).set_peers(peers);
    }

    /// Where clients come to over UDP.
    pub fn udp_address(&self) -> Option<SocketAddr> {
        self.udp
    }

    /// Where clients come to over TLS.
    pub fn tls_address(&self) -> Option<SocketAddr> {
        self.tls
    }

    /// Does what comes to media ports from this address come from a client through the relay? Only while the relay
    /// serves that client.
    pub fn relays_from(&self, source: SocketAddr) -> bool {
        // A socket for both versions of IP shows addresses of IPv4 in those of IPv6.
        let source = SocketAddr::new(source.ip().to_canonical(), source.port());
        self.shared.is_bound(source)
    }

    /// Counters and gauges.
    pub fn stats(&self) -> TurnStats {
        self.shared.counters.read()
    }

    /// Ends all allocations and closes all sockets.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.shared.close_all();
    }
}

/// Takes messages over UDP, for ever.
async fn serve_udp(shared: Arc<Shared>) {
    let Some(udp) = &shared.udp else { return };
    let mut buffer = vec![0; MESSAGE_LEN_MAX];
    loop {
        // An ICMP error of something sent before is no end.
        let Ok((len, client)) = udp.recv_from(&mut buffer).await else { continue };
        let Some(bytes) = buffer.get(..len) else { continue };
        let flow = Flow { tls: false, client };
        if let Some(answer) = shared.on_client(flow, bytes) {
            shared.tell(flow, &answer);
        }
    }
}

/// Ends what has not been refreshed, for ever.
async fn sweep(shared: Arc<Shared>) {
    let mut ticks = interval(SWEEP_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        lock(&shared.core).handle_timeout(Now::read().instant);
        shared.close_ended();
    }
}
