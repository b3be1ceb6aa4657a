//! What goes into a controller, and what comes out beside the target.

/// Rates between which the target stays, bits per second on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// Target before anything is known.
    pub start_bps: u64,
    /// Least target. It counts before [`Self::max_bps`] if it is greater.
    pub min_bps: u64,
    /// Greatest target.
    pub max_bps: u64,
}

/// What became of one packet, as transport-wide feedback tells
/// (draft-holmer-rmcat-transport-wide-cc-extensions-01).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// When it was sent, microseconds on the caller's clock.
    pub sent_us: u64,
    /// Bytes on the wire, as in [`crate::Controller::on_sent`].
    pub len_bytes: u16,
    /// When it arrived, microseconds on the peer's clock, which may begin anywhere and wrap at 2^64; `None` if it
    /// did not.
    pub arrived_us: Option<u64>,
    /// The burst that it was sent in.
    pub probe: Option<u8>,
}

/// What keeps the target from being higher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Limit {
    /// Nothing: it grows, or all that is wanted fits.
    #[default]
    Nothing,
    /// Delays grew when more was sent.
    Delay,
    /// Packets were lost when more was sent.
    Loss,
    /// The receiver's own estimate.
    Remb,
    /// Less is sent than may be, so nothing more is learnt.
    Application,
    /// Feedback does not come.
    Silence,
}

/// Figures for metrics, as of the last feedback.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct State {
    /// What keeps the target from being higher.
    pub limit: Limit,
    /// Estimate by delay and probes alone, bits per second.
    pub estimate_bps: u64,
    /// What got through of late, bits per second; `None` before half a second was received.
    pub acked_bps: Option<u64>,
    /// Share of packets lost, 0 to 1.
    pub loss: f64,
    /// Share of packets that is lost whatever is sent, 0 to 0.2.
    pub inherent_loss: f64,
    /// How long packets wait on the way beyond the shortest delay of late, microseconds.
    pub queue_us: u64,
}
