//! The seam: coarse commands, each one transaction.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;

use fermata_types::{AccountId, NodeId, ParticipantSid, RoomName, SdkAppId, TokenId, UsageBatch};
use jiff::{Timestamp, civil::Date};

use crate::{
    Account, ApiKey, ApiToken, App, AppChange, AppWithKeys, CheckReport, DayUsage, Quarantined,
    RoomUsage, Stay, StoreError,
};

/// What a command returns: resolves once the effect is durable.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Durable facts. Every method is one transaction; all are safe to repeat with the same arguments.
pub trait Store: Send + Sync + std::fmt::Debug {
    /// Adds an account. Repeating it with the same record is a no-op; other contents: `Exists`.
    fn create_account(&self, account: Account) -> StoreFuture<'_, Account>;
    /// Reads one account.
    fn account(&self, id: AccountId) -> StoreFuture<'_, Account>;
    /// Accounts by id, after `after`, `limit` at most (1 to 1,000).
    fn list_accounts(&self, after: Option<AccountId>, limit: u32) -> StoreFuture<'_, Vec<Account>>;

    /// Adds an application with its first keys. The SDKAppID must be free.
    fn create_app(&self, app: AppWithKeys) -> StoreFuture<'_, App>;
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

    /// Takes a node's batch: stays, windows (merged by max), watermark. Any repetition or order is harmless.
    /// Windows of a stay that was never opened are kept and counted once the opening arrives.
    fn intake(&self, batch: UsageBatch) -> StoreFuture<'_, ()>;
    /// Closes, as `Lost`, every open stay of `node` at the node's watermark; returns how many.
    /// A watermark of a wall clock that had stepped does not carry far: a stay ends within its last window
    /// (its entry, if it has none) or at most a minute after that.
    fn close_lost_stays(&self, node: NodeId) -> StoreFuture<'_, u64>;

    /// Seconds per civil day (account's zone) and SKU, `from` to `to` inclusive, ordered by day and SKU.
    fn usage_by_day(&self, id: SdkAppId, from: Date, to: Date) -> StoreFuture<'_, Vec<DayUsage>>;
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
