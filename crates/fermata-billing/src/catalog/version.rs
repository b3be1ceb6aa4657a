//! One version of the catalog and the package types in it.

use std::collections::{BTreeMap, BTreeSet};

use fermata_types::Sku;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::CatalogError;
use crate::money::{Currency, Money, Price};
use crate::units::{Ratio, Units};

/// Price lists and package types in force over a span of time. Never changed once it is in a catalog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogVersion {
    /// Number, counted from 1. Bill lines and packages store it.
    pub version: u32,
    /// First instant it is in force; the last is just before the next version's.
    pub effective_from: Timestamp,
    /// When it was added.
    pub created_at: Timestamp,
    /// Who added it.
    pub actor: String,
    /// Price of a minute by currency and SKU.
    pub prices: BTreeMap<Currency, BTreeMap<Sku, Price>>,
    /// Package types by code.
    pub package_types: BTreeMap<String, PackageType>,
}

impl CatalogVersion {
    /// The price of minutes of a SKU.
    ///
    /// # Errors
    /// [`CatalogError::NoPrice`] naming currency and SKU.
    pub fn price(&self, currency: Currency, sku: Sku) -> Result<Price, CatalogError> {
        let price = self.prices.get(&currency).and_then(|list| list.get(&sku));
        price.copied().ok_or(CatalogError::NoPrice { currency, sku })
    }

    /// The package type of a code.
    ///
    /// # Errors
    /// [`CatalogError::NoPackageType`] naming the codes there are.
    pub fn package_type(&self, code: &str) -> Result<&PackageType, CatalogError> {
        self.package_types.get(code).ok_or_else(|| CatalogError::no_package_type(self, code))
    }

    /// The types every account is given each month (policy S16), by code; at least one.
    pub fn free_types(&self) -> impl Iterator<Item = &PackageType> {
        self.package_types.values().filter(|one| one.kind == PackageKind::Free)
    }

    /// The currencies in which every SKU has a price.
    pub fn currencies(&self) -> BTreeSet<Currency> {
        self.prices
            .iter()
            .filter(|(_, list)| is_complete(list))
            .map(|(currency, _)| *currency)
            .collect()
    }

    /// What was drafted to get this version.
    pub fn draft(&self) -> CatalogDraft {
        CatalogDraft {
            effective_from: Some(self.effective_from),
            prices: self.prices.clone(),
            package_types: self.package_types.clone(),
        }
    }
}

/// Has every SKU a price?
pub(super) fn is_complete(list: &BTreeMap<Sku, Price>) -> bool {
    Sku::ALL.iter().all(|sku| list.contains_key(sku))
}

/// What an operator proposes as the next version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogDraft {
    /// First instant it is in force; none: the instant it is added.
    #[serde(default)]
    pub effective_from: Option<Timestamp>,
    /// Price of a minute by currency and SKU.
    pub prices: BTreeMap<Currency, BTreeMap<Sku, Price>>,
    /// Package types by code.
    pub package_types: BTreeMap<String, PackageType>,
}

/// A kind of package: minutes that are paid for, or given, in advance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackageType {
    /// Stable code, 1 to 64 of `a-z 0-9 _`; the key it stands under.
    pub code: String,
    /// Name for people.
    pub title: String,
    /// How much is in it; more than nothing.
    pub units: Units,
    /// What it costs, by currency; not sold in a currency that is absent.
    pub prices: BTreeMap<Currency, Money>,
    /// Whose minutes it covers.
    pub scope: PackageScope,
    /// How long it may be used.
    pub validity: Validity,
    /// Package minutes that one minute of a SKU takes; minutes of a SKU that is absent are not covered.
    pub ratios: BTreeMap<Sku, Ratio>,
    /// Of packages that are otherwise alike, the lower priority is used up first.
    pub priority: i32,
    /// Whether one owner may have several that are valid at once.
    pub stackable: bool,
    /// Days from the purchase within which an unused one is taken back; 0: never.
    pub refundable_days: u32,
    /// How it comes to its owner.
    pub kind: PackageKind,
}

impl PackageType {
    /// What it costs in a currency.
    ///
    /// # Errors
    /// [`CatalogError::NoPackagePrice`] where it is not sold in that currency.
    pub fn price(&self, currency: Currency) -> Result<Money, CatalogError> {
        let price = self.prices.get(&currency).copied();
        price.ok_or_else(|| CatalogError::NoPackagePrice { code: self.code.clone(), currency })
    }

    /// Package minutes that one minute of a SKU takes; `None`: not covered.
    pub fn ratio(&self, sku: Sku) -> Option<Ratio> {
        self.ratios.get(&sku).copied()
    }
}

/// Whose minutes a package covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PackageScope {
    /// Every application of the account.
    Account,
    /// One application.
    App,
}

impl PackageScope {
    /// The word in APIs and files.
    pub fn code(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::App => "app",
        }
    }
}

/// How long a package may be used, in civil days of the account's zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Validity {
    /// Until the end of the calendar month; only for free packages, which are given anew each month.
    CalendarMonth,
    /// Until the end of the day before the same date of the next month.
    Month,
    /// Until the end of the day before the same date so many years later.
    Years(u32),
    /// So many days, the first included.
    Days(u32),
}

/// How a package comes to its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PackageKind {
    /// Given to every account each calendar month, without price and without rollover (policy S16).
    Free,
    /// Bought for one application and one month.
    Monthly,
    /// Minutes bought once.
    Pack,
}

impl PackageKind {
    /// The word in APIs and files.
    pub fn code(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Monthly => "monthly",
            Self::Pack => "pack",
        }
    }
}
