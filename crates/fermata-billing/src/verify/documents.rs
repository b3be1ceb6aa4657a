//! What each document of the journal must agree with.

use super::pass::Pass;
use crate::journal::{
    Bill, BillLine, CreditNote, DayClosed, Payment, PaymentReversed, PostingKind, Refund,
    VoucherGranted,
};
use crate::money::Money;
use crate::state::DayUse;

pub(super) fn payment(pass: &mut Pass, payment: &Payment) {
    let name = format!("payment {}", payment.provider_ref);
    let amount = i128::from(payment.amount.micros());
    pass.backed(&name, &payment.txn, PostingKind::Payment, amount);
    let known = (payment.amount, payment.txn.clone());
    if pass.payments.insert(payment.provider_ref.clone(), known).is_some() {
        pass.found.add("P12 a reference is one payment", &name, "twice", "once");
    }
}

pub(super) fn reversal(pass: &mut Pass, reversal: &PaymentReversed) {
    let name = format!("reversal of payment {}", reversal.provider_ref);
    let Some((amount, txn)) = pass.payments.get(&reversal.provider_ref).cloned() else {
        pass.found.add("P13 what is reversed was paid", &name, "no such payment", "a payment");
        return;
    };
    let back = -i128::from(amount.micros());
    pass.backed(&name, &reversal.txn, PostingKind::PaymentReversal, back);
    let reverses = pass.txns.get(&reversal.txn).and_then(|posted| posted.reverses.clone());
    let stored = reverses.map_or_else(|| "none".to_owned(), |txn| txn.to_string());
    let what = "P13 a reversal names what it reverses";
    pass.found.same(what, &name, &stored, &txn.to_string());
    if !pass.reversed.insert(reversal.provider_ref.clone()) {
        pass.found.add("P12 a payment is reversed once", &name, "twice", "once");
    }
}

pub(super) fn bill(pass: &mut Pass, bill: &Bill) {
    let name = format!("bill {}", bill.id);
    for line in &bill.lines {
        bill_line(pass, bill, line, &name);
    }
    let computed: i128 = bill.lines.iter().map(|line| i128::from(line.amount.micros())).sum();
    let total = i128::from(bill.total.micros());
    pass.found.same("P8 a bill's total is the sum of its lines", &name, &total, &computed);
    let after = i128::from(bill.balance_before.micros()) - total;
    let stored_after = i128::from(bill.balance_after.micros());
    let what = "P15 balance before less total is balance after";
    pass.found.same(what, &name, &stored_after, &after);
    let what = "P15 balance after is what the postings leave";
    let customer = pass.customer();
    pass.found.same(what, &name, &stored_after, &customer);
    match &bill.txn {
        Some(txn) => pass.backed(&name, txn, PostingKind::Bill, -total),
        None => pass.found.same("P8 a bill without debit is of nothing", &name, &total, &0),
    }
    if bill.from_day > bill.to_day || pass.billed_until.is_some_and(|day| day >= bill.from_day) {
        let stored = format!("{} to {}", bill.from_day, bill.to_day);
        let until = pass.billed_until.map(|day| day.to_string()).unwrap_or_default();
        pass.found.add(
            "P9 periods of bills do not overlap",
            &name,
            stored,
            format!("after {until}"),
        );
    }
    pass.billed_until = pass.billed_until.max(Some(bill.to_day));
    if pass.bills.insert(bill.id.clone(), bill.total).is_some() {
        pass.found.add("an id is given once", &name, "twice", "once");
    }
}

fn bill_line(pass: &mut Pass, bill: &Bill, line: &BillLine, name: &str) {
    let key = &line.key;
    let late = if line.late { ", late" } else { "" };
    let name = format!("{name}, line {}/{}/{}{late}", key.day, key.app, key.sku.code());
    let covered: u128 = line.covered.iter().map(|burn| u128::from(burn.minutes)).sum();
    let parts = covered + u128::from(line.billed) + u128::from(line.absorbed);
    let what = "P4 minutes are covered, billed or absorbed";
    pass.found.same(what, &name, &u128::from(line.minutes), &parts);
    match line.price.charge(line.billed, bill.currency) {
        Ok(amount) => {
            let what = "P8 a line is its billed minutes at its price";
            pass.found.same(what, &name, &line.amount, &amount);
        }
        Err(problem) => pass.found.add("P18 a line can be computed", &name, line.amount, problem),
    }
    if !line.late && !pass.regular.insert(*key) {
        pass.found.add("P17 a use is on one bill", &name, "twice", "once");
    }
    let charged = pass.charged.entry(*key).or_default();
    charged.covered += covered;
    charged.billed += u128::from(line.billed);
    charged.absorbed += u128::from(line.absorbed);
}

pub(super) fn credit_note(pass: &mut Pass, note: &CreditNote) {
    let name = format!("credit note {}", note.id);
    let amount = i128::from(note.amount.micros());
    pass.backed(&name, &note.txn, PostingKind::CreditNote, amount);
    let Some(total) = pass.bills.get(&note.bill).copied() else {
        pass.found.add("P14 what is credited was billed", &name, &note.bill, "no such bill");
        return;
    };
    let sum = pass.credited.entry(note.bill.clone()).or_default();
    *sum += amount;
    if *sum > i128::from(total.micros()) {
        let stored = format!("{sum} of bill {}", note.bill);
        pass.found.add("P14 credits never exceed the bill", &name, stored, total.micros());
    }
}

pub(super) fn refund(pass: &mut Pass, refund: &Refund) {
    let name = format!("refund of {}", refund.package);
    pass.backed(&name, &refund.txn, PostingKind::Refund, i128::from(refund.amount.micros()));
}

pub(super) fn voucher(pass: &mut Pass, voucher: &VoucherGranted) {
    let name = format!("voucher {}", voucher.id);
    let amount = i128::from(voucher.amount.micros());
    pass.backed(&name, &voucher.txn, PostingKind::VoucherGrant, amount);
}

pub(super) fn day_closed(pass: &mut Pass, closed: &DayClosed) {
    let name = format!("closed day {}", closed.day);
    if pass.last_closed.is_some_and(|last| last >= closed.day) {
        let last = pass.last_closed.map(|day| day.to_string()).unwrap_or_default();
        pass.found.add("P10 a day is closed once, in order", &name, closed.day, last);
    }
    pass.last_closed = pass.last_closed.max(Some(closed.day));
    for one in &closed.uses {
        day_use(pass, one, &name);
    }
}

/// The minutes of a use and who pays for them (P4), as long as nothing came late.
pub(super) fn day_use(pass: &mut Pass, one: &DayUse, of: &str) {
    let key = &one.key;
    let covered: u128 = one.burns.iter().map(|burn| u128::from(burn.minutes)).sum();
    let parts = covered + u128::from(one.billed) + u128::from(one.absorbed);
    let name = format!("{of}, {}/{}/{}", key.day, key.app, key.sku.code());
    let what = "P4 minutes are covered, billed or absorbed";
    pass.found.same(what, name, &u128::from(one.minutes()), &parts);
}

/// For findings that compare money.
pub(super) fn micros(amount: Money) -> i128 {
    i128::from(amount.micros())
}
