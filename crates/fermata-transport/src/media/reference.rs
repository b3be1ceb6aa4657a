//! Reference times of receivers (RFC 3611 section 4.4), kept until they are answered (section 4.5): how those who
//! send nothing learn their round trip.

use std::time::Instant;

use fermata_rtp::ntp::{self, NtpTime};
use fermata_rtp::rtcp::Delay;

use crate::limits::REFERENCE_TIMES_MAX;

/// The latest of one receiver.
#[derive(Debug, Clone, Copy)]
struct Reference {
    ssrc: u32,
    sent: NtpTime,
    came: Instant,
}

/// All that wait for an answer.
#[derive(Debug, Default)]
pub(super) struct References {
    all: [Option<Reference>; REFERENCE_TIMES_MAX],
}

impl References {
    /// A receiver told its time. The earlier one of the same receiver is forgotten, the oldest of all if there are
    /// too many.
    pub(super) fn on_reference(&mut self, ssrc: u32, sent: NtpTime, came: Instant) {
        let same = self.all.iter().position(|kept| kept.is_some_and(|kept| kept.ssrc == ssrc));
        let place = match same {
            Some(place) => self.all.get_mut(place),
            // Those that are none come before all others.
            None => self.all.iter_mut().min_by_key(|kept| kept.map(|kept| kept.came)),
        };
        if let Some(place) = place {
            *place = Some(Reference { ssrc, sent, came });
        }
    }

    /// Puts the answers of now into `out`, in place of what was there.
    pub(super) fn answers(&self, now: Instant, out: &mut Vec<Delay>) {
        out.clear();
        out.extend(self.all.iter().flatten().map(|kept| Delay {
            ssrc: kept.ssrc,
            last_reference: kept.sent.compact(),
            delay: ntp::compact_duration(now.saturating_duration_since(kept.came)),
        }));
    }

    /// They were answered.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
