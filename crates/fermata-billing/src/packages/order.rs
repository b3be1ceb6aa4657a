//! Which packages pay for a minute, and in which order (billing P6).

use std::collections::{BTreeMap, HashMap};

use fermata_types::{SdkAppId, Sku};
use jiff::civil::Date;

use crate::catalog::{BurnKey, Catalog, PackageKind};
use crate::command::Refusal;
use crate::id::PackageId;
use crate::state::{Burn, DayKey, Package, PackageStatus, State};
use crate::units::{Ratio, Units, cover};

/// Has the package minutes left for `app` on `day`? The funding check asks this for today (T9, A7).
///
/// Minutes of some SKUs it may still not cover: those its type has no ratio for.
pub fn usable(package: &Package, day: Date, app: SdkAppId) -> bool {
    package.status == PackageStatus::Live
        && package.left.is_positive()
        && (package.from..=package.until).contains(&day)
        && covers(package, app)
}

fn covers(package: &Package, app: SdkAppId) -> bool {
    package.app.is_none_or(|own| own == app)
}

/// The live packages that pay for minutes of an application and SKU on a civil day, in the order in which
/// they are used up (billing P6), those used up already included.
///
/// # Errors
/// [`Refusal::NotOpen`]; [`Refusal::Corrupt`] if a package is of a type that the catalog never had;
/// [`Refusal::Calendar`] if its days are beyond the calendar.
pub fn burn_order(
    state: &State,
    catalog: &Catalog,
    day: Date,
    app: SdkAppId,
    sku: Sku,
) -> Result<Vec<PackageId>, Refusal> {
    let pool = Pool::new(state, catalog, |package| package.status == PackageStatus::Live)?;
    let key = DayKey { day, app, sku };
    Ok(pool.sources.iter().filter(|one| one.ratio(key).is_some()).map(Source::id).collect())
}

/// Packages in burning order, from which minutes are taken one use at a time.
///
/// The order is total and the same for every application and day, so it is found once for all.
#[derive(Debug)]
pub(crate) struct Pool<'a> {
    sources: Vec<Source<'a>>,
}

#[derive(Debug)]
struct Source<'a> {
    package: &'a Package,
    ratios: &'a BTreeMap<Sku, Ratio>,
    /// `settled` less what was taken so far.
    left: Units,
}

impl Source<'_> {
    fn id(&self) -> PackageId {
        self.package.id.clone()
    }

    /// What a minute takes; none if the package does not pay for it.
    fn ratio(&self, key: DayKey) -> Option<Ratio> {
        let package = self.package;
        let pays = (package.from..=package.until).contains(&key.day) && covers(package, key.app);
        if pays { self.ratios.get(&key.sku).copied() } else { None }
    }

    fn take(&mut self, ratio: Ratio, minutes: u64) -> Result<Option<Burn>, Refusal> {
        let (covered, units) = cover(self.left, ratio, minutes);
        if covered == 0 {
            return Ok(None);
        }
        self.left = self.left.checked_sub(units).map_err(|_| crate::ledger::overflow())?;
        Ok(Some(Burn { package: self.id(), minutes: covered, units }))
    }
}

impl<'a> Pool<'a> {
    /// The packages that `which` picks, each with what is settled.
    ///
    /// # Errors
    /// As [`burn_order`].
    pub(crate) fn new(
        state: &'a State,
        catalog: &'a Catalog,
        which: impl Fn(&Package) -> bool,
    ) -> Result<Self, Refusal> {
        let calendar = &state.profile.as_ref().ok_or(Refusal::NotOpen)?.calendar;
        let mut ordered = Vec::new();
        for package in state.packages.values().filter(|package| which(package)) {
            let kind = if package.free { PackageKind::Free } else { PackageKind::Pack };
            let expires = calendar.day_end(package.until)?;
            let (priority, created) = (package.priority, package.created_at);
            let key =
                BurnKey::new(kind, package.scope, expires, priority, created, package.id.clone());
            let ratios = ratios(package, catalog)?;
            ordered.push((key, Source { package, ratios, left: package.settled }));
        }
        ordered.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(Self { sources: ordered.into_iter().map(|(_, source)| source).collect() })
    }

    /// Covers as many of `minutes` as there are units for, in burning order.
    /// Answers what each package gave, and the minutes that none covers.
    ///
    /// # Errors
    /// [`Refusal::Money`] on overflow, which no package that the catalog allows can cause.
    pub(crate) fn take(&mut self, key: DayKey, minutes: u64) -> Result<(Vec<Burn>, u64), Refusal> {
        let mut rest = minutes;
        let mut burns = Vec::new();
        for source in &mut self.sources {
            if rest == 0 {
                break;
            }
            let Some(ratio) = source.ratio(key) else { continue };
            if let Some(burn) = source.take(ratio, rest)? {
                rest = rest.saturating_sub(burn.minutes);
                burns.push(burn);
            }
        }
        Ok((burns, rest))
    }

    /// Covers minutes only as they were covered before, for a time in which packages do not burn (A3):
    /// each burn is kept as far as there are minutes and units for it, and nothing new is covered.
    ///
    /// # Errors
    /// As [`Pool::take`].
    pub(crate) fn keep(
        &mut self,
        key: DayKey,
        before: &[Burn],
        minutes: u64,
    ) -> Result<(Vec<Burn>, u64), Refusal> {
        let mut rest = minutes;
        let mut burns = Vec::new();
        for old in before {
            let source = self.sources.iter_mut().find(|source| source.package.id == old.package);
            let Some(source) = source else { continue };
            let Some(ratio) = source.ratio(key) else { continue };
            if let Some(burn) = source.take(ratio, old.minutes.min(rest))? {
                rest = rest.saturating_sub(burn.minutes);
                burns.push(burn);
            }
        }
        Ok((burns, rest))
    }

    /// What each package has left.
    pub(crate) fn left(&self) -> HashMap<&'a PackageId, Units> {
        self.sources.iter().map(|source| (&source.package.id, source.left)).collect()
    }
}

/// What a minute takes from a package: by the catalog version it was sold by.
fn ratios<'a>(
    package: &Package,
    catalog: &'a Catalog,
) -> Result<&'a BTreeMap<Sku, Ratio>, Refusal> {
    let version = catalog.version(package.catalog_version);
    let found = version.and_then(|version| version.package_types.get(&package.type_code));
    found.map(|found| &found.ratios).ok_or_else(|| {
        let (id, code, version) = (&package.id, &package.type_code, package.catalog_version);
        Refusal::Corrupt(format!(
            "{id} is of type {code} of catalog version {version}, which is none"
        ))
    })
}
