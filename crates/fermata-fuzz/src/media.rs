//! Packets: headers, feedback, and what shows of the payloads.

use fermata_rtp::dependency::{DESCRIPTOR_LEN_MAX, Reader, Rewrite};
use fermata_rtp::header::{self, Header};
use fermata_rtp::vp8::Descriptor;
use fermata_rtp::{Codec, View, rtcp};

/// An RTP packet with its header extensions and padding.
pub(crate) fn rtp(data: &[u8]) {
    if let Some(header) = header::parse(data) {
        assert!(header.header_len <= data.len(), "a header ends within its packet");
        read(data, &header);
    }
}

fn read(data: &[u8], header: &Header) {
    for (_, value) in header::extensions(data, header) {
        assert!(value.len() <= data.len(), "an extension is part of its packet");
    }
    if let Some(end) = header::payload_end(data, data.len()) {
        assert!(
            end <= data.len() && end >= header.header_len,
            "padding ends where the payload began"
        );
    }
}

/// A compound RTCP packet.
pub(crate) fn rtcp(data: &[u8]) {
    let mut packets = 0;
    for packet in rtcp::parse(data) {
        packets += 1;
        if let rtcp::Packet::Nack { lost, .. } = packet {
            assert!(lost.count() <= data.len() * 5, "17 numbers in four bytes at most");
        }
    }
    assert!(packets <= data.len() / 4, "each packet has a header");
}

/// Transport-wide feedback.
pub(crate) fn transport_feedback(data: &[u8]) {
    for packet in rtcp::parse(data) {
        if let rtcp::Packet::TransportFeedback(view) = packet {
            let count = view.iter().count();
            assert!(u16::try_from(count).is_ok(), "a count of sixteen bits");
        }
    }
}

/// A VP8 payload; its descriptor, written again, is what it was.
pub(crate) fn vp8(data: &[u8]) {
    view(Codec::Vp8, data);
    if let Some((descriptor, len)) = Descriptor::parse(data) {
        let mut copy = data.to_vec();
        if descriptor.write(&mut copy) == Some(len) {
            assert_eq!(Descriptor::parse(&copy), Some((descriptor, len)));
        }
    }
}

/// A VP9 payload.
pub(crate) fn vp9(data: &[u8]) {
    view(Codec::Vp9, data);
}

/// An AV1 payload.
pub(crate) fn av1(data: &[u8]) {
    view(Codec::Av1, data);
}

/// An H264 payload.
pub(crate) fn h264(data: &[u8]) {
    view(Codec::H264, data);
}

/// An H265 payload.
pub(crate) fn h265(data: &[u8]) {
    view(Codec::H265, data);
}

fn view(codec: Codec, data: &[u8]) {
    let view = View::of(codec, data);
    assert!(
        view.understood || view == View::default(),
        "nothing is read out of what is not understood"
    );
    assert!(!view.keyframe || view.frame_start, "a keyframe begins a picture");
}

/// Dependency descriptors of one stream, each behind its length; one that was read is read again after it was changed.
pub(crate) fn dependency(data: &[u8]) {
    let mut reader = Reader::default();
    let mut rest = data;
    while let Some((&len, behind)) = rest.split_first() {
        let (descriptor, behind) = behind.split_at(usize::from(len).min(behind.len()));
        rest = behind;
        let rewrite = |active| Rewrite { number: 0x1234, active };
        let mut out = [0; DESCRIPTOR_LEN_MAX];
        // What nobody could read is written too.
        let _ = rewrite(1).write(descriptor, len % 32 + 1, &mut out);
        let Some(frame) = reader.read(descriptor, true) else { continue };
        let Some(structure) = reader.structure() else { continue };
        assert!(frame.spatial < structure.spatial_count(), "a layer of its structure");
        let all = structure.all_active();
        for active in [0, all, 1] {
            let written = rewrite(active).write(descriptor, frame.target_count, &mut out);
            let Some(written) = written else { continue };
            let again = reader.read(out.get(..written).unwrap_or_default(), true);
            let seen = again.map(|again| (again.number, again.begins));
            assert_eq!(seen, Some((0x1234, frame.begins)), "still whole");
            assert!(active == 0 || reader.active() == active, "it is told");
        }
    }
}
