//! Standings in memory, and their verdicts at the media node.
//!
//! Whoever changed something calls [`Server::enforce`] before it answers; [`watch`] does the same for every
//! change that nobody waits for (timers, usage), and reads everything again every ten seconds (policy A20).

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, ArcSwapOption};
use fermata_billing::command::Refusal;
use fermata_billing::effect::OperationClass;
use fermata_billing::hold::HoldKind;
use fermata_billing::policy::Policy;
use fermata_billing::standing::{self, AppVerdict};
use fermata_billing::state::{AppFacts, State};
use fermata_sfu::io::Verdict;
use fermata_store::{App, Standing, StoreError};
use fermata_types::{AccountId, Now, Reason, SdkAppId};
use futures_util::stream::{self, StreamExt as _};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::limits::{
    ABSORBED_STAY_AGE_MAX, ENFORCE_RETRY, ENFORCED_AT_ONCE_MAX, STANDING_AGE_MAX,
    STANDING_REFRESH_EVERY,
};
use crate::metrics::Metric;
use crate::server::{Server, Shared};
use crate::v1::error::ApiError;

/// What is known of one account.
#[derive(Debug)]
struct Known {
    /// As it was read.
    standing: Standing,
    /// The same as facts of the core, as far as its standing goes.
    state: State,
}

impl Known {
    fn new(standing: Standing) -> Self {
        // What the functions of the standing look at, and nothing else.
        let mut state = State::default();
        state.head.epoch = standing.epoch;
        state.head.clock_offset_us = standing.clock_offset_us;
        let created_at = Timestamp::UNIX_EPOCH;
        state.apps =
            standing.apps.iter().map(|app| (*app, AppFacts { app: *app, created_at })).collect();
        state.holds = standing.holds.iter().map(|hold| (hold.id.clone(), hold.clone())).collect();
        state.reclaim = standing.reclaim.clone();
        Self { standing, state }
    }

    fn policy(&self) -> &Policy {
        &self.standing.policy
    }
}

/// The place of one account.
#[derive(Debug, Default)]
struct Slot {
    known: ArcSwapOption<Known>,
    /// Verdicts that the node was told. Held from before the books are read until the node is told, so that
    /// an older reading cannot overtake a newer one.
    told: Mutex<HashMap<SdkAppId, Verdict>>,
}

/// Standings of all accounts, read on every request, written when something changed.
#[derive(Debug, Default)]
pub struct Standings {
    accounts: ArcSwap<HashMap<AccountId, Arc<Slot>>>,
    /// Standings could not be read for too long (policy A23).
    stale: AtomicBool,
    /// Changes of the store up to this number were brought to the node, or are being tried again.
    settled: AtomicU64,
}

impl Standings {
    fn slot(&self, account: &AccountId) -> Arc<Slot> {
        if let Some(slot) = self.accounts.load().get(account) {
            return slot.clone();
        }
        let fresh = Arc::<Slot>::default();
        self.accounts.rcu(|accounts| {
            let mut accounts = HashMap::clone(accounts);
            accounts.entry(account.clone()).or_insert_with(|| fresh.clone());
            accounts
        });
        self.accounts.load().get(account).cloned().unwrap_or(fresh)
    }

    fn known(&self, account: &AccountId) -> Option<Arc<Known>> {
        self.accounts.load().get(account)?.known.load_full()
    }

    fn all(&self) -> Vec<Arc<Slot>> {
        self.accounts.load().values().cloned().collect()
    }
}

/// What the media plane must know of an application. `stale`: nobody new, whatever was last read.
fn verdict(of: &AppVerdict, app: &App, offset_us: i64, stale: bool) -> Verdict {
    // Minutes of an application without funding are paid by nobody (policy A8).
    let absorbed = of.holds.contains(&HoldKind::Unfunded);
    let mut refused = Vec::new();
    if of.cleared {
        refused.push(Reason::Cleared);
    }
    refused.extend(of.holds.iter().map(|kind| kind.rule().reason));
    // A refusal always has a reason (policy I14); this one is for what could not be read.
    if stale || (refused.is_empty() && !of.enter) {
        refused.push(Reason::Unavailable);
    }
    Verdict {
        // Both only rise, so their sum rises with each change of either.
        epoch: app.epoch.saturating_add(of.epoch),
        refused,
        inside: of.resume && !of.dismiss,
        stay_age_max: absorbed.then_some(ABSORBED_STAY_AGE_MAX),
        clock_offset: SignedDuration::from_micros(offset_us),
        default_scene: app.default_scene,
        disconnect_timeout: Duration::from_secs(u64::from(app.disconnect_timeout_s)),
    }
}

impl Server {
    /// Brings what the books of an account allow to every door. When it returns, what was committed before the
    /// call is in force: for every join that is asked for from now on, and for [`Server::allows`].
    ///
    /// # Errors
    /// [`ApiError`] if the books cannot be read or the node has stopped. What was committed stays committed,
    /// and it is tried again within ten seconds.
    pub async fn enforce(&self, account: &AccountId) -> Result<(), ApiError> {
        let slot = self.standings.slot(account);
        let mut told = slot.told.lock().await;
        let standing = self.store.standing(account.clone(), Now::read().wall).await?;
        let cleared = standing.reclaim.is_irreversible();
        self.forget_if_cleared(&standing);
        let known = Arc::new(Known::new(standing));
        slot.known.store(Some(known.clone()));
        if cleared {
            self.reload(account).await?;
        }
        self.tell(&mut told, &known).await
    }

    /// Brings an account to the doors if something was committed that did not reach them yet, so that no join that
    /// is asked for after a suspension's commit is admitted by what was allowed before (policy A20). Mostly it only
    /// compares two numbers. What cannot be read now is brought later, and the doors go by what they know (A23).
    pub async fn settle(&self, account: &AccountId) {
        let news = self.store.changed_since(self.standings.settled.load(Ordering::Acquire));
        let concerned = news.accounts.is_none_or(|accounts| accounts.contains(account));
        if concerned && let Err(error) = self.enforce(account).await {
            self.enforce_failed(account.clone(), &error);
        }
    }

    /// Is `class` allowed to an application, or to the account where none is concerned? A map read.
    ///
    /// # Errors
    /// [`Refusal::Suspended`] with all holds in force, the earliest first (policy A9, I14);
    /// [`Refusal::NotOpen`] for an account that has no books.
    pub fn allows(
        &self,
        account: &AccountId,
        app: Option<SdkAppId>,
        class: OperationClass,
    ) -> Result<(), Refusal> {
        let known = self.standings.known(account).ok_or(Refusal::NotOpen)?;
        if standing::allows(&known.state, known.policy(), class, app) {
            return Ok(());
        }
        let holds = standing::effective(&known.state, app).into_iter().cloned().collect();
        Err(Refusal::Suspended { class, holds, cleared: known.state.reclaim.is_irreversible() })
    }

    /// Reads all standings and brings them to the node; once, before serving.
    ///
    /// # Errors
    /// [`ApiError`] if they cannot be read or the node has stopped.
    pub async fn enforce_all(&self) -> Result<(), ApiError> {
        let all = self.store.load_standings(Now::read().wall).await?;
        // An earlier run may have ended before it was done.
        for standing in &all {
            self.forget_if_cleared(standing);
        }
        let slots = all.iter().map(|standing| {
            let slot = Slot::default();
            slot.known.store(Some(Arc::new(Known::new(standing.clone()))));
            (standing.account.clone(), Arc::new(slot))
        });
        self.standings.accounts.store(Arc::new(slots.collect()));
        let failed = self.refresh_with(all).await;
        if failed.is_empty() { Ok(()) } else { Err(ApiError::Unavailable) }
    }

    /// Tells the node what it does not know yet.
    async fn tell(
        &self,
        told: &mut HashMap<SdkAppId, Verdict>,
        known: &Known,
    ) -> Result<(), ApiError> {
        let stale = self.standings.stale.load(Ordering::Relaxed);
        let offset_us = known.standing.clock_offset_us;
        for of in standing::verdicts(&known.state, known.policy()) {
            // An application that is being made is told by whoever makes it.
            let Some(app) = self.directory.app(of.app) else { continue };
            let mut verdict = verdict(&of, &app.app, offset_us, stale);
            if known.policy().unfunded_billed {
                verdict.stay_age_max = None;
            }
            if told.get(&of.app) == Some(&verdict) {
                continue;
            }
            let telling = self.node.set_verdict(of.app, verdict.clone());
            telling.await.map_err(|_| ApiError::Unavailable)?;
            told.insert(of.app, verdict);
            self.metrics.add(Metric::VerdictsTold, 1);
        }
        Ok(())
    }

    /// Clearing takes service logs away (policy T21); those of monitoring and callbacks have databases of their own.
    fn forget_if_cleared(&self, standing: &Standing) {
        if standing.reclaim.is_irreversible() {
            self.recorder.forget(standing.apps.iter().copied());
            self.callbacks.forget(standing.apps.iter().copied());
        }
    }

    /// Clearing takes keys, callbacks, tokens and secret pairs away in the store (policy T21); the directory
    /// follows.
    async fn reload(&self, account: &AccountId) -> Result<(), ApiError> {
        for app in self.directory.apps() {
            let id = app.app.sdk_app_id;
            if app.app.account != *account {
                continue;
            }
            match self.store.app_with_keys(id).await {
                Ok(stored) => self.directory.put_app(&stored),
                Err(StoreError::NotFound { .. }) => self.directory.drop_app(id),
                Err(error) => return Err(error.into()),
            }
            if self.directory.callbacks(id).is_some() {
                match self.store.callbacks(id).await {
                    Ok(stored) => self.directory.put_callbacks(id, stored),
                    Err(StoreError::NotFound { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        let secrets = self.store.list_secrets(account.clone()).await?;
        self.directory.keep_secrets(account, |id| {
            secrets.iter().any(|secret| secret.secret_id == id && secret.revoked_at.is_none())
        });
        let stored = self.store.list_api_tokens().await?;
        self.directory.keep_tokens(account, |id| stored.iter().any(|token| token.id == *id));
        Ok(())
    }

    /// Takes in what was read of all accounts. Returns those whose standing could not be brought to the node.
    async fn refresh_with(&self, all: Vec<Standing>) -> BTreeSet<AccountId> {
        let refreshed = stream::iter(all).map(|standing| async move {
            let account = standing.account.clone();
            let slot = self.standings.slot(&account);
            let same = slot.known.load().as_ref().is_some_and(|k| k.standing == standing);
            let result = if same {
                let mut told = slot.told.lock().await;
                match slot.known.load_full() {
                    Some(known) => self.tell(&mut told, &known).await,
                    None => Ok(()),
                }
            } else {
                self.enforce(&account).await
            };
            result.err().map(|error| self.enforce_failed(account, &error))
        });
        let failed = refreshed.buffer_unordered(ENFORCED_AT_ONCE_MAX);
        failed.filter_map(|failed| async { failed }).collect().await
    }

    fn enforce_failed(&self, account: AccountId, error: &ApiError) -> AccountId {
        self.metrics.add(Metric::EnforceFailures, 1);
        tracing::warn!(%account, %error, "A standing cannot be brought to the node; it is tried again.");
        account
    }

    /// Brings these accounts to the node; returns those with which it failed.
    async fn enforce_each(&self, accounts: BTreeSet<AccountId>) -> BTreeSet<AccountId> {
        let each = stream::iter(accounts).map(|account| async move {
            let result = self.enforce(&account).await;
            result.err().map(|error| self.enforce_failed(account, &error))
        });
        let failed = each.buffer_unordered(ENFORCED_AT_ONCE_MAX);
        failed.filter_map(|failed| async { failed }).collect().await
    }

    /// Standings are too old to admit by, or fresh again: every verdict is told anew.
    async fn set_stale(&self, stale: bool) {
        if self.standings.stale.swap(stale, Ordering::Relaxed) == stale {
            return;
        }
        self.metrics.set(Metric::StandingStale, u64::from(stale));
        if stale {
            tracing::error!("Standings cannot be read for too long; newcomers are refused.");
        } else {
            tracing::info!("Standings can be read again.");
        }
        for slot in self.standings.all() {
            let mut told = slot.told.lock().await;
            if let Some(known) = slot.known.load_full() {
                // If the node does not take it, the next refresh tells it.
                let _ = self.tell(&mut told, &known).await;
            }
        }
    }
}

/// Brings every change of an account's epoch to the node, for ever, and all standings every ten seconds.
/// `since` is the number of the last change that [`Server::enforce_all`] saw.
pub async fn watch(shared: Shared, since: u64) {
    let mut watcher = Watcher {
        changes: shared.store.changes(),
        shared,
        since,
        pending: BTreeSet::new(),
        read_at: Now::read().instant,
    };
    let mut ticks = interval(STANDING_REFRESH_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    while watcher.take_news().await {
        tokio::select! {
            changed = watcher.changes.changed() => if changed.is_err() { return },
            _ = ticks.tick() => watcher.refresh().await,
            () = sleep(ENFORCE_RETRY), if !watcher.pending.is_empty() => {}
        }
    }
}

struct Watcher {
    shared: Shared,
    changes: tokio::sync::watch::Receiver<u64>,
    /// Number of the last change that was taken in.
    since: u64,
    /// Accounts whose standing is not at the node yet.
    pending: BTreeSet<AccountId>,
    /// When all standings were last read.
    read_at: Instant,
}

impl Watcher {
    /// False when the server stops.
    async fn take_news(&mut self) -> bool {
        let news = self.shared.store.changed_since(self.since);
        self.since = news.upto;
        let Some(accounts) = news.accounts else {
            self.refresh().await;
            self.settled();
            return !self.shared.is_stopping();
        };
        self.pending.extend(accounts);
        if !self.pending.is_empty() {
            let pending = std::mem::take(&mut self.pending);
            self.pending = self.shared.enforce_each(pending).await;
            self.settled();
            // What changed is mostly told to people as well.
            self.shared.outbox_bell.notify_one();
        }
        !self.shared.is_stopping()
    }

    fn settled(&self) {
        self.shared.standings.settled.fetch_max(self.since, Ordering::Release);
    }

    async fn refresh(&mut self) {
        let now = Now::read();
        match self.shared.store.load_standings(now.wall).await {
            Ok(all) => {
                self.read_at = now.instant;
                self.shared.set_stale(false).await;
                let failed = self.shared.refresh_with(all).await;
                self.pending.extend(failed);
            }
            Err(error) => {
                self.shared.metrics.add(Metric::StandingRefreshFailures, 1);
                tracing::warn!(%error, "Standings cannot be read.");
                if now.instant.saturating_duration_since(self.read_at) > STANDING_AGE_MAX {
                    self.shared.set_stale(true).await;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
