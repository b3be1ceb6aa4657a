//! `DescribeBillList`: every movement of the balance, with the balance after it.

use std::collections::BTreeMap;

use fermata_billing::journal::{LedgerAccount, LedgerTransaction, PostingKind, Record, RecordKind};
use fermata_billing::money::Money;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::call::{Answer, Call};
use super::super::fault::Fault;
use super::items::{Ledger, inside, moved, read};
use super::{cents, object, page};
use crate::v1::call::books;

/// Most rows of one answer.
const LIMIT_MAX: usize = 1_000;
/// Longest time of one question: six months.
const SPAN_MAX: SignedDuration = SignedDuration::from_hours(184 * 24);

/// One movement.
struct Movement<'a> {
    txn: &'a LedgerTransaction,
    /// `recharge`, `deduct` or `return`.
    action: &'static str,
    /// Of cash and vouchers together; below zero it went out.
    amount: Money,
    /// Cash after it.
    cash: Money,
    /// Vouchers after it.
    vouchers: Money,
    /// The vendor's word for how it was taken.
    deducted: &'static str,
}

/// Answers `DescribeBillList`, oldest first.
pub(in crate::server_api) async fn bill_list(call: &Call) -> Answer {
    let (from, to) = span(call).await?;
    // Up to the end, because balances are worked out backwards from now.
    let ledger = read(call, (&[RecordKind::Bill], &moving()), from, None).await?;
    let mut rows = movements(&ledger)?;
    let zero = call.number("WithZeroAmount") == Some(1);
    let (kinds, modes) = (call.texts("PayType"), call.texts("SubPayType"));
    let among = |list: &[String], word: &str| {
        list.is_empty() || list.iter().any(|one| one == "all" || one == word)
    };
    rows.retain(|row| {
        (from..=to).contains(&row.txn.booked_at)
            && (zero || !row.amount.is_zero())
            && among(&kinds, row.action)
            && (row.action != "deduct" || among(&modes, row.deducted))
    });
    let currency = ledger.currency();
    let sum = |action: &str| {
        let of = rows.iter().filter(|row| row.action == action).map(|row| row.amount);
        Money::try_sum(of).map(|sum| cents(sum, currency).saturating_abs()).map_err(|e| inside(&e))
    };
    let (recharged, deducted, returned) = (sum("recharge")?, sum("deduct")?, sum("return")?);
    let total = rows.len();
    let rows: Vec<Value> =
        page(call, rows, LIMIT_MAX)?.iter().map(|row| shown(&ledger, row)).collect();
    object(json!({
        "TransactionList": rows,
        "Total": total,
        "ReturnAmount": returned,
        "RechargeAmount": recharged,
        "BlockAmount": 0,
        "UnblockAmount": 0,
        "DeductAmount": deducted,
        "AgentInAmount": 0,
        "AdvanceRechargeAmount": 0,
        "WithdrawAmount": 0,
        "AgentOutAmount": 0,
        "AdvancePayAmount": 0,
    }))
}

/// `StartTime` to `EndTime`, both inclusive, in the account's zone.
async fn span(call: &Call) -> Result<(Timestamp, Timestamp), Fault> {
    let (_, profile) = books(&call.shared, &call.account).await?;
    let read = |name: &str| -> Result<Timestamp, Fault> {
        let civil: DateTime = call.params.date_time(name)?;
        let zone = TimeZone::get(profile.calendar.zone_of(civil.date())).map_err(|e| inside(&e))?;
        civil.to_zoned(zone).map(|zoned| zoned.timestamp()).map_err(|_| {
            let message = format!("{name}: {civil} is outside of the account's calendar.");
            Fault::new("InvalidParameterValue", message)
        })
    };
    let (from, to) = (read("StartTime")?, read("EndTime")?);
    if to < from || to.duration_since(from) > SPAN_MAX {
        let message = "EndTime: it must not be before StartTime, and at most six months after it.";
        return Err(Fault::new("InvalidParameterValue", message));
    }
    Ok((from, to))
}

/// Postings that may move cash or vouchers; the others need not be read.
fn moving() -> Vec<PostingKind> {
    let moves = |kind: &PostingKind| {
        kind.allows(&LedgerAccount::Customer) || kind.allows(&LedgerAccount::Vouchers)
    };
    PostingKind::ALL.iter().copied().filter(moves).collect()
}

/// Every transaction that moved cash or vouchers, oldest first.
fn movements(ledger: &Ledger) -> Result<Vec<Movement<'_>>, Fault> {
    let mut monthly = BTreeMap::new();
    for row in &ledger.rows {
        if let Record::Bill(bill) = &row.record {
            monthly.insert(bill.id.as_str(), bill.month.is_some());
        }
    }
    let of = |account| {
        Money::from_micros(ledger.books.state.balances.get(&account).copied().unwrap_or(0))
    };
    let (mut cash, mut vouchers) = (of(LedgerAccount::Customer), of(LedgerAccount::Vouchers));
    let mut movements = Vec::new();
    let less = |a: Money, b: Money| a.checked_sub(b).map_err(|error| inside(&error));
    for row in ledger.rows.iter().rev() {
        let Record::Txn(txn) = &row.record else { continue };
        let touched = |entry: &fermata_billing::journal::Entry| {
            matches!(entry.account, LedgerAccount::Customer | LedgerAccount::Vouchers)
        };
        if !txn.entries.iter().any(touched) {
            continue;
        }
        let by = (moved(txn, &LedgerAccount::Customer)?, moved(txn, &LedgerAccount::Vouchers)?);
        let amount = by.0.checked_add(by.1).map_err(|error| inside(&error))?;
        let (action, deducted) =
            words(txn.kind, amount, monthly.get(txn.subject.as_str()).copied());
        movements.push(Movement { txn, action, amount, cash, vouchers, deducted });
        (cash, vouchers) = (less(cash, by.0)?, less(vouchers, by.1)?);
    }
    movements.reverse();
    Ok(movements)
}

/// The vendor's words for a posting: what it is, and how it was taken.
fn words(kind: PostingKind, amount: Money, monthly: Option<bool>) -> (&'static str, &'static str) {
    match kind {
        PostingKind::Bill if monthly == Some(true) => ("deduct", "hourm"),
        PostingKind::Bill => ("deduct", "hourd"),
        PostingKind::Purchase => ("deduct", "trade"),
        PostingKind::Refund | PostingKind::CreditNote => ("return", ""),
        PostingKind::Payment | PostingKind::VoucherGrant => ("recharge", ""),
        _ if amount.is_negative() => ("deduct", "other"),
        _ => ("recharge", ""),
    }
}

/// What a posting is, in words.
fn sentence(kind: PostingKind) -> &'static str {
    match kind {
        PostingKind::Payment => "Payment",
        PostingKind::PaymentReversal => "Payment taken back",
        PostingKind::Bill => "Bill",
        PostingKind::Purchase => "Purchase of a package",
        PostingKind::Refund => "Refund of a package",
        PostingKind::VoucherGrant => "Voucher given",
        PostingKind::VoucherExpiry => "Voucher ended",
        PostingKind::CreditNote => "Credit note",
        PostingKind::Adjustment => "Correction",
        PostingKind::Grant
        | PostingKind::Consumption
        | PostingKind::Expiry
        | PostingKind::Reclaim
        | PostingKind::Absorption => "Booking",
    }
}

/// One row, with every field of the model.
fn shown(ledger: &Ledger, row: &Movement<'_>) -> Value {
    let cents = |amount: Money| cents(amount, ledger.currency());
    json!({
        "ActionType": row.action,
        "Amount": cents(row.amount),
        "Balance": cents(row.cash).saturating_add(cents(row.vouchers)),
        "BillId": row.txn.id.to_string(),
        "OperationInfo": format!("{} {}", sentence(row.txn.kind), row.txn.subject),
        "OperationTime": format!("{}.000", ledger.moment(row.txn.booked_at)),
        "Cash": cents(row.cash),
        "Incentive": cents(row.vouchers),
        "Freezing": 0,
        "PayChannel": "",
        "DeductMode": row.deducted,
    })
}
