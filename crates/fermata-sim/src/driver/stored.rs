//! A store with its own books: the in-memory model, or SQLite with the process dying at crash points.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use fermata_billing::catalog::Catalog;
use fermata_billing::command::{Actor, Answer, Command, OpenAccount, Refusal};
use fermata_billing::journal::JournalRow;
use fermata_billing::policy::Policy;
use fermata_billing::state::State;
use fermata_billing::transition::Transition;
use fermata_store::{
    Account, ApiKey, App, AppWithKeys, BillingCall, CheckReport, ClockTarget, Fired, MemoryStore,
    Once, Partner, RECLAIM_SWEEP, SqliteOptions, SqliteStore, Store, StoreError,
};
use fermata_types::{
    AccountId, NodeId, ParticipantSid, Role, RoomName, RoomSid, Scene, SdkAppId, StayOpened,
    UsageBatch, UsageWindow,
};
use jiff::{SignedDuration, Timestamp};
use tokio::runtime::Runtime;

use super::{Batch, Driver};
use crate::coverage::{Coverage, CrashPoint};
use crate::terms::{PARTNERS, policy};
use crate::world::{first_variant, partner_id};
use crate::{Fallible, text};

/// Rows of the journal that are read at once.
const PAGE: u32 = 1_000;
/// Timers that one look fires.
const FIRED_MAX: u32 = 20_000;

/// The driver over a [`Store`].
pub(crate) struct Stored {
    store: Box<dyn Store>,
    /// Where the data is, if it outlives the store.
    folder: Option<PathBuf>,
    runtime: Runtime,
    ids: BTreeMap<usize, AccountId>,
    states: BTreeMap<usize, State>,
    seen: BTreeMap<usize, u64>,
    last: Timestamp,
    /// Nodes that reported, if nothing waits for nodes: they promise all there is up to now, always.
    promising: BTreeSet<NodeId>,
    calls: u64,
    coverage: Coverage,
}

fn sqlite(folder: &Path) -> Fallible<Box<dyn Store>> {
    let mut options = SqliteOptions::in_dir(folder).map_err(text)?;
    options.batch_wait = std::time::Duration::ZERO;
    Ok(Box::new(SqliteStore::open(options).map_err(text)?))
}

impl Stored {
    /// A store with the world's catalog and partners; in `folder`, or in memory.
    pub(crate) fn new(
        folder: Option<&Path>,
        catalog: &Catalog,
        start: Timestamp,
    ) -> Fallible<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(text)?;
        let store = match folder {
            Some(folder) => sqlite(folder)?,
            None => Box::new(MemoryStore::new()),
        };
        let stored = Self {
            store,
            folder: folder.map(Path::to_path_buf),
            runtime,
            ids: BTreeMap::new(),
            states: BTreeMap::new(),
            seen: BTreeMap::new(),
            last: start,
            promising: BTreeSet::new(),
            calls: 0,
            coverage: Coverage::default(),
        };
        let begin = start.saturating_sub(SignedDuration::from_hours(24 * 60)).map_err(text)?;
        for version in catalog.versions().iter().skip(1) {
            let added = stored.store.add_catalog_version(version.draft(), begin, Actor::system());
            stored.runtime.block_on(added).map_err(text)?;
        }
        for partner in 0..PARTNERS {
            let id = partner_id(partner);
            let known = Partner { id: id.clone(), name: "A partner".to_owned(), created_at: begin };
            stored.runtime.block_on(stored.store.put_partner(known)).map_err(text)?;
            let terms = policy(first_variant(partner));
            let put = stored.store.put_agreement(id, terms, None, begin, Actor::system());
            stored.runtime.block_on(put).map_err(text)?;
        }
        stored.runtime.block_on(stored.store.set_switch(RECLAIM_SWEEP, true)).map_err(text)?;
        Ok(stored)
    }

    fn id(&self, account: usize) -> Fallible<AccountId> {
        self.ids.get(&account).cloned().ok_or_else(|| format!("there is no account {account}"))
    }

    /// The process ends and begins again; what was acknowledged is on the disk.
    fn restart(&mut self) -> Fallible<()> {
        let Some(folder) = self.folder.clone() else { return Ok(()) };
        self.runtime.block_on(self.store.close()).map_err(text)?;
        self.store = Box::new(MemoryStore::new());
        self.store = sqlite(&folder)?;
        Ok(())
    }

    fn took(&mut self, transitions: &[Transition]) {
        for transition in transitions {
            self.coverage.took(*transition);
        }
    }

    fn fired(&mut self, fired: &[Fired]) {
        for one in fired {
            self.took(&one.transitions);
        }
    }

    fn sound(report: &CheckReport) -> Fallible<()> {
        report.problems.first().map_or(Ok(()), |problem| Err(format!("the store says: {problem}")))
    }
}

impl Driver for Stored {
    fn open(
        &mut self,
        account: usize,
        terms: &OpenAccount,
        apps: &[SdkAppId],
        wall: Timestamp,
    ) -> Fallible<()> {
        let id = terms.account.clone();
        self.ids.insert(account, id.clone());
        self.last = wall;
        let row = Account { id: id.clone(), name: "An account".to_owned(), created_at: wall };
        let opened = self.store.open_account(row, terms.clone(), wall, Actor::system(), None);
        self.runtime.block_on(opened).map_err(text)?;
        for app in apps {
            self.create(&id, *app, &Actor::system(), wall)?.map_err(text)?;
        }
        Ok(())
    }

    fn look(&mut self, account: usize, wall: Timestamp) -> Fallible<()> {
        // Refused, and what is due has fired by then.
        let command = Command::Unsubscribe { name: "nobody".to_owned() };
        self.call(account, &command, &Actor::system(), wall, None).map(drop)
    }

    fn call(
        &mut self,
        account: usize,
        command: &Command,
        actor: &Actor,
        wall: Timestamp,
        crash: Option<CrashPoint>,
    ) -> Fallible<Result<Answer, Refusal>> {
        self.last = wall;
        self.heartbeat(wall)?;
        let id = self.id(account)?;
        if let Command::CreateApp { app } = command {
            return self.create(&id, *app, actor, wall);
        }
        if matches!(command, Command::Usage { .. }) && !self.sandbox(account, wall)? {
            return Err("usage of live accounts comes through nodes only".to_owned());
        }
        self.calls += 1;
        let once = Once {
            scope: "simulator".to_owned(),
            key: format!("call {}", self.calls),
            request_hash: [7; 32],
        };
        let call = BillingCall {
            account: id,
            command: command.clone(),
            actor: actor.clone(),
            wall,
            once: Some(once),
        };
        let again = crash.is_some_and(|point| {
            matches!(point, CrashPoint::AfterCommit | CrashPoint::PaymentTwice)
        });
        let first = self.runtime.block_on(self.store.bill(call.clone()));
        if again {
            self.restart()?;
        }
        if let Some(point) = crash {
            self.coverage.reached(point);
        }
        match first {
            Ok(billed) => {
                self.fired(&billed.fired);
                self.took(&billed.transitions);
                if again {
                    let second = self.runtime.block_on(self.store.bill(call)).map_err(text)?;
                    if second.answer != billed.answer || !second.replayed {
                        return Err("P12: the same call is answered in two ways".to_owned());
                    }
                }
                Ok(Ok(billed.answer))
            }
            Err(StoreError::Refused(refusal)) => {
                if *refusal == Refusal::Final {
                    self.coverage.took(Transition::T15);
                }
                Ok(Err(*refusal))
            }
            Err(other) => Err(other.to_string()),
        }
    }

    fn batch(&mut self, batch: &Batch, wall: Timestamp, crash: Option<CrashPoint>) -> Fallible<()> {
        self.last = wall;
        let stay = |number: u64| ParticipantSid::from_text(&format!("PA_{number}"));
        let opened = batch.windows.iter().map(|window| StayOpened {
            stay: stay(window.stay),
            app: window.app,
            room: RoomName::Integer(1),
            room_sid: RoomSid::from_text("RM_1"),
            identity: format!("user {}", window.stay),
            scene: Scene::Call,
            role: Role::Anchor,
            entered_at: window.entered,
        });
        let windows = batch.windows.iter().map(|window| UsageWindow {
            stay: stay(window.stay),
            sku: window.sku,
            window_start: window.start,
            seconds: u32::try_from(window.seconds).unwrap_or(1).max(1),
        });
        let node = NodeId::from_text(&format!("ND_{}", batch.node));
        if batch.mark == Timestamp::MAX {
            self.promising.insert(node.clone());
        }
        let batch = UsageBatch {
            node,
            opened: opened.take(1).collect(),
            windows: windows.collect(),
            closed: Vec::new(),
            watermark: batch.mark.min(wall),
        };
        self.heartbeat(wall)?;
        self.runtime.block_on(self.store.intake(batch.clone(), wall)).map_err(text)?;
        if crash == Some(CrashPoint::AfterCommit) {
            self.restart()?;
            self.coverage.reached(CrashPoint::AfterCommit);
            self.runtime.block_on(self.store.intake(batch, wall)).map_err(text)?;
        }
        Ok(())
    }

    fn clock(&mut self, account: usize, by: SignedDuration, wall: Timestamp) -> Fallible<()> {
        self.last = wall;
        self.heartbeat(wall)?;
        let (id, by) = (self.id(account)?, ClockTarget::By(by));
        let advanced = self.store.advance_clock(id, by, wall, Actor::system(), None);
        let advanced = self.runtime.block_on(advanced).map_err(text)?;
        self.fired(&advanced.fired);
        Ok(())
    }

    fn poll(&mut self, wall: Timestamp, crash: Option<CrashPoint>) -> Fallible<()> {
        self.last = wall;
        self.heartbeat(wall)?;
        // A crash between timers: a few are committed, then the process dies.
        let first = if crash == Some(CrashPoint::BetweenTimers) { 2 } else { FIRED_MAX };
        let mut limit = first;
        loop {
            let fired = self.runtime.block_on(self.store.fire_due(wall, limit)).map_err(text)?;
            self.fired(&fired);
            if let Some(point) = crash.filter(|_| !fired.is_empty()) {
                self.coverage.reached(point);
                self.restart()?;
            }
            if u32::try_from(fired.len()).unwrap_or(u32::MAX) < limit {
                return Ok(());
            }
            limit = FIRED_MAX;
        }
    }

    fn sweep(&mut self, on: bool) -> Fallible<()> {
        self.runtime.block_on(self.store.set_switch(RECLAIM_SWEEP, on)).map_err(text)
    }

    fn terms(&mut self, partner: usize, policy: &Policy, wall: Timestamp) -> Fallible<()> {
        self.last = wall;
        let id = partner_id(partner);
        let put = self.store.put_agreement(id, policy.clone(), None, wall, Actor::system());
        self.runtime.block_on(put).map(drop).map_err(text)
    }

    fn state(&mut self, account: usize) -> Fallible<&State> {
        let id = self.id(account)?;
        let books = self.runtime.block_on(self.store.books(id, self.last)).map_err(text)?;
        self.states.insert(account, books.state);
        self.states.get(&account).ok_or_else(|| "no books".to_owned())
    }

    fn rows(&mut self, account: usize) -> Fallible<Vec<JournalRow>> {
        let id = self.id(account)?;
        let mut rows = Vec::new();
        loop {
            let after = self.seen.get(&account).copied().unwrap_or(0);
            let page = self.store.journal(id.clone(), &[], &[], after, PAGE);
            let page = self.runtime.block_on(page).map_err(text)?;
            let Some(last) = page.last() else { return Ok(rows) };
            self.seen.insert(account, last.seq);
            rows.extend(page);
        }
    }

    fn verify(&mut self) -> Fallible<()> {
        Self::sound(&self.runtime.block_on(self.store.verify()).map_err(text)?)?;
        Self::sound(&self.runtime.block_on(self.store.check()).map_err(text)?)?;
        self.runtime.block_on(self.store.close()).map_err(text)
    }

    fn coverage(&mut self) -> &mut Coverage {
        &mut self.coverage
    }
}

impl Stored {
    /// Nodes for which nothing waits say that all there is up to now has been sent.
    fn heartbeat(&mut self, wall: Timestamp) -> Fallible<()> {
        for node in &self.promising {
            let nothing = UsageBatch {
                node: node.clone(),
                opened: Vec::new(),
                windows: Vec::new(),
                closed: Vec::new(),
                watermark: wall,
            };
            self.runtime.block_on(self.store.intake(nothing, wall)).map_err(text)?;
        }
        Ok(())
    }

    fn sandbox(&mut self, account: usize, wall: Timestamp) -> Fallible<bool> {
        self.last = wall;
        Ok(self.state(account)?.profile.as_ref().is_some_and(|profile| profile.sandbox))
    }

    fn create(
        &mut self,
        account: &AccountId,
        app: SdkAppId,
        actor: &Actor,
        wall: Timestamp,
    ) -> Fallible<Result<Answer, Refusal>> {
        let key = ApiKey { key: format!("API{app}"), secret: "s".repeat(40), created_at: wall };
        let row = App {
            sdk_app_id: app,
            account: account.clone(),
            name: "An application".to_owned(),
            default_scene: Scene::Call,
            disconnect_timeout_s: 90,
            private_map_required: false,
            created_at: wall,
            epoch: 0,
        };
        let app = AppWithKeys { app: row, usersig_key: "k".repeat(40), api_keys: vec![key] };
        match self.runtime.block_on(self.store.create_app(app, wall, actor.clone(), None)) {
            // It is there: the books say so too, and do nothing.
            Ok(_) | Err(StoreError::Exists { .. }) => Ok(Ok(Answer::Done)),
            Err(StoreError::Refused(refusal)) => Ok(Err(*refusal)),
            Err(other) => Err(other.to_string()),
        }
    }
}
