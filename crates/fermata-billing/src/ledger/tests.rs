//! What a posting may do, and that what it may not leaves nothing behind.

use proptest::prelude::*;

use super::{Posting, post};
use crate::Env;
use crate::clause::ClauseId;
use crate::command::{Actor, Meta, Refusal};
use crate::id::PackageId;
use crate::journal::{LedgerAccount as A, LedgerUnit, PostingKind as K};
use crate::state::{BillingMode, State};
use crate::step::Step;
use crate::testing::Bench;

const NOON: &str = "2026-11-23T12:00:00Z";

/// Posts on a copy of the account.
fn posted(bench: &Bench, kind: K, entries: &[(A, i64)]) -> Result<State, Refusal> {
    let mut state = bench.state.clone();
    let meta = Meta { now: bench.now, applied: bench.now, actor: Actor::system() };
    let (catalog, policy) = (&bench.catalog, &bench.policy);
    let env = Env { catalog, policy, reclaim_on: true, reads: &bench.history };
    let entries = entries.to_vec();
    let (cause, subject, reverses) = (ClauseId::A22, "test", None);
    let mut step = Step::new(&mut state, &meta, env);
    post(&mut step, Posting { kind, cause, subject, reverses, entries })?;
    drop(step);
    Ok(state)
}

fn package() -> A {
    A::Package(PackageId::from_text("PK_x_1"))
}

/// Every account, with packages as one.
fn accounts() -> Vec<A> {
    vec![
        A::CashClearing,
        A::Customer,
        A::Vouchers,
        A::DeferredRevenue,
        A::Revenue,
        A::Tax,
        A::Rounding,
        A::Breakage,
        A::AbsorbedCost,
        A::BadDebt,
        A::UnitsIssued,
        package(),
        A::UnitsConsumed,
        A::UnitsExpired,
        A::UnitsReclaimed,
        A::UnitsRefunded,
    ]
}

#[test]
fn each_kind_of_posting_keeps_to_its_accounts() {
    let rows = [
        (K::Payment, "cash_clearing customer"),
        (K::PaymentReversal, "cash_clearing customer"),
        (K::Bill, "customer vouchers revenue tax rounding"),
        (K::Purchase, "customer vouchers deferred_revenue units_issued package:PK_x_1"),
        (K::Grant, "units_issued package:PK_x_1"),
        (K::Refund, "customer deferred_revenue revenue package:PK_x_1 units_refunded"),
        (
            K::Consumption,
            "deferred_revenue revenue breakage package:PK_x_1 units_consumed units_expired",
        ),
        (K::Expiry, "deferred_revenue breakage package:PK_x_1 units_expired"),
        (K::Reclaim, "deferred_revenue breakage package:PK_x_1 units_reclaimed"),
        (K::VoucherGrant, "vouchers absorbed_cost"),
        (K::VoucherExpiry, "vouchers absorbed_cost"),
        (K::CreditNote, "customer revenue"),
        (K::Adjustment, "customer absorbed_cost bad_debt"),
        (K::Absorption, "revenue absorbed_cost"),
    ];
    for (kind, expected) in rows {
        let allowed: Vec<_> =
            accounts().iter().filter(|one| kind.allows(one)).map(A::code).collect();
        assert_eq!(allowed.join(" "), expected, "{kind:?}");
    }
}

#[test]
fn p1_what_does_not_balance_is_refused() {
    type Row<'a> = (K, &'a [(A, i64)], &'a str);
    let bench = Bench::open(NOON, BillingMode::Daily);
    let rows: [Row<'_>; 5] = [
        (K::Payment, &[(A::CashClearing, -5), (A::Customer, 6)], "out of balance by 1"),
        (K::Payment, &[(A::Customer, 6)], "out of balance by 6"),
        // Money and minutes balance each by itself.
        (K::Purchase, &[(A::Customer, -5), (package(), 5)], "out of balance by -5"),
        (K::Payment, &[(A::Revenue, -5), (A::Customer, 5)], "may not touch revenue"),
        (K::Grant, &[(A::UnitsIssued, 5), (package(), -5)], "below zero"),
    ];
    for (kind, entries, expected) in rows {
        let refused = posted(&bench, kind, entries).expect_err("refused");
        let text = refused.to_string();
        assert!(matches!(refused, Refusal::Corrupt(_)) && text.contains(expected), "{text}");
    }
}

#[test]
fn p3_vouchers_are_never_below_zero_but_a_customer_may_be() {
    let bench = Bench::open(NOON, BillingMode::Daily);
    let entries = [(A::Vouchers, -1), (A::AbsorbedCost, 1)];
    let refused = posted(&bench, K::VoucherExpiry, &entries).expect_err("refused");
    assert!(refused.to_string().contains("vouchers would fall below zero"), "{refused}");
    let entries = [(A::Customer, -1), (A::AbsorbedCost, 1)];
    let state = posted(&bench, K::Adjustment, &entries).expect("a debt");
    assert!(state.episode.is_some(), "every posting evaluates");
}

#[test]
fn p18_sums_that_do_not_fit_are_refused() {
    let bench = Bench::open(NOON, BillingMode::Daily);
    let most = [(A::Customer, i64::MAX), (A::CashClearing, -i64::MAX)];
    let state = posted(&bench, K::Payment, &most).expect("fits");
    let full = Bench { state, ..bench };
    let more = [(A::Customer, 1), (A::CashClearing, -1)];
    assert!(matches!(posted(&full, K::Payment, &more), Err(Refusal::Money(_))));
    let wrapped = [(A::Customer, i64::MAX), (A::Customer, i64::MAX), (A::CashClearing, 2)];
    assert!(matches!(posted(&full, K::Payment, &wrapped), Err(Refusal::Corrupt(_))));
}

#[test]
fn entries_of_nothing_are_left_out() {
    let bench = Bench::open(NOON, BillingMode::Daily);
    let entries = [(A::Customer, 5), (A::CashClearing, -5), (A::Customer, 0)];
    let state = posted(&bench, K::Payment, &entries).expect("posted");
    assert_eq!(state.balances.get(&A::Customer), Some(&5));
    let entries = [(A::Vouchers, 0), (A::Customer, -3), (A::Revenue, 3), (A::Rounding, 0)];
    let state = posted(&bench, K::Bill, &entries).expect("posted");
    assert!(
        !state.balances.contains_key(&A::Vouchers) && !state.balances.contains_key(&A::Rounding)
    );
}

proptest! {
    /// Whatever is posted, balances of a unit sum to zero (P2) and packages and vouchers are not below (P3), or
    /// it is refused.
    #[test]
    fn p1_p2_p3_random_postings_keep_the_books(
        kind in prop::sample::select(vec![
            K::Payment, K::Bill, K::Purchase, K::Grant, K::Consumption, K::VoucherGrant, K::Adjustment,
        ]),
        entries in prop::collection::vec((prop::sample::select(accounts()), -3_i64..4), 0..5),
        closing in any::<bool>(),
    ) {
        let bench = Bench::open(NOON, BillingMode::Daily);
        let mut entries = entries;
        if closing {
            // Half of them are made to balance, or hardly any would.
            for (unit, account) in
                [(LedgerUnit::Money, A::Customer), (LedgerUnit::Minutes, A::UnitsConsumed)]
            {
                let sum: i64 = entries.iter().filter(|one| one.0.unit() == unit).map(|one| one.1).sum();
                entries.push((account, -sum));
            }
        }
        if let Ok(state) = posted(&bench, kind, &entries) {
            for unit in [LedgerUnit::Money, LedgerUnit::Minutes] {
                let of_unit = state.balances.iter().filter(|(account, _)| account.unit() == unit);
                prop_assert_eq!(of_unit.map(|(_, amount)| *amount).sum::<i64>(), 0);
            }
            for (account, amount) in &state.balances {
                let may = !matches!(account, A::Package(_) | A::Vouchers);
                prop_assert!(may || *amount >= 0);
            }
        }
    }
}
