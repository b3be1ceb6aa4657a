//! All paths: packets in, packets out, when they are due.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use fermata_emulator::{Counts, Link};
use fermata_types::Now;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::Serialize;

use crate::tun::{self, Tun};
use crate::{PathRequest, Request};

/// Most paths; one octet of their addresses.
const PATHS_MAX: usize = 250;
/// Packets taken from an interface before another has its turn.
const PACKETS_PER_TURN: usize = 64;
/// Longest sleep, so that the end of the input and restarts are seen soon.
const SLEEP_MAX: Duration = Duration::from_millis(20);

/// One direction.
struct Way {
    from: Tun,
    link: Link<Vec<u8>>,
    before: Counts,
}

/// Every path with both of its ways: down, up.
pub(crate) struct Paths {
    began: Instant,
    names: Vec<String>,
    ways: Vec<Way>,
    buffer: Vec<u8>,
}

/// What happened on a way within the last second.
#[derive(Serialize)]
struct Second {
    rate_bps: u64,
    offered_bps: u64,
    delivered_bps: u64,
    lost_full: u64,
    lost_chance: u64,
    queue_ms: u64,
}

#[derive(Serialize)]
struct Report<'a> {
    path: &'a str,
    down: Second,
    up: Second,
}

impl Paths {
    pub(crate) fn build(request: &Request) -> Result<Self> {
        let count = request.paths.len();
        ensure!((1..=PATHS_MAX).contains(&count), "{count} paths; allowed are 1 to {PATHS_MAX}");
        tun::claim(request.server)?;
        let (mut names, mut ways) = (Vec::new(), Vec::new());
        for (number, path) in request.paths.iter().enumerate() {
            let PathRequest { name, netns, address, seed, down, up } = path.clone();
            let (near, far) = tun::pair(number, request.server, address, &netns)?;
            for (index, (from, steps)) in [(near, down), (far, up)].into_iter().enumerate() {
                let link = Link::new(seed.wrapping_mul(2) + index as u64, 0, steps);
                ways.push(Way { from, link, before: Counts::default() });
            }
            names.push(name);
        }
        let buffer = vec![0; 65_536];
        Ok(Self { began: Now::read().instant, names, ways, buffer })
    }

    fn now_us(&self) -> u64 {
        u64::try_from(Now::read().instant.saturating_duration_since(self.began).as_micros())
            .unwrap_or(u64::MAX)
    }

    /// The times of all links begin again.
    pub(crate) fn restart(&mut self) {
        let now_us = self.now_us();
        for way in &mut self.ways {
            way.link.restart(now_us);
        }
    }

    /// Waits for packets or for the time of one, takes what came, hands on what is due.
    pub(crate) fn turn(&mut self) -> Result<()> {
        let readable = self.wait()?;
        for (index, readable) in readable.into_iter().enumerate() {
            let now_us = self.now_us();
            let Some(way) = self.ways.get_mut(index) else { continue };
            for _ in 0..if readable { PACKETS_PER_TURN } else { 0 } {
                let Some(len) = way.from.receive(&mut self.buffer)? else { break };
                let packet = self.buffer.get(..len).unwrap_or_default().to_vec();
                let _ = way.link.offer(now_us, len, packet);
            }
            // Down and up of a path are neighbours: what one interface takes in, the other puts out.
            while let Some(packet) = self.ways.get_mut(index).and_then(|way| way.link.poll(now_us))
            {
                if let Some(other) = self.ways.get(index ^ 1) {
                    other.from.send(&packet);
                }
            }
        }
        Ok(())
    }

    /// Waits, to some microseconds (`epoll` would round up to milliseconds, which senders would take for a queue); says
    /// for each way whether packets wait.
    fn wait(&self) -> Result<Vec<bool>> {
        let due_us = self.ways.iter().filter_map(|way| way.link.next_due_us()).min();
        let now_us = self.now_us();
        let sleep = due_us.map_or(SLEEP_MAX, |at| Duration::from_micros(at.saturating_sub(now_us)));
        let sleep = Timespec::try_from(sleep.min(SLEEP_MAX))?;
        let fds = self.ways.iter().map(|way| way.from.fd());
        let mut fds: Vec<_> = fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
        match poll(&mut fds, Some(&sleep)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(fds.iter().map(|fd| fd.revents().contains(PollFlags::IN)).collect())
    }

    /// What happened within the last second, as a line of JSON.
    pub(crate) fn report(&mut self, since: Duration) -> Result<String> {
        let now_us = self.now_us();
        let mut seconds: Vec<Second> = self.ways.iter_mut().map(|way| way.second(now_us)).collect();
        let mut seconds = seconds.drain(..);
        let mut paths = Vec::new();
        for name in &self.names {
            let (Some(down), Some(up)) = (seconds.next(), seconds.next()) else { break };
            paths.push(Report { path: name, down, up });
        }
        Ok(serde_json::to_string(&serde_json::json!({ "t": since.as_secs_f64(), "paths": paths }))?)
    }
}

impl Way {
    fn second(&mut self, now_us: u64) -> Second {
        let counts = self.link.counts();
        let before = std::mem::replace(&mut self.before, counts);
        Second {
            rate_bps: self.link.conditions(now_us).rate_bps,
            offered_bps: (counts.offered_bytes - before.offered_bytes) * 8,
            delivered_bps: (counts.delivered_bytes - before.delivered_bytes) * 8,
            lost_full: counts.lost_full - before.lost_full,
            lost_chance: counts.lost_chance - before.lost_chance,
            queue_ms: self.link.queue_us(now_us) / 1_000,
        }
    }
}
