//! The books of the model: maps, and a journal that is a list.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fermata_billing::Outcome as Done;
use fermata_billing::catalog::Catalog;
use fermata_billing::command::UsageDelta;
use fermata_billing::id::{BillId, PartnerId};
use fermata_billing::journal::{DataClass, JournalRow, Record, RecordKind};
use fermata_billing::money::Money;
use fermata_billing::notice::Delivery;
use fermata_billing::policy::Agreement;
use fermata_billing::state::{Change, DayUse, Item, ItemKey, State as BookState};
use fermata_types::{AccountId, NodeId, ParticipantSid, SdkAppId, Sku, StayOpened};
use jiff::Timestamp;

use super::Outcome;
use super::state::State;
use crate::books::{KeptAnswer, Reevaluation, Shelf, logs_end, wall_due};
use crate::limits::{NODE_QUIET_MAX, ONCE_KEPT, ONCE_PER_SCOPE_MAX, OUTBOX_DEAD_MAX};
use crate::rules::cleared;
use crate::{Account, AppWithKeys, Once, OutboxItem, OutboxLen, Partner, SecretKey, TokenRole};

/// The books of one account.
#[derive(Debug, Default)]
pub(super) struct Book {
    pub(super) state: BookState,
    pub(super) journal: Vec<JournalRow>,
    /// Items that are not part of the working set.
    pub(super) looked_up: BTreeMap<(&'static str, String), Item>,
    pub(super) due: Option<Timestamp>,
}

impl Book {
    pub(super) fn closed_days(&self) -> impl Iterator<Item = DayUse> {
        self.looked_up.values().filter_map(|item| match item {
            Item::ClosedDay(day) => Some(day.clone()),
            _ => None,
        })
    }

    pub(super) fn credited(&self) -> impl Iterator<Item = (BillId, Money)> {
        self.looked_up.values().filter_map(|item| match item {
            Item::Credited(bill, amount) => Some((bill.clone(), *amount)),
            _ => None,
        })
    }
}

#[derive(Debug)]
struct Parcel {
    account: AccountId,
    delivery: Delivery,
    due: Timestamp,
    attempts: u32,
    dead: bool,
}

/// A kept answer: the request's hash, the answer, when it was given.
type Answer = ([u8; 32], Vec<u8>, Timestamp);

/// All books, and what is not of one account.
#[derive(Debug)]
pub(super) struct Library {
    pub(super) books: BTreeMap<AccountId, Book>,
    outbox: BTreeMap<String, Parcel>,
    once: BTreeMap<(String, String), Answer>,
    waiting: BTreeMap<(AccountId, SdkAppId, Sku, Timestamp), i64>,
    pub(super) catalog: Arc<Catalog>,
    pub(super) partners: BTreeMap<PartnerId, Partner>,
    pub(super) agreements: BTreeMap<PartnerId, Arc<Agreement>>,
    pub(super) switches: BTreeMap<&'static str, bool>,
    reevaluations: BTreeMap<(Timestamp, PartnerId, u32), Reevaluation>,
    /// Accounts whose epoch changed in the call under way.
    pub(super) changed: Vec<AccountId>,
}

impl Default for Library {
    fn default() -> Self {
        Self {
            books: BTreeMap::new(),
            outbox: BTreeMap::new(),
            once: BTreeMap::new(),
            waiting: BTreeMap::new(),
            catalog: Arc::new(Catalog::default_catalog()),
            partners: BTreeMap::new(),
            agreements: BTreeMap::new(),
            switches: BTreeMap::new(),
            reevaluations: BTreeMap::new(),
            changed: Vec::new(),
        }
    }
}

impl Library {
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        let timers = self.books.values().filter_map(|book| book.due);
        let work = self.reevaluations.keys().next().map(|(due, ..)| *due);
        timers.chain(work).min()
    }

    pub(super) fn claim(
        &mut self,
        wall: Timestamp,
        limit: u32,
        lease: Duration,
    ) -> Vec<OutboxItem> {
        let mut due: Vec<_> = self
            .outbox
            .iter()
            .filter(|(_, parcel)| !parcel.dead && parcel.due <= wall)
            .map(|(id, parcel)| (parcel.due, id.clone()))
            .collect();
        due.sort();
        due.truncate(limit as usize);
        let mut items = Vec::with_capacity(due.len());
        for (_, id) in due {
            let Some(parcel) = self.outbox.get_mut(&id) else { continue };
            parcel.due = wall.saturating_add(lease).unwrap_or(Timestamp::MAX);
            parcel.attempts += 1;
            let (account, delivery) = (parcel.account.clone(), parcel.delivery.clone());
            items.push(OutboxItem { id, account, delivery, attempts: parcel.attempts });
        }
        items
    }

    pub(super) fn delivered(&mut self, id: &str) {
        self.outbox.remove(id);
    }

    pub(super) fn failed(&mut self, id: &str, retry_at: Option<Timestamp>) {
        let Some(parcel) = self.outbox.get_mut(id) else { return };
        if parcel.dead {
            return;
        }
        match retry_at {
            Some(at) => parcel.due = at,
            None => parcel.dead = true,
        }
        let mut dead: Vec<_> = self
            .outbox
            .iter()
            .filter(|(_, parcel)| parcel.dead)
            .map(|(id, parcel)| (parcel.due, id.clone()))
            .collect();
        dead.sort_by(|a, b| b.cmp(a));
        for (_, id) in dead.into_iter().skip(OUTBOX_DEAD_MAX as usize) {
            self.outbox.remove(&id);
        }
    }

    pub(super) fn len(&self) -> OutboxLen {
        let dead = self.outbox.values().filter(|parcel| parcel.dead).count() as u64;
        OutboxLen { waiting: self.outbox.len() as u64 - dead, dead }
    }
}

impl State {
    fn clear(&mut self, account: &AccountId, state: &BookState, class: DataClass) -> Outcome<()> {
        let own = self.apps.values_mut().filter(|app| app.app.account == *account);
        match class {
            DataClass::Configuration => {
                for app in own {
                    self.callbacks.remove(&app.app.sdk_app_id);
                    app.app = cleared(app.app.clone());
                }
                let theirs = TokenRole::Customer { account: account.clone() };
                self.tokens.retain(|_, token| token.role != theirs);
                self.clear_console_users(account);
            }
            DataClass::Authorisations => {
                for app in own {
                    app.api_keys.clear();
                    app.usersig_key = SecretKey::generate()?.to_text();
                    app.app.epoch += 1;
                }
                self.secrets.retain(|_, secret| secret.account != *account);
            }
            DataClass::ServiceLogs => self.clear_logs(state)?,
            DataClass::Recordings | DataClass::Packages => {}
        }
        Ok(())
    }

    fn clear_logs(&mut self, state: &BookState) -> Outcome<()> {
        let Some(profile) = &state.profile else { return Ok(()) };
        let before = logs_end(profile)?;
        let ended = |stay: &ParticipantSid| self.ends.get(stay).is_some_and(|(at, _)| *at < before);
        let young = |stay: &ParticipantSid| {
            self.windows.keys().any(|(owner, start)| owner == stay && *start >= before)
        };
        let own = |(_, opened): &&(NodeId, StayOpened)| state.apps.contains_key(&opened.app);
        let doomed: Vec<_> = self
            .stays
            .values()
            .filter(own)
            .map(|(_, opened)| opened.stay.clone())
            .filter(|stay| ended(stay) && !young(stay))
            .collect();
        for stay in doomed {
            self.stays.remove(&stay);
            self.ends.remove(&stay);
            self.windows.retain(|(owner, _), _| *owner != stay);
            self.quarantine.retain(|(_, owner, ..), _| *owner != stay);
        }
        Ok(())
    }
}

impl Shelf for State {
    fn take(&mut self, account: &AccountId) -> Outcome<BookState> {
        let book = self.library.books.get_mut(account);
        Ok(book.map(|book| std::mem::take(&mut book.state)).unwrap_or_default())
    }

    fn put_back(&mut self, account: &AccountId, state: BookState) {
        if state.profile.is_some() {
            self.library.books.entry(account.clone()).or_default().state = state;
        }
    }

    fn save(
        &mut self,
        account: &AccountId,
        state: &BookState,
        done: &Done,
        wall: Timestamp,
    ) -> Outcome<()> {
        let book = self.library.books.entry(account.clone()).or_default();
        for change in &done.changes {
            let key = change.key();
            if !matches!(key, ItemKey::ClosedDay(_) | ItemKey::Credited(_)) {
                continue;
            }
            match change {
                Change::Put(item) => book.looked_up.insert(key.text(), item.clone()),
                Change::Drop(_) => book.looked_up.remove(&key.text()),
            };
        }
        book.journal.extend(done.journal.iter().cloned());
        book.due = wall_due(state);
        for delivery in &done.outbox {
            self.library.outbox.entry(delivery.id.clone()).or_insert_with(|| Parcel {
                account: account.clone(),
                delivery: delivery.clone(),
                due: wall,
                attempts: 0,
                dead: false,
            });
        }
        for class in &done.deletions {
            self.clear(account, state, *class)?;
        }
        if done.epoch_changed || !done.deletions.is_empty() {
            self.library.changed.push(account.clone());
        }
        Ok(())
    }

    fn first_due(&self, wall: Timestamp) -> Outcome<Option<AccountId>> {
        let due = self.library.books.iter().filter_map(|(id, book)| Some((book.due?, id)));
        Ok(due.filter(|(due, _)| *due <= wall).min().map(|(_, id)| id.clone()))
    }

    fn set_due(&mut self, account: &AccountId, wall_due: Option<Timestamp>) -> Outcome<()> {
        if let Some(book) = self.library.books.get_mut(account) {
            book.due = wall_due;
        }
        Ok(())
    }

    fn catalog(&mut self) -> Outcome<Arc<Catalog>> {
        Ok(Arc::clone(&self.library.catalog))
    }

    fn put_catalog(&mut self, catalog: Catalog) -> Outcome<()> {
        self.library.catalog = Arc::new(catalog);
        Ok(())
    }

    fn agreement(&mut self, partner: &PartnerId) -> Outcome<Arc<Agreement>> {
        let known = self.library.agreements.get(partner).cloned();
        Ok(known.unwrap_or_else(|| Arc::new(Agreement::new(partner.clone()))))
    }

    fn put_agreement(&mut self, agreement: Agreement) -> Outcome<()> {
        self.library.agreements.insert(agreement.partner.clone(), Arc::new(agreement));
        Ok(())
    }

    fn has_partner(&self, partner: &PartnerId) -> Outcome<bool> {
        Ok(self.library.partners.contains_key(partner))
    }

    fn accounts_of(
        &self,
        partner: &PartnerId,
        after: Option<&AccountId>,
        limit: usize,
    ) -> Outcome<Vec<AccountId>> {
        let of_partner = |book: &Book| {
            let profile = book.state.profile.as_ref();
            profile.and_then(|profile| profile.partner.as_ref()) == Some(partner)
        };
        let books = self.library.books.iter();
        let ids = books.filter(|(id, book)| Some(*id) > after && of_partner(book));
        Ok(ids.map(|(id, _)| id.clone()).take(limit).collect())
    }

    fn reevaluation(&self, wall: Timestamp) -> Outcome<Option<Reevaluation>> {
        let first = self.library.reevaluations.values().next();
        Ok(first.filter(|work| work.due <= wall).cloned())
    }

    fn put_reevaluation(&mut self, work: Reevaluation) -> Outcome<()> {
        let key = (work.due, work.partner.clone(), work.version);
        self.library.reevaluations.insert(key, work);
        Ok(())
    }

    fn drop_reevaluation(&mut self, work: &Reevaluation) -> Outcome<()> {
        self.library.reevaluations.remove(&(work.due, work.partner.clone(), work.version));
        Ok(())
    }

    fn switch(&mut self, name: &'static str) -> Outcome<bool> {
        Ok(self.library.switches.get(name).copied().unwrap_or(false))
    }

    fn item(&self, account: &AccountId, key: &ItemKey) -> Outcome<Option<Item>> {
        let book = self.library.books.get(account);
        Ok(book.and_then(|book| book.looked_up.get(&key.text()).cloned()))
    }

    fn record(&self, account: &AccountId, kind: RecordKind, id: &str) -> Outcome<Option<Record>> {
        let rows = self.library.books.get(account).into_iter().flat_map(|book| &book.journal);
        let mut records = rows.map(|row| &row.record);
        Ok(records.find(|record| record.kind() == kind && record.id() == Some(id)).cloned())
    }

    fn payment_elsewhere(&self, account: &AccountId, provider_ref: &str) -> Outcome<bool> {
        let mut others = self.library.books.keys().filter(|id| *id != account);
        Ok(others
            .any(|id| matches!(self.record(id, RecordKind::Payment, provider_ref), Ok(Some(_)))))
    }

    fn watermark(&self, wall: Timestamp) -> Outcome<Timestamp> {
        let quiet = wall.saturating_sub(NODE_QUIET_MAX).unwrap_or(Timestamp::MIN);
        let open = |node: &_| {
            self.stays.values().any(|(by, stay)| by == node && !self.ends.contains_key(&stay.stay))
        };
        let reported = |node: &_| self.reported.get(node).is_some_and(|at| *at >= quiet);
        let marks = self.watermarks.iter().filter(|(node, _)| reported(*node) || open(*node));
        Ok(marks.map(|(_, mark)| *mark).min().unwrap_or(Timestamp::MAX))
    }

    fn recall(&self, once: &Once) -> Outcome<Option<KeptAnswer>> {
        let known = self.library.once.get(&(once.scope.clone(), once.key.clone()));
        Ok(known.map(|(hash, answer, _)| (*hash, answer.clone())))
    }

    fn remember(&mut self, once: &Once, answer: &[u8], wall: Timestamp) -> Outcome<()> {
        let kept = &mut self.library.once;
        let oldest = wall.saturating_sub(ONCE_KEPT).unwrap_or(Timestamp::MIN);
        kept.retain(|_, (.., at)| *at >= oldest);
        let own = kept.iter().filter(|((scope, _), _)| *scope == once.scope);
        let mut ages: Vec<_> = own.map(|(key, (.., at))| (*at, key.clone())).collect();
        ages.sort();
        if ages.len() >= ONCE_PER_SCOPE_MAX
            && let Some((_, key)) = ages.first()
        {
            kept.remove(key);
        }
        let key = (once.scope.clone(), once.key.clone());
        kept.insert(key, (once.request_hash, answer.to_vec(), wall));
        Ok(())
    }

    fn take_waiting(&mut self, account: &AccountId) -> Outcome<Vec<UsageDelta>> {
        let own = self.library.waiting.keys().filter(|(owner, ..)| owner == account);
        let keys: Vec<_> = own.cloned().collect();
        let mut deltas = Vec::with_capacity(keys.len());
        for key in keys {
            let Some(seconds) = self.library.waiting.remove(&key) else { continue };
            let (_, app, sku, at) = key;
            deltas.push(UsageDelta { app, sku, at, seconds });
        }
        Ok(deltas)
    }

    fn keep_waiting(&mut self, account: &AccountId, deltas: &[UsageDelta]) -> Outcome<()> {
        for delta in deltas {
            let key = (account.clone(), delta.app, delta.sku, delta.at);
            *self.library.waiting.entry(key).or_default() += delta.seconds;
        }
        Ok(())
    }

    fn accounts_waiting(&self, limit: usize) -> Outcome<Vec<AccountId>> {
        let mut ids: Vec<_> = self.library.waiting.keys().map(|(id, ..)| id.clone()).collect();
        ids.dedup();
        ids.truncate(limit);
        Ok(ids)
    }

    fn account_row(&self, id: &AccountId) -> Outcome<Option<Account>> {
        Ok(self.accounts.get(id).cloned())
    }

    fn insert_account(&mut self, account: &Account) -> Outcome<()> {
        self.accounts.insert(account.id.clone(), account.clone());
        Ok(())
    }

    fn app_known(&self, app: &AppWithKeys) -> Outcome<bool> {
        self.known_app(app)
    }

    fn insert_app(&mut self, app: &AppWithKeys) -> Outcome<()> {
        self.apps.insert(app.app.sdk_app_id, app.clone());
        Ok(())
    }
}
