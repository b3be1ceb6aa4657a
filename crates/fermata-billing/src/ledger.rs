//! Posting: the only way in which balances change, and therefore the place where standing is judged anew.
//!
//! Every posting to the customer's balance evaluates, whatever caused it (policy section 2, rule 2).

use crate::clause::ClauseId;
use crate::command::Refusal;
use crate::id::TxnId;
use crate::journal::{Entry, LedgerAccount, LedgerTransaction, LedgerUnit, PostingKind, Record};
use crate::money::Money;
use crate::standing;
use crate::state::Item;
use crate::step::Step;

impl PostingKind {
    /// May a transaction of this kind touch `account`?
    pub fn allows(self, account: &LedgerAccount) -> bool {
        use LedgerAccount as A;
        match self {
            Self::Payment | Self::PaymentReversal => {
                matches!(account, A::CashClearing | A::Customer)
            }
            Self::Bill => {
                matches!(account, A::Customer | A::Vouchers | A::Revenue | A::Tax | A::Rounding)
            }
            Self::Purchase => matches!(
                account,
                A::Customer | A::Vouchers | A::DeferredRevenue | A::UnitsIssued | A::Package(_)
            ),
            Self::Grant => matches!(account, A::UnitsIssued | A::Package(_)),
            Self::Refund => matches!(
                account,
                A::Customer | A::DeferredRevenue | A::Revenue | A::UnitsRefunded | A::Package(_)
            ),
            Self::Consumption => matches!(
                account,
                A::DeferredRevenue
                    | A::Revenue
                    | A::Breakage
                    | A::UnitsConsumed
                    | A::UnitsExpired
                    | A::Package(_)
            ),
            Self::Expiry => matches!(
                account,
                A::DeferredRevenue | A::Breakage | A::UnitsExpired | A::Package(_)
            ),
            Self::Reclaim => matches!(
                account,
                A::DeferredRevenue | A::Breakage | A::UnitsReclaimed | A::Package(_)
            ),
            Self::VoucherGrant | Self::VoucherExpiry => {
                matches!(account, A::Vouchers | A::AbsorbedCost)
            }
            Self::CreditNote => matches!(account, A::Customer | A::Revenue),
            Self::Adjustment => matches!(account, A::Customer | A::AbsorbedCost | A::BadDebt),
            Self::Absorption => matches!(account, A::AbsorbedCost | A::Revenue),
        }
    }
}

/// What a posting says beside its entries.
#[derive(Debug, Clone)]
pub(crate) struct Posting<'a> {
    pub(crate) kind: PostingKind,
    pub(crate) cause: ClauseId,
    /// The document or fact behind it.
    pub(crate) subject: &'a str,
    pub(crate) reverses: Option<TxnId>,
    /// Account and amount; zero amounts are left out.
    pub(crate) entries: Vec<(LedgerAccount, i64)>,
}

/// Posts a transaction; then judges the standing, if the customer's balance or vouchers moved.
///
/// # Errors
/// [`Refusal::Corrupt`] if the entries do not sum to zero per unit (P1), touch an account that the kind may
/// not touch, or would take a package or the vouchers below zero (P3); [`Refusal::Money`] on overflow (P18).
pub(crate) fn post(step: &mut Step<'_>, posting: Posting<'_>) -> Result<TxnId, Refusal> {
    let entries: Vec<Entry> = posting
        .entries
        .into_iter()
        .filter(|(_, amount)| *amount != 0)
        .map(|(account, amount)| Entry { account, amount })
        .collect();
    check(posting.kind, &entries)?;
    let before = available(step)?;
    let mut touches_customer = false;
    for entry in &entries {
        let old = step.state().balances.get(&entry.account).copied().unwrap_or(0);
        let new = old.checked_add(entry.amount).ok_or_else(overflow)?;
        let never_below =
            matches!(entry.account, LedgerAccount::Package(_) | LedgerAccount::Vouchers);
        if new < 0 && never_below {
            return Err(Refusal::Corrupt(format!(
                "{} would fall below zero",
                entry.account.code()
            )));
        }
        touches_customer |=
            matches!(entry.account, LedgerAccount::Customer | LedgerAccount::Vouchers);
        step.put(Item::Balance(entry.account.clone(), new));
    }
    let account = step.account()?;
    let id = TxnId::nth(&account, step.serial());
    let txn = LedgerTransaction {
        id: id.clone(),
        kind: posting.kind,
        booked_at: step.now(),
        created_at: step.applied(),
        actor: step.actor().text(),
        subject: posting.subject.to_owned(),
        reverses: posting.reverses,
        entries,
    };
    step.record(posting.cause, Record::Txn(txn))?;
    if touches_customer {
        standing::after_posting(step, before)?;
    }
    Ok(id)
}

fn check(kind: PostingKind, entries: &[Entry]) -> Result<(), Refusal> {
    for unit in [LedgerUnit::Money, LedgerUnit::Minutes] {
        let of_unit = entries.iter().filter(|entry| entry.account.unit() == unit);
        let sum = of_unit.map(|entry| i128::from(entry.amount)).sum::<i128>();
        if sum != 0 {
            return Err(Refusal::Corrupt(format!("a {kind:?} is out of balance by {sum}")));
        }
    }
    match entries.iter().find(|entry| !kind.allows(&entry.account)) {
        Some(entry) => {
            Err(Refusal::Corrupt(format!("a {kind:?} may not touch {}", entry.account.code())))
        }
        None => Ok(()),
    }
}

/// Cash, usable vouchers and credit limit, less debts (A4). Below zero is arrears.
///
/// # Errors
/// [`Refusal::NotOpen`], [`Refusal::Money`].
pub(crate) fn available(step: &Step<'_>) -> Result<Money, Refusal> {
    standing::available(step.state()).ok_or_else(overflow)
}

pub(crate) fn overflow() -> Refusal {
    Refusal::Money(crate::money::MoneyError::Overflow)
}

#[cfg(test)]
mod tests;
