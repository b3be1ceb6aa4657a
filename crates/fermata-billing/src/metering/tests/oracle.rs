//! The allocation against an oracle that goes minute by minute and sorts naively (P4, P6).

use std::collections::BTreeMap;

use fermata_types::{AccountId, SdkAppId, Sku};
use jiff::{SignedDuration, civil::Date};
use proptest::prelude::*;

use crate::calendar::{Calendar, YearMonth};
use crate::catalog::{Catalog, PackageScope, Validity};
use crate::id::PackageId;
use crate::metering::allocate::{Plan, Terms, plan};
use crate::money::{Currency, Money};
use crate::state::{BillingMode, DayKey, DayUse, Package, PackageStatus, Profile, State};
use crate::testing::{APP, OTHER_APP, at, date};
use crate::units::Units;

const SKUS: [Sku; 5] =
    [Sku::Audio, Sku::VideoHd, Sku::Video4k, Sku::LiveAudienceVideoFhd, Sku::RecordAudio];
const TYPES: [(&str, PackageScope); 3] = [
    ("free_monthly", PackageScope::Account),
    ("monthly_starter", PackageScope::App),
    ("minutes_25k", PackageScope::Account),
];

fn day(offset: i64) -> Date {
    date("2026-11-20") + SignedDuration::from_hours(24 * offset)
}

fn app(other: bool) -> SdkAppId {
    if other { OTHER_APP } else { APP }
}

fn package() -> impl Strategy<Value = Package> {
    let numbers = (0..TYPES.len(), -2..3_i64, 0..4_i64, 0..2_i32, 0..3_i64, 0..90_000_i64);
    (numbers, any::<bool>(), 0..5_u8).prop_map(
        |((kind, from, days, priority, created, settled), other, status)| {
            let (code, scope) = TYPES[kind];
            let status = match status {
                0 => PackageStatus::Expired,
                1 => PackageStatus::Reclaimed,
                _ => PackageStatus::Live,
            };
            Package {
                id: PackageId::from_text("PK_later"),
                type_code: code.to_owned(),
                catalog_version: 1,
                scope,
                app: (scope == PackageScope::App).then(|| app(other)),
                free: code == "free_monthly",
                validity: Validity::Month,
                from: day(from),
                until: day(from + days),
                priority,
                created_at: at("2026-11-01T00:00:00Z") + SignedDuration::from_hours(created),
                price: Money::ZERO,
                units: Units::from_thousandths(100_000),
                settled: Units::from_thousandths(settled),
                left: Units::ZERO,
                status,
            }
        },
    )
}

fn use_of_day() -> impl Strategy<Value = DayUse> {
    (0..3_i64, any::<bool>(), 0..SKUS.len(), -60..6_000_i64, 0..20_u64, 0..20_u64).prop_map(
        |(offset, other, sku, seconds, billed_floor, absorbed_floor)| DayUse {
            key: DayKey { day: day(offset), app: app(other), sku: SKUS[sku] },
            seconds,
            burns: Vec::new(),
            billed: 0,
            absorbed: 0,
            billed_floor,
            absorbed_floor,
            catalog_version: 1,
        },
    )
}

fn state(packages: Vec<Package>, uses: Vec<DayUse>) -> State {
    let mut state = State {
        profile: Some(Profile {
            account: AccountId::from_text("AC_test"),
            currency: Currency::USD,
            calendar: Calendar::new("UTC").expect("a zone"),
            billing: BillingMode::Daily,
            sandbox: false,
            partner: None,
            credit_limit: Money::ZERO,
            reclaim_exempt: false,
            opened_at: at("2026-11-01T00:00:00Z"),
            open_day: day(0),
            open_month: YearMonth::of(day(0)),
            unbilled_from: day(0),
            free_month: None,
        }),
        ..State::default()
    };
    for (number, mut package) in packages.into_iter().enumerate() {
        package.id = PackageId::from_text(&format!("PK_{number}"));
        state.packages.insert(package.id.clone(), package);
    }
    for day in uses {
        state.days.insert(day.key, day);
    }
    state
}

/// The state with the plan carried out.
fn carried_out(mut state: State, plan: Plan) -> State {
    for day in plan.uses {
        state.days.insert(day.key, day);
    }
    for (id, left) in plan.left {
        state.packages.get_mut(&id).expect("is there").left = left;
    }
    state
}

/// Minutes and units by package, billed and absorbed minutes.
type Shares = (BTreeMap<PackageId, (u64, i64)>, u64, u64);

/// Whom each minute falls to, one after the other.
fn naive(
    state: &State,
    catalog: &Catalog,
    billed: bool,
) -> (BTreeMap<DayKey, Shares>, BTreeMap<PackageId, i64>) {
    let pays = |one: &Package| matches!(one.status, PackageStatus::Live | PackageStatus::Reclaimed);
    let mut left: BTreeMap<PackageId, i64> = state
        .packages
        .values()
        .filter(|one| pays(one))
        .map(|one| (one.id.clone(), one.settled.thousandths()))
        .collect();
    let mut shares = BTreeMap::new();
    let mut keys: Vec<&DayKey> = state.days.keys().collect();
    keys.sort_by_key(|key| (key.day, Sku::ALL.iter().position(|sku| *sku == key.sku), key.app));
    for key in keys {
        let day = &state.days[key];
        let mut share = (BTreeMap::<PackageId, (u64, i64)>::new(), 0, 0);
        for minute in 0..day.minutes() {
            if minute < day.absorbed_floor {
                share.2 += 1;
                continue;
            }
            if minute < day.absorbed_floor + day.billed_floor {
                share.1 += 1;
                continue;
            }
            let mut able: Vec<&Package> = state
                .packages
                .values()
                .filter(|one| left.get(&one.id).is_some_and(|left| *left > 0))
                .filter(|one| one.from <= key.day && key.day <= one.until)
                .filter(|one| one.app.is_none() || one.app == Some(key.app))
                .filter(|one| {
                    catalog.versions()[0].package_types[&one.type_code].ratio(key.sku).is_some()
                })
                .collect();
            able.sort_by(|a, b| {
                let wide = |one: &Package| one.scope == PackageScope::Account;
                (b.free.cmp(&a.free))
                    .then(wide(a).cmp(&wide(b)))
                    .then(a.until.cmp(&b.until))
                    .then(a.priority.cmp(&b.priority))
                    .then(a.created_at.cmp(&b.created_at))
                    .then(a.id.cmp(&b.id))
            });
            match able.first() {
                Some(package) => {
                    let ratio =
                        catalog.versions()[0].package_types[&package.type_code].ratio(key.sku);
                    let left = left.get_mut(&package.id).expect("is there");
                    let taken = i64::from(ratio.expect("filtered").thousandths()).min(*left);
                    *left -= taken;
                    let burn = share.0.entry(package.id.clone()).or_default();
                    *burn = (burn.0 + 1, burn.1 + taken);
                }
                None if billed => share.1 += 1,
                None => share.2 += 1,
            }
        }
        shares.insert(*key, share);
    }
    (shares, left)
}

proptest! {
    #[test]
    fn p6_packages_burn_as_an_oracle_does_minute_by_minute(
        packages in prop::collection::vec(package(), 0..7),
        uses in prop::collection::vec(use_of_day(), 0..10),
        billed in any::<bool>(),
    ) {
        let catalog = Catalog::default_catalog();
        let before = state(packages, uses);
        let terms = Terms { billed, paused: false };
        let after = carried_out(before.clone(), plan(&before, &catalog, terms).expect("a plan"));
        let (shares, left) = naive(&before, &catalog, billed);
        for (key, day) in &after.days {
            let burns = day.burns.iter();
            let burns = burns.map(|burn| (burn.package.clone(), (burn.minutes, burn.units.thousandths())));
            prop_assert_eq!(&(burns.collect(), day.billed, day.absorbed), &shares[key], "{:?}", key);
        }
        for (id, left) in left {
            prop_assert_eq!(after.packages[&id].left.thousandths(), left, "{}", id);
        }
    }

    #[test]
    fn p4_every_minute_falls_to_exactly_one_whatever_the_terms(
        packages in prop::collection::vec(package(), 0..7),
        uses in prop::collection::vec(use_of_day(), 0..10),
        terms in prop::collection::vec((any::<bool>(), any::<bool>(), -50..50_i64), 1..6),
    ) {
        let catalog = Catalog::default_catalog();
        let mut state = state(packages, uses);
        for (billed, paused, more) in terms {
            for day in state.days.values_mut() {
                day.seconds += more * 60;
            }
            let terms = Terms { billed, paused };
            let first = plan(&state, &catalog, terms).expect("a plan");
            state = carried_out(state, first);
            for day in state.days.values() {
                prop_assert_eq!(day.minutes(), day.covered() + day.billed + day.absorbed);
            }
            for package in state.packages.values() {
                prop_assert!(package.left >= Units::ZERO && package.left <= package.settled);
            }
            let again = plan(&state, &catalog, terms).expect("a plan");
            prop_assert_eq!(again, Plan::default(), "allocating twice changes nothing");
        }
    }
}
