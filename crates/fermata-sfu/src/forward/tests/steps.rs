//! What a track could be sent as, and what that takes.

use super::*;

fn shown(up: &UpTrack, most: Quality) -> Vec<(Quality, u8, u64)> {
    let steps = Steps::of(up, most);
    let steps = steps.as_slice().iter();
    steps.map(|step| (step.allowed.quality, step.allowed.temporal, step.bps)).collect()
}

#[test]
fn steps_ascend_from_half_the_pictures_of_the_lowest_stream() {
    let mut bench = Bench::new(Codec::Vp8, &["q", "h", "f"], &simulcast(), false);
    let mut streams = Vp8Stream::three();
    for _ in 0..90 {
        bench.wait(33);
        // As if one picture took so many times the bits.
        for (stream, count) in streams.iter_mut().zip([1, 3, 10]) {
            for made in (0..count).flat_map(|_| stream.picture(false)).collect::<Vec<_>>() {
                bench.up.receive(&made.packet(bench.now));
            }
        }
    }
    let steps = |most| shown(&bench.up, most);
    let all = steps(Quality::High);
    let allowed: Vec<_> = all.iter().map(|(quality, temporal, _)| (*quality, *temporal)).collect();
    let expected = [(Quality::Low, 0), (Quality::Low, 7), (Quality::Medium, 7), (Quality::High, 7)];
    assert_eq!(allowed, expected);
    assert!(all.windows(2).all(|pair| pair[0].2 < pair[1].2), "{all:?}");
    let (half, whole) = (all[0].2, all[1].2);
    assert!((45..=55).contains(&(half * 100 / whole)), "{half} of {whole}");
    assert_eq!(steps(Quality::Medium), all[..3]);
    assert_eq!(steps(Quality::Low), all[..2]);
    // Nothing was heard of the track yet: what was announced counts, and where nothing was, nothing.
    let silent = UpTrack::new(Codec::Vp8, &[], &[], false);
    let bare = Steps::of(&silent, Quality::Low);
    assert_eq!(bare.as_slice(), [Step { allowed: Allowed::ALL, bps: 0 }]);
}

#[test]
fn what_is_allowed_bounds_the_pictures_a_second() {
    let mut bench = Bench::new(Codec::Vp8, &[], &[], false);
    let mut stream = Vp8Stream { rid: "", ..Vp8Stream::new("", (320, 180), 1) };
    let mut sent_of = |bench: &mut Bench, allowed, keyframe| {
        bench.down.set_allowed(Some(allowed));
        bench.down.select(bench.now, &bench.up);
        let mut sent = 0;
        for picture in 0..60 {
            bench.wait(33);
            for mut made in stream.picture(keyframe && picture == 0) {
                made.rid = None;
                let view = bench.up.receive(&made.packet(bench.now)).expect("a stream");
                let forward = bench.down.forward(bench.now, &bench.up, &view);
                sent += usize::from(matches!(forward, Forward::Send(_)));
            }
        }
        sent
    };
    let lowest = Allowed { temporal: 0, ..Allowed::ALL };
    assert_eq!(sent_of(&mut bench, Allowed::ALL, true), 120);
    let halved = sent_of(&mut bench, lowest, false);
    assert!((58..=64).contains(&halved), "{halved}");
    let back = sent_of(&mut bench, Allowed::ALL, false);
    assert!(back >= 116, "{back}");
}

/// Seconds of a stream whose pictures come 30 times a second, every one so many times as large as a made one. The
/// first of the first second is 200 times as large again.
fn play(bench: &mut Bench, stream: &mut Vp8Stream, seconds: u64, times: usize, keyframe: bool) {
    for picture in 0..seconds * 30 {
        bench.wait(33);
        let key = keyframe && picture == 0;
        for mut made in stream.picture(key) {
            let len = made.payload.len() * times * if key { 200 } else { 1 };
            made.payload.resize(len, 0);
            bench.up.receive(&made.packet(bench.now));
        }
    }
}

#[test]
fn a_keyframe_is_no_rate() {
    let mut declared = simulcast();
    for (spec, bitrate_bps) in declared.iter_mut().zip([900_000, 100_000, 300_000]) {
        spec.bitrate_bps = bitrate_bps;
    }
    let mut bench = Bench::new(Codec::Vp8, &["q", "h", "f"], &declared, false);
    let steps = |bench: &Bench| shown(&bench.up, Quality::High);
    // Nothing was seen: what was announced, and that a half may have half of it.
    let [half, low, medium, high] = steps(&bench)[..] else { panic!("{:?}", steps(&bench)) };
    assert_eq!(half, (Quality::Low, 0, 50_000));
    assert_eq!(low, (Quality::Low, 7, 100_000));
    assert_eq!((medium.2, high.2), (300_000, 900_000));
    let [mut q, mut h, _] = Vp8Stream::three();
    // Then hardly more than the keyframe with which each stream begins: many times what goes on.
    play(&mut bench, &mut q, 1, 1, true);
    bench.wait(1_000);
    play(&mut bench, &mut h, 1, 4, true);
    bench.wait(33);
    let began = steps(&bench);
    assert_eq!(began.last().map(|step| step.2), Some(900_000));
    assert!(began.iter().all(|step| step.0 > Quality::Low || step.2 <= 100_000), "{began:?}");
    // Once more was seen, that counts, and a keyframe for whoever comes later changes nothing.
    play(&mut bench, &mut q, 4, 1, false);
    let settled = steps(&bench);
    let low = settled.iter().rfind(|step| step.0 == Quality::Low).map_or(0, |step| step.2);
    assert!((5_000..20_000).contains(&low), "{settled:?}");
    bench.wait(5_000);
    play(&mut bench, &mut q, 1, 1, true);
    bench.wait(33);
    play(&mut bench, &mut q, 1, 1, false);
    let again = steps(&bench);
    let after = again.iter().rfind(|step| step.0 == Quality::Low).map_or(0, |step| step.2);
    assert!(after.abs_diff(low) < low / 5, "{low} then {after}");
}

#[test]
fn a_larger_picture_that_takes_less_is_the_better_one() {
    let mut bench = Bench::new(Codec::Vp8, &["q", "h"], &simulcast(), false);
    let [mut q, mut h, _] = Vp8Stream::three();
    for _ in 0..6 {
        play(&mut bench, &mut q, 1, 6, false);
        play(&mut bench, &mut h, 1, 1, false);
    }
    let steps = shown(&bench.up, Quality::High);
    let [only] = steps[..] else { panic!("{steps:?}") };
    assert_eq!((only.0, only.1), (Quality::Medium, 7));
    assert_eq!(only.2, bench.up.known_bps(LayerIndex(1), 7, 7), "its own, not that of the others");
}

#[test]
fn keyframes_that_come_often_are_part_of_the_rate() {
    let low_with_one_in = |seconds: u64| {
        let mut bench = Bench::new(Codec::Vp8, &["q", "h", "f"], &simulcast(), false);
        let [mut q, ..] = Vp8Stream::three();
        for _ in 0..20 / seconds {
            play(&mut bench, &mut q, seconds, 1, true);
        }
        bench.up.known_bps(LayerIndex(0), 7, 7)
    };
    let (often, seldom) = (low_with_one_in(2), low_with_one_in(5));
    assert!(often > seldom * 2, "{often} and {seldom}");
}
