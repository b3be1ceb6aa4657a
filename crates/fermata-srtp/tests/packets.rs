//! Whole packets through the public interface: known packets, round trips, forgeries, refusals.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use fermata_srtp::{
    Error, MAX_PACKET_LEN, MAX_RTCP_INDEX, Opener, Profile, ReplayWindow, Replayed, Sealer,
};
use proptest::prelude::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.chars().filter_map(|c| c.to_digit(16)).map(|d| u8::try_from(d).unwrap()).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// Both ends under a key and salt made from `seed`.
fn pair(profile: Profile, seed: u8) -> (Sealer, Opener) {
    let bytes: Vec<u8> = (0..46).map(|i| seed.wrapping_mul(7).wrapping_add(i)).collect();
    let (key, salt) = (&bytes[..profile.key_len()], &bytes[32..32 + profile.salt_len()]);
    (Sealer::new(profile, key, salt).unwrap(), Opener::new(profile, key, salt).unwrap())
}

/// An RTP packet with room for the tag.
fn rtp(profile: Profile, seq: u16, header_len: usize, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, 96, 0, 0, 1, 2, 3, 4, 0xca, 0xfe, 0xba, 0xbe];
    packet[2..4].copy_from_slice(&seq.to_be_bytes());
    packet.resize(header_len, 0x5a);
    packet.extend_from_slice(payload);
    packet.resize(packet.len() + profile.tag_len(), 0);
    packet
}

/// Sealing from elsewhere is sealing in place; a room of another length is refused and left as it was.
#[test]
fn a_payload_may_come_from_elsewhere() {
    for profile in Profile::ALL {
        let (sealer, _) = pair(profile, 3);
        for (header_len, len) in [(12, 0), (12, 1), (24, 160), (28, 1_200)] {
            let payload: Vec<u8> = (0..=u8::MAX).cycle().take(len).collect();
            let mut expected = rtp(profile, 77, header_len, &payload);
            let mut packet = rtp(profile, 77, header_len, &vec![0xee; len]);
            sealer.seal_rtp(&mut expected, header_len, 5).unwrap();
            let before = packet.clone();
            let longer = [&payload[..], &[0]].concat();
            let refused = sealer.seal_rtp_from(&longer, &mut packet, header_len, 5);
            assert!(matches!(refused, Err(Error::HeaderLength { .. })), "{profile}");
            assert_eq!(packet, before, "{profile}");
            sealer.seal_rtp_from(&payload, &mut packet, header_len, 5).unwrap();
            assert_eq!(packet, expected, "{profile} {header_len} {len}");
        }
    }
}

/// The packets that other implementations test themselves with, from master keys on.
#[test]
fn known_packets_are_sealed_and_opened() {
    let cm = (
        Profile::Aes128CmHmacSha1_80,
        hex("e1f97a0d3e018be0d64fa32c06de4139"),
        hex("0ec675ad498afeebb6960b3aabe6"),
        hex("800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb"),
        hex("81c8000bcafebabe7128035be487b9bdbef89041f977a5a880000001993e08cd54d6c1230798"),
    );
    let gcm = (
        Profile::AeadAes128Gcm,
        hex("000102030405060708090a0b0c0d0e0f"),
        hex("a0a1a2a3a4a5a6a7a8a9aaab"),
        hex(
            "800f1234decafbadcafebabec5002ede04cfdd2eb91159e0880aa06ed2976826f796b201df3131a127e8a392",
        ),
        hex(
            "81c8000bcafebabec98b8b5df0392a55852b6c21ac8e7025c52c6fbea2b3b446ea31123ba88ce61e80000001",
        ),
    );
    for (profile, key, salt, sealed_rtp, sealed_rtcp) in [cm, gcm] {
        let sealer = Sealer::new(profile, &key, &salt).unwrap();
        let opener = Opener::new(profile, &key, &salt).unwrap();

        let plain = [hex("800f1234decafbadcafebabe"), vec![0xab; 16]].concat();
        let mut packet = [plain.clone(), vec![0; profile.tag_len()]].concat();
        sealer.seal_rtp(&mut packet, 12, 0).unwrap();
        assert_eq!(packet, sealed_rtp, "{profile}");
        assert_eq!(opener.open_rtp(&mut packet, 12, 0), Ok(28), "{profile}");
        assert_eq!(packet[..28], plain, "{profile}");

        let plain = [hex("81c8000bcafebabe"), vec![0xab; 16]].concat();
        let mut packet = plain.clone();
        sealer.seal_rtcp(&mut packet, 1).unwrap();
        assert_eq!(packet, sealed_rtcp, "{profile}");
        assert_eq!(opener.open_rtcp(&mut packet), Ok((24, 1)), "{profile}");
        assert_eq!(packet[..24], plain, "{profile}");
    }
}

#[test]
fn every_flipped_byte_of_rtp_is_refused() {
    for profile in Profile::ALL {
        let (sealer, opener) = pair(profile, 1);
        let mut sealed = rtp(profile, 77, 20, &[9; 40]);
        sealer.seal_rtp(&mut sealed, 20, 3).unwrap();
        for at in 0..sealed.len() {
            for bit in [0x01, 0x80, 0xff] {
                let mut packet = sealed.clone();
                packet[at] ^= bit;
                let got = opener.open_rtp(&mut packet, 20, 3);
                assert_eq!(got, Err(Error::NotAuthentic), "{profile}: byte {at}");
            }
        }
        for roc in [2, 4, 3 | 1 << 31] {
            let got = opener.open_rtp(&mut sealed.clone(), 20, roc);
            assert_eq!(got, Err(Error::NotAuthentic), "{profile}: rollover counter {roc}");
        }
        let (_, stranger) = pair(profile, 2);
        assert_eq!(stranger.open_rtp(&mut sealed.clone(), 20, 3), Err(Error::NotAuthentic));
        let cut = sealed.len() - 1;
        assert_eq!(opener.open_rtp(&mut sealed[..cut].to_vec(), 20, 3), Err(Error::NotAuthentic));
        assert_eq!(opener.open_rtp(&mut sealed, 20, 3), Ok(60), "{profile}: the packet itself");
    }
}

#[test]
fn every_flipped_byte_of_rtcp_is_refused() {
    for profile in Profile::ALL {
        let (sealer, opener) = pair(profile, 1);
        let mut sealed = vec![0x81; 44];
        sealer.seal_rtcp(&mut sealed, 12).unwrap();
        assert_eq!(sealed.len(), 44 + profile.rtcp_overhead_len());
        for at in 0..sealed.len() {
            for bit in [0x01, 0x80, 0xff] {
                let mut packet = sealed.clone();
                packet[at] ^= bit;
                let got = opener.open_rtcp(&mut packet);
                assert_eq!(got, Err(Error::NotAuthentic), "{profile}: byte {at}");
            }
        }
        assert_eq!(opener.open_rtcp(&mut sealed), Ok((44, 12)), "{profile}: the packet itself");
    }
}

#[test]
fn wrong_lengths_are_named_and_leave_the_packet() {
    for profile in Profile::ALL {
        let (sealer, opener) = pair(profile, 1);
        let tag = profile.tag_len();
        let table = [
            (0, 12, Error::TooShort { got: 0, want: 12 + tag }),
            (11 + tag, 12, Error::TooShort { got: 11 + tag, want: 12 + tag }),
            (40, 11, Error::HeaderLength { got: 11, min: 12, max: 40 - tag }),
            (40, 41 - tag, Error::HeaderLength { got: 41 - tag, min: 12, max: 40 - tag }),
            (40, usize::MAX, Error::HeaderLength { got: usize::MAX, min: 12, max: 40 - tag }),
            (MAX_PACKET_LEN + 1, 12, Error::TooLong { got: MAX_PACKET_LEN + 1 }),
        ];
        for (len, header_len, want) in table {
            let mut packet = vec![7; len];
            assert_eq!(sealer.seal_rtp(&mut packet, header_len, 0), Err(want), "{profile}");
            assert_eq!(opener.open_rtp(&mut packet, header_len, 0), Err(want), "{profile}");
            assert!(packet.iter().all(|byte| *byte == 7), "{profile}");
        }

        let want = 8 + profile.rtcp_overhead_len();
        for got in 0..want {
            let short = Err(Error::TooShort { got, want });
            assert_eq!(opener.open_rtcp(&mut vec![7; got]), short, "{profile}");
        }
        let mut packet = vec![7; 7];
        assert_eq!(sealer.seal_rtcp(&mut packet, 0), Err(Error::TooShort { got: 7, want: 8 }));
        let mut packet = vec![7; 8];
        let got = MAX_RTCP_INDEX + 1;
        assert_eq!(sealer.seal_rtcp(&mut packet, got), Err(Error::IndexExhausted { got }));
        assert_eq!(packet, [7; 8]);
        let mut packet = vec![7; MAX_PACKET_LEN];
        let got = MAX_PACKET_LEN + profile.rtcp_overhead_len();
        assert_eq!(sealer.seal_rtcp(&mut packet, 0), Err(Error::TooLong { got }));
        assert_eq!(
            opener.open_rtcp(&mut vec![7; MAX_PACKET_LEN + 1]).unwrap_err(),
            Error::TooLong { got: MAX_PACKET_LEN + 1 }
        );
    }
}

#[test]
fn wrong_keys_are_named() {
    for profile in Profile::ALL {
        let (key, salt) = (profile.key_len(), profile.salt_len());
        for got in [0, key - 1, key + 1] {
            let error = Sealer::new(profile, &vec![0; got], &vec![0; salt]).unwrap_err();
            assert_eq!(error, Error::KeyLength { profile, got, want: key });
            let text = error.to_string();
            assert!(
                text.contains(&profile.to_string()) && text.contains(&key.to_string()),
                "{text}"
            );
        }
        for got in [0, salt - 1, salt + 1] {
            let error = Opener::new(profile, &vec![0; key], &vec![0; got]).unwrap_err();
            assert_eq!(error, Error::SaltLength { profile, got, want: salt });
        }
    }
}

/// A stream across the wrap, with packets late and doubled, through window and opener together.
#[test]
fn a_stream_across_the_wrap_is_opened_once() {
    for profile in Profile::ALL {
        let (sealer, opener) = pair(profile, 3);
        let sealed: Vec<Vec<u8>> = (65_500_u64..65_600)
            .map(|index| {
                let seq = u16::try_from(index & 0xffff).unwrap();
                let mut packet = rtp(profile, seq, 12, &index.to_be_bytes());
                sealer.seal_rtp(&mut packet, 12, u32::try_from(index >> 16).unwrap()).unwrap();
                packet
            })
            .collect();
        let mut window = ReplayWindow::new();
        let mut receive = |packet: &[u8]| -> Result<Vec<u8>, Replayed> {
            let mut packet = packet.to_vec();
            let index = window.estimate(u16::from_be_bytes([packet[2], packet[3]]))?;
            let end =
                opener.open_rtp(&mut packet, 12, u32::try_from(index >> 16).unwrap()).unwrap();
            window.commit(index);
            assert_eq!(packet[12..end], index.to_be_bytes());
            Ok(packet)
        };
        // Every group of ten backwards: 65,536 arrives before 65,535.
        for group in sealed.chunks(10) {
            for packet in group.iter().rev() {
                receive(packet).unwrap();
            }
        }
        for packet in &sealed {
            assert!(matches!(receive(packet), Err(Replayed::Seen { .. })), "{profile}");
        }
    }
}

fn profiles() -> impl Strategy<Value = Profile> {
    prop_oneof![
        Just(Profile::AeadAes128Gcm),
        Just(Profile::AeadAes256Gcm),
        Just(Profile::Aes128CmHmacSha1_80)
    ]
}

proptest! {
    #[test]
    fn rtp_comes_back(
        profile in profiles(),
        seed: u8,
        seq: u16,
        roc: u32,
        extra in 0_usize..64,
        payload in proptest::collection::vec(any::<u8>(), 0..1_500),
    ) {
        let (sealer, opener) = pair(profile, seed);
        let header_len = 12 + extra;
        let plain = rtp(profile, seq, header_len, &payload);
        let mut packet = plain.clone();
        sealer.seal_rtp(&mut packet, header_len, roc).unwrap();
        prop_assert_eq!(&packet[..header_len], &plain[..header_len]);
        if payload.len() >= 16 {
            prop_assert_ne!(&packet[header_len..header_len + payload.len()], &payload[..]);
        }
        let end = opener.open_rtp(&mut packet, header_len, roc).unwrap();
        prop_assert_eq!(end, header_len + payload.len());
        prop_assert_eq!(&packet[..end], &plain[..end]);
    }

    #[test]
    fn rtcp_comes_back(
        profile in profiles(),
        seed: u8,
        index in 0..=MAX_RTCP_INDEX,
        plain in proptest::collection::vec(any::<u8>(), 8..1_500),
    ) {
        let (sealer, opener) = pair(profile, seed);
        let mut packet = plain.clone();
        sealer.seal_rtcp(&mut packet, index).unwrap();
        prop_assert_eq!(packet.len(), plain.len() + profile.rtcp_overhead_len());
        prop_assert_eq!(&packet[..8], &plain[..8]);
        prop_assert_eq!(opener.open_rtcp(&mut packet), Ok((plain.len(), index)));
        prop_assert_eq!(&packet[..plain.len()], &plain[..]);
    }

    /// Anything from the wire is refused without a panic.
    #[test]
    fn noise_is_refused(
        profile in profiles(),
        mut noise in proptest::collection::vec(any::<u8>(), 0..200),
        header_len in 0_usize..220,
        roc: u32,
    ) {
        let (_, opener) = pair(profile, 1);
        prop_assert!(opener.open_rtp(&mut noise, header_len, roc).is_err());
        prop_assert!(opener.open_rtcp(&mut noise).is_err());
    }
}
