//! Money: exact amounts of one currency, and prices by the minute.
//!
//! Not here: which account pays what (the ledger), which price holds (the catalog), and any float.
//! An amount does not carry its currency: an account has exactly one, and everything of it is in that one.

mod currency;
mod decimal;
mod price;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use currency::Currency;
pub(crate) use decimal::{DecimalProblem, fixed_point};
pub use price::Price;

/// Micro-units in one unit: 1 USD is 1,000,000.
pub const MICROS_PER_UNIT: i64 = 1_000_000;
/// The largest amount that can be written from outside, either way: 10^12 units, in micro-units.
pub const MONEY_MAX: i64 = 1_000_000_000_000 * MICROS_PER_UNIT;
/// Digits after the point that an amount can have.
pub const FRACTION_DIGITS_MAX: usize = 6;
/// Characters of a refused value that its error repeats.
const EXCERPT_CHARS: usize = 40;

/// Why an amount, a currency or a price was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MoneyError {
    /// No current code of ISO 4217 with a minor unit.
    #[error("{value:?} is no currency; a current code of ISO 4217 such as \"USD\" is allowed")]
    UnknownCurrency {
        /// What was given, cut short.
        value: String,
    },
    /// Not a plain decimal number.
    #[error(
        "{value:?} is no amount: {problem}; a decimal number such as \"-12.34\" with at most \
         {FRACTION_DIGITS_MAX} digits after the point is allowed"
    )]
    Malformed {
        /// What was given, cut short.
        value: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Beyond [`MONEY_MAX`].
    #[error("{value:?} is too large; amounts from -1000000000000 to 1000000000000 are allowed")]
    TooLarge {
        /// What was given, cut short.
        value: String,
    },
    /// The result of a sum or a product does not fit.
    #[error("the amount that results is too large to be kept")]
    Overflow,
    /// A price with a negative amount.
    #[error("a price of {micros} micro-units is negative; 0 or more is allowed")]
    NegativePrice {
        /// The amount given.
        micros: i64,
    },
    /// A price for no minutes at all.
    #[error("a price is for 1 minute or more, not for 0")]
    ZeroPer,
}

/// The beginning of a refused value, so that errors stay short.
pub(crate) fn excerpt(value: &str) -> String {
    value.chars().take(EXCERPT_CHARS).collect()
}

/// An amount of the account's currency in micro-units, signed; in JSON an integer (billing section 4).
///
/// Anything an `i64` holds can be kept; what people and programs may hand in is bounded by [`MONEY_MAX`],
/// so that sums have room.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Money(i64);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The amount of so many micro-units.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// The amount in micro-units.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Below zero?
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// Exactly nothing?
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Above zero?
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// The sum of the two.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] if it does not fit.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        self.0.checked_add(other.0).map(Self).ok_or(MoneyError::Overflow)
    }

    /// This less the other.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] if it does not fit.
    pub fn checked_sub(self, other: Self) -> Result<Self, MoneyError> {
        self.0.checked_sub(other.0).map(Self).ok_or(MoneyError::Overflow)
    }

    /// The same amount the other way.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] for the one amount that has no counterpart.
    pub fn checked_neg(self) -> Result<Self, MoneyError> {
        self.0.checked_neg().map(Self).ok_or(MoneyError::Overflow)
    }

    /// The sum of all, whatever their order: only the result has to fit.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] if it does not.
    pub fn try_sum(amounts: impl IntoIterator<Item = Self>) -> Result<Self, MoneyError> {
        let mut sum = 0_i128;
        for amount in amounts {
            sum = sum.checked_add(i128::from(amount.0)).ok_or(MoneyError::Overflow)?;
        }
        i64::try_from(sum).map(Self).map_err(|_| MoneyError::Overflow)
    }

    /// Reads a plain decimal number of units such as `-12.34`: an optional minus, digits, and optionally a
    /// point with 1 to [`FRACTION_DIGITS_MAX`] digits. No plus, no exponent, no spaces, no grouping.
    ///
    /// # Errors
    /// [`MoneyError::Malformed`] if it is written otherwise; [`MoneyError::TooLarge`] beyond [`MONEY_MAX`].
    pub fn parse_decimal(text: &str) -> Result<Self, MoneyError> {
        let too_large = || MoneyError::TooLarge { value: excerpt(text) };
        let micros = fixed_point(text, FRACTION_DIGITS_MAX).map_err(|problem| match problem {
            DecimalProblem::TooLarge => too_large(),
            DecimalProblem::Malformed(problem) => {
                MoneyError::Malformed { value: excerpt(text), problem }
            }
        })?;
        if micros.unsigned_abs() > MONEY_MAX.unsigned_abs() {
            return Err(too_large());
        }
        Ok(Self(micros))
    }

    /// The amount as a decimal number of units: with as many digits after the point as the currency has,
    /// and more, up to [`FRACTION_DIGITS_MAX`], only where the amount needs them.
    ///
    /// 49 USD is `49.00`, 39,900 micro-units are `0.0399`. [`Money::parse_decimal`] reads it back.
    pub fn to_decimal(self, currency: Currency) -> String {
        self.written(usize::try_from(currency.exponent()).unwrap_or(FRACTION_DIGITS_MAX))
    }

    /// The amount in units with `digits_min` digits after the point, and more only where needed.
    fn written(self, digits_min: usize) -> String {
        let sign = if self.is_negative() { "-" } else { "" };
        let micros = self.0.unsigned_abs();
        let per_unit = MICROS_PER_UNIT.unsigned_abs();
        let mut fraction = format!("{:06}", micros % per_unit);
        while fraction.len() > digits_min && fraction.ends_with('0') {
            fraction.pop();
        }
        let point = if fraction.is_empty() { "" } else { "." };
        format!("{sign}{}{point}{fraction}", micros / per_unit)
    }

    /// The amount in whole minor units of the currency (cents), half away from zero.
    ///
    /// Total: where the rounded amount would not fit, which only amounts far beyond [`MONEY_MAX`] can
    /// cause, it is rounded towards zero instead.
    #[must_use]
    pub fn rounded(self, currency: Currency) -> Self {
        let unit = currency.minor_unit_micros();
        let towards_zero = self.0.saturating_sub(self.0 % unit);
        price::divided(i128::from(self.0), unit.unsigned_abs().into())
            .and_then(|units| units.checked_mul(i128::from(unit)))
            .and_then(|micros| i64::try_from(micros).ok())
            .map_or(Self(towards_zero), Self)
    }
}

/// In units with as many digits as needed, for messages where the currency is not at hand; for people,
/// [`Money::to_decimal`] is the one.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written(0))
    }
}
