//! Making a bill out of lines that wait: prices, one debit, one document.

use jiff::civil::Date;

use super::balance::price_of;
use crate::calendar::YearMonth;
use crate::clause::ClauseId;
use crate::command::Refusal;
use crate::id::BillId;
use crate::journal::{Bill, BillLine, LedgerAccount, PostingKind, Record};
use crate::ledger::{self, Posting};
use crate::money::Money;
use crate::notice::{NoticeKey, NoticeKind};
use crate::state::{ItemKey, PendingLine};
use crate::step::Step;
use crate::{notices, payments};

/// The civil days a bill is for; its late lines may lie before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Period {
    pub(super) from_day: Date,
    /// Inclusive.
    pub(super) to_day: Date,
    pub(super) month: Option<YearMonth>,
}

/// Issues one bill of `lines`, takes its total with one debit and tells people (S6, T2, T3).
/// The posting judges the standing (T5).
///
/// # Errors
/// [`Refusal::Money`], [`Refusal::Catalog`], [`Refusal::Calendar`].
pub(super) fn issue(
    step: &mut Step<'_>,
    waiting: Vec<PendingLine>,
    period: Period,
) -> Result<(), Refusal> {
    let profile = step.profile()?;
    let currency = profile.currency;
    let zone = profile.calendar.zone_of(period.to_day).to_owned();
    let from = profile.calendar.day_start(period.from_day)?;
    let to = profile.calendar.day_end(period.to_day)?;
    let account = profile.account.clone();
    let cause = if period.month.is_some() { ClauseId::T3 } else { ClauseId::T2 };
    let mut lines = Vec::with_capacity(waiting.len());
    let (mut total, mut exact) = (Money::ZERO, Money::ZERO);
    for line in waiting {
        let sku = line.key.key.sku;
        let price = price_of(step.env().catalog, line.catalog_version, currency, sku)?;
        let amount = price.charge(line.billed, currency)?;
        total = total.checked_add(amount)?;
        exact = exact.checked_add(price.charge_exact(line.billed)?)?;
        step.remove(ItemKey::Pending(line.key));
        lines.push(BillLine {
            key: line.key.key,
            late: line.key.late,
            minutes: line.minutes,
            covered: line.burns,
            billed: line.billed,
            absorbed: line.absorbed,
            catalog_version: line.catalog_version,
            price,
            amount,
        });
    }
    let id = BillId::nth(&account, step.serial());
    let balance_before = balance(step)?;
    let balance_after = balance_before.checked_sub(total)?;
    notify(step, &id, period, total)?;
    let txn = if total.is_zero() {
        None
    } else {
        // The customer pays rounded lines, revenue is what the price list says to the micro-unit.
        let mut entries = payments::take(step, total)?;
        entries.push((LedgerAccount::Revenue, exact.micros()));
        entries.push((LedgerAccount::Rounding, total.checked_sub(exact)?.micros()));
        let kind = PostingKind::Bill;
        let subject = id.as_str();
        Some(ledger::post(step, Posting { kind, cause, subject, reverses: None, entries })?)
    };
    let bill = Bill {
        id,
        from_day: period.from_day,
        to_day: period.to_day,
        from,
        to,
        zone,
        month: period.month,
        issued_at: step.applied(),
        currency,
        lines,
        total,
        balance_before,
        balance_after,
        txn,
    };
    step.record(cause, Record::Bill(bill))
}

/// Customer balance and vouchers, without the credit limit.
fn balance(step: &Step<'_>) -> Result<Money, Refusal> {
    let of = |account| step.state().balances.get(&account).copied().unwrap_or(0);
    let (cash, vouchers) = (of(LedgerAccount::Customer), of(LedgerAccount::Vouchers));
    Ok(Money::from_micros(cash).checked_add(Money::from_micros(vouchers))?)
}

fn notify(step: &mut Step<'_>, id: &BillId, period: Period, total: Money) -> Result<(), Refusal> {
    let currency = step.profile()?.currency;
    let (from, to) = (period.from_day, period.to_day);
    let (of, clause) = match period.month {
        Some(month) => (format!("month {month}"), ClauseId::S5),
        None if from == to => (format!("day {to}"), ClauseId::S4),
        None => (format!("days {from} to {to}"), ClauseId::S4),
    };
    let amount = format!("{} {}", total.to_decimal(currency), currency.code());
    let key = NoticeKey { kind: NoticeKind::BillReady, of: id.to_string(), threshold: 0 };
    let title = format!("The bill of the {of} is ready: {amount}");
    let text = format!(
        "The bill {id} of the {of} comes to {amount}. It was taken from the balance, vouchers first. \
         The bill shows every deduction behind it."
    );
    notices::notify(step, key, title, text, &[clause, ClauseId::S6])
}
