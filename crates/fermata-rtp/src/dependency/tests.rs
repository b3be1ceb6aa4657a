//! Descriptors bit by bit, round trips, and any bytes.

use proptest::prelude::*;

use super::*;
use crate::FrameSize;
use crate::limits::{DEPENDENCY_DIFFERENCES_MAX, DEPENDENCY_TEMPLATES_MAX};

/// Bits from text, blanks left out, filled up with zeros to a byte.
fn pack(text: &str) -> Vec<u8> {
    let bits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let byte = |bits: &[u8]| {
        bits.iter().enumerate().fold(0, |byte, (place, bit)| byte | (bit - b'0') << (7 - place))
    };
    bits.chunks(8).map(byte).collect()
}

/// Two spatial layers of one temporal layer, the upper one predicted from the lower one at the start alone;
/// templates 60 (S0 start), 61 (S0), 62 (S1 start), 63 (S1).
const STRUCTURE: &str = "
    111100 00001
    00 10 00 11
    1010 1000 0010 0010
    0 100010 100000 100010
    11 0 1  0000 0000  0001 0001
            0001 0001  0010 0001
    1 0000000100111111 0000000010110011 0000001001111111 0000000101100111";

/// With the template, number and what follows the five flags.
fn descriptor(start: bool, template: u8, number: u16, flags: &str, rest: &str) -> Vec<u8> {
    let start = u8::from(start);
    pack(&format!("{start}1{template:06b}{number:016b}{flags}{rest}"))
}

fn begun() -> Reader {
    let mut reader = Reader::default();
    let first = descriptor(true, 60, 0xfffe, "10000", STRUCTURE);
    let frame = reader.read(&first, true).expect("it is whole");
    assert!(frame.begins && frame.start && frame.end);
    reader
}

#[test]
fn a_structure_is_read_bit_by_bit() {
    let reader = begun();
    let structure = reader.structure().expect("it came");
    let target = |spatial| Target { spatial, temporal: 0 };
    assert_eq!(structure.targets(), [target(0), target(1)]);
    assert_eq!((structure.spatial_count(), structure.chain_count()), (2, 2));
    let sizes = structure.sizes().expect("they were told");
    assert_eq!(sizes[..3], [FrameSize::new(320, 180), FrameSize::new(640, 360), None]);
    assert_eq!((reader.active(), reader.since()), (0b11, 0xfffe));
}

#[test]
fn frames_are_read_by_their_templates() {
    let mut reader = begun();
    let rows: [(u8, u8, &[Indication], &[u16]); 4] = [
        (60, 0, &[Indication::Switch, Indication::Switch], &[]),
        (61, 0, &[Indication::Switch, Indication::NotPresent], &[2]),
        (62, 1, &[Indication::NotPresent, Indication::Switch], &[1]),
        (63, 1, &[Indication::NotPresent, Indication::Switch], &[2]),
    ];
    for (template, spatial, indications, differences) in rows {
        let frame = reader.read(&descriptor(true, template, 7, "", "")[..3], true).expect("whole");
        assert_eq!((frame.spatial, frame.temporal, frame.number), (spatial, 0, 7), "{template}");
        assert!(!frame.begins);
        for (target, indication) in indications.iter().enumerate() {
            assert_eq!(frame.indication(target), *indication, "{template}");
            assert_eq!(frame.serves(target), *indication != Indication::NotPresent);
        }
        let read: Vec<u16> = frame.differences.iter().collect();
        assert_eq!(read, differences, "{template}");
    }
    assert_eq!(reader.read(&descriptor(true, 0, 7, "", "")[..3], true), None, "no such template");
    assert!(Reader::default().read(&descriptor(true, 60, 7, "", "")[..3], true).is_none());
}

#[test]
fn a_frame_may_be_other_than_its_template() {
    let mut reader = begun();
    let rest = "10 01 01 0010 10 00000001 11 000000000000 00 00000011 00000100";
    let frame = reader.read(&descriptor(false, 63, 9, "00111", rest), true).expect("whole");
    assert!(!frame.start && frame.spatial == 1);
    assert_eq!(frame.indication(0), Indication::Switch);
    assert_eq!(frame.indication(1), Indication::Discardable);
    assert_eq!(frame.differences.iter().collect::<Vec<_>>(), [3, 2, 1]);
    // Only the first two chains' numbers are there; a byte less is too few.
    let whole = descriptor(false, 63, 9, "00111", rest);
    for len in 4..whole.len() {
        assert_eq!(reader.read(&whole[..len], true), None, "{len}");
    }
}

#[test]
fn the_sender_says_which_targets_it_sends() {
    let mut reader = begun();
    assert!(reader.read(&descriptor(true, 61, 1, "01000", "01"), true).is_some());
    assert_eq!(reader.active(), 0b01);
    assert!(reader.read(&descriptor(true, 61, 2, "", "")[..3], true).is_some());
    assert_eq!(reader.active(), 0b01, "it stays so");
    let again = descriptor(true, 60, 3, "10000", STRUCTURE);
    assert!(reader.read(&again, false).is_some());
    assert_eq!((reader.active(), reader.since()), (0b01, 0xfffe), "one that came late");
    assert!(reader.read(&again, true).is_some());
    assert_eq!((reader.active(), reader.since()), (0b11, 3));
    let fewer = descriptor(true, 60, 4, "11000", &format!("{STRUCTURE}10"));
    assert!(reader.read(&fewer, true).is_some());
    assert_eq!(reader.active(), 0b10);
}

#[test]
fn what_is_beyond_a_limit_is_not_understood() {
    let mut reader = Reader::default();
    let mut refuse = |structure: &str| {
        let whole = descriptor(true, 0, 0, "10000", structure);
        assert!(reader.read(&whole, true).is_none() && reader.structure().is_none());
    };
    // Four steps up in the spatial layers; eight in the temporal ones; one template too many.
    refuse(&format!("000000 00000 {} 11 {}", "10".repeat(4), "0".repeat(64)));
    refuse(&format!("000000 00000 {} 11 {}", "01".repeat(8), "0".repeat(64)));
    refuse(&format!("000000 00000 {} 11", "00".repeat(DEPENDENCY_TEMPLATES_MAX)));
    let many = "10000".repeat(DEPENDENCY_DIFFERENCES_MAX + 1);
    refuse(&format!("000000 00000 11 10 {many} 0 0 0"));
    let fine = format!("000000 00000 11 10 {} 0 0 0", "10000".repeat(DEPENDENCY_DIFFERENCES_MAX));
    let whole = descriptor(true, 0, 0, "10000", &fine);
    assert!(reader.read(&whole, true).is_some());
    let middle = descriptor(false, 0, 0, "10000", &fine);
    assert!(reader.read(&middle, true).is_none(), "a structure in the middle of a frame");
    assert!(reader.read(&[0; 256], true).is_none(), "longer than any");
}

#[test]
fn a_short_descriptor_is_rewritten_bit_by_bit() {
    let short = descriptor(true, 61, 0x1234, "", "")[..3].to_vec();
    let mut out = [0xaa; 16];
    let number = Rewrite { number: 0xabcd, active: 0 };
    assert_eq!(number.write(&short, 2, &mut out), Some(3));
    assert_eq!(out[..4], [short[0], 0xab, 0xcd, 0xaa]);
    let fewer = Rewrite { number: 0xabcd, active: 0b01 };
    assert_eq!(fewer.write(&short, 2, &mut out), Some(4));
    assert_eq!(out[..4], [short[0], 0xab, 0xcd, 0b0100_0010]);
    assert_eq!(fewer.write(&short, 2, &mut out[..3]), None, "no room");
}

/// Everything that a reader sees of a descriptor.
fn seen(reader: &mut Reader, bytes: &[u8]) -> Option<(Frame, Option<Structure>, u32)> {
    let frame = reader.read(bytes, true)?;
    Some((frame, reader.structure().cloned(), reader.active()))
}

#[test]
fn a_rewritten_descriptor_says_the_same_but_for_what_was_changed() {
    let custom = "10 01 01 0010 00 00000011 00000100";
    let rows = [
        descriptor(true, 60, 5, "10000", STRUCTURE),
        descriptor(true, 60, 5, "11000", &format!("{STRUCTURE}10")),
        descriptor(true, 62, 6, "", "")[..3].to_vec(),
        descriptor(true, 61, 7, "01000", "11"),
        descriptor(true, 63, 7, "00111", custom),
        descriptor(true, 63, 7, "01111", &format!("11{custom}")),
    ];
    for (place, bytes) in rows.iter().enumerate() {
        for active in [0, 0b01, 0b10, 0b11] {
            let (mut one, mut two) = (begun(), begun());
            let rewrite = Rewrite { number: 0x4321, active };
            let mut out = [0x55; DESCRIPTOR_LEN_MAX];
            let len = rewrite.write(bytes, 2, &mut out).expect("it fits");
            assert_eq!(len, rewrite.len(bytes, 2), "{place}");
            let (mut frame, structure, was) = seen(&mut one, bytes).expect("whole");
            let after = seen(&mut two, &out[..len]).expect("still whole");
            frame.number = 0x4321;
            let expected = if active == 0 { was } else { active };
            assert_eq!(after, (frame, structure, expected), "{place} {active}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn any_bytes_are_taken(
        head in prop::collection::vec(any::<u8>(), 0..4),
        bytes in prop::collection::vec(
            prop_oneof![any::<u8>(), prop::sample::select(&[0_u8, 0x80, 0xff, 0x55][..])], 0..300),
        known in any::<bool>(),
        active in any::<u32>(),
    ) {
        let mut reader = if known { begun() } else { Reader::default() };
        let whole = [head, bytes].concat();
        let read = reader.read(&whole, true);
        if let Some(frame) = read {
            let structure = reader.structure().expect("nothing is read without one");
            prop_assert!(frame.spatial < structure.spatial_count());
            prop_assert_eq!(frame.target_count, structure.target_count());
        }
        // Also what no reader took.
        let targets = read.map_or(2, |frame| frame.target_count);
        let active = active & (u32::MAX >> (32 - u32::from(targets)));
        let rewrite = Rewrite { number: 77, active };
        let mut out = [0; DESCRIPTOR_LEN_MAX];
        if let Some(len) = rewrite.write(&whole, targets, &mut out) && let Some(frame) = read {
            let after = reader.read(&out[..len], true).expect("still whole");
            let mut expected = frame;
            expected.number = 77;
            prop_assert_eq!(after, expected);
            prop_assert!(active == 0 || reader.active() == active);
        }
    }
}
