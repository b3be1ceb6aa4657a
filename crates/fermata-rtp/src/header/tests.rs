use proptest::prelude::*;

use super::*;

/// Content of an extension block, and what is in it.
type Row<'a> = (&'a [u8], &'a [(u8, &'a [u8])]);

fn read(packet: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let header = parse(packet).expect("a header");
    extensions(packet, &header).map(|(id, content)| (id, content.to_vec())).collect()
}

/// A packet without payload whose extension has this profile and content.
fn extended(profile: u16, content: &[u8]) -> Vec<u8> {
    let words = u16::try_from(content.len() / 4).expect("short");
    let fixed = [0x90, 0x60, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
    [&fixed[..], &profile.to_be_bytes(), &words.to_be_bytes(), content].concat()
}

#[test]
fn headers_of_the_rfc() {
    let plain = [0x80, 0xe0, 0x12, 0x34, 1, 2, 3, 4, 0xaa, 0xbb, 0xcc, 0xdd, 0x99];
    let expected = Header {
        marker: true,
        payload_type: 96,
        sequence_number: 0x1234,
        timestamp: 0x0102_0304,
        ssrc: 0xaabb_ccdd,
        header_len: 12,
        has_padding: false,
    };
    assert_eq!(parse(&plain), Some(expected));
    assert_eq!(parse(&plain[..12]), Some(expected));
    assert_eq!(parse(&plain[..11]), None);
    // Two contributing sources, then an extension of two words of which nothing is known.
    let mut long = [&plain[..12], &[0; 8], &[0xab, 0xcd, 0, 2], &[7; 8], &[1]].concat();
    long[0] = 0xb2;
    let read = Header { header_len: 32, has_padding: true, ..expected };
    assert_eq!(parse(&long), Some(read));
    assert_eq!(extensions(&long, &read).next(), None);
    for cut in 0..32 {
        assert_eq!(parse(&long[..cut]), None, "{cut}");
    }
    let mut version = plain;
    for first in [0x00, 0x40, 0xc0] {
        version[0] = first;
        assert_eq!(parse(&version), None);
    }
}

#[test]
fn rtcp_is_told_by_its_second_byte() {
    let rows: &[(&[u8], bool)] = &[
        (&[0x80, 200], true),
        (&[0x81, 192], true),
        (&[0xa1, 223], true),
        (&[0x80, 191], false),
        (&[0x80, 224], false),
        (&[0x80, 96], false),
        (&[0x80, 0xef], false),
        (&[0x40, 200], false),
        (&[0x80], false),
        (&[], false),
    ];
    for (packet, expected) in rows {
        assert_eq!(is_rtcp(packet), *expected, "{packet:02x?}");
    }
}

#[test]
fn extensions_of_both_forms() {
    let one: &[Row<'_>] = &[
        // Two, with padding between and behind.
        (&[0x10, 0xff, 0, 0x32, 1, 2, 3, 0], &[(1, &[0xff]), (3, &[1, 2, 3])]),
        // 16 bytes, the longest.
        (
            &[0xef, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 0, 0, 0],
            &[(14, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16])],
        ),
        // Id 15 ends everything.
        (&[0x10, 1, 0xf0, 1, 0x20, 2, 0, 0], &[(1, &[1])]),
        // Id 0 with a length too.
        (&[0x10, 1, 0x01, 1, 0x20, 2, 0, 0], &[(1, &[1])]),
        // Longer than what is there.
        (&[0x10, 1, 0x23, 1], &[(1, &[1])]),
        (&[], &[]),
    ];
    for (content, expected) in one {
        let expected: Vec<_> = expected.iter().map(|(id, bytes)| (*id, bytes.to_vec())).collect();
        assert_eq!(read(&extended(0xbede, content)), expected, "{content:02x?}");
    }
    let two: &[Row<'_>] = &[
        // An empty one, one of three bytes, padding.
        (&[1, 0, 200, 3, 7, 8, 9, 0], &[(1, &[]), (200, &[7, 8, 9])]),
        (&[1, 3, 1, 1], &[]),
        (&[0, 0, 0, 15], &[]),
    ];
    for (content, expected) in two {
        let expected: Vec<_> = expected.iter().map(|(id, bytes)| (*id, bytes.to_vec())).collect();
        for profile in [0x1000, 0x100f] {
            assert_eq!(read(&extended(profile, content)), expected, "{content:02x?}");
        }
        assert_eq!(read(&extended(0x1010, content)), []);
    }
}

#[test]
fn padding_is_taken_off() {
    let rows: &[(u8, &[u8], Option<usize>)] = &[
        (0x80, &[1, 2, 3], Some(15)),
        (0xa0, &[1, 2, 2], Some(13)),
        (0xa0, &[1, 2, 3], Some(12)),
        (0xa0, &[1, 2, 4], None),
        (0xa0, &[1, 2, 0], None),
        (0xa0, &[], None),
        (0x80, &[], Some(12)),
    ];
    for (first, payload, expected) in rows {
        let mut packet = [&[0; 12], *payload].concat();
        packet[0] = *first;
        let end = packet.len();
        assert_eq!(payload_end(&packet, end), *expected, "{first:02x} {payload:?}");
        let header = parse(&packet).expect("a header");
        assert_eq!(header.payload_end(&packet, end), *expected);
        assert_eq!(header.payload_end(&packet, end + 1), None);
        assert_eq!(header.payload_end(&packet, 11), None);
    }
}

#[test]
fn what_has_no_one_byte_form_is_not_written() {
    let header =
        HeaderOut { marker: false, payload_type: 96, sequence_number: 1, timestamp: 2, ssrc: 3 };
    let mut out = [0xee; 64];
    for (id, len) in [(0, 1), (15, 1), (1, 0), (1, 17)] {
        assert_eq!(
            write(&header, &[(id, &[0; 20][..len])], Form::OneByte, &mut out),
            None,
            "{id} {len}"
        );
    }
    assert_eq!(write(&header, &[(1, &[0; 16])], Form::OneByte, &mut out[..35]), None);
    assert_eq!(write(&header, &[(1, &[0; 16])], Form::OneByte, &mut out[..36]), Some(36));
    assert_eq!(write(&header, &[], Form::OneByte, &mut out), Some(12));
    let exts: &[(u8, &[u8])] = &[(1, &[0x55]), (4, &[1, 2])];
    assert_eq!(write(&header, exts, Form::OneByte, &mut out), Some(24));
    assert_eq!(out[12..24], [0xbe, 0xde, 0, 2, 0x10, 0x55, 0x41, 1, 2, 0, 0, 0]);
}

/// A header with one extension appended is the one that would have been written with it.
fn appended(header: &HeaderOut, exts: &[(u8, &[u8])], form: Form, more: &[u8]) {
    let mut all = exts.to_vec();
    all.push((9, more));
    let mut packet = [0xee; 1_000];
    let header_len = write(header, exts, form, &mut packet).expect("fits");
    let content: usize = exts.iter().map(|(_, content)| form.tag_len() + content.len()).sum();
    let end = if exts.is_empty() { FIXED_LEN } else { FIXED_LEN + 4 + content };
    assert!(end <= header_len);
    let mut expected = [0xee; 1_000];
    let whole = write(header, &all, form, &mut expected);
    let place = append(&mut packet, end, form, 9, more.len());
    assert_eq!(place.is_some(), whole.is_some());
    if let (Some(place), Some(whole)) = (place, whole) {
        place.copy_from_slice(more);
        assert_eq!(len_with(end, form, more.len()), whole);
        assert_eq!(packet[..whole], expected[..whole]);
    }
    let mut short = packet[..len_with(end, form, more.len()) - 1].to_vec();
    assert!(append(&mut short, end, form, 9, more.len()).is_none());
}

#[test]
fn the_form_is_the_short_one_where_it_can_be() {
    for (id, len, form) in [
        (1, 1, Form::OneByte),
        (14, 16, Form::OneByte),
        (15, 1, Form::TwoByte),
        (1, 0, Form::TwoByte),
        (1, 17, Form::TwoByte),
    ] {
        assert_eq!(Form::of(id, len), form, "{id} {len}");
    }
}

proptest! {
    #[test]
    fn what_is_written_reads_back(
        marker in any::<bool>(),
        payload_type in 0_u8..128,
        numbers in any::<(u16, u32, u32)>(),
        exts in prop::collection::vec((1_u8..15, prop::collection::vec(any::<u8>(), 1..17)), 0..6),
        payload in prop::collection::vec(any::<u8>(), 0..40),
        padding in 1_usize..=255,
        two_byte in any::<bool>(),
        more in prop::collection::vec(any::<u8>(), 0..256),
    ) {
        let (sequence_number, timestamp, ssrc) = numbers;
        let header = HeaderOut { marker, payload_type, sequence_number, timestamp, ssrc };
        let form = if two_byte { Form::TwoByte } else { Form::OneByte };
        let exts: Vec<(u8, &[u8])> = exts.iter().map(|(id, bytes)| (*id, &bytes[..])).collect();
        let mut packet = vec![0xee; 1_000];
        let header_len = write(&header, &exts, form, &mut packet).expect("fits");
        prop_assert_eq!(header_len, len(&exts, form));
        packet.truncate(header_len);
        packet.extend_from_slice(&payload);
        let end = packet.len();
        let read = parse(&packet).expect("a header");
        prop_assert_eq!(read, Header {
            marker, payload_type, sequence_number, timestamp, ssrc, header_len, has_padding: false,
        });
        prop_assert_eq!(extensions(&packet, &read).collect::<Vec<_>>(), exts.clone());
        prop_assert_eq!(payload_end(&packet, end), Some(end));
        appended(&header, &exts, form, &more);
        packet.resize(end + padding, 0xee);
        prop_assert!(pad(&mut packet, end));
        prop_assert_eq!(payload_end(&packet, end + padding), Some(end));
        packet.resize(end + 256, 0);
        prop_assert!(!pad(&mut packet, end));
        prop_assert!(!pad(&mut packet, end + 256));
    }
}
