//! Chance that is the same every time, and shares.

use super::Ms;

/// `part` of `whole`; of nothing, nothing.
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
pub fn fraction(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// So much of a time, at most `most`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "tens of milliseconds"
)]
pub fn part(share: f64, most: Ms) -> Ms {
    (share * (most + 1) as f64) as Ms
}

/// Between 0 and 1, always the same for the same arguments.
pub fn unit(seed: u64, key: [u64; 4]) -> f64 {
    let hash = key.iter().fold(mix(seed), |hash, part| mix(hash ^ part));
    fraction(hash >> 32, 1 << 32)
}

/// The finalizer of `SplitMix64`.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
