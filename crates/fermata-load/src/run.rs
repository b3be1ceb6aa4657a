//! One run: clients enter, are measured for the asked time, and leave.

use std::fmt::Display;
use std::time::{Duration, Instant};

use fermata_testkit::client::{Dialect, Session, SessionError, SessionOptions};
use fermata_testkit::{AudioOptions, Received, TokenError, VideoOptions, token};
use fermata_types::Now;

use crate::figures::Percentiles;
use crate::options::{OptionError, Options, Shape};
use crate::process;
use crate::report::{Report, ServerCost};

/// Clients that may be entering at the same time.
const JOINS_AT_ONCE: usize = 4;
/// How long all tracks may take to arrive once the last client is in.
const SETTLE_MAX: Duration = Duration::from_secs(30);
/// How often that is looked at, and progress told.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// How long the server may take to forget everybody before its memory is read again.
const AFTERMATH: Duration = Duration::from_secs(5);
/// Tokens live longer than the longest run.
const TOKEN_TTL: Duration = Duration::from_hours(1);

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
    started: Instant,
    join: Duration,
}

/// What all clients sent and received so far.
#[derive(Default, Clone, Copy)]
struct Totals {
    sent: u64,
    received: u64,
    bytes: u64,
    lost: u64,
    tracks: usize,
}

/// Runs it. `progress` is called with a line now and then.
///
/// # Errors
/// See [`LoadError`]. Clients that were in leave when their session is dropped.
pub async fn run(options: &Options, progress: impl Fn(&dyn Display)) -> Result<Report, LoadError> {
    options.check()?;
    let before = options.server_pid.and_then(process::read);
    let clients = enter(options, &progress).await?;
    let expected = tracks_expected(options.shape, options.clients) * options.rooms as usize;
    settle(&clients, expected, &progress).await?;

    progress(&format_args!("measuring for {} s", options.seconds));
    let (server_from, own_from) = readings(options);
    let from = totals(&clients).await?;
    let begun = Now::read().instant;
    tokio::time::sleep(options.duration()).await;
    let to = totals(&clients).await?;
    let seconds = (Now::read().instant - begun).as_secs_f64();
    let (server_to, own_to) = readings(options);

    let mut report = Report {
        shape: options.shape.name(),
        rooms: options.rooms,
        clients: options.clients,
        publishers: options.shape.publishers(options.clients),
        dialect: if options.single_connection { "single" } else { "dual" },
        simulcast: options.simulcast,
        seconds,
        join: Percentiles::of(clients.iter().map(|c| milliseconds(c.join)).collect()),
        first_media: Percentiles::default(),
        latency: Percentiles::default(),
        packets_in_per_second: rate(to.sent - from.sent, seconds),
        packets_out_per_second: rate(to.received - from.received, seconds),
        megabits_out_per_second: rate(to.bytes - from.bytes, seconds) * 8.0 / 1e6,
        loss: share(to.lost.saturating_sub(from.lost), to.received - from.received),
        tracks_expected: expected,
        tracks_received: to.tracks,
        server: None,
        load_cpu_seconds: cpu_seconds(own_from, own_to),
    };
    delays(&clients, &mut report).await?;
    progress(&"leaving");
    for client in clients {
        client.session.leave().await;
    }
    if let (Some(before), Some(from), Some(to)) = (before, server_from, server_to) {
        tokio::time::sleep(AFTERMATH).await;
        let after = options.server_pid.and_then(process::read).unwrap_or(to);
        let cpu = cpu_seconds(Some(from), Some(to));
        report.server = Some(ServerCost {
            cpu_seconds: cpu,
            packets_out_per_cpu_second: report.packets_out_per_second * seconds / cpu.max(0.01),
            resident_kib_before: before.resident_kib,
            resident_kib: to.resident_kib,
            resident_kib_after: after.resident_kib,
            descriptors: [before.descriptors, to.descriptors, after.descriptors],
        });
    }
    Ok(report)
}

fn readings(options: &Options) -> (Option<process::Usage>, Option<process::Usage>) {
    (options.server_pid.and_then(process::read), process::read(std::process::id()))
}

/// Everybody enters, a few at a time, and publishes.
async fn enter(
    options: &Options,
    progress: &impl Fn(&dyn Display),
) -> Result<Vec<Client>, LoadError> {
    let mut clients = Vec::new();
    let mut entering = tokio::task::JoinSet::new();
    let mut next = 0;
    let all = options.clients * options.rooms;
    while next < all || !entering.is_empty() {
        while next < all && entering.len() < JOINS_AT_ONCE {
            let options = options.clone();
            entering.spawn(async move { enter_one(&options, next).await });
            next += 1;
        }
        // A task that panicked is told by the missing client.
        if let Some(Ok(client)) = entering.join_next().await {
            clients.push(client?);
        }
        if clients.len() % 10 == 0 {
            progress(&format_args!("{} of {} clients are in", clients.len(), all));
        }
    }
    Ok(clients)
}

async fn enter_one(options: &Options, index: u32) -> Result<Client, LoadError> {
    let failed = |source| LoadError::Client { client: index, source };
    let identity = format!("load-{index}");
    let room = match options.rooms {
        1 => options.room.clone(),
        _ => format!("{}-{}", options.room, index / options.clients),
    };
    let token = token(&options.key, &options.secret, &identity, &room, TOKEN_TTL)?;
    let mut how = SessionOptions::new(&options.url, &token);
    how.dialect = if options.single_connection { Dialect::Single } else { Dialect::Dual };
    let started = Now::read().instant;
    let session = Session::connect(how).await.map_err(failed)?;
    let join = Now::read().instant - started;
    if index % options.clients < options.shape.publishers(options.clients) {
        session.publish_audio(AudioOptions::default()).await.map_err(failed)?;
        if options.shape != Shape::Audio {
            let video = VideoOptions { simulcast: options.simulcast, ..VideoOptions::default() };
            session.publish_video(video).await.map_err(failed)?;
        }
    }
    Ok(Client { index, session, started, join })
}

/// Tracks that arrive when everybody receives everything of everybody else.
fn tracks_expected(shape: Shape, clients: u32) -> usize {
    let each = if shape == Shape::Audio { 1 } else { 2 };
    shape.publishers(clients) as usize * each * (clients as usize).saturating_sub(1)
}

/// Waits until all tracks have arrived, or long enough.
async fn settle(
    clients: &[Client],
    expected: usize,
    progress: &impl Fn(&dyn Display),
) -> Result<(), LoadError> {
    let looks = SETTLE_MAX.as_millis() / LOOK_INTERVAL.as_millis();
    for _ in 0..looks {
        let tracks = totals(clients).await?.tracks;
        progress(&format_args!("{tracks} of {expected} tracks have arrived"));
        if tracks >= expected {
            return Ok(());
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
    Ok(())
}

async fn totals(clients: &[Client]) -> Result<Totals, LoadError> {
    let mut totals = Totals::default();
    for client in clients {
        let statistics = statistics(client).await?;
        totals.sent += statistics.sent.values().map(|sent| sent.packets).sum::<u64>();
        for received in statistics.received.values().filter(|received| received.packets > 0) {
            totals.received += received.packets;
            totals.bytes += received.bytes;
            totals.lost += received.lost;
            totals.tracks += 1;
        }
    }
    Ok(totals)
}

/// Fills in what comes from single packets.
async fn delays(clients: &[Client], report: &mut Report) -> Result<(), LoadError> {
    let (mut first, mut latency) = (Vec::new(), Vec::new());
    for client in clients {
        let statistics = statistics(client).await?;
        let at = statistics.received.values().filter_map(|received| received.first_at).min();
        first.extend(at.map(|at| milliseconds(at.saturating_duration_since(client.started))));
        latency.extend(statistics.received.values().flat_map(samples_ms));
    }
    report.first_media = Percentiles::of(first);
    report.latency = Percentiles::of(latency);
    Ok(())
}

async fn statistics(client: &Client) -> Result<fermata_testkit::Statistics, LoadError> {
    client
        .session
        .statistics()
        .await
        .map_err(|source| LoadError::Client { client: client.index, source })
}

fn samples_ms(received: &Received) -> Vec<f64> {
    let to_ms = |us: &u64| milliseconds(Duration::from_micros(*us));
    received.latency.samples_us().iter().map(to_ms).collect()
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

#[expect(clippy::cast_precision_loss, reason = "counts of packets, far below 2^52")]
fn rate(count: u64, seconds: f64) -> f64 {
    count as f64 / seconds
}

#[expect(clippy::cast_precision_loss, reason = "counts of packets, far below 2^52")]
fn share(lost: u64, received: u64) -> f64 {
    lost as f64 / (lost + received).max(1) as f64
}

fn cpu_seconds(from: Option<process::Usage>, to: Option<process::Usage>) -> f64 {
    match (from, to) {
        (Some(from), Some(to)) => {
            Duration::from_millis(to.cpu_ms.saturating_sub(from.cpu_ms)).as_secs_f64()
        }
        _ => 0.0,
    }
}
