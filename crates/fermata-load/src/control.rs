//! Datagrams from one socket of this process straight to another, while the load is measured: what a path without a
//! server adds on this machine at this moment, to be taken off what is found with one.

use std::io::{self, IoSliceMut};
use std::net::Ipv4Addr;
use std::time::{Duration, SystemTime};

use fermata_testkit::synth::{self, Stamp};
use fermata_types::Now;
use quinn_udp::{RecvMeta, UdpSocketState};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::time::{MissedTickBehavior, interval};

use crate::figures::Histogram;
use crate::spacing::{Deviations, Spacing};

/// Between two datagrams: a packet of sound.
const PERIOD: Duration = Duration::from_millis(20);
/// Longest datagram that is read, bytes; more than a stamp.
const LEN_MAX: usize = 256;

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Control {
    /// From before the write to the receiver's kernel.
    pub(crate) delays: Histogram,
    pub(crate) deviations: Deviations,
}

/// Sends for so long, and says how it arrived.
///
/// # Errors
/// The loopback gives no sockets.
pub(crate) async fn measure(duration: Duration) -> io::Result<Control> {
    let from = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let to = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    from.connect(to.local_addr()?).await?;
    let state = UdpSocketState::new((&to).into())?;
    let (mut control, mut spacing) = (Control::default(), Spacing::default());
    let until = Now::read().instant + duration;
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut counter = 0;
    while Now::read().instant < until {
        ticks.tick().await;
        counter += 1;
        let sent_us = u64::try_from(Now::read().wall.as_microsecond()).unwrap_or_default();
        from.send(&synth::message(Stamp { counter, sent_us }, 0)).await?;
        let Some((stamp, arrived_us)) = receive(&to, &state).await? else { continue };
        control.delays.add(arrived_us.saturating_sub(stamp.sent_us));
        if let Some(deviation_us) = spacing.add(stamp.sent_us, arrived_us) {
            control.deviations.add(deviation_us);
        }
    }
    control.deviations.add_stream(&spacing);
    Ok(control)
}

/// The next datagram, and when the kernel had it, microseconds since 1970.
async fn receive(socket: &UdpSocket, state: &UdpSocketState) -> io::Result<Option<(Stamp, u64)>> {
    let mut buffer = [0; LEN_MAX];
    let mut metas = [RecvMeta::default()];
    loop {
        socket.readable().await?;
        let read = socket.try_io(Interest::READABLE, || {
            state.recv(socket.into(), &mut [IoSliceMut::new(&mut buffer)], &mut metas)
        });
        match read {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
            Ok(_) => break,
        }
    }
    let [meta] = metas;
    let now = SystemTime::from(Now::read().wall).duration_since(SystemTime::UNIX_EPOCH);
    let at = meta.timestamp.or(now.ok()).unwrap_or_default();
    let stamp = buffer.get(..meta.len).and_then(Stamp::read);
    Ok(stamp.map(|stamp| (stamp, u64::try_from(at.as_micros()).unwrap_or_default())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_datagram_arrives_and_is_counted() {
        let control = measure(Duration::from_millis(300)).await.unwrap();
        let (delays, jitter) = (control.delays.percentiles(), control.deviations.figures());
        assert!(delays.samples >= 3, "{delays:?}");
        assert_eq!(jitter.deviation.samples, delays.samples - 1);
        assert!(jitter.mean_ms <= jitter.deviation.max_ms, "{jitter:?}");
    }
}
