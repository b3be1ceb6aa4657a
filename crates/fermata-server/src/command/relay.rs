//! Starting the relay beside the node.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum_server::tls_rustls::RustlsConfig;
use fermata_sfu::Relays;
use fermata_transport::turn::TurnSecret;
use fermata_turn::core::{Bounds, Peer, Peers};
use fermata_turn::{TlsListen, TlsSource, Turn, TurnConfig};

use crate::config::{ConfigError, Settings};
use crate::server::Shared;
use crate::tls;

/// A relay that does not know its peers yet.
pub(super) struct Started {
    turn: Turn,
    /// What rooms tell clients.
    pub(super) relays: Relays,
    tls: Option<(tls::Files, RustlsConfig)>,
}

/// Binds the relay's sockets. `None` if it is switched off.
pub(super) async fn start(
    settings: &Settings,
    media: &[IpAddr],
) -> anyhow::Result<Option<Started>> {
    let Some(turn) = &settings.turn else { return Ok(None) };
    let secret = TurnSecret::new(&rand::random());
    let certificate = certificate(settings).await?;
    if certificate.is_none() {
        tracing::info!(
            "The relay (TURN) serves no TLS: there is no certificate (tls_cert, tls_key)."
        );
    }
    let ip = settings.udp.ip();
    let over_tls = certificate.as_ref().map(|(_, config)| {
        let config = config.clone();
        let source = TlsSource::new(move || config.get_inner());
        TlsListen { bind: SocketAddr::new(ip, turn.tls_port), source }
    });
    let config = TurnConfig {
        udp: Some(SocketAddr::new(ip, turn.port)),
        tls: over_tls,
        relay_ip: reached_at(ip),
        secret: secret.clone(),
        bounds: Bounds {
            allocations_max: turn.allocations_max,
            bandwidth_max_bps: turn.bandwidth_max_bps,
            ..Bounds::default()
        },
    };
    let running = Turn::start(config).await.map_err(|error| ConfigError::Conflict {
        key: if error.protocol == "UDP" { "turn_port" } else { "turn_tls_port" },
        value: error.bind.port().to_string(),
        problem: format!("{} cannot be used ({})", error.bind, error.source),
    })?;
    let external = settings.external_url.as_deref().and_then(|url| url::Url::parse(url).ok());
    let external = external.and_then(|url| url.host_str().map(str::to_owned));
    let first = media.first().map(|ip| in_url(*ip));
    let told = Some(&turn.host).filter(|host| !host.is_empty());
    let told = told.map(|host| host.parse().map_or_else(|_| host.clone(), in_url));
    let host = told.or(external).or(first);
    let host = host.unwrap_or_else(|| "127.0.0.1".to_owned());
    let udp = running.udp_address().map(|at| format!("turn:{host}:{}?transport=udp", at.port()));
    let over_tls = running.tls_address().map(|at| {
        let port = if turn.tls_external_port == 0 { at.port() } else { turn.tls_external_port };
        format!("turns:{host}:{port}?transport=tcp")
    });
    let urls: Vec<String> = udp.into_iter().chain(over_tls).collect();
    tracing::info!(?urls, "Relaying.");
    Ok(Some(Started { turn: running, relays: Relays { urls, secret }, tls: certificate }))
}

/// An address as the host of a URL: of IPv6 in brackets (RFC 7065 section 3.1, RFC 3986 section 3.2.2).
fn in_url(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

/// The certificate files, if there are any, and a configuration that can be exchanged.
async fn certificate(settings: &Settings) -> anyhow::Result<Option<(tls::Files, RustlsConfig)>> {
    let Some((cert, key)) = settings.tls.clone() else { return Ok(None) };
    let problem = |error: std::io::Error| tls::unusable(&cert, &error);
    let files = tls::Files::read(cert.clone(), key).await.map_err(problem)?;
    let config = files.config().await.map_err(problem)?;
    Ok(Some((files, config)))
}

impl Started {
    /// Lets it relay to the node's media ports, and keeps it and its certificate up to date.
    pub(super) fn join(self, shared: &Shared) {
        let ip = reached_at(shared.settings.udp.ip());
        let peers = shared
            .node
            .candidates()
            .iter()
            .map(|told| Peer { told: *told, actual: SocketAddr::new(ip, told.port()) });
        self.turn.set_peers(Peers::new(peers.collect()));
        let _ = shared.relay.set(Arc::new(self.turn));
        if let Some((files, config)) = self.tls {
            let every = shared.settings.tls_check_interval;
            tokio::spawn(files.watch(config, every, shared.clone()));
        }
    }
}

/// Where this machine reaches sockets that are bound to `ip`.
fn reached_at(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::from([127, 0, 0, 1]),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
        ip => ip,
    }
}
