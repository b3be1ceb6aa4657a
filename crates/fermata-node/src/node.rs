//! Starting and stopping a node.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use fermata_sfu::{Sfu, SfuConfig};
use fermata_types::Now;
use mio::{Poll, Waker};
use tokio::sync::mpsc;

use crate::config::NodeConfig;
use crate::counters::Counters;
use crate::handle::{NodeHandle, Shared};
use crate::limits::ORDER_QUEUE_LEN;
use crate::seam::UsageIntake;
use crate::shard::{Shard, WAKER};
use crate::sockets::Sockets;
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
    /// A thread or its poll could not be made.
    #[error("the media thread cannot be started")]
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
    shard: std::thread::JoinHandle<()>,
    pipe: Pipe,
}

impl Running {
    /// The shard has been told; waits for its end, then for the usage.
    pub(crate) async fn stop(self) {
        let Self { shard, pipe } = self;
        let _ = tokio::task::spawn_blocking(move || shard.join()).await;
        pipe.stop().await;
    }
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
        let counters = Arc::new(Counters::default());
        let mut sockets = Sockets::bind(&config.listen, Arc::clone(&counters))?;
        let candidates = sockets.candidates();
        let poll = Poll::new().map_err(StartError::Thread)?;
        sockets.register(poll.registry()).map_err(StartError::Thread)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER).map_err(StartError::Thread)?);

        let folder = config.data_dir.join("usage");
        let (node, usage) = (config.node.clone(), config.usage);
        let (out, pipe) = usage::start(folder, node, usage, intake, Arc::clone(&counters)).await?;

        let mut settings = SfuConfig::new(config.node, candidates.clone());
        settings.region = config.region;
        settings.limits = config.limits;
        settings.events = config.events.is_some();
        let events = config.events;
        let (orders, orders_in) = mpsc::channel(ORDER_QUEUE_LEN);
        let shard_counters = Arc::clone(&counters);
        let seed: [u8; 32] = rand::random();
        let shard = std::thread::Builder::new().name("fermata-media".to_owned()).spawn(move || {
            let sfu = Sfu::new(settings, seed, Now::read());
            Shard::new(sfu, poll, sockets, orders_in, (out, events), shard_counters).run();
        });
        let shard = match shard {
            Ok(shard) => shard,
            Err(error) => {
                pipe.stop().await;
                return Err(StartError::Thread(error));
            }
        };
        let running = tokio::sync::Mutex::new(Some(Running { shard, pipe }));
        let connections = AtomicU64::new(1);
        let shared = Shared { orders, waker, counters, candidates, connections, running };
        Ok(NodeHandle { shared: Arc::new(shared) })
    }
}
