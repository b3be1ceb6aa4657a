//! `DescribeAccountBalance` and `DescribeAccountWarning`.

use fermata_billing::bills;
use fermata_billing::money::Money;
use fermata_billing::notice::NoticeKind;
use fermata_billing::state::BillingMode;
use serde_json::{Value, json};

use super::super::call::{Answer, Call};
use super::super::fault::Fault;
use super::{cents, object, uin};
use crate::v1::call::books;
use crate::v1::refusal;

/// Answers `DescribeAccountBalance`.
///
/// `Balance` and `RealBalance` are cash and vouchers less debts; `CreditBalance` and `RealCreditBalance` have the
/// credit limit on top, so below zero they mean arrears.
pub(in crate::server_api) async fn account_balance(call: &Call) -> Answer {
    let (books, profile) = books(&call.shared, &call.account).await?;
    let catalog = call.shared.store.catalog().await?;
    let balance = bills::balance(&books.state, &catalog)
        .map_err(|refused| Fault::from(refusal::told(refused, Some(profile.currency))))?;
    let cents = |amount: Money| cents(amount, profile.currency);
    let (cash, vouchers, credit) =
        (cents(balance.cash), cents(balance.vouchers), cents(balance.credit_limit));
    let real = cash.saturating_add(vouchers);
    let with_credit = cents(balance.available);
    object(json!({
        "Balance": real,
        "Uin": uin(&call.account),
        "RealBalance": real,
        "CashAccountBalance": cash.max(0),
        "IncomeIntoAccountBalance": 0,
        "PresentAccountBalance": vouchers,
        "FreezeAmount": 0,
        "OweAmount": cash.min(0).saturating_neg(),
        "IsAllowArrears": profile.billing != BillingMode::Off,
        "IsCreditLimited": credit > 0,
        "CreditAmount": credit,
        "CreditBalance": with_credit,
        "RealCreditBalance": with_credit,
        "TempCredit": 0,
        "TempAmountInfoList": [],
    }))
}

/// Answers `DescribeAccountWarning`: the highest balance below which somebody is told.
pub(in crate::server_api) async fn account_warning(call: &Call) -> Answer {
    let (books, profile) = books(&call.shared, &call.account).await?;
    let low = books.state.subscriptions.values().filter(|of| of.kind == NoticeKind::BalanceLow);
    let highest = low.filter_map(|of| of.below).max();
    let threshold = highest.map(|below| cents(below, profile.currency).to_string());
    object(json!({
        "Threshold": threshold.map_or(Value::Null, Value::from),
        "Open": if highest.is_some() { "1" } else { "0" },
    }))
}
