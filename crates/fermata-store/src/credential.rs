//! Credentials and callback settings of the server APIs, as values.

use fermata_types::{AccountId, SdkAppId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A secret pair of the vendor's server APIs: speaks for an account.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiSecret {
    /// Public name, 4 to 64 characters; free in the whole store, for ever.
    pub secret_id: String,
    /// Whose.
    pub account: AccountId,
    /// What it is for, 1 to 128 characters.
    pub name: String,
    /// What it may do.
    pub policy: SecretPolicy,
    /// The applications it may be used for; empty: all of the account, and what belongs to none.
    pub apps: Vec<SdkAppId>,
    /// The key that signs, 16 to 128 characters. Sealed at rest.
    pub secret_key: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}

impl std::fmt::Debug for ApiSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiSecret")
            .field("secret_id", &self.secret_id)
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

/// What a secret pair may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretPolicy {
    /// Every action.
    Full,
    /// Actions that change nothing.
    ReadOnly,
}

/// Where events of an application's rooms go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AppCallbacks {
    /// In the vendor's form.
    pub callback: Option<Callback>,
    /// In `LiveKit`'s form; 8 at most.
    pub webhooks: Vec<Webhook>,
}

/// The vendor's callback of an application.
#[derive(Clone, PartialEq, Eq)]
pub struct Callback {
    /// Where to, 2,083 bytes at most.
    pub url: String,
    /// The key that signs, 1 to 32 letters and digits. Sealed at rest.
    pub key: String,
    /// Event groups that are sent (1 room, 2 media, ...), ascending; never empty.
    pub groups: Vec<u8>,
}

impl std::fmt::Debug for Callback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Callback")
            .field("url", &self.url)
            .field("groups", &self.groups)
            .finish_non_exhaustive()
    }
}

/// A `LiveKit` webhook of an application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// Where to, 2,083 bytes at most.
    pub url: String,
    /// The API key (of this application) whose secret signs; none: the oldest one.
    pub api_key: Option<String>,
}

/// Seconds of one SKU in one span of time of an application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpanUsage {
    /// Start of the span.
    pub start: Timestamp,
    /// SKU.
    pub sku: fermata_types::Sku,
    /// Seconds.
    pub seconds: u64,
}
