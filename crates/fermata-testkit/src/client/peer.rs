//! One peer connection of the client.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Instant;

use str0m::change::SdpPendingOffer;
use str0m::channel::ChannelId;
use str0m::media::Mid;
use str0m::net::{Protocol, Receive};
use str0m::rtp::Ssrc;
use str0m::{Candidate, Input, Rtc};

use crate::limits;

use super::bypass;
use super::wire::Channel;

/// A connection with what the client must remember about it.
#[expect(clippy::struct_excessive_bools, reason = "four facts that do not exclude each other")]
pub(super) struct Peer {
    pub(super) rtc: Rtc,
    pub(super) local: SocketAddr,
    pub(super) connected: bool,
    /// Our offer that is not answered.
    pub(super) pending: Option<SdpPendingOffer>,
    pub(super) channels: HashMap<Channel, ChannelId>,
    /// Sid of the track that a section carries.
    pub(super) tracks: HashMap<Mid, String>,
    pub(super) ssrcs: HashMap<Ssrc, Mid>,
    pub(super) timeout: Instant,
    /// Media goes past the engine, and the engine's own media feedback goes nowhere.
    pub(super) light: bool,
    /// Told the time seldom once it is up.
    pub(super) lazy: bool,
    timed: Instant,
    /// Something happened since it was last told the time.
    pub(super) awake: bool,
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peer")
            .field("local", &self.local)
            .field("connected", &self.connected)
            .field("tracks", &self.tracks)
            .finish_non_exhaustive()
    }
}

impl Peer {
    pub(super) fn new(now: Instant, local: SocketAddr, light: bool) -> Self {
        let mut config = Rtc::builder().set_rtp_mode(true).enable_opus(true, true);
        if light {
            config = config.set_crypto_provider(bypass::crypto()).set_stats_interval(None);
        }
        let mut rtc = config.build(now);
        if let Ok(candidate) = Candidate::host(local, "udp") {
            rtc.add_local_candidate(candidate);
        }
        Self {
            rtc,
            local,
            connected: false,
            pending: None,
            channels: HashMap::new(),
            tracks: HashMap::new(),
            ssrcs: HashMap::new(),
            timeout: now,
            light,
            lazy: light,
            timed: now,
            awake: false,
        }
    }

    /// The engine's failures end the connection, which then shows as lost.
    pub(super) fn datagram(&mut self, now: Instant, source: SocketAddr, data: &[u8]) {
        self.awake = true;
        let Ok(contents) = data.try_into() else { return };
        let receive = Receive { proto: Protocol::Udp, source, destination: self.local, contents };
        if self.rtc.handle_input(Input::Receive(now, receive)).is_err() {
            self.rtc.disconnect();
        }
    }

    /// When to tell it the time. A connection whose media goes past it has little to do, and many of them that ask
    /// often would cost more than the media. The engine does not announce all that it does when told the time, so
    /// it is told at regular intervals, and after whatever happened.
    pub(super) fn due(&self) -> Instant {
        match (self.lazy && self.connected, self.awake) {
            (false, _) => self.timeout,
            (true, false) => self.timed + limits::LAZY_INTERVAL,
            (true, true) => self.timed,
        }
    }

    pub(super) fn time(&mut self, now: Instant) {
        self.timed = now;
        self.awake = false;
        if self.rtc.handle_input(Input::Timeout(now)).is_err() {
            self.rtc.disconnect();
        }
    }

    /// The section of a packet, asked of the engine once per SSRC.
    pub(super) fn section_of(&mut self, ssrc: Ssrc, named: Option<Mid>) -> Option<Mid> {
        if let Some(mid) = named {
            self.ssrcs.insert(ssrc, mid);
        } else if let Some(mid) = self.ssrcs.get(&ssrc) {
            return Some(*mid);
        }
        let mid = self.rtc.direct_api().stream_rx(&ssrc)?.mid();
        self.ssrcs.insert(ssrc, mid);
        Some(mid)
    }
}
