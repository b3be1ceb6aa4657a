//! What receivers got, set beside what was sent.

use std::collections::BTreeSet;

use crate::client::{Received, Receiver};
use crate::dice::fraction;
use crate::net::Ms;
use crate::source::{FRAME_TIME, Source};
use crate::wire::Kind;
use crate::world::{BAD_FROM, CHANGING, MEDIA_UNTIL, RECEIVERS, WANTS, World};

/// What was sent last may still be on its way to be repaired.
const LAST_CHANCE: Ms = 500;
/// Most numbers that may be missing where layers change: the end of one and the beginning of the next were lost.
pub(crate) const CHANGE_GAP_MAX: u64 = 40;
/// Most by which times may be off where layers change.
const CHANGE_SLIP_MAX: Ms = 150;

/// One change of layer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change {
    /// From the wish to the first picture decoded.
    pub(crate) after: Ms,
    /// Which keyframe of the layer since the wish it began with, from 1; 0: one that was on its way.
    pub(crate) keyframe: usize,
}

/// One receiver.
#[derive(Debug, Default, Clone)]
pub(crate) struct Seen {
    /// Share of the packets of each layer that came at last, while the layer was sent to it.
    pub(crate) packets: [Option<f64>; 3],
    /// Share of frames that were whole at last, while their layer was sent to it.
    pub(crate) whole: f64,
    /// Share of frames that were decoded, of all that time.
    pub(crate) decoded: f64,
    /// Share of sound that came.
    pub(crate) sound: f64,
    /// Keyframes asked for.
    pub(crate) asked: u64,
    /// Time until they came.
    pub(crate) answered_after: Vec<Ms>,
    /// Retransmissions sent to it, for each packet of video.
    pub(crate) again: f64,
    /// Changes of layer that were wished for; `None` if it never came.
    pub(crate) changes: Vec<Option<Change>>,
}

/// One run.
#[derive(Debug, Default, Clone)]
pub(crate) struct Outcome {
    pub(crate) seen: Vec<Seen>,
    /// Requests for keyframes that the publisher got while the network was bad.
    pub(crate) requests: u64,
    /// Retransmissions of the publisher, for each packet of video.
    pub(crate) again: f64,
    /// What must never happen.
    pub(crate) faults: Vec<String>,
}

impl Outcome {
    /// `gap_max`: most that numbers may go up where layers change.
    pub(crate) fn of(world: &World<'_>, gap_max: u64) -> Self {
        let source = &world.publisher.source;
        let requests = source.requests.iter().flatten().filter(|at| **at >= BAD_FROM);
        let up = [Kind::Again, Kind::Video].map(|kind| world.publisher_sent(kind));
        let mut outcome = Self {
            seen: Vec::new(),
            requests: requests.count() as u64,
            again: fraction(up[0], up[1]),
            faults: Vec::new(),
        };
        for number in 0..RECEIVERS {
            let receiver = &world.receivers[number + 1];
            let mut pictures = receiver.pictures.clone();
            pictures.sort_by_key(|picture| picture.seq);
            let mut seen = watch(source, receiver, &pictures);
            let (again, repeated) = world.sent_to(number, Kind::Again);
            seen.again = fraction(again, world.sent_to(number, Kind::Video).0);
            if number == CHANGING {
                seen.changes = changes(source, receiver, &pictures);
            }
            let mut faults = faults(source, &pictures, seen.changes.len(), gap_max);
            if repeated > 0 {
                faults.push(format!("{repeated} packets went out twice under their own number"));
            }
            let named = faults.into_iter().map(|fault| format!("receiver {number}: {fault}"));
            outcome.faults.extend(named);
            outcome.seen.push(seen);
        }
        outcome
    }
}

fn counts(source: &Source, picture: &Received) -> bool {
    let at = source.frames[picture.mark.layer][picture.mark.frame].at;
    (BAD_FROM..MEDIA_UNTIL - LAST_CHANCE).contains(&at)
}

/// Number of a packet within its layer.
fn ordinal(source: &Source, picture: &Received) -> u64 {
    let mark = picture.mark;
    source.frames[mark.layer][mark.frame].first + u64::from(mark.index)
}

/// Pieces of the stream that are of one layer.
fn runs(pictures: &[Received]) -> impl Iterator<Item = &[Received]> {
    pictures.chunk_by(|one, next| one.mark.layer == next.mark.layer)
}

fn watch(source: &Source, receiver: &Receiver, pictures: &[Received]) -> Seen {
    let (mut expected, mut came) = ([0; 3], [0; 3]);
    let (mut frames, mut whole) = (0, 0);
    for run in runs(pictures) {
        let run: Vec<&Received> = run.iter().filter(|picture| counts(source, picture)).collect();
        let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
        let layer = first.mark.layer;
        expected[layer] += ordinal(source, last) - ordinal(source, first) + 1;
        came[layer] += run.len() as u64;
        frames += (last.mark.frame - first.mark.frame + 1) as u64;
        let pieces = run.chunk_by(|one, next| one.mark.frame == next.mark.frame);
        whole +=
            pieces.filter(|piece| piece.len() == usize::from(piece[0].mark.count)).count() as u64;
    }
    let share =
        |layer: usize| (expected[layer] > 0).then(|| fraction(came[layer], expected[layer]));
    // Where layers change, one moment may be seen twice.
    let decoded = receiver.decoder.decoded.iter();
    let moments = decoded.map(|(_, mark)| source.frames[mark.layer][mark.frame].at);
    let moments = moments.filter(|at| (BAD_FROM..MEDIA_UNTIL - LAST_CHANCE).contains(at));
    let decoded: BTreeSet<Ms> = moments.collect();
    Seen {
        packets: [share(0), share(1), share(2)],
        whole: fraction(whole, frames),
        decoded: fraction(
            decoded.len() as u64,
            (MEDIA_UNTIL - LAST_CHANCE - BAD_FROM).div_ceil(FRAME_TIME),
        ),
        sound: fraction(receiver.sounds.len() as u64, source.sounds),
        asked: receiver.decoder.asked,
        answered_after: receiver.decoder.answered_after.clone(),
        ..Seen::default()
    }
}

fn changes(source: &Source, receiver: &Receiver, pictures: &[Received]) -> Vec<Option<Change>> {
    let starts: Vec<&Received> = runs(pictures).map(|run| &run[0]).collect();
    let ends = WANTS.iter().skip(1).map(|(at, _)| *at).chain([MEDIA_UNTIL]);
    let change = |((at, layer), end): (&(Ms, usize), Ms)| {
        let here = |came: Ms| (*at..end).contains(&came);
        let start = starts.iter().find(|start| start.mark.layer == *layer && here(start.at))?;
        let mut decoded = receiver.decoder.decoded.iter();
        let (came, _) = decoded.find(|(came, mark)| mark.layer == *layer && here(*came))?;
        let keyframes = source.frames[*layer].iter().take(start.mark.frame + 1);
        let keyframe = keyframes.filter(|frame| frame.keyframe && frame.at >= *at).count();
        Some(Change { after: came - at, keyframe })
    };
    WANTS.iter().zip(ends).map(change).collect()
}

/// What no loss excuses.
fn faults(source: &Source, pictures: &[Received], changes: usize, gap_max: u64) -> Vec<String> {
    let mut faults = Vec::new();
    let mut fault = |what: &str, at: &Received| faults.push(format!("{what}: {at:?}"));
    let names: BTreeSet<_> = pictures.iter().map(|picture| picture.mark).collect();
    if names.len() != pictures.len() {
        fault("a packet came under two numbers", &pictures[0]);
    }
    let begun = runs(pictures).filter(|run| run.iter().any(|picture| counts(source, picture)));
    if begun.count() > changes + 1 {
        fault("more changes of layer than wished for", &pictures[0]);
    }
    for picture in pictures {
        if picture.marker != (picture.mark.index + 1 == picture.mark.count) {
            fault("a marker moved", picture);
        }
    }
    for pair in pictures.windows(2) {
        let [one, next] = pair else { continue };
        let frames = [one, next].map(|p| source.frames[p.mark.layer][p.mark.frame]);
        let steps = next.seq - one.seq;
        // They are compared as signed numbers, wherever the range begins.
        let time = next.timestamp.wrapping_sub(one.timestamp).cast_signed();
        let should =
            (i64::try_from(frames[1].at).unwrap() - i64::try_from(frames[0].at).unwrap()) * 90;
        let picture = next.picture.wrapping_sub(one.picture) & 0x7fff;
        if one.mark.layer == next.mark.layer {
            if ordinal(source, next).checked_sub(ordinal(source, one)) != Some(steps) {
                fault("numbers have another gap than the packets", next);
            }
            if i64::from(time) != should {
                fault("time does not go on as it was", next);
            }
            if usize::from(picture) != next.mark.frame.wrapping_sub(one.mark.frame) & 0x7fff {
                fault("pictures are not counted on", next);
            }
            continue;
        }
        // Where its packets were lost, a place was kept for them.
        let layer = &source.frames[next.mark.layer][..=next.mark.frame];
        let keyframe = layer.iter().rfind(|frame| frame.keyframe).expect("each begins with one");
        if ordinal(source, next) - keyframe.first >= steps {
            fault("a layer begins without a keyframe", next);
        }
        if steps == 0 || steps > gap_max {
            fault("numbers do not go on where layers change", next);
        }
        let slip = (i64::from(time) - should).unsigned_abs();
        if time <= 0 || slip > CHANGE_SLIP_MAX * 90 {
            fault("time does not go on where layers change", next);
        }
        if picture == 0 || picture > 15 {
            fault("pictures do not go on where layers change", next);
        }
    }
    faults
}
