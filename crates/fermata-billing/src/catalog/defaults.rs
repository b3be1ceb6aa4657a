//! The catalog of a fresh installation: example prices in USD, which an operator edits.

use std::collections::BTreeMap;

use fermata_types::Sku;
use jiff::Timestamp;

use super::{CatalogVersion, PackageKind, PackageScope, PackageType, Validity};
use crate::money::{Currency, Money, Price};
use crate::units::{Ratio, THOUSANDTHS_PER_UNIT, Units};

/// Minutes the prices are for.
const PER: u32 = 1_000;

/// USD of so many minutes, in cents, for every SKU.
const CENTS: [(Sku, i64); 23] = [
    (Sku::Audio, 99),
    (Sku::VideoHd, 399),
    (Sku::VideoFhd, 899),
    (Sku::Video2k, 1599),
    (Sku::Video4k, 3599),
    (Sku::LiveAudienceAudio, 50),
    (Sku::LiveAudienceVideoHd, 200),
    (Sku::LiveAudienceVideoFhd, 450),
    (Sku::LiveAudienceVideo2k, 800),
    (Sku::LiveAudienceVideo4k, 1800),
    (Sku::RecordAudio, 149),
    (Sku::RecordVideoHd, 599),
    (Sku::RecordVideoFhd, 1349),
    (Sku::RecordVideo2k, 2399),
    (Sku::RecordVideo4k, 5399),
    (Sku::MixAudio, 199),
    (Sku::MixVideoHd, 599),
    (Sku::MixVideoFhd, 1399),
    (Sku::MixVideo2k, 2599),
    (Sku::MixVideo4k, 6999),
    (Sku::WebRecordHd, 1400),
    (Sku::WebRecordFhd, 2800),
    (Sku::Relay, 299),
];

/// Thousandths of a package minute that a minute in a room takes: (SKU, of free minutes, of paid ones).
/// The audience of live rooms takes half of a paid package. Minutes of tasks (recording, mixing, relay)
/// are not here: no package covers them, they always cost money.
const RATIOS: [(Sku, u32, u32); 10] = [
    (Sku::Audio, 1_000, 1_000),
    (Sku::VideoHd, 1_000, 4_000),
    (Sku::VideoFhd, 1_000, 9_000),
    (Sku::Video2k, 1_000, 16_000),
    (Sku::Video4k, 1_000, 36_000),
    (Sku::LiveAudienceAudio, 1_000, 500),
    (Sku::LiveAudienceVideoHd, 1_000, 2_000),
    (Sku::LiveAudienceVideoFhd, 1_000, 4_500),
    (Sku::LiveAudienceVideo2k, 1_000, 8_000),
    (Sku::LiveAudienceVideo4k, 1_000, 18_000),
];

/// Code, title, package minutes, USD and kind.
const PACKAGE_TYPES: [(&str, &str, i64, i64, PackageKind); 6] = [
    ("free_monthly", "Free minutes", 10_000, 0, PackageKind::Free),
    ("monthly_starter", "Monthly Starter", 50_000, 49, PackageKind::Monthly),
    ("monthly_standard", "Monthly Standard", 250_000, 229, PackageKind::Monthly),
    ("monthly_pro", "Monthly Pro", 1_000_000, 859, PackageKind::Monthly),
    ("minutes_25k", "25,000 minutes", 25_000, 24, PackageKind::Pack),
    ("minutes_250k", "250,000 minutes", 250_000, 227, PackageKind::Pack),
];

/// Days within which an unused monthly package is taken back.
const MONTHLY_REFUNDABLE_DAYS: u32 = 5;

pub(super) fn first_version() -> CatalogVersion {
    let price = |cents| Price { amount: usd_cents(cents), per: PER };
    let list = CENTS.iter().map(|(sku, cents)| (*sku, price(*cents))).collect();
    let types = PACKAGE_TYPES.iter().map(|(code, title, minutes, usd, kind)| {
        ((*code).to_owned(), package_type(code, title, *minutes, *usd, *kind))
    });
    CatalogVersion {
        version: 1,
        // Usage of any time that can be stored has a price.
        effective_from: Timestamp::UNIX_EPOCH,
        created_at: Timestamp::UNIX_EPOCH,
        actor: "fermata".to_owned(),
        prices: BTreeMap::from([(Currency::USD, list)]),
        package_types: types.collect(),
    }
}

fn package_type(code: &str, title: &str, minutes: i64, usd: i64, kind: PackageKind) -> PackageType {
    let free = kind == PackageKind::Free;
    // Every ratio of the list is in range; a test counts them.
    let ratio = |(sku, of_free, of_paid): &(Sku, u32, u32)| {
        Ratio::new(if free { *of_free } else { *of_paid }).ok().map(|ratio| (*sku, ratio))
    };
    let (scope, validity, refundable_days) = match kind {
        PackageKind::Free => (PackageScope::Account, Validity::CalendarMonth, 0),
        PackageKind::Monthly => (PackageScope::App, Validity::Month, MONTHLY_REFUNDABLE_DAYS),
        PackageKind::Pack => (PackageScope::Account, Validity::Years(1), 0),
    };
    PackageType {
        code: code.to_owned(),
        title: title.to_owned(),
        units: Units::from_thousandths(minutes * THOUSANDTHS_PER_UNIT),
        prices: BTreeMap::from([(Currency::USD, usd_cents(usd * 100))]),
        scope,
        validity,
        ratios: RATIOS.iter().filter_map(ratio).collect(),
        priority: 0,
        stackable: kind == PackageKind::Pack,
        refundable_days,
        kind,
    }
}

const fn usd_cents(cents: i64) -> Money {
    Money::from_micros(cents * 10_000)
}
