//! What all requests share: settings, store, node, directory, counters.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use fermata_node::{NodeEvent, NodeHandle};
use fermata_sfu::io::{Command, Reply};
use fermata_store::deliveries::Deliveries;
use fermata_store::monitoring::Monitoring;
use fermata_store::{AppWithKeys, Store, StoreError, StoreStats};
use fermata_turn::Turn;
use fermata_types::{Now, SdkAppId};
use tokio::sync::mpsc::Receiver;
use tokio::sync::{Mutex, Notify};
use tokio::task::{AbortHandle, JoinSet};

use crate::agent::Agents;
use crate::config::{ConfigError, Settings};
use crate::console::Console;
use crate::directory::Directory;
use crate::limits::{CALLBACK_STOP_POLL, CALLBACK_STOP_TIME_MAX, PROBE_REUSED, PROBE_TIME_MAX};
use crate::metrics::Metrics;
use crate::outbox::deliver::{self, Channels};
use crate::server_api::ServerApi;
use crate::standing::enforce::{self, Standings};
use crate::standing::scheduler;
use crate::twirp::Twirp;
use crate::v1::error::ApiError;
use crate::{agent, callback, events, kernel, monitoring};

/// The server, shared by all requests.
pub type Shared = Arc<Server>;

/// Reads the store's counters; the trait has none.
pub type ReadStoreStats = Box<dyn Fn() -> StoreStats + Send + Sync>;

/// What all requests share.
pub struct Server {
    /// Configuration.
    pub settings: Settings,
    /// Data folder.
    pub data_dir: PathBuf,
    /// Durable facts.
    pub store: Arc<dyn Store>,
    /// Its counters.
    pub store_stats: ReadStoreStats,
    /// The media node.
    pub node: NodeHandle,
    /// The relay, once it runs.
    pub relay: OnceLock<Arc<Turn>>,
    /// Applications and operator tokens in memory.
    pub directory: Directory,
    /// Signing in to the console.
    pub console: Console,
    /// What the books of each account allow, in memory.
    pub standings: Standings,
    /// Callbacks on their way to applications.
    pub deliveries: Arc<Deliveries>,
    /// Callbacks before and behind that.
    pub callbacks: callback::Callbacks,
    /// Call quality, as stored.
    pub monitoring: Arc<Monitoring>,
    /// Call quality, on its way there.
    pub recorder: monitoring::Recorder,
    /// Nonces and rates of the vendor's server API.
    pub server_api: ServerApi,
    /// Large calls of `LiveKit`'s server APIs.
    pub twirp: Twirp,
    /// Workers of `LiveKit` Agents.
    pub agents: Agents,
    /// Rung when there may be something new to deliver.
    pub outbox_bell: Notify,
    /// Our own counters.
    pub metrics: Metrics,
    /// Set once, when the server begins to stop.
    stopping: AtomicBool,
    /// Answer of the last store probe.
    probe: Mutex<Option<(Instant, bool)>>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Server {
    /// Puts the parts together. The databases of callbacks and monitoring are opened in `data_dir`.
    ///
    /// # Errors
    /// [`StoreError`] if they cannot be opened.
    pub fn new(
        settings: Settings,
        data_dir: PathBuf,
        store: Arc<dyn Store>,
        store_stats: ReadStoreStats,
        node: NodeHandle,
        directory: Directory,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            deliveries: Arc::new(Deliveries::open(&data_dir)?),
            callbacks: callback::Callbacks::default(),
            monitoring: Arc::new(Monitoring::open(&data_dir, settings.monitoring_bytes_max)?),
            recorder: monitoring::Recorder::default(),
            server_api: ServerApi::new(&settings),
            twirp: Twirp::default(),
            agents: Agents::default(),
            settings,
            data_dir,
            store,
            store_stats,
            node,
            relay: OnceLock::new(),
            directory,
            console: Console::default(),
            standings: Standings::default(),
            outbox_bell: Notify::new(),
            metrics: Metrics::default(),
            stopping: AtomicBool::new(false),
            probe: Mutex::new(None),
        })
    }

    /// From now on newcomers are refused.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        self.agents.stop();
    }

    /// Is the server stopping?
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// Takes a committed change of an application into the directory and to the node. When it returns,
    /// the change is in force. Call it with [`Directory::changing`] held since before the commit.
    ///
    /// # Errors
    /// [`ApiError`] if the record cannot be read again or the node has stopped. The change stays committed.
    pub async fn apply(&self, id: SdkAppId) -> Result<Arc<AppWithKeys>, ApiError> {
        let app = self.store.app_with_keys(id).await?;
        self.directory.put_app(&app);
        self.enforce(&app.app.account).await?;
        self.directory.app(id).ok_or(ApiError::Internal)
    }

    /// Asks something of the live rooms.
    ///
    /// # Errors
    /// [`ApiError::Unavailable`] if the node has stopped or is overloaded.
    pub async fn command(&self, command: Command) -> Result<Reply, ApiError> {
        self.node.command(command).await.map_err(|_| ApiError::Unavailable)
    }

    /// Makes something random.
    pub fn fresh<T>(&self, make: impl FnOnce(&mut rand::rngs::ThreadRng) -> T) -> T {
        make(&mut rand::rng())
    }

    /// Can the store be written? The answer is reused for a moment, so that nobody can keep the disk busy
    /// by asking.
    pub async fn store_writable(&self) -> bool {
        let mut probe = self.probe.lock().await;
        let now = Now::read();
        if let Some((at, writable)) = *probe
            && now.instant.saturating_duration_since(at) < PROBE_REUSED
        {
            return writable;
        }
        let asked = tokio::time::timeout(PROBE_TIME_MAX, self.store.probe(now.wall)).await;
        let writable = match asked {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::warn!(%error, "The store cannot be written.");
                false
            }
            Err(_) => {
                tracing::warn!("The store does not answer.");
                false
            }
        };
        *probe = Some((Now::read().instant, writable));
        writable
    }
}

/// What runs beside the requests; dropped, it stops.
#[derive(Debug)]
pub struct Tasks {
    running: JoinSet<()>,
    shared: Shared,
    /// Ends when the node is gone and all it told was handed on.
    events: AbortHandle,
}

impl Tasks {
    /// Brings all standings to the node, fires what fell due while nobody ran, and starts what goes on
    /// beside the requests: enforcement, the scheduler, deliveries. Nobody is to be served before it returns.
    ///
    /// # Errors
    /// [`ApiError`] if standings cannot be read or the node has stopped.
    pub async fn start(
        shared: &Shared,
        channels: Channels,
        events: Receiver<NodeEvent>,
    ) -> Result<Self, ApiError> {
        let since = *shared.store.changes().borrow();
        shared.enforce_all().await?;
        scheduler::catch_up(shared).await;
        let mut running = JoinSet::new();
        running.spawn(enforce::watch(shared.clone(), since));
        running.spawn(scheduler::run(shared.clone()));
        running.spawn(callback::run(shared.clone(), channels.callbacks()));
        running.spawn(deliver::run(shared.clone(), channels));
        let events = running.spawn(events::run(shared.clone(), events));
        running.spawn(agent::run(shared.clone()));
        running.spawn(monitoring::run(shared.clone()));
        running.spawn(kernel::run(shared.clone()));
        Ok(Self { running, shared: shared.clone(), events })
    }

    /// The ways to contacts that the configuration opens, for [`Tasks::start`].
    ///
    /// # Errors
    /// [`ConfigError`] if they cannot be made.
    pub fn channels(settings: &Settings) -> Result<Channels, ConfigError> {
        Channels::new(settings)
    }

    /// Stops everything; what was under way is taken up by the next run. The last callbacks of rooms that ended with
    /// the node are written down before, if it was stopped already.
    pub async fn stop(mut self) {
        let kept = async {
            while !(self.events.is_finished() && self.shared.callbacks.is_kept()) {
                tokio::time::sleep(CALLBACK_STOP_POLL).await;
            }
        };
        let _ = tokio::time::timeout(CALLBACK_STOP_TIME_MAX, kept).await;
        self.running.shutdown().await;
    }
}
