//! Against the examples of RFC 5769, and against anything else.

use std::net::SocketAddr;

use aws_lc_rs::hmac;
use proptest::prelude::*;

use super::*;

fn request(attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (kind, value) in attributes {
        body.extend(kind.to_be_bytes());
        body.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        body.extend(*value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let mut data = vec![0, 1];
    data.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
    data.extend([0x21, 0x12, 0xA4, 0x42]);
    data.extend([7; 12]);
    data.extend(body);
    data
}

#[test]
fn finds_our_part_behind_other_attributes() {
    let data = request(&[(0x8022, b"odd"), (0x0006, b"ours:theirs"), (0x0008, &[0; 20])]);
    assert_eq!(stun_username_ufrag(&data), Some("ours"));
}

#[test]
fn is_silent_on_anything_else() {
    let mut response = request(&[(6, b"a:b")]);
    response[0] = 1;
    let mut cookie = request(&[(6, b"a:b")]);
    cookie[4] = 0;
    for data in [
        vec![],
        vec![0; 19],
        response,
        cookie,
        request(&[]),
        request(&[(6, b"nocolon")]),
        request(&[(6, b":b")]),
        request(&[(6, &[0xff, b':'])]),
    ] {
        assert_eq!(stun_username_ufrag(&data), None, "{data:?}");
    }
    let whole = request(&[(0x8022, b"odd"), (6, b"a:b")]);
    for len in 0..whole.len() {
        assert_eq!(stun_username_ufrag(&whole[..len]), None, "{len}");
    }
}

/// The key of the examples.
fn key() -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"VOkJxbRl1RmTxUk/WvJxBt")
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        hex.chars().filter_map(|c| c.to_digit(16)).map(|d| u8::try_from(d).unwrap()).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// Section 2.1.
fn sample_request() -> Vec<u8> {
    bytes(
        "00010058 2112a442 b7e7a701 bc34d686 fa87dfae 80220010 5354554e 20746573 7420636c 69656e74
         00240004 6e0001ff 80290008 932ff9b1 51263b36 00060009 6576746a 3a683676 59202020
         00080014 9aeaa70c bfd8cb56 781ef2b5 b2d3f249 c1b571a2 80280004 e57a3bcf",
    )
}

/// Section 2.2.
fn sample_response_v4() -> Vec<u8> {
    bytes(
        "0101003c 2112a442 b7e7a701 bc34d686 fa87dfae 8022000b 74657374 20766563 746f7220
         00200008 0001a147 e112a643 00080014 2b91f599 fd9e90c3 8c7489f9 2af9ba53 f06be7d7
         80280004 c07d4c96",
    )
}

/// Section 2.3.
fn sample_response_v6() -> Vec<u8> {
    bytes(
        "01010048 2112a442 b7e7a701 bc34d686 fa87dfae 8022000b 74657374 20766563 746f7220
         00200014 0002a147 0113a9fa a5d3f179 bc25f4b5 bed2b9d9 00080014 a382954e 4be67bf1
         1784c97c 8292c275 bfe3ed41 80280004 c8fb0b4c",
    )
}

#[test]
fn reads_the_example_request() {
    let data = sample_request();
    let message = Message::parse(&data).unwrap();
    assert!(message.is_binding_request() && message.len() == data.len());
    assert!(message.has_good_fingerprint() && message.has_integrity());
    assert!(message.verify(&key()));
    assert!(!message.verify(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"other")));
    assert_eq!(message.username, Some(&b"evtj:h6vY"[..]));
    assert_eq!(message.priority, Some(0x6e00_01ff));
    assert_eq!(message.controlled, Some(0x932f_f9b1_5126_3b36));
    assert_eq!((message.controlling, message.use_candidate, message.mapped), (None, false, None));
    assert!(message.unknown.listed().is_empty());
    assert_eq!(stun_username_ufrag(&data), Some("evtj"));
}

#[test]
fn reads_the_example_responses() {
    let rows = [
        (sample_response_v4(), "192.0.2.1:32853"),
        (sample_response_v6(), "[2001:db8:1234:5678:11:2233:4455:6677]:32853"),
    ];
    for (data, mapped) in rows {
        let message = Message::parse(&data).unwrap();
        assert_eq!((message.class, message.method), (Class::Success, BINDING), "{mapped}");
        assert!(message.has_good_fingerprint() && message.verify(&key()), "{mapped}");
        assert_eq!(message.mapped, Some(mapped.parse().unwrap()));
    }
}

/// Ours are those of the examples without SOFTWARE; so what the examples prove of reading proves writing.
#[test]
fn writes_what_it_reads() {
    let transaction = *b"twelve bytes";
    let rows = [
        ("192.0.2.1:32853", "192.0.2.1:32853", 64),
        ("[2001:db8::7]:9", "[2001:db8::7]:9", 76),
        ("[::ffff:192.0.2.1]:7", "192.0.2.1:7", 64),
    ];
    for (source, shown, len) in rows {
        let source: SocketAddr = source.parse().unwrap();
        let mut out = vec![0xEE; success_len(source)];
        assert_eq!(write_success(&mut out, &transaction, source, &key()), Some(len));
        assert_eq!(out.len(), len);
        let message = Message::parse(&out).unwrap();
        assert!(message.has_good_fingerprint() && message.verify(&key()));
        assert_eq!((message.class, message.transaction), (Class::Success, transaction));
        assert_eq!(message.mapped, Some(shown.parse().unwrap()));
        for short in 0..len {
            assert_eq!(write_success(&mut out[..short], &transaction, source, &key()), None);
        }
    }
}

#[test]
fn writes_refusals() {
    use ErrorCode::{BadRequest, RoleConflict, Unauthorized, UnknownAttribute};

    let transaction = *b"twelve bytes";
    for code in [BadRequest, Unauthorized, UnknownAttribute, RoleConflict] {
        for unknown in [&[][..], &[0x30], &[0x30, 0x31], &[0x30, 0x31, 0x32]] {
            for key in [None, Some(&key())] {
                let mut out = vec![0xEE; error_len(unknown, key.is_some())];
                let len = write_error(&mut out, &transaction, code, unknown, key);
                assert_eq!(len, Some(out.len()));
                let message = Message::parse(&out).unwrap();
                assert!(message.has_good_fingerprint());
                assert_eq!(key.is_some_and(|key| message.verify(key)), key.is_some());
                assert_eq!(message.has_integrity(), key.is_some());
                assert_eq!((message.class, message.error), (Class::Error, Some(code.number())));
            }
        }
    }
}

/// A request with these attributes, signed after the first `signed` of them, with a fingerprint at the end.
fn written(attributes: &[(u16, &[u8])], signed: Option<usize>) -> Vec<u8> {
    let mut out = vec![0; 1_500];
    let mut writer = Writer::new(&mut out, 1, &[9; 12]).unwrap();
    for (at, (kind, value)) in attributes.iter().enumerate() {
        if signed == Some(at) {
            writer.integrity(&key()).unwrap();
        }
        writer.attribute(*kind, &[value]).unwrap();
    }
    if signed == Some(attributes.len()) {
        writer.integrity(&key()).unwrap();
    }
    let len = writer.fingerprint().unwrap();
    out.truncate(len);
    out
}

#[test]
fn what_stands_behind_the_integrity_is_not_there() {
    let nominates = (attribute::USE_CANDIDATE, &[][..]);
    let odd = (0x0030, &b"odd"[..]);
    let user = (attribute::USERNAME, &b"a:b"[..]);
    let data = written(&[user, nominates, odd], Some(1));
    let message = Message::parse(&data).unwrap();
    assert!(message.verify(&key()) && message.has_good_fingerprint());
    assert!(!message.use_candidate && message.unknown.listed().is_empty());
    let data = written(&[nominates, odd, user], Some(2));
    let message = Message::parse(&data).unwrap();
    assert_eq!((message.username, message.use_candidate), (None, true));
    assert_eq!(message.unknown.listed(), [0x0030]);
    // The first of two counts, also of signatures.
    let data = written(&[user, (attribute::USERNAME, b"c:d")], Some(2));
    assert_eq!(Message::parse(&data).unwrap().username, Some(&b"a:b"[..]));
    let data = written(&[(attribute::MESSAGE_INTEGRITY, &[0; 20])], Some(1));
    assert!(!Message::parse(&data).unwrap().verify(&key()));
}

#[test]
fn broken_messages_are_named() {
    let good = request(&[(6, b"abc:d")]);
    let change = |at: usize, value: u8| {
        let mut data = good.clone();
        data[at] = value;
        data
    };
    let attribute = |kind| Malformed::Attribute { kind };
    let rows: Vec<(&str, Vec<u8>, Malformed)> = vec![
        ("empty", vec![], Malformed::Header),
        ("19 bytes", good[..19].to_vec(), Malformed::Header),
        ("first bits of RTP", change(0, 0x80), Malformed::Header),
        ("first bits of a channel", change(0, 0x40), Malformed::Header),
        ("cookie", change(7, 0), Malformed::Header),
        ("cut", good[..24].to_vec(), Malformed::Length { told: 12, there: 4 }),
        ("too long", [&good[..], &[0; 4]].concat(), Malformed::Length { told: 12, there: 16 }),
        ("odd", change(3, 13), Malformed::Length { told: 13, there: 12 }),
        ("value beyond the end", change(23, 9), attribute(6)),
        ("greatest length", change(22, 0xFF), attribute(6)),
        ("priority of 3", request(&[(attribute::PRIORITY, &[0; 3])]), attribute(0x24)),
        ("priority of 8", request(&[(attribute::PRIORITY, &[0; 8])]), attribute(0x24)),
        ("tie-breaker of 4", request(&[(attribute::ICE_CONTROLLED, &[0; 4])]), attribute(0x8029)),
        ("tie-breaker of 0", request(&[(attribute::ICE_CONTROLLING, &[])]), attribute(0x802A)),
        ("nomination of 4", request(&[(attribute::USE_CANDIDATE, &[0; 4])]), attribute(0x25)),
        ("short code", request(&[(attribute::MESSAGE_INTEGRITY, &[0; 19])]), attribute(8)),
        ("long code", request(&[(attribute::MESSAGE_INTEGRITY, &[0; 32])]), attribute(8)),
        ("short checksum", request(&[(attribute::FINGERPRINT, &[0; 2])]), attribute(0x8028)),
        (
            "behind the checksum",
            request(&[(attribute::FINGERPRINT, &[0; 4]), (6, b"a:b")]),
            Malformed::BehindFingerprint,
        ),
        (
            "address of no family",
            request(&[(attribute::XOR_MAPPED_ADDRESS, &[0, 3, 0, 0, 0, 0, 0, 0])]),
            attribute(0x20),
        ),
        (
            "address of the other family",
            request(&[(attribute::XOR_MAPPED_ADDRESS, &[0, 2, 0, 0, 0, 0, 0, 0])]),
            attribute(0x20),
        ),
        ("no error", request(&[(attribute::ERROR_CODE, &[0, 0, 2, 0])]), attribute(9)),
        ("error 4-100", request(&[(attribute::ERROR_CODE, &[0, 0, 4, 100])]), attribute(9)),
    ];
    for (what, data, error) in rows {
        assert_eq!(Message::parse(&data), Err(error), "{what}");
    }
}

#[test]
fn unknown_attributes_are_listed_up_to_a_limit() {
    let many: Vec<(u16, &[u8])> = (0x7000..0x7100).map(|kind| (kind, &[][..])).collect();
    let data = request(&many);
    let message = Message::parse(&data).unwrap();
    assert_eq!(message.unknown.listed().len(), UNKNOWN_LISTED_MAX);
    // Those that may be passed over, and those that the STUN RFC itself has.
    let data = request(&[(0x8000, b"a"), (0xC057, b"net"), (0xFFFF, b""), (0x0014, b"realm")]);
    assert!(Message::parse(&data).unwrap().unknown.listed().is_empty());
}

#[test]
fn classes_and_methods_are_told_apart() {
    let rows = [
        ([0x00, 0x01], Class::Request, 1),
        ([0x00, 0x11], Class::Indication, 1),
        ([0x01, 0x01], Class::Success, 1),
        ([0x01, 0x11], Class::Error, 1),
        ([0x00, 0x03], Class::Request, 3),
        ([0x3E, 0xEF], Class::Request, 0xFFF),
    ];
    for (kind, class, method) in rows {
        let mut data = request(&[]);
        data[..2].copy_from_slice(&kind);
        let message = Message::parse(&data).unwrap();
        assert_eq!((message.class, message.method), (class, method));
        assert_eq!(message.is_binding_request(), class == Class::Request && method == 1);
    }
}

#[test]
fn no_bit_of_a_signed_message_can_be_changed() {
    let good = sample_request();
    for bit in 0..good.len() * 8 {
        let mut data = good.clone();
        data[bit / 8] ^= 1 << (bit % 8);
        if let Ok(message) = Message::parse(&data) {
            assert!(!(message.has_good_fingerprint() && message.verify(&key())), "bit {bit}");
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_taken(data in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(message) = Message::parse(&data) {
            let _ = message.has_good_fingerprint();
            prop_assert!(!message.verify(&key()));
        }
        let _ = stun_username_ufrag(&data);
    }

    #[test]
    fn any_attributes_are_taken(
        attributes in proptest::collection::vec(
            (
                prop_oneof![0_u16..0x30, 0x8020_u16..0x8030, any::<u16>()],
                prop_oneof![Just(0_usize), Just(4), Just(8), Just(20), 0_usize..40],
            ),
            0..12,
        ),
        fill: u8,
        cut in 0_usize..8,
    ) {
        let value = [fill; 40];
        let attributes: Vec<(u16, &[u8])> =
            attributes.iter().map(|(kind, len)| (*kind, &value[..*len])).collect();
        let mut data = request(&attributes);
        data.truncate(data.len().saturating_sub(cut));
        if let Ok(message) = Message::parse(&data) {
            prop_assert!(message.unknown.listed().len() <= UNKNOWN_LISTED_MAX);
            prop_assert!(!message.verify(&key()));
            prop_assert!(cut == 0);
        }
    }
}
