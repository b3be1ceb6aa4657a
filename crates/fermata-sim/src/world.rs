//! One world: a history, the driver that lives through it, and an oracle for each account beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fermata_billing::catalog::Catalog;
use fermata_billing::command::OpenAccount;
use fermata_billing::command::UsageDelta;
use fermata_billing::id::PartnerId;
use fermata_billing::money::{Currency, Money};
use fermata_billing::transition::Transition;
use fermata_types::{AccountId, SdkAppId, Sku};
use jiff::{SignedDuration, Timestamp};

use crate::Fallible;
use crate::compare::{self, Observed};
use crate::coverage::CrashPoint;
use crate::driver::{Batch, Driver};
use crate::history::{Event, History, NODES, What};
use crate::network::{Flight, Network, Stay};
use crate::options::{Options, Polling};
use crate::oracle::{Opening, Oracle, When, just_before, plus};
use crate::terms::{PARTNERS, VARIANTS, ZONES, policy};

/// The truth about the whole world.
#[derive(Debug)]
pub(crate) struct Truth {
    pub(crate) oracle: Oracle,
    pub(crate) observed: Observed,
    pub(crate) sandbox: bool,
}

/// A running world.
pub(crate) struct World<'a, D: Driver> {
    pub(crate) driver: D,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) options: &'a Options,
    pub(crate) people: &'a [crate::history::Person],
    pub(crate) truths: BTreeMap<usize, Truth>,
    /// The most seconds that were reported, by stay, SKU and minute.
    windows: BTreeMap<(u64, Sku, Timestamp), i64>,
    network: Network,
    marks: Vec<Timestamp>,
    variants: Vec<usize>,
    pub(crate) references: BTreeMap<String, usize>,
    stays: u64,
    torn: BTreeSet<usize>,
    sweep_on: bool,
    /// Acts that wait for a moment that was not known before.
    pub(crate) deferred: BTreeMap<(Timestamp, usize), Event>,
    /// Seconds of live accounts that did not come through nodes.
    reported: i64,
}

/// The id of an account.
pub(crate) fn account_id(seed: u64, account: usize) -> AccountId {
    AccountId::from_text(&format!("AC_sim{seed:x}n{account}"))
}

/// The number of an application; 9 belongs to nobody.
pub(crate) fn app_id(account: usize, app: usize) -> SdkAppId {
    let number = 1_400_000_000 + account * 10 + app;
    SdkAppId(u32::try_from(number).unwrap_or(1))
}

pub(crate) fn partner_id(partner: usize) -> PartnerId {
    PartnerId(format!("partner{partner}"))
}

/// The variant of terms that a partner begins with.
pub(crate) fn first_variant(partner: usize) -> usize {
    if partner + 1 == PARTNERS { VARIANTS } else { partner }
}

impl<'a, D: Driver> World<'a, D> {
    pub(crate) fn new(
        driver: D,
        catalog: Arc<Catalog>,
        options: &'a Options,
        history: &'a History,
    ) -> Self {
        let mark = if options.watermarks { history.start } else { Timestamp::MAX };
        Self {
            driver,
            catalog,
            options,
            people: &history.people,
            truths: BTreeMap::new(),
            windows: BTreeMap::new(),
            network: Network::default(),
            marks: vec![mark; NODES],
            variants: (0..PARTNERS).map(first_variant).collect(),
            references: BTreeMap::new(),
            stays: 0,
            torn: BTreeSet::new(),
            sweep_on: true,
            deferred: BTreeMap::new(),
            reported: 0,
        }
    }

    /// Lives through a history; the first fact that differs ends it.
    pub(crate) fn live(&mut self, history: &History, keep: &[bool]) -> Fallible<()> {
        self.driver.coverage().account_days = 0;
        let mut openings: Vec<(Timestamp, usize)> = history
            .people
            .iter()
            .enumerate()
            .map(|(number, person)| (person.opens, number))
            .collect();
        openings.sort();
        let mut openings = openings.into_iter().peekable();
        let events = history.events.iter().zip(keep).filter(|(_, kept)| **kept);
        for (event, _) in events {
            while let Some((at, number)) = openings.next_if(|(at, _)| *at <= event.at) {
                self.until(at)?;
                self.open(history.seed, number, at)?;
            }
            self.until(event.at)?;
            self.driver.coverage().events += 1;
            self.event(event).map_err(|problem| {
                format!("{problem}\n  at {}: account {}: {:?}", event.at, event.account, event.what)
            })?;
        }
        self.end(history)
    }

    /// What arrives and, where polling is exact, what falls due before a moment.
    fn until(&mut self, at: Timestamp) -> Fallible<()> {
        loop {
            let arrives = self.network.next().filter(|arrives| *arrives <= at);
            let due = match self.options.polling {
                Polling::Exact => self.next_due().filter(|due| *due <= at),
                Polling::Random => None,
            };
            let waits = self.deferred.keys().next().map(|(at, _)| *at).filter(|waits| *waits <= at);
            let first = |other: Option<Timestamp>| {
                waits.is_some_and(|waits| other.is_none_or(|other| waits <= other))
            };
            if first(arrives) && first(due) {
                if let Some((_, event)) = self.deferred.pop_first() {
                    self.event(&event)?;
                }
                continue;
            }
            match (arrives, due) {
                (Some(arrives), due) if due.is_none_or(|due| arrives < due) => self.arrive()?,
                (_, Some(due)) => self.poll(due, None)?,
                (_, None) => return Ok(()),
            }
        }
    }

    fn next_due(&self) -> Option<Timestamp> {
        self.truths.values().filter_map(|truth| truth.oracle.next_wall_due()).min()
    }

    fn mark(&self) -> Timestamp {
        self.marks.iter().copied().min().unwrap_or(Timestamp::MAX)
    }

    fn open(&mut self, seed: u64, number: usize, wall: Timestamp) -> Fallible<()> {
        let Some(person) = self.people.get(number) else { return Ok(()) };
        let zone = ZONES.get(person.zone).copied().unwrap_or("UTC");
        let id = account_id(seed, number);
        let variant = person.partner.and_then(|partner| self.variants.get(partner).copied());
        let terms = policy(variant.unwrap_or(0));
        let opening = Opening {
            id: id.as_str(),
            zone,
            billing: person.billing,
            limit: person.limit_cents * 10_000,
            sandbox: person.sandbox,
            policy: terms,
        };
        let mut oracle = Oracle::open(&self.catalog, opening, wall)?;
        oracle.sweep_on = self.sweep_on;
        let apps: Vec<SdkAppId> = (0..person.apps).map(|app| app_id(number, app)).collect();
        let when = When { now: wall, applied: wall, watermark: Timestamp::MAX };
        for app in &apps {
            oracle.create_app(*app, when)?;
        }
        let terms = OpenAccount {
            account: id,
            currency: Currency::USD,
            zone: zone.to_owned(),
            billing: person.billing,
            sandbox: person.sandbox,
            partner: person.partner.map(partner_id),
            credit_limit: Money::from_micros(person.limit_cents * 10_000),
        };
        self.driver.open(number, &terms, &apps, wall)?;
        let truth = Truth { oracle, observed: Observed::default(), sandbox: person.sandbox };
        self.truths.insert(number, truth);
        self.compare(number)
    }

    /// Brings an account's oracle to the moment of a command; answers when that is for it.
    pub(crate) fn catch_up(&mut self, account: usize, wall: Timestamp) -> Fallible<Option<When>> {
        let mark = self.mark();
        let catalog = Arc::clone(&self.catalog);
        let Some(truth) = self.truths.get_mut(&account) else { return Ok(None) };
        let now = truth.oracle.now(wall);
        truth.oracle.catch_up(&catalog, just_before(now), false, wall, mark)?;
        Ok(Some(When { now, applied: now, watermark: mark }))
    }

    pub(crate) fn compare(&mut self, account: usize) -> Fallible<()> {
        let rows = self.driver.rows(account)?;
        let Some(truth) = self.truths.get_mut(&account) else { return Ok(()) };
        let named = |problem| format!("account {account}: {problem}");
        let bills = truth.oracle.bills.len();
        compare::state(&truth.oracle, self.driver.state(account)?).map_err(named)?;
        truth.observed.rows(&truth.oracle, &rows).map_err(named)?;
        let coverage = self.driver.coverage();
        coverage.comparisons += 1;
        let fresh = rows
            .iter()
            .filter(|row| matches!(row.record, fermata_billing::journal::Record::Bill(_)));
        coverage.bills += u64::try_from(fresh.count().min(bills)).unwrap_or(0);
        Ok(())
    }

    fn event(&mut self, event: &Event) -> Fallible<()> {
        let (account, wall) = (event.account, event.at);
        let crash = event.crash.filter(|_| self.options.crashes);
        match &event.what {
            What::Poll => self.poll(wall, crash),
            What::Heartbeat { node } => self.heartbeat(*node, wall),
            What::TornTail { node } => {
                if self.network.tear(*node) {
                    self.torn.insert(*node);
                    self.driver.coverage().reached(CrashPoint::TornTail);
                }
                Ok(())
            }
            What::Sweep(on) => {
                self.sweep_on = *on;
                for truth in self.truths.values_mut() {
                    truth.oracle.sweep_on = *on;
                }
                self.driver.sweep(*on)
            }
            What::Terms { partner, variant } => self.terms(*partner, *variant, wall),
            What::Clock { hours } => self.clock(account, *hours, wall),
            What::Stay { node, app, sku, seconds, dice } => {
                let stay = Stay {
                    number: 0,
                    node: *node,
                    account,
                    app: app_id(account, *app),
                    sku: *sku,
                    from: wall,
                    seconds: *seconds,
                };
                self.enter(stay, *dice);
                Ok(())
            }
            What::Report { app, sku, seconds, ago } => {
                let sandbox = self.people.get(account).is_some_and(|person| person.sandbox);
                if self.options.nodes_only && !sandbox {
                    return Ok(());
                }
                let Some(when) = self.catch_up(account, wall)? else { return Ok(()) };
                let at = plus(when.now, SignedDuration::from_secs(-ago));
                let delta =
                    UsageDelta { app: app_id(account, *app), sku: *sku, at, seconds: *seconds };
                self.report(account, vec![delta], wall, crash)
            }
            _ => self.act(event, crash),
        }
    }

    fn poll(&mut self, wall: Timestamp, crash: Option<CrashPoint>) -> Fallible<()> {
        self.driver.poll(wall, crash)?;
        let mark = self.mark();
        let catalog = Arc::clone(&self.catalog);
        let mut changed = Vec::new();
        for (account, truth) in &mut self.truths {
            let now = truth.oracle.now(wall);
            if truth.oracle.catch_up(&catalog, now, false, wall, mark)? > 0 {
                changed.push(*account);
            }
        }
        for account in changed {
            self.compare(account)?;
        }
        Ok(())
    }

    fn heartbeat(&mut self, node: usize, wall: Timestamp) -> Fallible<()> {
        if !self.options.watermarks {
            return Ok(());
        }
        let batch = Batch { node, windows: Vec::new(), mark: self.network.mark(node, wall) };
        self.driver.batch(&batch, wall, None)?;
        self.marked(&batch);
        Ok(())
    }

    fn marked(&mut self, batch: &Batch) {
        if let Some(mark) = self.marks.get_mut(batch.node) {
            *mark = batch.mark.max(*mark);
        }
    }

    fn terms(&mut self, partner: usize, variant: usize, wall: Timestamp) -> Fallible<()> {
        let terms = policy(variant);
        if let Some(known) = self.variants.get_mut(partner) {
            *known = variant;
        }
        self.driver.terms(partner, &terms, wall)?;
        let own =
            self.people.iter().enumerate().filter(|(_, person)| person.partner == Some(partner));
        let accounts: Vec<usize> = own.map(|(account, _)| account).collect();
        for account in accounts {
            if let Some(when) = self.catch_up(account, wall)?
                && let Some(truth) = self.truths.get_mut(&account)
            {
                truth.oracle.terms_changed(terms.clone(), when.now);
                self.compare(account)?;
            }
        }
        Ok(())
    }

    fn clock(&mut self, account: usize, hours: i64, wall: Timestamp) -> Fallible<()> {
        let mark = self.mark();
        let catalog = Arc::clone(&self.catalog);
        let Some(truth) = self.truths.get_mut(&account).filter(|truth| truth.sandbox) else {
            return Ok(());
        };
        let by = SignedDuration::from_hours(hours);
        let to = plus(truth.oracle.now(wall), by);
        truth.oracle.catch_up(&catalog, to, true, wall, mark)?;
        truth.oracle.offset += by;
        self.driver.clock(account, by, wall)?;
        self.compare(account)
    }

    /// Somebody wants to enter; the door asks the verdict of the account as it is committed.
    fn enter(&mut self, stay: Stay, dice: u64) {
        let Some(truth) = self.truths.get(&stay.account) else { return };
        let (app, oracle) = (stay.app, &truth.oracle);
        let barred = oracle.holds.iter().any(|hold| !hold.proposed && hold.scope.covers(app));
        let open = !barred && !oracle.irreversible() && oracle.apps.contains(&app);
        if !open && !self.options.ungated {
            return;
        }
        self.stays += 1;
        self.network.stay(Stay { number: self.stays, ..stay }, dice, self.options);
    }

    fn arrive(&mut self) -> Fallible<()> {
        let Some((at, flight, overtook)) = self.network.arrive() else { return Ok(()) };
        let mut batch = self.network.batch(&flight, at);
        if !self.options.watermarks {
            // Nothing waits for nodes: they promise all there will ever be.
            batch.mark = Timestamp::MAX;
        }
        self.note(&flight, overtook);
        let mut sums: BTreeMap<usize, Vec<UsageDelta>> = BTreeMap::new();
        for window in &batch.windows {
            let known = self.windows.entry((window.stay, window.sku, window.start)).or_default();
            let more = window.seconds.max(*known) - *known;
            *known += more;
            let of_account = sums.entry(window.account).or_default();
            if more > 0 {
                let delta = UsageDelta {
                    app: window.app,
                    sku: window.sku,
                    at: window.start,
                    seconds: more,
                };
                of_account.push(delta);
            }
        }
        let crash = (flight.again && self.options.crashes).then_some(CrashPoint::AfterCommit);
        self.driver
            .batch(&batch, at, crash)
            .map_err(|problem| format!("{problem}\n  a batch at {at}"))?;
        for (account, deltas) in sums {
            if deltas.is_empty() {
                continue;
            }
            self.truth_of_usage(account, &deltas, at)?;
            self.compare(account)
                .map_err(|problem| format!("{problem}\n  a batch at {at}: {deltas:?}"))?;
        }
        self.marked(&batch);
        Ok(())
    }

    fn truth_of_usage(
        &mut self,
        account: usize,
        deltas: &[UsageDelta],
        at: Timestamp,
    ) -> Fallible<()> {
        let Some(when) = self.catch_up(account, at)? else { return Ok(()) };
        let catalog = Arc::clone(&self.catalog);
        let Some(truth) = self.truths.get_mut(&account) else { return Ok(()) };
        let reported = truth.oracle.report(&catalog, deltas, when)?;
        if reported.late {
            self.driver.coverage().reached(CrashPoint::BatchLate);
        }
        Ok(())
    }

    fn note(&mut self, flight: &Flight, overtook: bool) {
        let coverage = self.driver.coverage();
        if flight.again {
            coverage.reached(CrashPoint::BatchTwice);
        }
        if overtook {
            coverage.reached(CrashPoint::BatchReordered);
        }
    }

    /// Usage that did not come through a node.
    fn report(
        &mut self,
        account: usize,
        deltas: Vec<UsageDelta>,
        wall: Timestamp,
        crash: Option<CrashPoint>,
    ) -> Fallible<()> {
        if self.truths.get(&account).is_some_and(|truth| !truth.sandbox) {
            self.reported += deltas.iter().map(|delta| delta.seconds).sum::<i64>();
        }
        self.truth_of_usage(account, &deltas, wall)?;
        let command = fermata_billing::command::Command::Usage { deltas };
        let actor = fermata_billing::command::Actor::system();
        let answer = self.driver.call(account, &command, &actor, wall, crash)?;
        answer.map_err(|refusal| format!("usage is refused: {refusal}"))?;
        self.compare(account)
    }

    /// The rest arrives, a last look at the timers, and everything is recomputed.
    fn end(&mut self, history: &History) -> Fallible<()> {
        self.until(history.end)?;
        self.poll(history.end, None)?;
        for (account, truth) in &self.truths {
            compare::end(&truth.oracle)
                .map_err(|problem| format!("account {account}, at the end: {problem}"))?;
        }
        self.totals()?;
        let mut days = 0;
        for (number, person) in history.people.iter().enumerate() {
            if let Some(truth) = self.truths.get(&number) {
                let lived = truth.oracle.now(history.end).duration_since(person.opens);
                days += u64::try_from(lived.as_hours() / 24).unwrap_or(0);
            }
        }
        self.driver.coverage().account_days += days;
        self.driver.verify()
    }

    /// Seconds of days are the sums over windows of the most that was reported for each, less what was set aside.
    fn totals(&self) -> Fallible<()> {
        let reported = self.windows.values().sum::<i64>() + self.reported;
        let live = self.truths.values().filter(|truth| !truth.sandbox);
        let counted: i64 = live
            .map(|truth| {
                truth.oracle.uses.values().map(|used| used.seconds).sum::<i64>()
                    + truth.oracle.aside
            })
            .sum();
        if counted == reported {
            Ok(())
        } else {
            Err(format!("P5: {counted} s are counted or set aside, {reported} s were reported"))
        }
    }

    /// A transition that is not the core's own was seen.
    pub(crate) fn took(&mut self, transition: Transition) {
        self.driver.coverage().took(transition);
    }
}
