//! One-time codes of authenticator apps: RFC 6238 with HMAC-SHA-1, six digits and steps of 30 s, which is what every
//! app understands.
//!
//! [`matching_step`] says for which step a code is, so that the caller can remember it: a code is good once
//! (RFC 6238 section 5.2), and so is every earlier one.
//! What it is not: it makes no secret (the caller gives random bytes), reads no clock and counts no attempts.

use std::fmt::Write as _;

use aws_lc_rs::hmac;
use data_encoding::BASE32_NOPAD;
use jiff::Timestamp;

use crate::api_token::secrets_equal;
use crate::limits::TOTP_DRIFT_STEPS;

/// Bytes of a secret: as many as SHA-1 puts out (RFC 4226 section 4, R6).
pub const SECRET_LEN: usize = 20;

/// Length of a step, seconds.
pub const STEP_S: u64 = 30;

/// Digits of a code.
pub const DIGITS: usize = 6;

/// 10 to the power of [`DIGITS`].
const CODES: u32 = 1_000_000;

/// Which step a moment is in. Moments before 1970 are in the first.
pub fn step_at(now: Timestamp) -> u64 {
    u64::try_from(now.as_second()).unwrap_or(0) / STEP_S
}

/// The code of a step.
pub fn code(secret: &[u8], step: u64) -> String {
    format!("{:0DIGITS$}", truncated(secret, step) % CODES)
}

/// The 31 bits that a code is made of (RFC 4226 section 5.3).
fn truncated(secret: &[u8], step: u64) -> u32 {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let bytes = tag.as_ref();
    let offset = usize::from(bytes.last().copied().unwrap_or(0) & 0xf);
    let four = bytes.get(offset..).and_then(|rest| rest.first_chunk::<4>());
    u32::from_be_bytes(four.copied().unwrap_or_default()) & 0x7fff_ffff
}

/// The step that `code` is for: the present one, or one as far away as clocks may be off. None if it is for none of
/// them, or for one that is not later than `last_step`, the last whose code was taken.
pub fn matching_step(
    secret: &[u8],
    code: &str,
    now: Timestamp,
    last_step: Option<u64>,
) -> Option<u64> {
    let present = step_at(now);
    let steps = present.saturating_sub(TOTP_DRIFT_STEPS)..=present + TOTP_DRIFT_STEPS;
    let mut found = None;
    // All of them, so that the time does not tell which it was.
    for step in steps {
        if secrets_equal(&self::code(secret, step), code) && Some(step) > last_step {
            found = Some(step);
        }
    }
    found
}

/// A secret as people type it into an app: base32 without padding (RFC 4648 section 6).
pub fn secret_text(secret: &[u8]) -> String {
    BASE32_NOPAD.encode(secret)
}

/// The address that apps read from a QR code: `otpauth://totp/Issuer:name?secret=...` (the Key Uri Format of Google
/// Authenticator, which others took over).
pub fn uri(issuer: &str, name: &str, secret: &[u8]) -> String {
    let (issuer, name, secret) = (encoded(issuer), encoded(name), secret_text(secret));
    format!(
        "otpauth://totp/{issuer}:{name}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits={DIGITS}&period={STEP_S}"
    )
}

/// All but the unreserved characters of RFC 3986 are percent-encoded.
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8; SECRET_LEN] = b"12345678901234567890";

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// RFC 6238 appendix B, the rows of SHA-1; codes there have eight digits.
    const VECTORS: [(i64, u32); 6] = [
        (59, 94_287_082),
        (1_111_111_109, 7_081_804),
        (1_111_111_111, 14_050_471),
        (1_234_567_890, 89_005_924),
        (2_000_000_000, 69_279_037),
        (20_000_000_000, 65_353_130),
    ];

    #[test]
    fn the_published_vectors_come_out() {
        for (second, expected) in VECTORS {
            let step = step_at(at(second));
            assert_eq!(truncated(SECRET, step) % 100_000_000, expected, "{second}");
            assert_eq!(code(SECRET, step), format!("{:06}", expected % CODES), "{second}");
        }
        assert_eq!(code(SECRET, step_at(at(1_111_111_109))), "081804", "zeros in front stay");
    }

    #[test]
    fn a_code_is_good_one_step_around_its_own_and_once() {
        let of = step_at(at(1_111_111_111));
        let code = code(SECRET, of);
        let start = i64::try_from(of * STEP_S).unwrap();
        let rows = [(-31, false), (-30, true), (0, true), (29, true), (59, true), (60, false)];
        for (offset, good) in rows {
            let found = matching_step(SECRET, &code, at(start + offset), None);
            assert_eq!(found, good.then_some(of), "{offset}");
        }
        for (last, good) in [(of - 1, true), (of, false), (of + 1, false)] {
            let found = matching_step(SECRET, &code, at(start), Some(last));
            assert_eq!(found, good.then_some(of), "after {last}");
        }
    }

    #[test]
    fn what_is_no_code_matches_nothing() {
        let now = at(59);
        assert_eq!(matching_step(SECRET, "287082", now, None), Some(1));
        for wrong in ["", "28708", "2870822", "287083", " 287082", "94287082", "२८७०८२"]
        {
            assert_eq!(matching_step(SECRET, wrong, now, None), None, "{wrong}");
        }
        assert_eq!(matching_step(b"another secret of 20", "287082", now, None), None);
        assert_eq!(matching_step(SECRET, &code(SECRET, 0), at(-5), None), Some(0));
    }

    #[test]
    fn apps_can_read_the_address() {
        assert_eq!(secret_text(SECRET), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(
            uri("Fermata", "ann b@x", b"12345"),
            "otpauth://totp/Fermata:ann%20b%40x?secret=GEZDGNBV&issuer=Fermata&algorithm=SHA1&digits=6&period=30"
        );
    }
}
