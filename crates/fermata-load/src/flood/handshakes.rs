//! Handshakes that begin and never end: joins that go as far as the server's part of DTLS, and hellos without a path.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fermata_types::Now;
use tokio::net::UdpSocket;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::garbage::bind;
use super::hello::{self, Answer, Hello};
use super::join::{Described, Door, Signalling};
use super::options::FloodOptions;
use super::random::Random;
use super::report::Handshakes;
use super::{Stop, stun};
use crate::figures::Percentiles;

/// Joins under way at the same time.
const JOINS_AT_ONCE: u32 = 64;
/// Joins in one room.
const JOINS_PER_ROOM: u32 = 10;
/// Connections that one join has, each a handshake.
const PER_JOIN: u32 = 2;
/// Descriptors of one join: its WebSocket and a port for each connection.
const DESCRIPTORS_PER_JOIN: u64 = 1 + PER_JOIN as u64;
/// Descriptors kept for everything else.
const DESCRIPTORS_KEPT: u64 = 512;
/// Where the system does not say how many there may be.
const DESCRIPTORS_UNKNOWN: u64 = 1_024;
/// How often a datagram is repeated that nobody answered, and how long each answer may take.
const TRIES: u32 = 6;
/// See [`TRIES`].
const ANSWER_MAX: Duration = Duration::from_millis(500);
/// Ports of hellos without a path that are listened to; the oldest goes.
const STRAYS_MAX: usize = 256;
/// How long leaving may take.
const LEAVE_MAX: Duration = Duration::from_secs(20);

/// How far one connection got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Depth {
    Unanswered,
    Checked,
    Cookie,
}

/// A half-open connection: its port, kept so that nobody else gets it.
pub(super) struct Half {
    pub(super) port: std::net::UdpSocket,
    depth: Depth,
    flight: bool,
}

#[derive(Debug, Default)]
struct Tally {
    found: Handshakes,
    joins_ms: Vec<f64>,
}

type Shared = Arc<Mutex<Tally>>;

fn with(shared: &Shared, change: impl FnOnce(&mut Tally)) {
    change(&mut shared.lock().unwrap_or_else(PoisonError::into_inner));
}

/// Opens them within the time, keeps them for the rest of it, and leaves.
pub(super) async fn run(
    door: &Door,
    options: &FloodOptions,
    stop: &mut Stop,
    tell: &impl Fn(&dyn std::fmt::Display),
) -> Handshakes {
    let descriptors = descriptors();
    let joins_max = descriptors.saturating_sub(DESCRIPTORS_KEPT) / DESCRIPTORS_PER_JOIN;
    let joins_max = u32::try_from(joins_max).unwrap_or(u32::MAX);
    let joins = options.count.div_ceil(PER_JOIN).min(joins_max);
    let shared = Shared::default();
    with(&shared, |tally| {
        tally.found.asked = options.count;
        tally.found.beyond_descriptors =
            options.count.saturating_sub(joins.saturating_mul(PER_JOIN));
        tally.found.descriptors = descriptors;
    });
    let begun = Now::read().instant;
    let end = begun + Duration::from_secs(options.seconds);
    let (goodbye, leaving) = watch::channel(false);
    let mut opening = Opening {
        door,
        room: &options.room,
        shared: &shared,
        leaving,
        permits: Arc::new(Semaphore::new(JOINS_AT_ONCE as usize)),
        tasks: JoinSet::new(),
        strays: Strays::default(),
        random: Random::unseeded(),
    };
    let pace = Duration::from_secs(1) / options.rate.max(1);
    tokio::select! {
        () = opening.all(joins, pace, tell) => {}
        () = tokio::time::sleep_until(end.into()) => {}
        () = stop.said() => {}
    }
    let opened = Now::read().instant;
    tell(&"all are open that could be; now they stay");
    tokio::select! {
        () = tokio::time::sleep_until(end.into()) => {}
        () = stop.said() => {}
    }
    let _ = goodbye.send(true);
    let Opening { mut tasks, mut strays, .. } = opening;
    let left = async { while tasks.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(LEAVE_MAX, left).await;
    strays.listen_to_all();
    let mut tally = shared.lock().unwrap_or_else(PoisonError::into_inner);
    let joins_ms = std::mem::take(&mut tally.joins_ms);
    let mut found = tally.found.clone();
    found.join = Percentiles::of(joins_ms);
    found.opening_seconds = (opened - begun).as_secs_f64();
    found.hellos_without_path = strays.sent;
    found.hellos_without_path_answered = strays.answered;
    found
}

/// What opening needs.
struct Opening<'a> {
    door: &'a Door,
    room: &'a str,
    shared: &'a Shared,
    leaving: watch::Receiver<bool>,
    permits: Arc<Semaphore>,
    tasks: JoinSet<()>,
    strays: Strays,
    random: Random,
}

impl Opening<'_> {
    /// One join a turn, and as many hellos without a path as it has connections.
    async fn all(&mut self, joins: u32, pace: Duration, tell: &impl Fn(&dyn std::fmt::Display)) {
        let mut turns = tokio::time::interval(pace);
        turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut tell_at = Now::read().instant;
        for index in 0..joins {
            turns.tick().await;
            let Ok(permit) = self.permits.clone().acquire_owned().await else { return };
            let one = One {
                door: self.door.clone(),
                index,
                room: format!("{}-{}", self.room, index / JOINS_PER_ROOM),
                shared: self.shared.clone(),
                random: Random::new(self.random.next()),
                leaving: Stop(self.leaving.clone()),
            };
            self.tasks.spawn(one.run(permit));
            self.stray();
            let now = Now::read().instant;
            if now >= tell_at {
                tell_at = now + Duration::from_secs(1);
                with(self.shared, |tally| {
                    let Handshakes { joins: done, half_open, joins_failed, .. } = &tally.found;
                    tell(&format_args!(
                        "{done} of {joins} joins, {half_open} half open, {joins_failed} failed"
                    ));
                });
            }
        }
        // Those that are still being opened.
        let _ = self.permits.acquire_many(JOINS_AT_ONCE).await;
    }

    fn stray(&mut self) {
        let mut to = None;
        with(self.shared, |tally| to = tally.found.address);
        for _ in 0..PER_JOIN {
            if let Some(to) = to {
                self.strays.send(to, &mut self.random);
            }
        }
    }
}

/// One join with its connections.
struct One {
    door: Door,
    index: u32,
    room: String,
    shared: Shared,
    random: Random,
    leaving: Stop,
}

impl One {
    async fn run(mut self, permit: OwnedSemaphorePermit) {
        let opened = self.open().await;
        drop(permit);
        let (mut signalling, halves) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                with(&self.shared, |tally| {
                    tally.found.joins_failed += 1;
                    tally.found.first_failure.get_or_insert(error);
                });
                return;
            }
        };
        loop {
            tokio::select! {
                message = signalling.next() => if message.is_none() {
                    with(&self.shared, |tally| tally.found.closed_by_server += 1);
                    return;
                },
                () = self.leaving.said() => break,
            }
        }
        signalling.leave().await;
        drop(halves);
    }

    async fn open(&mut self) -> Result<(Signalling, Vec<Half>), String> {
        let begun = Now::read().instant;
        let mut signalling = self.door.join(&format!("flood-{}", self.index), &self.room).await?;
        signalling.joined().await?;
        let took = (Now::read().instant - begun).as_secs_f64() * 1e3;
        with(&self.shared, |tally| {
            tally.found.joins += 1;
            tally.joins_ms.push(took);
        });
        let described = signalling.describe(&mut self.random).await?;
        let mut halves = Vec::new();
        for connection in &described {
            let half = half_open(connection, &mut self.random, self.index).await;
            let half = half.map_err(|error| error.to_string())?;
            with(&self.shared, |tally| note(&mut tally.found, connection, &half));
            halves.push(half);
        }
        Ok((signalling, halves))
    }
}

fn note(found: &mut Handshakes, connection: &Described, half: &Half) {
    found.address = Some(connection.remote.address);
    found.connections += 1;
    found.checks_answered += u32::from(half.depth >= Depth::Checked);
    found.cookies += u32::from(half.depth >= Depth::Cookie);
    found.half_open += u32::from(half.flight);
}

/// A valid check of the path, then hellos up to the server's part of the handshake.
pub(super) async fn half_open(
    connection: &Described,
    random: &mut Random,
    index: u32,
) -> io::Result<Half> {
    let to = connection.remote.address;
    let port = UdpSocket::from_std(bind(to, index)?)?;
    port.connect(to).await?;
    let (depth, flight) = reach(&port, connection, random).await;
    Ok(Half { port: port.into_std()?, depth, flight })
}

async fn reach(port: &UdpSocket, connection: &Described, random: &mut Random) -> (Depth, bool) {
    let Described { local, remote } = connection;
    let names = (remote.ufrag.as_str(), local.ufrag.as_str());
    let (transaction, check) = stun::check(random, names, &remote.password);
    let success = |data: &[u8]| stun::is_success(data, &transaction).then_some(());
    if ask(port, &check, success).await.is_none() {
        return (Depth::Unanswered, false);
    }
    let mut hello = Hello::new(random);
    match ask(port, &hello.say(&[]), hello::read).await {
        Some(Answer::Flight) => (Depth::Checked, true),
        Some(Answer::Verify(cookie)) => {
            let answer = ask(port, &hello.say(&cookie), hello::read).await;
            (Depth::Cookie, answer == Some(Answer::Flight))
        }
        None => (Depth::Checked, false),
    }
}

/// Sends until something comes that `read` takes, or too often.
async fn ask<T>(port: &UdpSocket, data: &[u8], read: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
    let mut buffer = [0; 2_048];
    for _ in 0..TRIES {
        let _ = port.send(data).await;
        let answer = async {
            loop {
                let len = port.recv(&mut buffer).await.ok()?;
                if let Some(taken) = buffer.get(..len).and_then(&read) {
                    return Some(taken);
                }
            }
        };
        if let Ok(Some(taken)) = tokio::time::timeout(ANSWER_MAX, answer).await {
            return Some(taken);
        }
    }
    None
}

/// Hellos from addresses without a path.
#[derive(Debug, Default)]
struct Strays {
    ports: VecDeque<std::net::UdpSocket>,
    sent: u32,
    answered: u32,
}

impl Strays {
    fn send(&mut self, to: SocketAddr, random: &mut Random) {
        if self.ports.len() >= STRAYS_MAX {
            self.listen_to_oldest();
        }
        let Ok(port) = bind(to, self.sent) else { return };
        if port.send_to(&Hello::new(random).say(&[]), to).is_ok() {
            self.sent += 1;
            self.ports.push_back(port);
        }
    }

    fn listen_to_oldest(&mut self) {
        let Some(port) = self.ports.pop_front() else { return };
        self.answered += u32::from(port.recv_from(&mut [0; 64]).is_ok());
    }

    fn listen_to_all(&mut self) {
        while !self.ports.is_empty() {
            self.listen_to_oldest();
        }
    }
}

/// How many descriptors this process may have.
fn descriptors() -> u64 {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_ascii_whitespace().next());
    soft.and_then(|soft| soft.parse().ok()).unwrap_or(DESCRIPTORS_UNKNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_some_descriptors() {
        assert!(descriptors() >= 64);
    }

    #[tokio::test]
    async fn silence_is_asked_again_and_given_up_and_an_answer_is_taken() {
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let port = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        port.connect(server.local_addr().unwrap()).await.unwrap();
        let answering = async {
            let mut buffer = [0; 16];
            server.recv_from(&mut buffer).await.unwrap();
            let (_, from) = server.recv_from(&mut buffer).await.unwrap();
            server.send_to(b"no", from).await.unwrap();
            server.send_to(b"yes", from).await.unwrap();
        };
        let asking = ask(&port, b"?", |data| (data == b"yes").then_some(7));
        let ((), answer) = tokio::join!(answering, asking);
        assert_eq!(answer, Some(7));
    }
}
