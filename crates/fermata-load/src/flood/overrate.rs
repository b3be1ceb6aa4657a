//! Publishers whose clock runs too fast: everything they announced is right, and they send a multiple of it.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use fermata_testkit::client::{
    ClientConfig, ClientEvent, ClientOutput, Dialect, RtcClient, Transmit,
};
use fermata_testkit::{AudioOptions, VideoOptions};
use fermata_types::Now;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

use super::join::{Door, Signalling};
use super::options::FloodOptions;
use super::report::Overrate;
use super::{FloodError, Stop, per_second};

/// Between two looks at what is due: short, because it is that many times the factor for the client.
const TICK: Duration = Duration::from_millis(1);
/// Longest datagram that is read.
const DATAGRAM_LEN: usize = 2_000;

/// What one publisher sent.
#[derive(Debug, Default)]
struct Sent {
    datagrams: u64,
    bytes: u64,
    not_taken: u64,
    first: Option<Instant>,
    last: Option<Instant>,
    cut_off: bool,
}

/// Runs the publishers; every second one sends audio too.
pub(super) async fn run(
    door: &Door,
    options: &FloodOptions,
    stop: &Stop,
    tell: &impl Fn(&dyn std::fmt::Display),
) -> Result<Overrate, FloodError> {
    let mut found = Overrate {
        factor: options.rate,
        announced_bps: VideoOptions::default().bitrate_bps,
        ..Overrate::default()
    };
    let end = Now::read().instant + Duration::from_secs(options.seconds);
    let mut tasks = JoinSet::new();
    for index in 0..options.count {
        let mut signalling = door
            .join(&format!("fast-{index}"), &options.room)
            .await
            .map_err(|detail| FloodError::Join { detail })?;
        let answer = signalling.joined().await.map_err(|detail| FloodError::Join { detail })?;
        let mut publisher = Publisher::new(signalling, options.rate).await?;
        let audio = index % 2 == 1;
        publisher.publish(audio).map_err(|detail| FloodError::Join { detail })?;
        publisher.signal(&answer).map_err(|detail| FloodError::Join { detail })?;
        found.with_audio += u32::from(audio);
        tasks.spawn(publisher.run(end, stop.clone()));
    }
    tell(&format_args!(
        "{} publishers send {} times what they announced",
        options.count, options.rate
    ));
    let (mut first, mut last) = (None, None);
    let mut bytes = 0;
    while let Some(sent) = tasks.join_next().await {
        let sent = sent.unwrap_or_default();
        found.publishers += u32::from(sent.datagrams > 0);
        found.failed += u32::from(sent.datagrams == 0);
        found.cut_off += u32::from(sent.cut_off);
        found.datagrams += sent.datagrams;
        found.not_taken += sent.not_taken;
        bytes += sent.bytes;
        first = [first, sent.first].into_iter().flatten().min();
        last = last.max(sent.last);
    }
    if let (Some(first), Some(last)) = (first, last) {
        found.per_second = per_second(found.datagrams, last - first);
        found.bps = per_second(bytes * 8, last - first);
    }
    Ok(found)
}

/// One publisher.
struct Publisher {
    signalling: Signalling,
    client: Box<RtcClient>,
    sockets: [UdpSocket; 2],
    local: [SocketAddr; 2],
    begun: Now,
    factor: u32,
    leaving: bool,
    sent: Sent,
}

impl Publisher {
    async fn new(signalling: Signalling, factor: u32) -> Result<Self, FloodError> {
        let any = (Ipv4Addr::LOCALHOST, 0);
        let sockets = [UdpSocket::bind(any).await?, UdpSocket::bind(any).await?];
        let local = [sockets[0].local_addr()?, sockets[1].local_addr()?];
        let begun = Now::read();
        let config = ClientConfig::new(Dialect::Dual, local);
        let client = Box::new(RtcClient::new(begun, &config));
        Ok(Self {
            signalling,
            client,
            sockets,
            local,
            begun,
            factor,
            leaving: false,
            sent: Sent::default(),
        })
    }

    fn publish(&mut self, audio: bool) -> Result<(), String> {
        let video = self.client.publish_video(VideoOptions::default());
        video.map_err(|error| error.to_string())?;
        if audio {
            let audio = self.client.publish_audio(AudioOptions::default());
            audio.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// The client's time: so many times faster. The wall clock is right, so stamps in packets are.
    fn now(&self) -> Now {
        let real = Now::read();
        let passed = real.instant.saturating_duration_since(self.begun.instant);
        Now { instant: self.begun.instant + passed * self.factor, wall: real.wall }
    }

    fn signal(
        &mut self,
        message: &livekit_protocol::signal_response::Message,
    ) -> Result<(), String> {
        let now = self.now();
        self.client.handle_signal(now, message).map_err(|error| error.to_string())
    }

    async fn run(mut self, end: Instant, mut stop: Stop) -> Sent {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut buffers = [[0; DATAGRAM_LEN]; 2];
        loop {
            let [first, second] = &mut buffers;
            let arrived = tokio::select! {
                message = self.signalling.next() => {
                    let Some(message) = message else {
                        self.sent.cut_off = true;
                        return self.sent;
                    };
                    // What the client cannot use is not for us to judge.
                    let _ = self.signal(&message);
                    None
                }
                Ok((len, from)) = self.sockets[0].recv_from(first) => Some((0, len, from)),
                Ok((len, from)) = self.sockets[1].recv_from(second) => Some((1, len, from)),
                _ = ticks.tick() => None,
                () = stop.said() => break,
            };
            if let Some((index, len, from)) = arrived {
                let data = buffers.get(index).and_then(|buffer| buffer.get(..len));
                let local = self.local.get(index).copied();
                if let (Some(data), Some(local)) = (data, local) {
                    let now = self.now();
                    self.client.handle_datagram(now, from, local, data);
                }
            }
            let now = self.now();
            self.client.handle_timeout(now);
            self.drain().await;
            if Now::read().instant >= end {
                break;
            }
        }
        self.leaving = true;
        self.client.leave();
        self.drain().await;
        self.signalling.leave().await;
        self.sent
    }

    async fn drain(&mut self) {
        loop {
            match self.client.poll() {
                ClientOutput::Signal(request) => {
                    if let Some(message) = request.message {
                        self.signalling.send(message).await;
                    }
                }
                ClientOutput::Transmit(transmit) => self.transmit(&transmit),
                ClientOutput::Event(ClientEvent::Lost(_)) if !self.leaving => {
                    self.sent.cut_off = true;
                }
                ClientOutput::Timeout(_) => return,
                _ => {}
            }
        }
    }

    fn transmit(&mut self, transmit: &Transmit) {
        let place = usize::from(transmit.source == self.local[1]);
        let Some(socket) = self.sockets.get(place) else { return };
        let taken = socket.try_send_to(&transmit.data, transmit.destination).is_ok();
        if !is_rtp(&transmit.data) {
            return;
        }
        if !taken {
            self.sent.not_taken += 1;
            return;
        }
        let now = Now::read().instant;
        self.sent.first.get_or_insert(now);
        self.sent.last = Some(now);
        self.sent.datagrams += 1;
        self.sent.bytes += transmit.data.len() as u64;
    }
}

/// Media, and no report about it (RFC 7983 section 7, RFC 5761 section 4).
fn is_rtp(data: &[u8]) -> bool {
    matches!(data, [128..=191, kind, ..] if !(64..96).contains(&(kind & 0x7F)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_no_media() {
        for (data, media) in
            [([0x80, 111], true), ([0x90, 0xE0], true), ([0x80, 200], false), ([22, 111], false)]
        {
            assert_eq!(is_rtp(&data), media, "{data:?}");
        }
        assert!(!is_rtp(&[]));
    }
}
