//! What a version of the catalog says, as JSON: decimal numbers as text, the same names as in the TOML file.

use std::collections::BTreeMap;

use fermata_billing::catalog::{
    CatalogDraft, CatalogVersion, PackageKind, PackageScope, PackageType, Validity,
};
use fermata_billing::money::Price;
use fermata_billing::units::{Ratio, Units};
use fermata_types::Sku;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::ApiError;
use super::money;
use super::usage::moment;

/// Price lists and package types of one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CatalogContent {
    /// From when it is in force, RFC 3339, not in the past and after the last version; at once if absent.
    pub effective_from: Option<String>,
    /// Prices by currency and SKU code.
    pub prices: BTreeMap<String, BTreeMap<String, CatalogPrice>>,
    /// Package types by code.
    pub package_types: BTreeMap<String, CatalogPackageType>,
}

/// What minutes of a SKU cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CatalogPrice {
    /// Decimal number.
    pub amount: String,
    /// For so many minutes.
    pub per: u32,
}

/// A kind of package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CatalogPackageType {
    /// Name for people.
    pub title: String,
    /// How it comes to its owner.
    pub kind: KindView,
    /// Whose minutes it covers.
    pub scope: PackageScopeView,
    /// How long it may be used.
    pub validity: ValidityView,
    /// Package minutes in it, a decimal number.
    pub minutes: String,
    /// Of packages that are otherwise alike, the lower one is used first.
    #[serde(default)]
    pub priority: i32,
    /// May one owner have several that are valid at once?
    #[serde(default)]
    pub stackable: bool,
    /// Days from the purchase within which an unused one is taken back; 0: never.
    #[serde(default)]
    pub refundable_days: u32,
    /// What it costs, decimal numbers by currency; not sold in one that is absent.
    #[serde(default)]
    pub prices: BTreeMap<String, String>,
    /// Package minutes that one minute takes, decimal numbers by SKU code; a SKU that is absent is not covered.
    pub ratios: BTreeMap<String, String>,
}

/// How a package comes to its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KindView {
    /// Given to every account each calendar month.
    Free,
    /// Bought for one application and one month.
    Monthly,
    /// Bought once.
    Pack,
}

/// Whose minutes a package covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PackageScopeView {
    /// Every application of the account.
    Account,
    /// One application.
    App,
}

/// How long a package may be used, in civil days of the account's zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ValidityView {
    /// Until the end of the calendar month; only free ones.
    CalendarMonth,
    /// Until the day before the same date of the next month.
    Month,
    /// Until the day before the same date so many years later.
    Years(u32),
    /// So many days, the first included.
    Days(u32),
}

impl From<&CatalogVersion> for CatalogContent {
    fn from(version: &CatalogVersion) -> Self {
        let prices = version.prices.iter().map(|(currency, list)| {
            let price = |price: &Price| CatalogPrice {
                amount: money::text(price.amount, *currency),
                per: price.per,
            };
            let list = list.iter().map(|(sku, one)| (sku.code().to_owned(), price(one)));
            (currency.code().to_owned(), list.collect())
        });
        let types = version.package_types.iter().map(|(code, one)| (code.clone(), one.into()));
        Self {
            effective_from: Some(version.effective_from.to_string()),
            prices: prices.collect(),
            package_types: types.collect(),
        }
    }
}

impl From<&PackageType> for CatalogPackageType {
    fn from(one: &PackageType) -> Self {
        let prices = one
            .prices
            .iter()
            .map(|(currency, price)| (currency.code().to_owned(), money::text(*price, *currency)));
        let ratios =
            one.ratios.iter().map(|(sku, ratio)| (sku.code().to_owned(), ratio.to_string()));
        Self {
            title: one.title.clone(),
            kind: match one.kind {
                PackageKind::Free => KindView::Free,
                PackageKind::Monthly => KindView::Monthly,
                PackageKind::Pack => KindView::Pack,
            },
            scope: match one.scope {
                PackageScope::Account => PackageScopeView::Account,
                PackageScope::App => PackageScopeView::App,
            },
            validity: match one.validity {
                Validity::CalendarMonth => ValidityView::CalendarMonth,
                Validity::Month => ValidityView::Month,
                Validity::Years(years) => ValidityView::Years(years),
                Validity::Days(days) => ValidityView::Days(days),
            },
            minutes: one.units.to_string(),
            priority: one.priority,
            stackable: one.stackable,
            refundable_days: one.refundable_days,
            prices: prices.collect(),
            ratios: ratios.collect(),
        }
    }
}

impl CatalogContent {
    /// The draft that this is. What a version may say is checked where it is added.
    ///
    /// # Errors
    /// [`ApiError::Invalid`], naming the field by its path.
    pub(super) fn draft(&self) -> Result<CatalogDraft, ApiError> {
        let effective_from =
            self.effective_from.as_deref().map(|at| moment("effective_from", at)).transpose()?;
        let mut prices = BTreeMap::new();
        for (code, list) in &self.prices {
            let place = format!("prices.{}", shown(code));
            let currency = money::currency(&place, code)?;
            let list = list.iter().map(|(code, price)| {
                let place = format!("{place}.{}", shown(code));
                let amount = money::amount(&format!("{place}.amount"), &price.amount)?;
                Ok((sku(&place, code)?, Price { amount, per: price.per }))
            });
            prices.insert(currency, list.collect::<Result<_, ApiError>>()?);
        }
        let types = self.package_types.iter();
        let types = types.map(|(code, one)| Ok((code.clone(), one.package_type(code)?)));
        let package_types = types.collect::<Result<_, ApiError>>()?;
        Ok(CatalogDraft { effective_from, prices, package_types })
    }
}

impl CatalogPackageType {
    fn package_type(&self, code: &str) -> Result<PackageType, ApiError> {
        let place = format!("package_types.{}", shown(code));
        let invalid = |field: &str, problem: &dyn std::fmt::Display| {
            ApiError::Invalid(format!("{place}.{field}: {problem}"))
        };
        let mut prices = BTreeMap::new();
        for (currency, price) in &self.prices {
            let place = format!("{place}.prices.{}", shown(currency));
            prices.insert(money::currency(&place, currency)?, money::amount(&place, price)?);
        }
        let mut ratios = BTreeMap::new();
        for (code, ratio) in &self.ratios {
            let field = format!("ratios.{}", shown(code));
            let ratio = Ratio::parse_decimal(ratio).map_err(|error| invalid(&field, &error))?;
            ratios.insert(sku(&format!("{place}.{field}"), code)?, ratio);
        }
        Ok(PackageType {
            code: code.to_owned(),
            title: self.title.clone(),
            units: Units::parse_decimal(&self.minutes).map_err(|e| invalid("minutes", &e))?,
            prices,
            scope: match self.scope {
                PackageScopeView::Account => PackageScope::Account,
                PackageScopeView::App => PackageScope::App,
            },
            validity: match self.validity {
                ValidityView::CalendarMonth => Validity::CalendarMonth,
                ValidityView::Month => Validity::Month,
                ValidityView::Years(years) => Validity::Years(years),
                ValidityView::Days(days) => Validity::Days(days),
            },
            ratios,
            priority: self.priority,
            stackable: self.stackable,
            refundable_days: self.refundable_days,
            kind: match self.kind {
                KindView::Free => PackageKind::Free,
                KindView::Monthly => PackageKind::Monthly,
                KindView::Pack => PackageKind::Pack,
            },
        })
    }
}

fn sku(place: &str, code: &str) -> Result<Sku, ApiError> {
    Sku::from_code(code).ok_or_else(|| {
        let codes: Vec<_> = Sku::ALL.iter().map(|sku| sku.code()).collect();
        ApiError::Invalid(format!("{place}: it is no SKU; there are {}", codes.join(", ")))
    })
}

/// A key as errors repeat it, cut short.
fn shown(key: &str) -> String {
    key.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use fermata_billing::catalog::{Catalog, from_toml, to_toml};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_version_reads_back_as_it_was_written_and_as_its_file_says() {
        let catalog = Catalog::default_catalog();
        let version = catalog.latest().unwrap();
        let content = CatalogContent::from(version);
        let json = serde_json::to_value(&content).unwrap();
        let read: CatalogContent = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(read.draft().unwrap(), version.draft());
        assert_eq!(read.draft().unwrap(), from_toml(&to_toml(version)).unwrap());
        assert_eq!(json["prices"]["USD"]["video_hd"], json!({"amount": "3.99", "per": 1000}));
        let starter = &json["package_types"]["monthly_starter"];
        assert_eq!(
            (&starter["minutes"], &starter["prices"]["USD"], &starter["ratios"]["video_fhd"]),
            (&json!("50000"), &json!("49.00"), &json!("9"))
        );
        assert_eq!(starter["validity"], "month");
        assert_eq!(json["package_types"]["minutes_25k"]["validity"], json!({"years": 1}));
    }

    #[test]
    fn what_is_wrong_is_named_by_its_path() {
        let version = Catalog::default_catalog();
        let good = serde_json::to_value(CatalogContent::from(version.latest().unwrap())).unwrap();
        for (pointer, value, place) in [
            ("/effective_from", json!("tomorrow"), "effective_from: "),
            ("/prices/USD/audio/amount", json!("1,5"), "prices.USD.audio.amount: "),
            ("/prices", json!({"DEM": {}}), "prices.DEM: "),
            ("/prices/USD", json!({"smell": {"amount": "1", "per": 1}}), "prices.USD.smell: "),
            (
                "/package_types/monthly_pro/minutes",
                json!("many"),
                "package_types.monthly_pro.minutes: ",
            ),
            (
                "/package_types/monthly_pro/ratios/audio",
                json!("0"),
                "package_types.monthly_pro.ratios.audio: ",
            ),
            (
                "/package_types/monthly_pro/prices/USD",
                json!("-"),
                "package_types.monthly_pro.prices.USD: ",
            ),
        ] {
            let mut wrong = good.clone();
            *wrong.pointer_mut(pointer).unwrap() = value;
            let wrong: CatalogContent = serde_json::from_value(wrong).unwrap();
            let error = wrong.draft().unwrap_err().to_string();
            assert!(error.starts_with(place), "{error}");
        }
    }
}
