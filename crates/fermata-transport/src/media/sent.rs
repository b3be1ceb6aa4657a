//! When packets with transport-wide numbers were sent, and what the peer says of their arrival.
//!
//! What it is not: no estimate of bandwidth; what one would need is kept here.

use std::time::Duration;

use fermata_rtp::twcc::FeedbackView;

use crate::limits::SENT_TIMES_MAX;

/// One packet, in eight bytes.
#[derive(Debug, Clone, Copy, Default)]
struct Sent {
    /// See [`SentTimes::micros`].
    at_us: u32,
    seq: u16,
    /// Bytes on the wire; 0: nothing here.
    len: u16,
}

/// The last [`SENT_TIMES_MAX`] packets.
#[derive(Debug, Default)]
pub(super) struct SentTimes {
    /// By transport-wide number; empty before the first packet.
    ring: Vec<Sent>,
    loss: Option<f32>,
}

impl SentTimes {
    /// A packet went out at `at_us`; see [`Self::micros`].
    pub(super) fn record(&mut self, seq: u16, len: usize, at_us: u32) {
        if self.ring.is_empty() {
            self.ring.resize(SENT_TIMES_MAX, Sent::default());
        }
        let len = u16::try_from(len).unwrap_or(u16::MAX);
        if let Some(slot) = self.ring.get_mut(usize::from(seq) % SENT_TIMES_MAX) {
            *slot = Sent { at_us, seq, len };
        }
    }

    /// Takes the peer's feedback. The time since the latest packet in it was sent: a round trip, and how long the
    /// peer waited with its feedback.
    pub(super) fn on_feedback(&mut self, view: &FeedbackView<'_>, now_us: u32) -> Option<Duration> {
        let (mut known, mut lost, mut latest) = (0_u16, 0_u16, None);
        for (seq, arrived) in view {
            let sent = self.ring.get(usize::from(seq) % SENT_TIMES_MAX);
            let Some(sent) = sent.filter(|sent| sent.seq == seq && sent.len > 0) else { continue };
            known += 1;
            if arrived.is_some() {
                latest = Some(sent.at_us);
            } else {
                lost += 1;
            }
        }
        if known > 0 {
            self.loss = Some(f32::from(lost) / f32::from(known));
        }
        let since = now_us.wrapping_sub(latest?);
        Some(Duration::from_micros(since.into()))
    }

    /// Share lost by the latest feedback.
    pub(super) fn loss(&self) -> Option<f32> {
        self.loss
    }

    /// Microseconds of the connection's clock; wraps after 71 minutes.
    pub(super) fn micros(since: Duration) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "wraps; only differences are used")]
        let micros = since.as_micros() as u32;
        micros
    }
}
