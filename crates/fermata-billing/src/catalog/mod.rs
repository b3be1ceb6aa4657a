//! What minutes cost and what packages are sold: the catalog, all versions of it.
//!
//! A version never changes once it is there. A new one is added, in force from an instant on that lies not
//! in the past, and what happens is priced by the version in force at the instant of the event, not at the
//! instant of the calculation (billing P16). So bills of the past can always be calculated again.
//!
//! What it is not: it rates nothing and burns nothing; it answers what the price, the ratio or the order
//! is. It holds no packages of customers, only the types they are made of.

mod check;
mod defaults;
mod error;
mod export;
mod fields;
mod import;
mod order;
mod version;

use std::collections::BTreeSet;

use fermata_types::Sku;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::limits::CATALOG_VERSIONS_MAX;
use crate::money::{Currency, Money, Price};

pub use error::CatalogError;
pub use export::to_toml;
pub use import::from_toml;
pub use order::BurnKey;
pub use version::{CatalogDraft, CatalogVersion, PackageKind, PackageScope, PackageType, Validity};

/// All versions of the catalog, oldest first, at least one.
///
/// As JSON it is the list of its versions; reading such a list back checks it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<CatalogVersion>", into = "Vec<CatalogVersion>")]
pub struct Catalog {
    /// Numbered from 1 without gap; `effective_from` strictly rises; never empty.
    versions: Vec<CatalogVersion>,
}

impl Catalog {
    /// The catalog of a fresh installation: one version, in force from 1970 on, prices in USD.
    pub fn default_catalog() -> Self {
        Self { versions: vec![defaults::first_version()] }
    }

    /// A catalog of versions that were stored.
    ///
    /// # Errors
    /// [`CatalogError::Disordered`] if there is none, a number is missing or the instants do not rise,
    /// [`CatalogError::TooManyVersions`], and whatever is wrong inside a version.
    pub fn from_versions(versions: Vec<CatalogVersion>) -> Result<Self, CatalogError> {
        if versions.is_empty() {
            return Err(CatalogError::Disordered { version: 1 });
        }
        if versions.len() > CATALOG_VERSIONS_MAX {
            return Err(CatalogError::TooManyVersions);
        }
        let mut last: Option<Timestamp> = None;
        for (number, version) in (1..).zip(&versions) {
            let rises = last.is_none_or(|last| last < version.effective_from);
            if version.version != number || !rises {
                return Err(CatalogError::Disordered { version: number });
            }
            last = Some(version.effective_from);
            check::actor(&version.actor)?;
            check::content(&version.prices, &version.package_types)?;
        }
        Ok(Self { versions })
    }

    /// Every version, oldest first.
    pub fn versions(&self) -> &[CatalogVersion] {
        &self.versions
    }

    /// The version with a number, counted from 1; whether it is in force does not matter.
    /// Packages keep the ratios of the version they were sold under, and find them so.
    pub fn version(&self, number: u32) -> Option<&CatalogVersion> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        self.versions.get(index)
    }

    /// The newest version; it may come into force only later.
    pub fn latest(&self) -> Option<&CatalogVersion> {
        self.versions.last()
    }

    /// The version in force at the instant of an event (billing P16).
    /// A version is in force from `effective_from` on, that instant included, until the next one is.
    ///
    /// # Errors
    /// [`CatalogError::NotInForce`] before the first version.
    pub fn version_at(&self, at: Timestamp) -> Result<&CatalogVersion, CatalogError> {
        let begun = self.versions.partition_point(|version| version.effective_from <= at);
        begun
            .checked_sub(1)
            .and_then(|index| self.versions.get(index))
            .ok_or(CatalogError::NotInForce { at })
    }

    /// The price of a SKU at the instant of an event, and the number of the version that says so.
    ///
    /// # Errors
    /// [`CatalogError::NotInForce`], [`CatalogError::NoPrice`].
    pub fn price(
        &self,
        at: Timestamp,
        currency: Currency,
        sku: Sku,
    ) -> Result<(u32, Price), CatalogError> {
        let version = self.version_at(at)?;
        Ok((version.version, version.price(currency, sku)?))
    }

    /// The package type of a code at an instant, and the number of the version that says so.
    ///
    /// # Errors
    /// [`CatalogError::NotInForce`], [`CatalogError::NoPackageType`].
    pub fn package_type(
        &self,
        at: Timestamp,
        code: &str,
    ) -> Result<(u32, &PackageType), CatalogError> {
        let version = self.version_at(at)?;
        Ok((version.version, version.package_type(code)?))
    }

    /// What a package of a type costs at an instant, and the number of the version that says so.
    ///
    /// # Errors
    /// [`CatalogError::NotInForce`], [`CatalogError::NoPackageType`], [`CatalogError::NoPackagePrice`].
    pub fn package_price(
        &self,
        at: Timestamp,
        currency: Currency,
        code: &str,
    ) -> Result<(u32, Money), CatalogError> {
        let (version, package_type) = self.package_type(at, code)?;
        Ok((version, package_type.price(currency)?))
    }

    /// The currencies an account may be opened in at an instant: those in which every SKU has a price.
    ///
    /// # Errors
    /// [`CatalogError::NotInForce`].
    pub fn currencies_at(&self, at: Timestamp) -> Result<BTreeSet<Currency>, CatalogError> {
        Ok(self.version_at(at)?.currencies())
    }

    /// This catalog and one version more, which is then [`Catalog::latest`]; nothing else changes.
    /// A draft that names no instant takes effect at `now`.
    ///
    /// # Errors
    /// [`CatalogError::InThePast`] or [`CatalogError::NotAfterLast`] for the instant it takes effect,
    /// [`CatalogError::TooManyVersions`], [`CatalogError::BadActor`],
    /// [`CatalogError::CurrencyWithdrawn`] if a currency that every SKU was priced in no longer is (there
    /// may be accounts in it), and whatever is wrong inside the draft.
    pub fn add(
        &self,
        draft: CatalogDraft,
        now: Timestamp,
        actor: &str,
    ) -> Result<Self, CatalogError> {
        if self.versions.len() >= CATALOG_VERSIONS_MAX {
            return Err(CatalogError::TooManyVersions);
        }
        let effective_from = draft.effective_from.unwrap_or(now);
        if effective_from < now {
            return Err(CatalogError::InThePast { effective_from, now });
        }
        check::actor(actor)?;
        check::addition(&draft.prices, &draft.package_types)?;
        let number = u32::try_from(self.versions.len())
            .ok()
            .and_then(|count| count.checked_add(1))
            .ok_or(CatalogError::TooManyVersions)?;
        let added = CatalogVersion {
            version: number,
            effective_from,
            created_at: now,
            actor: actor.to_owned(),
            prices: draft.prices,
            package_types: draft.package_types,
        };
        if let Some(last) = self.latest() {
            if effective_from <= last.effective_from {
                let last = last.effective_from;
                return Err(CatalogError::NotAfterLast { effective_from, last });
            }
            let kept = added.currencies();
            if let Some(currency) = last.currencies().into_iter().find(|one| !kept.contains(one)) {
                return Err(CatalogError::CurrencyWithdrawn { currency });
            }
        }
        let mut versions = self.versions.clone();
        versions.push(added);
        Ok(Self { versions })
    }
}

impl TryFrom<Vec<CatalogVersion>> for Catalog {
    type Error = CatalogError;

    fn try_from(versions: Vec<CatalogVersion>) -> Result<Self, CatalogError> {
        Self::from_versions(versions)
    }
}

impl From<Catalog> for Vec<CatalogVersion> {
    fn from(catalog: Catalog) -> Self {
        catalog.versions
    }
}

#[cfg(test)]
mod tests;
