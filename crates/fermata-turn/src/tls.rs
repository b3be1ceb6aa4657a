//! Clients over TLS: one task a connection, with a queue towards the client.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use fermata_types::Now;
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::core::framing::first_message;
use crate::core::{Flow, household};
use crate::counters::count;
use crate::limits::{
    MESSAGE_LEN_MAX, SWEEP_INTERVAL, TLS_CONNECTIONS_MAX, TLS_CONNECTIONS_PER_ADDRESS_MAX,
    TLS_HANDSHAKE_MAX, TLS_IDLE_MAX, TLS_QUEUE_LEN,
};
use crate::relays::{Shared, lock};

/// Where the certificate is found that is in use now; asked anew for each connection, so that it can be exchanged.
#[derive(Clone)]
pub struct TlsSource(Arc<dyn Fn() -> Arc<ServerConfig> + Send + Sync>);

impl TlsSource {
    /// From a function.
    pub fn new(source: impl Fn() -> Arc<ServerConfig> + Send + Sync + 'static) -> Self {
        Self(Arc::new(source))
    }

    /// As it is now. Clients of TURN name no application protocol, or one that a web server does not know.
    fn acceptor(&self) -> TlsAcceptor {
        let mut config = ServerConfig::clone(&(self.0)());
        config.alpn_protocols.clear();
        TlsAcceptor::from(Arc::new(config))
    }
}

impl fmt::Debug for TlsSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsSource")
    }
}

/// Where clients come to over TLS.
#[derive(Debug, Clone)]
pub struct TlsListen {
    /// Address to bind; port 0 takes any free one.
    pub bind: SocketAddr,
    /// Its certificate.
    pub source: TlsSource,
}

/// How many connections each address has; none with zero.
type Households = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// A place among the connections; gives it back when dropped.
struct Place {
    shared: Arc<Shared>,
    households: Households,
    house: IpAddr,
}

impl Place {
    /// One for a connection from `ip`, if there is one.
    fn take(shared: &Arc<Shared>, households: &Households, ip: IpAddr) -> Option<Self> {
        let house = household(ip);
        let mut counts = lock(households);
        if counts.values().sum::<usize>() >= TLS_CONNECTIONS_MAX
            || counts.get(&house).is_some_and(|count| *count >= TLS_CONNECTIONS_PER_ADDRESS_MAX)
        {
            return None;
        }
        *counts.entry(house).or_default() += 1;
        count(&shared.counters.tls_connections);
        Some(Self { shared: Arc::clone(shared), households: Arc::clone(households), house })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.counters.tls_connections.fetch_sub(1, Ordering::Relaxed);
        let mut counts = lock(&self.households);
        if let Some(count) = counts.get_mut(&self.house) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&self.house);
            }
        }
    }
}

/// Takes connections in, for ever.
pub(crate) async fn serve(shared: Arc<Shared>, listener: TcpListener, source: TlsSource) {
    let households = Households::default();
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((tcp, client)) = listener.accept().await else {
            // No file handle, perhaps: at once would go on for ever.
            sleep(SWEEP_INTERVAL).await;
            continue;
        };
        let Some(place) = Place::take(&shared, &households, client.ip()) else {
            count(&shared.counters.tls_refused);
            continue;
        };
        let (shared, acceptor) = (Arc::clone(&shared), source.acceptor());
        connections.spawn(async move {
            if converse(&shared, tcp, client, &acceptor).await.is_none() {
                count(&shared.counters.tls_failed);
            }
            drop(place);
        });
    }
}

/// One connection to its end; `None` if it failed.
async fn converse(
    shared: &Arc<Shared>,
    tcp: TcpStream,
    client: SocketAddr,
    acceptor: &TlsAcceptor,
) -> Option<()> {
    let _ = tcp.set_nodelay(true);
    let stream = timeout(TLS_HANDSHAKE_MAX, acceptor.accept(tcp)).await.ok()?.ok()?;
    let (input, output) = split(stream);
    let (queue, waiting) = mpsc::channel(TLS_QUEUE_LEN);
    lock(&shared.connections).insert(client, queue);
    let flow = Flow { tls: true, client };
    let ended = tokio::select! {
        ended = listen(shared, flow, input) => ended,
        () = write(output, waiting) => Some(()),
    };
    lock(&shared.connections).remove(&client);
    shared.on_gone(flow);
    ended
}

/// Reads messages until the end, or `None` at what is none.
async fn listen(
    shared: &Arc<Shared>,
    flow: Flow,
    mut input: ReadHalf<TlsStream<TcpStream>>,
) -> Option<()> {
    let mut bytes = Vec::with_capacity(2 * MESSAGE_LEN_MAX);
    let mut served = Now::read().instant;
    loop {
        while let Some((len, taken)) = first_message(&bytes).ok()? {
            if let Some(answer) = shared.on_client(flow, bytes.get(..len)?) {
                shared.tell(flow, &answer);
            }
            bytes.drain(..taken);
        }
        let now = Now::read().instant;
        if lock(&shared.core).has(flow) {
            served = now;
        } else if now.saturating_duration_since(served) >= TLS_IDLE_MAX {
            return Some(());
        }
        // Whether one that is silent may go on is looked at above.
        if let Ok(Ok(0) | Err(_)) = timeout(TLS_IDLE_MAX, input.read_buf(&mut bytes)).await {
            return Some(());
        }
    }
}

/// Writes what waits, until the connection breaks.
async fn write(mut output: WriteHalf<TlsStream<TcpStream>>, mut waiting: mpsc::Receiver<Vec<u8>>) {
    while let Some(bytes) = waiting.recv().await {
        if output.write_all(&bytes).await.is_err() || output.flush().await.is_err() {
            return;
        }
    }
}
