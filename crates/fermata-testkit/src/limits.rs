//! Every bound of the test client. It is a client for tests and for measured, bounded load, nothing more.

use std::time::Duration;

/// Tracks one client can publish.
pub const PUBLISHED_TRACKS_MAX: usize = 8;

/// Tracks one client counts; packets of more are counted as unknown.
pub const RECEIVED_TRACKS_MAX: usize = 1_000;

/// Latency samples kept per received track; beyond it every second one is dropped and the stride doubles.
pub const LATENCY_SAMPLES_MAX: usize = 4_096;

/// Sections that can carry received tracks on a one-connection client.
pub const PLACES_MAX: usize = 600;

/// Outputs waiting for `RtcClient::poll`; beyond it the oldest datagrams are dropped and counted.
pub const OUTPUT_MAX: usize = 16_384;

/// Messages waiting for a data channel to open or drain; beyond it the newest is refused.
pub const DATA_WAITING_MAX: usize = 256;

/// Events waiting for the owner of a session; beyond it the newest are dropped and counted.
pub const EVENTS_MAX: usize = 1_024;

/// Commands waiting for a session's task.
pub const COMMANDS_MAX: usize = 64;

/// Longest time for the WebSocket handshake and the first answer.
pub const JOIN_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a session pings when the server gave no interval.
pub const PING_INTERVAL: Duration = Duration::from_secs(5);

/// How often a connection without media of its own is told the time.
pub const LAZY_INTERVAL: Duration = Duration::from_millis(200);

/// Time of one audio packet.
pub const AUDIO_PACKET_TIME: Duration = Duration::from_millis(20);

/// Largest video payload in one packet, bytes, so that datagrams stay below 1,200.
pub const VIDEO_PAYLOAD_LEN_MAX: usize = 1_100;

/// Most packets of one synthetic frame.
pub const FRAME_PACKETS_MAX: usize = 64;

/// Largest datagram received, bytes.
pub const DATAGRAM_LEN_MAX: usize = 2_000;

/// How far a client that was not driven catches up; what is older is not sent.
pub const CATCH_UP_MAX: Duration = Duration::from_millis(200);
