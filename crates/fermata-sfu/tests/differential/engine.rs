//! One str0m connection and what it has to say.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use str0m::net::{Protocol, Receive};
use str0m::rtp::ExtensionMap;
use str0m::{Candidate, Event, Input, Output, Rtc};

pub(crate) struct Engine {
    pub(crate) rtc: Rtc,
    pub(crate) address: SocketAddr,
    /// When it wants the time told.
    pub(crate) at: Instant,
    pub(crate) connected: bool,
    pub(crate) events: VecDeque<Event>,
    out: Vec<(SocketAddr, Vec<u8>)>,
}

impl Engine {
    /// `lite`: as a server uses it (RFC 8445 section 2.5).
    pub(crate) fn new(now: Instant, address: SocketAddr, lite: bool) -> Self {
        let config = Rtc::builder()
            .set_rtp_mode(true)
            .set_ice_lite(lite)
            .set_extension_map(ExtensionMap::standard())
            .clear_codecs()
            .enable_opus(true, false)
            .enable_vp8(true);
        let mut rtc = config.build(now);
        rtc.add_local_candidate(Candidate::host(address, "udp").unwrap());
        let (events, out) = (VecDeque::new(), Vec::new());
        Self { rtc, address, at: now, connected: false, events, out }
    }

    pub(crate) fn receive(&mut self, now: Instant, source: SocketAddr, data: &[u8]) {
        let contents = data.try_into().unwrap();
        let receive = Receive { proto: Protocol::Udp, source, destination: self.address, contents };
        self.rtc.handle_input(Input::Receive(now, receive)).unwrap();
        self.pump();
    }

    pub(crate) fn time(&mut self, now: Instant) {
        self.rtc.handle_input(Input::Timeout(now)).unwrap();
        self.pump();
    }

    /// After every call of the engine.
    pub(crate) fn pump(&mut self) {
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(at) => {
                    self.at = at;
                    return;
                }
                Output::Transmit(transmit) => {
                    self.out.push((transmit.destination, transmit.contents.into()));
                }
                Output::Event(event) => {
                    self.connected |= matches!(event, Event::Connected);
                    self.events.push_back(event);
                }
            }
        }
    }

    pub(crate) fn outgoing(&mut self) -> Vec<(SocketAddr, Vec<u8>)> {
        std::mem::take(&mut self.out)
    }
}
