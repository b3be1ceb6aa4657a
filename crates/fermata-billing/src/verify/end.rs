//! Held against the rows: what is stored as it is now.

use std::collections::BTreeMap;

use super::Disagreement;
use super::documents::{day_use, micros};
use super::pass::{Charged, Pass, hex};
use crate::id::{BillId, PackageId};
use crate::journal::{LedgerAccount, LedgerUnit};
use crate::money::Money;
use crate::state::{DayKey, DayUse, Package, PackageStatus, State};

pub(super) fn check(
    mut pass: Pass,
    state: &State,
    closed_days: impl Iterator<Item = DayUse>,
    credited: impl Iterator<Item = (BillId, Money)>,
) -> Vec<Disagreement> {
    head(&mut pass, state);
    balances(&mut pass, state);
    packages(&mut pass, state);
    for day in state.days.values() {
        day_use(&mut pass, day, "open day");
    }
    closed(&mut pass, state, closed_days);
    for (bill, stored) in credited {
        let computed = pass.credited.remove(&bill).unwrap_or(0);
        let name = format!("credited of bill {bill}");
        pass.found.same("P14 credits of a bill are summed up", name, &micros(stored), &computed);
    }
    for (bill, computed) in std::mem::take(&mut pass.credited) {
        let name = format!("credited of bill {bill}");
        pass.found.add("P14 credits of a bill are summed up", name, "none", computed);
    }
    pass.found.0
}

/// The counters of the head are those of the last row (P19).
fn head(pass: &mut Pass, state: &State) {
    let (seq, hash) = pass.head;
    pass.found.same("P19 the head counts the rows", "head", &state.head.journal_seq, &seq);
    let (stored, computed) = (hex(&state.head.journal_hash), hex(&hash));
    pass.found.same("P19 the head has the last hash", "head", &stored, &computed);
    if state.head.serial < pass.serial {
        let what = "an id is given once: the head counts the ids";
        pass.found.add(what, "head", state.head.serial, pass.serial);
    }
}

/// Cached balances are the sums of their entries (P8), and all of a unit sum to zero (P2).
fn balances(pass: &mut Pass, state: &State) {
    let mut sums = BTreeMap::new();
    for (account, computed) in std::mem::take(&mut pass.balances) {
        let stored = i128::from(state.balances.get(&account).copied().unwrap_or(0));
        let name = format!("balance {}", account.code());
        pass.found.same("P8 a balance is the sum of its entries", name, &stored, &computed);
    }
    for (account, stored) in &state.balances {
        *sums.entry(account.unit()).or_insert(0_i128) += i128::from(*stored);
    }
    for (unit, sum) in sums {
        let name = match unit {
            LedgerUnit::Money => "balances of money",
            LedgerUnit::Minutes => "balances of minutes",
        };
        pass.found.same("P2 balances of a unit sum to zero", name, &sum, &0);
    }
    let vouchers: i128 = state.vouchers.values().map(|voucher| micros(voucher.left)).sum();
    let stored = state.balances.get(&LedgerAccount::Vouchers).copied().unwrap_or(0);
    let what = "P8 vouchers have left what their balance says";
    pass.found.same(what, "vouchers", &vouchers, &i128::from(stored));
}

/// What packages have settled is what the ledger has, and what they have left is that less the open days (P3, P8).
fn packages(pass: &mut Pass, state: &State) {
    let mut open: BTreeMap<&PackageId, i128> = BTreeMap::new();
    for burn in state.days.values().flat_map(|day| &day.burns) {
        *open.entry(&burn.package).or_default() += i128::from(burn.units.thousandths());
    }
    for package in state.packages.values() {
        let burnt = open.remove(&package.id).unwrap_or(0);
        one_package(pass, state, package, burnt);
    }
    for (id, burnt) in open {
        pass.found.add("P8 what burns is there", format!("package {id}"), burnt, "no package");
    }
    for (account, stored) in &state.balances {
        if let LedgerAccount::Package(id) = account
            && *stored != 0
            && !state.packages.contains_key(id)
        {
            let what = "P8 what has a balance is there";
            pass.found.add(what, format!("package {id}"), stored, "no package");
        }
    }
}

fn one_package(pass: &mut Pass, state: &State, package: &Package, burnt: i128) {
    let name = format!("package {}", package.id);
    let ledger = LedgerAccount::Package(package.id.clone());
    let ledger = i128::from(state.balances.get(&ledger).copied().unwrap_or(0));
    let (settled, left) =
        (i128::from(package.settled.thousandths()), i128::from(package.left.thousandths()));
    // Of an expired package, what is settled is what has expired; the ledger has moved that on (T25).
    let in_ledger = if package.status == PackageStatus::Expired { 0 } else { settled };
    let what = "P8 a package has settled what the ledger has";
    pass.found.same(what, &name, &in_ledger, &ledger);
    let computed = match package.status {
        PackageStatus::Live | PackageStatus::Reclaimed => settled - burnt,
        PackageStatus::Expired | PackageStatus::Refunded => 0,
    };
    pass.found.same("P8 a package has left what is not burnt", &name, &left, &computed);
    let units = i128::from(package.units.thousandths());
    if left < 0 || settled < 0 || settled > units {
        let stored = format!("{left} left, {settled} settled");
        pass.found.add("P3 a package is between full and empty", &name, stored, units);
    }
}

/// What bills and waiting lines say of a use is what its closed day says (P11, P17).
fn closed(pass: &mut Pass, state: &State, closed_days: impl Iterator<Item = DayUse>) {
    for line in state.pending.values() {
        let charged = pass.charged.entry(line.key.key).or_default();
        charged.covered += line.burns.iter().map(|burn| u128::from(burn.minutes)).sum::<u128>();
        charged.billed += u128::from(line.billed);
        charged.absorbed += u128::from(line.absorbed);
    }
    let mut rest = std::mem::take(&mut pass.charged);
    for day in closed_days {
        let computed = rest.remove(&day.key).unwrap_or_default();
        let stored = Charged {
            covered: day.burns.iter().map(|burn| u128::from(burn.minutes)).sum(),
            billed: u128::from(day.billed),
            absorbed: u128::from(day.absorbed),
        };
        let what = "P17 each minute of a closed day is on one bill";
        let name = name_of(&day.key);
        pass.found.same(what, &name, &text(stored), &text(computed));
        // Minutes that were charged stay when a correction lowers the seconds; more than charged is a gap.
        let charged = stored.covered + stored.billed + stored.absorbed;
        if charged < u128::from(day.minutes()) {
            let what = "P4 all minutes of a closed day are charged";
            pass.found.add(what, &name, charged, day.minutes());
        }
    }
    for (key, charged) in rest {
        let what = "P17 what is billed was used";
        pass.found.add(what, name_of(&key), "no closed day", text(charged));
    }
}

fn name_of(key: &DayKey) -> String {
    format!("closed day {}/{}/{}", key.day, key.app, key.sku.code())
}

fn text(charged: Charged) -> String {
    let Charged { covered, billed, absorbed } = charged;
    format!("{covered} covered, {billed} billed, {absorbed} absorbed")
}
