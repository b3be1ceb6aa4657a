//! Samples as lines of a chart.
//!
//! Values are whole numbers in the unit of their [`Metric`], times 1,000, so that nothing is rounded twice;
//! [`Point::as_f64`] is for the edge.

use std::collections::BTreeMap;

use fermata_types::{Downlink, Media, ParticipantSid, SAMPLE_SECONDS, StaySample, TrackSample};
use jiff::Timestamp;

use crate::limits::{SERIES_LINES_MAX, SERIES_POINTS_MAX};

/// Values are told in thousandths.
const SCALE: u64 = 1_000;

/// What a line shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    /// Payload bits per second.
    Bitrate,
    /// Pictures per second.
    FrameRate,
    /// Lost packets, percent of those that were sent on that way: come and lost towards us, gone out towards
    /// a receiver.
    Loss,
    /// Time without picture or sound, milliseconds in the step.
    Freeze,
    /// Width of the pictures, pixels.
    Width,
    /// Height of the pictures, pixels.
    Height,
    /// Interarrival jitter, milliseconds.
    Jitter,
    /// Round trip between client and server, milliseconds. The delay one way is taken for half of it.
    RoundTrip,
    /// CPU of the client, percent of all cores.
    Cpu,
    /// What the way to the client can take as congestion control estimates it, bits per second.
    Estimate,
    /// Videos of which less goes to the client than it wants, for want of room.
    Limited,
    /// Videos of which nothing goes to the client, for want of room.
    Paused,
    /// Over what media goes to the client, as [`fermata_types::Via::number`] has it; of several in one step the last.
    Via,
}

impl Metric {
    /// Every metric.
    pub const ALL: &'static [Self] = &[
        Self::Bitrate,
        Self::FrameRate,
        Self::Loss,
        Self::Freeze,
        Self::Width,
        Self::Height,
        Self::Jitter,
        Self::RoundTrip,
        Self::Cpu,
        Self::Estimate,
        Self::Limited,
        Self::Paused,
        Self::Via,
    ];

    /// Is it about the whole stay, not a track?
    pub const fn is_of_stay(self) -> bool {
        matches!(
            self,
            Self::RoundTrip | Self::Cpu | Self::Estimate | Self::Limited | Self::Paused | Self::Via
        )
    }

    /// What a sample says of a whole stay.
    fn value_of_stay(self, sample: &StaySample) -> Option<u32> {
        let Downlink { estimate_bps, tracks_limited, tracks_paused, via } = sample.downlink;
        match self {
            Self::RoundTrip => sample.rtt_ms,
            Self::Cpu => sample.cpu_percent,
            Self::Estimate => estimate_bps,
            // Of a sample that tells nothing of the way, nothing is known.
            Self::Limited => via.map(|_| tracks_limited),
            Self::Paused => via.map(|_| tracks_paused),
            Self::Via => via.map(|via| via.number().into()),
            Self::Bitrate
            | Self::FrameRate
            | Self::Loss
            | Self::Freeze
            | Self::Width
            | Self::Height
            | Self::Jitter => None,
        }
    }

    /// Is it about pictures only?
    pub const fn is_of_video(self) -> bool {
        matches!(self, Self::FrameRate | Self::Width | Self::Height)
    }
}

/// Which way media goes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the stay to the server.
    Up,
    /// From the server to the stay, published by that other stay.
    Down(ParticipantSid),
}

/// A moment and a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// Start of the step.
    pub at: Timestamp,
    /// In thousandths of the metric's unit.
    pub milli: i64,
}

impl Point {
    /// In the metric's unit.
    #[expect(clippy::cast_precision_loss, reason = "values of charts are far below 2^53")]
    pub fn as_f64(self) -> f64 {
        self.milli as f64 / 1_000.0
    }
}

/// A line of a chart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// What it shows.
    pub metric: Metric,
    /// Of which media; none for metrics of the stay.
    pub media: Option<Media>,
    /// Which way; [`Direction::Up`] for metrics of the stay.
    pub direction: Direction,
    /// Oldest first, at most [`SERIES_POINTS_MAX`]. Steps without a value are left out.
    pub points: Vec<Point>,
}

/// How far points are apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// One point a sample.
    Sample,
    /// One point a minute.
    Minute,
}

impl Step {
    /// The finest step with which a span still fits into one answer.
    pub fn for_span(span: std::time::Duration) -> Self {
        let points = span.as_secs() / u64::from(SAMPLE_SECONDS);
        if points <= SERIES_POINTS_MAX as u64 { Self::Sample } else { Self::Minute }
    }

    /// Seconds between two points.
    pub const fn seconds(self) -> i64 {
        match self {
            Self::Sample => SAMPLE_SECONDS as i64,
            Self::Minute => 60,
        }
    }

    fn start(self, at: Timestamp) -> Timestamp {
        let second = at.as_second();
        let start = second - second.rem_euclid(self.seconds());
        Timestamp::from_second(start).unwrap_or(at)
    }
}

/// Sums of one line in one step.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    /// Time the samples cover, each once, milliseconds.
    span_ms: u64,
    /// Last sample that was added, so that two tracks of one kind do not count its time twice.
    last: Option<Timestamp>,
    packets: u64,
    bytes: u64,
    lost: u64,
    frames: u64,
    freeze_ms: u64,
    width: u64,
    height: u64,
    /// Sum and number of the values that are averaged.
    sum: u64,
    count: u64,
    /// The last of them.
    latest: u64,
}

impl Sums {
    fn add_track(&mut self, at: Timestamp, span_ms: u32, track: &TrackSample) {
        if self.last != Some(at) {
            self.last = Some(at);
            self.span_ms += u64::from(span_ms);
        }
        self.packets += u64::from(track.packets);
        self.bytes += u64::from(track.bytes);
        self.lost += u64::from(track.lost);
        self.frames += u64::from(track.frames);
        self.freeze_ms += u64::from(track.freeze_ms);
        self.width = self.width.max(track.width.into());
        self.height = self.height.max(track.height.into());
        if let Some(jitter) = track.jitter_ms {
            self.add_value(jitter);
        }
    }

    fn add_value(&mut self, value: u32) {
        self.sum += u64::from(value);
        self.count += 1;
        self.latest = value.into();
    }

    /// The value in thousandths.
    fn milli(&self, metric: Metric, direction: &Direction) -> Option<i64> {
        let per = |part: u64, whole: u64| (part.saturating_mul(SCALE)).checked_div(whole);
        let value = match metric {
            Metric::Bitrate => per(self.bytes.saturating_mul(8_000), self.span_ms),
            Metric::FrameRate => per(self.frames.saturating_mul(1_000), self.span_ms),
            Metric::Loss => {
                let sent = match direction {
                    Direction::Up => self.packets + self.lost,
                    Direction::Down(_) => self.packets,
                };
                Some(per(self.lost.min(sent).saturating_mul(100), sent).unwrap_or(0))
            }
            Metric::Freeze => Some(self.freeze_ms.saturating_mul(SCALE)),
            Metric::Width => Some(self.width.saturating_mul(SCALE)),
            Metric::Height => Some(self.height.saturating_mul(SCALE)),
            Metric::Via => (self.count > 0).then(|| self.latest.saturating_mul(SCALE)),
            Metric::Jitter
            | Metric::RoundTrip
            | Metric::Cpu
            | Metric::Estimate
            | Metric::Limited
            | Metric::Paused => per(self.sum, self.count),
        };
        i64::try_from(value?).ok()
    }
}

type Key = (Direction, Option<Media>);

/// Lines of one stay from its samples, which are in order of time. Tracks of one kind from one publisher are one
/// line: their rates add up, of sizes the largest counts. At most [`SERIES_LINES_MAX`] lines.
pub fn series(samples: &[StaySample], metrics: &[Metric], step: Step) -> Vec<Series> {
    let mut lines: BTreeMap<Key, BTreeMap<Timestamp, Sums>> = BTreeMap::new();
    let mut of_stay: BTreeMap<Metric, BTreeMap<Timestamp, Sums>> = BTreeMap::new();
    for sample in samples {
        let at = step.start(sample.at);
        for metric in metrics {
            if let Some(value) = metric.value_of_stay(sample) {
                of_stay.entry(*metric).or_default().entry(at).or_default().add_value(value);
            }
        }
        for track in &sample.tracks {
            let direction = track.from.clone().map_or(Direction::Up, Direction::Down);
            let line = lines.entry((direction, Some(track.media))).or_default();
            line.entry(at).or_default().add_track(sample.at, sample.span_ms, track);
        }
    }
    let mut all = Vec::new();
    for metric in metrics.iter().copied() {
        if metric.is_of_stay() {
            let sums = of_stay.get(&metric);
            all.extend(sums.map(|sums| line(metric, (Direction::Up, None), sums)));
            continue;
        }
        let fits =
            |media: Option<Media>| !metric.is_of_video() || media.is_some_and(Media::is_video);
        let lines = lines.iter().filter(|((_, media), _)| fits(*media));
        all.extend(lines.map(|(key, sums)| line(metric, key.clone(), sums)));
    }
    all.retain(|line| !line.points.is_empty());
    all.truncate(SERIES_LINES_MAX);
    all
}

fn line(metric: Metric, (direction, media): Key, sums: &BTreeMap<Timestamp, Sums>) -> Series {
    let points = sums.iter().filter_map(|(at, sums)| {
        let milli = sums.milli(metric, &direction)?;
        Some(Point { at: *at, milli })
    });
    let points = points.take(SERIES_POINTS_MAX).collect();
    Series { metric, media, direction, points }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fermata_types::Via;

    use super::*;
    use crate::totals::testing::{at, sample, track};

    fn milli(samples: &[StaySample], metric: Metric, step: Step) -> Vec<i64> {
        let lines = series(samples, &[metric], step);
        let [line] = lines.as_slice() else { panic!("{lines:?}") };
        line.points.iter().map(|point| point.milli).collect()
    }

    #[test]
    fn each_metric_has_its_unit() {
        let video = TrackSample {
            packets: 90,
            bytes: 50_000,
            lost: 10,
            frames: 124,
            width: 640,
            height: 360,
            freeze_ms: 1_250,
            jitter_ms: Some(7),
            ..track("TR_v", None, Media::Video)
        };
        let downlink = Downlink {
            estimate_bps: Some(1_500_000),
            tracks_limited: 2,
            tracks_paused: 1,
            via: Some(Via::Tcp),
        };
        let samples = [StaySample {
            rtt_ms: Some(80),
            cpu_percent: Some(12),
            downlink,
            ..sample(10, vec![video])
        }];
        let rows = [
            (Metric::Bitrate, 80_000_000),
            (Metric::FrameRate, 24_800),
            (Metric::Loss, 10_000),
            (Metric::Freeze, 1_250_000),
            (Metric::Width, 640_000),
            (Metric::Height, 360_000),
            (Metric::Jitter, 7_000),
            (Metric::RoundTrip, 80_000),
            (Metric::Cpu, 12_000),
            (Metric::Estimate, 1_500_000_000),
            (Metric::Limited, 2_000),
            (Metric::Paused, 1_000),
            (Metric::Via, 2_000),
        ];
        assert_eq!(rows.map(|(metric, _)| metric), Metric::ALL, "every metric is looked at");
        for (metric, expected) in rows {
            assert_eq!(milli(&samples, metric, Step::Sample), [expected], "{metric:?}");
        }
        let point = Point { at: at(0), milli: 24_800 };
        assert!((point.as_f64() - 24.8).abs() < 1e-9);
    }

    #[test]
    fn minutes_are_means_over_their_samples() {
        let samples: Vec<_> = (0..24)
            .map(|n| {
                let audio = TrackSample {
                    packets: 250,
                    bytes: if n < 12 { 20_000 } else { 10_000 },
                    freeze_ms: 100,
                    ..track("TR_a", None, Media::Audio)
                };
                StaySample { rtt_ms: Some(10 * n), ..sample(i64::from(n), vec![audio]) }
            })
            .collect();
        assert_eq!(milli(&samples, Metric::Bitrate, Step::Minute), [32_000_000, 16_000_000]);
        assert_eq!(milli(&samples, Metric::Freeze, Step::Minute), [1_200_000, 1_200_000]);
        assert_eq!(milli(&samples, Metric::RoundTrip, Step::Minute), [55_000, 175_000]);
        assert_eq!(milli(&samples, Metric::RoundTrip, Step::Sample).len(), 24);
        assert!(series(&samples, &[Metric::Width, Metric::Cpu], Step::Minute).is_empty());
    }

    #[test]
    fn of_ways_the_last_counts_and_what_is_unknown_is_no_point() {
        let way = |n, via| StaySample {
            downlink: Downlink { via, tracks_paused: u32::from(n == 1), ..Downlink::default() },
            ..sample(n, Vec::new())
        };
        let all = [way(0, Some(Via::Udp)), way(1, Some(Via::Relay)), way(2, None)];
        assert_eq!(milli(&all, Metric::Via, Step::Minute), [3_000]);
        assert_eq!(milli(&all, Metric::Via, Step::Sample), [1_000, 3_000]);
        assert_eq!(milli(&all, Metric::Paused, Step::Minute), [500]);
        assert!(series(&all, &[Metric::Estimate], Step::Sample).is_empty());
    }

    #[test]
    fn lines_are_by_publisher_and_kind_and_tracks_of_one_kind_add_up() {
        let tracks = vec![
            TrackSample { bytes: 5_000, ..track("TR_1", None, Media::Audio) },
            TrackSample { bytes: 5_000, ..track("TR_2", None, Media::Audio) },
            TrackSample { bytes: 5_000, ..track("TR_3", Some("PA_b"), Media::Audio) },
            TrackSample { bytes: 5_000, ..track("TR_4", Some("PA_b"), Media::Screen) },
        ];
        let lines = series(&[sample(1, tracks)], &[Metric::Bitrate], Step::Sample);
        let bps: Vec<_> = lines.iter().map(|line| (line.media, line.points[0].milli)).collect();
        assert_eq!(
            bps,
            [
                (Some(Media::Audio), 16_000_000),
                (Some(Media::Audio), 8_000_000),
                (Some(Media::Screen), 8_000_000),
            ]
        );
    }

    #[test]
    fn loss_is_of_what_was_sent_on_that_way() {
        let lossy = |from, packets, lost| TrackSample {
            packets,
            lost,
            ..track("TR_1", from, Media::Audio)
        };
        let rows = [
            (lossy(None, 90, 10), 10_000),
            (lossy(Some("PA_b"), 90, 9), 10_000),
            (lossy(Some("PA_b"), 9, 90), 100_000),
            (lossy(None, 0, 0), 0),
        ];
        for (track, expected) in rows {
            let samples = [sample(1, vec![track])];
            assert_eq!(milli(&samples, Metric::Loss, Step::Sample), [expected]);
        }
    }

    #[test]
    fn an_answer_stays_bounded() {
        assert_eq!(Step::for_span(Duration::from_hours(1)), Step::Sample);
        assert_eq!(Step::for_span(Duration::from_hours(4)), Step::Minute);
        let samples: Vec<_> = (0..2_000).map(|n| sample(n, Vec::new())).collect();
        assert_eq!(milli(&samples, Metric::RoundTrip, Step::Sample).len(), SERIES_POINTS_MAX);
    }
}
