use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;

fn key() -> BlockKey {
    BlockKey {
        app: SdkAppId(1_400_000_001),
        room_sid: RoomSid::from_text("RM_abcdefghijkl"),
        stay: ParticipantSid::from_text("PA_abcdefghijkl"),
    }
}

fn sample(unit: i64, tracks: Vec<TrackSample>) -> StaySample {
    let BlockKey { app, room_sid, stay } = key();
    StaySample {
        app,
        room_sid,
        stay,
        at: time_of(unit).unwrap(),
        span_ms: 5_000,
        rtt_ms: Some(30),
        cpu_percent: None,
        downlink: Downlink::default(),
        peer: None,
        tracks,
    }
}

fn track(n: usize) -> TrackSample {
    TrackSample {
        track: TrackSid::from_text(&format!("TR_{n}")),
        from: (!n.is_multiple_of(3)).then(|| ParticipantSid::from_text(&format!("PA_{}", n % 3))),
        media: Media::ALL[n % 4],
        packets: 250,
        bytes: 20_000,
        lost: 0,
        frames: 0,
        width: 0,
        height: 0,
        freeze_ms: 0,
        jitter_ms: Some(3),
        keyframe_requests: 0,
        nacks: 0,
    }
}

fn any_track() -> impl Strategy<Value = TrackSample> {
    let numbers = proptest::array::uniform9(prop_oneof![0..300_u32, any::<u32>()]);
    (0..70_usize, numbers, option::of(any::<u32>())).prop_map(|(n, numbers, jitter_ms)| {
        let [packets, bytes, lost, frames, width, height, freeze_ms, keyframe_requests, nacks] =
            numbers;
        TrackSample {
            packets,
            bytes,
            lost,
            frames,
            width,
            height,
            freeze_ms,
            jitter_ms,
            keyframe_requests,
            nacks,
            ..track(n)
        }
    })
}

fn any_downlink() -> impl Strategy<Value = Downlink> {
    let via = prop::sample::select(vec![None, Some(Via::Udp), Some(Via::Tcp), Some(Via::Relay)]);
    (option::of(any::<u32>()), 0..9_u32, any::<u32>(), via).prop_map(
        |(estimate_bps, tracks_limited, tracks_paused, via)| Downlink {
            estimate_bps,
            tracks_limited,
            tracks_paused,
            via,
        },
    )
}

prop_compose! {
    fn any_samples()(
        start in -1_000_000_000_i64..1_000_000_000,
        rows in vec(
            (
                1..5_i64,
                any::<u32>(),
                option::of(any::<u32>()),
                option::of(0..101_u32),
                any_downlink(),
                vec(any_track(), 0..8),
            ),
            1..70,
        ),
    ) -> Vec<StaySample> {
        let mut unit = start;
        rows.into_iter().map(|(later, span_ms, rtt_ms, cpu_percent, downlink, tracks)| {
            unit += later;
            StaySample { span_ms, rtt_ms, cpu_percent, downlink, ..sample(unit, tracks) }
        }).collect()
    }
}

proptest! {
    #[test]
    fn what_goes_in_comes_out(samples in any_samples()) {
        let mut builder = BlockBuilder::new(key());
        let mut kept = Vec::new();
        for sample in &samples {
            let before = builder.dropped();
            match builder.push(sample) {
                Pushed::Full => prop_assert_eq!(kept.len(), BLOCK_SAMPLES_MAX),
                Pushed::Added if builder.dropped() == before => kept.push(Some(sample.clone())),
                Pushed::Added => kept.push(None),
                other => prop_assert!(false, "{:?}", other),
            }
        }
        let block = builder.finish().unwrap();
        prop_assert!(block.bytes.len() <= BLOCK_BYTES_MAX);
        prop_assert_eq!(block.samples, kept.len());
        let read = decode(&key(), &block.bytes).unwrap();
        prop_assert_eq!((block.first, block.last), (read[0].at, read[read.len() - 1].at));
        prop_assert_eq!(read.len(), kept.len());
        for (read, kept) in read.iter().zip(&kept) {
            if let Some(kept) = kept {
                prop_assert_eq!(read, kept);
            }
        }
    }

    #[test]
    fn hostile_bytes_are_an_error_or_samples_within_bounds(
        mut bytes in vec(any::<u8>(), 0..400),
        valid in option::of(VERSION_MIN..=VERSION),
    ) {
        if let (Some(first), Some(version)) = (bytes.first_mut(), valid) {
            *first = version;
        }
        if let Ok(samples) = decode(&key(), &bytes) {
            prop_assert!(samples.len() <= BLOCK_SAMPLES_MAX);
            prop_assert!(samples.iter().all(|sample| sample.tracks.len() <= BLOCK_TRACKS_MAX));
        }
    }

    #[test]
    fn a_changed_byte_never_panics(
        samples in any_samples(), place in any::<prop::sample::Index>(), to in any::<u8>()
    ) {
        let mut builder = BlockBuilder::new(key());
        for sample in &samples {
            builder.push(sample);
        }
        let mut bytes = builder.finish().unwrap().bytes;
        let place = place.index(bytes.len());
        bytes[place] = to;
        let _ = decode(&key(), &bytes);
        let cut = decode(&key(), &bytes[..place]);
        prop_assert!(cut.is_err());
    }
}

/// Written by the program of the first layout: two samples, of one track of its own and one that it received.
const FIRST_LAYOUT: &[u8] = &[
    1, 2, 128, 168, 169, 215, 2, 2, 4, 84, 82, 95, 48, 0, 0, 4, 84, 82, 95, 49, 1, 4, 80, 65, 95,
    49, 1, 0, 0, 31, 0, 2, 0, 131, 1, 244, 3, 192, 184, 2, 8, 0, 131, 1, 244, 3, 192, 184, 2, 8, 1,
    0, 0, 0, 2, 0, 0, 0, 130, 1, 208, 15, 7,
];

#[test]
fn a_block_of_the_first_layout_is_still_read() {
    let read = decode(&key(), FIRST_LAYOUT).unwrap();
    let first = sample(360_000_000, vec![track(0), track(1)]);
    let moved = TrackSample { bytes: 21_000, jitter_ms: None, ..track(1) };
    let second = StaySample { rtt_ms: None, ..sample(360_000_001, vec![track(0), moved]) };
    assert_eq!(read, [first, second], "the way to the client is not known");
}

#[test]
fn five_minutes_of_an_ordinary_call_are_small() {
    let mut builder = BlockBuilder::new(key());
    for n in 0..60_u32 {
        let vary = |track: TrackSample| TrackSample { bytes: 20_000 + n * 37 % 900, ..track };
        let downlink = Downlink {
            estimate_bps: Some(2_000_000 + n * 7_919 % 90_000),
            via: Some(Via::Udp),
            ..Downlink::default()
        };
        let tracks = (0..4).map(|n| vary(track(n))).collect();
        builder.push(&StaySample { downlink, ..sample(n.into(), tracks) });
    }
    let block = builder.finish().unwrap();
    assert!(block.bytes.len() < 60 * 30, "{} bytes", block.bytes.len());
}

#[test]
fn the_longest_block_is_within_the_bound_and_the_rest_is_dropped_and_counted() {
    let mut builder = BlockBuilder::new(key());
    for n in 0..60 {
        let extreme = if n % 2 == 0 { u32::MAX } else { 0 };
        let tracks = (0..100).rev().map(|t| TrackSample {
            track: TrackSid::from_text(&format!("{t:>64}")),
            from: Some(ParticipantSid::from_text(&format!("{t:>64}"))),
            packets: extreme,
            bytes: extreme,
            lost: extreme,
            frames: extreme,
            width: extreme,
            height: extreme,
            freeze_ms: extreme,
            jitter_ms: Some(extreme),
            keyframe_requests: extreme,
            nacks: extreme,
            ..track(t)
        });
        let downlink = Downlink {
            estimate_bps: Some(extreme),
            tracks_limited: extreme,
            tracks_paused: extreme,
            via: (n % 2 == 0).then_some(Via::Relay),
        };
        let sample = StaySample { downlink, ..sample(n, tracks.collect()) };
        assert_eq!(builder.push(&sample), Pushed::Added);
    }
    assert_eq!(builder.dropped(), 60 * 36);
    assert!(builder.is_full());
    let block = builder.finish().unwrap();
    assert!(block.bytes.len() < BLOCK_BYTES_MAX, "{} bytes", block.bytes.len());
    assert_eq!(decode(&key(), &block.bytes).unwrap().len(), 60);
}

#[test]
fn what_does_not_belong_is_left_out() {
    let mut builder = BlockBuilder::new(key());
    assert_eq!(builder.push(&sample(7, Vec::new())), Pushed::Added);
    assert_eq!(builder.push(&sample(7, Vec::new())), Pushed::OutOfOrder);
    assert_eq!(builder.push(&sample(6, Vec::new())), Pushed::OutOfOrder);
    let odd = StaySample { at: Timestamp::from_second(43).unwrap(), ..sample(9, Vec::new()) };
    assert_eq!(builder.push(&odd), Pushed::OutOfOrder);
    let foreign = StaySample { app: SdkAppId(1), ..sample(9, Vec::new()) };
    assert_eq!(builder.push(&foreign), Pushed::Foreign);
    let long = TrackSample { track: TrackSid::from_text(&"x".repeat(65)), ..track(1) };
    assert_eq!(builder.push(&sample(9, vec![long])), Pushed::Added);
    assert_eq!((builder.samples(), builder.dropped()), (2, 1));
    assert_eq!(builder.first(), time_of(7));
    assert!(BlockBuilder::new(key()).finish().is_none());
}

#[test]
fn errors_say_what_is_wrong() {
    let rows: [(&[u8], BlockError); 11] = [
        (&[], BlockError::CutOff),
        (&[9], BlockError::Version(9)),
        (&[1, 0], BlockError::OutOfRange("the number of samples")),
        (&[1, 61], BlockError::OutOfRange("the number of samples")),
        (&[1, 1, 0, 65], BlockError::OutOfRange("the number of tracks")),
        (&[1, 1, 0, 0, 0], BlockError::CutOff),
        (&[1, 1, 0, 0, 0, 0, 0, 0, 0, 0], BlockError::Trailing),
        (&[0, 1, 0, 0, 0, 0, 0, 0, 0], BlockError::Version(0)),
        (&[2, 1, 0, 0, 0, 0, 0, 0, 0], BlockError::CutOff),
        (&[2, 1, 0, 0, 0, 0, 0, 0, 16, 0], BlockError::OutOfRange("a set of fields")),
        (&[2, 1, 0, 0, 0, 0, 0, 0, 8, 8, 0], BlockError::OutOfRange("a way of media")),
    ];
    for (bytes, expected) in rows {
        assert_eq!(decode(&key(), bytes), Err(expected), "{bytes:?}");
    }
    assert_eq!(decode(&key(), &vec![1; BLOCK_BYTES_MAX + 1]), Err(BlockError::TooLong));
}
