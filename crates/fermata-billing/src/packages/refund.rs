//! Giving an unused monthly package back for money.

use jiff::SignedDuration;

use crate::catalog::PackageKind;
use crate::clause::ClauseId;
use crate::command::{Answer, Refusal};
use crate::effect::OperationClass;
use crate::id::PackageId;
use crate::journal::{LedgerAccount, PostingKind, Record, Refund};
use crate::ledger::{self, Posting, overflow};
use crate::money::{Money, Price};
use crate::state::{Item, Package, PackageStatus};
use crate::step::Step;
use crate::units::Units;
use crate::{metering, standing};

/// Takes a monthly package back that nothing was burnt of, within the days its type allows.
///
/// The days are 24 hours each, counted from the purchase. What comes back is the price by the whole days that
/// remain after today, rounded half away from zero to the currency's smallest coin; the rest is earned.
/// It comes back as balance, whatever the package was paid with.
///
/// # Errors
/// [`Refusal::Unknown`]; [`Refusal::Conflict`] saying why this one cannot be given back.
pub(crate) fn refund(step: &mut Step<'_>, id: &PackageId) -> Result<Answer, Refusal> {
    let package = step.state().packages.get(id).cloned();
    let package = package.ok_or_else(|| Refusal::unknown("package", id))?;
    standing::require(step, OperationClass::Billing, package.app)?;
    check(step, &package)?;
    let amount = worth(step, &package)?;
    metering::freeze_floors(step)?;
    let mut gone = package.clone();
    (gone.settled, gone.left, gone.status) = (Units::ZERO, Units::ZERO, PackageStatus::Refunded);
    step.put(Item::Package(gone));
    let earned = package.price.checked_sub(amount)?.micros();
    let units = package.units.thousandths();
    let minus = |amount: i64| amount.checked_neg().ok_or_else(overflow);
    let entries = vec![
        (LedgerAccount::DeferredRevenue, minus(package.price.micros())?),
        (LedgerAccount::Customer, amount.micros()),
        (LedgerAccount::Revenue, earned),
        (LedgerAccount::Package(id.clone()), minus(units)?),
        (LedgerAccount::UnitsRefunded, units),
    ];
    let (kind, cause) = (PostingKind::Refund, ClauseId::P14);
    let posting = Posting { kind, cause, subject: id.as_str(), reverses: None, entries };
    let txn = ledger::post(step, posting)?;
    let refund = Refund { package: id.clone(), amount, at: step.now(), txn };
    step.record(cause, Record::Refund(refund.clone()))?;
    metering::reallocate(step)?;
    standing::check_funding(step)?;
    Ok(Answer::Refund(refund))
}

fn check(step: &Step<'_>, package: &Package) -> Result<(), Refusal> {
    let conflict = |why: String| Err(Refusal::Conflict(format!("{}: {why}", package.id)));
    if step.state().reclaim.is_irreversible() {
        return conflict("the account is cleared, and its packages with it".to_owned());
    }
    match package.status {
        PackageStatus::Live => {}
        PackageStatus::Expired => return conflict("it has expired".to_owned()),
        PackageStatus::Refunded => return conflict("it was given back already".to_owned()),
        PackageStatus::Reclaimed => return conflict("it is forfeited".to_owned()),
    }
    let version = step.env().catalog.version(package.catalog_version);
    let sold = version.and_then(|version| version.package_types.get(&package.type_code));
    let days = sold.filter(|sold| sold.kind == PackageKind::Monthly);
    let days = days.map_or(0, |sold| sold.refundable_days);
    if days == 0 {
        return conflict(format!("packages of type {} are not taken back", package.type_code));
    }
    let most = SignedDuration::from_hours(i64::from(days).saturating_mul(24));
    if step.now().duration_since(package.created_at) > most {
        return conflict(format!("it is taken back within {days} days of the purchase"));
    }
    if package.left != package.units {
        return conflict("minutes of it are used".to_owned());
    }
    Ok(())
}

/// The price by whole days that remain after today.
fn worth(step: &Step<'_>, package: &Package) -> Result<Money, Refusal> {
    let profile = step.profile()?;
    let today = profile.calendar.day_of(step.now())?;
    let days = |from, to: jiff::civil::Date| -> Result<u32, Refusal> {
        let span = to.since(from).map_err(|_| overflow())?;
        // Negative when the last day is over: then nothing remains.
        Ok(u32::try_from(span.get_days().max(0)).unwrap_or(0))
    };
    let remaining = days(today, package.until)?;
    let all = days(package.from, package.until)?.saturating_add(1);
    let price = Price::new(package.price, all)?;
    Ok(price.charge(u64::from(remaining.min(all)), profile.currency)?)
}
