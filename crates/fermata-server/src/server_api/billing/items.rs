//! What an account paid for, read from its journal: lines of bills, packages, refunds and credit notes.
//!
//! What it is not: it computes no price. Amounts are those of the documents; only the share of vouchers in a bill
//! is spread over its lines, first line first, as vouchers are taken first.

use std::collections::BTreeMap;

use fermata_billing::calendar::YearMonth;
use fermata_billing::id::TxnId;
use fermata_billing::journal::{
    Bill, JournalRow, LedgerAccount, LedgerTransaction, PostingKind, Record, RecordKind,
};
use fermata_billing::money::{Currency, Money, Price};
use fermata_billing::state::Profile;
use fermata_store::Books;
use fermata_types::{SdkAppId, Sku};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, civil::Date};

use super::super::call::Call;
use super::super::fault::Fault;
use crate::limits::{SERVER_API_JOURNAL_PAGE, SERVER_API_JOURNAL_ROWS_MAX};
use crate::v1::call::books;

/// How long after a day its lines may still be billed: the late window, and a month's bill after it.
const BILLED_WITHIN: SignedDuration = SignedDuration::from_hours(75 * 24);

/// Postings of which items are made: what bills name, and what is an item by itself. Those of mere consumption are
/// left out, for a busy account has very many.
const POSTINGS: &[PostingKind] =
    &[PostingKind::Bill, PostingKind::Purchase, PostingKind::Refund, PostingKind::CreditNote];

/// Rows of the journal that are wanted: kinds, and postings of ledger transactions.
pub(super) type Wanted<'a> = (&'a [RecordKind], &'a [PostingKind]);

/// What an item is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Minutes on a daily bill.
    Daily,
    /// Minutes on a monthly bill.
    Monthly,
    /// A package was bought.
    Purchase,
    /// A package was given back.
    Refund,
    /// Part of a bill was given back.
    Credit,
}

impl Kind {
    /// `prePay` or `postPay`.
    pub(super) fn pay_mode(self) -> &'static str {
        match self {
            Self::Daily | Self::Monthly | Self::Credit => "postPay",
            Self::Purchase | Self::Refund => "prePay",
        }
    }

    /// The pay mode in words.
    pub(super) fn pay_mode_name(self) -> &'static str {
        if self.pay_mode() == "prePay" { "Prepaid package" } else { "Pay as you go" }
    }

    /// Code of the transaction type.
    pub(super) fn action_type(self) -> &'static str {
        match self {
            Self::Daily => "postpay_deduct_d",
            Self::Monthly => "postpay_deduct_m",
            Self::Purchase => "prepay_purchase",
            Self::Refund => "prepay_return",
            Self::Credit => "adjust",
        }
    }

    /// The transaction type in words.
    pub(super) fn action_type_name(self) -> &'static str {
        match self {
            Self::Daily => "Daily settlement",
            Self::Monthly => "Monthly settlement",
            Self::Purchase => "Purchase of a package",
            Self::Refund => "Refund of a package",
            Self::Credit => "Credit note",
        }
    }
}

/// Something that was paid, or given back.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// Unique in the account: the document, and the line on it.
    pub(super) id: String,
    /// What it is about.
    pub(super) kind: Kind,
    /// The document or package behind it.
    pub(super) document: String,
    /// The ledger transaction, if money moved.
    pub(super) txn: Option<TxnId>,
    /// The application, where there is one.
    pub(super) app: Option<SdkAppId>,
    /// The kind of minutes, for lines of bills.
    pub(super) sku: Option<Sku>,
    /// The civil day it is for.
    pub(super) day: Date,
    /// When it was paid.
    pub(super) paid_at: Timestamp,
    /// All minutes.
    pub(super) minutes: u64,
    /// Those that packages covered or nobody paid for.
    pub(super) deducted: u64,
    /// Those that were billed.
    pub(super) billed: u64,
    /// Their price.
    pub(super) price: Option<Price>,
    /// What it cost; below zero where money came back.
    pub(super) amount: Money,
    /// The part of it that vouchers paid.
    pub(super) vouchers: Money,
    /// The part of it that cash paid.
    pub(super) cash: Money,
}

/// The account, and its journal from some moment on.
#[derive(Debug)]
pub(super) struct Ledger {
    /// Its books.
    pub(super) books: Books,
    /// How it is run.
    pub(super) profile: Profile,
    /// The rows that were asked for, by number.
    pub(super) rows: Vec<JournalRow>,
}

impl Ledger {
    /// Its currency.
    pub(super) fn currency(&self) -> Currency {
        self.profile.currency
    }

    /// An amount as text, in units of the currency.
    pub(super) fn text(&self, amount: Money) -> String {
        amount.to_decimal(self.currency())
    }

    /// A moment as text, in the account's zone.
    pub(super) fn moment(&self, at: Timestamp) -> String {
        moment(&self.profile, at)
    }

    /// The civil day of a moment.
    pub(super) fn day(&self, at: Timestamp) -> Result<Date, Fault> {
        self.profile.calendar.day_of(at).map_err(|error| inside(&error))
    }

    /// All items, by time of payment and number.
    pub(super) fn items(&self) -> Result<Vec<Item>, Fault> {
        let txns: BTreeMap<&TxnId, &LedgerTransaction> = self
            .rows
            .iter()
            .filter_map(|row| {
                if let Record::Txn(txn) = &row.record { Some((&txn.id, txn)) } else { None }
            })
            .collect();
        let mut items = Vec::new();
        for row in &self.rows {
            match &row.record {
                Record::Bill(bill) => {
                    let txn = bill.txn.as_ref().and_then(|id| txns.get(id).copied());
                    lines(bill, txn, &mut items)?;
                }
                Record::Txn(txn) => items.extend(self.paid(txn)?),
                _ => {}
            }
        }
        Ok(items)
    }

    /// What a ledger transaction is as an item, if it is one by itself.
    fn paid(&self, txn: &LedgerTransaction) -> Result<Option<Item>, Fault> {
        let kind = match txn.kind {
            PostingKind::Purchase => Kind::Purchase,
            PostingKind::Refund => Kind::Refund,
            PostingKind::CreditNote => Kind::Credit,
            _ => return Ok(None),
        };
        let (cash, vouchers) = (
            negative(moved(txn, &LedgerAccount::Customer)?)?,
            negative(moved(txn, &LedgerAccount::Vouchers)?)?,
        );
        let package = self.books.state.packages.values().find(|p| p.id.as_str() == txn.subject);
        Ok(Some(Item {
            id: txn.id.to_string(),
            kind,
            document: txn.subject.clone(),
            txn: Some(txn.id.clone()),
            app: package.and_then(|package| package.app),
            sku: None,
            day: self.day(txn.booked_at)?,
            paid_at: txn.booked_at,
            minutes: 0,
            deducted: 0,
            billed: 0,
            price: None,
            amount: cash.checked_add(vouchers).map_err(|error| inside(&error))?,
            vouchers,
            cash,
        }))
    }
}

/// The lines of a bill; its vouchers go to its first lines.
fn lines(bill: &Bill, txn: Option<&LedgerTransaction>, items: &mut Vec<Item>) -> Result<(), Fault> {
    let mut vouchers = match txn {
        Some(txn) => negative(moved(txn, &LedgerAccount::Vouchers)?)?,
        None => Money::ZERO,
    };
    for (number, line) in (1..).zip(&bill.lines) {
        let part = vouchers.min(line.amount).max(Money::ZERO);
        vouchers = vouchers.checked_sub(part).map_err(|error| inside(&error))?;
        items.push(Item {
            id: format!("{}-{number}", bill.id),
            kind: if bill.month.is_some() { Kind::Monthly } else { Kind::Daily },
            document: bill.id.to_string(),
            txn: bill.txn.clone(),
            app: Some(line.key.app),
            sku: Some(line.key.sku),
            day: line.key.day,
            paid_at: bill.issued_at,
            minutes: line.minutes,
            deducted: line.minutes.saturating_sub(line.billed),
            billed: line.billed,
            price: Some(line.price),
            amount: line.amount,
            vouchers: part,
            cash: line.amount.checked_sub(part).map_err(|error| inside(&error))?,
        });
    }
    Ok(())
}

/// What a transaction moved on one ledger account.
pub(super) fn moved(txn: &LedgerTransaction, account: &LedgerAccount) -> Result<Money, Fault> {
    let amounts = txn.entries.iter().filter(|entry| entry.account == *account);
    Money::try_sum(amounts.map(|entry| Money::from_micros(entry.amount)))
        .map_err(|error| inside(&error))
}

fn negative(amount: Money) -> Result<Money, Fault> {
    amount.checked_neg().map_err(|error| inside(&error))
}

/// Something about the books cannot be worked out.
pub(super) fn inside(error: &dyn std::error::Error) -> Fault {
    tracing::error!(%error, "The books of an account could not be shown.");
    Fault::internal()
}

/// A moment as the vendor writes them, in the account's zone: `2026-01-31 08:00:00`.
pub(in crate::server_api) fn moment(profile: &Profile, at: Timestamp) -> String {
    let zone = profile
        .calendar
        .day_of(at)
        .ok()
        .and_then(|day| TimeZone::get(profile.calendar.zone_of(day)).ok());
    at.to_zoned(zone.unwrap_or(TimeZone::UTC)).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// Reads what of the account's journal was written in `from..until` (to the end if there is no end).
///
/// # Errors
/// `LimitExceeded` if that is more than one call may read.
pub(super) async fn read(
    call: &Call,
    wanted: Wanted<'_>,
    from: Timestamp,
    until: Option<Timestamp>,
) -> Result<Ledger, Fault> {
    let (books, profile) = books(&call.shared, &call.account).await?;
    let last = books.state.head.journal_seq;
    let mut after = before(call, wanted, from, last).await?;
    let mut rows = Vec::new();
    loop {
        let page = call
            .shared
            .store
            .journal(call.account.clone(), wanted.0, wanted.1, after, SERVER_API_JOURNAL_PAGE)
            .await?;
        let Some(end) = page.last().map(|row| row.seq) else { break };
        let whole = page.len() < usize::try_from(SERVER_API_JOURNAL_PAGE).unwrap_or(usize::MAX);
        let over =
            |row: &JournalRow| row.seq > last || until.is_some_and(|until| row.created_at >= until);
        let done = whole || page.last().is_some_and(over);
        rows.extend(page.into_iter().filter(|row| !over(row)));
        if rows.len() > SERVER_API_JOURNAL_ROWS_MAX {
            let message = format!(
                "The time asked for has more than {SERVER_API_JOURNAL_ROWS_MAX} bookings; ask for a shorter one."
            );
            return Err(Fault::new("LimitExceeded", message));
        }
        if done {
            break;
        }
        after = end;
    }
    Ok(Ledger { books, profile, rows })
}

/// A row number behind which every wanted row lies that was written at or after `from`: rows are written in the
/// order of account time, so the place is found by halving.
async fn before(
    call: &Call,
    (kinds, postings): Wanted<'_>,
    from: Timestamp,
    last: u64,
) -> Result<u64, Fault> {
    let (mut low, mut high) = (0, last);
    while low < high {
        let middle = low.midpoint(high);
        let store = &call.shared.store;
        let first = store.journal(call.account.clone(), kinds, postings, middle, 1).await?;
        match first.first() {
            // Everything up to this row is too early.
            Some(row) if row.created_at < from => low = row.seq.max(middle.saturating_add(1)),
            _ => high = middle,
        }
    }
    Ok(low)
}

/// The items of one civil month: those whose day, or with `paid` whose payment, lies in it.
pub(super) async fn of_month(
    call: &Call,
    month: YearMonth,
    paid: bool,
) -> Result<(Ledger, Vec<Item>), Fault> {
    let (_, profile) = books(&call.shared, &call.account).await?;
    let out = |error| {
        let _: fermata_billing::calendar::CalendarError = error;
        Fault::new("InvalidParameterValue", format!("Month: {month} cannot be looked up."))
    };
    let (from, to) = (
        profile.calendar.month_start(month).map_err(out)?,
        profile.calendar.month_end(month).map_err(out)?,
    );
    let until = to.saturating_add(BILLED_WITHIN).unwrap_or(Timestamp::MAX);
    let ledger = read(call, (&[RecordKind::Bill], POSTINGS), from, Some(until)).await?;
    let mut items = ledger.items()?;
    items.retain(|item| {
        if paid { (from..to).contains(&item.paid_at) } else { YearMonth::of(item.day) == month }
    });
    Ok((ledger, items))
}

#[cfg(test)]
mod tests {
    use fermata_billing::id::BillId;
    use fermata_billing::journal::{BillLine, Entry};
    use fermata_billing::state::DayKey;
    use jiff::civil::date;

    use super::*;

    #[test]
    fn p11_lines_add_up_to_their_bill_and_its_vouchers() {
        let line = |micros| BillLine {
            key: DayKey { day: date(2026, 1, 31), app: SdkAppId(7), sku: Sku::Audio },
            late: false,
            minutes: 10,
            covered: Vec::new(),
            billed: 8,
            absorbed: 2,
            catalog_version: 1,
            price: Price::new(Money::from_micros(990_000), 1_000).unwrap(),
            amount: Money::from_micros(micros),
        };
        let lines_of = |vouchers: i64| {
            let id = TxnId::from_text("TX_a_1");
            let bill = Bill {
                id: BillId::from_text("BL_a_1"),
                from_day: date(2026, 1, 31),
                to_day: date(2026, 1, 31),
                from: Timestamp::UNIX_EPOCH,
                to: Timestamp::UNIX_EPOCH,
                zone: "UTC".into(),
                month: None,
                issued_at: Timestamp::UNIX_EPOCH,
                currency: Currency::USD,
                lines: vec![line(3_000_000), line(0), line(5_000_000)],
                total: Money::from_micros(8_000_000),
                balance_before: Money::ZERO,
                balance_after: Money::ZERO,
                txn: Some(id.clone()),
            };
            let txn = LedgerTransaction {
                id,
                kind: PostingKind::Bill,
                booked_at: Timestamp::UNIX_EPOCH,
                created_at: Timestamp::UNIX_EPOCH,
                actor: "system".into(),
                subject: bill.id.to_string(),
                reverses: None,
                entries: vec![
                    Entry { account: LedgerAccount::Vouchers, amount: -vouchers },
                    Entry { account: LedgerAccount::Customer, amount: vouchers - 8_000_000 },
                    Entry { account: LedgerAccount::Revenue, amount: 8_000_000 },
                ],
            };
            let mut items = Vec::new();
            lines(&bill, Some(&txn), &mut items).unwrap();
            let split = |item: &Item| (item.vouchers.micros(), item.cash.micros());
            items.iter().map(split).collect::<Vec<_>>()
        };
        assert_eq!(lines_of(0), [(0, 3_000_000), (0, 0), (0, 5_000_000)]);
        assert_eq!(lines_of(4_000_000), [(3_000_000, 0), (0, 0), (1_000_000, 4_000_000)]);
        assert_eq!(lines_of(8_000_000), [(3_000_000, 0), (0, 0), (5_000_000, 0)]);
    }
}
