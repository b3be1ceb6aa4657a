//! A price by the minute and the one place where money is rounded.

use serde::{Deserialize, Serialize};

use super::{Currency, Money, MoneyError};

/// A price as a rational number: `amount` for every `per` minutes (billing section 4).
///
/// 3.99 USD for 1,000 minutes is exact this way, where an amount for one minute would not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Price {
    /// What `per` minutes cost. [`Price::new`] refuses a negative one.
    pub amount: Money,
    /// How many minutes that is for. [`Price::new`] refuses 0; a price made otherwise with 0 charges nothing
    /// but answers [`MoneyError::ZeroPer`].
    pub per: u32,
}

impl Price {
    /// A price of `amount` for every `per` minutes.
    ///
    /// # Errors
    /// [`MoneyError::NegativePrice`] and [`MoneyError::ZeroPer`].
    pub fn new(amount: Money, per: u32) -> Result<Self, MoneyError> {
        if amount.is_negative() {
            return Err(MoneyError::NegativePrice { micros: amount.micros() });
        }
        if per == 0 {
            return Err(MoneyError::ZeroPer);
        }
        Ok(Self { amount, per })
    }

    /// What `minutes` cost on a bill line: rounded once, to the currency's minor unit, half away from zero.
    ///
    /// What this differs from [`Price::charge_exact`] by is the residue that the ledger books to the
    /// rounding account.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] if it does not fit; [`MoneyError::ZeroPer`].
    pub fn charge(self, minutes: u64, currency: Currency) -> Result<Money, MoneyError> {
        self.charge_in(minutes, currency.minor_unit_micros())
    }

    /// What `minutes` cost, to the nearest micro-unit, half away from zero: for estimates of what is not
    /// billed yet.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] if it does not fit; [`MoneyError::ZeroPer`].
    pub fn charge_exact(self, minutes: u64) -> Result<Money, MoneyError> {
        self.charge_in(minutes, 1)
    }

    /// The cost in micro-units, rounded to a multiple of `unit_micros`.
    fn charge_in(self, minutes: u64, unit_micros: i64) -> Result<Money, MoneyError> {
        if self.per == 0 {
            return Err(MoneyError::ZeroPer);
        }
        // 63 bits by 64 bits: the product always fits, so nothing is lost before the one division.
        let cost = i128::from(self.amount.micros()).checked_mul(i128::from(minutes));
        let divisor = u128::from(self.per).checked_mul(unit_micros.unsigned_abs().into());
        cost.zip(divisor)
            .and_then(|(cost, divisor)| divided(cost, divisor))
            .and_then(|units| units.checked_mul(i128::from(unit_micros)))
            .and_then(|micros| i64::try_from(micros).ok())
            .map(Money::from_micros)
            .ok_or(MoneyError::Overflow)
    }
}

/// `dividend / divisor` to the nearest whole number, half away from zero; `None` if there is none that fits.
pub(super) fn divided(dividend: i128, divisor: u128) -> Option<i128> {
    let size = dividend.unsigned_abs();
    let (quotient, rest) = (size.checked_div(divisor)?, size.checked_rem(divisor)?);
    // Not `2 * rest`, which could overflow. A rest is always less than the divisor.
    let away = u128::from(rest >= divisor.saturating_sub(rest));
    let rounded = i128::try_from(quotient.checked_add(away)?).ok()?;
    Some(if dividend < 0 { rounded.saturating_neg() } else { rounded })
}
