//! Rates, bytes and times into each other, without overflow.

/// Rate of `bytes` in `us`, bits per second; `None` if no time passed.
pub(crate) fn rate_bps(bytes: u64, us: u64) -> Option<u64> {
    bytes.saturating_mul(8_000_000).checked_div(us)
}

/// Bytes that `bps` carries in `us`.
pub(crate) fn bytes_in(bps: u64, us: u64) -> u64 {
    bps.saturating_mul(us) / 8_000_000
}

/// `percent` of a rate.
pub(crate) fn percent(bps: u64, percent: u64) -> u64 {
    bps.saturating_mul(percent) / 100
}

/// A number to reckon with; what is above 2^53 loses its last digits.
pub(crate) fn real(value: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "rates and times have far fewer digits")]
    let real = value as f64;
    real
}

/// The same for a difference.
pub(crate) fn real_signed(value: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "rates and times have far fewer digits")]
    let real = value as f64;
    real
}

/// Back to a whole number: what is negative or no number becomes 0, what is too large the largest.
pub(crate) fn whole(value: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` saturates, and makes 0 of what is no number"
    )]
    let whole = value as u64;
    whole
}

/// How far `to` is after `from` on a clock that may wrap, microseconds; negative if before.
pub(crate) fn since_us(to: u64, from: u64) -> i64 {
    to.wrapping_sub(from).cast_signed()
}
