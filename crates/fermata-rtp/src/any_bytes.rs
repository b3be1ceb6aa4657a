//! Every parser takes any bytes: those of chance, and those of chance behind a beginning that leads deep inside.

use proptest::prelude::*;

use crate::rtcp::{ExtendedBlock, Packet};
use crate::{Codec, View, extension, header, rtcp, rtx, twcc, vp8};

/// Reads a packet as a connection would; what is answered must lie inside.
fn rtp(packet: &mut [u8]) {
    let len = packet.len();
    let Some(head) = header::parse(packet) else {
        assert_eq!(header::payload_end(packet, len), None);
        return;
    };
    assert!((header::FIXED_LEN..=len).contains(&head.header_len));
    let mut sum = 0;
    for (_, content) in header::extensions(packet, &head) {
        sum += content.len();
        let _ = extension::audio_level(content);
        let _ = extension::transport_cc(content);
        let _ = extension::text(content);
    }
    assert!(sum <= head.header_len);
    if let Some(end) = head.payload_end(packet, len) {
        assert!((head.header_len..=len).contains(&end));
        assert_eq!(header::payload_end(packet, len), Some(end));
        let _ = rtx::split(&packet[head.header_len..end]);
    }
    let _ = header::pad(packet, len / 2);
}

/// Everything in a compound packet; answers how many items there were.
fn control(compound: &[u8]) -> usize {
    rtcp::parse(compound)
        .map(|packet| {
            1 + match packet {
                Packet::SenderReport { reports, .. } | Packet::ReceiverReport { reports, .. } => {
                    reports.count()
                }
                Packet::SourceDescription { names } => names.count(),
                Packet::Goodbye { ssrcs } | Packet::EstimatedBitrate { ssrcs, .. } => ssrcs.count(),
                Packet::Nack { lost, .. } => lost.count(),
                Packet::FullIntra { entries, .. } => entries.count(),
                Packet::TransportFeedback(view) => feedback(&view),
                Packet::ExtendedReport { blocks, .. } => blocks
                    .map(|block| match block {
                        ExtendedBlock::ReferenceTime(_) => 1,
                        ExtendedBlock::Delays(delays) => delays.count(),
                    })
                    .sum(),
                Packet::PictureLoss { .. } | Packet::Unknown { .. } => 0,
            }
        })
        .sum()
}

fn feedback(view: &twcc::FeedbackView<'_>) -> usize {
    let count = view.iter().count();
    assert_eq!(count, usize::from(view.count()), "what was taken is whole");
    count
}

fn payload(bytes: &[u8]) {
    for codec in Codec::ALL {
        let view = View::of(*codec, bytes);
        assert!(view.understood || !view.keyframe, "{codec:?}");
    }
    let mut patched = bytes.to_vec();
    let numbers = vp8::Numbers { picture_id: Some(1), tl0_pic_idx: Some(2), key_idx: Some(3) };
    let whole = vp8::patch(&mut patched, &numbers);
    assert_eq!(whole, vp8::Descriptor::parse(bytes).is_some());
    assert!(whole || patched == bytes);
}

/// First bytes of payloads that lead on: aggregates and fragments, parameter sets, headers with all flags.
const PAYLOADS: &[&[u8]] = &[
    &[],
    &[0x90, 0xf0],
    &[0x90, 0x80, 0x81, 0x01, 0x50, 0x42, 0x01, 0x9d, 0x01, 0x2a],
    // VP9: descriptors with scalability structures; then a keyframe's header.
    &[0xff],
    &[0x8a, 0x80, 0x01],
    &[0x0a, 0x18],
    &[0x0a, 0x3b, 0x00, 0x01, 0x40],
    &[0x08, 0x82, 0x49, 0x83, 0x42],
    // H264: STAP-A, FU-A, sequence parameter sets of both kinds.
    &[0x78, 0x00, 0x10, 0x67, 0x42],
    &[0x7c, 0x85],
    &[0x67, 0x42, 0xc0, 0x1f],
    &[0x67, 0x64, 0x00, 0x1f],
    // H265: AP, FU, VPS and SPS.
    &[0x60, 0x01, 0x00, 0x10, 0x42, 0x01],
    &[0x62, 0x01, 0x93],
    &[0x40, 0x01],
    &[0x42, 0x01, 0x01],
    // AV1: aggregation headers, sequence headers.
    &[0x08, 0x0a],
    &[0x18, 0x0a, 0x0b],
    &[0x28, 0x0b, 0x0a, 0x0b],
    &[0x38, 0x01],
];

/// Types and counts of control packets.
const CONTROLS: &[(u8, u8)] = &[
    (200, 1),
    (201, 2),
    (202, 3),
    (203, 2),
    (205, 1),
    (205, 15),
    (206, 1),
    (206, 4),
    (206, 15),
    (207, 0),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn as_a_packet(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        rtp(&mut bytes.clone());
        control(&bytes);
        payload(&bytes);
        let _ = twcc::FeedbackView::parse(0, 0, &bytes).map(|view| feedback(&view));
        let _ = header::is_rtcp(&bytes);
    }

    #[test]
    fn as_a_packet_with_extensions(
        first in 0x80_u8..0xc0,
        profile in prop_oneof![Just(0xbede_u16), 0x1000_u16..0x1010, any::<u16>()],
        words in 0_u8..12,
        bytes in prop::collection::vec(any::<u8>(), 0..120),
    ) {
        let sources = vec![0; 4 * usize::from(first & 0x0f)];
        let [p0, p1] = profile.to_be_bytes();
        let head = [first | 0x10, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        rtp(&mut [&head[..], &sources, &[p0, p1, 0, words], &bytes].concat());
    }

    #[test]
    fn as_control_packets(
        packets in prop::collection::vec(
            (prop::sample::select(CONTROLS), any::<bool>(), prop::collection::vec(any::<u8>(), 0..60)),
            1..6,
        ),
        remb in any::<bool>(),
    ) {
        let mut compound = Vec::new();
        for ((packet_type, count), padding, mut body) in packets {
            body.resize(body.len().next_multiple_of(4), 0);
            if remb && packet_type == 206 && body.len() >= 12 {
                body[8..12].copy_from_slice(b"REMB");
            }
            let words = u8::try_from(body.len() / 4).expect("short");
            compound.extend_from_slice(&[0x80 | u8::from(padding) << 5 | count, packet_type, 0, words]);
            compound.extend_from_slice(&body);
        }
        let items = control(&compound);
        // 17 losses in four bytes, 8,192 lost packets in one feedback: nothing else makes more of less.
        prop_assert!(items <= compound.len() * 5 + 6 * crate::limits::TWCC_STATUSES_IN_MAX);
    }

    #[test]
    fn as_a_payload(
        beginning in prop::sample::select(PAYLOADS),
        bytes in prop::collection::vec(any::<u8>(), 0..80),
        cut in 0_usize..90,
    ) {
        let bytes = [beginning, &bytes].concat();
        payload(&bytes);
        payload(&bytes[..cut.min(bytes.len())]);
    }

    #[test]
    fn as_feedback(
        count in 0_u16..600,
        chunks in prop::collection::vec(any::<u16>(), 0..20),
        deltas in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        let mut bytes = vec![0, 1];
        bytes.extend(count.to_be_bytes());
        bytes.extend([0, 0, 5, 6]);
        bytes.extend(chunks.iter().flat_map(|chunk| chunk.to_be_bytes()));
        bytes.extend(deltas);
        if let Some(view) = twcc::FeedbackView::parse(0, 0, &bytes) {
            feedback(&view);
        }
    }
}
