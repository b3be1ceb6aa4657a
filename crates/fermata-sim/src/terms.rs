//! What the simulated world is run by: its price lists and the terms that its partners agree on.

use std::collections::BTreeMap;

use fermata_billing::catalog::{Catalog, CatalogDraft, PackageKind, PackageScope, Validity};
use fermata_billing::money::{Currency, Money, Price};
use fermata_billing::policy::Policy;
use fermata_billing::units::{Ratio, Units};
use fermata_types::Sku;
use jiff::{SignedDuration, Timestamp};

use crate::{Fallible, text};

/// SKUs that people use here; the last two are covered by no package.
pub(crate) const SKUS: &[Sku] = &[
    Sku::Audio,
    Sku::VideoHd,
    Sku::VideoFhd,
    Sku::LiveAudienceVideoHd,
    Sku::RecordVideoHd,
    Sku::Relay,
];
/// Types that can be bought, and whether one belongs to an application.
pub(crate) const TYPES: &[(&str, bool)] = &[
    ("monthly_starter", true),
    ("monthly_standard", true),
    ("monthly_pro", true),
    ("minutes_25k", false),
    ("minutes_250k", false),
    ("week", true),
];
/// Time zones of accounts: with and without clock changes, by the half hour, far in the east and west.
pub(crate) const ZONES: &[&str] = &[
    "UTC",
    "America/New_York",
    "Europe/Berlin",
    "Asia/Kolkata",
    "Pacific/Auckland",
    "America/Santiago",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "Africa/Cairo",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Pacific/Honolulu",
];

/// Partners there are; the last one's terms never change.
pub(crate) const PARTNERS: usize = 3;
/// Variants of [`policy`].
pub(crate) const VARIANTS: usize = 6;

/// Terms by number. Those of the partner whose terms never change are number [`VARIANTS`].
pub(crate) fn policy(variant: usize) -> Policy {
    let base = Policy::default();
    match variant {
        1 => Policy {
            grace_hours: 48,
            warn_hours: vec![24, 47],
            reclaim_after_hours: Some(70 * 24),
            ..base
        },
        2 => Policy { non_stop: true, partner_may_freeze: false, ..base },
        3 => Policy {
            grace_hours: 1,
            warn_hours: Vec::new(),
            reclaim_after_hours: Some(20 * 24),
            freeze_reclaims: true,
            partner_notified: true,
            ..base
        },
        4 => Policy { free_renewal_reopens: true, reclaim_after_hours: None, ..base },
        5 => Policy { grace_hours: 0, warn_hours: Vec::new(), ..base },
        VARIANTS => Policy { unfunded_billed: true, ..base },
        _ => base,
    }
}

/// Three versions: packages of hundreds of minutes, so that they end often; prices with awkward fractions.
pub(crate) fn catalog(start: Timestamp) -> Fallible<Catalog> {
    let mut catalog = Catalog::default_catalog();
    let latest = catalog.latest().ok_or("no catalog")?.draft();
    let begin = start.saturating_sub(SignedDuration::from_hours(24 * 40)).map_err(text)?;
    for (days, percent) in [(0_i64, 1_000_i64), (55, 1_117), (97, 939)] {
        let from = begin.saturating_add(SignedDuration::from_hours(days * 24)).map_err(text)?;
        let draft = draft(&latest, from, percent)?;
        catalog = catalog.add(draft, from, "simulator").map_err(text)?;
    }
    Ok(catalog)
}

fn draft(base: &CatalogDraft, from: Timestamp, percent: i64) -> Fallible<CatalogDraft> {
    let mut draft = base.clone();
    draft.effective_from = Some(from);
    for list in draft.prices.values_mut() {
        for (sku, price) in list.iter_mut() {
            let per = if *sku == Sku::Audio { 700 } else { price.per };
            let amount = Money::from_micros(price.amount.micros() * percent / 100);
            *price = Price::new(amount, per).map_err(text)?;
        }
    }
    for (code, minutes, cents) in [
        ("free_monthly", 1_500, 0),
        ("monthly_starter", 800, 490),
        ("monthly_standard", 3_000, 1_290),
        ("monthly_pro", 8_000, 2_999),
        ("minutes_25k", 500, 240),
        ("minutes_250k", 4_000, 1_607),
    ] {
        let one = draft.package_types.get_mut(code).ok_or("a type is missing")?;
        one.units = Units::from_minutes(minutes).map_err(text)?;
        one.prices = BTreeMap::from([(Currency::USD, Money::from_micros(cents * 10_000))]);
        if code == "minutes_25k" {
            one.validity = Validity::Days(40);
            one.priority = 3;
        }
        if percent > 1_100 && code != "free_monthly" {
            one.ratios.insert(Sku::VideoHd, Ratio::new(3_700).map_err(text)?);
        }
    }
    let mut week = draft.package_types.get("minutes_25k").ok_or("a type is missing")?.clone();
    (week.code, week.title) = ("week".to_owned(), "A week".to_owned());
    week.units = Units::from_thousandths(333_333);
    (week.kind, week.scope) = (PackageKind::Pack, PackageScope::App);
    (week.validity, week.stackable) = (Validity::Days(7), false);
    draft.package_types.insert(week.code.clone(), week);
    Ok(draft)
}
