//! Every bound of this crate, with what happens at it. What is dropped is counted in [`crate::NodeStats`].

use std::time::Duration;

/// Receive and send buffer asked from the kernel for each socket, bytes. The kernel may give less.
/// About 60 ms of 1 Gbit/s: a keyframe burst to a full room must fit.
pub const SOCKET_BUFFER_LEN: usize = 8 * 1024 * 1024;

/// One receive buffer, bytes: the most that the kernel puts into one, several datagrams of one sender together.
pub const RECEIVE_BUFFER_LEN: usize = 64 * 1024;

/// Datagrams read from one socket after which timers and work get their turn. The rest waits in the kernel.
pub const DATAGRAMS_PER_WAKE: usize = 256;

/// Media packets in one round of a media thread from which on it lets more of them gather before the next
/// ([`GATHER_MAX`]). Below, each goes on as it comes.
pub const GATHER_FROM: u64 = 8;

/// Least time between two rounds under load; the delay that gathering may add to a packet.
pub const GATHER_MAX: Duration = Duration::from_millis(1);

/// Most orders, hops or reports taken before others get their turn. The rest waits in the queue.
pub const ORDERS_PER_WAKE: usize = 128;

/// Most media threads of a node. More: the node does not start.
pub const SHARDS_MAX: usize = 64;

/// Work that waits for a media thread. When full, the rooms wait.
pub const WORK_QUEUE_LEN: usize = 4_096;

/// Batches and requests of other media threads that wait for one. When full, they wait where they come from, which
/// drops media when too much waits.
pub const HOP_QUEUE_LEN: usize = 1_024;

/// Reports of media threads that wait for the rooms. When full, they wait where they come from, which drops what can
/// be done without when too much waits.
pub const REPORT_QUEUE_LEN: usize = 16_384;

/// Orders waiting for the rooms. When full, senders wait.
pub const ORDER_QUEUE_LEN: usize = 4_096;

/// Messages waiting for one client's signalling connection. When full, that connection is closed
/// (the client resumes and gets the whole state anew).
pub const SIGNAL_QUEUE_LEN: usize = 1_024;

/// Longest sleep of a thread. Only guards against a lost deadline.
pub const SLEEP_MAX: Duration = Duration::from_secs(1);

/// API requests whose reply is outstanding. Above: the newest is refused.
pub const REQUESTS_MAX: usize = 4_096;

/// Longest time between a fact's arrival at the log and its `fdatasync`.
pub const USAGE_SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// Most usage, per stay, that a `kill -9` or a power cut loses; always in the customer's favour.
/// The rooms report finished seconds every second, the second being spent is not among them, and the
/// log syncs within one more ([`USAGE_SYNC_INTERVAL`]; a mere `kill -9` spares that one).
pub const USAGE_LOSS_MAX: Duration = Duration::from_secs(3);

/// Time between heartbeats in the log while no stay is open; so long a full disk may stay unnoticed then.
pub const USAGE_IDLE_HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);

/// Time between reports to the store, also when nothing happened (the report is the node's heartbeat there).
pub const USAGE_REPORT_INTERVAL: Duration = Duration::from_secs(2);

/// Size at which a segment of the usage log is closed, bytes.
pub const USAGE_SEGMENT_LEN_MAX: u64 = 4 * 1024 * 1024;

/// Largest record of the usage log, bytes; a larger length means a torn or foreign file.
pub const USAGE_RECORD_LEN_MAX: usize = 64 * 1024;

/// Facts on their way from the rooms to the log writer. When full, the rooms merge further ones in their own
/// memory and offer them again; none is dropped.
pub const USAGE_QUEUE_LEN: usize = 65_536;

/// Most facts of one report to the store; the rest follows in the next one.
pub const USAGE_BATCH_LEN_MAX: usize = 10_000;

/// Merged facts held in memory while neither log nor store takes them. Newcomers are refused long before;
/// beyond this, facts are lost, counted and logged.
pub const USAGE_PENDING_MAX: usize = 2_000_000;

/// First wait after a failed report; doubles up to [`USAGE_RETRY_MAX`].
pub const USAGE_RETRY_MIN: Duration = Duration::from_millis(100);

/// Longest wait between attempts to report.
pub const USAGE_RETRY_MAX: Duration = Duration::from_secs(10);

/// How long starting waits for the store to take what an earlier run left.
pub const USAGE_REPLAY_MAX: Duration = Duration::from_secs(30);

/// How long stopping waits for the store to take the last usage; what is left is replayed at the next start.
pub const USAGE_DRAIN_MAX: Duration = Duration::from_secs(5);

/// Time between reports while nobody is in any room.
pub const USAGE_IDLE_REPORT_INTERVAL: Duration = Duration::from_secs(15);

/// Events of rooms that may wait for the rest of the program; more are dropped and counted.
pub const EVENT_QUEUE_LEN: usize = 16_384;

/// Longest frame taken from or written to a TCP connection of media, bytes: the longest datagram there is. A
/// connection that announces more is closed.
pub const FRAME_LEN_MAX: usize = fermata_transport::limits::DATAGRAM_LEN_MAX;

/// Bytes that wait for one TCP connection of media, about a third of a second of a lively conference. The newest
/// are dropped above it: what waits longer would come too late.
pub const STREAM_QUEUE_LEN: usize = 128 * 1024;

/// Send buffer asked from the kernel for each TCP connection of media, bytes; the kernel doubles it for its own
/// needs. What lies there is late, and can be dropped no more.
pub const STREAM_SEND_BUFFER_LEN: usize = 128 * 1024;

/// Read from one TCP connection at once, bytes. The next one has its turn then.
pub const STREAM_READ_LEN: usize = 64 * 1024;

/// Most TCP connections of one media thread. Newcomers above it are closed at once.
pub const STREAMS_MAX: usize = 2_048;

/// Most of them of one IPv4 address or one IPv6 network of 64 bits; a large office may stand behind one. Newcomers
/// above it are closed at once.
pub const STREAMS_PER_ADDRESS_MAX: usize = 512;

/// TCP connections taken in before others get their turn. The rest waits in the kernel.
pub const STREAMS_PER_WAKE: usize = 64;

/// TCP connections that wait in the kernel to be taken in; it refuses more.
pub const STREAM_BACKLOG: i32 = 512;

/// How long a TCP connection may be open before its first authenticated ICE check. It is closed then.
pub const STREAM_PROOF_MAX: Duration = Duration::from_secs(10);

/// Time between looks at all TCP connections. One that had proved itself and that no participant counts on any more
/// (silent for 15 s, or its participant is gone) is closed at the next look.
pub const STREAM_SWEEP_INTERVAL: Duration = Duration::from_secs(2);
