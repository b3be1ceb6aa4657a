//! Deliveries as values.

use fermata_types::{RoomName, SdkAppId};
use jiff::Timestamp;

/// In whose form it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeliveryReceiver {
    /// The vendor's callback of the application; there is one at most.
    Callback,
    /// A `LiveKit` webhook; which one says its URL.
    Webhook,
}

impl DeliveryReceiver {
    /// The word in the database.
    pub fn word(self) -> &'static str {
        match self {
            Self::Callback => "callback",
            Self::Webhook => "webhook",
        }
    }
}

/// Whether it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeliveryState {
    /// It is being tried, or waits for its turn.
    Waiting,
    /// It arrived.
    Delivered,
    /// It was given up; it can be replayed.
    Failed,
}

impl DeliveryState {
    /// The word in the database.
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

/// A delivery that is to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery {
    /// Stable id; a second one of the same id is ignored.
    pub id: String,
    /// Whose rooms it is about.
    pub app: SdkAppId,
    /// In whose form.
    pub receiver: DeliveryReceiver,
    /// Where to, as it was set when it was made.
    pub url: String,
    /// Room.
    pub room: RoomName,
    /// What it tells: the vendor's event type (`103`) or `LiveKit`'s name (`room_started`).
    pub event: String,
    /// When it was made, which is when it is due.
    pub created_at: Timestamp,
    /// The body, bytes that are signed.
    pub body: Vec<u8>,
    /// Why it is given up at once; none: it waits.
    pub failed: Option<String>,
}

/// A delivery that waits, without its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingDelivery {
    /// Its place in the order; names it until it is settled.
    pub turn: u64,
    /// Whose.
    pub app: SdkAppId,
    /// In whose form.
    pub receiver: DeliveryReceiver,
    /// Where to.
    pub url: String,
    /// Room.
    pub room: RoomName,
    /// When its present series of attempts was due.
    pub due_at: Timestamp,
    /// Bytes of its body.
    pub bytes: u64,
}

/// What an attempt needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Its id.
    pub id: String,
    /// Whose.
    pub app: SdkAppId,
    /// In whose form.
    pub receiver: DeliveryReceiver,
    /// Where to.
    pub url: String,
    /// The body.
    pub body: Vec<u8>,
}

/// How an attempt went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryAttempt {
    /// When it began.
    pub at: Timestamp,
    /// How long it took, milliseconds.
    pub took_ms: u64,
    /// HTTP status of the answer, if there was one.
    pub status: Option<u16>,
    /// What went wrong; none if nothing did.
    pub error: Option<String>,
}

/// A delivery as the log shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Its row; rises with each new one.
    pub n: u64,
    /// Stable id.
    pub id: String,
    /// Whose.
    pub app: SdkAppId,
    /// In whose form.
    pub receiver: DeliveryReceiver,
    /// Where to, as it was set when it was made.
    pub url: String,
    /// Room.
    pub room: RoomName,
    /// What it tells.
    pub event: String,
    /// Whether it arrived.
    pub state: DeliveryState,
    /// When it was made.
    pub created_at: Timestamp,
    /// Attempts so far, of all series.
    pub attempts: u64,
    /// How often it was sent by hand.
    pub replays: u64,
    /// When it arrived or was given up.
    pub settled_at: Option<Timestamp>,
    /// The last attempt, if there was one.
    pub last: Option<DeliveryAttempt>,
    /// Why it was given up although nothing was tried.
    pub problem: Option<String>,
}

/// Which deliveries a list has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// In this state.
    pub state: Option<DeliveryState>,
    /// Of this room.
    pub room: Option<RoomName>,
    /// Of this event.
    pub event: Option<String>,
}

/// How many there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeliveryCounts {
    /// Waiting.
    pub waiting: u64,
    /// Delivered and kept.
    pub delivered: u64,
    /// Given up and kept.
    pub failed: u64,
}
