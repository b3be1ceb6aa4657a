//! Notices to people: what they are about, whom they go to, and what never goes out twice.
//!
//! What it is not: delivery. A notice that is in the outbox counts as sent (A28); a shell carries it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::clause::ClauseId;
use crate::id::NoticeId;
use crate::money::Money;
pub use crate::notices::check_url;

/// Name of the contact who is told of standing without a subscription (T5).
pub const OWNER: &str = "owner";
/// Name of the contact who is told of standing where the agreement has the partner told (A15).
pub const PARTNER: &str = "partner";

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// The available balance fell below a subscribed threshold (T4).
    BalanceLow,
    /// The credit limit is used to 70 % or more.
    CreditUsed,
    /// A package is used to 80, 90 or 100 % (T1).
    PackageUsed,
    /// A package has fewer minutes left than a subscribed share (billing section 8).
    PackageAlarm,
    /// A bill is ready (T2, T3).
    BillReady,
    /// The account fell into arrears (S8, T5).
    ArrearsReminder,
    /// Still in arrears, suspension is near.
    ArrearsWarning,
    /// Suspended for arrears (T8).
    Suspended,
    /// Arrears are settled (T7).
    ArrearsCleared,
    /// Service is back.
    Restored,
    /// Free minutes or packages are used and a purchase is needed (T9).
    Unfunded,
    /// Suspended for a violation (T14).
    Violation,
    /// Frozen or unfrozen by the partner (T16).
    PartnerFreeze,
    /// An operator restricted or reopened the service.
    Admin,
    /// Closing the account was asked for, confirmed or taken back (T28).
    Closure,
    /// Reclamation is 30, 7 or 1 day away (T19).
    ReclaimNotice,
    /// Clearing begins (T20).
    ReclaimFinal,
    /// Everything is cleared (T22).
    Cleared,
    /// A payment was taken back (T27).
    PaymentReversed,
    /// For the operator: usage was set aside (T26).
    OperatorAlert,
}

/// What must not be sent twice (I11): kind, what it belongs to, and the threshold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NoticeKey {
    /// Kind.
    pub kind: NoticeKind,
    /// Episode, hold, package, bill or day it belongs to.
    pub of: String,
    /// Threshold that was crossed, 0 where there is none.
    pub threshold: i64,
}

impl NoticeKey {
    /// The key as text, for a table.
    pub fn text(&self) -> String {
        format!("{}/{}/{}", self.kind.code(), self.of, self.threshold)
    }
}

impl NoticeKind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[
        Self::BalanceLow,
        Self::CreditUsed,
        Self::PackageUsed,
        Self::PackageAlarm,
        Self::BillReady,
        Self::ArrearsReminder,
        Self::ArrearsWarning,
        Self::Suspended,
        Self::ArrearsCleared,
        Self::Restored,
        Self::Unfunded,
        Self::Violation,
        Self::PartnerFreeze,
        Self::Admin,
        Self::Closure,
        Self::ReclaimNotice,
        Self::ReclaimFinal,
        Self::Cleared,
        Self::PaymentReversed,
        Self::OperatorAlert,
    ];

    /// The stable code in tables and APIs.
    pub fn code(self) -> &'static str {
        match self {
            Self::BalanceLow => "balance_low",
            Self::CreditUsed => "credit_used",
            Self::PackageUsed => "package_used",
            Self::PackageAlarm => "package_alarm",
            Self::BillReady => "bill_ready",
            Self::ArrearsReminder => "arrears_reminder",
            Self::ArrearsWarning => "arrears_warning",
            Self::Suspended => "suspended",
            Self::ArrearsCleared => "arrears_cleared",
            Self::Restored => "restored",
            Self::Unfunded => "unfunded",
            Self::Violation => "violation",
            Self::PartnerFreeze => "partner_freeze",
            Self::Admin => "admin",
            Self::Closure => "closure",
            Self::ReclaimNotice => "reclaim_notice",
            Self::ReclaimFinal => "reclaim_final",
            Self::Cleared => "cleared",
            Self::PaymentReversed => "payment_reversed",
            Self::OperatorAlert => "operator_alert",
        }
    }
}

/// A notice, as people read it and programs receive it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Its id, stable over deliveries.
    pub id: NoticeId,
    /// What it is about.
    pub key: NoticeKey,
    /// When.
    pub at: Timestamp,
    /// One line.
    pub title: String,
    /// Plain text, with what to do.
    pub text: String,
    /// The clauses it follows from.
    pub clauses: Vec<ClauseId>,
}

/// A person or a system to tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// Name, unique in the account; `owner` is always told of arrears.
    pub name: String,
    /// Mail address.
    pub email: Option<String>,
    /// Webhook.
    pub webhook: Option<Webhook>,
}

/// Where a program is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    /// `https://` (or `http://`) address.
    pub url: String,
    /// Key of the signature over each delivery.
    pub secret: String,
}

/// What a contact wants to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// Name, unique in the account.
    pub name: String,
    /// Whom to tell: a contact's name.
    pub contact: String,
    /// About what.
    pub kind: NoticeKind,
    /// Balance below which [`NoticeKind::BalanceLow`] goes out.
    pub below: Option<Money>,
    /// Share left, percent 0 to 99, at which [`NoticeKind::PackageAlarm`] goes out.
    pub percent: Option<u8>,
}

/// A notice on its way to one contact. Delivered at least once, with this id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Stable id: the notice's and the contact's.
    pub id: String,
    /// What to say.
    pub notice: Notice,
    /// Whom to.
    pub contact: Contact,
}
