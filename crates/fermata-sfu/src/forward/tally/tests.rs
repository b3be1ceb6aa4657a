use fermata_types::Now;

use super::*;

const SPAN: Duration = Duration::from_secs(5);
const VIDEO_HZ: u32 = 90_000;
const SOUND_HZ: u32 = 48_000;

struct Bench {
    start: Instant,
    tally: DownTally,
    seq: u64,
}

impl Bench {
    fn new(flow: Flow) -> Self {
        Self { start: Now::read().instant, tally: DownTally::new(flow), seq: 100 }
    }

    fn at(&self, ms: u64) -> Instant {
        self.start + Duration::from_millis(ms)
    }

    /// Pictures of two packets each, every `every` milliseconds.
    fn pictures(&mut self, from: u64, until: u64, every: u64) {
        for ms in (from..until).step_by(usize::try_from(every).unwrap()) {
            let now = self.at(ms);
            let timestamp = u32::try_from(ms * 90).unwrap();
            for _ in 0..2 {
                self.seq += 1;
                self.tally.packet(now, self.seq, timestamp, 1_000);
            }
        }
    }

    fn take(&mut self, ms: u64) -> DownTaken {
        let now = self.at(ms);
        self.tally.take(now, SPAN, VIDEO_HZ, None)
    }
}

#[test]
fn packets_bytes_and_pictures_are_counted_since_the_last_time() {
    let mut bench = Bench::new(Flow::Camera);
    bench.pictures(0, 5_000, 40);
    let taken = bench.take(5_000);
    let expected = Counts { packets: 250, bytes: 250_000, missing: 0, frames: 125 };
    assert_eq!((taken.counts, taken.freeze_ms), (expected, 0));
    bench.pictures(5_000, 6_000, 100);
    let taken = bench.take(10_000);
    assert_eq!((taken.counts.packets, taken.counts.frames), (20, 10));
    assert_eq!(bench.take(15_000).counts, Counts::default());
}

#[test]
fn a_gap_freezes_from_the_end_of_the_usual_interval() {
    let rows = [
        // (interval, gap, frozen)
        (40, 200, 0),
        (40, 201, 161),
        (40, 1_040, 1_000),
        (100, 300, 0),
        (100, 310, 210),
        (20, 190, 0),
    ];
    for (every, gap, frozen) in rows {
        let mut bench = Bench::new(Flow::Camera);
        // The last picture is at 2,000 ms.
        bench.pictures(0, 2_001, every);
        bench.pictures(2_000 + gap, 4_500, every);
        assert_eq!(bench.take(4_500).freeze_ms, frozen, "{gap} ms at one in {every} ms");
    }
}

#[test]
fn a_freeze_that_lasts_is_counted_once_in_each_span() {
    let mut bench = Bench::new(Flow::Camera);
    bench.pictures(0, 4_001, 40);
    assert_eq!(bench.take(5_000).freeze_ms, 960);
    assert_eq!(bench.take(10_000).freeze_ms, 5_000);
    bench.pictures(12_000, 15_000, 40);
    assert_eq!(bench.take(15_000).freeze_ms, 2_000);
    bench.pictures(15_000, 20_000, 40);
    assert_eq!(bench.take(20_000).freeze_ms, 0);
}

#[test]
fn a_camera_that_became_slow_is_soon_known_as_slow_and_one_that_hangs_is_not() {
    let mut bench = Bench::new(Flow::Camera);
    bench.pictures(0, 5_000, 40);
    bench.take(5_000);
    bench.pictures(5_000, 10_000, 500);
    let slow = bench.take(10_000).freeze_ms;
    assert!((400..1_500).contains(&slow), "{slow}");
    bench.pictures(10_000, 15_000, 500);
    assert_eq!(bench.take(15_000).freeze_ms, 0);
    let mut bench = Bench::new(Flow::Camera);
    bench.pictures(0, 5_000, 40);
    bench.take(5_000);
    bench.pictures(6_500, 15_000, 1_500);
    let hangs = bench.take(15_000).freeze_ms;
    assert_eq!(hangs, 5_000, "no more than the span");
}

#[test]
fn while_nothing_is_expected_nothing_freezes() {
    let mut bench = Bench::new(Flow::Camera);
    bench.pictures(0, 1_000, 40);
    bench.tally.rest();
    assert_eq!(bench.take(5_000).freeze_ms, 0);
    bench.pictures(8_000, 10_000, 40);
    assert_eq!(bench.take(10_000).freeze_ms, 0);
    let mut screen = Bench::new(Flow::Screen);
    screen.pictures(0, 5_000, 2_500);
    assert_eq!(screen.take(5_000).freeze_ms, 0);
}

#[test]
fn missing_sound_freezes_for_as_long_as_its_packets_last() {
    for (ticks, frozen) in [(960, 200), (480, 100), (2_880, 600)] {
        let start = Now::read().instant;
        let mut tally = UpTally::new(Flow::Sound);
        for n in (0..250_u32).filter(|n| !(100..110).contains(n)) {
            tally.packet(start, LayerIndex(0), (1_000 + n).into(), n * ticks, 80);
        }
        let taken = tally.take(start, SOUND_HZ);
        assert_eq!((taken.counts.packets, taken.counts.missing), (240, 10));
        assert_eq!((taken.freeze_ms, taken.counts.frames), (frozen, 0));
    }
}

#[test]
fn late_packets_are_not_missing_and_jumps_are_no_loss() {
    let start = Now::read().instant;
    let mut tally = UpTally::new(Flow::Sound);
    let packet = |tally: &mut UpTally, seq: u32| {
        tally.packet(start, LayerIndex(0), seq.into(), seq.wrapping_mul(960), 80);
    };
    for seq in [10, 11, 14, 12, 13, 15] {
        packet(&mut tally, seq);
    }
    assert_eq!(tally.take(start, SOUND_HZ).counts.missing, 0);
    packet(&mut tally, 18);
    assert_eq!(tally.take(start, SOUND_HZ).counts.missing, 2);
    // They come after they were told: not told again, and not in the way of others.
    packet(&mut tally, 16);
    packet(&mut tally, 17);
    assert_eq!(tally.take(start, SOUND_HZ).counts.missing, 0);
    packet(&mut tally, 20);
    assert_eq!(tally.take(start, SOUND_HZ).counts.missing, 1);
    packet(&mut tally, 100_000);
    assert_eq!(tally.take(start, SOUND_HZ).counts.missing, 0);
    packet(&mut tally, 100_002);
    assert_eq!(tally.take(start, SOUND_HZ).counts.missing, 1);
}

#[test]
fn pauses_of_sound_are_no_loss_and_no_long_packets() {
    let start = Now::read().instant;
    let mut tally = UpTally::new(Flow::Sound);
    for (seq, timestamp) in [(1, 0), (2, 960), (3, 20_160), (4, 40_320), (6, 42_240)] {
        tally.packet(start, LayerIndex(0), seq, timestamp, 80);
    }
    let taken = tally.take(start, SOUND_HZ);
    assert_eq!((taken.counts.missing, taken.freeze_ms), (1, 20));
}

#[test]
fn layers_add_up_and_the_largest_one_gives_the_pictures() {
    let start = Now::read().instant;
    let mut tally = UpTally::new(Flow::Camera);
    for n in 0..10_u32 {
        let now = start + Duration::from_millis(u64::from(n) * 40);
        tally.packet(now, LayerIndex(0), (10 + n).into(), n * 3_600, 100);
        if n % 2 == 0 {
            tally.packet(now, LayerIndex(1), (500 + n / 2).into(), n * 3_600, 1_000);
        }
    }
    tally.keyframe_asked();
    let taken = tally.take(start, VIDEO_HZ);
    let counts = Counts { packets: 15, bytes: 6_000, missing: 0, frames: 5 };
    assert_eq!(taken, UpTaken { counts, layer: LayerIndex(1), freeze_ms: 0, keyframes: 1 });
}

#[test]
fn what_the_receiver_reports_counts_from_its_first_report_and_within_reason() {
    let mut bench = Bench::new(Flow::Screen);
    let said = |lost, nacks| Some(Feedback { lost, nacks });
    let rows = [
        // (reported so far, lost, freeze, nacks)
        (None, 0, 0, 0),
        (said(1_000, 50), 0, 0, 0),
        (said(1_025, 60), 25, 500, 10),
        (said(1_020, 60), 0, 0, 0),
        (said(u64::MAX, 60), 250, 5_000, 0),
        (None, 0, 0, 0),
    ];
    for (n, (feedback, lost, freeze, nacks)) in (0..).zip(rows) {
        bench.pictures(n * 5_000, (n + 1) * 5_000, 40);
        let now = bench.at((n + 1) * 5_000);
        let taken = bench.tally.take(now, SPAN, VIDEO_HZ, feedback);
        assert_eq!((taken.lost, taken.freeze_ms, taken.nacks), (lost, freeze, nacks), "{n}");
    }
}
