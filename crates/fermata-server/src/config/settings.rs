//! The configuration as typed values.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use lettre::message::Mailbox;

use super::value::list;
use super::{Cidr, ConfigError, Layers, LogLevel, SmtpUrl};

/// Form of the log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    Auto,
    /// Always text.
    Text,
    /// Always JSON, a line each.
    Json,
}

/// Everything the server is told from outside. One field a key; the table says what each does.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Settings {
    /// Development mode.
    pub dev: bool,
    /// Data folder; `None` only in development mode: a temporary one.
    pub data_dir: Option<PathBuf>,
    /// Where HTTP listens.
    pub http: SocketAddr,
    /// Where media listens.
    pub udp: SocketAddr,
    /// First TCP port of media; `None`: UDP alone.
    pub tcp_port: Option<u16>,
    /// The relay; `None`: there is none.
    pub turn: Option<TurnSettings>,
    /// Media threads; 0: one for each processor.
    pub media_threads: usize,
    /// Each keeps to one processor.
    pub media_pinning: bool,
    /// Streams by which media threads may differ; see [`fermata_sfu::Limits::imbalance_max`].
    pub media_imbalance_max: usize,
    /// What there is no room for on a receiver's path is held back.
    pub congestion_control: bool,
    /// Addresses told to clients for media; may be empty.
    pub advertise: Vec<IpAddr>,
    /// External base URL without a trailing slash.
    pub external_url: Option<String>,
    /// Certificate and key files.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// How often certificate files are looked at.
    pub tls_check_interval: Duration,
    /// Proxies whose forwarding headers are believed.
    pub trusted_proxies: Vec<Cidr>,
    /// Most connections at a time.
    pub http_connections_max: usize,
    /// Most of them of one address.
    pub http_connections_per_address_max: usize,
    /// How long a stopping server waits.
    pub shutdown_timeout: Duration,
    /// Rooms come into being by being joined.
    pub auto_create: bool,
    /// Most rooms at a time.
    pub rooms_max: usize,
    /// Most users at a time, all rooms together.
    pub participants_max: usize,
    /// Most users in one room of scene `live`.
    pub live_users_max: usize,
    /// Folder of the meeting page, instead of the embedded one.
    pub meet_dir: Option<PathBuf>,
    /// Calls a second of one account and action of the vendor's server API.
    pub server_api_rate: u32,
    /// The same for actions that read usage statistics.
    pub server_api_usage_rate: u32,
    /// Most bytes of the monitoring database.
    pub monitoring_bytes_max: u64,
    /// Webhooks may reach private networks and this machine.
    pub webhook_private_networks: bool,
    /// Mail server, and the sender of mails.
    pub mail: Option<(SmtpUrl, Mailbox)>,
    /// Certificates of further authorities, trusted when webhooks and mails are sent.
    pub trusted_ca: Option<PathBuf>,
    /// What is logged.
    pub log: LogLevel,
    /// How it is logged.
    pub log_format: LogFormat,
}

/// What concerns the relay.
#[derive(Debug, Clone)]
pub struct TurnSettings {
    /// Port over UDP.
    pub port: u16,
    /// Port over TLS.
    pub tls_port: u16,
    /// The same as clients are told; 0: `tls_port`.
    pub tls_external_port: u16,
    /// Under which clients reach it; may be empty.
    pub host: String,
    /// Most allocations.
    pub allocations_max: usize,
    /// Bits a second of each, each way.
    pub bandwidth_max_bps: u64,
}

impl TurnSettings {
    fn new(layers: &Layers) -> Self {
        Self {
            port: number(layers, "turn_port", 0),
            tls_port: number(layers, "turn_tls_port", 0),
            tls_external_port: number(layers, "turn_tls_external_port", 0),
            host: layers.get("turn_host").to_owned(),
            allocations_max: number(layers, "turn_allocations_max", 1_000),
            bandwidth_max_bps: 1_000 * number(layers, "turn_bandwidth_max", 10_000_u64),
        }
    }
}

impl Settings {
    /// Types the values and checks that they go together.
    ///
    /// # Errors
    /// [`ConfigError::Conflict`] for values that do not go together.
    pub fn new(layers: &Layers) -> Result<Self, ConfigError> {
        let path = |name: &str| Some(layers.get(name)).filter(|p| !p.is_empty()).map(PathBuf::from);
        let settings = Self {
            dev: layers.get("dev") == "true",
            data_dir: path("data_dir"),
            http: SocketAddr::new(address(layers, "http_address"), number(layers, "http_port", 0)),
            udp: SocketAddr::new(address(layers, "udp_address"), number(layers, "udp_port", 0)),
            tcp_port: (layers.get("ice_tcp") == "true").then(|| number(layers, "tcp_port", 0)),
            turn: (layers.get("turn") == "true").then(|| TurnSettings::new(layers)),
            media_threads: number(layers, "media_threads", 0),
            media_pinning: layers.get("media_pinning") == "true",
            media_imbalance_max: number(layers, "media_imbalance_max", 100),
            congestion_control: layers.get("congestion_control") == "true",
            advertise: list(layers.get("advertised_addresses"))
                .filter_map(|a| a.parse().ok())
                .collect(),
            external_url: Some(layers.get("external_url").trim_end_matches('/').to_owned())
                .filter(|url| !url.is_empty()),
            tls: path("tls_cert").zip(path("tls_key")),
            tls_check_interval: Duration::from_secs(number(layers, "tls_check_interval", 30)),
            trusted_proxies: list(layers.get("trusted_proxies"))
                .filter_map(|n| n.parse().ok())
                .collect(),
            http_connections_max: number(layers, "http_connections_max", 10_000),
            http_connections_per_address_max: number(
                layers,
                "http_connections_per_address_max",
                2_000,
            ),
            shutdown_timeout: Duration::from_secs(number(layers, "shutdown_timeout", 10)),
            auto_create: layers.get("auto_create") == "true",
            rooms_max: number(layers, "rooms_max", 10_000),
            participants_max: number(layers, "participants_max", 20_000),
            live_users_max: number(layers, "live_users_max", 10_000),
            meet_dir: path("meet_dir"),
            server_api_rate: number(layers, "server_api_rate", 20),
            server_api_usage_rate: number(layers, "server_api_usage_rate", 5),
            monitoring_bytes_max: number(
                layers,
                "monitoring_bytes_max",
                fermata_store::limits::MONITORING_BYTES_MAX,
            ),
            webhook_private_networks: layers.get("webhook_private_networks") == "true",
            mail: layers.get("smtp_url").parse().ok().zip(layers.get("mail_from").parse().ok()),
            trusted_ca: path("trusted_ca"),
            log: layers.get("log").parse().map_err(|()| ConfigError::Conflict {
                key: "log",
                value: layers.get("log").to_owned(),
                problem: "it cannot be read".to_owned(),
            })?,
            log_format: match layers.get("log_format") {
                "text" => LogFormat::Text,
                "json" => LogFormat::Json,
                _ => LogFormat::Auto,
            },
        };
        settings.check(layers)?;
        Ok(settings)
    }

    /// The node's limits: those that are configured, and the defaults of the others.
    pub fn limits(&self) -> fermata_sfu::Limits {
        fermata_sfu::Limits {
            rooms_max: self.rooms_max,
            participants_max: self.participants_max,
            live_users_max: self.live_users_max,
            imbalance_max: self.media_imbalance_max,
            congestion_control: self.congestion_control,
            // The rest is for everybody else; a small node is nobody's to share.
            connecting_max: (self.participants_max / 4 * 3).max(self.participants_max.min(100)),
            ..fermata_sfu::Limits::default()
        }
    }

    fn check(&self, layers: &Layers) -> Result<(), ConfigError> {
        let conflict = |key: &'static str, problem: &str| {
            let kind = super::key(key).map(|key| key.kind);
            Err(ConfigError::Conflict {
                key,
                value: kind.map_or_else(String::new, |kind| kind.shown(layers.get(key))),
                problem: problem.to_owned(),
            })
        };
        for (key, other) in [
            ("tls_cert", "tls_key"),
            ("tls_key", "tls_cert"),
            ("smtp_url", "mail_from"),
            ("mail_from", "smtp_url"),
        ] {
            if layers.get(key).is_empty() && !layers.get(other).is_empty() {
                return conflict(key, &format!("{other} is set; set both or neither"));
            }
        }
        if let Some(tcp) = self.tcp_port.filter(|port| *port != 0) {
            if tcp == self.udp.port() {
                return conflict(
                    "tcp_port",
                    "udp_port is the same; a media thread needs two numbers",
                );
            }
            if tcp == self.http.port() {
                return conflict("tcp_port", "http_port is the same, and TCP too");
            }
        }
        if !self.dev {
            if self.data_dir.is_none() {
                return conflict("data_dir", "it takes a folder; only --dev works without one");
            }
            return Ok(());
        }
        for (key, address) in [("http_address", self.http.ip()), ("udp_address", self.udp.ip())] {
            if !address.is_loopback() {
                return conflict(
                    key,
                    "development mode takes loopback addresses only, such as 127.0.0.1",
                );
            }
        }
        if !self.advertise.iter().all(IpAddr::is_loopback) {
            return conflict(
                "advertised_addresses",
                "development mode takes loopback addresses only, such as 127.0.0.1",
            );
        }
        if !self.trusted_proxies.is_empty() {
            return conflict(
                "trusted_proxies",
                "development mode takes none: it is reached directly",
            );
        }
        if self.external_url.is_some() {
            return conflict(
                "external_url",
                "development mode takes none: it is reached on loopback only",
            );
        }
        Ok(())
    }
}

/// The address of a key that was checked already.
fn address(layers: &Layers, name: &str) -> IpAddr {
    layers.get(name).parse().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

/// The number of a key that was checked already.
fn number<T: FromStr>(layers: &Layers, name: &str, otherwise: T) -> T {
    layers.get(name).parse().unwrap_or(otherwise)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_as_configured_and_their_defaults_are_the_node_s() {
        let limits = |flags: &[(&'static str, &str)]| {
            let flags = flags.iter().map(|(k, v)| (*k, (*v).to_owned())).collect();
            let layers = Layers::merge(&flags, None, &std::collections::BTreeMap::new()).unwrap();
            let limits = Settings::new(&layers).unwrap().limits();
            (limits.rooms_max, limits.participants_max, limits.live_users_max)
        };
        for (participants_max, connecting_max) in [("2", 2), ("120", 100), ("20000", 15_000)] {
            let flags = [("participants_max", participants_max.to_owned())].into();
            let layers = Layers::merge(&flags, None, &std::collections::BTreeMap::new()).unwrap();
            assert_eq!(Settings::new(&layers).unwrap().limits().connecting_max, connecting_max);
        }
        let own = fermata_sfu::Limits::default();
        assert_eq!(limits(&[]), (own.rooms_max, own.participants_max, own.live_users_max));
        let flags = [("rooms_max", "1"), ("participants_max", "2"), ("live_users_max", "3")];
        assert_eq!(limits(&flags), (1, 2, 3));
    }

    fn check(flags: &[(&'static str, &str)], expected: Option<&str>) {
        let flags = flags.iter().map(|(k, v)| (*k, (*v).to_owned())).collect();
        let layers = Layers::merge(&flags, None, &std::collections::BTreeMap::new()).unwrap();
        match (Settings::new(&layers), expected) {
            (Ok(_), None) => {}
            (Err(e), Some(key)) => assert!(e.to_string().starts_with(key), "{e}"),
            (result, expected) => panic!("{result:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn values_must_go_together() {
        check(&[], None);
        check(&[("dev", "true")], None);
        check(&[("dev", "true"), ("http_address", "::1")], None);
        check(&[("dev", "true"), ("http_address", "0.0.0.0")], Some("http_address"));
        check(&[("dev", "true"), ("udp_address", "192.0.2.1")], Some("udp_address"));
        check(
            &[("dev", "true"), ("advertised_addresses", "192.0.2.1")],
            Some("advertised_addresses"),
        );
        check(&[("dev", "true"), ("trusted_proxies", "127.0.0.1")], Some("trusted_proxies"));
        check(&[("dev", "true"), ("external_url", "https://x.example")], Some("external_url"));
        check(&[("tls_cert", "/x")], Some("tls_key"));
        check(&[("tls_key", "/x")], Some("tls_cert"));
        check(&[("smtp_url", "smtps://mail.example")], Some("mail_from"));
        check(&[("mail_from", "a@b.example")], Some("smtp_url"));
        check(&[("smtp_url", "smtps://mail.example"), ("mail_from", "a@b.example")], None);
        check(&[("data_dir", "")], Some("data_dir"));
    }
}
