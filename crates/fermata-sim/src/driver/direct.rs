//! The core in this process: a working copy that a crash loses, and committed books that it does not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fermata_billing::catalog::Catalog;
use fermata_billing::command::{Actor, Answer, Command, Meta, OpenAccount, Refusal, UsageDelta};
use fermata_billing::journal::{JournalRow, Record, RecordKind};
use fermata_billing::policy::Policy;
use fermata_billing::state::{Change, Item, ItemKey, State};
use fermata_billing::timer::TimerKind;
use fermata_billing::transition::Transition;
use fermata_billing::{Env, Outcome, ReadError, Reads, step};
use fermata_types::{SdkAppId, Sku};
use jiff::{SignedDuration, Timestamp};

use super::{Batch, Driver};
use crate::check::{self, Before};
use crate::coverage::{Coverage, CrashPoint};
use crate::faults::Fault;
use crate::oracle::{just_before, plus};
use crate::{Fallible, text};

/// One account.
#[derive(Debug)]
struct Book {
    /// In memory; lost by a crash.
    cache: State,
    /// As committed.
    durable: State,
    items: BTreeMap<ItemKey, Item>,
    records: BTreeMap<(RecordKind, String), Record>,
    rows: Vec<JournalRow>,
    /// Rows that were handed out.
    seen: usize,
    partner: Option<usize>,
    policy: Policy,
    /// Deliveries that arrived, by id.
    delivered: BTreeSet<String>,
}

/// The driver over [`fermata_billing::step`].
#[derive(Debug)]
pub(crate) struct Direct {
    catalog: Arc<Catalog>,
    books: BTreeMap<usize, Book>,
    /// Which account booked a payment's reference.
    payments: BTreeMap<String, usize>,
    /// Windows by stay, SKU and start: the most seconds that were reported.
    windows: BTreeMap<(u64, Sku, Timestamp), i64>,
    marks: Vec<Timestamp>,
    sweep_on: bool,
    fault: Option<Fault>,
    coverage: Coverage,
    /// Every command that reached the core, for replays (P7).
    pub(crate) log: Option<Vec<Logged>>,
}

/// A command as the core got it.
#[derive(Debug, Clone)]
pub(crate) struct Logged {
    pub(crate) account: usize,
    pub(crate) command: Command,
    pub(crate) meta: Meta,
    pub(crate) policy: Policy,
    pub(crate) reclaim_on: bool,
    pub(crate) watermark: Timestamp,
}

struct History<'a> {
    book: &'a Book,
    payments: &'a BTreeMap<String, usize>,
    account: usize,
    watermark: Timestamp,
    forgets_payments: bool,
}

impl Reads for History<'_> {
    fn item(&self, key: &ItemKey) -> Result<Option<Item>, ReadError> {
        Ok(self.book.items.get(key).cloned())
    }

    fn record(&self, kind: RecordKind, id: &str) -> Result<Option<Record>, ReadError> {
        if self.forgets_payments && kind == RecordKind::Payment {
            return Ok(None);
        }
        Ok(self.book.records.get(&(kind, id.to_owned())).cloned())
    }

    fn payment_elsewhere(&self, provider_ref: &str) -> Result<bool, ReadError> {
        Ok(self.payments.get(provider_ref).is_some_and(|account| *account != self.account))
    }

    fn watermark(&self) -> Result<Timestamp, ReadError> {
        Ok(self.watermark)
    }
}

fn is_sandbox(state: &State) -> bool {
    state.profile.as_ref().is_some_and(|profile| profile.sandbox)
}

fn offset(state: &State) -> SignedDuration {
    let micros = if is_sandbox(state) { state.head.clock_offset_us } else { 0 };
    SignedDuration::from_micros(micros)
}

impl Direct {
    pub(crate) fn new(
        catalog: Arc<Catalog>,
        nodes: usize,
        mark: Timestamp,
        fault: Option<Fault>,
    ) -> Self {
        Self {
            catalog,
            books: BTreeMap::new(),
            payments: BTreeMap::new(),
            windows: BTreeMap::new(),
            marks: vec![mark; nodes],
            sweep_on: true,
            fault,
            coverage: Coverage::default(),
            log: None,
        }
    }

    pub(crate) fn add(&mut self, account: usize, partner: Option<usize>, policy: Policy) {
        let book = Book {
            cache: State::default(),
            durable: State::default(),
            items: BTreeMap::new(),
            records: BTreeMap::new(),
            rows: Vec::new(),
            seen: 0,
            partner,
            policy,
            delivered: BTreeSet::new(),
        };
        self.books.insert(account, book);
    }

    fn book(&mut self, account: usize) -> Fallible<&mut Book> {
        self.books.get_mut(&account).ok_or_else(|| format!("there is no account {account}"))
    }

    fn now(&mut self, account: usize, wall: Timestamp) -> Fallible<Timestamp> {
        let state = &self.book(account)?.cache;
        Ok(plus(wall, offset(state)))
    }

    /// One step: computed on the cache, committed to the durable books.
    fn run(
        &mut self,
        account: usize,
        command: &Command,
        meta: &Meta,
        wall: Timestamp,
        crash: Option<CrashPoint>,
    ) -> Fallible<Result<Outcome, Refusal>> {
        if crash == Some(CrashPoint::BeforeCommit) {
            // Computed, and lost with the memory; whoever asked asks again.
            self.compute(account, command, meta, wall, crash)?.ok();
            self.coverage.reached(CrashPoint::BeforeCommit);
            let book = self.book(account)?;
            book.cache = book.durable.clone();
        }
        let before = Before::of(&self.book(account)?.cache);
        let outcome = match self.compute(account, command, meta, wall, None)? {
            Ok(outcome) => outcome,
            Err(refusal) => {
                if refusal == Refusal::Final {
                    self.coverage.took(Transition::T15);
                }
                return Ok(Err(refusal));
            }
        };
        self.commit(account, &outcome, crash)?;
        self.inject(account, command, meta, &outcome)?;
        for transition in &outcome.transitions {
            self.coverage.took(*transition);
        }
        let book = self.books.get(&account).ok_or("no such account")?;
        check::step(&before, &book.cache, &outcome, meta, &book.policy)
            .map_err(|problem| format!("{problem}; after {command:?} at {}", meta.now))?;
        if let Some(point) = crash
            && matches!(point, CrashPoint::AfterCommit | CrashPoint::BetweenTimers)
        {
            self.restart(account)?;
        }
        Ok(Ok(outcome))
    }

    fn compute(
        &mut self,
        account: usize,
        command: &Command,
        meta: &Meta,
        wall: Timestamp,
        crash: Option<CrashPoint>,
    ) -> Fallible<Result<Outcome, Refusal>> {
        self.coverage.steps += 1;
        let mark = self.marks.iter().copied().min().unwrap_or(Timestamp::MAX);
        let catalog = Arc::clone(&self.catalog);
        let mut book = self.books.remove(&account).ok_or("no such account")?;
        let sandbox = is_sandbox(&book.cache);
        let shift = if sandbox { meta.applied.duration_since(wall) } else { SignedDuration::ZERO };
        let watermark = plus(mark, shift);
        let reclaim_on = sandbox || self.sweep_on;
        if let (Some(log), true) = (&mut self.log, crash != Some(CrashPoint::BeforeCommit)) {
            log.push(Logged {
                account,
                command: command.clone(),
                meta: meta.clone(),
                policy: book.policy.clone(),
                reclaim_on,
                watermark,
            });
        }
        let again = self.fault == Some(Fault::DoublePosting);
        let mut cache = std::mem::take(&mut book.cache);
        let reads = History {
            book: &book,
            payments: &self.payments,
            account,
            watermark,
            forgets_payments: again,
        };
        let env = Env { catalog: &catalog, policy: &book.policy, reclaim_on, reads: &reads };
        let result = step(&mut cache, command, meta, env);
        book.cache = cache;
        self.books.insert(account, book);
        match result {
            Err(Refusal::Reads(problem) | Refusal::Corrupt(problem)) => {
                Err(format!("the core says: {problem}; on {command:?} at {}", meta.now))
            }
            other => Ok(other),
        }
    }

    fn commit(
        &mut self,
        account: usize,
        outcome: &Outcome,
        crash: Option<CrashPoint>,
    ) -> Fallible<()> {
        let mut lost = false;
        let book = self.books.get_mut(&account).ok_or("no such account")?;
        for change in &outcome.changes {
            match (change, change.key()) {
                (Change::Put(item), key @ (ItemKey::ClosedDay(_) | ItemKey::Credited(_))) => {
                    book.items.insert(key, item.clone());
                }
                (change, _) => drop(book.durable.apply(change.clone())),
            }
        }
        for row in &outcome.journal {
            let kept = match &row.record {
                Record::Payment(payment) => {
                    self.payments.insert(payment.provider_ref.clone(), account);
                    true
                }
                Record::PaymentReversed(_) | Record::Bill(_) => true,
                _ => false,
            };
            if let (true, Some(id)) = (kept, row.record.id()) {
                book.records.insert((row.record.kind(), id.to_owned()), row.record.clone());
            }
        }
        book.rows.extend(outcome.journal.iter().cloned());
        for delivery in &outcome.outbox {
            if !book.delivered.insert(delivery.id.clone()) {
                return Err(format!(
                    "I11: the delivery {} is put into the outbox twice",
                    delivery.id
                ));
            }
            if crash == Some(CrashPoint::AfterDelivery) {
                // Delivered, not noted, delivered again: the receiver knows the id.
                lost = true;
            }
        }
        if lost {
            self.coverage.reached(CrashPoint::AfterDelivery);
        }
        Ok(())
    }

    /// The process dies and comes back: what was in memory is read anew.
    fn restart(&mut self, account: usize) -> Fallible<()> {
        let book = self.book(account)?;
        if book.cache != book.durable {
            return Err("P23: the changes of a step are not the whole difference".to_owned());
        }
        book.cache = book.durable.clone();
        Ok(())
    }

    fn catch_up(
        &mut self,
        account: usize,
        until: Timestamp,
        jump: bool,
        wall: Timestamp,
        crash: Option<CrashPoint>,
    ) -> Fallible<()> {
        let began = self.now(account, wall)?;
        let mut count = 0_u32;
        loop {
            let next = self.book(account)?.cache.next_timer();
            let Some((timer, due)) = next.filter(|(_, due)| *due <= until) else { return Ok(()) };
            let applied = if jump { due.max(began) } else { until };
            let meta = Meta { now: due, applied, actor: Actor::system() };
            let command = Command::Fire { timer: timer.clone() };
            let point = crash.filter(|_| count == 0 || crash == Some(CrashPoint::BetweenTimers));
            self.late(account, &timer, applied, due)?;
            let fired = self.run(account, &command, &meta, wall, point)?;
            fired.map_err(|refusal| format!("{} is refused: {refusal}", timer.code()))?;
            if let Some(point) = point {
                self.coverage.reached(point);
                if point == CrashPoint::BetweenTimers && timer == TimerKind::ReclaimStep {
                    self.coverage.reached(CrashPoint::MidReclaim);
                }
            }
            let armed = self.book(account)?.cache.timers.get(&timer) == Some(&due);
            if point == Some(CrashPoint::TwoControllers) && !armed {
                self.second_controller(account, &command, &meta, wall)?;
            }
            count += 1;
            if count > 50_000 {
                return Err(format!("timers never stop: {}", timer.code()));
            }
        }
    }

    /// Notes when something was due while the program was down.
    fn late(
        &mut self,
        account: usize,
        timer: &TimerKind,
        applied: Timestamp,
        due: Timestamp,
    ) -> Fallible<()> {
        let late = applied.duration_since(due);
        let point = match timer {
            TimerKind::Suspend if late > SignedDuration::from_hours(1) => {
                CrashPoint::DownAcrossSuspend
            }
            TimerKind::DayClose(day) => {
                let profile = self.book(account)?.cache.profile.as_ref();
                let latest = profile.and_then(|profile| profile.calendar.daily_latest(*day).ok());
                if latest.is_none_or(|latest| applied <= latest) {
                    return Ok(());
                }
                CrashPoint::DownAcrossBill
            }
            _ => return Ok(()),
        };
        self.coverage.reached(point);
        Ok(())
    }

    /// Fires a timer that was fired: nothing may happen.
    fn second_controller(
        &mut self,
        account: usize,
        command: &Command,
        meta: &Meta,
        wall: Timestamp,
    ) -> Fallible<()> {
        let again = self.compute(account, command, meta, wall, None)?.map_err(text)?;
        if !again.changes.is_empty() || !again.journal.is_empty() {
            return Err(format!("a timer that had fired changes something: {command:?}"));
        }
        Ok(())
    }

    /// Fires what was due before now, before a command: a credit at the deadline wins (A19).
    fn before_now(&mut self, account: usize, wall: Timestamp) -> Fallible<Timestamp> {
        let now = self.now(account, wall)?;
        self.catch_up(account, just_before(now), false, wall, None)?;
        Ok(now)
    }

    fn usage(
        &mut self,
        account: usize,
        deltas: Vec<UsageDelta>,
        wall: Timestamp,
        crash: Option<CrashPoint>,
    ) -> Fallible<()> {
        let now = self.before_now(account, wall)?;
        let meta = Meta { now, applied: now, actor: Actor::system() };
        let done = self.run(account, &Command::Usage { deltas }, &meta, wall, crash)?;
        done.map(drop).map_err(|refusal| format!("usage is refused: {refusal}"))
    }

    /// Does to the state what a fault would have done, committed like everything else.
    fn inject(
        &mut self,
        account: usize,
        command: &Command,
        meta: &Meta,
        outcome: &Outcome,
    ) -> Fallible<()> {
        let Some(fault) = self.fault else { return Ok(()) };
        let book = self.book(account)?;
        for change in check::faulty(fault, &book.cache, command, meta, outcome) {
            book.cache.apply(change.clone());
            book.durable.apply(change);
        }
        Ok(())
    }
}

impl Driver for Direct {
    fn open(
        &mut self,
        account: usize,
        terms: &OpenAccount,
        apps: &[SdkAppId],
        wall: Timestamp,
    ) -> Fallible<()> {
        let actor = Actor::system();
        let meta = Meta { now: wall, applied: wall, actor };
        self.run(account, &Command::Open(terms.clone()), &meta, wall, None)?.map_err(text)?;
        for app in apps {
            let command = Command::CreateApp { app: *app };
            self.run(account, &command, &meta, wall, None)?.map_err(text)?;
        }
        Ok(())
    }

    fn look(&mut self, account: usize, wall: Timestamp) -> Fallible<()> {
        self.before_now(account, wall).map(drop)
    }

    fn call(
        &mut self,
        account: usize,
        command: &Command,
        actor: &Actor,
        wall: Timestamp,
        crash: Option<CrashPoint>,
    ) -> Fallible<Result<Answer, Refusal>> {
        let now = self.before_now(account, wall)?;
        let meta = Meta { now, applied: now, actor: actor.clone() };
        let first = self.run(account, command, &meta, wall, crash)?;
        let again = matches!(command, Command::Pay { .. })
            && matches!(crash, Some(CrashPoint::AfterCommit | CrashPoint::PaymentTwice));
        if let Some(point) = crash {
            self.coverage.reached(point);
        }
        match first {
            Ok(outcome) if again => {
                let second = self.run(account, command, &meta, wall, None)?.map_err(text)?;
                if second.answer != outcome.answer {
                    return Err("P12: the same payment is answered in two ways".to_owned());
                }
                Ok(Ok(outcome.answer))
            }
            other => Ok(other.map(|outcome| outcome.answer)),
        }
    }

    fn batch(&mut self, batch: &Batch, wall: Timestamp, crash: Option<CrashPoint>) -> Fallible<()> {
        let mut sums: BTreeMap<usize, BTreeMap<(SdkAppId, Sku, Timestamp), i64>> = BTreeMap::new();
        for window in &batch.windows {
            let key = (window.stay, window.sku, window.start);
            let known = self.windows.entry(key).or_default();
            let more = window.seconds.max(*known) - *known;
            *known += more;
            if more > 0 {
                let of_account = sums.entry(window.account).or_default();
                *of_account.entry((window.app, window.sku, window.start)).or_default() += more;
            }
        }
        for (account, minutes) in sums {
            let shift = offset(&self.book(account)?.cache);
            let deltas = minutes.into_iter().map(|((app, sku, start), seconds)| UsageDelta {
                app,
                sku,
                at: plus(start, shift),
                seconds,
            });
            self.usage(account, deltas.collect(), wall, crash)?;
            if crash == Some(CrashPoint::AfterCommit) {
                self.coverage.reached(CrashPoint::AfterCommit);
            }
        }
        if let Some(mark) = self.marks.get_mut(batch.node) {
            *mark = batch.mark.max(*mark);
        }
        Ok(())
    }

    fn clock(&mut self, account: usize, by: SignedDuration, wall: Timestamp) -> Fallible<()> {
        let to = plus(self.now(account, wall)?, by);
        self.catch_up(account, to, true, wall, None)?;
        let actor = Actor::system();
        let meta = Meta { now: to, applied: to, actor };
        let moved = self.run(account, &Command::MoveClock { to, wall }, &meta, wall, None)?;
        moved.map(drop).map_err(|refusal| format!("the clock does not move: {refusal}"))
    }

    fn poll(&mut self, wall: Timestamp, crash: Option<CrashPoint>) -> Fallible<()> {
        let accounts: Vec<usize> = self.books.keys().copied().collect();
        for account in accounts {
            if self.book(account)?.cache.profile.is_some() {
                let now = self.now(account, wall)?;
                self.catch_up(account, now, false, wall, crash)?;
            }
        }
        Ok(())
    }

    fn sweep(&mut self, on: bool) -> Fallible<()> {
        self.sweep_on = on;
        Ok(())
    }

    fn terms(&mut self, partner: usize, policy: &Policy, wall: Timestamp) -> Fallible<()> {
        let own = self.books.iter().filter(|(_, book)| book.partner == Some(partner));
        let accounts: Vec<usize> = own.map(|(account, _)| *account).collect();
        for account in accounts {
            if self.book(account)?.cache.profile.is_some() {
                self.before_now(account, wall)?;
            }
            self.book(account)?.policy = policy.clone();
            if self.book(account)?.cache.profile.is_some() {
                let meta = Meta { now: wall, applied: wall, actor: Actor::system() };
                self.run(account, &Command::Reevaluate, &meta, wall, None)?.map_err(text)?;
            }
        }
        Ok(())
    }

    fn state(&mut self, account: usize) -> Fallible<&State> {
        Ok(&self.book(account)?.cache)
    }

    fn rows(&mut self, account: usize) -> Fallible<Vec<JournalRow>> {
        let book = self.book(account)?;
        let fresh = book.rows.get(book.seen..).unwrap_or_default().to_vec();
        book.seen = book.rows.len();
        Ok(fresh)
    }

    fn verify(&mut self) -> Fallible<()> {
        for (account, book) in &self.books {
            if book.cache != book.durable {
                return Err(format!("P23: cache and books of account {account} differ"));
            }
            let closed = book.items.values().filter_map(|item| match item {
                Item::ClosedDay(day) => Some(day.clone()),
                _ => None,
            });
            let credited = book.items.values().filter_map(|item| match item {
                Item::Credited(bill, amount) => Some((bill.clone(), *amount)),
                _ => None,
            });
            let rows = book.rows.iter().cloned();
            let found = fermata_billing::verify::verify(&book.durable, rows, closed, credited);
            if let Some(first) = found.first() {
                return Err(format!("P8, account {account}: {first:?}"));
            }
        }
        Ok(())
    }

    fn coverage(&mut self) -> &mut Coverage {
        &mut self.coverage
    }
}

/// Replays a log on fresh books; answers the hash of each account's last row and of its working set.
pub(crate) fn replay(
    log: &[Logged],
    catalog: &Arc<Catalog>,
) -> Fallible<BTreeMap<usize, (State, usize)>> {
    let mut direct = Direct::new(Arc::clone(catalog), 1, Timestamp::MAX, None);
    for logged in log {
        if !direct.books.contains_key(&logged.account) {
            direct.add(logged.account, None, logged.policy.clone());
        }
        direct.book(logged.account)?.policy = logged.policy.clone();
        direct.sweep_on = logged.reclaim_on;
        // The mark is shifted with sandbox clocks when it is read; `wall` equal to `applied` shifts nothing.
        direct.marks = vec![logged.watermark];
        let wall = logged.meta.applied;
        direct.run(logged.account, &logged.command, &logged.meta, wall, None)?.ok();
    }
    Ok(direct
        .books
        .into_iter()
        .map(|(account, book)| (account, (book.durable, book.rows.len())))
        .collect())
}

impl Direct {
    /// The books as they are committed, for comparisons of whole runs.
    pub(crate) fn digests(&self) -> BTreeMap<usize, (State, usize)> {
        let books = self.books.iter();
        books.map(|(account, book)| (*account, (book.durable.clone(), book.rows.len()))).collect()
    }
}
