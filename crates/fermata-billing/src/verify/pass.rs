//! The pass over the journal: chain, transactions, running balances.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use super::{Findings, documents};
use crate::chain;
use crate::id::{BillId, TxnId};
use crate::journal::{
    JournalRow, LedgerAccount, LedgerTransaction, LedgerUnit, PostingKind, Record,
};
use crate::money::Money;
use crate::state::DayKey;

/// What is kept of a transaction for the documents that name it.
#[derive(Debug, Clone)]
pub(super) struct Posted {
    pub(super) kind: PostingKind,
    pub(super) reverses: Option<TxnId>,
    /// What the customer has more by it: balance and vouchers.
    pub(super) customer: i128,
}

/// What bills say of one use, to be held against its closed day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Charged {
    pub(super) covered: u128,
    pub(super) billed: u128,
    pub(super) absorbed: u128,
}

/// Everything that the rows add up to so far.
#[derive(Debug, Default)]
pub(super) struct Pass {
    pub(super) found: Findings,
    pub(super) head: (u64, [u8; 32]),
    /// The largest number in an id of a transaction.
    pub(super) serial: u64,
    pub(super) balances: BTreeMap<LedgerAccount, i128>,
    pub(super) txns: BTreeMap<TxnId, Posted>,
    pub(super) payments: BTreeMap<String, (Money, TxnId)>,
    pub(super) reversed: BTreeSet<String>,
    pub(super) bills: BTreeMap<BillId, Money>,
    pub(super) credited: BTreeMap<BillId, i128>,
    pub(super) charged: BTreeMap<DayKey, Charged>,
    pub(super) regular: BTreeSet<DayKey>,
    pub(super) last_closed: Option<Date>,
    pub(super) billed_until: Option<Date>,
}

impl Pass {
    pub(super) fn row(&mut self, row: &JournalRow) {
        self.chain(row);
        match &row.record {
            Record::Txn(txn) => self.txn(txn),
            Record::Payment(payment) => documents::payment(self, payment),
            Record::PaymentReversed(reversal) => documents::reversal(self, reversal),
            Record::Bill(bill) => documents::bill(self, bill),
            Record::CreditNote(note) => documents::credit_note(self, note),
            Record::Refund(refund) => documents::refund(self, refund),
            Record::Voucher(voucher) => documents::voucher(self, voucher),
            Record::DayClosed(closed) => documents::day_closed(self, closed),
            Record::Audit(_) | Record::Notice(_) | Record::Receipt(_) | Record::Quarantined(_) => {}
        }
    }

    /// Each row follows the one before and is as it was written (P19, and with it P11).
    fn chain(&mut self, row: &JournalRow) {
        let name = format!("journal row {}", row.seq);
        let next = self.head.0.saturating_add(1);
        self.found.same("P19 rows are numbered without a gap", &name, &row.seq, &next);
        let (stored, computed) = (hex(&row.prev_hash), hex(&self.head.1));
        self.found.same("P19 a row names the hash of the one before", &name, &stored, &computed);
        let computed = chain::hash(row).map_or_else(|problem| problem, |hash| hex(&hash));
        self.found.same("P19 a row is as it was written", &name, &hex(&row.hash), &computed);
        // From what is stored, so that one changed row is one finding.
        self.head = (row.seq, row.hash);
    }

    fn txn(&mut self, txn: &LedgerTransaction) {
        let name = format!("txn {}", txn.id);
        for (unit, word) in [(LedgerUnit::Money, "money"), (LedgerUnit::Minutes, "minutes")] {
            let of_unit = txn.entries.iter().filter(|entry| entry.account.unit() == unit);
            let sum: i128 = of_unit.map(|entry| i128::from(entry.amount)).sum();
            if sum != 0 {
                self.found.add("P1 entries sum to zero", &name, format!("{sum} of {word}"), 0);
            }
        }
        let serial = txn.id.as_str().rsplit('_').next().and_then(|digits| digits.parse().ok());
        self.serial = self.serial.max(serial.unwrap_or(0));
        let mut customer = 0;
        for entry in &txn.entries {
            if !txn.kind.allows(&entry.account) {
                let account = entry.account.code();
                self.found.add("a kind of posting keeps to its accounts", &name, account, "none");
            }
            if matches!(entry.account, LedgerAccount::Customer | LedgerAccount::Vouchers) {
                customer += i128::from(entry.amount);
            }
            let balance = self.balances.entry(entry.account.clone()).or_default();
            *balance += i128::from(entry.amount);
            let never_below =
                matches!(entry.account, LedgerAccount::Package(_) | LedgerAccount::Vouchers);
            if never_below && *balance < 0 {
                let after = format!("{} at {balance}", entry.account.code());
                self.found.add("P3 packages and vouchers are never below zero", &name, after, 0);
            }
        }
        let posted = Posted { kind: txn.kind, reverses: txn.reverses.clone(), customer };
        if self.txns.insert(txn.id.clone(), posted).is_some() {
            self.found.add("an id is given once", &name, "twice", "once");
        }
    }

    /// What the customer has by the entries so far: balance and vouchers.
    pub(super) fn customer(&self) -> i128 {
        let of = |account| self.balances.get(&account).copied().unwrap_or(0);
        of(LedgerAccount::Customer) + of(LedgerAccount::Vouchers)
    }

    /// The transaction that a document names must be there, of the right kind, and move what the document says.
    pub(super) fn backed(&mut self, name: &str, txn: &TxnId, kind: PostingKind, customer: i128) {
        let Some(posted) = self.txns.get(txn) else {
            self.found.add("a document has its posting", name, txn, "no such txn");
            return;
        };
        let stored = (posted.kind, posted.customer);
        if stored != (kind, customer) {
            let stored = format!("{:?} of {}", stored.0, stored.1);
            let what = "a document says what its posting moved";
            self.found.add(what, name, stored, format!("{kind:?} of {customer}"));
        }
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
