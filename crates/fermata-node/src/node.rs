//! Starting and stopping a node.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::JoinHandle;

use fermata_sfu::{Sfu, SfuConfig, Shard, ShardId};
use fermata_types::Now;
use mio::{Poll, Token, Waker};
use tokio::sync::mpsc;

use crate::config::{Listen, NodeConfig};
use crate::counters::Counters;
use crate::handle::{NodeHandle, Shared};
use crate::limits::{ORDER_QUEUE_LEN, SHARDS_MAX};
use crate::mesh::{self, ShardInbox, ToRooms, ToShard};
use crate::pin::Pinning;
use crate::rooms::Rooms;
use crate::seam::UsageIntake;
use crate::shard::{ShardThread, WAKER};
use crate::socket::Socket;
use crate::streams::Streams;
use crate::usage::{self, Pipe};

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration cannot be used.
    #[error("{key}: {problem}")]
    Config {
        /// Which setting.
        key: &'static str,
        /// What is wrong and what is allowed.
        problem: String,
    },
    /// A socket could not be bound.
    #[error("the UDP address {bind} cannot be used")]
    Bind {
        /// The address asked for.
        bind: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A TCP listener of media could not be bound.
    #[error("the TCP address {bind} cannot be used")]
    BindTcp {
        /// The address asked for.
        bind: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A thread or its poll could not be made.
    #[error("a media thread cannot be started")]
    Thread(#[source] io::Error),
    /// The usage log cannot be read or written.
    #[error("the usage log in {folder} cannot be used")]
    UsageLog {
        /// Its folder.
        folder: String,
        /// Why.
        source: io::Error,
    },
    /// The store did not take what an earlier run left.
    #[error("the store does not take the usage that an earlier run left")]
    Replay(#[source] crate::seam::IntakeError),
}

/// The node as a whole; see [`Node::start`].
#[derive(Debug)]
pub struct Node;

/// The threads and tasks to wait for.
#[derive(Debug)]
pub(crate) struct Running {
    threads: Vec<JoinHandle<()>>,
    pipe: Pipe,
}

impl Running {
    /// The rooms have been told; waits for the end of all threads, then for the usage.
    pub(crate) async fn stop(self) {
        let Self { threads, pipe } = self;
        let wait = move || threads.into_iter().for_each(|thread| drop(thread.join()));
        let _ = tokio::task::spawn_blocking(wait).await;
        pipe.stop().await;
    }
}

/// Name and body of a thread.
type Body = (String, Box<dyn FnOnce() + Send>);

/// A media thread before it begins.
struct Prepared {
    poll: Poll,
    socket: Socket,
    streams: Option<Streams>,
    to: ToShard,
    inbox: ShardInbox,
}

impl Prepared {
    fn new(listen: &Listen, counters: &Arc<Counters>) -> Result<Self, StartError> {
        let mut socket = Socket::bind(listen, Arc::clone(counters))?;
        let (poll, waker) = poll_and_waker(WAKER)?;
        socket.register(poll.registry()).map_err(StartError::Thread)?;
        let streams = listen.tcp.as_ref().map(|tcp| {
            let (ip, beside) = (listen.bind.ip(), socket.candidates());
            Streams::bind(ip, tcp, beside, poll.registry(), Arc::clone(counters))
        });
        let streams = streams.transpose()?;
        let (to, inbox) = mesh::to_shard(waker);
        Ok(Self { poll, socket, streams, to, inbox })
    }

    /// Name and body of the thread that drives a core.
    fn body(self, core: Shard, rooms: &ToRooms, shards: &[ToShard], pinning: Pinning) -> Body {
        let ShardId(place) = core.id();
        let Self { poll, socket, streams, inbox, .. } = self;
        let others = shards.to_vec();
        let thread = ShardThread::new(core, poll, (socket, streams), inbox, rooms.clone(), others);
        let body = move || {
            pinning.pin(place.into());
            thread.run();
        };
        (format!("fermata-media-{place}"), Box::new(body))
    }

    fn tcp_candidates(&self) -> Vec<SocketAddr> {
        self.streams.as_ref().map(|streams| streams.candidates().to_vec()).unwrap_or_default()
    }
}

fn poll_and_waker(token: Token) -> Result<(Poll, Arc<Waker>), StartError> {
    let poll = Poll::new().map_err(StartError::Thread)?;
    let waker = Waker::new(poll.registry(), token).map_err(StartError::Thread)?;
    Ok((poll, Arc::new(waker)))
}

fn spawn(name: String, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StartError> {
    std::thread::Builder::new().name(name).spawn(body).map_err(StartError::Thread)
}

impl Node {
    /// Binds the sockets, replays the usage log, closes the stays that an earlier run left open, and starts.
    ///
    /// # Errors
    /// [`StartError`]; nothing runs then.
    pub async fn start(
        config: NodeConfig,
        intake: Arc<dyn UsageIntake>,
    ) -> Result<NodeHandle, StartError> {
        let count = config.listen.len();
        if count == 0 || count > SHARDS_MAX {
            let problem = format!("{count} media threads; 1 to {SHARDS_MAX} are allowed");
            return Err(StartError::Config { key: "listen", problem });
        }
        let counters = Arc::new(Counters::default());
        let prepared: Vec<Prepared> = config
            .listen
            .iter()
            .map(|listen| Prepared::new(listen, &counters))
            .collect::<Result<_, _>>()?;
        let addresses: Vec<_> = prepared.iter().map(|p| p.socket.candidates().to_vec()).collect();
        let candidates = addresses.iter().flatten().copied().collect();
        let tcp: Vec<_> = prepared.iter().map(Prepared::tcp_candidates).collect();
        let tcp_candidates = tcp.iter().flatten().copied().collect();
        let (poll, waker) = poll_and_waker(WAKER)?;

        let folder = config.data_dir.join("usage");
        let (node, usage) = (config.node.clone(), config.usage);
        let (out, pipe) = usage::start(folder, node, usage, intake, Arc::clone(&counters)).await?;

        let mut settings = SfuConfig::new(config.node, addresses);
        (settings.tcp, settings.relays) = (tcp, config.relays);
        (settings.region, settings.limits) = (config.region, config.limits);
        settings.events = config.events.is_some();
        let (orders, orders_in) = mpsc::channel(ORDER_QUEUE_LEN);
        let (to_rooms, reports) = mesh::to_rooms(Arc::clone(&waker));
        let shards: Vec<_> = prepared.iter().map(|prepared| prepared.to.clone()).collect();
        let (sfu, cores) = Sfu::new(settings, rand::random(), Now::read());
        let pinning = Pinning::new(config.pin_threads);
        let body = |(core, it): (_, Prepared)| it.body(core, &to_rooms, &shards, pinning);
        let mut bodies: Vec<_> = cores.into_iter().zip(prepared).map(body).collect();
        let rooms = Rooms::new(
            sfu,
            poll,
            (orders_in, reports),
            shards.clone(),
            (out, config.events),
            Arc::clone(&counters),
        );
        bodies.push(("fermata-rooms".to_owned(), Box::new(move || rooms.run())));
        let spawned: Result<Vec<_>, _> =
            bodies.into_iter().map(|(name, body)| spawn(name, body)).collect();
        let threads = match spawned {
            Ok(threads) => threads,
            Err(error) => {
                shards.iter().for_each(ToShard::stop);
                pipe.stop().await;
                return Err(error);
            }
        };
        let running = tokio::sync::Mutex::new(Some(Running { threads, pipe }));
        let connections = AtomicU64::new(1);
        let shared = Shared {
            orders,
            waker,
            shards,
            counters,
            candidates,
            tcp_candidates,
            connections,
            running,
        };
        Ok(NodeHandle { shared: Arc::new(shared) })
    }
}
