//! What a receiver got.

use crate::meeting::Meeting;
use crate::support::media::Ms;
use crate::viewer::Viewer;

/// Longer without a picture is a freeze.
const FREEZE: Ms = 500;

/// What a receiver got in a time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outcome {
    /// Pictures decoded of each layer.
    pub(crate) pictures: [usize; 3],
    /// The longest time without a picture.
    pub(crate) longest: Ms,
    /// All freezes together.
    pub(crate) frozen: Ms,
    /// Payloads of pictures that came, kilobits per second.
    pub(crate) video_kbps: u64,
    /// Packets of sound that were sent and never came, and all of them.
    pub(crate) sounds_lost: u64,
    pub(crate) sounds: u64,
    /// Keyframes that it asked for.
    pub(crate) asked: u64,
}

/// Milliseconds from and until when.
pub(crate) type Span = (Ms, Ms);

impl Outcome {
    /// Of what was to be seen between two moments. `asked_before`: see [`crate::support::media::decoder::Decoder`].
    pub(crate) fn of(viewer: &Viewer, (from, until): Span, asked_before: u64) -> Self {
        let mut outcome = Self { asked: viewer.decoder.asked - asked_before, ..Self::default() };
        let mut last = from;
        let decoded = viewer.decoder.decoded.iter().filter(|(at, _)| (from..until).contains(at));
        for (at, mark) in decoded {
            outcome.pictures[mark.layer] += 1;
            outcome.gap(*at - last);
            last = *at;
        }
        outcome.gap(until - last);
        let came = viewer.packets.iter().filter(|(at, ..)| (from..until).contains(at));
        let bytes: usize = came.map(|(.., len)| len).sum();
        outcome.video_kbps = bytes as u64 * 8 / (until - from).max(1);
        outcome.sounds = (until - from) / 20;
        let heard = viewer.sounds.iter().filter(|(_, sent)| (from..until).contains(sent)).count();
        outcome.sounds_lost = outcome.sounds.saturating_sub(heard as u64);
        outcome
    }

    fn gap(&mut self, gap: Ms) {
        self.longest = self.longest.max(gap);
        self.frozen += if gap > FREEZE { gap } else { 0 };
    }

    /// Hundredths of the sound that never came.
    pub(crate) fn sound_lost_percent(&self) -> f64 {
        crate::support::media::dice::fraction(self.sounds_lost * 100, self.sounds)
    }
}

/// When a picture of the largest layer was decoded first, since a moment.
pub(crate) fn largest_after(viewer: &Viewer, from: Ms) -> Option<Ms> {
    let mut decoded = viewer.decoder.decoded.iter();
    decoded.find(|(at, mark)| *at >= from && mark.layer == 2).map(|(at, _)| at - from)
}

/// Frames of the largest layer that were sent in a time and that somebody never decoded.
pub(crate) fn largest_missed(meeting: &Meeting, viewer: &Viewer, (from, until): Span) -> usize {
    let seen: std::collections::BTreeSet<usize> = viewer
        .decoder
        .decoded
        .iter()
        .filter(|(_, mark)| mark.layer == 2)
        .map(|(_, mark)| mark.frame)
        .collect();
    let frames = meeting.source.frames[2].iter().enumerate();
    let sent = frames.filter(|(_, frame)| (from..until).contains(&frame.at));
    sent.filter(|(number, _)| !seen.contains(number)).count()
}
