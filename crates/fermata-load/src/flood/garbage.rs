//! Garbage at a steady rate from many ports.

use std::collections::BTreeMap;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use fermata_types::Now;
use quinn_udp::{RecvMeta, Transmit, UdpSocketState};

use super::pool::{Disguise, Pool, Run};
use super::report::Garbage;
use super::{Stop, per_second};

/// Between two bursts.
const TICK: Duration = Duration::from_millis(1);
/// What a pause of our own may make us catch up on.
const CATCH_UP: Duration = Duration::from_millis(20);
/// How often answers are looked for.
const LISTEN_EVERY: Duration = Duration::from_millis(100);
/// Answers read from one port at a time.
const ANSWERS_AT_ONCE: usize = 64;
/// Most bytes that the kernel hands over at once.
const ANSWER_LEN_MAX: usize = 64 * 1024;
/// Of so many runs, one goes from the port that the server knows. No divisor of the number of disguises, so that
/// all of them get their turn.
const INSIDE_SHARE: usize = 7;
/// Addresses of this machine that the ports are spread over, where the system has them.
const ADDRESSES: u32 = 16;

/// What to send.
pub(super) struct Plan {
    pub(super) to: SocketAddr,
    pub(super) per_second: u32,
    pub(super) ports: u32,
    pub(super) seconds: u64,
    pub(super) run: u32,
    /// A port whose path the server has checked; every seventh run goes from there.
    pub(super) inside: Option<UdpSocket>,
}

/// The ports with what the kernel can do for them.
struct Ports {
    all: Vec<(UdpSocket, UdpSocketState)>,
    /// The first of them is known to the server.
    inside: bool,
    turn: usize,
}

/// A socket on an address of this machine other than the usual one, if the system has it.
pub(super) fn bind(to: SocketAddr, index: u32) -> io::Result<UdpSocket> {
    let socket = match to.ip() {
        IpAddr::V4(_) => {
            let last = u8::try_from(2 + index % ADDRESSES).unwrap_or(1);
            UdpSocket::bind((Ipv4Addr::new(127, 0, 0, last), 0))
                .or_else(|_| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)))
        }
        IpAddr::V6(own) => UdpSocket::bind((own, 0)),
    }?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

impl Ports {
    fn open(plan: &mut Plan) -> io::Result<Self> {
        let inside = plan.inside.take();
        let known = inside.is_some();
        let others = (0..plan.ports).map(|index| bind(plan.to, index));
        let with_state = |socket: io::Result<UdpSocket>| {
            let socket = socket?;
            let state = UdpSocketState::new((&socket).into())?;
            Ok((socket, state))
        };
        let all = inside.map(Ok).into_iter().chain(others).map(with_state);
        Ok(Self { all: all.collect::<io::Result<_>>()?, inside: known, turn: 0 })
    }

    /// Whose turn it is, and whether the server knows it.
    fn next(&mut self) -> (usize, bool) {
        self.turn = self.turn.wrapping_add(1);
        if self.inside && self.turn.is_multiple_of(INSIDE_SHARE) {
            return (0, true);
        }
        let known = usize::from(self.inside);
        (known + self.turn % self.all.len().saturating_sub(known).max(1), false)
    }

    /// How many datagrams the kernel took, and how many not.
    fn send(&self, port: usize, to: SocketAddr, run: &Run) -> (u64, u64) {
        let Some((socket, state)) = self.all.get(port) else { return (0, 0) };
        let at_once = state.max_gso_segments().max(1) * run.segment;
        let (mut sent, mut lost) = (0, 0);
        for contents in run.bytes.chunks(at_once.max(1)) {
            let several = contents.len() > run.segment;
            let transmit = Transmit {
                destination: to,
                ecn: None,
                contents,
                segment_size: several.then_some(run.segment),
                src_ip: None,
            };
            let count = (contents.len() / run.segment.max(1)) as u64;
            match state.try_send(socket.into(), &transmit) {
                Ok(()) => sent += count,
                Err(_) => lost += count,
            }
        }
        (sent, lost)
    }

    /// Reads what came back.
    fn listen(&self, found: &mut Garbage) {
        let mut buffer = vec![0; ANSWER_LEN_MAX];
        let mut metas = [RecvMeta::default()];
        for (socket, state) in &self.all {
            for _ in 0..ANSWERS_AT_ONCE {
                let mut buffers = [IoSliceMut::new(&mut buffer)];
                let Ok(1..) = state.recv(socket.into(), &mut buffers, &mut metas) else { break };
                // The kernel may hand over several at once.
                let [RecvMeta { len, stride, .. }] = metas;
                found.answers += len.div_ceil(stride.max(1)) as u64;
                found.answer_bytes += len as u64;
            }
        }
    }
}

/// Sends until the time is over or `stop` says so.
pub(super) async fn run(
    mut plan: Plan,
    pool: &mut Pool,
    stop: &mut Stop,
    tell: &impl Fn(&dyn std::fmt::Display),
) -> io::Result<Garbage> {
    let mut ports = Ports::open(&mut plan)?;
    let mut found = Garbage { ports: plan.ports, run: plan.run, ..Garbage::default() };
    let mut by_disguise = [0_u64; Disguise::NAMES.len()];
    let begun = Now::read().instant;
    let end = begun + Duration::from_secs(plan.seconds);
    let mut pace = Pace { per_second: plan.per_second.into(), owed: 0, last: begun };
    let (mut listen_at, mut tell_at) = (begun + LISTEN_EVERY, begun + Duration::from_secs(1));
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.said() => break,
        }
        let now = Now::read().instant;
        if now >= end {
            break;
        }
        pace.earn(now);
        while pace.owed > 0 {
            let Some(run) = pool.next() else { break };
            let (port, inside) = ports.next();
            let (sent, lost) = ports.send(port, plan.to, run);
            pace.owed -= i64::try_from(sent + lost).unwrap_or(i64::MAX).max(1);
            found.sent += sent;
            found.from_inside += if inside { sent } else { 0 };
            found.not_taken += lost;
            found.bytes += sent * run.segment as u64;
            if let Some(count) = by_disguise.get_mut(run.disguise) {
                *count += sent;
            }
        }
        if now >= listen_at {
            listen_at = now + LISTEN_EVERY;
            ports.listen(&mut found);
        }
        if now >= tell_at {
            tell_at = now + Duration::from_secs(1);
            tell(&format_args!("{} datagrams sent, {} answers", found.sent, found.answers));
        }
    }
    ports.listen(&mut found);
    let names = Disguise::NAMES.into_iter().map(|(name, _)| name);
    found.by_disguise = names.zip(by_disguise).collect::<BTreeMap<_, _>>();
    found.per_second = per_second(found.sent, Now::read().instant - begun);
    Ok(found)
}

/// How many datagrams are due.
struct Pace {
    per_second: u64,
    owed: i64,
    last: Instant,
}

impl Pace {
    /// Adds what fell due since the last time, counted in whole microseconds.
    fn earn(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.last).min(CATCH_UP);
        let micros = u64::try_from(passed.as_micros()).unwrap_or(0);
        let due = self.per_second * micros / 1_000_000;
        if due > 0 {
            self.last = now;
            self.owed = self.owed.saturating_add(i64::try_from(due).unwrap_or(i64::MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_earns_its_rate_and_a_pause_is_not_caught_up() {
        let start = Now::read().instant;
        let mut pace = Pace { per_second: 100_000, owed: 0, last: start };
        for ms in 1..=1_000 {
            pace.earn(start + Duration::from_millis(ms));
        }
        assert_eq!(pace.owed, 100_000);
        pace.earn(start + Duration::from_mins(1));
        assert_eq!(pace.owed, 102_000);
    }
}
