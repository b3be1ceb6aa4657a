//! `fermata serve`: the order in which things start, and in which they stop.
//!
//! Start: data folder, store, credentials, node (which replays what an earlier run left), standings, timers that
//! fell due meanwhile, listeners, then the ready line. Stop: newcomers are refused, the node says good-bye and
//! writes its usage, connections end, scheduler and deliveries stop, the store closes.

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use axum_server::Handle;
use axum_server::tls_rustls::RustlsAcceptor;
use clap::{ArgMatches, Command};
use fermata_auth::api_token;
use fermata_node::{Listen, Node, NodeConfig, NodeEvent, NodeHandle, TcpListen, event_channel};
use fermata_sfu::Relays;
use fermata_store::{ApiToken, SqliteOptions, SqliteStore, Store, TokenRole};
use fermata_types::{NodeId, Now, TokenId};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::Sender;

use super::{block_on, control, print, relay, settings, with_config};
use crate::config::{ConfigError, Settings};
use crate::directory::{BuiltIn, Directory};
use crate::http::connections::CountingAcceptor;
use crate::limits::{HTTP_HEAD_BYTES_MAX, HTTP_HEADER_TIME_MAX, TLS_HANDSHAKE_TIME_MAX};
use crate::metrics::Metric;
use crate::secret::{self, SECRET_BYTES_MIN};
use crate::server::{Server, Shared, Tasks};
use crate::{dev, http, logging, tls};

/// Setting under which the node's name is kept; it must stay the same over restarts.
const NODE_SETTING: &str = "node_id";

pub(super) fn build(command: Command) -> Command {
    with_config(
        command
            .about("Serve rooms")
            .long_about(
                "Serves rooms until SIGTERM or SIGINT. When it serves, it prints one line of JSON on standard \
                 output: {\"ready\":true,\"http\":...,\"udp\":...,\"version\":...,\"data_dir\":...,\"meet\":...}. \
                 Logs go to standard error.\n\n\
                 The first start creates an operator token and shows it once on standard error.",
            )
            .after_help("`fermata serve --dev` is for trying it: fixed credentials, loopback only."),
    )
}

pub(super) fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let settings = settings(matches)?;
    logging::start(&settings);
    tls::install_provider();
    block_on(serve(settings))
}

/// The data folder, and the guard that removes it if it is a temporary one.
struct DataDir {
    path: PathBuf,
    _temporary: Option<tempfile::TempDir>,
}

async fn serve(settings: Settings) -> anyhow::Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let channels = Tasks::channels(&settings)?;
    let data = data_folder(&settings)?;
    let sqlite = Arc::new(SqliteStore::open(SqliteOptions::in_dir(&data.path)?)?);
    let store: Arc<dyn Store> = sqlite.clone();
    let directory = credentials(&settings, &*store).await?;
    let http_listener = bind_http(settings.http)?;
    let (events_in, events) = event_channel();
    let advertised = advertised(&settings)?;
    let relay = relay::start(&settings, &advertised).await?;
    let relays = relay.as_ref().map(|relay| relay.relays.clone());
    let node = start_node(&settings, &data.path, &store, (events_in, relays, advertised)).await?;
    let stats = Box::new(move || sqlite.stats());
    let shared: Shared =
        Arc::new(Server::new(settings, data.path.clone(), store, stats, node, directory)?);
    if let Some(relay) = relay {
        relay.join(&shared);
    }
    let tasks =
        Tasks::start(&shared, channels, events).await.context("the standings are not in force")?;

    let handle = Handle::new();
    let address = http_listener.local_addr()?;
    let serving = tokio::spawn(serve_http(shared.clone(), http_listener, handle.clone()).await?);
    let control = match control::listen(&data.path) {
        Ok(listener) => Some(tokio::spawn(control::serve(listener, shared.clone()))),
        Err(error) => {
            tracing::warn!(%error, "There is no control socket; `fermata backup` needs the server stopped.");
            None
        }
    };
    announce(&shared, address)?;

    tokio::select! {
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
    }
    tracing::info!("Stopping.");
    shared.stop();
    shared.node.shutdown().await;
    handle.graceful_shutdown(Some(shared.settings.shutdown_timeout));
    if let Some(control) = control {
        control.abort();
        control::remove(&data.path);
    }
    serving.await?.context("the HTTP server failed")?;
    tasks.stop().await;
    shared.store.close().await?;
    tracing::info!("Stopped.");
    Ok(())
}

fn data_folder(settings: &Settings) -> anyhow::Result<DataDir> {
    let Some(path) = &settings.data_dir else {
        let temporary = tempfile::Builder::new().prefix("fermata-").tempdir()?;
        return Ok(DataDir { path: temporary.path().to_owned(), _temporary: Some(temporary) });
    };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| {
        ConfigError::Conflict {
            key: "data_dir",
            value: path.display().to_string(),
            problem: format!("it takes a folder that can be created and written ({error})"),
        }
    })?;
    Ok(DataDir { path: path.clone(), _temporary: None })
}

/// Development mode's fixed credentials, or a first operator token; refuses weak secrets.
async fn credentials(settings: &Settings, store: &dyn Store) -> anyhow::Result<Directory> {
    if settings.dev {
        dev::prepare(store).await?;
        return Ok(Directory::load(store, dev::built_in()).await?);
    }
    let directory = Directory::load(store, BuiltIn::default()).await?;
    for app in directory.apps() {
        let id = app.app.sdk_app_id;
        if let Some(pair) = app.api_keys.iter().find(|pair| pair.secret.len() < SECRET_BYTES_MIN) {
            bail!(
                "application {id} has the key pair {:?} whose secret has {} bytes; {SECRET_BYTES_MIN} are the least \
                 outside of development mode. Use another data_dir, or remove that key with --dev first",
                pair.key,
                pair.secret.len()
            );
        }
        if id == dev::SDK_APP_ID && app.usersig_key == dev::USERSIG_KEY {
            bail!(
                "application {id} has development mode's public UserSig key. Use another data_dir, or replace that \
                 key with --dev first"
            );
        }
    }
    if !directory.has_operator() {
        first_token(store, &directory).await?;
    }
    Ok(directory)
}

async fn first_token(store: &dyn Store, directory: &Directory) -> anyhow::Result<()> {
    let token = secret::operator_token()?;
    let record = ApiToken {
        id: TokenId::random(&mut rand::rng()),
        name: "first".to_owned(),
        hash: api_token::hash(&token),
        role: TokenRole::Operator,
        read_only: false,
        created_at: Now::read().wall,
        revoked_at: None,
    };
    directory.put_token(&store.create_api_token(record).await?);
    // Not through the log, whose lines are collected and kept.
    let mut stderr = std::io::stderr().lock();
    writeln!(
        stderr,
        "\nThis is the operator token of the new installation. It is shown this once:\n\n    {token}\n"
    )?;
    Ok(())
}

fn bind_http(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).map_err(|error| ConfigError::Conflict {
        key: "http_port",
        value: address.port().to_string(),
        problem: format!("{address} cannot be used ({error})"),
    })?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

async fn start_node(
    settings: &Settings,
    data_dir: &Path,
    store: &Arc<dyn Store>,
    (events, relays, advertised): (Sender<NodeEvent>, Option<Relays>, Vec<IpAddr>),
) -> anyhow::Result<NodeHandle> {
    let fresh = NodeId::random(&mut rand::rng()).to_string();
    let name = store.set_setting_once(NODE_SETTING, fresh).await?;
    let tcp_ports = media_ports(settings, "tcp_port", settings.tcp_port.unwrap_or(0))?;
    let udp_ports = media_ports(settings, "udp_port", settings.udp.port())?;
    let listen = udp_ports.into_iter().zip(tcp_ports).map(|(udp, tcp)| {
        let mut listen = Listen::on(SocketAddr::new(settings.udp.ip(), udp));
        listen.tcp = settings.tcp_port.map(|_| TcpListen::on(tcp));
        advertised.iter().fold(listen, |listen, address| listen.advertised_as(*address))
    });
    let listen = listen.collect();
    let mut config = NodeConfig::new(NodeId::from_text(&name), data_dir.to_owned(), listen);
    config.pin_threads = settings.media_pinning;
    config.limits = settings.limits();
    config.events = Some(events);
    config.relays = relays;
    Node::start(config, Arc::new(Arc::clone(store))).await.map_err(|error| match error {
        fermata_node::StartError::Bind { bind, source } => {
            anyhow::Error::new(ConfigError::Conflict {
                key: "udp_port",
                value: bind.port().to_string(),
                problem: format!("{bind} cannot be used ({source})"),
            })
        }
        fermata_node::StartError::BindTcp { bind, source } => {
            anyhow::Error::new(ConfigError::Conflict {
                key: "tcp_port",
                value: bind.port().to_string(),
                problem: format!("{bind} cannot be used ({source})"),
            })
        }
        other => anyhow::Error::new(other).context("the media node did not start"),
    })
}

/// The addresses told to clients for media; empty: the one that is bound.
fn advertised(settings: &Settings) -> anyhow::Result<Vec<IpAddr>> {
    if settings.advertise.is_empty() && settings.udp.ip().is_unspecified() {
        return Ok(vec![default_route_address(settings.udp.ip())?]);
    }
    Ok(settings.advertise.clone())
}

/// The port of each media thread: upwards from the first, or any free ones.
fn media_ports(
    settings: &Settings,
    key: &'static str,
    first: u16,
) -> Result<Vec<u16>, ConfigError> {
    let processors = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = match settings.media_threads {
        0 => processors(),
        threads => threads,
    };
    let threads = u16::try_from(threads.min(fermata_node::limits::SHARDS_MAX)).unwrap_or(1);
    let ports = (0..threads).map(|place| match first {
        0 => Some(0),
        first => first.checked_add(place),
    });
    let ports: Option<Vec<u16>> = ports.collect();
    ports.ok_or_else(|| ConfigError::Conflict {
        key,
        value: first.to_string(),
        problem: format!("{threads} media threads need {threads} ports from this one upwards"),
    })
}

/// The address of the interface that has the default route. Nothing is sent: connecting a UDP socket only
/// asks the routing table. The target addresses are of the ranges for documentation (RFC 5737, RFC 3849).
fn default_route_address(unspecified: IpAddr) -> anyhow::Result<IpAddr> {
    let target = if unspecified.is_ipv4() { "192.0.2.1:9" } else { "[2001:db8::1]:9" };
    let found = UdpSocket::bind(SocketAddr::new(unspecified, 0)).and_then(|socket| {
        socket.connect(target)?;
        socket.local_addr()
    });
    match found {
        Ok(address) => Ok(address.ip()),
        Err(error) => Err(anyhow::Error::new(ConfigError::Conflict {
            key: "advertised_addresses",
            value: String::new(),
            problem: format!(
                "this machine has no default route to take an address from ({error}); name the address"
            ),
        })),
    }
}

/// Makes the server; the future that it answers serves.
async fn serve_http(
    shared: Shared,
    listener: TcpListener,
    handle: Handle<SocketAddr>,
) -> anyhow::Result<std::pin::Pin<Box<dyn Future<Output = std::io::Result<()>> + Send>>> {
    let service = http::router(&shared).into_make_service_with_connect_info::<SocketAddr>();
    let failed = shared.clone();
    let mut server = axum_server::from_tcp(listener)?
        .handle(handle)
        .first_request_timeout(HTTP_HEADER_TIME_MAX)
        .accept_error_handler(move |_, _| failed.metrics.add(Metric::HttpConnectionsFailed, 1));
    server
        .http_builder()
        .http1()
        .max_buf_size(HTTP_HEAD_BYTES_MAX)
        .header_read_timeout(HTTP_HEADER_TIME_MAX);
    let counting = CountingAcceptor::new(shared.clone());
    let Some((cert, key)) = shared.settings.tls.clone() else {
        return Ok(Box::pin(server.acceptor(counting).serve(service)));
    };
    let problem = |error: std::io::Error| tls::unusable(&cert, &error);
    let files = tls::Files::read(cert.clone(), key).await.map_err(problem)?;
    let config = files.config().await.map_err(problem)?;
    let every = shared.settings.tls_check_interval;
    tokio::spawn(files.watch(config.clone(), every, shared.clone()));
    let acceptor =
        RustlsAcceptor::new(config).handshake_timeout(TLS_HANDSHAKE_TIME_MAX).acceptor(counting);
    Ok(Box::pin(server.acceptor(acceptor).serve(service)))
}

/// The one line on standard output.
fn announce(shared: &Shared, address: SocketAddr) -> anyhow::Result<()> {
    let scheme = if shared.settings.tls.is_some() { "https" } else { "http" };
    let reachable = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::from([127, 0, 0, 1]),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    let here = format!("{scheme}://{}", SocketAddr::new(reachable, address.port()));
    let base = shared.settings.external_url.clone().unwrap_or_else(|| here.clone());
    let candidates = shared.node.candidates();
    let line = Ready {
        ready: true,
        http: &here,
        udp: candidates.first().copied(),
        candidates,
        tcp_candidates: shared.node.tcp_candidates(),
        version: env!("CARGO_PKG_VERSION"),
        data_dir: &shared.data_dir,
        meet: format!("{base}/meet"),
        dev: shared.settings.dev,
    };
    print(&format!("{}\n", serde_json::to_string(&line)?))?;
    tracing::info!(http = %here, udp = ?candidates, dev = shared.settings.dev, "Serving.");
    Ok(())
}

/// The ready line; the order of its fields is the order in which they are written.
#[derive(Debug, Serialize)]
struct Ready<'a> {
    ready: bool,
    /// Where HTTP and WebSocket are, as seen from this machine.
    http: &'a str,
    /// First address of media.
    udp: Option<SocketAddr>,
    /// All addresses that clients are told, over UDP.
    candidates: &'a [SocketAddr],
    /// The same over TCP.
    tcp_candidates: &'a [SocketAddr],
    version: &'static str,
    data_dir: &'a Path,
    /// The meeting page.
    meet: String,
    dev: bool,
}
