//! What a version must be like, wherever it comes from: a file, the API or the store.

use std::collections::BTreeMap;

use fermata_types::Sku;

use super::error::shortened;
use super::version::is_complete;
use super::{CatalogError, PackageKind, PackageScope, PackageType, Validity};
use crate::limits::{
    AMOUNT_MAX_UNITS, CATALOG_ACTOR_CHARS_MAX, CATALOG_CURRENCIES_MAX, PACKAGE_CODE_LEN_MAX,
    PACKAGE_TITLE_CHARS_MAX, PACKAGE_TYPES_MAX, PRICE_MINUTE_MAX_UNITS, PRICE_PER_MAX,
    VALIDITY_DAYS_MAX, VALIDITY_YEARS_MAX,
};
use crate::money::{Currency, MICROS_PER_UNIT, Money, Price};
use crate::units::{PACKAGE_MINUTES_MAX, Units};

type Prices = BTreeMap<Currency, BTreeMap<Sku, Price>>;

pub(super) fn actor(name: &str) -> Result<(), CatalogError> {
    if is_text(name, CATALOG_ACTOR_CHARS_MAX) { Ok(()) } else { Err(CatalogError::BadActor) }
}

/// Prices and package types of a version that is to be added.
///
/// A stored one need not have a price for every SKU: there may be SKUs now that it could not know.
pub(super) fn addition(
    prices: &Prices,
    types: &BTreeMap<String, PackageType>,
) -> Result<(), CatalogError> {
    if !prices.values().any(is_complete) {
        return Err(CatalogError::NoCompleteCurrency);
    }
    content(prices, types)
}

/// Prices and package types of any version.
pub(super) fn content(
    prices: &Prices,
    types: &BTreeMap<String, PackageType>,
) -> Result<(), CatalogError> {
    if prices.len() > CATALOG_CURRENCIES_MAX {
        return Err(CatalogError::TooManyCurrencies { count: prices.len() });
    }
    if types.len() > PACKAGE_TYPES_MAX {
        return Err(CatalogError::TooManyPackageTypes { count: types.len() });
    }
    for (currency, list) in prices {
        for (sku, price) in list {
            let place = || format!("prices.{currency}.{}", sku.code());
            amount(price.amount, *currency, place)?;
            if !(1..=PRICE_PER_MAX).contains(&price.per) {
                return Err(CatalogError::PerOutOfRange { place: place(), per: price.per });
            }
            let dearest =
                i128::from(price.per) * i128::from(PRICE_MINUTE_MAX_UNITS * MICROS_PER_UNIT);
            if i128::from(price.amount.micros()) > dearest {
                return Err(CatalogError::MinuteTooDear { place: place() });
            }
        }
    }
    for (key, one) in types {
        if !is_code(key) {
            return Err(CatalogError::BadCode { code: shortened(key) });
        }
        if one.code != *key {
            let code = shortened(&one.code);
            return Err(CatalogError::CodeMismatch { code, key: key.clone() });
        }
        package_type(one, prices)?;
    }
    if !types.values().any(|one| one.kind == PackageKind::Free) {
        return Err(CatalogError::NoFreeType);
    }
    Ok(())
}

fn package_type(one: &PackageType, prices: &Prices) -> Result<(), CatalogError> {
    let code = || one.code.clone();
    if !is_text(&one.title, PACKAGE_TITLE_CHARS_MAX) {
        return Err(CatalogError::BadTitle { code: code() });
    }
    let fits = Units::from_minutes(PACKAGE_MINUTES_MAX).is_ok_and(|max| one.units <= max);
    if !one.units.is_positive() || !fits {
        return Err(CatalogError::UnitsOutOfRange { code: code(), minutes: one.units.to_string() });
    }
    for (currency, price) in &one.prices {
        if !prices.contains_key(currency) {
            return Err(CatalogError::UnlistedCurrency { code: code(), currency: *currency });
        }
        amount(*price, *currency, || format!("package_types.{}.prices.{currency}", one.code))?;
    }
    if one.ratios.is_empty() {
        return Err(CatalogError::NoRatio { code: code() });
    }
    let lasts = match one.validity {
        Validity::CalendarMonth | Validity::Month => true,
        Validity::Years(years) => (1..=VALIDITY_YEARS_MAX).contains(&years),
        Validity::Days(days) => (1..=VALIDITY_DAYS_MAX).contains(&days),
    };
    if !lasts {
        return Err(CatalogError::ValidityOutOfRange { code: code() });
    }
    if one.refundable_days > VALIDITY_DAYS_MAX {
        return Err(CatalogError::RefundableDaysOutOfRange { code: code() });
    }
    of_kind(one)
}

/// What the kinds promise: free minutes belong to the account and are given anew each calendar month (S16),
/// a monthly package belongs to one application (A6), and a pack can be bought on any day.
fn of_kind(one: &PackageType) -> Result<(), CatalogError> {
    let unmet = match one.kind {
        PackageKind::Free if one.validity != Validity::CalendarMonth => {
            Some("validity `calendar_month`")
        }
        PackageKind::Free if one.scope != PackageScope::Account => Some("scope `account`"),
        PackageKind::Free if one.prices.values().any(|price| !price.is_zero()) => {
            Some("price 0, or none")
        }
        PackageKind::Free if one.refundable_days != 0 => Some("`refundable_days` 0"),
        PackageKind::Monthly if one.validity != Validity::Month => Some("validity `month`"),
        PackageKind::Monthly if one.scope != PackageScope::App => Some("scope `app`"),
        PackageKind::Pack if one.validity == Validity::CalendarMonth => {
            Some("validity `month`, or of years or days")
        }
        PackageKind::Free | PackageKind::Monthly | PackageKind::Pack => None,
    };
    let Some(needs) = unmet else { return Ok(()) };
    Err(CatalogError::KindMismatch { code: one.code.clone(), kind: one.kind.code(), needs })
}

/// Refuses amounts below zero and beyond what any price can be.
fn amount(
    amount: Money,
    currency: Currency,
    place: impl Fn() -> String,
) -> Result<(), CatalogError> {
    if (0..=AMOUNT_MAX_UNITS * MICROS_PER_UNIT).contains(&amount.micros()) {
        return Ok(());
    }
    Err(CatalogError::AmountOutOfRange { place: place(), amount: amount.to_decimal(currency) })
}

fn is_code(text: &str) -> bool {
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
    (1..=PACKAGE_CODE_LEN_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

/// One to so many characters on one line, and not only blanks.
fn is_text(text: &str, chars_max: usize) -> bool {
    let count = text.chars().take(chars_max.saturating_add(1)).count();
    count <= chars_max && !text.trim().is_empty() && !text.chars().any(char::is_control)
}
