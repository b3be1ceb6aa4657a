//! `DescribeVoucherInfo`: the vouchers that were given, and what they have left.

use std::collections::BTreeSet;

use fermata_billing::journal::{PostingKind, Record, RecordKind, VoucherGranted};
use fermata_billing::money::Money;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::call::{Answer, Call};
use super::super::fault::Fault;
use super::items::{Ledger, Wanted, read};
use super::{object, uin};

/// The vendor's unit of these amounts: 100,000,000 of it are one unit of the currency, ours has 1,000,000.
const PER_MICRO: i64 = 100;
/// Rows of a page when the request says nothing.
const LIMIT: i64 = 20;
/// Most rows of one page.
const LIMIT_MAX: i64 = 1_000;

/// A voucher as it is now.
struct Shown<'a> {
    given: &'a VoucherGranted,
    created_at: Timestamp,
    left: Money,
    /// `unUsed`, `used` or `overdue`.
    status: &'static str,
}

/// Answers `DescribeVoucherInfo`, latest first. `Offset` is a page, counted from 1.
pub(in crate::server_api) async fn voucher_info(call: &Call) -> Answer {
    let wanted: Wanted<'_> = (&[RecordKind::Voucher], &[PostingKind::VoucherExpiry]);
    let ledger = read(call, wanted, Timestamp::MIN, None).await?;
    let mut rows = vouchers(&ledger);
    let is = |name: &str, own: &str| {
        call.text(name).is_none_or(|given| given.is_empty() || given == own)
    };
    rows.retain(|row| is("Status", row.status) && is("VoucherId", row.given.id.as_str()));
    let total: i64 = rows.iter().map(|row| micro(row.left)).fold(0, i64::saturating_add);
    let count = rows.len();
    let number = |name: &str, otherwise: i64, max: i64| match call.number(name) {
        None => Ok(otherwise),
        Some(given) if (1..=max).contains(&given) => Ok(given),
        Some(given) => Err(Fault::new(
            "InvalidParameterValue",
            format!("{name}: {given}; it takes 1 to {max}."),
        )),
    };
    let (limit, page) = (number("Limit", LIMIT, LIMIT_MAX)?, number("Offset", 1, 1_000_000)?);
    let count_of = |of: i64| usize::try_from(of).unwrap_or(usize::MAX);
    let skipped = count_of(page - 1).saturating_mul(count_of(limit));
    let owner = uin(&call.account).to_string();
    let infos: Vec<Value> = rows
        .iter()
        .skip(skipped)
        .take(count_of(limit))
        .map(|row| shown(&ledger, row, &owner))
        .collect();
    object(
        json!({"TotalCount": count, "TotalBalance": total, "VoucherInfos": infos, "Unit": "micro"}),
    )
}

fn vouchers(ledger: &Ledger) -> Vec<Shown<'_>> {
    let ended: BTreeSet<&str> = ledger
        .rows
        .iter()
        .filter_map(|row| match &row.record {
            Record::Txn(txn) if txn.kind == PostingKind::VoucherExpiry => {
                Some(txn.subject.as_str())
            }
            _ => None,
        })
        .collect();
    let mut rows: Vec<_> = ledger
        .rows
        .iter()
        .filter_map(|row| {
            let Record::Voucher(given) = &row.record else { return None };
            let live = ledger.books.state.vouchers.get(&given.id);
            let status = match live {
                Some(_) => "unUsed",
                None if ended.contains(given.id.as_str()) => "overdue",
                None => "used",
            };
            let left = live.map_or(Money::ZERO, |voucher| voucher.left);
            Some(Shown { given, created_at: row.at, left, status })
        })
        .collect();
    rows.reverse();
    rows
}

fn micro(amount: Money) -> i64 {
    amount.micros().saturating_mul(PER_MICRO)
}

/// One row, with every field of the model.
fn shown(ledger: &Ledger, row: &Shown<'_>, owner: &str) -> Value {
    json!({
        "OwnerUin": owner,
        "Status": row.status,
        "NominalValue": micro(row.given.amount),
        "Balance": micro(row.left),
        "VoucherId": row.given.id.to_string(),
        "PayMode": "*",
        "PayScene": "",
        "BeginTime": ledger.moment(row.created_at),
        "EndTime": ledger.moment(row.given.expires_at),
        "ApplicableProducts": {"GoodsName": "all products", "PayMode": "*"},
        "ExcludedProducts": [],
        "PolicyRemark": row.given.reason,
        "CreateTime": ledger.moment(row.created_at),
    })
}
