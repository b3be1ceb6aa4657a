//! Floods: what a server has to stand without others noticing.
//!
//! Three kinds: datagrams that belong to nobody, handshakes that never end, publishers that send a multiple of what
//! they announced. Each is bounded, each states its own cost, and all go to this machine only: the server's URL and
//! the addresses that it names are refused otherwise.
//!
//! What it is not: a measurement of those who are to stay undisturbed; that is a load beside it.

mod garbage;
mod handshakes;
mod hello;
mod join;
pub mod options;
mod overrate;
mod pool;
mod random;
pub mod report;
mod sdp;
mod stun;

use std::fmt::Display;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use fermata_types::Now;
use tokio::sync::watch;

pub use options::{FloodOptions, Kind};
pub use report::FloodReport;

use crate::options::OptionError;
use crate::process;
use join::{Door, Signalling};
use pool::Pool;
use random::Random;
use report::ServerMemory;

/// How often the server's memory is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);
/// How long the server may take to forget a flood before its memory is read again.
const AFTERMATH: Duration = Duration::from_secs(5);

/// A flood did not come about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FloodError {
    /// An option is out of bounds.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// The join that the flood starts from was refused, or broke.
    #[error("the flood cannot join: {detail}")]
    Join {
        /// What happened.
        detail: String,
    },
    /// The server named no UDP address of this machine.
    #[error("the server names no media address on loopback")]
    NoAddress,
    /// The system gave no sockets.
    #[error("no sockets")]
    Sockets(#[from] std::io::Error),
}

/// Somebody says when it is enough.
#[derive(Debug, Clone)]
struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Waits for it. Safe to be cancelled.
    async fn said(&mut self) {
        // Without anybody who could say it, it is enough too.
        let _ = self.0.wait_for(|said| *said).await;
    }
}

/// Runs it until its time is over or `stop` is ready. `progress` is called with a line now and then.
///
/// # Errors
/// See [`FloodError`].
pub async fn run(
    options: &FloodOptions,
    stop: impl Future<Output = ()> + Send + 'static,
    progress: impl Fn(&dyn Display),
) -> Result<FloodReport, FloodError> {
    options.check()?;
    let authority = options.authority()?;
    let (say, said) = watch::channel(false);
    let stopping = tokio::spawn(async move {
        stop.await;
        let _ = say.send(true);
    });
    let before = options.server_pid.and_then(process::read);
    let top = watch::Sender::new(before.map_or(0, |usage| usage.resident_kib));
    let looking = options.server_pid.map(|pid| tokio::spawn(look(pid, top.clone())));
    let own_before = process::read(std::process::id());
    let begun = Now::read().instant;

    let flood = Flood { options, door: Door::new(options, authority), stop: Stop(said) };
    let result = flood.run(&progress).await;

    let seconds = (Now::read().instant - begun).as_secs_f64();
    let own_after = process::read(std::process::id());
    let during = options.server_pid.and_then(process::read);
    stopping.abort();
    if let Some(looking) = looking {
        progress(&"waiting for the server to forget it");
        tokio::time::sleep(AFTERMATH).await;
        looking.abort();
    }
    let mut report = result?;
    report.seconds = seconds;
    report.own_cpu_seconds = cpu_seconds(own_before, own_after);
    let after = options.server_pid.and_then(process::read);
    report.server = before.zip(after).map(|(before, after)| ServerMemory {
        cpu_seconds: cpu_seconds(Some(before), during),
        before_kib: before.resident_kib,
        top_kib: *top.borrow(),
        after_kib: after.resident_kib,
    });
    Ok(report)
}

fn cpu_seconds(from: Option<process::Usage>, to: Option<process::Usage>) -> f64 {
    let ms = from.zip(to).map_or(0, |(from, to)| to.cpu_ms.saturating_sub(from.cpu_ms));
    Duration::from_millis(ms).as_secs_f64()
}

/// Keeps the most memory that was seen.
async fn look(pid: u32, top: watch::Sender<u64>) {
    let mut looks = tokio::time::interval(LOOK_INTERVAL);
    loop {
        looks.tick().await;
        let Some(usage) = process::read(pid) else { return };
        top.send_modify(|top| *top = usage.resident_kib.max(*top));
    }
}

/// What all kinds need.
struct Flood<'a> {
    options: &'a FloodOptions,
    door: Door,
    stop: Stop,
}

impl Flood<'_> {
    async fn run(self, tell: &impl Fn(&dyn Display)) -> Result<FloodReport, FloodError> {
        let mut report = FloodReport {
            kind: self.options.kind.name(),
            seconds: 0.0,
            media: String::new(),
            own_cpu_seconds: 0.0,
            server: None,
            garbage: None,
            handshakes: None,
            overrate: None,
        };
        let Self { options, door, mut stop } = self;
        match options.kind {
            Kind::Garbage => garbage(options, &door, &mut stop, tell, &mut report).await?,
            Kind::Handshakes => {
                let found = handshakes::run(&door, options, &mut stop, tell).await;
                report.media = found.address.map(|to| to.to_string()).unwrap_or_default();
                report.handshakes = Some(found);
            }
            Kind::Overrate => {
                report.overrate = Some(overrate::run(&door, options, &stop, tell).await?);
                "the room".clone_into(&mut report.media);
            }
        }
        Ok(report)
    }
}

/// Garbage to the media port; to learn it, one client joins and checks a path.
async fn garbage(
    options: &FloodOptions,
    door: &Door,
    stop: &mut Stop,
    tell: &impl Fn(&dyn Display),
    report: &mut FloodReport,
) -> Result<(), FloodError> {
    let mut random = Random::unseeded();
    let unread = UdpSocket::bind("127.0.0.1:0")?;
    let mut scout = None;
    let (to, victim, inside) = if options.elsewhere {
        (unread.local_addr()?, "nobody".to_owned(), None)
    } else {
        let found = Scout::enter(door, &options.room, &mut random).await?;
        let target = (found.to, found.victim.clone(), Some(found.port.try_clone()?));
        scout = Some(tokio::spawn(found.stay(stop.clone())));
        target
    };
    report.media = to.to_string();
    let plan = garbage::Plan {
        to,
        per_second: options.rate,
        ports: options.count,
        seconds: options.seconds,
        run: options.run,
        inside,
    };
    let mut pool = Pool::new(&mut random, &victim, options.run as usize);
    report.garbage = Some(garbage::run(plan, &mut pool, stop, tell).await?);
    if let Some(scout) = scout {
        scout.abort();
    }
    Ok(())
}

/// A client that joined to learn where media goes.
struct Scout {
    signalling: Signalling,
    to: SocketAddr,
    /// User name fragment of a connection of the server on which nothing was checked.
    victim: String,
    /// The port whose path was checked.
    port: UdpSocket,
}

impl Scout {
    async fn enter(door: &Door, room: &str, random: &mut Random) -> Result<Self, FloodError> {
        let join = |detail| FloodError::Join { detail };
        let mut signalling = door.join("scout", &format!("{room}-scout")).await.map_err(join)?;
        signalling.joined().await.map_err(join)?;
        let described = signalling.describe(random).await.map_err(join)?;
        let (first, last) = described.first().zip(described.last()).ok_or(FloodError::NoAddress)?;
        let half = handshakes::half_open(first, random, 0).await?;
        let (to, victim) = (last.remote.address, last.remote.ufrag.clone());
        Ok(Self { signalling, to, victim, port: half.port })
    }

    /// Reads what the server has to say, so that it does not close.
    async fn stay(mut self, mut stop: Stop) {
        tokio::select! {
            () = async { while self.signalling.next().await.is_some() {} } => {}
            () = stop.said() => self.signalling.leave().await,
        }
    }
}

/// How many of them there were in each second.
fn per_second(count: u64, time: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "for people; millions at most")]
    let count = count as f64;
    count / time.as_secs_f64().max(1e-3)
}
