//! Every bound and time of forwarding, with what happens at it.

use std::time::Duration;

/// Most encodings of one track; packets of further streams are dropped (`receive` gives nothing).
/// The protocol has three qualities.
pub(crate) const LAYERS_MAX: usize = 3;

/// Least time between two keyframe requests for one layer; requests between are coalesced.
pub(super) const KEYFRAME_INTERVAL: Duration = Duration::from_millis(500);

/// The same for a layer that sends nothing at present (a still screen).
pub(super) const KEYFRAME_INTERVAL_IDLE: Duration = Duration::from_secs(2);

/// A layer is dead once it is this far behind the newest packet of its track. Compared with the other
/// layers and not with the clock, so that a still screen does not kill them all.
pub(super) const LAYER_SILENCE: Duration = Duration::from_millis(1_500);

/// Rates are measured over windows of this length.
pub(super) const RATE_WINDOW: Duration = Duration::from_secs(1);

/// A layer's area counts this long after its last forwarded packet.
pub(super) const AREA_HOLD: Duration = Duration::from_secs(1);

/// How far behind the newest a packet may come and still be placed, in packets (half a second of a fast
/// stream); older ones are dropped as late. A multiple of 64.
pub(super) const REORDER_WINDOW: u64 = 512;

/// Runs of deliberately dropped packets that are remembered for placing late packets; packets from before
/// the oldest remembered run are dropped as late.
pub(super) const DROP_RUNS_MAX: usize = 32;

/// Frames of a stream with dependency descriptors whose fate is remembered; what refers to older ones is no place to
/// take up another layer, and packets of older ones are dropped. A multiple of 64.
pub(super) const FRAME_WINDOW: u64 = 256;

/// A jump of input sequence numbers above this is taken for a new beginning instead of loss; receivers
/// could not tell it from a wrap otherwise.
pub(super) const SEQUENCE_JUMP_MAX: u64 = 8_192;

/// Most that a time derived from sender reports may differ from the one derived from arrivals.
pub(super) const ALIGN_TOLERANCE: Duration = Duration::from_millis(500);

/// How often speakers are told.
pub(super) const SPEAKERS_INTERVAL: Duration = Duration::from_millis(500);

/// Audio tracks of one participant whose level is followed; levels of further ones are ignored.
pub(super) const SPEAKER_TRACKS_MAX: usize = 8;

/// Participants of a room whose level is followed; levels of further ones are ignored.
pub(super) const SPEAKERS_MAX: usize = 4_096;
