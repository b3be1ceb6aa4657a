//! What to run, and its bounds.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use fermata_testkit::client::Layout;

pub use crate::limits::{
    BITRATE_MAX, CLIENTS_MAX, FPS_MAX, MESSAGES_MAX, PACKET_LEN_MAX, SECONDS_MAX,
};

/// Publishers of audio and of data where nothing else is asked for.
const PUBLISHERS_DEFAULT: u32 = 10;

/// Who publishes what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Everybody publishes audio and video and receives everybody else.
    Meeting,
    /// One publishes audio and video; the rest receive.
    Live,
    /// Ten (or as many as asked for) publish audio; everybody receives it.
    Audio,
    /// Ten (or as many as asked for) send data messages; everybody receives them.
    Data,
}

impl Shape {
    /// All shapes with the names they have on the command line.
    pub const NAMES: &'static [(&'static str, Self)] = &[
        ("meeting", Self::Meeting),
        ("live", Self::Live),
        ("audio", Self::Audio),
        ("data", Self::Data),
    ];

    /// How many of `clients` publish, if nothing else is asked for.
    pub fn publishers(self, clients: u32) -> u32 {
        match self {
            Self::Meeting => clients,
            Self::Live => clients.min(1),
            Self::Audio | Self::Data => clients.min(PUBLISHERS_DEFAULT),
        }
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Meeting => "meeting",
            Self::Live => "live",
            Self::Audio => "audio",
            Self::Data => "data",
        }
    }

    /// Tracks of one publisher: audio, video.
    pub(crate) fn tracks(self) -> (u32, u32) {
        match self {
            Self::Meeting | Self::Live => (1, 1),
            Self::Audio => (1, 0),
            Self::Data => (0, 0),
        }
    }
}

/// What publishers send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Media {
    /// Frames a second, 1 to [`FPS_MAX`].
    pub fps: u32,
    /// Bits a second of the largest layer, up to [`BITRATE_MAX`]; a layer below has a third.
    pub bitrate_bps: u64,
    /// Bytes of an audio packet, up to [`PACKET_LEN_MAX`].
    pub audio_len: usize,
    /// Milliseconds of an audio packet, 10 to 120.
    pub audio_ms: u32,
    /// Data messages a second of one publisher, every second one reliable; up to [`MESSAGES_MAX`].
    pub messages_per_second: u32,
    /// Bytes of a data message, up to [`PACKET_LEN_MAX`].
    pub message_len: usize,
}

impl Default for Media {
    fn default() -> Self {
        Self {
            fps: 25,
            bitrate_bps: 1_500_000,
            audio_len: 120,
            audio_ms: 20,
            messages_per_second: 20,
            message_len: 200,
        }
    }
}

/// A bounded run against a server on this machine.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub struct Options {
    /// `ws://` URL of the server; a loopback address.
    pub url: String,
    /// The server is Janus, with its `VideoRoom`.
    pub janus: bool,
    /// Own address from which clients send media. Janus refuses loopback addresses, and answers through the
    /// interface that has its own.
    pub bind: IpAddr,
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
    /// Clients in each room, publishers included, 1 to [`CLIENTS_MAX`].
    pub clients: u32,
    /// How many of them publish; `None` for what the shape says.
    pub publishers: Option<u32>,
    /// How long to measure once all are in, 1 to [`SECONDS_MAX`].
    pub seconds: u64,
    /// How long to stay after that, with figures now and then, up to [`SECONDS_MAX`].
    pub hold_seconds: u64,
    /// One connection (`/rtc/v1`) instead of two; receivers are whole clients then.
    pub single_connection: bool,
    /// Receivers are whole clients, which cost much more.
    pub whole_receivers: bool,
    /// Publish video in three layers.
    pub simulcast: bool,
    /// What is asked of the video tracks received.
    pub layout: Layout,
    /// What publishers send.
    pub media: Media,
    /// The server's process, to read what it costs.
    pub server_pid: Option<u32>,
}

impl Options {
    /// Ten clients in a meeting for ten seconds.
    pub fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            janus: false,
            bind: Ipv4Addr::LOCALHOST.into(),
            key: "devkey".to_owned(),
            secret: "secret".to_owned(),
            room: "load".to_owned(),
            rooms: 1,
            shape: Shape::Meeting,
            clients: 10,
            publishers: None,
            seconds: 10,
            hold_seconds: 0,
            single_connection: false,
            whole_receivers: false,
            simulcast: false,
            layout: Layout::All,
            media: Media::default(),
            server_pid: None,
        }
    }
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
        let in_range = |option, value: u64, low: u64, high: u64| {
            if (low..=high).contains(&value) {
                return Ok(());
            }
            Err(OptionError {
                option,
                value: value.to_string(),
                allowed: format!("{low} to {high}"),
            })
        };
        in_range("clients", self.clients.into(), 1, CLIENTS_MAX.into())?;
        let rooms_max = CLIENTS_MAX / self.clients;
        if !(1..=rooms_max).contains(&self.rooms) {
            let allowed = format!("1 to {rooms_max}, for {CLIENTS_MAX} clients in all");
            return error("rooms", self.rooms.to_string(), allowed);
        }
        let publishers = u64::from(self.publishers.unwrap_or(1));
        in_range("publishers", publishers, 1, self.clients.into())?;
        in_range("seconds", self.seconds, 1, SECONDS_MAX)?;
        in_range("hold", self.hold_seconds, 0, SECONDS_MAX)?;
        in_range("fps", self.media.fps.into(), 1, FPS_MAX.into())?;
        in_range("bitrate", self.media.bitrate_bps, 10_000, BITRATE_MAX)?;
        in_range("audio-len", self.media.audio_len as u64, 20, PACKET_LEN_MAX as u64)?;
        in_range("audio-ms", self.media.audio_ms.into(), 10, 120)?;
        in_range("message-len", self.media.message_len as u64, 16, PACKET_LEN_MAX as u64)?;
        in_range("messages", self.media.messages_per_second.into(), 1, MESSAGES_MAX.into())?;
        if !is_loopback(&self.url) {
            let allowed = "ws:// or http:// to localhost, 127.0.0.0/8 or [::1]".to_owned();
            return error("url", self.url.clone(), allowed);
        }
        if self.janus && (self.shape == Shape::Data || self.single_connection || self.rooms > 1) {
            let allowed = "audio, meeting or live in one room on two connections".to_owned();
            return error("janus", self.shape.name().to_owned(), allowed);
        }
        Ok(())
    }

    /// The measured time.
    pub fn duration(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// How many clients of a room publish.
    pub fn publishers(&self) -> u32 {
        self.publishers.unwrap_or_else(|| self.shape.publishers(self.clients))
    }

    /// Receivers are light.
    pub fn light(&self) -> bool {
        !self.whole_receivers && !self.single_connection
    }

    /// Tracks that arrive when everybody receives everything of everybody else that the layout shows.
    pub(crate) fn tracks_expected(&self) -> usize {
        let (audio, video) = self.shape.tracks();
        let shown = |others: u32| match self.layout {
            Layout::All => others * video,
            Layout::Grid(places) => (others * video).min(places),
        };
        let of_one = |others: u32| (others * audio + shown(others)) as usize;
        let publishers = self.publishers();
        let listeners = self.clients.saturating_sub(publishers);
        let in_room = publishers as usize * of_one(publishers.saturating_sub(1))
            + listeners as usize * of_one(publishers);
        in_room * self.rooms as usize
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

    #[test]
    fn only_this_machine() {
        for url in ["ws://127.0.0.1:7880", "http://localhost/", "ws://[::1]:1", "ws://127.9.9.9"] {
            assert_eq!(Options::new(url).check(), Ok(()), "{url}");
        }
        for url in [
            "ws://10.0.0.1:7880",
            "ws://example.org",
            "wss://127.0.0.1",
            "ws://localhost.evil",
            "ws://u@8.8.8.8:1",
        ] {
            assert_eq!(Options::new(url).check().map_err(|e| e.option), Err("url"), "{url}");
        }
    }

    #[test]
    fn bounded() {
        let good = Options::new("ws://127.0.0.1");
        let media = |media: Media| Options { media, ..good.clone() };
        for (options, named) in [
            (Options { clients: CLIENTS_MAX + 1, ..good.clone() }, "clients"),
            (Options { rooms: CLIENTS_MAX / 10 + 1, ..good.clone() }, "rooms"),
            (Options { publishers: Some(11), ..good.clone() }, "publishers"),
            (Options { seconds: SECONDS_MAX + 1, ..good.clone() }, "seconds"),
            (Options { hold_seconds: SECONDS_MAX + 1, ..good.clone() }, "hold"),
            (media(Media { fps: 0, ..Media::default() }), "fps"),
            (media(Media { bitrate_bps: BITRATE_MAX + 1, ..Media::default() }), "bitrate"),
            (Options { janus: true, shape: Shape::Data, ..good.clone() }, "janus"),
        ] {
            assert_eq!(options.check().map_err(|e| e.option), Err(named));
        }
    }

    #[test]
    fn everybody_is_expected_to_see_what_the_layout_shows() {
        let base = Options::new("ws://127.0.0.1");
        for (shape, clients, layout, tracks) in [
            (Shape::Meeting, 10, Layout::All, 10 * 9 * 2),
            (Shape::Meeting, 30, Layout::Grid(25), 30 * (29 + 25)),
            (Shape::Live, 101, Layout::All, 100 * 2),
            (Shape::Audio, 100, Layout::All, 10 * 9 + 90 * 10),
            (Shape::Data, 10, Layout::All, 0),
        ] {
            let options = Options { shape, clients, layout, ..base.clone() };
            assert_eq!(options.tracks_expected(), tracks, "{shape:?}");
        }
    }
}
