//! Money in and out: payments, reversals, vouchers, corrections.
//!
//! What it is not: it judges no standing. Every posting does that by itself ([`crate::ledger`]).

use jiff::Timestamp;

use crate::account::{AMOUNT_MAX, operator_only};
use crate::clause::ClauseId;
use crate::command::{Answer, Refusal};
use crate::id::VoucherId;
use crate::journal::{
    LedgerAccount, Payment, PaymentReversed, PostingKind, Record, RecordKind, VoucherGranted,
};
use crate::ledger::{self, Posting};
use crate::limits::{PROVIDER_REF_LEN_MAX, TEXT_CHARS_MAX, VOUCHERS_LIVE_MAX};
use crate::money::Money;
use crate::notice::{NoticeKey, NoticeKind};
use crate::notices;
use crate::state::{Item, ItemKey, Voucher};
use crate::step::Step;
use crate::timer::TimerKind;
use crate::transition::Transition;

/// Takes `amount` (zero or more) from the customer: first from vouchers, earliest expiry first, then from the
/// balance, which may fall below zero. Answers the entries to post; vouchers that are used up are gone.
///
/// # Errors
/// [`Refusal::Money`] on overflow.
pub(crate) fn take(
    step: &mut Step<'_>,
    amount: Money,
) -> Result<Vec<(LedgerAccount, i64)>, Refusal> {
    let mut vouchers: Vec<_> = step.state().vouchers.values().cloned().collect();
    vouchers.sort_by(|a, b| (a.expires_at, &a.id).cmp(&(b.expires_at, &b.id)));
    let mut rest = amount;
    for mut voucher in vouchers {
        if !rest.is_positive() {
            break;
        }
        let part = rest.min(voucher.left);
        rest = rest.checked_sub(part)?;
        voucher.left = voucher.left.checked_sub(part)?;
        if voucher.left.is_positive() {
            step.put(Item::Voucher(voucher));
        } else {
            step.disarm(&TimerKind::VoucherExpiry(voucher.id.clone()));
            step.remove(ItemKey::Voucher(voucher.id));
        }
    }
    let from_vouchers = amount.checked_sub(rest)?;
    Ok(vec![
        (LedgerAccount::Vouchers, from_vouchers.checked_neg()?.micros()),
        (LedgerAccount::Customer, rest.checked_neg()?.micros()),
    ])
}

/// A payment came in (T7; T23 and T24 by standing). Idempotent on the provider's reference.
///
/// # Errors
/// [`Refusal::Invalid`] for amount or reference; [`Refusal::RefReused`] if the reference is booked with another
/// amount or in another account.
pub(crate) fn pay(
    step: &mut Step<'_>,
    amount: Money,
    provider_ref: &str,
) -> Result<Answer, Refusal> {
    check_amount("amount", amount)?;
    check_ref(provider_ref)?;
    if let Some(known) = find_payment(step, provider_ref)? {
        return if known.amount == amount {
            Ok(Answer::Payment(known))
        } else {
            Err(Refusal::RefReused { provider_ref: provider_ref.to_owned() })
        };
    }
    if step.env().reads.payment_elsewhere(provider_ref)? {
        return Err(Refusal::RefReused { provider_ref: provider_ref.to_owned() });
    }
    // After the point of no return it is booked against the debt and brings nothing back (A14, T24).
    let too_late = step.state().reclaim.is_irreversible();
    let cause = if too_late { ClauseId::T24 } else { ClauseId::T7 };
    let txn = ledger::post(
        step,
        Posting {
            kind: PostingKind::Payment,
            cause,
            subject: provider_ref,
            reverses: None,
            entries: vec![
                (LedgerAccount::CashClearing, amount.checked_neg()?.micros()),
                (LedgerAccount::Customer, amount.micros()),
            ],
        },
    )?;
    let payment =
        Payment { provider_ref: provider_ref.to_owned(), amount, at: step.applied(), txn };
    step.record(cause, Record::Payment(payment.clone()))?;
    if too_late {
        step.took(Transition::T24);
    }
    Ok(Answer::Payment(payment))
}

/// A payment was taken back, a chargeback (T27). Idempotent.
///
/// # Errors
/// [`Refusal::Unknown`] if there is no such payment; [`Refusal::Invalid`] for the reason.
pub(crate) fn reverse(
    step: &mut Step<'_>,
    provider_ref: &str,
    reason: &str,
) -> Result<Answer, Refusal> {
    check_ref(provider_ref)?;
    check_text("reason", reason)?;
    let payment = find_payment(step, provider_ref)?
        .ok_or_else(|| Refusal::unknown("payment", provider_ref))?;
    match step.env().reads.record(RecordKind::PaymentReversed, provider_ref)? {
        None => {}
        Some(Record::PaymentReversed(known)) => return Ok(Answer::PaymentReversed(known)),
        Some(other) => return Err(mixed_up(&other, provider_ref)),
    }
    let currency = step.profile()?.currency;
    let amount = payment.amount.to_decimal(currency);
    let key =
        NoticeKey { kind: NoticeKind::PaymentReversed, of: provider_ref.to_owned(), threshold: 0 };
    let title = format!("A payment of {amount} {} was taken back", currency.code());
    let text = format!(
        "The payment {provider_ref} of {amount} {} was taken back: {reason}. It is no longer part of the \
         balance. If the balance is below zero now, please recharge.",
        currency.code()
    );
    notices::notify(step, key, title, text, &[ClauseId::T27])?;
    step.took(Transition::T27);
    let txn = ledger::post(
        step,
        Posting {
            kind: PostingKind::PaymentReversal,
            cause: ClauseId::T27,
            subject: provider_ref,
            reverses: Some(payment.txn),
            entries: vec![
                (LedgerAccount::CashClearing, payment.amount.micros()),
                (LedgerAccount::Customer, payment.amount.checked_neg()?.micros()),
            ],
        },
    )?;
    let reversal = PaymentReversed {
        provider_ref: provider_ref.to_owned(),
        reason: reason.to_owned(),
        at: step.applied(),
        txn,
    };
    step.record(ClauseId::T27, Record::PaymentReversed(reversal.clone()))?;
    Ok(Answer::PaymentReversed(reversal))
}

fn find_payment(step: &Step<'_>, provider_ref: &str) -> Result<Option<Payment>, Refusal> {
    match step.env().reads.record(RecordKind::Payment, provider_ref)? {
        None => Ok(None),
        Some(Record::Payment(payment)) => Ok(Some(payment)),
        Some(other) => Err(mixed_up(&other, provider_ref)),
    }
}

/// Gives a voucher: money with an end, which counts as available (A4).
///
/// # Errors
/// [`Refusal::NotYours`], [`Refusal::Invalid`], [`Refusal::LimitReached`].
pub(crate) fn grant_voucher(
    step: &mut Step<'_>,
    amount: Money,
    expires_at: Timestamp,
    reason: &str,
) -> Result<Answer, Refusal> {
    operator_only(step)?;
    check_amount("amount", amount)?;
    check_text("reason", reason)?;
    if expires_at <= step.now() {
        let problem = format!("{expires_at} is over; later than {} is allowed", step.now());
        return Err(Refusal::invalid("expires_at", problem));
    }
    if step.state().vouchers.len() >= VOUCHERS_LIVE_MAX {
        return Err(Refusal::LimitReached { what: "vouchers", max: VOUCHERS_LIVE_MAX });
    }
    let account = step.account()?;
    let id = VoucherId::nth(&account, step.serial());
    step.put(Item::Voucher(Voucher {
        id: id.clone(),
        amount,
        left: amount,
        expires_at,
        reason: reason.to_owned(),
    }));
    step.arm(TimerKind::VoucherExpiry(id.clone()), expires_at);
    let txn = ledger::post(
        step,
        Posting {
            kind: PostingKind::VoucherGrant,
            cause: ClauseId::A4,
            subject: id.as_str(),
            reverses: None,
            entries: vec![
                (LedgerAccount::Vouchers, amount.micros()),
                (LedgerAccount::AbsorbedCost, amount.checked_neg()?.micros()),
            ],
        },
    )?;
    let granted = VoucherGranted { id, amount, expires_at, reason: reason.to_owned(), txn };
    step.record(ClauseId::A4, Record::Voucher(granted.clone()))?;
    Ok(Answer::Voucher(granted))
}

/// A voucher ends; what is left of it is gone.
///
/// # Errors
/// [`Refusal::Money`] on overflow.
pub(crate) fn expire_voucher(step: &mut Step<'_>, voucher: &VoucherId) -> Result<(), Refusal> {
    let Some(ended) = step.state().vouchers.get(voucher).cloned() else {
        return Ok(());
    };
    step.remove(ItemKey::Voucher(voucher.clone()));
    ledger::post(
        step,
        Posting {
            kind: PostingKind::VoucherExpiry,
            cause: ClauseId::A4,
            subject: voucher.as_str(),
            reverses: None,
            entries: vec![
                (LedgerAccount::Vouchers, ended.left.checked_neg()?.micros()),
                (LedgerAccount::AbsorbedCost, ended.left.micros()),
            ],
        },
    )?;
    Ok(())
}

/// An operator's correction of the balance, up or down (A22).
///
/// # Errors
/// [`Refusal::NotYours`], [`Refusal::Invalid`].
pub(crate) fn adjust(step: &mut Step<'_>, amount: Money, reason: &str) -> Result<Answer, Refusal> {
    operator_only(step)?;
    let size = if amount.is_negative() { amount.checked_neg()? } else { amount };
    if size.is_zero() || size > AMOUNT_MAX {
        let problem =
            format!("{amount} is not allowed; -{AMOUNT_MAX} to {AMOUNT_MAX} is, without 0");
        return Err(Refusal::invalid("amount", problem));
    }
    check_text("reason", reason)?;
    let txn = ledger::post(
        step,
        Posting {
            kind: PostingKind::Adjustment,
            cause: ClauseId::A22,
            subject: "adjustment",
            reverses: None,
            entries: vec![
                (LedgerAccount::Customer, amount.micros()),
                (LedgerAccount::AbsorbedCost, amount.checked_neg()?.micros()),
            ],
        },
    )?;
    let currency = step.profile()?.currency;
    let details = [
        ("amount", amount.to_decimal(currency)),
        ("reason", reason.to_owned()),
        ("txn", txn.to_string()),
    ];
    step.audit(ClauseId::A22, "balance_adjusted", &details)?;
    Ok(Answer::Done)
}

/// More than zero, and not beyond what one call may name.
///
/// # Errors
/// [`Refusal::Invalid`].
pub(crate) fn check_amount(field: &'static str, amount: Money) -> Result<(), Refusal> {
    if amount.is_positive() && amount <= AMOUNT_MAX {
        return Ok(());
    }
    let problem = format!("{amount} is not allowed; more than 0, up to {AMOUNT_MAX}, is");
    Err(Refusal::invalid(field, problem))
}

/// A reason for people: something, of bounded length, without control characters other than line breaks.
///
/// # Errors
/// [`Refusal::Invalid`].
pub(crate) fn check_text(field: &'static str, text: &str) -> Result<(), Refusal> {
    if text.trim().is_empty() {
        return Err(Refusal::invalid(field, "it is empty; a few words are needed"));
    }
    let characters = text.chars().take(TEXT_CHARS_MAX + 1).count();
    if characters > TEXT_CHARS_MAX {
        let problem = format!("it is too long; up to {TEXT_CHARS_MAX} characters are allowed");
        return Err(Refusal::invalid(field, problem));
    }
    if text.chars().any(|one| one.is_control() && one != '\n') {
        return Err(Refusal::invalid(field, "it has control characters; only text is allowed"));
    }
    Ok(())
}

fn check_ref(provider_ref: &str) -> Result<(), Refusal> {
    let printable = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    let length = provider_ref.len();
    if length == 0 || length > PROVIDER_REF_LEN_MAX || !provider_ref.bytes().all(printable) {
        let problem = format!(
            "1 to {PROVIDER_REF_LEN_MAX} printable ASCII characters are allowed, not {length} bytes of this"
        );
        return Err(Refusal::invalid("provider_ref", problem));
    }
    Ok(())
}

pub(crate) fn mixed_up(found: &Record, id: &str) -> Refusal {
    Refusal::Corrupt(format!("{id} names a {} where another record belongs", found.kind().code()))
}

#[cfg(test)]
mod tests;
