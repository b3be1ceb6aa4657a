//! Who asks, and under which address the server was reached.
//!
//! Forwarding headers are believed only if the connection comes from a trusted proxy.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Uri, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::config::Cidr;
use crate::server::Shared;

/// The other end of a request; an extension of every request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The client's address, behind trusted proxies too.
    pub address: IpAddr,
    /// `https` or `http`, as the client sees it.
    pub scheme: &'static str,
    /// Host and port as the client wrote them; may be empty.
    pub host: String,
    /// The request comes from this machine: a loopback address, a loopback host, and nobody forwarded it
    /// unknown to us.
    pub local: bool,
}

impl Peer {
    /// Works out the peer of a request.
    pub fn of(socket: IpAddr, tls: bool, uri: &Uri, headers: &HeaderMap, trusted: &[Cidr]) -> Self {
        let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let host = uri.authority().map(axum::http::uri::Authority::as_str);
        let mut peer = Self {
            address: socket.to_canonical(),
            scheme: if tls { "https" } else { "http" },
            host: host.or_else(|| text(header::HOST.as_str())).unwrap_or_default().to_owned(),
            local: false,
        };
        let forwarded = ["forwarded", "x-forwarded-for", "x-forwarded-host"]
            .iter()
            .any(|name| headers.contains_key(*name));
        if is_trusted(socket) {
            peer.believe(headers, &is_trusted);
        }
        peer.local = peer.address.is_loopback()
            && host_is_loopback(&peer.host)
            && (!forwarded || is_trusted(socket));
        peer
    }

    /// Takes over what a trusted proxy says: the last address that is no trusted proxy itself.
    fn believe(&mut self, headers: &HeaderMap, is_trusted: &impl Fn(IpAddr) -> bool) {
        let all = |name: &str| {
            let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
            values
                .flat_map(|value| value.split(','))
                .map(|item| item.trim().to_owned())
                .collect::<Vec<_>>()
        };
        let elements = all("forwarded");
        let (addresses, proto, host) = if elements.is_empty() {
            let last = |name: &str| all(name).pop();
            (all("x-forwarded-for"), last("x-forwarded-proto"), last("x-forwarded-host"))
        } else {
            let addresses = elements.iter().filter_map(|e| parameter(e, "for")).collect();
            let last = elements.last();
            let find = |name: &str| last.and_then(|element| parameter(element, name));
            (addresses, find("proto"), find("host"))
        };
        for address in addresses.iter().rev() {
            let Some(address) = parse_address(address) else { break };
            self.address = address.to_canonical();
            if !is_trusted(address) {
                break;
            }
        }
        match proto.as_deref().map(str::to_ascii_lowercase).as_deref() {
            Some("https" | "wss") => self.scheme = "https",
            Some("http" | "ws") => self.scheme = "http",
            _ => {}
        }
        if let Some(host) = host.filter(|host| !host.is_empty()) {
            self.host = host;
        }
    }

    /// Base URL for WebSockets: the external one if configured, else what the request says.
    pub fn ws_url(&self, external: Option<&str>) -> String {
        let base =
            external.map_or_else(|| format!("{}://{}", self.scheme, self.host), str::to_owned);
        base.strip_prefix("http").map_or_else(|| base.clone(), |rest| format!("ws{rest}"))
    }
}

/// One parameter of an element of `Forwarded` (RFC 7239 section 4), unquoted.
fn parameter(element: &str, name: &str) -> Option<String> {
    element.split(';').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"').to_owned())
    })
}

/// An address, with or without a port, IPv6 with or without brackets.
fn parse_address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    text.parse::<IpAddr>()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
        .or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok())
}

/// Is this host (with or without a port) a name or an address of this machine alone?
pub fn host_is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or("", |(name, _)| name),
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

/// Middleware: puts the [`Peer`] into the request's extensions.
pub async fn attach(State(shared): State<Shared>, mut request: Request, next: Next) -> Response {
    let socket = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::from([0, 0, 0, 0]), |info| info.0.ip());
    let settings = &shared.settings;
    let peer = Peer::of(
        socket,
        settings.tls.is_some(),
        request.uri(),
        request.headers(),
        &settings.trusted_proxies,
    );
    request.extensions_mut().insert(peer);
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(socket: &str, headers: &[(&str, &str)]) -> Peer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(
                axum::http::HeaderName::from_bytes(name.as_bytes()).unwrap(),
                value.parse().unwrap(),
            );
        }
        let trusted: Vec<Cidr> = vec!["10.0.0.0/8".parse().unwrap(), "127.0.0.1".parse().unwrap()];
        Peer::of(socket.parse().unwrap(), false, &Uri::from_static("/rtc"), &map, &trusted)
    }

    #[test]
    fn forwarding_headers_count_only_from_trusted_proxies() {
        let xff = [
            ("host", "h"),
            ("x-forwarded-for", "203.0.113.7, 10.0.0.2"),
            ("x-forwarded-proto", "https"),
        ];
        let p = peer("10.0.0.1", &xff);
        assert_eq!((p.address, p.scheme), ("203.0.113.7".parse().unwrap(), "https"));
        let p = peer("192.0.2.1", &xff);
        assert_eq!((p.address, p.scheme), ("192.0.2.1".parse().unwrap(), "http"));
    }

    #[test]
    fn a_client_cannot_prepend_an_address() {
        let p = peer("10.0.0.1", &[("x-forwarded-for", "127.0.0.1, 203.0.113.7")]);
        assert_eq!(p.address, "203.0.113.7".parse::<IpAddr>().unwrap());
        let p = peer(
            "10.0.0.1",
            &[("x-forwarded-for", "127.0.0.1"), ("x-forwarded-for", "203.0.113.7")],
        );
        assert_eq!(p.address, "203.0.113.7".parse::<IpAddr>().unwrap());
    }

    #[test]
    fn the_standard_header_wins() {
        let p = peer(
            "10.0.0.1",
            &[
                ("forwarded", "for=\"[2001:db8::1]:47011\";proto=https;host=rtc.example"),
                ("x-forwarded-for", "203.0.113.7"),
            ],
        );
        assert_eq!(p.address, "2001:db8::1".parse::<IpAddr>().unwrap());
        assert_eq!(p.ws_url(None), "wss://rtc.example");
        assert_eq!(p.ws_url(Some("https://other.example")), "wss://other.example");
    }

    #[test]
    fn local_means_address_and_host_and_nobody_between() {
        assert!(peer("127.0.0.1", &[("host", "localhost:7880")]).local);
        assert!(!peer("127.0.0.1", &[("host", "rtc.example")]).local);
        assert!(!peer("192.0.2.1", &[("host", "localhost")]).local);
        assert!(!peer("127.0.0.2", &[("host", "localhost"), ("x-forwarded-for", "::1")]).local);
        let proxied = [("host", "localhost"), ("x-forwarded-for", "203.0.113.7")];
        assert!(!peer("127.0.0.1", &proxied).local);
    }

    #[test]
    fn loopback_hosts() {
        for host in
            ["localhost", "LOCALHOST:1", "a.localhost", "127.0.0.1:80", "[::1]:80", "127.9.9.9"]
        {
            assert!(host_is_loopback(host), "{host}");
        }
        for host in
            ["", "example.org", "localhost.example.org", "127.0.0.1.nip.io", "[::2]", "0.0.0.0"]
        {
            assert!(!host_is_loopback(host), "{host}");
        }
    }
}
