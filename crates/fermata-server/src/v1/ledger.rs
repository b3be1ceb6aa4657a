//! The ledger: every movement of money and package minutes of an account, as entries that sum to zero.

use axum::Json;
use axum::extract::State;
use fermata_billing::journal::{
    Entry, JournalRow, LedgerTransaction, LedgerUnit, Record, RecordKind,
};
use fermata_billing::money::{Currency, Money};
use fermata_billing::units::Units;
use fermata_types::AccountId;
use serde::Serialize;
use utoipa::ToSchema;

use super::accounts::Page;
use super::call::books;
use super::error::{ApiError, ErrorBody};
use super::extract::{UrlPath, UrlQuery};
use super::{journal, money};
use crate::server::Shared;

/// A ledger transaction: entries that sum to zero in money and in minutes. Never changed, only reversed.
#[derive(Debug, Serialize, ToSchema)]
pub struct LedgerTransactionView {
    /// Its row in the account's journal; rises.
    pub seq: u64,
    /// Its id, `TX_...`.
    pub id: String,
    /// Why money or minutes moved: `payment`, `bill`, `purchase`, ...
    pub kind: String,
    /// When it counts, RFC 3339, account time.
    pub booked_at: String,
    /// When it was written, RFC 3339, account time.
    pub created_at: String,
    /// Who caused it.
    pub actor: String,
    /// The clause or rule it follows from.
    pub cause: String,
    /// The document or fact behind it: a bill, a payment's reference, a package.
    pub subject: String,
    /// The transaction it takes back, or null.
    pub reverses: Option<String>,
    /// The entries.
    pub entries: Vec<LedgerEntryView>,
}

/// One side of a ledger transaction.
#[derive(Debug, Serialize, ToSchema)]
pub struct LedgerEntryView {
    /// Which ledger account: `customer`, `vouchers`, `revenue`, `package:PK_...`, ...
    pub account: String,
    /// What the amount counts: the currency's code, or `minutes` of packages.
    pub unit: &'static str,
    /// Decimal number; positive on `customer`, `vouchers` and packages is what the customer may use.
    pub amount: String,
}

impl LedgerEntryView {
    fn new(entry: &Entry, currency: Currency) -> Self {
        let (unit, amount) = match entry.account.unit() {
            LedgerUnit::Money => {
                (currency.code(), money::text(Money::from_micros(entry.amount), currency))
            }
            LedgerUnit::Minutes => ("minutes", Units::from_thousandths(entry.amount).to_string()),
        };
        Self { account: entry.account.code(), unit, amount }
    }
}

impl LedgerTransactionView {
    fn new(row: &JournalRow, txn: &LedgerTransaction, currency: Currency) -> Self {
        Self {
            seq: row.seq,
            id: txn.id.to_string(),
            kind: txn.kind.code().to_owned(),
            booked_at: txn.booked_at.to_string(),
            created_at: txn.created_at.to_string(),
            actor: txn.actor.clone(),
            cause: row.cause.to_string(),
            subject: txn.subject.clone(),
            reverses: txn.reverses.as_ref().map(ToString::to_string),
            entries: txn.entries.iter().map(|e| LedgerEntryView::new(e, currency)).collect(),
        }
    }
}

/// Ledger transactions, by row.
#[derive(Debug, Serialize, ToSchema)]
pub struct LedgerTransactions {
    /// This part of the list.
    pub items: Vec<LedgerTransactionView>,
    /// What to ask with `after` for the next part; null at the end.
    pub next: Option<String>,
}

/// List the ledger transactions of an account
#[utoipa::path(get, path = "/accounts/{account}/ledger", operation_id = "list_ledger", tag = "ledger",
    params(("account" = String, Path, description = "Account id"), Page),
    responses((status = 200, body = LedgerTransactions), (status = "4XX", body = ErrorBody)))]
pub async fn list(
    State(shared): State<Shared>,
    UrlPath(account): UrlPath<String>,
    UrlQuery(page): UrlQuery<Page>,
) -> Result<Json<LedgerTransactions>, ApiError> {
    let account = AccountId::from_text(&account);
    let (_, profile) = books(&shared, &account).await?;
    let currency = profile.currency;
    let part = journal::rows(&shared, &account, &[RecordKind::Txn], &page).await?;
    let items = part.rows.iter().filter_map(|row| {
        let Record::Txn(txn) = &row.record else { return None };
        Some(LedgerTransactionView::new(row, txn, currency))
    });
    Ok(Json(LedgerTransactions { items: items.collect(), next: part.next }))
}

#[cfg(test)]
mod tests {
    use fermata_billing::id::{PackageId, TxnId};
    use fermata_billing::journal::{LedgerAccount, PostingKind};
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;

    #[test]
    fn p1_entries_show_money_and_minutes_each_in_its_unit() {
        let entry = |account, amount| Entry { account, amount };
        let txn = LedgerTransaction {
            id: TxnId::from_text("TX_a_2"),
            kind: PostingKind::Purchase,
            booked_at: Timestamp::UNIX_EPOCH,
            created_at: Timestamp::UNIX_EPOCH,
            actor: "customer:TK_1".into(),
            subject: "PK_a_1".into(),
            reverses: None,
            entries: vec![
                entry(LedgerAccount::Customer, -49_000_000),
                entry(LedgerAccount::DeferredRevenue, 49_000_000),
                entry(LedgerAccount::UnitsIssued, -50_000_000),
                entry(LedgerAccount::Package(PackageId::from_text("PK_a_1")), 50_000_000),
            ],
        };
        let row = journal::tests::row(9, Record::Txn(txn.clone()));
        let view =
            serde_json::to_value(LedgerTransactionView::new(&row, &txn, Currency::USD)).unwrap();
        assert_eq!((&view["kind"], &view["seq"]), (&json!("purchase"), &json!(9)));
        assert_eq!(
            view["entries"],
            json!([
                {"account": "customer", "unit": "USD", "amount": "-49.00"},
                {"account": "deferred_revenue", "unit": "USD", "amount": "49.00"},
                {"account": "units_issued", "unit": "minutes", "amount": "-50000"},
                {"account": "package:PK_a_1", "unit": "minutes", "amount": "50000"},
            ])
        );
    }
}
