//! A way between a client and the server that is not perfect: a [`Link`] in each direction.

use std::net::SocketAddr;
use std::time::Instant;

use fermata_emulator::{Conditions, Link, Step};

/// Bytes of a datagram beside what is in it: IPv4 and UDP.
const HEADERS_LEN: usize = 28;

/// Both directions of one connection.
pub struct Way {
    began: Instant,
    /// From the client, with where to: each shard has an address of its own.
    pub up: Link<(SocketAddr, Vec<u8>)>,
    /// To the client, with whence.
    pub down: Link<(SocketAddr, Vec<u8>)>,
}

impl Way {
    /// One whose packets take so long in each direction.
    pub fn new(now: Instant, seed: u64, delay_ms: u32) -> Self {
        let conditions = Conditions { delay_ms, ..Conditions::default() };
        let steps = vec![Step { at_ms: 0, conditions }];
        let (up, down) = (Link::new(seed * 2, 0, steps.clone()), Link::new(seed * 2 + 1, 0, steps));
        Self { began: now, up, down }
    }

    /// Microseconds of its clock.
    pub fn us(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.began).as_micros().try_into().unwrap()
    }

    pub fn send_up(&mut self, now: Instant, destination: SocketAddr, data: Vec<u8>) {
        let us = self.us(now);
        // What does not get in is counted there.
        let _ = self.up.offer(us, data.len() + HEADERS_LEN, (destination, data));
    }

    pub fn send_down(&mut self, now: Instant, source: SocketAddr, data: &[u8]) {
        let us = self.us(now);
        let _ = self.down.offer(us, data.len() + HEADERS_LEN, (source, data.to_vec()));
    }

    /// When something may arrive next.
    pub fn next_due(&self) -> Option<Instant> {
        let next_us = self.up.next_due_us().into_iter().chain(self.down.next_due_us()).min()?;
        Some(self.began + std::time::Duration::from_micros(next_us))
    }
}
