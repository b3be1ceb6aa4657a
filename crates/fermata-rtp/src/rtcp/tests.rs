use proptest::prelude::*;

use super::*;
use crate::limits::EXTENDED_DELAYS_MAX;
use crate::ntp::NtpTime;

/// One line for each packet, with everything that its iterators give.
fn told(compound: &[u8]) -> Vec<String> {
    parse(compound)
        .map(|packet| match packet {
            Packet::SenderReport { ssrc, info, reports } => {
                format!("SR {ssrc} {info:?} {:?}", reports.collect::<Vec<_>>())
            }
            Packet::ReceiverReport { ssrc, reports } => {
                format!("RR {ssrc} {:?}", reports.collect::<Vec<_>>())
            }
            Packet::SourceDescription { names } => {
                let text =
                    |(ssrc, name): (u32, &[u8])| (ssrc, String::from_utf8_lossy(name).into_owned());
                format!("SDES {:?}", names.map(text).collect::<Vec<_>>())
            }
            Packet::Goodbye { ssrcs } => format!("BYE {:?}", ssrcs.collect::<Vec<_>>()),
            Packet::Nack { sender, media, lost } => {
                format!("NACK {sender} {media} {:?}", lost.collect::<Vec<_>>())
            }
            Packet::PictureLoss { sender, media } => format!("PLI {sender} {media}"),
            Packet::FullIntra { sender, entries } => {
                format!("FIR {sender} {:?}", entries.collect::<Vec<_>>())
            }
            Packet::EstimatedBitrate { sender, bps, ssrcs } => {
                format!("REMB {sender} {bps} {:?}", ssrcs.collect::<Vec<_>>())
            }
            Packet::TransportFeedback(view) => format!("TWCC {} {}", view.base(), view.count()),
            Packet::ExtendedReport { ssrc, blocks } => {
                let text = |block| match block {
                    ExtendedBlock::ReferenceTime(time) => format!("at {:x}", time.0),
                    ExtendedBlock::Delays(delays) => format!("{:?}", delays.collect::<Vec<_>>()),
                };
                format!("XR {ssrc} {:?}", blocks.map(text).collect::<Vec<_>>())
            }
            Packet::Unknown { packet_type, format } => format!("? {packet_type} {format}"),
        })
        .collect()
}

#[test]
fn packets_by_hand() {
    let rows: &[(&[u8], &[&str])] = &[
        (&[], &[]),
        (&[0x80, 201, 0, 1, 0, 0, 0, 5], &["RR 5 []"]),
        (&[0x81, 203, 0, 1, 0, 0, 0, 5], &["BYE [5]"]),
        // With a reason behind.
        (&[0x81, 203, 0, 2, 0, 0, 0, 5, 3, b'b', b'y', b'e'], &["BYE [5]"]),
        (&[0x81, 206, 0, 2, 0, 0, 0, 5, 0, 0, 0, 6], &["PLI 5 6"]),
        (&[0x84, 206, 0, 4, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 7, 3, 0, 0, 0], &["FIR 5 [(7, 3)]"]),
        // 65,535 and, by its mask, 0 and 15.
        (
            &[0x81, 205, 0, 3, 0, 0, 0, 5, 0, 0, 0, 6, 0xff, 0xff, 0x80, 0x01],
            &["NACK 5 6 [65535, 0, 15]"],
        ),
        // Exponent 3, mantissa 0x20001.
        (
            &[
                0x8f, 206, 0, 5, 0, 0, 0, 5, 0, 0, 0, 0, b'R', b'E', b'M', b'B', 1, 0x0e, 0, 1, 0,
                0, 0, 9,
            ],
            &["REMB 5 1048584 [9]"],
        ),
        // A CNAME behind a NAME, then a source without one, then one with.
        (
            &[
                0x83, 202, 0, 9, 0, 0, 0, 1, 2, 1, b'x', 1, 2, b'a', b'b', 0, 0, 0, 0, 2, 2, 1,
                b'z', 0, 0, 0, 0, 3, 1, 5, b'h', b'e', b'l', b'l', b'o', 0, 0, 0, 0, 0,
            ],
            &["SDES [(1, \"ab\"), (3, \"hello\")]"],
        ),
        // Application data, then two in one compound.
        (&[0x80, 204, 0, 1, 0, 0, 0, 5, 0x80, 201, 0, 1, 0, 0, 0, 5], &["? 204 0", "RR 5 []"]),
        // An XR of nothing, one of a block that we do not know before one that we do, and broken ones.
        (&[0x80, 207, 0, 1, 0, 0, 0, 5, 0x80, 201, 0, 1, 0, 0, 0, 5], &["XR 5 []", "RR 5 []"]),
        (
            &[
                0x80, 207, 0, 6, 0, 0, 0, 5, 99, 0, 0, 1, 0, 0, 0, 0, 4, 0, 0, 2, 0, 0, 0, 1, 0x80,
                0, 0, 0,
            ],
            &["XR 5 [\"at 180000000\"]"],
        ),
        (&[0x80, 207, 0, 3, 0, 0, 0, 5, 4, 0, 0, 1, 0, 0, 0, 1], &["XR 5 []"]),
        (&[0x80, 207, 0, 3, 0, 0, 0, 5, 4, 0, 0, 2, 0, 0, 0, 1], &["XR 5 []"]),
        (&[0x80, 207, 0, 3, 0, 0, 0, 5, 5, 0, 0, 1, 0, 0, 0, 1], &["XR 5 []"]),
        (&[0x80, 207, 0, 0], &["? 207 0"]),
        // Whole, but empty or too short inside; what follows is still read.
        (&[0x81, 201, 0, 1, 0, 0, 0, 5, 0x80, 201, 0, 1, 0, 0, 0, 5], &["? 201 1", "RR 5 []"]),
        (&[0x81, 206, 0, 1, 0, 0, 0, 5], &["? 206 1"]),
        (&[0x82, 203, 0, 1, 0, 0, 0, 5], &["? 203 2"]),
        (&[0x80, 200, 0, 0], &["? 200 0"]),
        // Padding of less than a word, and not in the last, as clients write it.
        (&[0xa0, 201, 0, 2, 0, 0, 0, 5, 0, 0, 0, 3], &["RR 5 []"]),
        (
            &[0xa0, 201, 0, 2, 0, 0, 0, 5, 0, 0, 0, 4, 0x80, 201, 0, 1, 0, 0, 0, 5],
            &["RR 5 []", "RR 5 []"],
        ),
        // Broken: version, length, padding.
        (&[0x40, 201, 0, 1, 0, 0, 0, 5], &[]),
        (&[0x80, 201, 0, 2, 0, 0, 0, 5], &[]),
        (&[0x80, 201, 0], &[]),
        (&[0xa0, 201, 0, 2, 0, 0, 0, 5, 0, 0, 0, 4], &["RR 5 []"]),
        (&[0xa0, 201, 0, 2, 0, 0, 0, 5, 0, 0, 0, 12], &[]),
        (&[0xa0, 201, 0, 0], &[]),
    ];
    for (compound, expected) in rows {
        assert_eq!(told(compound), *expected, "{compound:02x?}");
    }
}

#[test]
fn a_sender_report_by_hand() {
    let compound = [
        0x81, 200, 0, 12, 0, 0, 0, 1, 0xb4, 0x4d, 0xb7, 0x05, 0x20, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0,
        7, 0, 0, 0, 9, 0, 0, 0, 2, 0x40, 0xff, 0xff, 0xfe, 0, 1, 0, 9, 0, 0, 0, 10, 0xb7, 0x05,
        0x20, 0, 0, 5, 0x40, 0,
    ];
    let info =
        SenderInfo { ntp: NtpTime(0xb44d_b705_2000_0000), rtp_time: 256, packets: 7, octets: 9 };
    let block = ReportBlock {
        ssrc: 2,
        fraction_lost: 64,
        lost: -2,
        highest_seq: 0x1_0009,
        jitter: 10,
        last_sender_report: 0xb705_2000,
        delay: 0x5_4000,
    };
    assert_eq!(told(&compound), [format!("SR 1 {info:?} {:?}", [block])]);
    let mut out = Vec::new();
    write::sender_report(&mut out, 1, &info, &[block]);
    assert_eq!(out, compound);
}

#[test]
fn round_trips_of_receivers() {
    // RFC 3611 sections 4.4 and 4.5, by hand.
    let mut out = Vec::new();
    write::reference_time(&mut out, 5, NtpTime(0xb44d_b705_2000_0000));
    let asked = [0x80, 207, 0, 4, 0, 0, 0, 5, 4, 0, 0, 2, 0xb4, 0x4d, 0xb7, 0x05, 0x20, 0, 0, 0];
    assert_eq!(out, asked);
    assert_eq!(told(&out), ["XR 5 [\"at b44db70520000000\"]"]);
    out.clear();
    let delay = |ssrc| Delay { ssrc, last_reference: 0xb705_2000, delay: 0x5_4000 };
    write::delays(&mut out, 9, &[delay(5)]);
    let answered =
        [0x80, 207, 0, 5, 0, 0, 0, 9, 5, 0, 0, 3, 0, 0, 0, 5, 0xb7, 0x05, 0x20, 0, 0, 5, 0x40, 0];
    assert_eq!(out, answered);
    assert_eq!(told(&out), [format!("XR 9 {:?}", [format!("{:?}", [delay(5)])])]);
    out.clear();
    write::delays(&mut out, 9, &[]);
    assert!(out.is_empty());
    let many: Vec<Delay> = (0..1_000).map(delay).collect();
    write::delays(&mut out, 9, &many);
    assert_eq!(out.len(), 12 + 12 * EXTENDED_DELAYS_MAX);
    assert!(told(&out)[0].contains(&format!("{:?}", delay(49))));
}

#[test]
fn names_and_rates_that_do_not_fit() {
    let mut out = Vec::new();
    for name in ["", &"x".repeat(256)] {
        assert!(!write::sdes_cname(&mut out, 1, name));
    }
    assert!(!write::estimated_bitrate(&mut out, 1, 1, &[0; 256]));
    write::goodbye(&mut out, &[]);
    write::nack(&mut out, 1, 2, &[]);
    write::full_intra(&mut out, 1, &[]);
    assert!(out.is_empty());
    // An exponent that nobody needs does not overflow.
    let huge =
        [0x8f, 206, 0, 4, 0, 0, 0, 5, 0, 0, 0, 0, b'R', b'E', b'M', b'B', 0, 0xff, 0xff, 0xff];
    assert_eq!(told(&huge), [format!("REMB 5 {} []", u64::MAX)]);
    let zero = [0x8f, 206, 0, 4, 0, 0, 0, 5, 0, 0, 0, 0, b'R', b'E', b'M', b'B', 0, 0xfc, 0, 0];
    assert_eq!(told(&zero), ["REMB 5 0 []"]);
}

#[test]
fn losses_are_packed() {
    let mut out = Vec::new();
    // 16 behind shares the entry, 17 does not.
    write::nack(&mut out, 1, 2, &[65_530, 65_531, 10, 11, 12]);
    assert_eq!(out.len(), 12 + 2 * 4);
    assert_eq!(told(&out), ["NACK 1 2 [65530, 65531, 10, 11, 12]"]);
    assert_eq!(out[12..], [0xff, 0xfa, 0x80, 0x01, 0, 11, 0, 1]);
    // More than one packet of entries.
    let far: Vec<u16> = (0..600).map(|number| number * 100).collect();
    out.clear();
    write::nack(&mut out, 1, 2, &far);
    assert_eq!(out.len(), 3 * 12 + 600 * 4);
    assert_eq!(told(&out).len(), 3);
}

prop_compose! {
    fn block()(
        ssrc in any::<u32>(),
        fraction_lost in any::<u8>(),
        lost in -0x80_0000_i32..0x80_0000,
        numbers in any::<[u32; 4]>(),
    ) -> ReportBlock {
        let [highest_seq, jitter, last_sender_report, delay] = numbers;
        ReportBlock { ssrc, fraction_lost, lost, highest_seq, jitter, last_sender_report, delay }
    }
}

proptest! {
    #[test]
    fn reports_read_back(
        blocks in prop::collection::vec(block(), 0..70),
        numbers in any::<[u32; 4]>(),
        ntp in any::<u64>(),
    ) {
        let [ssrc, rtp_time, packets, octets] = numbers;
        let info = SenderInfo { ntp: NtpTime(ntp), rtp_time, packets, octets };
        let mut out = Vec::new();
        write::sender_report(&mut out, ssrc, &info, &blocks);
        write::receiver_report(&mut out, ssrc, &blocks);
        let (mut sent, mut received, mut infos) = (Vec::new(), Vec::new(), Vec::new());
        for packet in parse(&out) {
            match packet {
                Packet::SenderReport { ssrc: from, info, reports } => {
                    prop_assert_eq!(from, ssrc);
                    infos.push(info);
                    sent.extend(reports);
                }
                Packet::ReceiverReport { ssrc: from, reports } => {
                    prop_assert_eq!(from, ssrc);
                    // Those that had no room in the sender report come first.
                    let to = if sent.len() < blocks.len() { &mut sent } else { &mut received };
                    to.extend(reports);
                }
                other => return Err(TestCaseError::fail(format!("{other:?}"))),
            }
        }
        prop_assert_eq!(infos, vec![info]);
        prop_assert_eq!(&sent, &blocks);
        prop_assert_eq!(&received, &blocks);
    }

    #[test]
    fn the_rest_reads_back(
        ssrcs in prop::collection::vec(any::<u32>(), 1..80),
        requests in prop::collection::vec(any::<(u32, u8)>(), 1..20),
        name in "[a-z0-9]{1,255}",
        bps in any::<u64>(),
    ) {
        let mut out = Vec::new();
        prop_assert!(write::sdes_cname(&mut out, 3, &name));
        write::picture_loss(&mut out, 1, 2);
        write::full_intra(&mut out, 1, &requests);
        prop_assert!(write::estimated_bitrate(&mut out, 1, bps, &ssrcs));
        let exponent = (64 - bps.leading_zeros()).saturating_sub(18);
        let rounded = bps >> exponent << exponent;
        let expected = [
            format!("SDES [(3, {name:?})]"),
            "PLI 1 2".to_owned(),
            format!("FIR 1 {requests:?}"),
            format!("REMB 1 {rounded} {ssrcs:?}"),
        ];
        prop_assert_eq!(told(&out), expected);
        out.clear();
        write::goodbye(&mut out, &ssrcs);
        let gone: Vec<u32> = parse(&out)
            .flat_map(|packet| match packet {
                Packet::Goodbye { ssrcs } => ssrcs.collect::<Vec<_>>(),
                _ => Vec::new(),
            })
            .collect();
        prop_assert_eq!(gone, ssrcs);
    }

    #[test]
    fn losses_read_back(
        start in any::<u16>(),
        steps in prop::collection::vec(prop_oneof![4 => 1_u16..4, 1 => 10_u16..20, 1 => 1_u16..200], 0..300),
    ) {
        let mut lost = vec![start];
        for step in steps {
            lost.push(lost[lost.len() - 1].wrapping_add(step));
        }
        let mut out = Vec::new();
        write::nack(&mut out, 1, 2, &lost);
        let read: Vec<u16> = parse(&out)
            .flat_map(|packet| match packet {
                Packet::Nack { lost, .. } => lost.collect::<Vec<_>>(),
                _ => Vec::new(),
            })
            .collect();
        prop_assert_eq!(read, lost);
    }
}
