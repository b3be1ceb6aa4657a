//! When packets with transport-wide numbers were sent, and what the peer says of their arrival.
//!
//! What it is not: no estimate of bandwidth; see [`super::bandwidth`].

use fermata_bwe::Outcome;
use fermata_rtp::twcc::FeedbackView;

use crate::limits::SENT_TIMES_MAX;

/// One packet, in twelve bytes.
#[derive(Debug, Clone, Copy, Default)]
struct Sent {
    /// Low bits of the moment.
    at_us: u32,
    seq: u16,
    /// Bytes on the wire; 0: nothing here.
    len: u16,
    /// The burst it belongs to.
    probe: Option<u8>,
}

/// The last [`SENT_TIMES_MAX`] packets.
#[derive(Debug, Default)]
pub(super) struct SentTimes {
    /// By transport-wide number; empty before the first packet.
    ring: Vec<Sent>,
    clock: PeerClock,
    loss: Option<f32>,
}

impl SentTimes {
    /// A packet went out, at `at_us` of the connection's clock.
    pub(super) fn record(&mut self, seq: u16, len: usize, at_us: u64, probe: Option<u8>) {
        if self.ring.is_empty() {
            self.ring.resize(SENT_TIMES_MAX, Sent::default());
        }
        let len = u16::try_from(len).unwrap_or(u16::MAX);
        if let Some(slot) = self.ring.get_mut(usize::from(seq) % SENT_TIMES_MAX) {
            *slot = Sent { at_us: low(at_us), seq, len, probe };
        }
    }

    /// Takes the peer's feedback: appends what became of each packet that is known, in the order of numbers. When
    /// the latest that arrived was sent.
    pub(super) fn on_feedback(
        &mut self,
        view: &FeedbackView<'_>,
        now_us: u64,
        outcomes: &mut Vec<Outcome>,
    ) -> Option<u64> {
        let (mut known, mut lost, mut latest) = (0_u16, 0_u16, None);
        for (seq, arrived) in view {
            let sent = self.ring.get(usize::from(seq) % SENT_TIMES_MAX);
            let Some(sent) = sent.filter(|sent| sent.seq == seq && sent.len > 0) else { continue };
            // Whole again: it was less than 71 minutes ago.
            let ago = low(now_us).wrapping_sub(sent.at_us);
            let Some(sent_us) = now_us.checked_sub(ago.into()) else { continue };
            let arrived_us = arrived.map(|arrived| self.clock.whole(arrived));
            known += 1;
            if arrived_us.is_some() {
                latest = Some(sent_us);
            } else {
                lost += 1;
            }
            let (len_bytes, probe) = (sent.len, sent.probe);
            outcomes.push(Outcome { sent_us, len_bytes, arrived_us, probe });
        }
        if known > 0 {
            self.loss = Some(f32::from(lost) / f32::from(known));
        }
        latest
    }

    /// Share lost by the latest feedback.
    pub(super) fn loss(&self) -> Option<f32> {
        self.loss
    }
}

/// Low bits; wraps after 71 minutes.
fn low(at_us: u64) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "wraps; only differences are used")]
    let low = at_us as u32;
    low
}

/// The clock of the peer's feedback, made one that does not wrap.
#[derive(Debug, Default)]
struct PeerClock {
    /// The last reading, and what it is without wraps.
    last: Option<(i64, u64)>,
}

/// After this the clock of feedback wraps, microseconds: 24 bits of 64 ms.
const PEER_CLOCK_US: i64 = (1 << 24) * 64_000;
/// First reading: far from both ends.
const PEER_CLOCK_FIRST_US: u64 = 1 << 48;

impl PeerClock {
    fn whole(&mut self, reading: i64) -> u64 {
        let (before, whole) = self.last.unwrap_or((reading, PEER_CLOCK_FIRST_US));
        let half = PEER_CLOCK_US / 2;
        let step =
            (reading.wrapping_sub(before).wrapping_add(half)).rem_euclid(PEER_CLOCK_US) - half;
        let whole = whole.saturating_add_signed(step);
        self.last = Some((reading, whole));
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peers_clock_goes_on_when_it_wraps() {
        let mut clock = PeerClock::default();
        let first = clock.whole(PEER_CLOCK_US / 2 - 1_000);
        assert_eq!(clock.whole(-PEER_CLOCK_US / 2 + 500), first + 1_500);
        assert_eq!(clock.whole(PEER_CLOCK_US / 2 - 2_000), first - 1_000);
        assert!(clock.whole(i64::MIN) < u64::MAX);
    }
}
