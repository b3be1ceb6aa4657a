//! One account and its history in memory, for tests: commands go through [`crate::step`], timers fire in due
//! order before whatever comes later, and after every step the books are checked.

use std::collections::BTreeMap;

use fermata_types::{AccountId, SdkAppId, Sku};
use jiff::{Timestamp, civil::Date};

use crate::catalog::Catalog;
use crate::command::{Actor, ActorRole, Answer, Command, Meta, OpenAccount, Refusal, UsageDelta};
use crate::id::PackageId;
use crate::journal::{JournalRow, LedgerAccount, LedgerUnit, Record, RecordKind};
use crate::money::{Currency, Money};
use crate::policy::Policy;
use crate::state::{
    BillingMode, Change, DayKey, DayUse, Item, ItemKey, Package, PackageStatus, State,
};
use crate::timer::TimerKind;
use crate::transition::Transition;
use crate::units::Units;
use crate::{Env, Outcome, ReadError, Reads};

/// The application most tests use.
pub(crate) const APP: SdkAppId = SdkAppId(1_400_000_001);
/// Another one of the same account.
pub(crate) const OTHER_APP: SdkAppId = SdkAppId(1_400_000_002);

/// What the working set does not hold.
#[derive(Debug, Clone)]
pub(crate) struct History {
    pub(crate) items: BTreeMap<ItemKey, Item>,
    pub(crate) rows: Vec<JournalRow>,
    pub(crate) watermark: Timestamp,
}

impl Reads for History {
    fn item(&self, key: &ItemKey) -> Result<Option<Item>, ReadError> {
        Ok(self.items.get(key).cloned())
    }

    fn record(&self, kind: RecordKind, id: &str) -> Result<Option<Record>, ReadError> {
        let is = |record: &&Record| record.kind() == kind && record.id() == Some(id);
        Ok(self.rows.iter().map(|row| &row.record).find(is).cloned())
    }

    fn payment_elsewhere(&self, _: &str) -> Result<bool, ReadError> {
        Ok(false)
    }

    fn watermark(&self) -> Result<Timestamp, ReadError> {
        Ok(self.watermark)
    }
}

/// An account with its clock.
#[derive(Debug, Clone)]
pub(crate) struct Bench {
    pub(crate) state: State,
    pub(crate) catalog: Catalog,
    pub(crate) policy: Policy,
    pub(crate) history: History,
    pub(crate) now: Timestamp,
    pub(crate) taken: Vec<Transition>,
}

/// The moment of a text such as `2026-11-23T10:00:00Z`.
pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().expect("a moment")
}

/// The date of a text such as `2026-11-23`.
pub(crate) fn date(text: &str) -> Date {
    text.parse().expect("a date")
}

/// An amount such as `49.00`.
pub(crate) fn money(text: &str) -> Money {
    Money::parse_decimal(text).expect("an amount")
}

/// So many package minutes.
pub(crate) fn units(minutes: u64) -> Units {
    Units::from_minutes(minutes).expect("within bounds")
}

impl Bench {
    /// An account in UTC and USD, opened at `now`, with two applications and 10,000 free minutes.
    pub(crate) fn open(now: &str, billing: BillingMode) -> Self {
        Self::open_in("UTC", now, billing)
    }

    /// The same in another zone.
    pub(crate) fn open_in(zone: &str, now: &str, billing: BillingMode) -> Self {
        Self::open_with(Catalog::default_catalog(), zone, now, billing)
    }

    /// The same with another catalog.
    pub(crate) fn open_with(catalog: Catalog, zone: &str, now: &str, billing: BillingMode) -> Self {
        let history =
            History { items: BTreeMap::new(), rows: Vec::new(), watermark: Timestamp::MAX };
        let mut bench = Self {
            state: State::default(),
            catalog,
            policy: Policy::default(),
            history,
            now: at(now),
            taken: Vec::new(),
        };
        let terms = OpenAccount {
            account: AccountId::from_text("AC_testtesttest"),
            currency: Currency::USD,
            zone: zone.to_owned(),
            billing,
            sandbox: false,
            partner: None,
            credit_limit: Money::ZERO,
        };
        bench.run(Command::Open(terms)).expect("opens");
        for app in [APP, OTHER_APP] {
            bench.run(Command::CreateApp { app }).expect("creates");
        }
        bench
    }

    /// Carries a command out now.
    #[expect(clippy::needless_pass_by_value, reason = "commands are made where they are run")]
    pub(crate) fn run(&mut self, command: Command) -> Result<Answer, Refusal> {
        self.run_at(&command, self.now, self.now).map(|outcome| outcome.answer)
    }

    /// Carries a command out that counts from `now` and is committed at `applied`.
    pub(crate) fn run_at(
        &mut self,
        command: &Command,
        now: Timestamp,
        applied: Timestamp,
    ) -> Result<Outcome, Refusal> {
        let actor = match command {
            Command::Fire { .. } | Command::Usage { .. } => Actor::system(),
            _ => Actor { role: ActorRole::Operator, name: "tester".to_owned() },
        };
        let meta = Meta { now, applied, actor };
        let before = self.state.clone();
        let env = Env {
            catalog: &self.catalog,
            policy: &self.policy,
            reclaim_on: true,
            reads: &self.history,
        };
        let outcome = match crate::step(&mut self.state, command, &meta, env) {
            Ok(outcome) => outcome,
            Err(refusal) => {
                assert_eq!(self.state, before, "a refusal leaves nothing behind");
                return Err(refusal);
            }
        };
        let mut replayed = before;
        for change in outcome.changes.iter().cloned() {
            match (&change, change.key()) {
                (Change::Put(item), key @ (ItemKey::ClosedDay(_) | ItemKey::Credited(_))) => {
                    self.history.items.insert(key, item.clone());
                }
                _ => drop(replayed.apply(change)),
            }
        }
        assert_eq!(replayed, self.state, "the changes are the whole difference");
        self.history.rows.extend(outcome.journal.iter().cloned());
        self.taken.extend(&outcome.transitions);
        self.check();
        Ok(outcome)
    }

    /// Goes on to a moment; what is due on the way fires in order.
    pub(crate) fn advance(&mut self, to: &str) {
        let to = at(to);
        for _ in 0..20_000 {
            let Some((timer, due)) = self.state.next_timer().filter(|(_, due)| *due <= to) else {
                self.now = self.now.max(to);
                return;
            };
            self.now = self.now.max(due);
            let name = timer.code();
            let fired = self.run_at(&Command::Fire { timer }, due, due);
            assert!(fired.is_ok(), "{name}: {fired:?}");
        }
        panic!("timers never stop: {:?}", self.state.next_timer());
    }

    /// Reports minutes of `sku` at a moment.
    pub(crate) fn use_minutes(&mut self, app: SdkAppId, sku: Sku, when: &str, minutes: i64) {
        self.report(&[UsageDelta { app, sku, at: at(when), seconds: minutes * 60 }]);
    }

    /// Reports changes of totals.
    pub(crate) fn report(&mut self, deltas: &[UsageDelta]) {
        let answer = self.run(Command::Usage { deltas: deltas.to_vec() });
        assert_eq!(answer, Ok(Answer::Done), "usage is never refused");
    }

    /// Pays in.
    pub(crate) fn pay(&mut self, amount: &str, provider_ref: &str) {
        let provider_ref = provider_ref.to_owned();
        self.run(Command::Pay { amount: money(amount), provider_ref }).expect("pays");
    }

    /// Buys a package.
    pub(crate) fn buy(&mut self, code: &str, app: Option<SdkAppId>) -> Result<Package, Refusal> {
        let command = Command::BuyPackage { type_code: code.to_owned(), app };
        match self.run(command)? {
            Answer::Package(package) => Ok(package),
            other => panic!("{other:?}"),
        }
    }

    /// The package as it is now.
    pub(crate) fn package(&self, id: &PackageId) -> &Package {
        self.state.packages.get(id).expect("is there")
    }

    /// The only free package.
    pub(crate) fn free(&self) -> &Package {
        self.state.packages.values().rfind(|package| package.free).expect("is there")
    }

    /// The use of an open day.
    pub(crate) fn day(&self, day: &str, app: SdkAppId, sku: Sku) -> &DayUse {
        self.state.days.get(&DayKey { day: date(day), app, sku }).expect("is there")
    }

    /// Covered, billed and absorbed minutes of an open day.
    pub(crate) fn shares(&self, day: &str, app: SdkAppId, sku: Sku) -> (u64, u64, u64) {
        let day = self.day(day, app, sku);
        (day.covered(), day.billed, day.absorbed)
    }

    /// A balance.
    pub(crate) fn balance(&self, account: &LedgerAccount) -> i64 {
        self.state.balances.get(account).copied().unwrap_or(0)
    }

    /// When a package's timer is due.
    pub(crate) fn expiry(&self, id: &PackageId) -> Option<Timestamp> {
        self.state.timers.get(&TimerKind::PackageExpiry(id.clone())).copied()
    }

    /// How often a transition was taken.
    pub(crate) fn count(&self, transition: Transition) -> usize {
        self.taken.iter().filter(|one| **one == transition).count()
    }

    /// Forgets which transitions were taken.
    pub(crate) fn took(&mut self) -> Vec<Transition> {
        std::mem::take(&mut self.taken)
    }

    /// Recomputes everything from the journal.
    pub(crate) fn verify(&self) {
        let items = || self.history.items.values();
        let closed = items().filter_map(|item| match item {
            Item::ClosedDay(day) => Some(day.clone()),
            _ => None,
        });
        let credited = items().filter_map(|item| match item {
            Item::Credited(bill, amount) => Some((bill.clone(), *amount)),
            _ => None,
        });
        let rows = self.history.rows.iter().cloned();
        let found = crate::verify::verify(&self.state, rows, closed, credited);
        assert!(found.is_empty(), "{found:?}");
    }

    /// P2, P3, P4, P8 as far as one account's working set shows them.
    fn check(&self) {
        for unit in [LedgerUnit::Money, LedgerUnit::Minutes] {
            let of_unit = self.state.balances.iter().filter(|(account, _)| account.unit() == unit);
            let sum: i128 = of_unit.map(|(_, amount)| i128::from(*amount)).sum();
            assert_eq!(sum, 0, "{unit:?}");
        }
        let mut recomputed: BTreeMap<&LedgerAccount, i64> = BTreeMap::new();
        for row in &self.history.rows {
            let Record::Txn(txn) = &row.record else { continue };
            for entry in &txn.entries {
                *recomputed.entry(&entry.account).or_default() += entry.amount;
            }
        }
        for (account, amount) in recomputed {
            assert_eq!(self.balance(account), amount, "{}", account.code());
        }
        for day in self.state.days.values() {
            assert_eq!(day.minutes(), day.covered() + day.billed + day.absorbed, "{day:?}");
        }
        for package in self.state.packages.values() {
            self.check_package(package);
        }
    }

    fn check_package(&self, package: &Package) {
        assert!(package.left >= Units::ZERO && package.settled <= package.units, "{package:?}");
        let open = self.state.days.values().flat_map(|day| &day.burns);
        let burnt: i64 = open
            .filter(|burn| burn.package == package.id)
            .map(|burn| burn.units.thousandths())
            .sum();
        let posted = self.balance(&LedgerAccount::Package(package.id.clone()));
        match package.status {
            PackageStatus::Live | PackageStatus::Reclaimed => {
                assert_eq!(package.left.thousandths(), package.settled.thousandths() - burnt);
                assert_eq!(package.settled.thousandths(), posted, "{package:?}");
            }
            PackageStatus::Expired | PackageStatus::Refunded => {
                assert_eq!((package.left, burnt, posted), (Units::ZERO, 0, 0), "{package:?}");
            }
        }
    }
}
