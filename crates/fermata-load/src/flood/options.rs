//! What to flood with, and its bounds.

use std::net::SocketAddr;

use crate::options::OptionError;

/// Most datagrams of garbage a second.
pub const GARBAGE_RATE_MAX: u32 = 1_000_000;
/// Most ports that garbage comes from.
pub const GARBAGE_PORTS_MAX: u32 = 4_096;
/// Most joins a second while handshakes are opened.
pub const JOIN_RATE_MAX: u32 = 2_000;
/// Most half-open handshakes.
pub const HANDSHAKES_MAX: u32 = 40_000;
/// Most times the announced rate that a publisher sends.
pub const FACTOR_MAX: u32 = 50;
/// Most publishers that send more than they announced.
pub const PUBLISHERS_MAX: u32 = 32;
/// Longest flood, seconds.
pub const SECONDS_MAX: u64 = 600;
/// Most datagrams in one call to the kernel.
pub const RUN_MAX: u32 = 64;

/// What the flood is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Datagrams to the media port that belong to nobody, or pretend to.
    Garbage,
    /// Joins that check a path, begin DTLS and go no further; and beginnings of DTLS without any path.
    Handshakes,
    /// Publishers that send a multiple of the rate that they announced.
    Overrate,
}

impl Kind {
    /// All kinds with the names they have on the command line.
    pub const NAMES: &'static [(&'static str, Self)] = &[
        ("garbage", Self::Garbage),
        ("handshakes", Self::Handshakes),
        ("overrate", Self::Overrate),
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Garbage => "garbage",
            Self::Handshakes => "handshakes",
            Self::Overrate => "overrate",
        }
    }

    /// What is used where no rate is given: datagrams a second, joins a second, times the announced rate.
    pub fn default_rate(self) -> u32 {
        match self {
            Self::Garbage => 100_000,
            Self::Handshakes => 250,
            Self::Overrate => 10,
        }
    }

    /// What is used where no count is given: source ports, handshakes, publishers.
    pub fn default_count(self) -> u32 {
        match self {
            Self::Garbage => 256,
            Self::Handshakes => 10_000,
            Self::Overrate => 2,
        }
    }

    fn rate_max(self) -> u32 {
        match self {
            Self::Garbage => GARBAGE_RATE_MAX,
            Self::Handshakes => JOIN_RATE_MAX,
            Self::Overrate => FACTOR_MAX,
        }
    }

    fn count_max(self) -> u32 {
        match self {
            Self::Garbage => GARBAGE_PORTS_MAX,
            Self::Handshakes => HANDSHAKES_MAX,
            Self::Overrate => PUBLISHERS_MAX,
        }
    }
}

/// A bounded flood of a server on this machine.
#[derive(Debug, Clone)]
pub struct FloodOptions {
    /// `ws://` URL of the server; a loopback address.
    pub url: String,
    /// API key and secret with which tokens are made.
    pub key: String,
    /// See `key`.
    pub secret: String,
    /// Room of the publishers; for the other kinds the stem of the names of rooms.
    pub room: String,
    /// What it is made of.
    pub kind: Kind,
    /// See [`Kind::default_rate`].
    pub rate: u32,
    /// See [`Kind::default_count`].
    pub count: u32,
    /// How long it lasts; handshakes are opened within it and then stay, seconds, 1 to [`SECONDS_MAX`].
    pub seconds: u64,
    /// Datagrams of garbage in one call to the kernel, 1 to [`RUN_MAX`].
    pub run: u32,
    /// Garbage goes to a socket of our own that nobody reads: what the flood costs whoever shares its core.
    pub elsewhere: bool,
    /// The server's process, to read its memory.
    pub server_pid: Option<u32>,
}

impl FloodOptions {
    /// Checks every bound.
    ///
    /// # Errors
    /// [`OptionError`] names the first option that is outside.
    pub fn check(&self) -> Result<(), OptionError> {
        within("rate", self.rate.into(), self.kind.rate_max().into())?;
        within("count", self.count.into(), self.kind.count_max().into())?;
        within("seconds", self.seconds, SECONDS_MAX)?;
        within("run", self.run.into(), RUN_MAX.into())?;
        self.authority().map(|_| ())
    }

    /// Host and port of the server. Only addresses of this machine, in figures or as `localhost`.
    ///
    /// # Errors
    /// [`OptionError`] for every other address: a flood of somebody else's machine is an attack.
    pub(super) fn authority(&self) -> Result<String, OptionError> {
        let refused = || OptionError {
            option: "url",
            value: self.url.clone(),
            allowed: "ws:// or http://, an address of loopback or localhost, and a port".to_owned(),
        };
        let rest = ["ws://", "http://"].iter().find_map(|scheme| self.url.strip_prefix(scheme));
        let authority = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
        let authority = authority.ok_or_else(refused)?;
        let named = authority.strip_prefix("localhost:").filter(|port| port.parse::<u16>().is_ok());
        let figures = authority.parse::<SocketAddr>().is_ok_and(|at| at.ip().is_loopback());
        if named.is_some() || figures { Ok(authority.to_owned()) } else { Err(refused()) }
    }
}

fn within(option: &'static str, value: u64, max: u64) -> Result<(), OptionError> {
    if (1..=max).contains(&value) {
        return Ok(());
    }
    Err(OptionError { option, value: value.to_string(), allowed: format!("1 to {max}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(url: &str) -> FloodOptions {
        let kind = Kind::Garbage;
        FloodOptions {
            url: url.to_owned(),
            key: String::new(),
            secret: String::new(),
            room: "flood".to_owned(),
            kind,
            rate: kind.default_rate(),
            count: kind.default_count(),
            seconds: 1,
            run: 1,
            elsewhere: false,
            server_pid: None,
        }
    }

    #[test]
    fn only_this_machine() {
        for url in
            ["ws://127.0.0.1:7880", "http://localhost:80/", "ws://[::1]:1", "ws://127.9.9.9:5"]
        {
            assert_eq!(options(url).check(), Ok(()), "{url}");
        }
        let foreign = [
            "ws://10.0.0.1:7880",
            "ws://example.org:80",
            "wss://127.0.0.1:443",
            "ws://localhost.evil:80",
            "ws://127.0.0.1:80@8.8.8.8:1",
            "ws://127.0.0.1",
        ];
        for url in foreign {
            assert_eq!(options(url).check().map_err(|e| e.option), Err("url"), "{url}");
        }
    }

    #[test]
    fn bounded() {
        let base = || options("ws://127.0.0.1:1");
        for (option, outside) in [
            ("rate", FloodOptions { rate: GARBAGE_RATE_MAX + 1, ..base() }),
            (
                "rate",
                FloodOptions { kind: Kind::Overrate, rate: FACTOR_MAX + 1, count: 1, ..base() },
            ),
            ("count", FloodOptions { count: 0, ..base() }),
            ("seconds", FloodOptions { seconds: SECONDS_MAX + 1, ..base() }),
            ("run", FloodOptions { run: RUN_MAX + 1, ..base() }),
        ] {
            assert_eq!(outside.check().map_err(|e| e.option), Err(option));
        }
    }

    #[test]
    fn what_is_used_by_default_is_allowed() {
        for (_, kind) in Kind::NAMES {
            let options = FloodOptions {
                kind: *kind,
                rate: kind.default_rate(),
                count: kind.default_count(),
                ..options("ws://127.0.0.1:1")
            };
            assert_eq!(options.check(), Ok(()), "{}", kind.name());
        }
    }
}
