//! How many connections there may be, in all and of one address: each holds a permit until it ends, WebSockets
//! included.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum_server::accept::Accept;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::shares::{Share, Shares};
use crate::metrics::Metric;
use crate::server::Shared;

/// Accepts connections while there are permits.
#[derive(Debug, Clone)]
pub struct CountingAcceptor {
    shared: Shared,
    permits: Arc<Semaphore>,
    shares: Arc<Shares>,
}

impl CountingAcceptor {
    /// As many permits as the configuration says.
    pub fn new(shared: Shared) -> Self {
        let settings = &shared.settings;
        let permits = Arc::new(Semaphore::new(settings.http_connections_max));
        let per_address = settings.http_connections_per_address_max;
        let shares = Arc::new(Shares::new(per_address, settings.trusted_proxies.clone()));
        Self { shared, permits, shares }
    }

    /// A place for a connection from `address`, or the metric that tells why there is none.
    fn place(&self, address: IpAddr) -> Result<(Share, OwnedSemaphorePermit), Metric> {
        let share = self.shares.take(address).ok_or(Metric::HttpConnectionsRefusedAddress)?;
        let permit = Arc::clone(&self.permits).try_acquire_owned();
        Ok((share, permit.map_err(|_| Metric::HttpConnectionsRefused)?))
    }
}

impl<S: Send + 'static> Accept<TcpStream, S> for CountingAcceptor {
    type Stream = Counted;
    type Service = S;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Counted, S)>> + Send>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let place = stream.peer_addr().map(|peer| self.place(peer.ip()));
        let shared = self.shared.clone();
        Box::pin(async move {
            let (share, permit) = match place? {
                Ok(place) => place,
                Err(metric) => {
                    shared.metrics.add(metric, 1);
                    return Err(io::Error::other("too many connections"));
                }
            };
            // Signal messages are small and must not wait for more.
            let _ = stream.set_nodelay(true);
            shared.metrics.add(Metric::HttpConnections, 1);
            Ok((Counted { stream, shared, _permit: permit, _share: share }, service))
        })
    }
}

/// A connection that gives its permit back when it ends.
#[derive(Debug)]
pub struct Counted {
    stream: TcpStream,
    shared: Shared,
    _permit: OwnedSemaphorePermit,
    _share: Share,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.shared.metrics.subtract(Metric::HttpConnections, 1);
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }
}
