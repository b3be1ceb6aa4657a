//! What the balance page shows.

use crate::catalog::Catalog;
use crate::command::Refusal;
use crate::journal::LedgerAccount;
use crate::money::{Currency, Money, Price};
use crate::state::State;
use crate::{ledger, standing};

/// The balance of an account, in parts (A4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BalanceView {
    /// Cash, vouchers and credit limit together; below zero is arrears.
    pub available: Money,
    /// The customer's own money; below zero it is a debt.
    pub cash: Money,
    /// What usable vouchers have left.
    pub vouchers: Money,
    /// How far cash may go below zero.
    pub credit_limit: Money,
    /// What was used and is on no bill yet; it is not part of `available`.
    pub unbilled: Money,
}

/// The balance as of now.
///
/// # Errors
/// [`Refusal::NotOpen`], [`Refusal::Money`] on overflow, [`Refusal::Catalog`] if a price is missing.
pub fn balance(state: &State, catalog: &Catalog) -> Result<BalanceView, Refusal> {
    let of = |account| Money::from_micros(state.balances.get(&account).copied().unwrap_or(0));
    let profile = state.profile.as_ref().ok_or(Refusal::NotOpen)?;
    Ok(BalanceView {
        available: standing::available(state).ok_or_else(ledger::overflow)?,
        cash: of(LedgerAccount::Customer),
        vouchers: of(LedgerAccount::Vouchers),
        credit_limit: profile.credit_limit,
        unbilled: unbilled(state, catalog)?,
    })
}

/// Minutes that will be billed in money and are on no bill yet, at their prices, to the micro-unit: those of
/// open days, and those of closed days that wait for their bill.
///
/// # Errors
/// [`Refusal::NotOpen`], [`Refusal::Money`] on overflow, [`Refusal::Catalog`] if a price is missing.
pub fn unbilled(state: &State, catalog: &Catalog) -> Result<Money, Refusal> {
    let currency = state.profile.as_ref().ok_or(Refusal::NotOpen)?.currency;
    let open = state.days.values().map(|day| (day.catalog_version, day.key.sku, day.billed));
    let waiting =
        state.pending.values().map(|line| (line.catalog_version, line.key.key.sku, line.billed));
    let mut sum = Money::ZERO;
    for (version, sku, billed) in open.chain(waiting).filter(|(_, _, billed)| *billed > 0) {
        let cost = price_of(catalog, version, currency, sku)?.charge_exact(billed)?;
        sum = sum.checked_add(cost)?;
    }
    Ok(sum)
}

/// The price of a SKU by the version that was in force on its day (P16).
pub(super) fn price_of(
    catalog: &Catalog,
    version: u32,
    currency: Currency,
    sku: fermata_types::Sku,
) -> Result<Price, Refusal> {
    let version = catalog
        .version(version)
        .ok_or_else(|| Refusal::Corrupt(format!("there is no version {version} of the catalog")))?;
    Ok(version.price(currency, sku)?)
}
