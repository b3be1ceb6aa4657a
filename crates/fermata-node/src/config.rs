//! What an operator chooses about a node.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use fermata_sfu::{Limits, Relays};
use fermata_types::NodeId;

/// Settings of one node.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// Its name; must stay the same over restarts, or stays of a lost run are never closed.
    pub node: NodeId,
    /// Region shown to clients; may be empty.
    pub region: String,
    /// Where its files are; the usage log is the folder `usage` in it.
    pub data_dir: PathBuf,
    /// Sockets for media, each with a thread of its own; 1 to [`crate::limits::SHARDS_MAX`].
    pub listen: Vec<Listen>,
    /// Keep each media thread to one processor.
    pub pin_threads: bool,
    /// Relays that clients are told of, with the secret of their credentials.
    pub relays: Option<Relays>,
    /// Limits of rooms and people.
    pub limits: Limits,
    /// Timings and sizes of the usage log.
    pub usage: UsageConfig,
    /// Who wants to know what happens in rooms; see [`crate::event_channel`].
    pub events: Option<tokio::sync::mpsc::Sender<crate::NodeEvent>>,
}

impl NodeConfig {
    /// Defaults for a node that listens on `listen`.
    pub fn new(node: NodeId, data_dir: PathBuf, listen: Vec<Listen>) -> Self {
        let (region, limits, usage) = (String::new(), Limits::default(), UsageConfig::default());
        Self {
            node,
            region,
            data_dir,
            listen,
            pin_threads: false,
            relays: None,
            limits,
            usage,
            events: None,
        }
    }
}

/// The sockets of one media thread: UDP, and TCP beside it.
#[derive(Debug, Clone)]
pub struct Listen {
    /// Address to bind; port 0 takes any free one.
    pub bind: SocketAddr,
    /// Addresses that clients reach it at, with the bound port if theirs is 0. Needed when `bind` is a
    /// wildcard address or behind NAT; empty means the bound address itself.
    pub advertised: Vec<SocketAddr>,
    /// The TCP listener beside it, at the same IP addresses; `None`: media goes over UDP alone.
    pub tcp: Option<TcpListen>,
}

/// The TCP listener of a media thread (RFC 6544), for clients that UDP does not reach.
#[derive(Debug, Clone)]
pub struct TcpListen {
    /// Port to bind, another one than that of UDP beside it; 0 takes any free one.
    pub port: u16,
    /// Most connections at a time.
    pub connections_max: usize,
    /// Most of them of one IPv4 address or one IPv6 network of 64 bits.
    pub connections_per_address_max: usize,
    /// How long one may be open before its first authenticated ICE check.
    pub proof_max: Duration,
}

impl TcpListen {
    /// A listener with the bounds named in [`crate::limits`].
    pub fn on(port: u16) -> Self {
        Self {
            port,
            connections_max: crate::limits::STREAMS_MAX,
            connections_per_address_max: crate::limits::STREAMS_PER_ADDRESS_MAX,
            proof_max: crate::limits::STREAM_PROOF_MAX,
        }
    }
}

impl Listen {
    /// A socket that clients reach at the address it binds.
    pub fn on(bind: SocketAddr) -> Self {
        Self { bind, advertised: Vec::new(), tcp: None }
    }

    /// The same, reached at `ip` and the bound port.
    #[must_use]
    pub fn advertised_as(mut self, ip: IpAddr) -> Self {
        self.advertised.push(SocketAddr::new(ip, 0));
        self
    }

    /// The same with a TCP listener beside it.
    #[must_use]
    pub fn with_tcp(mut self, tcp: TcpListen) -> Self {
        self.tcp = Some(tcp);
        self
    }
}

/// Timings and sizes of the usage log; the defaults are the bounds named in [`crate::limits`].
#[derive(Debug, Clone)]
pub struct UsageConfig {
    /// Longest time between a fact's arrival and its `fdatasync`.
    pub sync_interval: Duration,
    /// Time between reports to the store.
    pub report_interval: Duration,
    /// Size at which a segment file is closed and the next begun, bytes.
    pub segment_len_max: u64,
}

impl Default for UsageConfig {
    fn default() -> Self {
        Self {
            sync_interval: crate::limits::USAGE_SYNC_INTERVAL,
            report_interval: crate::limits::USAGE_REPORT_INTERVAL,
            segment_len_max: crate::limits::USAGE_SEGMENT_LEN_MAX,
        }
    }
}
