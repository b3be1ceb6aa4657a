//! The balance of an account, in parts (policy A4).

use axum::Json;
use axum::extract::State;
use fermata_billing::bills;
use fermata_billing::money::Currency;
use fermata_types::AccountId;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::call::books;
use super::error::{ApiError, ErrorBody};
use super::extract::UrlPath;
use super::{money, refusal};
use crate::server::Shared;

/// What an account has. Amounts are decimal numbers of its currency.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct BalanceView {
    /// Account time it is of, RFC 3339.
    pub now: String,
    /// ISO 4217 code.
    pub currency: String,
    /// Cash, vouchers and credit limit together. Below zero is arrears.
    pub available: String,
    /// The customer's own money; below zero it is a debt.
    pub cash: String,
    /// What usable vouchers have left.
    pub vouchers: String,
    /// How far cash may go below zero before arrears.
    pub credit_limit: String,
    /// What was used and is on no bill yet, to the micro-unit; not part of `available`.
    pub unbilled: String,
}

impl BalanceView {
    pub(super) fn new(balance: &bills::BalanceView, currency: Currency, now: Timestamp) -> Self {
        Self {
            now: now.to_string(),
            currency: currency.code().to_owned(),
            available: money::text(balance.available, currency),
            cash: money::text(balance.cash, currency),
            vouchers: money::text(balance.vouchers, currency),
            credit_limit: money::text(balance.credit_limit, currency),
            unbilled: money::text(balance.unbilled, currency),
        }
    }
}

/// Read the balance of an account
#[utoipa::path(get, path = "/accounts/{account}/balance", operation_id = "read_balance", tag = "balance",
    params(("account" = String, Path, description = "Account id")),
    responses((status = 200, body = BalanceView), (status = "4XX", body = ErrorBody)))]
pub async fn read(
    State(shared): State<Shared>,
    UrlPath(account): UrlPath<String>,
) -> Result<Json<BalanceView>, ApiError> {
    Ok(Json(of(&shared, &AccountId::from_text(&account)).await?))
}

/// The balance of an account as of now.
pub(super) async fn of(shared: &Shared, account: &AccountId) -> Result<BalanceView, ApiError> {
    let (books, profile) = books(shared, account).await?;
    let catalog = shared.store.catalog().await?;
    let balance = bills::balance(&books.state, &catalog)
        .map_err(|refused| refusal::told(refused, Some(profile.currency)))?;
    Ok(BalanceView::new(&balance, profile.currency, books.now))
}

#[cfg(test)]
mod tests {
    use fermata_billing::money::Money;

    use super::*;

    #[test]
    fn a4_amounts_are_decimal_numbers_of_the_currency() {
        let balance = bills::BalanceView {
            available: Money::from_micros(-1_500_000),
            cash: Money::from_micros(-26_500_000),
            vouchers: Money::ZERO,
            credit_limit: Money::from_micros(25_000_000),
            unbilled: Money::from_micros(3_990),
        };
        let view = BalanceView::new(&balance, Currency::USD, Timestamp::UNIX_EPOCH);
        assert_eq!(
            (&*view.available, &*view.cash, &*view.vouchers, &*view.credit_limit, &*view.unbilled),
            ("-1.50", "-26.50", "0.00", "25.00", "0.00399")
        );
        let yen = BalanceView::new(&balance, Currency::JPY, Timestamp::UNIX_EPOCH);
        assert_eq!((&*yen.credit_limit, &*yen.currency), ("25", "JPY"));
    }
}
