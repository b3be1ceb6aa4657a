//! What falls due by itself. Timers are absolute moments in account time, derived from facts.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::calendar::YearMonth;
use crate::id::{PackageId, VoucherId};

/// What falls due. The order breaks ties of one moment: what gives comes before what takes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimerKind {
    /// The free minutes of a month (T11).
    FreeGrant(YearMonth),
    /// The last day of a package is over.
    PackageExpiry(PackageId),
    /// A voucher ends.
    VoucherExpiry(VoucherId),
    /// A civil day closes, with its bill under daily billing (T2).
    DayClose(Date),
    /// A civil month's bill under monthly billing (T3).
    MonthClose(YearMonth),
    /// Hours after the begin of arrears at which a warning goes out.
    ArrearsWarning(u32),
    /// Suspension for arrears (T8).
    Suspend,
    /// Days before reclamation at which a notice goes out (T19).
    ReclaimNotice(u32),
    /// Reclamation may begin (T20).
    ReclaimDue,
    /// The next step of clearing (T21).
    ReclaimStep,
    /// The customer's days to think again are over (T28).
    ClosureConfirm,
    /// A balance alert may be sent again (billing section 8).
    BalanceAlert,
}

impl TimerKind {
    /// Stable text for tables and APIs.
    pub fn code(&self) -> String {
        match self {
            Self::FreeGrant(month) => format!("free_grant/{month}"),
            Self::PackageExpiry(id) => format!("package_expiry/{id}"),
            Self::VoucherExpiry(id) => format!("voucher_expiry/{id}"),
            Self::DayClose(day) => format!("day_close/{day}"),
            Self::MonthClose(month) => format!("month_close/{month}"),
            Self::ArrearsWarning(hours) => format!("arrears_warning/{hours}"),
            Self::Suspend => "suspend".to_owned(),
            Self::ReclaimNotice(days) => format!("reclaim_notice/{days}"),
            Self::ReclaimDue => "reclaim_due".to_owned(),
            Self::ReclaimStep => "reclaim_step".to_owned(),
            Self::ClosureConfirm => "closure_confirm".to_owned(),
            Self::BalanceAlert => "balance_alert".to_owned(),
        }
    }
}
