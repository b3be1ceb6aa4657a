//! Datagrams that the kernel dropped before a media thread could read them: looked up beside it, told as a metric.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use fermata_node::{UdpDrops, receive_buffer};
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use crate::limits::UDP_DROPS_READ_EVERY;
use crate::metrics::Metric;
use crate::server::Shared;

/// Runs until it is dropped, or at once to its end where the kernel tells nothing.
pub(crate) async fn run(shared: Shared) {
    warn_of_small_buffer();
    // Media sockets are told to clients by the ports that they are bound to.
    let ports: BTreeSet<u16> = shared.node.candidates().iter().map(SocketAddr::port).collect();
    let ports: Vec<u16> = ports.into_iter().collect();
    let found = spawn_blocking(move || UdpDrops::of_ports(&ports)).await;
    let Ok(Ok(drops)) = found else {
        tracing::debug!("The kernel does not tell which datagrams it drops.");
        return;
    };
    let mut ticks = interval(UDP_DROPS_READ_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let reading = drops.clone();
        if let Ok(Ok(count)) = spawn_blocking(move || reading.read()).await {
            shared.metrics.set(Metric::UdpDropped, count);
        }
    }
}

fn warn_of_small_buffer() {
    if let Ok(granted) = receive_buffer()
        && granted.is_small()
    {
        tracing::warn!(
            asked_bytes = granted.asked,
            given_bytes = granted.given,
            "The kernel gives the media sockets a small receive buffer; bursts may be lost \
             (`fermata_udp_dropped_total` tells). Raise it with `sysctl -w net.core.rmem_max={}`.",
            granted.asked
        );
    }
}
