//! The packets of RFC 7714 sections 16 and 17, which are given with session keys.

use super::*;

const KEY_128: &str = "000102030405060708090a0b0c0d0e0f";
const KEY_256: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const SALT: &str = "517569642070726f2071756f";

const RTP_HEADER: &str = "8040f17b8041f8d35501a0b2";
const RTP_PAYLOAD: &str =
    "47616c6c696120657374206f6d6e69732064697669736120696e207061727465732074726573";
const RTP_SSRC: u32 = 0x5501_a0b2;
const RTP_INDEX: u64 = 0xf17b;

/// What sections 17.1 to 17.4 encrypt; the packet printed before them is another one.
const RTCP: &str = "81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61\
    deadbeefdeadbeefdeadbeefdeadbeefdeadbeef";
const RTCP_SSRC: u32 = 0x4d61_7273;
const RTCP_INDEX: u32 = 0x5d4;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.chars().filter_map(|c| c.to_digit(16)).map(|d| u8::try_from(d).unwrap()).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn gcm(key: &str) -> Gcm {
    let session = || Session::new(&hex(key), hex(SALT).try_into().unwrap()).unwrap();
    Gcm { rtp: session(), rtcp: session() }
}

/// Sections 16.1.1, 16.1.2, 16.2.1, 16.2.2.
#[test]
fn rtp_is_sealed_and_opened_as_in_the_rfc() {
    let table = [
        (
            KEY_128,
            "f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833",
            "899d7f27beb16a9152cf765ee4390cce",
        ),
        (
            KEY_256,
            "32b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b",
            "7aa3db36dfffd6b0f9bb7878d7a76c13",
        ),
    ];
    for (key, ciphertext, tag) in table {
        let gcm = gcm(key);
        let plain = [hex(RTP_HEADER), hex(RTP_PAYLOAD)].concat();
        let sealed = [hex(RTP_HEADER), hex(ciphertext), hex(tag)].concat();
        let mut packet = [plain.clone(), vec![0; 16]].concat();
        gcm.seal_rtp(&mut packet, 12, RTP_SSRC, RTP_INDEX).unwrap();
        assert_eq!(packet, sealed);
        gcm.open_rtp(&mut packet, 12, RTP_SSRC, RTP_INDEX).unwrap();
        assert_eq!(packet[..plain.len()], plain);
    }
}

/// Section 16.1.3: only a tag, the whole packet as associated data.
#[test]
fn rtp_without_a_payload_is_tagged_as_in_the_rfc() {
    let gcm = gcm(KEY_128);
    let plain = [hex(RTP_HEADER), hex(RTP_PAYLOAD)].concat();
    let mut packet = [plain.clone(), vec![0; 16]].concat();
    gcm.seal_rtp(&mut packet, plain.len(), RTP_SSRC, RTP_INDEX).unwrap();
    assert_eq!(packet, [plain, hex("22493f82d2bce397e9d79e3b19aa4216")].concat());
}

/// Sections 17.1 and 17.2.
#[test]
fn rtcp_is_sealed_and_opened_as_in_the_rfc() {
    let table = [
        (
            KEY_128,
            "81c8000d4d61727363e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda\
             4ce09b4686303ded0bb9275bc84aa45896cf4d2fc5abf87245d9eade800005d4",
        ),
        (
            KEY_256,
            "81c8000d4d617273d50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50a2eaa5c1110555be\
             8415f658c61de0476f1b6fad1d1eb30c4446839f57ff6f6cb26ac3be800005d4",
        ),
    ];
    for (key, sealed) in table {
        let gcm = gcm(key);
        let plain = hex(RTCP);
        let mut packet = [plain.clone(), vec![0; 20]].concat();
        gcm.seal_rtcp(&mut packet, RTCP_SSRC, RTCP_INDEX).unwrap();
        assert_eq!(packet, hex(sealed));
        assert_eq!(gcm.open_rtcp(&mut packet, RTCP_SSRC), Ok((plain.len(), RTCP_INDEX)));
        assert_eq!(packet[..plain.len()], plain);
    }
}

/// Section 17.3: the E bit is zero, nothing is encrypted, all is authenticated.
#[test]
fn tagged_rtcp_is_opened_as_in_the_rfc() {
    let gcm = gcm(KEY_128);
    let plain = hex(RTCP);
    let sealed = [plain.clone(), hex("841dd9683dd78ec92ae58790125f62b3"), hex("000005d4")].concat();
    let mut packet = sealed.clone();
    assert_eq!(gcm.open_rtcp(&mut packet, RTCP_SSRC), Ok((plain.len(), RTCP_INDEX)));
    assert_eq!(packet[..plain.len()], plain);
    for at in 0..sealed.len() {
        let mut packet = sealed.clone();
        packet[at] ^= 0x80;
        let ssrc = crate::wire::rtcp_ssrc(&packet).unwrap();
        assert_eq!(gcm.open_rtcp(&mut packet, ssrc), Err(Error::NotAuthentic), "byte {at}");
    }
}
