//! One SSRC of a receiver.

use std::time::Instant;

use fermata_rtp::nack::Generator;
use fermata_rtp::receiver::Receiver;
use fermata_srtp::ReplayWindow;

use crate::spacing::Spacing;

/// Ticks a second of audio and of video.
const CLOCK_RATES_HZ: [u32; 2] = [48_000, 90_000];

/// What a stream carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carries {
    /// Media of a track, by its place in the list of tracks.
    Media(usize),
    /// Retransmissions of another stream.
    Repairs(u32),
    /// No description told of it.
    Unknown,
}

/// Counters of one stream.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) carries: Carries,
    pub(super) window: ReplayWindow,
    pub(super) report: Receiver,
    pub(super) nack: Generator,
    /// First and highest extended sequence number.
    range: Option<(u64, u64)>,
    pub(super) packets: u64,
    pub(super) bytes: u64,
    pub(super) duplicates: u64,
    pub(super) reordered: u64,
    pub(super) repaired: u64,
    pub(super) padding: u64,
    /// Of the packets that were looked into.
    pub(super) spacing: Spacing,
}

impl Stream {
    pub(super) fn new(ssrc: u32, video: bool, carries: Carries) -> Self {
        let [audio_hz, video_hz] = CLOCK_RATES_HZ;
        Self {
            carries,
            window: ReplayWindow::new(),
            report: Receiver::new(ssrc, if video { video_hz } else { audio_hz }),
            nack: Generator::new(),
            range: None,
            packets: 0,
            bytes: 0,
            duplicates: 0,
            reordered: 0,
            repaired: 0,
            padding: 0,
            spacing: Spacing::default(),
        }
    }

    /// Counts a packet by its sequence number; answers the extended one, or `None` for one that came before.
    pub(super) fn count(
        &mut self,
        seq: u16,
        timestamp: u32,
        len: usize,
        now: Instant,
    ) -> Option<u64> {
        let Ok(index) = self.window.estimate(seq) else {
            self.duplicates += 1;
            return None;
        };
        self.window.commit(index);
        let (first, highest) = self.range.unwrap_or((index, index));
        if index < highest {
            self.reordered += 1;
        }
        self.range = Some((first.min(index), highest.max(index)));
        self.packets += 1;
        self.bytes += len as u64;
        self.report.on_packet(index, timestamp, len, now);
        self.nack.on_packet(index, now);
        Some(index)
    }

    /// A packet came by retransmission.
    pub(super) fn repair(&mut self, seq: u16, now: Instant) {
        let Ok(index) = self.window.estimate(seq) else { return };
        let Some((first, highest)) = self.range else { return };
        if !(first..=highest).contains(&index) {
            return;
        }
        self.window.commit(index);
        self.nack.on_packet(index, now);
        self.packets += 1;
        self.repaired += 1;
    }

    /// Packets missing between the first and the highest.
    pub(super) fn lost(&self) -> u64 {
        self.range.map_or(0, |(first, highest)| (highest - first + 1).saturating_sub(self.packets))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_lost_until_they_are_filled() {
        let now = fermata_types::Now::read().instant;
        let mut stream = Stream::new(1, true, Carries::Media(0));
        for seq in [65_534, 65_535, 0, 3, 2, 3] {
            stream.count(seq, 0, 100, now);
        }
        assert_eq!((stream.packets, stream.lost(), stream.reordered), (5, 1, 1));
        assert_eq!(stream.duplicates, 1);
        stream.repair(1, now);
        stream.repair(1, now);
        assert_eq!((stream.lost(), stream.repaired), (0, 1));
    }
}
