//! What the store keeps, as values.

use fermata_billing::id::PartnerId;
use fermata_types::{
    AccountId, NodeId, ParticipantSid, Role, RoomName, RoomSid, Scene, SdkAppId, Sku, StayEnd,
    TokenId,
};
use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

/// The party that pays. How it is run (currency, zone, billing) stands in its books.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Display name, 1 to 128 characters.
    pub name: String,
    /// When it was created.
    pub created_at: Timestamp,
}

/// An application of an account: the namespace of its rooms. Whether people may enter stands in the books.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct App {
    /// Its number.
    pub sdk_app_id: SdkAppId,
    /// Who pays for it.
    pub account: AccountId,
    /// Display name, 1 to 128 characters.
    pub name: String,
    /// Scene of rooms that say nothing themselves.
    pub default_scene: Scene,
    /// How long a vanished user is kept and counted, seconds, 5 to 300; default 90.
    pub disconnect_timeout_s: u32,
    /// Every join through `UserSig` needs a `PrivateMapKey`.
    pub private_map_required: bool,
    /// When it was created.
    pub created_at: Timestamp,
    /// Rises with every change of this record or of its keys.
    pub epoch: u64,
}

/// An application with its secrets, for the directory that tokens are checked against.
#[derive(Clone, PartialEq, Eq)]
pub struct AppWithKeys {
    /// The application.
    pub app: App,
    /// Secret behind `UserSig`.
    pub usersig_key: String,
    /// `LiveKit` API key pairs; at least one.
    pub api_keys: Vec<ApiKey>,
}

impl std::fmt::Debug for AppWithKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppWithKeys").field("app", &self.app).finish_non_exhaustive()
    }
}

/// A `LiveKit` API key pair.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Public name (`iss`).
    pub key: String,
    /// Secret, 32 bytes or more (shorter only for the built-in one of `--dev`).
    pub secret: String,
    /// When it was made.
    pub created_at: Timestamp,
}

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiKey").field("key", &self.key).finish_non_exhaustive()
    }
}

/// Changes to an application; absent fields stay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppChange {
    /// Display name.
    pub name: Option<String>,
    /// Default scene.
    pub default_scene: Option<Scene>,
    /// Disconnect timeout, seconds, 5 to 300.
    pub disconnect_timeout_s: Option<u32>,
    /// Require a `PrivateMapKey`.
    pub private_map_required: Option<bool>,
}

/// A token of the operator API. Only its hash is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiToken {
    /// Its id (safe to show).
    pub id: TokenId,
    /// What it is for.
    pub name: String,
    /// SHA-256 of the token's text.
    #[serde(skip)]
    pub hash: [u8; 32],
    /// For whom it speaks.
    pub role: TokenRole,
    /// It may look at things, and change nothing.
    pub read_only: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}

/// For whom a token speaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub enum TokenRole {
    /// Who runs the installation.
    Operator,
    /// A reseller: the accounts it serves.
    Partner {
        /// Which.
        partner: PartnerId,
    },
    /// A customer: one account.
    Customer {
        /// Which.
        account: AccountId,
    },
}

impl TokenRole {
    /// Stable name in tables and APIs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Partner { .. } => "partner",
            Self::Customer { .. } => "customer",
        }
    }

    /// The partner or account it is tied to.
    pub fn of(&self) -> Option<&str> {
        match self {
            Self::Operator => None,
            Self::Partner { partner } => Some(&partner.0),
            Self::Customer { account } => Some(account.as_str()),
        }
    }

    /// The role with this name, tied to `of`; none if the name is unknown or the tie is missing or too much.
    pub(crate) fn from_parts(code: &str, of: Option<String>) -> Option<Self> {
        match (code, of) {
            ("operator", None) => Some(Self::Operator),
            ("partner", Some(partner)) => Some(Self::Partner { partner: PartnerId(partner) }),
            ("customer", Some(account)) => {
                Some(Self::Customer { account: AccountId::from_text(&account) })
            }
            _ => None,
        }
    }
}

/// A stay as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stay {
    /// Its id.
    pub stay: ParticipantSid,
    /// Application.
    pub app: SdkAppId,
    /// Room.
    pub room: RoomName,
    /// The room's life.
    pub room_sid: RoomSid,
    /// Who.
    pub identity: String,
    /// Scene at entry.
    pub scene: Scene,
    /// Role at entry.
    pub role: Role,
    /// Entry.
    pub entered_at: Timestamp,
    /// Exit, if it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it ended.
    pub end: Option<StayEnd>,
    /// Seconds so far, by SKU, in SKU order.
    pub seconds: Vec<(Sku, u64)>,
}

/// Seconds of one civil day and SKU of one application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayUsage {
    /// Civil day in the account's zone.
    pub day: Date,
    /// SKU.
    pub sku: Sku,
    /// Seconds of the whole day so far.
    pub seconds: u64,
}

impl DayUsage {
    /// Minutes: seconds rounded up on the running daily total.
    pub fn minutes(&self) -> u64 {
        self.seconds.div_ceil(60)
    }
}

/// Seconds of one room's life and SKU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomUsage {
    /// Room.
    pub room: RoomName,
    /// Its life.
    pub room_sid: RoomSid,
    /// SKU.
    pub sku: Sku,
    /// Seconds.
    pub seconds: u64,
}

/// What `check` found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckReport {
    /// Schema version of the data.
    pub schema_version: u32,
    /// Rows looked at.
    pub rows: u64,
    /// Facts kept aside because they cannot be true; not counted, and not a problem of the data itself.
    pub quarantined: u64,
    /// What is wrong, a sentence each; empty when all is well.
    pub problems: Vec<String>,
}

/// A reported fact that cannot be true. It is kept aside and not counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Quarantined {
    /// Who reported it.
    pub node: NodeId,
    /// Whose stay.
    pub stay: ParticipantSid,
    /// Start of the window, or the moment of the opening or closing.
    pub at: Timestamp,
    /// What is wrong with it.
    pub reason: QuarantineReason,
    /// Seconds claimed, the highest of all reports; 0 for openings and closings.
    pub seconds: u64,
}

/// Why a fact was kept aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum QuarantineReason {
    /// The seconds of one stay and window, over all SKUs, exceed the window's length.
    /// The whole window of that stay is not counted.
    WindowOverfull,
    /// Seconds of one window and SKU are none, or exceed the window's length.
    SecondsOutOfRange,
    /// The window does not start at a whole minute.
    WindowMisaligned,
    /// A moment lies before 1970.
    TimeOutOfRange,
    /// An id or identity is empty or too long, or the room's name is none.
    IdInvalid,
    /// The opening names an application that does not exist.
    AppUnknown,
    /// The stay was opened before with other contents; the first opening holds.
    OpeningContradicts,
}

impl QuarantineReason {
    /// Every reason.
    pub const ALL: &'static [Self] = &[
        Self::WindowOverfull,
        Self::SecondsOutOfRange,
        Self::WindowMisaligned,
        Self::TimeOutOfRange,
        Self::IdInvalid,
        Self::AppUnknown,
        Self::OpeningContradicts,
    ];

    /// The stable code in tables and APIs.
    pub fn code(self) -> &'static str {
        match self {
            Self::WindowOverfull => "window_overfull",
            Self::SecondsOutOfRange => "seconds_out_of_range",
            Self::WindowMisaligned => "window_misaligned",
            Self::TimeOutOfRange => "time_out_of_range",
            Self::IdInvalid => "id_invalid",
            Self::AppUnknown => "app_unknown",
            Self::OpeningContradicts => "opening_contradicts",
        }
    }
}
