//! Every number of this crate: where it is from, and what happens at it.
//!
//! "GCC" is draft-ietf-rmcat-gcc-02; "libwebrtc" means that the number is in use there and that the draft has none.

// --- groups of packets ---

/// Packets sent within this time are one group (GCC section 5.2, `burst_time`).
pub(crate) const GROUP_SENT_US: u64 = 5_000;

/// A packet that arrives this soon after the group, and earlier than its sending would make us expect, belongs to
/// it: it waited together with it for the path (GCC section 5.2).
pub(crate) const BURST_GAP_US: i64 = 5_000;

/// A burst of arrivals is cut into groups of this length (libwebrtc).
pub(crate) const BURST_US_MAX: i64 = 100_000;

/// A delay that changes by more from one packet to the next is a clock that was set: all that is known of delays is
/// forgotten (libwebrtc has 3 s for this, too).
pub(crate) const DELAY_JUMP_US: i64 = 3_000_000;

/// So many groups in a row that arrived before the one ahead of them mean the same (libwebrtc).
pub(crate) const REORDERED_GROUPS_MAX: u8 = 3;

/// Outcomes older than this say nothing of the path as it is; they are ignored.
pub(crate) const OUTCOME_AGE_US_MAX: u64 = 10_000_000;

// --- trend of the delay ---

/// Groups that the trend is drawn through (libwebrtc).
pub(crate) const TREND_POINTS: usize = 20;

/// Share of the past in the smoothed delay (libwebrtc).
pub(crate) const TREND_SMOOTHING: f64 = 0.9;

/// What the trend is multiplied by before it is compared with the threshold (libwebrtc).
pub(crate) const TREND_GAIN: f64 = 4.0;

/// The trend is also multiplied by the number of groups seen, at most this (libwebrtc).
pub(crate) const TREND_STEPS_MAX: u32 = 60;

/// First threshold, milliseconds (GCC section 5.4).
pub(crate) const THRESHOLD_MS: f64 = 12.5;

/// Least and greatest threshold, milliseconds (GCC section 5.4).
pub(crate) const THRESHOLD_MS_RANGE: (f64, f64) = (6.0, 600.0);

/// How fast the threshold follows a trend above it, a millisecond (libwebrtc; GCC has 0.01).
pub(crate) const THRESHOLD_UP: f64 = 0.0087;

/// How fast it follows a trend below it (libwebrtc; GCC has 0.00018, which is for its own unit).
pub(crate) const THRESHOLD_DOWN: f64 = 0.039;

/// A trend that is further above the threshold is a sudden change of the path and does not move it, milliseconds
/// (GCC section 5.4).
pub(crate) const THRESHOLD_OUTLIER_MS: f64 = 15.0;

/// Longest step of time that moves the threshold, milliseconds (libwebrtc).
pub(crate) const THRESHOLD_STEP_MS_MAX: f64 = 100.0;

/// Overuse must last longer than this, milliseconds (GCC section 5.4, `overuse_time_th`).
pub(crate) const OVERUSE_MS: f64 = 10.0;

// --- standing queue ---

/// The shortest delay is remembered for one to two of these; a queue that stood longer is not seen any more. Clocks
/// that are 100 ppm apart make an error of 2 ms in this time.
pub(crate) const BASE_DELAY_US: u64 = 10_000_000;

/// A queue above this is emptied by sending less than the estimate ...
pub(crate) const QUEUE_HIGH_US: u64 = 100_000;

/// ... and much less above this ...
pub(crate) const QUEUE_FULL_US: u64 = 300_000;

/// ... until it is below this.
pub(crate) const QUEUE_LOW_US: u64 = 40_000;

/// Share of the estimate that is sent meanwhile, in percent: above the high mark, above the full mark.
pub(crate) const DRAIN_PERCENT: (u64, u64) = (70, 40);

/// Emptying ends after this time: a queue that stands is somebody else's.
pub(crate) const DRAIN_US_MAX: u64 = 5_000_000;

/// It ends after this time already if not so many hundredths of the queue have gone ...
pub(crate) const DRAIN_SHOWS_US: u64 = 1_500_000;

/// ... for what is not sent waits with us instead ...
pub(crate) const DRAIN_SHOWS_PERCENT: u64 = 25;

/// ... and no more gets through than so many hundredths of what is sent.
pub(crate) const DRAIN_LEVEL_PERCENT: u64 = 115;

/// It does not begin again before this time has passed since it began.
pub(crate) const DRAIN_AGAIN_US: u64 = 10_000_000;

/// With loss, a queue above this counts as a delay that rises.
pub(crate) const QUEUE_WITH_LOSS_US: u64 = 50_000;

/// Overuse counts as a delay that rises for this time.
pub(crate) const OVERUSE_REMEMBERED_US: u64 = 1_000_000;

// --- rates that were sent and acknowledged ---

/// First window of the acknowledged rate, on the peer's clock (libwebrtc).
pub(crate) const ACKED_FIRST_US: i64 = 500_000;

/// Every later window (libwebrtc).
pub(crate) const ACKED_WINDOW_US: i64 = 150_000;

/// After a pause of arrivals of this length the window begins anew: nothing was sent.
pub(crate) const ACKED_PAUSE_US: i64 = 500_000;

/// The recent rate is that of the last so many microseconds, at least and at most ...
pub(crate) const RECENT_US: (i64, i64) = (60_000, 160_000);

/// ... of which so many moments are remembered ...
pub(crate) const RECENT_POINTS: usize = 32;

/// ... with at least this time between them.
pub(crate) const RECENT_POINT_US: i64 = 5_000;

/// Uncertainty of a sample, for each 100 % that it differs from the estimate (libwebrtc).
pub(crate) const ACKED_SAMPLE_SCALE: f64 = 10.0;

/// First variance of the estimate, and what each sample adds to it (libwebrtc).
pub(crate) const ACKED_VARIANCE: (f64, f64) = (50.0, 5.0);

/// The sent rate is counted in slots of this length.
pub(crate) const SENT_SLOT_US: u64 = 200_000;

/// So many of them are remembered; nobody can have received faster than the fastest of them.
pub(crate) const SENT_SLOTS: usize = 10;

/// So many of them before the present one are the rate of late.
pub(crate) const SENT_SLOTS_RECENT: u64 = 2;

/// Percent of the target that must be used; who sends less is limited by the application (libwebrtc).
pub(crate) const USED_PERCENT: u64 = 65;

/// Time in which unused room adds up (libwebrtc).
pub(crate) const UNUSED_US: u64 = 500_000;

/// Percent of that which make us call the application the limit, and below which it is not any more (libwebrtc).
pub(crate) const UNUSED_PERCENT: (u64, u64) = (80, 50);

// --- estimate by delay ---

/// Percent of the acknowledged rate that are left on overuse (GCC section 5.5, beta).
pub(crate) const DECREASE_PERCENT: u64 = 85;

/// Percent of what was sent that, if acknowledged, are all of it: overuse then lowers the estimate by a step, and not
/// to the acknowledged rate, unless the queue is above [`QUEUE_HIGH_US`].
pub(crate) const THROUGH_PERCENT: u64 = 90;

/// Growth in a second while the limit of the path is not known (GCC section 5.5).
pub(crate) const GROWTH_A_SECOND: f64 = 0.08;

/// Least growth in a second, bits per second.
pub(crate) const GROWTH_BPS_MIN: f64 = 8_000.0;

/// A long packet, bits.
pub(crate) const PACKET_BITS: u64 = 9_600;

/// Near the limit the estimate grows by one packet of this size ...
pub(crate) const GROWTH_PACKET_BITS: f64 = 9_600.0;

/// ... every round trip and this time, which the detector needs (GCC section 5.5).
pub(crate) const RESPONSE_EXTRA_US: u64 = 100_000;

/// Longest step of time that the estimate grows by.
pub(crate) const GROWTH_STEP_US_MAX: u64 = 1_000_000;

/// The estimate does not grow above this percentage of the acknowledged rate ...
pub(crate) const ABOVE_ACKED_PERCENT: u64 = 150;

/// ... and this (GCC section 5.5).
pub(crate) const ABOVE_ACKED_BPS: u64 = 10_000;

/// Nor above this percentage of what is wanted ...
pub(crate) const ABOVE_WANTED_PERCENT: u64 = 150;

/// ... and this.
pub(crate) const ABOVE_WANTED_BPS: u64 = 50_000;

/// Least and greatest time between two decreases; a round trip, if between (libwebrtc).
pub(crate) const DECREASE_US_RANGE: (u64, u64) = (10_000, 200_000);

/// Share of a new observation in what is known of the path's limit (libwebrtc).
pub(crate) const CAPACITY_WEIGHT: f64 = 0.05;

/// Least and greatest variance of the path's limit, in kilobits per second for each of them (libwebrtc).
pub(crate) const CAPACITY_VARIANCE: (f64, f64) = (0.4, 2.5);

/// Deviations around the path's limit that count as near it (GCC section 5.5).
pub(crate) const CAPACITY_DEVIATIONS: f64 = 3.0;

/// Round trip that is assumed until one is known.
pub(crate) const RTT_US: u64 = 200_000;

/// A longer round trip is taken for this one.
pub(crate) const RTT_US_MAX: u64 = 2_000_000;

// --- loss ---

/// Loss below this, beyond what is inherent, is no sign of anything (GCC section 6).
pub(crate) const LOSS_LOW: f64 = 0.02;

/// Loss above this, beyond what is inherent, is judged at once (GCC section 6).
pub(crate) const LOSS_HIGH: f64 = 0.10;

/// A queue is full where packets wait for long and more than this are lost beyond what is inherent: half of what would
/// be judged without a queue.
pub(crate) const QUEUE_FULL_LOSS: f64 = 0.05;

/// Packets and time for judging high loss.
pub(crate) const LOSS_SOON: (u32, u64) = (50, 200_000);

/// Packets and time for judging any loss.
pub(crate) const LOSS_SURE: (u32, u64) = (150, 200_000);

/// Packets that suffice after the longer time: at low rates there are no more.
pub(crate) const LOSS_SLOW: (u32, u64) = (20, 1_500_000);

/// Standard deviations by which loss must be beyond what is inherent.
pub(crate) const LOSS_DEVIATIONS: f64 = 2.5;

/// Loss above this is never called inherent; nothing worth seeing gets through such a path anyway.
pub(crate) const LOSS_INHERENT_MAX: f64 = 0.20;

/// After a cut for trial the loss was inherent if more than this share of it is left.
pub(crate) const LOSS_LEFT: f64 = 0.4;

/// Percent of what got through that are sent on trial; low enough to be below what a policer lets through.
pub(crate) const LOSS_TRIAL_PERCENT: u64 = 90;

/// Time between two cuts, beside a round trip (GCC section 6; libwebrtc).
pub(crate) const LOSS_CUT_US: u64 = 300_000;

/// After a cut the limit stays for this time; then it grows as the estimate does, and each second without loss by so
/// much more ...
pub(crate) const LOSS_HOLD_US: u64 = 2_000_000;

/// ... up to this growth in a second.
pub(crate) const LOSS_GROWTH_A_SECOND_MAX: f64 = 1.0;

// --- probes ---

/// The first probe goes to so many times the target, each further one that succeeds to so many times its result.
pub(crate) const PROBE_FACTORS: (u64, u64) = (3, 2);

/// Percent of what is wanted that a probe goes to: a little more, since results are a little low.
pub(crate) const PROBE_WANTED_PERCENT: u64 = 110;

/// A probe must go to at least this percentage of the target to be worth it.
pub(crate) const PROBE_WORTH_PERCENT: u64 = 115;

/// Least length of a probe (libwebrtc has 15 ms; longer ones bear more jitter).
pub(crate) const PROBE_US_MIN: u64 = 30_000;

/// Fewest packets of a probe (libwebrtc has 5).
pub(crate) const PROBE_PACKETS_MIN: u32 = 6;

/// A packet of a probe takes this time, so that probes at low rates do not fill the path for long ...
pub(crate) const PROBE_PACKET_US: u64 = 20_000;

/// ... but has at least and at most so many bytes.
pub(crate) const PROBE_PACKET_BYTES: (u64, u64) = (200, 1_200);

/// So many probes that have a reason and find nothing are repeated after [`PROBE_REASON_US`], unless delays grow: on a
/// path with jitter one in some says nothing.
pub(crate) const PROBE_REPEATS: u8 = 2;

/// Percent of a probe that must arrive (libwebrtc).
pub(crate) const PROBE_ARRIVED_PERCENT: u64 = 80;

/// A probe is given up when its feedback is not there after this time.
pub(crate) const PROBE_ANSWER_US_MAX: u64 = 1_500_000;

/// A probe that took longer to send or to arrive says nothing (libwebrtc).
pub(crate) const PROBE_INTERVAL_US_MAX: u64 = 1_000_000;

/// What arrives so many times faster than it was sent was held back by the way and says nothing (libwebrtc).
pub(crate) const PROBE_RATIO_MAX: u64 = 2;

/// Below this percentage of the sent rate the probe found the path's limit (libwebrtc).
pub(crate) const PROBE_CONGESTED_PERCENT: u64 = 90;

/// Percent of the received rate that are the result then (libwebrtc).
pub(crate) const PROBE_RESULT_PERCENT: u64 = 95;

/// A result above this percentage of the probed rate is worth a further probe at once (libwebrtc).
pub(crate) const PROBE_FURTHER_PERCENT: u64 = 70;

/// First and greatest wait for the next probe; it doubles with every one that finds nothing. A path that is wide again
/// is found by a probe alone where what goes out is far below what it takes, so the wait is what somebody sees too
/// little for (libwebrtc probes every 5 s then).
pub(crate) const PROBE_WAIT_US: (u64, u64) = (5_000_000, 10_000_000);

/// Least time between probes that have a reason (more is wanted, the path gives more), so that a reason that comes
/// and goes does not become a load.
pub(crate) const PROBE_REASON_US: u64 = 1_000_000;

/// More than this percentage of what was wanted is a reason to probe.
pub(crate) const WANTED_RISE_PERCENT: u64 = 120;

/// What a probe showed counts as acknowledged for this time: the acknowledged rate needs as long to follow.
pub(crate) const PROBE_COUNTS_US: u64 = 1_500_000;

/// First probe after the path gave much less than before: it may have been for a moment, and pictures may wait for it.
pub(crate) const PROBE_AFTER_DROP_US: u64 = 2_000_000;

/// Overuse stops probes for this time.
pub(crate) const PROBE_AFTER_OVERUSE_US: u64 = 1_000_000;

// --- the rest ---

/// Without feedback for this time, though something was sent, the target is halved; and again each time.
pub(crate) const SILENCE_US: u64 = 2_000_000;

/// After so long without feedback though nothing is missing, nothing is sent; so often limits are looked at by time
/// alone then. Who gave up all pictures and has no sound to send would otherwise never learn that there is room again.
pub(crate) const IDLE_US: u64 = 500_000;

/// The receiver's own estimate is forgotten after this time; receivers repeat it every second.
pub(crate) const REMB_US: u64 = 5_000_000;

// --- sharing ---

/// Steps of one video: three simulcast layers of three temporal ones. The highest of more are left out.
pub const STEPS_MAX: usize = 9;

/// The last picture that goes out is not paused before there has not been room for it for so long. Until then it waits
/// where packets are paced, and no queue grows on the path; often somebody only takes over from another speaker.
pub(crate) const PAUSE_AFTER_US: u64 = 2_000_000;

/// Whoever has a step keeps it while there is room for so many hundredths of it.
pub(crate) const KEEP_PERCENT: u64 = 85;

/// After something was taken away, nobody is given more than before for this time: at first, and at most.
pub(crate) const RAISE_WAIT_US: (u64, u64) = (1_000_000, 12_000_000);

/// More that was given and went well for this time is not to blame for what comes later.
pub(crate) const RAISE_PROVEN_US: u64 = 10_000_000;

/// Who is given more than before needs so much to spare, hundredths of the whole.
pub(crate) const RAISE_SPARE_PERCENT: u64 = 5;

/// With so much to spare, hundredths of the whole, it is plain that more fits ...
pub(crate) const RAISE_AMPLE_PERCENT: u64 = 30;

/// ... and the wait is shorter by this factor.
pub(crate) const RAISE_AMPLE_FACTOR: u64 = 4;
