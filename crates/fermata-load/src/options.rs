//! What to run, and its bounds.

use std::net::IpAddr;
use std::time::Duration;

/// Most clients in one run.
pub const CLIENTS_MAX: u32 = 1_000;
/// Longest run, seconds.
pub const SECONDS_MAX: u64 = 600;

/// Who publishes what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Everybody publishes audio and video and receives everybody else.
    Meeting,
    /// One publishes audio and video; the rest receive.
    Live,
    /// Ten (or all, if fewer) publish audio; everybody receives it.
    Audio,
}

impl Shape {
    /// All shapes with the names they have on the command line.
    pub const NAMES: &'static [(&'static str, Self)] =
        &[("meeting", Self::Meeting), ("live", Self::Live), ("audio", Self::Audio)];

    /// How many of `clients` publish.
    pub fn publishers(self, clients: u32) -> u32 {
        match self {
            Self::Meeting => clients,
            Self::Live => clients.min(1),
            Self::Audio => clients.min(10),
        }
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Meeting => "meeting",
            Self::Live => "live",
            Self::Audio => "audio",
        }
    }
}

/// A bounded run against a server on this machine.
#[derive(Debug, Clone)]
pub struct Options {
    /// `ws://` URL of the server; a loopback address.
    pub url: String,
    /// API key and secret with which tokens are made.
    pub key: String,
    /// See `key`.
    pub secret: String,
    /// Room; with several of them, the stem of their names.
    pub room: String,
    /// Rooms alike at the same time, 1 to [`CLIENTS_MAX`] clients in all of them together.
    pub rooms: u32,
    /// Who publishes what.
    pub shape: Shape,
    /// Clients in each room, 1 to [`CLIENTS_MAX`].
    pub clients: u32,
    /// How long to measure once all are in, 1 to [`SECONDS_MAX`].
    pub seconds: u64,
    /// One connection (`/rtc/v1`) instead of two.
    pub single_connection: bool,
    /// Publish video in three layers.
    pub simulcast: bool,
    /// The server's process, to read what it costs.
    pub server_pid: Option<u32>,
}

/// An option outside what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{option} is {value:?}; allowed is {allowed}")]
pub struct OptionError {
    /// Which.
    pub option: &'static str,
    /// As given.
    pub value: String,
    /// What would do.
    pub allowed: String,
}

impl Options {
    /// Checks every bound.
    ///
    /// # Errors
    /// [`OptionError`] names the first option that is outside. Only loopback servers are allowed:
    /// this is a measuring tool, and a load on somebody else's machine is an attack.
    pub fn check(&self) -> Result<(), OptionError> {
        let error =
            |option, value: String, allowed: String| Err(OptionError { option, value, allowed });
        if !(1..=CLIENTS_MAX).contains(&self.clients) {
            return error("clients", self.clients.to_string(), format!("1 to {CLIENTS_MAX}"));
        }
        let rooms_max = CLIENTS_MAX / self.clients;
        if !(1..=rooms_max).contains(&self.rooms) {
            let allowed = format!("1 to {rooms_max}, for {CLIENTS_MAX} clients in all");
            return error("rooms", self.rooms.to_string(), allowed);
        }
        if !(1..=SECONDS_MAX).contains(&self.seconds) {
            return error("seconds", self.seconds.to_string(), format!("1 to {SECONDS_MAX}"));
        }
        if !is_loopback(&self.url) {
            let allowed = "ws:// or http:// to localhost, 127.0.0.0/8 or [::1]".to_owned();
            return error("url", self.url.clone(), allowed);
        }
        Ok(())
    }

    /// The measured time.
    pub fn duration(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

fn is_loopback(url: &str) -> bool {
    let Some(rest) = ["ws://", "http://"].iter().find_map(|scheme| url.strip_prefix(scheme)) else {
        return false;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or("");
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(url: &str) -> Options {
        Options {
            url: url.to_owned(),
            key: String::new(),
            secret: String::new(),
            room: String::new(),
            rooms: 1,
            shape: Shape::Meeting,
            clients: 2,
            seconds: 5,
            single_connection: false,
            simulcast: false,
            server_pid: None,
        }
    }

    #[test]
    fn only_this_machine() {
        for url in ["ws://127.0.0.1:7880", "http://localhost/", "ws://[::1]:1", "ws://127.9.9.9"] {
            assert_eq!(options(url).check(), Ok(()), "{url}");
        }
        for url in [
            "ws://10.0.0.1:7880",
            "ws://example.org",
            "wss://127.0.0.1",
            "ws://localhost.evil",
            "ws://u@8.8.8.8:1",
        ] {
            assert_eq!(options(url).check().map_err(|e| e.option), Err("url"), "{url}");
        }
    }

    #[test]
    fn bounded() {
        let too_many = Options { clients: CLIENTS_MAX + 1, ..options("ws://127.0.0.1") };
        assert_eq!(too_many.check().map_err(|e| e.option), Err("clients"));
        let too_full = Options { rooms: CLIENTS_MAX / 2 + 1, ..options("ws://127.0.0.1") };
        assert_eq!(too_full.check().map_err(|e| e.option), Err("rooms"));
        let too_long = Options { seconds: SECONDS_MAX + 1, ..options("ws://127.0.0.1") };
        assert_eq!(too_long.check().map_err(|e| e.option), Err("seconds"));
    }
}
