//! The table of keys. A new key is a row here and a field of [`crate::config::Settings`].

/// What a value must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`; as a flag, the bare flag means `true`.
    Switch,
    /// A port, 0 to 65535; 0 lets the system choose.
    Port,
    /// A whole number between two bounds, inclusive.
    Number {
        /// Least.
        min: u64,
        /// Most.
        max: u64,
    },
    /// An IPv4 or IPv6 address.
    Address,
    /// IPv4 or IPv6 addresses, separated by commas; may be empty.
    Addresses,
    /// Networks as `10.0.0.0/8`, or single addresses, separated by commas; may be empty.
    Networks,
    /// A path; may be empty where the effect says so.
    Path,
    /// A host name (RFC 1123 section 2.1), or an IPv4 or IPv6 address; may be empty.
    Host,
    /// An `http://` or `https://` URL without a query; may be empty.
    Url,
    /// The URL of a mail server; may be empty. Its password is never shown.
    SmtpUrl,
    /// A mail address, or a name and one; may be empty.
    Mailbox,
    /// A log filter: a level, or `target=level` pairs separated by commas.
    LogFilter,
    /// One of these words.
    Choice(&'static [&'static str]),
}

impl Kind {
    /// A value as it may be shown: without a password.
    pub fn shown(self, value: &str) -> String {
        if self == Self::SmtpUrl { super::smtp::shown(value) } else { value.to_owned() }
    }

    /// What is allowed, as the end of the sentence "this key takes ...".
    pub fn allowed(self) -> String {
        match self {
            Self::Switch => "true or false".to_owned(),
            Self::Port => "a port number from 0 to 65535 (0 = any free one)".to_owned(),
            Self::Number { min, max } => format!("a whole number from {min} to {max}"),
            Self::Address => "an IPv4 or IPv6 address".to_owned(),
            Self::Addresses => "IPv4 or IPv6 addresses, separated by commas".to_owned(),
            Self::Networks => {
                "networks such as 10.0.0.0/8 or single addresses, separated by commas".to_owned()
            }
            Self::Path => "a path without NUL characters".to_owned(),
            Self::Host => {
                "a host name such as turn.example.org, an IPv4 or IPv6 address, or nothing"
                    .to_owned()
            }
            Self::Url => {
                "an http:// or https:// URL without query and fragment, or nothing".to_owned()
            }
            Self::SmtpUrl => {
                "smtps://user:password@host, smtp://host?tls=required or smtp://host, each with a \
                              port if it is not the usual one, or nothing"
                    .to_owned()
            }
            Self::Mailbox => {
                "a mail address such as Fermata <notices@example.org>, or nothing".to_owned()
            }
            Self::LogFilter => {
                "error, warn, info, debug, trace or off, or target=level pairs separated by commas"
                    .to_owned()
            }
            Self::Choice(words) => format!("one of {}", words.join(", ")),
        }
    }
}

/// One configuration key: everything that is known about it.
#[derive(Debug)]
pub struct Key {
    /// Name in the file; the variable is `FERMATA_` and this in capitals.
    pub name: &'static str,
    /// The flag, without its dashes: the name with `-` for `_`.
    pub flag: &'static str,
    /// What the value must look like.
    pub kind: Kind,
    /// Unit of the value; empty where it has none.
    pub unit: &'static str,
    /// Default; empty means "nothing".
    pub default: &'static str,
    /// Default with `--dev`, where it differs.
    pub default_dev: Option<&'static str>,
    /// What it does, in sentences.
    pub effect: &'static str,
}

impl Key {
    /// The environment variable.
    pub fn variable(&self) -> String {
        format!("FERMATA_{}", self.name.to_uppercase())
    }

    /// The default in a mode.
    pub fn default_in(&self, dev: bool) -> &'static str {
        match self.default_dev {
            Some(value) if dev => value,
            _ => self.default,
        }
    }
}

/// The key of a name, if there is one.
pub fn key(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// Every key, in the order in which they are printed.
pub const KEYS: &[Key] = &[
    Key {
        name: "dev",
        flag: "dev",
        kind: Kind::Switch,
        unit: "",
        default: "false",
        default_dev: None,
        effect: "Development mode: loopback only, fixed and public credentials, one ready account and \
                 application, requests checked for Host and Origin. Never for real use.",
    },
    Key {
        name: "data_dir",
        flag: "data-dir",
        kind: Kind::Path,
        unit: "",
        default: "/var/lib/fermata",
        default_dev: Some(""),
        effect: "Folder of the database, the usage log, the key of stored secrets and the backups. It is \
                 created if it is missing. In development mode, empty means a temporary folder that is \
                 removed at the end.",
    },
    Key {
        name: "http_address",
        flag: "http-address",
        kind: Kind::Address,
        unit: "",
        default: "127.0.0.1",
        default_dev: None,
        effect: "Address on which HTTP and WebSocket are served. The default suits a reverse proxy on \
                 the same machine; 0.0.0.0 or :: serves every interface.",
    },
    Key {
        name: "http_port",
        flag: "http-port",
        kind: Kind::Port,
        unit: "",
        default: "7880",
        default_dev: None,
        effect: "Port of HTTP and WebSocket (TCP).",
    },
    Key {
        name: "udp_address",
        flag: "udp-address",
        kind: Kind::Address,
        unit: "",
        default: "0.0.0.0",
        default_dev: Some("127.0.0.1"),
        effect: "Address on which media is received.",
    },
    Key {
        name: "udp_port",
        flag: "udp-port",
        kind: Kind::Port,
        unit: "",
        default: "7882",
        default_dev: None,
        effect: "First port of media (UDP). Each media thread has one of its own, upwards from this one: four threads \
                 use 7882 to 7885. Clients must be able to reach all of them.",
    },
    Key {
        name: "ice_tcp",
        flag: "ice-tcp",
        kind: Kind::Switch,
        unit: "",
        default: "true",
        default_dev: None,
        effect: "Take media over TCP too (RFC 6544), for clients behind firewalls that let no UDP through. Clients use it \
                 only where UDP does not work.",
    },
    Key {
        name: "tcp_port",
        flag: "tcp-port",
        kind: Kind::Port,
        unit: "",
        default: "7881",
        default_dev: None,
        effect: "First port of media over TCP, on udp_address. Each media thread has one of its own, upwards from this \
                 one. It is another number than udp_port, so that no thread has the same number twice; the ranges may \
                 overlap otherwise.",
    },
    Key {
        name: "turn",
        flag: "turn",
        kind: Kind::Switch,
        unit: "",
        default: "true",
        default_dev: Some("false"),
        effect: "Run a relay (TURN) for clients that reach none of the media ports, on udp_address. It relays to this \
                 server's media ports alone.",
    },
    Key {
        name: "turn_port",
        flag: "turn-port",
        kind: Kind::Port,
        unit: "",
        default: "3478",
        default_dev: None,
        effect: "Port of the relay over UDP.",
    },
    Key {
        name: "turn_tls_port",
        flag: "turn-tls-port",
        kind: Kind::Port,
        unit: "",
        default: "5349",
        default_dev: None,
        effect: "Port of the relay over TLS (TCP). It uses tls_cert and tls_key; without them there is no relay over \
                 TLS.",
    },
    Key {
        name: "turn_tls_external_port",
        flag: "turn-tls-external-port",
        kind: Kind::Port,
        unit: "",
        default: "0",
        default_dev: None,
        effect: "Port that clients are told for the relay over TLS, where something before this server passes it on, \
                 such as 443. 0 means turn_tls_port.",
    },
    Key {
        name: "turn_host",
        flag: "turn-host",
        kind: Kind::Host,
        unit: "",
        default: "",
        default_dev: None,
        effect: "Name or address under which clients reach the relay; over TLS a name of the certificate. Empty means \
                 the host of external_url, or else the first address for media.",
    },
    Key {
        name: "turn_allocations_max",
        flag: "turn-allocations-max",
        kind: Kind::Number { min: 1, max: 1_000_000 },
        unit: "",
        default: "1000",
        default_dev: None,
        effect: "Most connections through the relay at a time. A client uses two or more.",
    },
    Key {
        name: "turn_bandwidth_max",
        flag: "turn-bandwidth-max",
        kind: Kind::Number { min: 100, max: 1_000_000 },
        unit: "kbit/s",
        default: "10000",
        default_dev: None,
        effect: "What one connection through the relay may carry, each way. What is more is dropped.",
    },
    Key {
        name: "media_threads",
        flag: "media-threads",
        kind: Kind::Number { min: 0, max: fermata_node::limits::SHARDS_MAX as u64 },
        unit: "",
        default: "0",
        default_dev: None,
        effect: "Threads that move media packets, each with a UDP port and a TCP port of its own. Rooms are spread over them, and a \
                 large room uses several. 0 means one for each processor that this program may use.",
    },
    Key {
        name: "media_pinning",
        flag: "media-pinning",
        kind: Kind::Switch,
        unit: "",
        default: "true",
        default_dev: Some("false"),
        effect: "Keep each media thread to one processor. Switch it off where other busy programs share the machine.",
    },
    Key {
        name: "media_imbalance_max",
        flag: "media-imbalance-max",
        kind: Kind::Number { min: 0, max: 1_000_000 },
        unit: "streams",
        default: "100",
        default_dev: None,
        effect: "How much more than the idlest media thread one may have to do before newcomers of its rooms are \
                 served by that one; everybody counts as one stream, and every track that somebody receives. Low \
                 values spread rooms early, at the price of carrying packets between threads.",
    },
    Key {
        name: "congestion_control",
        flag: "congestion-control",
        kind: Kind::Switch,
        unit: "",
        default: "true",
        default_dev: None,
        effect: "Estimate what the path to each receiver can take, and where there is not room for everything let \
                 pictures give way to sound: fewer pictures a second, lower layers, then pauses, by priority. \
                 Switched off, everybody is sent everything that they ask for, whether it fits or not.",
    },
    Key {
        name: "advertised_addresses",
        flag: "advertised-addresses",
        kind: Kind::Addresses,
        unit: "",
        default: "",
        default_dev: None,
        effect: "Addresses that are told to clients for media, such as the public address of a machine \
                 behind NAT. Empty means udp_address or, where that is 0.0.0.0 or ::, the address of the \
                 interface that has the default route.",
    },
    Key {
        name: "external_url",
        flag: "external-url",
        kind: Kind::Url,
        unit: "",
        default: "",
        default_dev: None,
        effect: "URL under which clients reach this server, as https://rtc.example.org. It is handed out \
                 with tokens and on pages. Empty means: what the request says.",
    },
    Key {
        name: "tls_cert",
        flag: "tls-cert",
        kind: Kind::Path,
        unit: "",
        default: "",
        default_dev: None,
        effect: "PEM file with the certificate chain. With tls_key it turns HTTP into HTTPS and WSS; \
                 empty means plain HTTP.",
    },
    Key {
        name: "tls_key",
        flag: "tls-key",
        kind: Kind::Path,
        unit: "",
        default: "",
        default_dev: None,
        effect: "PEM file with the private key of tls_cert.",
    },
    Key {
        name: "tls_check_interval",
        flag: "tls-check-interval",
        kind: Kind::Number { min: 1, max: 86_400 },
        unit: "s",
        default: "30",
        default_dev: None,
        effect: "How often the certificate files are looked at. Changed files are loaded while serving; \
                 unusable ones are logged and the old ones stay in use.",
    },
    Key {
        name: "trusted_proxies",
        flag: "trusted-proxies",
        kind: Kind::Networks,
        unit: "",
        default: "",
        default_dev: None,
        effect: "Reverse proxies whose Forwarded and X-Forwarded-* headers are believed. From anybody \
                 else these headers are ignored.",
    },
    Key {
        name: "http_connections_max",
        flag: "http-connections-max",
        kind: Kind::Number { min: 16, max: 1_000_000 },
        unit: "connections",
        default: "10000",
        default_dev: None,
        effect: "Most HTTP and WebSocket connections at a time; further ones are closed at once.",
    },
    Key {
        name: "http_connections_per_address_max",
        flag: "http-connections-per-address-max",
        kind: Kind::Number { min: 1, max: 1_000_000 },
        unit: "connections",
        default: "2000",
        default_dev: None,
        effect: "Most of these connections from one address (with IPv6, from one /64 network); further ones are \
                 closed at once. Many people may share an address. This machine and trusted_proxies are not counted.",
    },
    Key {
        name: "shutdown_timeout",
        flag: "shutdown-timeout",
        kind: Kind::Number { min: 1, max: 600 },
        unit: "s",
        default: "10",
        default_dev: None,
        effect: "How long a stopping server waits for connections to end before it closes them.",
    },
    Key {
        name: "auto_create",
        flag: "auto-create",
        kind: Kind::Switch,
        unit: "",
        default: "true",
        default_dev: None,
        effect: "Rooms come into being when the first user joins. Without it, a user whose token does not \
                 grant roomCreate is refused where there is no room.",
    },
    Key {
        name: "rooms_max",
        flag: "rooms-max",
        kind: Kind::Number { min: 1, max: 1_000_000 },
        unit: "rooms",
        default: "10000",
        default_dev: None,
        effect: "Most rooms at a time. A join that would make one more is refused with node_full.",
    },
    Key {
        name: "participants_max",
        flag: "participants-max",
        kind: Kind::Number { min: 1, max: 1_000_000 },
        unit: "users",
        default: "20000",
        default_dev: None,
        effect: "Most users at a time in all rooms together. Further ones are refused with node_full; who \
                 takes the place of an earlier stay of the same identity is not.",
    },
    Key {
        name: "live_users_max",
        flag: "live-users-max",
        kind: Kind::Number { min: 1, max: 1_000_000 },
        unit: "users",
        default: "10000",
        default_dev: None,
        effect: "Most users in one room of scene live, anchors and audience together. Further ones are \
                 refused with room_full. A room of scene call takes 300 in any case.",
    },
    Key {
        name: "meet_dir",
        flag: "meet-dir",
        kind: Kind::Path,
        unit: "",
        default: "",
        default_dev: None,
        effect: "Folder with a built meeting page to serve under /meet instead of the one inside the \
                 program. Empty means the one inside.",
    },
    Key {
        name: "server_api_rate",
        flag: "server-api-rate",
        kind: Kind::Number { min: 1, max: 100_000 },
        unit: "calls/s",
        default: "20",
        default_dev: None,
        effect: "Calls a second that one account may make of one action of the vendor's server API. More are \
                 answered RequestLimitExceeded.",
    },
    Key {
        name: "server_api_usage_rate",
        flag: "server-api-usage-rate",
        kind: Kind::Number { min: 1, max: 100_000 },
        unit: "calls/s",
        default: "5",
        default_dev: None,
        effect: "The same for the actions that read usage statistics. DescribeTrtcRoomUsage takes one call in \
                 15 seconds in any case.",
    },
    Key {
        name: "monitoring_bytes_max",
        flag: "monitoring-bytes-max",
        kind: Kind::Number { min: 1_048_576, max: 1_099_511_627_776 },
        unit: "bytes",
        default: "4294967296",
        default_dev: None,
        effect: "Most bytes that monitoring keeps of rooms, users, events and samples. Above, the oldest go \
                 before their 14 days are over.",
    },
    Key {
        name: "webhook_private_networks",
        flag: "webhook-private-networks",
        kind: Kind::Switch,
        unit: "",
        default: "false",
        default_dev: None,
        effect: "Webhooks may reach private networks and this machine itself, not public addresses only. The \
                 addresses of webhooks are given by customers, so this lets them send requests to whatever is \
                 there. In development mode this machine may be reached in any case.",
    },
    Key {
        name: "smtp_url",
        flag: "smtp-url",
        kind: Kind::SmtpUrl,
        unit: "",
        default: "",
        default_dev: None,
        effect: "Mail server for notices. smtps:// speaks TLS from the start, smtp:// with tls=required turns to \
                 TLS before anything else is said. Special characters in user and password are percent-encoded. \
                 A password is better kept in the file or the variable than in a flag. Empty means: notices by \
                 e-mail fail.",
    },
    Key {
        name: "mail_from",
        flag: "mail-from",
        kind: Kind::Mailbox,
        unit: "",
        default: "",
        default_dev: None,
        effect: "Sender of notices by e-mail.",
    },
    Key {
        name: "trusted_ca",
        flag: "trusted-ca",
        kind: Kind::Path,
        unit: "",
        default: "",
        default_dev: None,
        effect: "PEM file with certificates of authorities that are trusted for webhooks and mail, beside the \
                 public ones inside the program.",
    },
    Key {
        name: "log",
        flag: "log",
        kind: Kind::LogFilter,
        unit: "",
        default: "info",
        default_dev: None,
        effect: "What is logged (to standard error).",
    },
    Key {
        name: "log_format",
        flag: "log-format",
        kind: Kind::Choice(&["auto", "text", "json"]),
        unit: "",
        default: "auto",
        default_dev: None,
        effect: "Form of the log lines; auto is text on a terminal and JSON otherwise.",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_allowed_and_every_name_is_unique() {
        let mut names: Vec<_> = KEYS.iter().map(|key| key.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), KEYS.len());
        for key in KEYS {
            assert_eq!(key.flag, key.name.replace('_', "-"));
            for dev in [false, true] {
                let problem = super::super::value::check(key.kind, key.default_in(dev));
                assert_eq!(problem, None, "{}", key.name);
            }
            assert!(key.effect.ends_with('.'), "{}", key.name);
            assert!(!key.effect.contains("  "), "{}", key.name);
        }
    }
}
