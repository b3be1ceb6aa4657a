//! One run: clients enter, are measured for the asked time, and leave.

use std::fmt::Display;
use std::time::{Duration, Instant};

use fermata_testkit::client::{
    ClientEvent, Dialect, JanusOptions, Layout, Role, Session, SessionError, SessionOptions,
    create_janus_room,
};
use fermata_testkit::synth::{self, Stamp};
use fermata_testkit::{AudioOptions, TokenError, VideoOptions, token};
use fermata_types::Now;

use crate::figures::{Histogram, Percentiles};
use crate::options::{OptionError, Options, Shape};
use crate::process::{self, Usage};
use crate::receive::{Receivers, Totals};
use crate::report::{Held, Repair, Report, ServerCost};
use crate::{control, limits};

/// Clients that may be entering at the same time.
const JOINS_AT_ONCE: usize = 4;
/// How long a publisher's connection may take.
const CONNECT_MAX: Duration = Duration::from_secs(15);
/// How long all tracks may take to arrive once the last client is in.
const SETTLE_MAX: Duration = Duration::from_secs(30);
/// How often that is looked at, and progress told.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// Keyframes of the beginning are over, and rates are even.
const CALM: Duration = Duration::from_secs(2);
/// How often a held load is looked at.
const HOLD_INTERVAL: Duration = Duration::from_secs(5);
/// How long the server may take to forget everybody before its memory is read again.
const AFTERMATH: Duration = Duration::from_secs(5);
/// Tokens live longer than the longest run.
const TOKEN_TTL: Duration = Duration::from_hours(1);
/// Number of the room at Janus.
const JANUS_ROOM: u64 = 4_711;
/// More of one core than this, and what is measured may be the load.
const LOAD_CPU_MAX: f64 = 0.9;

/// A run did not come about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// An option is out of bounds.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// No token could be made.
    #[error("no token could be made")]
    Token(#[from] TokenError),
    /// The thread of the receivers did not start.
    #[error("receivers did not start")]
    Receivers(#[source] std::io::Error),
    /// Janus made no room.
    #[error("no room at Janus")]
    JanusRoom(#[source] SessionError),
    /// A client did not get in, or broke.
    #[error("client {client}")]
    Client {
        /// Which, from 0.
        client: u32,
        /// What happened.
        source: SessionError,
    },
}

/// One client in the room.
struct Client {
    index: u32,
    session: Session,
    publishes: bool,
    started: Instant,
    join: Duration,
}

/// What is counted, on all sides, at one moment.
#[derive(Default)]
struct Look {
    at: Option<Instant>,
    sent: u64,
    skipped: u64,
    received: Totals,
    server: Option<Usage>,
    server_drops: u64,
    own: Option<Usage>,
    own_drops: u64,
}

/// A run under way.
struct Load<'a, P> {
    options: &'a Options,
    progress: P,
    receivers: Option<Receivers>,
    clients: Vec<Client>,
    messages: u32,
}

/// Runs it. `progress` is called with a line now and then.
///
/// # Errors
/// See [`LoadError`]. Clients that were in leave when their session is dropped.
pub async fn run(options: &Options, progress: impl Fn(&dyn Display)) -> Result<Report, LoadError> {
    options.check()?;
    let before = options.server_pid.and_then(process::read);
    let receivers = if options.light() {
        Some(Receivers::start().map_err(LoadError::Receivers)?)
    } else {
        None
    };
    if options.janus {
        create_janus_room(&options.url, JANUS_ROOM).await.map_err(LoadError::JanusRoom)?;
    }
    let mut load = Load { options, progress, receivers, clients: Vec::new(), messages: 0 };
    load.enter().await?;
    load.settle().await?;
    load.spend(CALM).await?;

    (load.progress)(&format_args!("measuring for {} s", options.seconds));
    if let Some(receivers) = &load.receivers {
        receivers.measure();
    }
    let from = load.look().await?;
    let control = tokio::spawn(control::measure(options.duration()));
    load.spend(options.duration()).await?;
    let to = load.look().await?;
    let mut report = load.report(&from, &to);
    // Without sockets for it, its figures are those of nothing.
    if let Ok(Ok(control)) = control.await {
        report.control_latency = control.delays.percentiles();
        report.control_jitter = control.deviations.figures();
    }
    report.held = load.hold(to).await?;
    let last = load.look().await?;
    report.complaints = load.complaints().await;
    (load.progress)(&"leaving");
    for client in load.clients {
        client.session.leave().await;
    }
    if let (Some(before), Some(server)) = (before, &mut report.server) {
        tokio::time::sleep(AFTERMATH).await;
        let during = last.server.unwrap_or(before);
        let after = options.server_pid.and_then(process::read).unwrap_or(during);
        server.resident_kib_before = before.resident_kib;
        server.resident_kib_after = after.resident_kib;
        server.descriptors = [before.descriptors, during.descriptors, after.descriptors];
    }
    Ok(report)
}

impl<P: Fn(&dyn Display)> Load<'_, P> {
    /// Everybody enters, a few at a time, publishers before those who only receive.
    async fn enter(&mut self) -> Result<(), LoadError> {
        let options = self.options;
        let (in_room, publishers) = (options.clients, options.publishers());
        let mut order: Vec<u32> = (0..in_room * options.rooms).collect();
        order.sort_by_key(|index| index % in_room >= publishers);
        let all = order.len();
        let mut waiting = order.into_iter().peekable();
        let mut entering = tokio::task::JoinSet::new();
        while waiting.peek().is_some() || !entering.is_empty() {
            while entering.len() < JOINS_AT_ONCE {
                let Some(index) = waiting.peek().copied() else { break };
                let publishes = index % in_room < publishers;
                // Those who only receive find everything there.
                let all_publish = (publishers * options.rooms) as usize;
                if !publishes && self.clients.len() < all_publish {
                    break;
                }
                waiting.next();
                let how = self.session_options(index, publishes)?;
                entering.spawn(enter_one(how, index, publishes, options.shape != Shape::Data));
            }
            // A task that panicked is told by the missing client.
            if let Some(Ok(client)) = entering.join_next().await {
                self.clients.push(client?);
            }
            if self.clients.len().is_multiple_of(10) {
                let line = format_args!("{} of {all} clients are in", self.clients.len());
                (self.progress)(&line);
            }
        }
        Ok(())
    }

    fn session_options(&self, index: u32, publishes: bool) -> Result<SessionOptions, LoadError> {
        let options = self.options;
        let identity = format!("load-{index}");
        let room = match options.rooms {
            1 => options.room.clone(),
            _ => format!("{}-{}", options.room, index / options.clients),
        };
        let token = token(&options.key, &options.secret, &identity, &room, TOKEN_TTL)?;
        let mut how = SessionOptions::new(&options.url, &token);
        how.dialect = if options.single_connection { Dialect::Single } else { Dialect::Dual };
        how.bind = options.bind;
        how.layout = options.layout;
        how.bypass = self.receivers.as_ref().map(|receivers| receivers.bypass(index));
        if options.janus {
            let feeds = (1..=u64::from(options.publishers())).collect();
            how.janus = Some(JanusOptions {
                room: JANUS_ROOM,
                publisher: if publishes { u64::from(index) + 1 } else { 0 },
                feeds: if publishes { Vec::new() } else { feeds },
                follow: publishes,
            });
        }
        let (audio, video) = options.shape.tracks();
        how.audio = (publishes && audio > 0).then(|| AudioOptions {
            packet_len: options.media.audio_len,
            packet_time: Duration::from_millis(options.media.audio_ms.into()),
            ..Default::default()
        });
        how.video = (publishes && video > 0).then(|| VideoOptions {
            simulcast: options.simulcast,
            fps: options.media.fps,
            bitrate_bps: options.media.bitrate_bps,
            ..Default::default()
        });
        Ok(how)
    }

    /// Waits until all tracks have arrived, or long enough.
    async fn settle(&mut self) -> Result<(), LoadError> {
        let expected = self.options.tracks_expected();
        let looks = SETTLE_MAX.as_millis() / LOOK_INTERVAL.as_millis();
        for _ in 0..looks {
            let tracks = self.received().await?.tracks;
            (self.progress)(&format_args!("{tracks} of {expected} tracks have arrived"));
            if tracks >= expected {
                return Ok(());
            }
            self.spend(LOOK_INTERVAL).await?;
        }
        Ok(())
    }

    /// Lets time pass; sends data messages if they are what is measured.
    async fn spend(&mut self, duration: Duration) -> Result<(), LoadError> {
        if self.options.shape != Shape::Data {
            tokio::time::sleep(duration).await;
            return Ok(());
        }
        let until = Now::read().instant + duration;
        let period = Duration::from_secs(1) / self.options.media.messages_per_second;
        let mut ticks = tokio::time::interval(period);
        loop {
            ticks.tick().await;
            let now = Now::read();
            if now.instant >= until {
                return Ok(());
            }
            self.messages = self.messages.wrapping_add(1);
            let sent_us = u64::try_from(now.wall.as_microsecond()).unwrap_or_default();
            let stamp = Stamp { counter: self.messages, sent_us };
            let reliable = self.messages.is_multiple_of(2);
            for client in self.clients.iter().filter(|client| client.publishes) {
                let message = synth::message(stamp, self.options.media.message_len);
                // A full queue loses messages of our making, which the sums show.
                let sent = client.session.send_data(reliable, "load", message, Vec::new()).await;
                if let Err(source @ SessionError::Ended) = sent {
                    return Err(LoadError::Client { client: client.index, source });
                }
            }
        }
    }

    /// What receivers have, light or whole.
    async fn received(&self) -> Result<Totals, LoadError> {
        let data = self.options.shape == Shape::Data;
        if let (Some(receivers), false) = (&self.receivers, data) {
            return Ok(receivers.totals().await);
        }
        let mut totals = Totals::default();
        for client in &self.clients {
            let statistics = statistics(client).await?;
            if data {
                totals.packets += statistics.data_received;
                add_samples(&mut totals.delays, &statistics.data_latency);
                continue;
            }
            totals.unknown += statistics.packets_unknown;
            for received in statistics.received.values().filter(|received| received.packets > 0) {
                totals.packets += received.packets;
                totals.bytes += received.bytes;
                totals.lost += received.lost;
                totals.tracks += 1;
                add_samples(&mut totals.delays, &received.latency);
                let waited = |at: Instant| {
                    let waited = at.saturating_duration_since(client.started);
                    u64::try_from(waited.as_micros()).unwrap_or(u64::MAX)
                };
                totals.first_packets.extend(received.first_at.map(waited));
            }
        }
        Ok(totals)
    }

    async fn look(&self) -> Result<Look, LoadError> {
        let mut look = Look { at: Some(Now::read().instant), ..Look::default() };
        look.received = self.received().await?;
        for client in self.clients.iter().filter(|client| client.publishes) {
            let statistics = statistics(client).await?;
            look.sent += statistics.data_sent;
            look.sent += statistics.sent.values().map(|sent| sent.packets).sum::<u64>();
            look.skipped += statistics.sent.values().map(|sent| sent.skipped).sum::<u64>();
        }
        let own = std::process::id();
        look.own = process::read(own);
        look.own_drops = process::datagrams_dropped(own).unwrap_or(0);
        if let Some(pid) = self.options.server_pid {
            look.server = process::read(pid);
            look.server_drops = process::datagrams_dropped(pid).unwrap_or(0);
        }
        Ok(look)
    }

    /// Stays for the asked time after the measured one.
    async fn hold(&mut self, mut from: Look) -> Result<Vec<Held>, LoadError> {
        let mut held = Vec::new();
        let begun = from.at;
        let looks = self.options.hold_seconds.div_ceil(HOLD_INTERVAL.as_secs());
        for _ in 0..looks {
            self.spend(HOLD_INTERVAL).await?;
            let to = self.look().await?;
            let seconds = between(from.at, to.at);
            let line = Held {
                at_seconds: between(begun, to.at),
                packets_out_per_second: rate(grown(&from, &to, |t| t.packets), seconds),
                lost: grown(&from, &to, |t| t.lost),
                resident_kib: to.server.map_or(0, |usage| usage.resident_kib),
                cpu_share: cpu_seconds(from.server, to.server) / seconds,
            };
            (self.progress)(&format_args!(
                "held {:.0} s: {:.0} packets/s out, {} lost, {} KiB",
                line.at_seconds, line.packets_out_per_second, line.lost, line.resident_kib
            ));
            held.push(line);
            from = to;
        }
        Ok(held)
    }

    fn report(&self, from: &Look, to: &Look) -> Report {
        let options = self.options;
        let seconds = between(from.at, to.at);
        let received = grown(from, to, |t| t.packets);
        let sent = to.sent - from.sent;
        let mut lost = grown(from, to, |t| t.lost);
        if options.shape == Shape::Data {
            let others = u64::from(options.clients.saturating_sub(1));
            lost = (sent * others).saturating_sub(received);
        }
        let share = |us: &Vec<u64>| {
            Percentiles::of(us.iter().map(|us| milliseconds(Duration::from_micros(*us))).collect())
        };
        let dialect = match (options.janus, options.single_connection) {
            (true, _) => "janus",
            (false, true) => "single",
            (false, false) => "dual",
        };
        Report {
            shape: options.shape.name(),
            rooms: options.rooms,
            clients: options.clients,
            publishers: options.publishers(),
            dialect,
            simulcast: options.simulcast,
            layout: match options.layout {
                Layout::All => "all".to_owned(),
                Layout::Grid(places) => places.to_string(),
            },
            light: self.receivers.is_some(),
            seconds,
            join: Percentiles::of(self.clients.iter().map(|c| milliseconds(c.join)).collect()),
            first_media: share(&to.received.first_packets),
            first_frame: share(&to.received.first_frames),
            latency: to.received.delays.percentiles(),
            jitter: to.received.deviations.figures(),
            packets_in_per_second: rate(sent, seconds),
            packets_out_per_second: rate(received, seconds),
            megabits_out_per_second: rate(grown(from, to, |t| t.bytes), seconds) * 8.0 / 1e6,
            loss: share_of(lost, received + lost),
            repair: Repair {
                reordered: grown(from, to, |t| t.reordered),
                duplicates: grown(from, to, |t| t.duplicates),
                asked: grown(from, to, |t| t.asked),
                repaired: grown(from, to, |t| t.repaired),
                retransmissions: grown(from, to, |t| t.retransmissions),
                unopened: grown(from, to, |t| t.unopened),
                unknown: grown(from, to, |t| t.unknown),
                keyframes_asked: to.received.keyframes_asked,
            },
            tracks_expected: options.tracks_expected(),
            tracks_received: to.received.tracks,
            server: to.server.map(|usage| {
                let cpu = cpu_seconds(from.server, to.server);
                ServerCost {
                    cpu_seconds: cpu,
                    cpu_share: cpu / seconds,
                    packets_out_per_cpu_second: rate(received, cpu.max(0.01)),
                    resident_kib: usage.resident_kib,
                    datagrams_dropped: to.server_drops.saturating_sub(from.server_drops),
                    ..ServerCost::default()
                }
            }),
            load_cpu_seconds: cpu_seconds(from.own, to.own),
            load_limits: load_limits(from, to),
            ..Report::default()
        }
    }

    /// What clients were told that went wrong.
    async fn complaints(&mut self) -> Vec<String> {
        let mut complaints = Vec::new();
        for client in &mut self.clients {
            while let Some(event) = client.session.next_event(Duration::ZERO).await {
                let Some(text) = event.complaint() else { continue };
                if complaints.len() < limits::COMPLAINTS_MAX {
                    let text: String = text.chars().take(limits::COMPLAINT_LEN_MAX).collect();
                    complaints.push(format!("client {}: {text}", client.index));
                }
            }
        }
        complaints
    }
}

async fn enter_one(
    how: SessionOptions,
    index: u32,
    publishes: bool,
    media: bool,
) -> Result<Client, LoadError> {
    let failed = |source| LoadError::Client { client: index, source };
    let started = Now::read().instant;
    let mut session = Session::connect(how).await.map_err(failed)?;
    let join = Now::read().instant - started;
    if publishes && media {
        let up = |event: &ClientEvent| match event {
            ClientEvent::Connected(Role::Publisher) => Some(Ok(())),
            other => other.complaint().map(|detail| Err(SessionError::Network { detail })),
        };
        let connected = session.wait_for(CONNECT_MAX, up).await;
        connected.unwrap_or(Err(SessionError::TimedOut)).map_err(failed)?;
    }
    Ok(Client { index, session, publishes, started, join })
}

async fn statistics(client: &Client) -> Result<fermata_testkit::Statistics, LoadError> {
    client
        .session
        .statistics()
        .await
        .map_err(|source| LoadError::Client { client: client.index, source })
}

fn add_samples(delays: &mut Histogram, latency: &fermata_testkit::Latency) {
    latency.samples_us().iter().for_each(|sample| delays.add(*sample));
}

/// What made the load the limit, in words.
fn load_limits(from: &Look, to: &Look) -> Vec<String> {
    let mut limits = Vec::new();
    let seconds = between(from.at, to.at);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let share = cpu_seconds(from.own, to.own) / seconds;
    #[expect(clippy::cast_precision_loss, reason = "a handful of cores")]
    let most = cores as f64 * LOAD_CPU_MAX;
    if share > most {
        limits.push(format!("it used {:.0} % of {cores} core(s)", share * 100.0));
    }
    let drops = to.own_drops.saturating_sub(from.own_drops);
    if drops > 0 {
        limits.push(format!("{drops} datagrams were dropped because it did not read them in time"));
    }
    let skipped = to.skipped.saturating_sub(from.skipped);
    if skipped > 0 {
        limits.push(format!("publishers were late {skipped} times"));
    }
    limits
}

fn grown(from: &Look, to: &Look, of: impl Fn(&Totals) -> u64) -> u64 {
    of(&to.received).saturating_sub(of(&from.received))
}

fn between(from: Option<Instant>, to: Option<Instant>) -> f64 {
    match (from, to) {
        (Some(from), Some(to)) => to.saturating_duration_since(from).as_secs_f64().max(0.001),
        _ => 1.0,
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "counts of packets, far below 2^52")]
fn rate(count: u64, seconds: f64) -> f64 {
    count as f64 / seconds
}

#[expect(clippy::cast_precision_loss, reason = "counts of packets, far below 2^52")]
fn share_of(part: u64, all: u64) -> f64 {
    part as f64 / all.max(1) as f64
}

fn cpu_seconds(from: Option<Usage>, to: Option<Usage>) -> f64 {
    match (from, to) {
        (Some(from), Some(to)) => {
            Duration::from_millis(to.cpu_ms.saturating_sub(from.cpu_ms)).as_secs_f64()
        }
        _ => 0.0,
    }
}
