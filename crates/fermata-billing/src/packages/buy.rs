//! Buying a package (T10, A5).

use fermata_types::SdkAppId;
use jiff::{Span, civil::Date};

use crate::calendar::{CalendarError, YearMonth, add_months_clamped, monthly_valid_until};
use crate::catalog::{PackageKind, PackageScope, PackageType, Validity};
use crate::clause::ClauseId;
use crate::command::{Answer, Refusal};
use crate::effect::OperationClass;
use crate::id::PackageId;
use crate::journal::{LedgerAccount, PostingKind};
use crate::ledger::{self, Posting};
use crate::limits::PACKAGES_LIVE_MAX;
use crate::money::Money;
use crate::state::{Item, Package, PackageStatus, State};
use crate::step::Step;
use crate::timer::TimerKind;
use crate::transition::Transition;
use crate::{metering, payments, standing};

/// Buys a package of a type of the catalog in force now, in the account's currency, for days from today on.
///
/// Today is covered from 00:00. A type that does not stack is refused while a package of it with units left
/// covers the same scope; one that is used up is in nobody's way, or S17's remedy would be refused.
///
/// # Errors
/// [`Refusal::Suspended`] where the standing forbids it, [`Refusal::Catalog`] for an unknown type or one
/// that is not sold in the currency, [`Refusal::Invalid`] for a missing or needless application,
/// [`Refusal::Unknown`] for another account's, [`Refusal::InsufficientBalance`] (A5), [`Refusal::Conflict`],
/// [`Refusal::LimitReached`].
pub(crate) fn buy(
    step: &mut Step<'_>,
    type_code: &str,
    app: Option<SdkAppId>,
) -> Result<Answer, Refusal> {
    standing::require(step, OperationClass::BuyPackage, app)?;
    let catalog = step.env().catalog;
    let (version, package_type) = catalog.package_type(step.now(), type_code)?;
    check_scope(step.state(), package_type, app)?;
    let profile = step.profile()?;
    let price = package_type.price(profile.currency)?;
    let available = ledger::available(step)?;
    if available < price {
        return Err(Refusal::InsufficientBalance { available, price });
    }
    let today = profile.calendar.day_of(step.now())?;
    check_room(step.state(), package_type, app, today)?;
    metering::freeze_floors(step)?;
    let package =
        made(step, package_type, version, app, price, (today, last_day(package_type, today)?))?;
    let id = package.id.clone();
    let mut entries = payments::take(step, price)?;
    entries.push((LedgerAccount::DeferredRevenue, price.micros()));
    entries.extend(units_in(&package));
    put(step, package)?;
    ledger::post(
        step,
        Posting {
            kind: PostingKind::Purchase,
            cause: ClauseId::T10,
            subject: id.as_str(),
            reverses: None,
            entries,
        },
    )?;
    let mut details = vec![("package", id.to_string()), ("type", type_code.to_owned())];
    details.extend(app.map(|app| ("app", app.to_string())));
    step.audit(ClauseId::T10, "package_bought", &details)?;
    step.took(Transition::T10);
    metering::reallocate(step)?;
    standing::lift_unfunded(step)?;
    let bought = step.state().packages.get(&id).cloned();
    bought.map(Answer::Package).ok_or_else(|| Refusal::unknown("package", &id))
}

fn check_scope(
    state: &State,
    package_type: &PackageType,
    app: Option<SdkAppId>,
) -> Result<(), Refusal> {
    if package_type.kind == PackageKind::Free {
        return Err(Refusal::invalid(
            "type",
            format!("{} is given every month and not sold", package_type.code),
        ));
    }
    match (package_type.scope, app) {
        (PackageScope::App, None) => Err(Refusal::invalid(
            "app",
            format!("{} belongs to one application; say which", package_type.code),
        )),
        (PackageScope::Account, Some(_)) => Err(Refusal::invalid(
            "app",
            format!("{} belongs to the whole account; name no application", package_type.code),
        )),
        (PackageScope::App, Some(app)) if !state.apps.contains_key(&app) => {
            Err(Refusal::unknown("app", app))
        }
        (PackageScope::App, Some(_)) | (PackageScope::Account, None) => Ok(()),
    }
}

fn check_room(
    state: &State,
    package_type: &PackageType,
    app: Option<SdkAppId>,
    today: Date,
) -> Result<(), Refusal> {
    let live = || state.packages.values().filter(|one| one.status == PackageStatus::Live);
    let same = |one: &&Package| {
        one.type_code == package_type.code
            && one.app == app
            && one.left.is_positive()
            && (one.from..=one.until).contains(&today)
    };
    if !package_type.stackable
        && let Some(other) = live().find(same)
    {
        return Err(Refusal::Conflict(format!(
            "{} cannot be held twice at a time, and {} is valid until {}",
            package_type.code, other.id, other.until
        )));
    }
    if live().count() >= PACKAGES_LIVE_MAX {
        return Err(Refusal::LimitReached { what: "live packages", max: PACKAGES_LIVE_MAX });
    }
    Ok(())
}

/// The last day of a package of a type whose first day is `from`.
pub(super) fn last_day(package_type: &PackageType, from: Date) -> Result<Date, CalendarError> {
    let out_of_range = || CalendarError::OutOfRange { what: format!("the validity from {from}") };
    match package_type.validity {
        Validity::CalendarMonth => Ok(YearMonth::of(from).last_day()),
        Validity::Month => monthly_valid_until(from),
        Validity::Years(years) => {
            let months = years.checked_mul(12).and_then(|months| i32::try_from(months).ok());
            let end = add_months_clamped(from, months.ok_or_else(out_of_range)?)?;
            end.yesterday().map_err(|_| out_of_range())
        }
        Validity::Days(days) => {
            let span = Span::new().try_days(i64::from(days).saturating_sub(1));
            span.and_then(|span| from.checked_add(span)).map_err(|_| out_of_range())
        }
    }
}

/// A new package with all its units; nothing is put yet.
pub(super) fn made(
    step: &mut Step<'_>,
    package_type: &PackageType,
    version: u32,
    app: Option<SdkAppId>,
    price: Money,
    (from, until): (Date, Date),
) -> Result<Package, Refusal> {
    let account = step.account()?;
    Ok(Package {
        id: PackageId::nth(&account, step.serial()),
        type_code: package_type.code.clone(),
        catalog_version: version,
        scope: package_type.scope,
        app,
        free: package_type.kind == PackageKind::Free,
        validity: package_type.validity,
        from,
        until,
        priority: package_type.priority,
        created_at: step.now(),
        price,
        units: package_type.units,
        settled: package_type.units,
        left: package_type.units,
        status: PackageStatus::Live,
    })
}

/// The entries that give a package its units.
pub(super) fn units_in(package: &Package) -> [(LedgerAccount, i64); 2] {
    let units = package.units.thousandths();
    // No package has the least number of units, which alone has no counterpart.
    let issued = (LedgerAccount::UnitsIssued, units.saturating_neg());
    [issued, (LedgerAccount::Package(package.id.clone()), units)]
}

/// Puts a new package and arms the end of its last day.
pub(super) fn put(step: &mut Step<'_>, package: Package) -> Result<(), Refusal> {
    let end = step.profile()?.calendar.day_end(package.until)?;
    step.arm(TimerKind::PackageExpiry(package.id.clone()), end);
    step.put(Item::Package(package));
    Ok(())
}
