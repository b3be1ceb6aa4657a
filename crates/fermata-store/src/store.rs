//! The seam: coarse commands, each one transaction.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use fermata_billing::catalog::{Catalog, CatalogDraft, CatalogVersion};
use fermata_billing::command::{Actor, OpenAccount};
use fermata_billing::id::PartnerId;
use fermata_billing::journal::{JournalRow, PostingKind, Record, RecordKind};
use fermata_billing::policy::{Agreement, AgreementVersion, Policy};
use fermata_billing::state::DayUse;
use fermata_types::{
    AccountId, ConsoleUserId, NodeId, ParticipantSid, RoomName, SdkAppId, TokenId, UsageBatch,
};
use jiff::{Timestamp, civil::Date};
use tokio::sync::watch;

use crate::{
    Account, Advanced, ApiKey, ApiSecret, ApiToken, App, AppCallbacks, AppChange, AppWithKeys,
    Billed, BillingCall, Books, Changed, CheckReport, ClockTarget, ConsoleSession, ConsoleUser,
    ConsoleUserChange, DayUsage, Fired, Once, OutboxItem, OutboxLen, Partner, Quarantined,
    RoomUsage, SpanUsage, Standing, Stay, StoreError, Taken,
};

/// What a command returns: resolves once the effect is durable.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Durable facts. Every method is one transaction; all are safe to repeat with the same arguments.
pub trait Store: Send + Sync + std::fmt::Debug {
    /// Adds an account and opens its books (from `account.created_at` on), in one transaction.
    /// Repeating it with the same record is a no-op; other contents: `Exists`. `terms.account` is its id.
    fn open_account(
        &self,
        account: Account,
        terms: OpenAccount,
        wall: Timestamp,
        actor: Actor,
        once: Option<Once>,
    ) -> StoreFuture<'_, Account>;
    /// Reads one account.
    fn account(&self, id: AccountId) -> StoreFuture<'_, Account>;
    /// Accounts by id, after `after`, `limit` at most (1 to 1,000).
    fn list_accounts(&self, after: Option<AccountId>, limit: u32) -> StoreFuture<'_, Vec<Account>>;

    /// Adds an application with its first keys, to the account's books too. The SDKAppID must be free.
    /// A repetition by `once` answers the application that was made then.
    fn create_app(
        &self,
        app: AppWithKeys,
        wall: Timestamp,
        actor: Actor,
        once: Option<Once>,
    ) -> StoreFuture<'_, App>;
    /// Reads one application.
    fn app(&self, id: SdkAppId) -> StoreFuture<'_, App>;
    /// Applications of an account, by number.
    fn list_apps(&self, account: AccountId) -> StoreFuture<'_, Vec<App>>;
    /// Every application with its secrets, for the directory.
    fn load_apps(&self) -> StoreFuture<'_, Vec<AppWithKeys>>;
    /// One application with its secrets.
    fn app_with_keys(&self, id: SdkAppId) -> StoreFuture<'_, AppWithKeys>;
    /// Changes an application; its epoch rises if anything changed.
    fn change_app(&self, id: SdkAppId, change: AppChange) -> StoreFuture<'_, App>;
    /// Adds an API key pair to an application. The key's name must be free in the whole store.
    fn add_api_key(&self, id: SdkAppId, key: ApiKey) -> StoreFuture<'_, App>;
    /// Removes an API key pair. The last one cannot be removed (`Invalid`).
    fn remove_api_key(&self, id: SdkAppId, key: String) -> StoreFuture<'_, App>;
    /// Replaces the `UserSig` secret.
    fn set_usersig_key(&self, id: SdkAppId, key: String) -> StoreFuture<'_, App>;

    /// Adds an operator API token (its hash).
    fn create_api_token(&self, token: ApiToken) -> StoreFuture<'_, ApiToken>;
    /// All of them, revoked ones included, by creation.
    fn list_api_tokens(&self) -> StoreFuture<'_, Vec<ApiToken>>;
    /// Revokes one; repeating it keeps the first time.
    fn revoke_api_token(&self, id: TokenId, at: Timestamp) -> StoreFuture<'_, ApiToken>;

    /// Adds a user of the console. Id and name (whatever its case) must be free (`Exists`) or the same user's.
    fn create_console_user(&self, user: ConsoleUser) -> StoreFuture<'_, ConsoleUser>;
    /// One user.
    fn console_user(&self, id: ConsoleUserId) -> StoreFuture<'_, ConsoleUser>;
    /// The user with this sign-in name, whatever its case.
    fn console_user_named(&self, name: String) -> StoreFuture<'_, Option<ConsoleUser>>;
    /// All of them, disabled ones included, by creation.
    fn list_console_users(&self) -> StoreFuture<'_, Vec<ConsoleUser>>;
    /// Changes a user. A new password and disabling end its sessions in the same transaction.
    fn change_console_user(
        &self,
        id: ConsoleUserId,
        change: ConsoleUserChange,
    ) -> StoreFuture<'_, ConsoleUser>;
    /// Removes a user with its sessions. Repeating it is `NotFound`.
    fn remove_console_user(&self, id: ConsoleUserId) -> StoreFuture<'_, ()>;
    /// Adds a session. Sessions of all users that expired before it begins are removed; where its user has too many,
    /// the oldest give way.
    fn create_console_session(&self, session: ConsoleSession) -> StoreFuture<'_, ConsoleSession>;
    /// The session whose token has this hash, with its user; none if it has ended or expired. Whether the user is
    /// disabled is for the caller to look at.
    fn console_session(
        &self,
        hash: [u8; 32],
        now: Timestamp,
    ) -> StoreFuture<'_, Option<(ConsoleSession, ConsoleUser)>>;
    /// Ends a session. Unknown ones are fine.
    fn end_console_session(&self, hash: [u8; 32]) -> StoreFuture<'_, ()>;

    /// Adds a secret pair of the server APIs. Its id must be free (`Exists`) or the same pair's, account and
    /// applications must be there.
    fn create_secret(&self, secret: ApiSecret) -> StoreFuture<'_, ApiSecret>;
    /// Every secret pair that is in force, for the directory.
    fn load_secrets(&self) -> StoreFuture<'_, Vec<ApiSecret>>;
    /// Secret pairs of an account, revoked ones included, by creation.
    fn list_secrets(&self, account: AccountId) -> StoreFuture<'_, Vec<ApiSecret>>;
    /// Revokes one of an account; repeating it keeps the first time.
    fn revoke_secret(
        &self,
        account: AccountId,
        secret_id: String,
        at: Timestamp,
    ) -> StoreFuture<'_, ApiSecret>;
    /// Where events of an application go.
    fn callbacks(&self, id: SdkAppId) -> StoreFuture<'_, AppCallbacks>;
    /// The same of every application that has any, for the directory.
    fn load_callbacks(&self) -> StoreFuture<'_, Vec<(SdkAppId, AppCallbacks)>>;
    /// Replaces it all. API keys that webhooks name must be the application's; one that is removed later stays named.
    fn set_callbacks(&self, id: SdkAppId, callbacks: AppCallbacks)
    -> StoreFuture<'_, AppCallbacks>;

    /// Takes a node's batch: stays, windows (merged by max), watermark. Any repetition or order is harmless.
    /// Windows of a stay that was never opened are kept and counted once the opening arrives.
    /// What the batch adds goes into the accounts' books in the same transaction; what is due there fires first.
    /// Usage that the books refuse (which they do for broken books only) waits and is tried again.
    fn intake(&self, batch: UsageBatch, wall: Timestamp) -> StoreFuture<'_, Taken>;
    /// Closes, as `Lost`, every open stay of `node` at the node's watermark; returns how many.
    /// A watermark of a wall clock that had stepped does not carry far: a stay ends within its last window
    /// (its entry, if it has none) or at most a minute after that.
    fn close_lost_stays(&self, node: NodeId) -> StoreFuture<'_, u64>;

    /// Seconds per civil day (account's zone) and SKU, `from` to `to` inclusive, ordered by day and SKU.
    fn usage_by_day(&self, id: SdkAppId, from: Date, to: Date) -> StoreFuture<'_, Vec<DayUsage>>;
    /// Seconds per span of `span_s` (60 to 86,400, a multiple of 60; spans begin at `from`) and SKU in `from..to`
    /// (31 days at most), ordered by span and SKU; spans without use are left out.
    fn usage_by_span(
        &self,
        id: SdkAppId,
        from: Timestamp,
        to: Timestamp,
        span_s: u32,
    ) -> StoreFuture<'_, Vec<SpanUsage>>;
    /// Seconds per room life and SKU of stays that entered in `from..to`.
    fn usage_by_room(
        &self,
        id: SdkAppId,
        from: Timestamp,
        to: Timestamp,
    ) -> StoreFuture<'_, Vec<RoomUsage>>;
    /// Stays that entered in `from..to`, by entry then id, after `after`, `limit` at most (1 to 1,000);
    /// of one room if given.
    fn list_stays(
        &self,
        id: SdkAppId,
        room: Option<RoomName>,
        from: Timestamp,
        to: Timestamp,
        after: Option<(Timestamp, ParticipantSid)>,
        limit: u32,
    ) -> StoreFuture<'_, Vec<Stay>>;

    /// Carries a command out on an account's books; what is due in the account fires first.
    /// A refusal (`Refused`) is not remembered for `once`.
    fn bill(&self, call: BillingCall) -> StoreFuture<'_, Billed>;
    /// The answer kept for a call by [`Store::keep_answer`], if there is one. Kept answers are a space of their own:
    /// they do not meet the keys of [`Store::bill`] and its like.
    ///
    /// # Errors
    /// [`StoreError::OnceReused`] if it was kept for another request.
    fn kept_answer(&self, once: Once) -> StoreFuture<'_, Option<Vec<u8>>>;
    /// Keeps the whole answer to a call, as bytes, for when the call comes again; sealed, since it may hold secrets.
    fn keep_answer(&self, once: Once, answer: Vec<u8>, wall: Timestamp) -> StoreFuture<'_, ()>;
    /// Fires what is due at `wall` in all accounts, oldest due first, `limit` timers at most (1 to 20,000).
    /// Sandbox accounts go by their own clocks. Fewer than `limit`: nothing more is due.
    fn fire_due(&self, wall: Timestamp, limit: u32) -> StoreFuture<'_, Vec<Fired>>;
    /// Wall time at which the earliest timer of all accounts is due.
    fn next_due(&self) -> StoreFuture<'_, Option<Timestamp>>;
    /// Moves a sandbox account's clock forward; each timer on the way fires at its due instant.
    /// A refusal on the way leaves the clock at the last timer that fired.
    fn advance_clock(
        &self,
        account: AccountId,
        target: ClockTarget,
        wall: Timestamp,
        actor: Actor,
        once: Option<Once>,
    ) -> StoreFuture<'_, Advanced>;
    /// The books of an account, as they are committed. Timers that are due and have not fired show as armed.
    fn books(&self, account: AccountId, wall: Timestamp) -> StoreFuture<'_, Books>;
    /// Rows of an account's journal after number `after_seq`, `limit` at most (1 to 1,000): those of these kinds,
    /// and ledger transactions of these postings; all if neither names any.
    fn journal(
        &self,
        account: AccountId,
        kinds: &[RecordKind],
        postings: &[PostingKind],
        after_seq: u64,
        limit: u32,
    ) -> StoreFuture<'_, Vec<JournalRow>>;
    /// A record of an account by kind and id.
    fn record(
        &self,
        account: AccountId,
        kind: RecordKind,
        id: String,
    ) -> StoreFuture<'_, Option<Record>>;
    /// Use by day, application and SKU, and who pays for it, `from` to `to` inclusive; open and closed days.
    fn day_uses(&self, account: AccountId, from: Date, to: Date) -> StoreFuture<'_, Vec<DayUse>>;
    /// What every door needs to know of an account.
    fn standing(&self, account: AccountId, wall: Timestamp) -> StoreFuture<'_, Standing>;
    /// The same of all accounts that have books, by id; for the start.
    fn load_standings(&self, wall: Timestamp) -> StoreFuture<'_, Vec<Standing>>;
    /// A number that rises whenever an account's epoch changed, by whatever cause, after the commit.
    /// It begins at zero with the process.
    fn changes(&self) -> watch::Receiver<u64>;
    /// Whose epochs changed since a number of [`Store::changes`]. From memory.
    fn changed_since(&self, since: u64) -> Changed;

    /// Claims deliveries that are due, oldest first, `limit` at most (1 to 1,000): nobody else gets them for `lease`.
    fn outbox_claim(
        &self,
        wall: Timestamp,
        limit: u32,
        lease: Duration,
    ) -> StoreFuture<'_, Vec<OutboxItem>>;
    /// A delivery arrived; it is gone. Unknown ids are fine.
    fn outbox_done(&self, id: String) -> StoreFuture<'_, ()>;
    /// A delivery failed: tried again at `retry_at`, or kept as dead if there is none.
    fn outbox_failed(
        &self,
        id: String,
        error: String,
        retry_at: Option<Timestamp>,
    ) -> StoreFuture<'_, ()>;
    /// How many deliveries there are.
    fn outbox_len(&self) -> StoreFuture<'_, OutboxLen>;

    /// Price lists and package types, all versions; there is one from the start.
    fn catalog(&self) -> StoreFuture<'_, Arc<Catalog>>;
    /// Adds a version to the catalog. What the catalog refuses is `Refused`.
    fn add_catalog_version(
        &self,
        draft: CatalogDraft,
        wall: Timestamp,
        actor: Actor,
    ) -> StoreFuture<'_, CatalogVersion>;
    /// Adds a partner or changes its name.
    fn put_partner(&self, partner: Partner) -> StoreFuture<'_, Partner>;
    /// All partners, by id.
    fn partners(&self) -> StoreFuture<'_, Vec<Partner>>;
    /// Adds a version of a partner's agreement: from `effective_from` on (not in the past; none: now) its
    /// terms hold for all its accounts, whose timers are computed anew (T17): at once for the first
    /// thousand if it is in force now, the rest with [`Store::fire_due`].
    fn put_agreement(
        &self,
        partner: PartnerId,
        policy: Policy,
        effective_from: Option<Timestamp>,
        wall: Timestamp,
        actor: Actor,
    ) -> StoreFuture<'_, AgreementVersion>;
    /// A partner's agreement; one without versions if nothing was agreed.
    fn agreement(&self, partner: PartnerId) -> StoreFuture<'_, Agreement>;
    /// Sets a switch of the installation, such as [`crate::RECLAIM_SWEEP`].
    fn set_switch(&self, name: &'static str, on: bool) -> StoreFuture<'_, ()>;
    /// Reads a switch; off if it was never set.
    fn switch(&self, name: &'static str) -> StoreFuture<'_, bool>;
    /// Proves all books from their journals: hash chains, balances, documents. One sentence a problem.
    fn verify(&self) -> StoreFuture<'_, CheckReport>;

    /// Facts kept aside as impossible, by node, stay and moment, `limit` at most (1 to 1,000).
    fn list_quarantine(&self, limit: u32) -> StoreFuture<'_, Vec<Quarantined>>;

    /// Reads a named setting of the installation (such as the node's id).
    fn setting(&self, name: &'static str) -> StoreFuture<'_, Option<String>>;
    /// Sets it if it is not set; returns what is set now.
    fn set_setting_once(&self, name: &'static str, value: String) -> StoreFuture<'_, String>;

    /// Is writing possible now? Writes a row and reads it back.
    fn probe(&self, now: Timestamp) -> StoreFuture<'_, ()>;
    /// Writes a consistent copy to a new file while serving.
    fn backup(&self, to: &Path) -> StoreFuture<'_, ()>;
    /// Recomputes what can be recomputed and says what disagrees.
    fn check(&self) -> StoreFuture<'_, CheckReport>;
    /// Finishes what was accepted and closes. Later calls answer `Closed`.
    fn close(&self) -> StoreFuture<'_, ()>;
}
