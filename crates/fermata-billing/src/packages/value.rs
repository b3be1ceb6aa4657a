//! What a package is worth: the money that its units carry from deferred revenue to where it belongs.

use crate::command::Refusal;
use crate::ledger::overflow;
use crate::state::{Burn, Package};
use crate::units::Units;

/// The share of the price, in micro-units, that the units between `before` and `after` settled ones carry.
///
/// Counted as the difference of cumulative shares, each cut to the micro-unit: whatever way a package goes
/// down from all its units to none, by closed days, late usage, expiry or forfeiture, the shares sum to
/// exactly its price.
///
/// # Errors
/// [`Refusal::Corrupt`] if units would come back or were never there.
pub(crate) fn released(package: &Package, before: Units, after: Units) -> Result<i64, Refusal> {
    if after.is_negative() || after > before || before > package.units {
        let id = &package.id;
        return Err(Refusal::Corrupt(format!("{id} cannot go from {before} units to {after}")));
    }
    let (earlier, now) = (earned(package, before)?, earned(package, after)?);
    now.checked_sub(earlier).ok_or_else(overflow)
}

/// What is earned when `left` units are left: the whole price when none is.
fn earned(package: &Package, left: Units) -> Result<i64, Refusal> {
    let units = i128::from(package.units.thousandths());
    let used = units - i128::from(left.thousandths());
    // 63 bits by 63 bits fit; a package without units has nothing to earn.
    let share = (i128::from(package.price.micros()) * used).checked_div(units).unwrap_or(0);
    i64::try_from(share).map_err(|_| overflow())
}

/// Adds what one more burn took to a list of burns, one entry a package, in burning order of their first.
///
/// # Errors
/// [`Refusal::Money`] on overflow.
pub(crate) fn merge(burns: &mut Vec<Burn>, more: &[Burn]) -> Result<(), Refusal> {
    for burn in more {
        match burns.iter_mut().find(|known| known.package == burn.package) {
            Some(known) => {
                known.minutes = known.minutes.checked_add(burn.minutes).ok_or_else(overflow)?;
                known.units = known.units.checked_add(burn.units).map_err(|_| overflow())?;
            }
            None => burns.push(burn.clone()),
        }
    }
    Ok(())
}
