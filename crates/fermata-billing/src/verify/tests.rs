//! Books that are right are found right, and each way of spoiling them is found and named.

use fermata_types::Sku;

use super::{Disagreement, verify};
use crate::chain;
use crate::command::Command;
use crate::id::BillId;
use crate::journal::{JournalRow, LedgerAccount, Record, RecordKind};
use crate::money::Money;
use crate::state::{BillingMode, DayUse, Item, State};
use crate::testing::{APP, Bench, at, money};

/// Everything that is stored of one account.
#[derive(Clone)]
struct Books {
    state: State,
    rows: Vec<JournalRow>,
    closed: Vec<DayUse>,
    credited: Vec<(BillId, Money)>,
}

impl Books {
    /// An account that has a bit of everything.
    fn written() -> Self {
        let mut bench = Bench::open("2026-11-02T09:00:00Z", BillingMode::Daily);
        bench.pay("100", "p1");
        bench.pay("5", "p2");
        bench.buy("minutes_25k", None).expect("bought");
        let reason = || "test".to_owned();
        let (amount, expires_at) = (money("3"), at("2027-01-01T00:00:00Z"));
        bench.run(Command::GrantVoucher { amount, expires_at, reason: reason() }).expect("given");
        bench.use_minutes(APP, Sku::VideoHd, "2026-11-02T09:00:00Z", 15_000);
        bench.use_minutes(APP, Sku::RecordAudio, "2026-11-02T09:00:00Z", 5_000);
        bench.advance("2026-11-03T13:00:00Z");
        bench.use_minutes(APP, Sku::RecordAudio, "2026-11-02T10:00:00Z", 1_000);
        bench.use_minutes(APP, Sku::Audio, "2026-11-03T10:00:00Z", 700);
        let provider_ref = "p2".to_owned();
        bench.run(Command::ReversePayment { provider_ref, reason: reason() }).expect("reversed");
        let bill = bench.history.rows.iter().find_map(|row| match &row.record {
            Record::Bill(bill) => Some(bill.id.clone()),
            _ => None,
        });
        let (bill, amount) = (bill.expect("a bill"), money("1"));
        bench.run(Command::IssueCreditNote { bill, amount, reason: reason() }).expect("credited");
        bench.advance("2026-11-04T13:00:00Z");
        bench.use_minutes(APP, Sku::Audio, "2026-11-04T10:00:00Z", 50);
        bench.use_minutes(APP, Sku::RecordAudio, "2026-11-03T10:00:00Z", 20);
        let mut books = Self {
            state: bench.state,
            rows: bench.history.rows,
            closed: Vec::new(),
            credited: Vec::new(),
        };
        for item in bench.history.items.into_values() {
            match item {
                Item::ClosedDay(day) => books.closed.push(day),
                Item::Credited(bill, sum) => books.credited.push((bill, sum)),
                _ => panic!("not kept apart"),
            }
        }
        books
    }

    fn found(self) -> Vec<Disagreement> {
        let Self { state, rows, closed, credited } = self;
        verify(&state, rows.into_iter(), closed.into_iter(), credited.into_iter())
    }

    /// The last record of a kind.
    fn record(&mut self, kind: RecordKind) -> &mut Record {
        let row = self.rows.iter_mut().rev().find(|row| row.record.kind() == kind);
        &mut row.expect("one of each").record
    }

    /// Writes the chain anew, as somebody would who changes a row and knows how.
    fn rechained(mut self) -> Self {
        let mut prev = [0; 32];
        for row in &mut self.rows {
            row.prev_hash = prev;
            row.hash = chain::hash(row).expect("written down");
            prev = row.hash;
        }
        self.state.head.journal_hash = prev;
        self
    }
}

fn spoil(books: &mut Books, kind: RecordKind) {
    match books.record(kind) {
        Record::Txn(txn) => txn.entries[0].amount += 1,
        Record::Payment(payment) => payment.amount = money("6"),
        Record::PaymentReversed(reversal) => reversal.provider_ref = "p1".to_owned(),
        Record::Bill(bill) => bill.total = bill.total.checked_add(money("1")).expect("fits"),
        Record::CreditNote(note) => note.amount = money("50"),
        Record::Voucher(voucher) => voucher.amount = money("4"),
        Record::DayClosed(closed) => closed.uses[0].seconds += 60,
        other => panic!("{other:?}"),
    }
}

#[test]
fn p8_books_that_are_right_are_found_right() {
    assert_eq!(Books::written().found(), []);
    assert_eq!(Books::written().rechained().found(), [], "the chain is written the same way");
}

#[test]
fn p19_a_row_that_was_changed_is_named() {
    let right = Books::written();
    for index in [0, 1, right.rows.len() / 2, right.rows.len() - 1] {
        let mut books = right.clone();
        books.rows[index].actor = "nobody".to_owned();
        let found = books.found();
        let row = format!("journal row {}", right.rows[index].seq);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!((found[0].what, &found[0].row), ("P19 a row is as it was written", &row));
    }
    let mut books = right.clone();
    books.rows.pop();
    assert!(books.found().iter().any(|one| one.row == "head"), "a row is missing at the end");
    let mut books = right;
    books.rows.remove(3);
    let found = books.found();
    assert_eq!(found[0].row, "journal row 5", "a row is missing before: {found:?}");
}

#[test]
fn p1_p11_p12_p13_p14_p15_a_document_that_was_changed_is_named() {
    let rows = [
        (RecordKind::Txn, "P1 entries sum to zero"),
        (RecordKind::Payment, "a document says what its posting moved"),
        (RecordKind::PaymentReversed, "a document says what its posting moved"),
        (RecordKind::Bill, "P8 a bill's total is the sum of its lines"),
        (RecordKind::Bill, "P15 balance before less total is balance after"),
        (RecordKind::CreditNote, "P14 credits never exceed the bill"),
        (RecordKind::Voucher, "a document says what its posting moved"),
        (RecordKind::DayClosed, "P4 minutes are covered, billed or absorbed"),
    ];
    for (kind, what) in rows {
        let mut books = Books::written();
        spoil(&mut books, kind);
        // Even by somebody who writes the chain anew.
        let found = books.rechained().found();
        assert!(found.iter().any(|one| one.what == what), "{kind:?}: {found:#?}");
    }
}

#[test]
fn p2_p3_p8_p17_what_is_stored_beside_the_journal_is_recomputed() {
    type Spoil = fn(&mut Books);
    let rows: [(Spoil, &str, &str); 10] = [
        (
            |books| books.state.head.serial = 1,
            "an id is given once: the head counts the ids",
            "head",
        ),
        (
            |books| *books.state.balances.get_mut(&LedgerAccount::Customer).expect("there") += 1,
            "P8 a balance is the sum of its entries",
            "balance customer",
        ),
        (
            |books| *books.state.balances.get_mut(&LedgerAccount::Customer).expect("there") += 1,
            "P2 balances of a unit sum to zero",
            "balances of money",
        ),
        (
            |books| {
                let package = books.state.packages.values_mut().next().expect("there");
                package.left = package.units;
            },
            "P8 a package has left what is not burnt",
            "package ",
        ),
        (
            |books| {
                let package = books.state.packages.values_mut().next_back().expect("there");
                package.settled = package.units;
            },
            "P8 a package has settled what the ledger has",
            "package ",
        ),
        (
            |books| books.state.days.values_mut().next().expect("there").billed += 1,
            "P4 minutes are covered, billed or absorbed",
            "open day, 2026-11-04/",
        ),
        (
            |books| books.state.pending.values_mut().next().expect("there").billed += 1,
            "P17 each minute of a closed day is on one bill",
            "closed day 2026-11-03/",
        ),
        (
            |books| books.closed[0].billed += 1,
            "P17 each minute of a closed day is on one bill",
            "closed day 2026-11-02/",
        ),
        (
            |books| drop(books.closed.remove(0)),
            "P17 what is billed was used",
            "closed day 2026-11-02/",
        ),
        (
            |books| books.credited[0].1 = money("2"),
            "P14 credits of a bill are summed up",
            "credited of bill BL_",
        ),
    ];
    for (spoil, what, row) in rows {
        let mut books = Books::written();
        spoil(&mut books);
        let found = books.found();
        let named = |one: &Disagreement| one.what == what && one.row.starts_with(row);
        assert!(found.iter().any(named), "{what}: {found:#?}");
    }
}

#[test]
fn broken_books_say_so_a_bounded_number_of_times() {
    let mut books = Books::written();
    let row = books.rows[0].clone();
    books.rows.extend(std::iter::repeat_n(row, 2_000));
    assert_eq!(books.found().len(), crate::limits::DISAGREEMENTS_MAX);
}
