//! Package minutes: what packages hold and how fast minutes use it up.
//!
//! Not here: which package is used first, and which ratio holds (both are the catalog's and the burn's).

#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::money::{DecimalProblem, excerpt, fixed_point};

/// Thousandths in one unit.
pub const THOUSANDTHS_PER_UNIT: i64 = 1_000;
/// Digits after the point that units and ratios can have.
pub const FRACTION_DIGITS_MAX: usize = 3;
/// The most minutes that a package can be given: 10^12.
pub const PACKAGE_MINUTES_MAX: u64 = 1_000_000_000_000;
/// The highest ratio: 1,000 units for a minute, in thousandths.
pub const RATIO_MAX: u32 = 1_000_000;

/// Why units or a ratio were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnitsError {
    /// More minutes than a package can have.
    #[error("{minutes} minutes are too many; at most {PACKAGE_MINUTES_MAX} are allowed")]
    TooMany {
        /// What was given.
        minutes: u64,
    },
    /// Not a plain decimal number.
    #[error(
        "{value:?} is no number of units: {problem}; a decimal number such as \"12.5\" with at most \
         {FRACTION_DIGITS_MAX} digits after the point is allowed"
    )]
    Malformed {
        /// What was given, cut short.
        value: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The result does not fit.
    #[error("the number of units that results is too large to be kept")]
    Overflow,
    /// A ratio of zero or one that is too high.
    #[error("a ratio of {thousandths} thousandths is not within 1 to {RATIO_MAX}")]
    Ratio {
        /// What was given.
        thousandths: u32,
    },
}

/// Package minutes in thousandths; in JSON an integer of thousandths (billing section 4).
///
/// Signed, because entries of the ledger go both ways; what a package has left is never negative (P3).
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Units(i64);

impl Units {
    /// None.
    pub const ZERO: Self = Self(0);

    /// The units of a package of so many minutes.
    ///
    /// # Errors
    /// [`UnitsError::TooMany`] above [`PACKAGE_MINUTES_MAX`].
    pub fn from_minutes(minutes: u64) -> Result<Self, UnitsError> {
        let too_many = || UnitsError::TooMany { minutes };
        if minutes > PACKAGE_MINUTES_MAX {
            return Err(too_many());
        }
        let whole = i64::try_from(minutes).map_err(|_| too_many())?;
        whole.checked_mul(THOUSANDTHS_PER_UNIT).map(Self).ok_or_else(too_many)
    }

    /// Reads a plain decimal number of units such as `12.5`: an optional minus, digits, and optionally a point
    /// with 1 to [`FRACTION_DIGITS_MAX`] digits. What is allowed beyond that is the reader's to check.
    ///
    /// # Errors
    /// [`UnitsError::Malformed`] if it is written otherwise; [`UnitsError::Overflow`] if it does not fit.
    pub fn parse_decimal(text: &str) -> Result<Self, UnitsError> {
        fixed_point(text, FRACTION_DIGITS_MAX).map(Self).map_err(|problem| match problem {
            DecimalProblem::Malformed(problem) => {
                UnitsError::Malformed { value: excerpt(text), problem }
            }
            DecimalProblem::TooLarge => UnitsError::Overflow,
        })
    }

    /// So many thousandths of a unit.
    pub const fn from_thousandths(thousandths: i64) -> Self {
        Self(thousandths)
    }

    /// The units in thousandths.
    pub const fn thousandths(self) -> i64 {
        self.0
    }

    /// The units without their fraction, cut towards zero.
    pub const fn whole_minutes(self) -> i64 {
        self.0 / THOUSANDTHS_PER_UNIT
    }

    /// Below zero?
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// Exactly none?
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
    /// [`UnitsError::Overflow`] if it does not fit.
    pub fn checked_add(self, other: Self) -> Result<Self, UnitsError> {
        self.0.checked_add(other.0).map(Self).ok_or(UnitsError::Overflow)
    }

    /// This less the other.
    ///
    /// # Errors
    /// [`UnitsError::Overflow`] if it does not fit.
    pub fn checked_sub(self, other: Self) -> Result<Self, UnitsError> {
        self.0.checked_sub(other.0).map(Self).ok_or(UnitsError::Overflow)
    }

    /// The same number the other way.
    ///
    /// # Errors
    /// [`UnitsError::Overflow`] for the one number that has no counterpart.
    pub fn checked_neg(self) -> Result<Self, UnitsError> {
        self.0.checked_neg().map(Self).ok_or(UnitsError::Overflow)
    }

    /// The sum of all, whatever their order: only the result has to fit.
    ///
    /// # Errors
    /// [`UnitsError::Overflow`] if it does not.
    pub fn try_sum(parts: impl IntoIterator<Item = Self>) -> Result<Self, UnitsError> {
        let mut sum = 0_i128;
        for part in parts {
            sum = sum.checked_add(i128::from(part.0)).ok_or(UnitsError::Overflow)?;
        }
        i64::try_from(sum).map(Self).map_err(|_| UnitsError::Overflow)
    }
}

/// As people read it: `12.5`, without needless zeros.
impl fmt::Display for Units {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.is_negative() { "-" } else { "" };
        let per_unit = THOUSANDTHS_PER_UNIT.unsigned_abs();
        let size = self.0.unsigned_abs();
        let fraction = format!(".{:03}", size % per_unit);
        let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
        write!(f, "{sign}{}{fraction}", size / per_unit)
    }
}

/// How many thousandths of a unit one minute takes from a package: 1 to [`RATIO_MAX`]; in JSON an integer.
///
/// 1,000 is one for one, 9,000 is what a minute of full HD takes from a paid package, 500 a half.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Ratio(u32);

impl Ratio {
    /// One unit for a minute.
    pub const ONE: Self = Self(1_000);

    /// A ratio of so many thousandths of a unit for a minute.
    ///
    /// # Errors
    /// [`UnitsError::Ratio`] if it is not within 1 to [`RATIO_MAX`].
    pub const fn new(thousandths: u32) -> Result<Self, UnitsError> {
        if thousandths == 0 || thousandths > RATIO_MAX {
            return Err(UnitsError::Ratio { thousandths });
        }
        Ok(Self(thousandths))
    }

    /// Reads a plain decimal number of units for a minute, such as `0.5`.
    ///
    /// # Errors
    /// As [`Units::parse_decimal`], and [`UnitsError::Ratio`] if it is not within the bounds.
    pub fn parse_decimal(text: &str) -> Result<Self, UnitsError> {
        let thousandths = Units::parse_decimal(text)?.thousandths();
        // Whatever does not fit is as far out of bounds as the nearest number that does.
        Self::new(u32::try_from(thousandths.clamp(0, i64::from(u32::MAX))).unwrap_or(0))
    }

    /// The thousandths of a unit that a minute takes.
    pub const fn thousandths(self) -> u32 {
        self.0
    }
}

/// As people read it: `0.5`, without needless zeros.
impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Units(i64::from(self.0)), f)
    }
}

impl Default for Ratio {
    fn default() -> Self {
        Self::ONE
    }
}

impl TryFrom<u32> for Ratio {
    type Error = UnitsError;

    fn try_from(thousandths: u32) -> Result<Self, UnitsError> {
        Self::new(thousandths)
    }
}

impl From<Ratio> for u32 {
    fn from(ratio: Ratio) -> Self {
        ratio.0
    }
}

/// How many of `minutes` a package with `left` covers, and what they take from it.
///
/// Every minute takes `ratio`; the last one is covered whole even if less is left, so that a package ends at
/// exactly zero and the rest is the customer's gain. Nothing is covered when nothing is left.
/// The units taken are never more than `left` (P3).
pub fn cover(left: Units, ratio: Ratio, minutes: u64) -> (u64, Units) {
    // Negative is not a state a package can be in; it covers nothing.
    let available = u64::try_from(left.0).unwrap_or(0);
    let covered = minutes.min(available.div_ceil(u64::from(ratio.0)));
    // May exceed `left` by less than one ratio, in the last minute; the sum of 63 and 20 bits fits.
    let taken = covered.saturating_mul(u64::from(ratio.0)).min(available);
    (covered, Units(i64::try_from(taken).unwrap_or(left.0)))
}
