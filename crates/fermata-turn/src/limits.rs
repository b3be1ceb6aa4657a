//! Every bound of this crate, with what happens at it. What is refused or dropped is counted in [`crate::TurnStats`].

use std::time::Duration;

/// Longest lifetime of an allocation without being refreshed (RFC 8656 section 3.2 names one hour).
pub const LIFETIME_MAX: Duration = Duration::from_hours(1);

/// Lifetime of one that asks for none, or for less (RFC 8656 section 3.2).
pub const LIFETIME_DEFAULT: Duration = Duration::from_mins(10);

/// Lifetime of a permission (RFC 8656 section 9).
pub const PERMISSION_LIFETIME: Duration = Duration::from_mins(5);

/// Lifetime of a channel (RFC 8656 section 12).
pub const CHANNEL_LIFETIME: Duration = Duration::from_mins(10);

/// How long a nonce is good; a client with an older one is given another (438).
pub const NONCE_LIFETIME: Duration = Duration::from_hours(1);

/// Allocations of the program. Above: 508.
pub const ALLOCATIONS_MAX: usize = 1_000;

/// Allocations of one participant. Two connections over two networks, over UDP and TLS each, are eight. Above: 486.
pub const ALLOCATIONS_PER_PARTICIPANT_MAX: usize = 12;

/// Allocations of one IPv4 address or one IPv6 network of 64 bits. Above: 486.
pub const ALLOCATIONS_PER_ADDRESS_MAX: usize = 500;

/// Bits that one allocation may carry in a second, each way. What is more is dropped.
pub const BANDWIDTH_MAX_BPS: u64 = 10_000_000;

/// Requests of one address without right credentials that are answered in a row; what comes beyond gets no answer.
pub const STRANGER_BURST: u32 = 100;

/// And so many in a second after that.
pub const STRANGER_RATE: u32 = 20;

/// Addresses of strangers that are remembered; those not heard for longest make room, and while none has been quiet
/// for [`STRANGER_FORGOTTEN`], newcomers get no answer.
pub const STRANGERS_MAX: usize = 10_000;

/// After this time a stranger is as good as new.
pub const STRANGER_FORGOTTEN: Duration = Duration::from_secs(10);

/// Channels of one allocation, and addresses it may send to. Above: 508.
pub const CHANNELS_MAX: usize = 256;

/// Longest message taken from a client, bytes: the longest datagram of media with what TURN puts around it. A
/// connection over TLS that announces more is closed.
pub const MESSAGE_LEN_MAX: usize = fermata_transport::limits::DATAGRAM_LEN_MAX + 100;

/// Connections over TLS. Newcomers above it are closed at once.
pub const TLS_CONNECTIONS_MAX: usize = 2_000;

/// Those of one address.
pub const TLS_CONNECTIONS_PER_ADDRESS_MAX: usize = 500;

/// Longest TLS handshake. The connection is closed then.
pub const TLS_HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// How long a connection over TLS may be without an allocation, silent or not. It is closed then.
pub const TLS_IDLE_MAX: Duration = Duration::from_secs(30);

/// Datagrams that wait for one connection over TLS. The newest are dropped above it.
pub const TLS_QUEUE_LEN: usize = 128;

/// Time between looks for allocations that have ended.
pub const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
