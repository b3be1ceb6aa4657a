//! Every bound of this crate that is no setting, with what happens at it.
//! What an operator may choose is in [`crate::Limits`].

use std::time::Duration;

/// Longest identity, bytes. Longer: the join is refused (`identity_too_long`).
pub(crate) const IDENTITY_LEN_MAX: usize = 256;
/// Longest display name, bytes. Longer: refused (`attributes_too_large`, or `LIMIT_EXCEEDED` later).
pub(crate) const NAME_LEN_MAX: usize = 256;
/// Longest metadata of a participant or a room, bytes. Longer: refused.
pub(crate) const METADATA_LEN_MAX: usize = 512 * 1024;
/// Keys and values of all attributes together, bytes. Longer: refused.
pub(crate) const ATTRIBUTES_LEN_MAX: usize = 64 * 1024;
/// Tracks announced and not yet on an m-line, per participant. Above: `LIMIT_EXCEEDED`.
pub(crate) const PENDING_TRACKS_MAX: usize = 20;
/// Tracks published by one participant. Above: `LIMIT_EXCEEDED`.
pub(crate) const TRACKS_MAX: usize = 32;
/// Texts inside an announced track (cid, name, stream), bytes each. Longer: `INVALID_REQUEST`.
pub(crate) const TRACK_TEXT_LEN_MAX: usize = 256;
/// Layers of an announced track. The rest is ignored.
pub(crate) const TRACK_LAYERS_MAX: usize = 8;
/// Codecs of an announced track, and features. The rest is ignored.
pub(crate) const TRACK_CODECS_MAX: usize = 4;
/// Subscriptions of one participant. Above: not subscribed, counted.
pub(crate) const SUBSCRIPTIONS_MAX: usize = 1_000;
/// Track sids in one request. The rest is ignored, counted.
pub(crate) const REQUEST_SIDS_MAX: usize = 1_000;
/// Explicit choices (track wanted or not) remembered per participant. Above: the choice is not remembered.
pub(crate) const CHOICES_MAX: usize = 2_000;
/// Entries of a subscription permission. The rest is ignored, counted.
pub(crate) const PERMISSION_ENTRIES_MAX: usize = 1_000;
/// Longest session description, bytes. Longer: dropped, counted as malformed.
pub(crate) const SDP_LEN_MAX: usize = 512 * 1024;
/// Longest description of a candidate, bytes. Longer: dropped, counted as malformed.
pub(crate) const CANDIDATE_LEN_MAX: usize = 4 * 1024;
/// Longest data message, bytes (the SDP says the same). Longer: dropped, counted as malformed.
pub(crate) const DATA_LEN_MAX: usize = 256 * 1024;
/// Data waiting for one receiver's channel, bytes. Above: the newest message is dropped, counted.
pub(crate) const DATA_BACKLOG_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Messages waiting for one receiver's channel. Above: the newest is dropped, counted.
pub(crate) const DATA_BACKLOG_MESSAGES_MAX: usize = 4_096;
/// Destinations of one data message. The rest is ignored.
pub(crate) const DATA_DESTINATIONS_MAX: usize = 1_000;
/// Reliable messages kept per receiver for a resume, bytes. Above: the oldest is forgotten.
pub(crate) const REPLAY_BYTES_MAX: usize = 100 * 1024;
/// How long they are kept.
pub(crate) const REPLAY_AGE_MAX: Duration = Duration::from_secs(2);
/// Remote addresses remembered per connection. Above: the oldest is forgotten.
pub(crate) const ADDRESSES_MAX: usize = 16;
/// How long an address belongs to the connection that was last heard from it.
pub(crate) const ADDRESS_HELD: Duration = Duration::from_secs(5);
/// Removals remembered. Above: the oldest is forgotten (its tokens expire anyway).
pub(crate) const REVOCATIONS_MAX: usize = 100_000;
/// How long a removal is remembered: longer than any sensible token lives (SDK default 6 h).
pub(crate) const REVOCATION_AGE_MAX: Duration = Duration::from_hours(24);
/// Departures remembered. Above: the oldest is forgotten, and that person is a newcomer again.
pub(crate) const DEPARTURES_MAX: usize = 100_000;
/// How long a departure is remembered: as long as a disconnect timeout can be.
pub(crate) const DEPARTURE_AGE_MAX: Duration = Duration::from_mins(5);
/// Verdicts kept, one an application. Above: new applications are unknown, counted.
pub(crate) const VERDICTS_MAX: usize = 1_000_000;
/// Largest `ParticipantUpdate` message, bytes; more participants go into further messages.
pub(crate) const UPDATE_LEN_MAX: usize = 128 * 1024;
/// How long news of a participant who publishes nothing may wait for company.
pub(crate) const UPDATE_DELAY: Duration = Duration::from_millis(100);
/// Least time between two room updates that only tell numbers.
pub(crate) const ROOM_UPDATE_INTERVAL: Duration = Duration::from_secs(5);
/// How often a token is refreshed.
pub(crate) const REFRESH_INTERVAL: Duration = Duration::from_mins(5);
/// An offer of ours must be answered within this; else the client is told to reconnect.
pub(crate) const NEGOTIATION_TIMEOUT: Duration = Duration::from_secs(15);
/// How often usage windows are reported; also the loss bound of metering at a crash.
pub(crate) const METER_INTERVAL: Duration = Duration::from_secs(1);
/// How often connection quality is sampled and told.
pub(crate) const QUALITY_INTERVAL: Duration = Duration::from_secs(5);
/// Tracks sampled in one go; further ones after [`SAMPLE_PAUSE`], so that packets wait less than a millisecond.
pub(crate) const SAMPLE_TRACKS_STEP: usize = 1_024;
/// Between two steps of sampling a large room. A full shard takes some two seconds.
pub(crate) const SAMPLE_PAUSE: Duration = Duration::from_millis(4);
/// Rooms are sampled at different moments within this time, milliseconds.
pub(crate) const SAMPLE_SPREAD_MS: u64 = 2_000;
/// A stay that was sampled, or came, less than this ago waits for the next round.
pub(crate) const SAMPLE_SPAN_MIN: Duration = Duration::from_millis(500);
/// How often the layers of a track are chosen anew.
pub(crate) const SELECT_INTERVAL: Duration = Duration::from_secs(1);
/// A layer that nobody wants is stopped at the publisher only after this.
pub(crate) const DYNACAST_DOWN_DELAY: Duration = Duration::from_secs(5);
/// How often waiting video may go out on a connection: short against a picture, long against what the shell needs
/// for a turn.
pub(crate) const PACE_TICK: Duration = Duration::from_millis(1);
/// On a narrow path a connection may save up what so many ticks give.
pub(crate) const PACE_BURST_TICKS: u64 = 5;
/// On a narrow path the last packet that waits should be gone after this: the keyframe with which the smallest picture
/// begins may take two seconds of all that a path for voices takes. Faster, and it fills the path's own queue, or is lost.
pub(crate) const PACE_WAIT_SECONDS_MAX: usize = 3;
/// Length that packets are taken for when it is looked how long the last of them would wait, bytes.
pub(crate) const PACE_PACKET_LEN: usize = 1_200;
/// Ticks that a connection may catch up on when the shell came late. More would be the burst that pacing prevents.
pub(crate) const CATCH_UP_TICKS: u64 = 4;
/// Video that waits on one connection, packets: an eighth of a second at full pace, and more than the keyframes of a
/// full screen of others. Above: video is dropped up to a keyframe, which is asked for; counted.
pub(crate) const VIDEO_WAITING_MAX: usize = 1_024;
/// Audio that waits on one connection between two polls, packets. Above: the newest is dropped, counted.
pub(crate) const AUDIO_WAITING_MAX: usize = 1_024;
/// Retransmissions that wait on one connection. Above: not sent, counted; they are asked for again.
pub(crate) const AGAIN_WAITING_MAX: usize = 256;
/// Retransmissions of one connection in a tick, beside video, so that neither keeps the other waiting.
pub(crate) const AGAIN_PER_TICK: usize = 4;
/// In the long run there is one retransmission for so many packets of video: what loses more than that is congested,
/// and more packets make it worse; and nobody makes us send at will by asking.
pub(crate) const AGAIN_SHARE: u32 = 2;
/// Retransmissions that a connection may have ahead of that: one burst of loss.
pub(crate) const AGAIN_CREDIT_MAX: u32 = 512;
/// The same for one that has just begun.
pub(crate) const AGAIN_CREDIT_FIRST: u32 = 64;
/// A packet is sent again no sooner than this after the last time, or than a round trip if that is longer.
pub(crate) const AGAIN_PAUSE_MIN: Duration = Duration::from_millis(20);
/// Packets of video sent on one section that can be sent again. Above: the oldest is forgotten; as many as the
/// publisher's packets that are kept.
pub(crate) const HISTORY_LEN: usize = 512;
/// Video of nearly one length is padded to one length, if it is by no more than this, bytes: three in a hundred more
/// bytes against most of what a send costs.
pub(crate) const PAD_VIDEO_MAX: usize = 32;
/// The same for audio, whose lengths differ more and matter less.
pub(crate) const PAD_AUDIO_MAX: usize = 64;
/// Room for media given out at once, bytes: a part of what a core keeps close.
pub(crate) const MEDIA_BYTES: usize = 256 * 1024;
/// The same in datagrams: audio only.
pub(crate) const MEDIA_DATAGRAMS: usize = 1_024;
/// Room for datagrams that are no media, on one page, bytes. Above: another page.
pub(crate) const CONTROL_PAGE_BYTES: usize = 512 * 1024;
/// The same in datagrams.
pub(crate) const CONTROL_PAGE_DATAGRAMS: usize = 2_048;
/// Pages that wait, enough to say goodbye to a full shard at once. Above: datagrams are dropped, counted.
pub(crate) const CONTROL_PAGES_MAX: usize = 64;
/// Datagrams that one call of a connection may write: a flight of DTLS, a window of data.
pub(crate) const CONTROL_ROOM_DATAGRAMS: usize = 128;
/// Least time between two wake-ups of a connection that nothing happened on.
pub(crate) const LINK_PAUSE: Duration = Duration::from_millis(1);
/// Ping interval and timeout told to clients, seconds. A zero stops Rust clients.
pub(crate) const PING_INTERVAL_S: i32 = 5;
/// See [`PING_INTERVAL_S`].
pub(crate) const PING_TIMEOUT_S: i32 = 15;
/// Protocol version told to clients. 18 would mean pre-negotiated data channels, which are not here.
pub(crate) const PROTOCOL: i32 = 17;
/// Version told to clients. They read it as strict semver, and switch abilities on by it:
/// 1.8.0 and above have RPC; this one is the level whose behaviour is implemented.
pub(crate) const SERVER_VERSION: &str = "1.9.2";
/// Messages a client may send at once. Above: dropped, counted.
pub(crate) const SIGNALS_BURST: f64 = 2_000.0;
/// Messages a client may send in the long run.
pub(crate) const SIGNALS_PER_SECOND: f64 = 500.0;
/// Longest wait of an empty room for its first user, seconds: a day. Longer: `Invalid`.
pub(crate) const EMPTY_TIMEOUT_MAX_S: u32 = 86_400;
/// Rooms of one application that are empty. Above: an API makes no more (`node_full`), joins still do.
pub(crate) const WAITING_ROOMS_MAX: usize = 1_000;
/// Agents that a room is made with. More: `Invalid`.
pub(crate) const ROOM_AGENTS_MAX: usize = 16;
/// Metadata and attributes of all of them together, bytes. More: `Invalid`.
pub(crate) const ROOM_AGENTS_LEN_MAX: usize = 512 * 1024;
/// Users blocked in one room. Above: `Invalid`, nobody is forgotten.
pub(crate) const BLOCKED_USERS_MAX: usize = 2_000;
/// Sources named in rights. More: `Invalid`.
pub(crate) const SOURCES_MAX: usize = 16;
/// Longest payload that the server sends as data, bytes. Longer: `Invalid`.
pub(crate) const SERVER_DATA_LEN_MAX: usize = 64_000;
/// Longest topic of it, bytes. Longer: `Invalid`.
pub(crate) const TOPIC_LEN_MAX: usize = 256;
/// Remote procedure calls that wait for their answers. Above: refused with 1505.
pub(crate) const RPC_CALLS_MAX: usize = 1_000;
/// Those of one application, so that none takes the places of all others. Above: refused with 1505.
pub(crate) const RPC_CALLS_PER_APP_MAX: usize = 250;
/// Longest name of a method, bytes. Longer: `Invalid`.
pub(crate) const RPC_METHOD_LEN_MAX: usize = 256;
/// Longest argument and longest answer, bytes. Longer: 1402 and 1504. What is longer in an error is cut.
pub(crate) const RPC_PAYLOAD_LEN_MAX: usize = 15_360;
/// Longest words of an error, bytes. The rest is cut.
pub(crate) const RPC_MESSAGE_LEN_MAX: usize = 256;
/// A client must acknowledge a call within this; else 1501.
pub(crate) const RPC_ACK_TIMEOUT: Duration = Duration::from_secs(7);
/// Longest time that a call may take. Longer: `Invalid`.
pub(crate) const RPC_TIMEOUT_MAX: Duration = Duration::from_mins(1);
/// How often the rooms hear of signs of life on media connections, while there are some.
pub(crate) const HEARD_INTERVAL: Duration = Duration::from_secs(1);
/// How long the loudness of packets is gathered before the rooms hear of it.
pub(crate) const LEVELS_INTERVAL: Duration = Duration::from_millis(20);
/// Loudness of so many packets is gathered. Above: not counted as speech, counted as limited.
pub(crate) const LEVELS_MAX: usize = 4_096;
/// What a connection can take is divided anew so often, whatever happens.
pub(crate) const SHARE_INTERVAL: Duration = Duration::from_millis(500);
/// ... and not more often than this.
pub(crate) const SHARE_PAUSE: Duration = Duration::from_millis(50);
/// Least time between two rounds of work on a track.
pub(crate) const TRACK_PAUSE: Duration = Duration::from_millis(10);
/// Payloads that go to another shard together, bytes. Above: dropped, counted; more than one call to the kernel brings.
pub(crate) const HOP_BATCH_BYTES_MAX: usize = 256 * 1024;
/// Packets that go to another shard together. Above: dropped, counted.
pub(crate) const HOP_BATCH_PACKETS_MAX: usize = 4_096;
/// Batches on their way to another shard. Above: the next one waits and grows.
pub(crate) const HOP_BATCHES_MAX: usize = 64;
/// Most shards of a node.
pub(crate) const SHARDS_MAX: usize = 64;
/// Reports that wait for the rooms. Above: messages of clients, loudness and samples are dropped, counted; changes of
/// connections are not, of which there are only so many.
pub(crate) const REPORTS_WAITING_MAX: usize = 16_384;
/// Deadlines that are served in one step. The rest follows in the next, behind what came meanwhile.
pub(crate) const TIMERS_PER_STEP: usize = 256;

/// How long credentials of relays are good. Clients keep them for the life of a stay; who has a relayed connection by
/// then keeps it, and every resume brings new ones.
pub(crate) const RELAY_GRANT_LIFETIME: Duration = Duration::from_hours(24);
