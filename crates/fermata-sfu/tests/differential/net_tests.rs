//! The network itself.

use std::collections::HashSet;

use crate::dice::fraction;
use crate::net::{Direction, Ms};
use crate::shape::{CLEAN, SHAPES, Shape};
use crate::wire::Kind;

/// Packets of one stream, ten milliseconds apart: which came, and how late; without the first second.
fn fates(seed: u64, shape: Shape) -> Vec<(u16, Ms)> {
    let mut direction = Direction::new(seed, shape, 1_000);
    direction.formats.learn("a=rtpmap:96 VP8/90000\r\n");
    let mut came = Vec::new();
    for now in 0..41_000 {
        if now % 10 == 0 && now < 40_000 {
            let seq = u16::try_from(now / 10).unwrap();
            let [high, low] = seq.to_be_bytes();
            direction.send(now, vec![0x80, 96, high, low, 0, 0, 0, 0, 0, 0, 0, 7, 0]);
        }
        while let Some(data) = direction.receive(now) {
            came.push((u16::from_be_bytes([data[2], data[3]]), now));
        }
    }
    let before: Vec<_> = came.iter().take(100).copied().collect();
    let should = (0..100).map(|seq| (seq, Ms::from(seq) * 10 + direction.delay));
    assert!(before.into_iter().eq(should), "clean at first");
    let late = came.split_off(100).into_iter();
    late.map(|(seq, at)| (seq, at - Ms::from(seq) * 10 - direction.delay)).collect()
}

#[test]
fn each_shape_does_what_it_says_and_the_same_again() {
    // Share that came, longest row that did not, share that came late, share that came behind a later one.
    let rows = [
        (0, (1.0, 1.0), (0, 0), (0.0, 0.0)),
        (1, (0.98, 0.995), (1, 3), (0.0, 0.0)),
        (2, (0.93, 0.97), (1, 5), (0.0, 0.0)),
        (3, (0.88, 0.92), (2, 6), (0.0, 0.0)),
        (4, (1.0, 1.02), (0, 0), (0.17, 0.22)),
        (5, (0.92, 0.99), (8, 24), (0.03, 0.07)),
    ];
    for (number, came_range, lost_range, late_range) in rows {
        let shape = SHAPES[number];
        let came = fates(3, shape);
        assert_eq!(came, fates(3, shape), "{}", shape.name);
        assert!(number == 0 || came != fates(4, shape), "{}", shape.name);
        let share = fraction(came.len() as u64, 3_900);
        assert!((came_range.0..=came_range.1).contains(&share), "{}: {share}", shape.name);
        let numbers: HashSet<u16> = came.iter().map(|(seq, _)| *seq).collect();
        let lost: Vec<bool> = (100..4_000).map(|seq| !numbers.contains(&seq)).collect();
        let rows = lost.chunk_by(|one, next| one == next).filter(|row| row[0]);
        let longest = rows.map(<[bool]>::len).max().unwrap_or(0);
        assert!((lost_range.0..=lost_range.1).contains(&longest), "{}: {longest}", shape.name);
        let late = came.iter().filter(|(_, late)| *late > 0);
        let late = fraction(late.count() as u64, came.len() as u64);
        assert!((late_range.0..=late_range.1).contains(&late), "{}: {late}", shape.name);
    }
}

#[test]
fn kinds_are_told_apart_and_repetitions_are_seen() {
    let mut direction = Direction::new(1, CLEAN, 0);
    direction
        .formats
        .learn("a=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\na=rtpmap:111 opus/48000/2\r\n");
    let rtp = |number: u8, seq: u8| vec![0x80, number, 0, seq, 0, 0, 0, 0, 0, 0, 0, number];
    let stun = vec![0; 20];
    let rtcp = vec![0x81, 201, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0];
    for data in [rtp(96, 1), rtp(0xe0, 2), rtp(97, 1), rtp(111, 1), rtp(96, 1), rtcp, stun] {
        direction.send(1, data);
    }
    let kinds = [Kind::Video, Kind::Audio, Kind::Again, Kind::Feedback, Kind::Other];
    let counts = kinds.map(|kind| direction.tally.of(kind));
    // With the marker bit the stream of the same number is another one here: its last byte tells.
    assert_eq!((counts, direction.tally.repeated), ([3, 1, 1, 1, 1], 1));
}
