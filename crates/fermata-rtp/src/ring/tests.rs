use std::collections::BTreeMap;
use std::time::Duration;

use fermata_types::Now;
use proptest::prelude::*;

use super::*;

fn meta(arrived: Instant) -> Meta {
    Meta {
        timestamp: 5,
        marker: true,
        arrived,
        audio_level_db: Some(-9),
        voice_activity: None,
        targets: 0,
    }
}

/// A payload that tells its number and length.
fn payload(seq: u64, len: usize) -> Vec<u8> {
    seq.to_be_bytes().into_iter().cycle().take(len).collect()
}

#[test]
fn what_went_in_comes_out() {
    let now = Now::read().instant;
    let mut ring = PacketRing::audio();
    assert_eq!((ring.get(1), ring.bytes_capacity(), ring.newest()), (None, 0, None));
    ring.push(70_000, &[1, 2, 3], meta(now)).unwrap();
    let stored = Stored { seq: 70_000, meta: meta(now), dependency: &[], payload: &[1, 2, 3] };
    assert_eq!(ring.get(70_000), Some(stored));
    ring.push_with(70_002, &[8, 9], &[7], meta(now)).unwrap();
    let with = ring.get(70_002).expect("there");
    assert_eq!((with.dependency, with.payload), (&[8, 9][..], &[7][..]));
    ring.push_with(70_003, &[8; 256], &[7], meta(now)).unwrap();
    let without = ring.get(70_003).expect("there");
    assert_eq!((without.dependency, without.payload), (&[][..], &[7][..]));
    // The same slot and the same 16 bits are not the same packet.
    assert_eq!(ring.get(70_000 + 64), None);
    assert_eq!(ring.get(70_000 - 65_536), None);
    ring.push(70_063, &[], meta(now)).unwrap();
    assert_eq!(ring.get(70_063).map(|stored| stored.payload.len()), Some(0));
    // 64 further: the slot is taken.
    ring.push(70_064, &[4], meta(now)).unwrap();
    assert_eq!(ring.get(70_000), None);
    assert_eq!(
        ring.push(70_000, &[1], meta(now)),
        Err(Refused::TooOld { seq: 70_000, newest: 70_064 })
    );
    ring.push(70_001, &[5], meta(now)).unwrap();
    assert_eq!(ring.push(70_001, &[6], meta(now)), Err(Refused::Duplicate { seq: 70_001 }));
    assert_eq!(ring.get(70_001).map(|stored| stored.payload), Some(&[5][..]));
    let long = vec![0; RING_PAYLOAD_LEN_MAX + 1];
    assert_eq!(ring.push(70_065, &long, meta(now)), Err(Refused::TooLong { len: 1_501 }));
    ring.push(70_065, &long[1..], meta(now)).unwrap();
    assert_eq!((ring.refused(), ring.newest()), (3, Some(70_065)));
    ring.clear();
    assert_eq!((ring.get(70_065), ring.newest()), (None, None));
    ring.push(3, &[7], meta(now)).unwrap();
    assert_eq!(ring.get(3).map(|stored| stored.payload), Some(&[7][..]));
}

#[test]
fn the_store_grows_only_for_the_young() {
    let zero = Now::read().instant;
    let mut ring = PacketRing::video();
    // 1,000 bytes each 20 ms, 400 kbit/s: a second is 50 KB, so the first store does.
    for seq in 0..400 {
        let now = zero + Duration::from_millis(20 * seq);
        ring.push(seq, &payload(seq, 1_000), meta(now)).unwrap();
        let kept = seq.saturating_sub(49)..=seq;
        assert!(kept.into_iter().all(|seq| ring.get(seq).is_some()), "{seq}");
    }
    assert_eq!((ring.bytes_capacity(), ring.lost_young()), (64 * 1024, 0));
    assert!(ring.get(300).is_none());
    // Each millisecond: 512 packets of 1,000 bytes are younger than a second and half a megabyte.
    let zero = zero + Duration::from_mins(1);
    for seq in 400..2_000 {
        let now = zero + Duration::from_millis(seq);
        ring.push(seq, &payload(seq, 1_000), meta(now)).unwrap();
        for kept in seq.saturating_sub(511).max(400)..=seq {
            let stored = ring.get(kept).expect("kept");
            assert_eq!(stored.payload, payload(kept, 1_000), "{kept} at {seq}");
        }
        assert_eq!(ring.get(seq.wrapping_sub(512)).map(|stored| stored.seq), None);
    }
    assert_eq!((ring.bytes_capacity(), ring.lost_young()), (512 * 1024, 0));
}

#[test]
fn the_store_does_not_grow_beyond_its_limit() {
    let now = Now::read().instant;
    let mut ring = PacketRing::new(64, (2_048, 8_192));
    for seq in 0..1_000 {
        ring.push(seq, &payload(seq, 1_000), meta(now)).unwrap();
    }
    assert_eq!(ring.bytes_capacity(), 8_192);
    // Eight stand in it; seven if the gap at the end has the room of one.
    let kept: Vec<u64> = (0..1_000).filter(|seq| ring.get(*seq).is_some()).collect();
    assert_eq!(kept, (992..1_000).collect::<Vec<_>>());
    assert!(ring.lost_young() > 900);
}

#[derive(Debug, Clone)]
struct Step {
    seq: i64,
    len: usize,
    wait_ms: u64,
}

fn step() -> impl Strategy<Value = Step> {
    let seq = prop_oneof![8 => Just(1_i64), 4 => -70_i64..5, 1 => 0_i64..200];
    let len = prop_oneof![0_usize..100, 900_usize..1_501];
    (seq, len, 0_u64..400).prop_map(|(seq, len, wait_ms)| Step { seq, len, wait_ms })
}

proptest! {
    /// Against a map of all packets: never another payload, and nothing young is missing while it may grow.
    #[test]
    fn never_a_wrong_one(steps in prop::collection::vec(step(), 1..300)) {
        let mut now = Now::read().instant;
        let mut ring = PacketRing::new(64, (4_096, 32_768));
        let mut all: BTreeMap<u64, (Vec<u8>, Instant)> = BTreeMap::new();
        let mut last = 1_000_000_i64;
        for (count, step) in (0_u64..).zip(steps) {
            now += Duration::from_millis(step.wait_ms);
            last += step.seq;
            let seq = last.cast_unsigned();
            let newest = ring.newest().unwrap_or(seq);
            let bytes = payload(count, step.len);
            let there = ring.get(seq).is_some();
            match ring.push(seq, &bytes, meta(now)) {
                Ok(()) => {
                    prop_assert!(!there && seq + 64 > newest);
                    all.insert(seq, (bytes, now));
                    prop_assert!(ring.get(seq).is_some());
                }
                Err(Refused::TooOld { .. }) => prop_assert!(seq + 64 <= newest),
                Err(Refused::Duplicate { .. }) => prop_assert!(there),
                Err(refused) => return Err(TestCaseError::fail(refused.to_string())),
            }
            let newest = ring.newest().expect("one was taken");
            last = last.max(newest.cast_signed() - 100);
            for (seq, (bytes, arrived)) in &all {
                if let Some(stored) = ring.get(*seq) {
                    prop_assert_eq!(stored.payload, &bytes[..]);
                    prop_assert_eq!(stored.meta.arrived, *arrived);
                } else {
                    let slot_taken = seq + 64 <= newest;
                    let young = now.saturating_duration_since(*arrived) < RING_KEPT_MIN;
                    let limit = ring.bytes_capacity() == 32_768;
                    prop_assert!(slot_taken || !young || limit, "{} is gone", seq);
                }
            }
        }
    }
}
