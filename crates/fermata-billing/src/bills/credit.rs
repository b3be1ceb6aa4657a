//! Credit notes: part of a bill is given back, the bill stays as it is (P11, P14).

use crate::account::operator_only;
use crate::clause::ClauseId;
use crate::command::{Answer, Refusal};
use crate::id::{BillId, CreditNoteId};
use crate::journal::{Bill, CreditNote, LedgerAccount, PostingKind, Record, RecordKind};
use crate::ledger::{self, Posting};
use crate::money::Money;
use crate::payments::{check_amount, check_text, mixed_up};
use crate::state::{Item, ItemKey};
use crate::step::Step;

/// Gives `amount` of a bill back to the balance. All credit notes of a bill together never exceed it (P14).
///
/// # Errors
/// [`Refusal::NotYours`]; [`Refusal::Unknown`] if there is no such bill; [`Refusal::Invalid`] for the amount,
/// naming what is left of the bill, or the reason.
pub(crate) fn credit_note(
    step: &mut Step<'_>,
    bill: &BillId,
    amount: Money,
    reason: &str,
) -> Result<Answer, Refusal> {
    operator_only(step)?;
    check_amount("amount", amount)?;
    check_text("reason", reason)?;
    let issued = find(step, bill)?;
    let credited = match step.lookup(&ItemKey::Credited(bill.clone()))? {
        Some(Item::Credited(_, sum)) => sum,
        _ => Money::ZERO,
    };
    let left = issued.total.checked_sub(credited)?;
    if amount > left {
        let problem = format!(
            "{amount} is more than the {left} that are left of bill {bill}; up to that is allowed"
        );
        return Err(Refusal::invalid("amount", problem));
    }
    step.put(Item::Credited(bill.clone(), credited.checked_add(amount)?));
    let account = step.account()?;
    let id = CreditNoteId::nth(&account, step.serial());
    let txn = ledger::post(
        step,
        Posting {
            kind: PostingKind::CreditNote,
            cause: ClauseId::P14,
            subject: id.as_str(),
            reverses: None,
            entries: vec![
                (LedgerAccount::Customer, amount.micros()),
                (LedgerAccount::Revenue, amount.checked_neg()?.micros()),
            ],
        },
    )?;
    let details = [
        ("credit_note", id.to_string()),
        ("bill", bill.to_string()),
        ("amount", amount.to_decimal(issued.currency)),
        ("reason", reason.to_owned()),
    ];
    let bill = bill.clone();
    let note = CreditNote { id, bill, amount, reason: reason.to_owned(), at: step.applied(), txn };
    step.record(ClauseId::P14, Record::CreditNote(note.clone()))?;
    step.audit(ClauseId::P14, "credit_note_issued", &details)?;
    Ok(Answer::CreditNote(note))
}

fn find(step: &Step<'_>, id: &BillId) -> Result<Bill, Refusal> {
    match step.env().reads.record(RecordKind::Bill, id.as_str())? {
        Some(Record::Bill(bill)) => Ok(bill),
        Some(other) => Err(mixed_up(&other, id.as_str())),
        None => Err(Refusal::unknown("bill", id)),
    }
}
