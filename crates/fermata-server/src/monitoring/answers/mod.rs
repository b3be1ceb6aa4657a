//! The vendor's answers about call quality and scale: ten functions that take what was asked, check windows and
//! pages, and make the object that stands in `Response`, without `RequestId`.
//!
//! What it is not: the edge. Signatures, rates, the standing and whether the application is the caller's are
//! judged before these are called.

mod call;
mod check;
mod data;
mod event;
mod series;

use fermata_store::StoreError;

pub use call::{
    describe_call_detail_info, describe_room_info, describe_scale_info, describe_user_info,
};
pub use data::{
    describe_trtc_market_quality_data, describe_trtc_market_scale_data,
    describe_trtc_real_time_quality_data, describe_trtc_real_time_scale_data,
};
pub use event::{describe_unusual_event, describe_user_event};

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// A parameter is missing or outside what is allowed.
    #[error("{message}")]
    Parameter {
        /// The vendor's code, such as `InvalidParameter.StartTimeExpire`.
        code: &'static str,
        /// What is wrong and what is allowed.
        message: String,
    },
    /// The monitoring database failed: `InternalError.DBError`.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AnswerError {
    /// The vendor's error code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Parameter { code, .. } => code,
            Self::Store(_) => "InternalError.DBError",
        }
    }
}

/// From when to when, both in seconds since 1970.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// `StartTime`.
    pub start: i64,
    /// `EndTime`.
    pub end: i64,
}

/// Which page; the vendor's defaults stand in unless both are given.
#[derive(Debug, Clone, Copy, Default)]
pub struct Page {
    /// `PageNumber`, from 0.
    pub number: Option<i64>,
    /// `PageSize`, 1 to 100.
    pub size: Option<i64>,
}

/// `DescribeRoomInfo`.
#[derive(Debug, Clone)]
pub struct RoomInfo {
    /// At most 24 hours, within 14 days.
    pub span: Span,
    /// `RoomId`; empty or none: all rooms.
    pub room: Option<String>,
    /// 10 rows by default.
    pub page: Page,
}

/// `DescribeUserInfo`.
#[derive(Debug, Clone)]
pub struct UserInfo {
    /// `CommId`.
    pub comm: String,
    /// At most 4 hours, within 14 days.
    pub span: Span,
    /// `UserIds`; empty: everybody.
    pub users: Vec<String>,
    /// 6 rows by default.
    pub page: Page,
}

/// `DescribeCallDetailInfo`.
#[derive(Debug, Clone)]
pub struct CallDetailInfo {
    /// `CommId`.
    pub comm: String,
    /// At most 1 hour with `data`, 4 hours without, within 14 days.
    pub span: Span,
    /// `UserIds`; empty: everybody.
    pub users: Vec<String>,
    /// `DataType`: names of series, or `all`; none: only who was there.
    pub data: Option<Vec<String>>,
    /// 6 rows by default.
    pub page: Page,
}

/// `DescribeUserEvent`.
#[derive(Debug, Clone)]
pub struct UserEvent {
    /// `CommId`.
    pub comm: String,
    /// Within 14 days.
    pub span: Span,
    /// `UserId`.
    pub user: String,
    /// `RoomId`, which must be the one of `comm`.
    pub room: String,
}

/// `DescribeUnusualEvent`.
#[derive(Debug, Clone)]
pub struct UnusualEvent {
    /// At most 1 hour, within 14 days.
    pub span: Span,
    /// `RoomId`; empty or none: all rooms.
    pub room: Option<String>,
}

/// `DescribeScaleInfo`.
#[derive(Debug, Clone, Copy)]
pub struct ScaleInfo {
    /// Within 14 days.
    pub span: Span,
}

/// `DescribeTRTCRealTimeQualityData` and `DescribeTRTCRealTimeScaleData`.
#[derive(Debug, Clone)]
pub struct RealTime {
    /// Within 12 hours.
    pub span: Span,
    /// `RoomId`; empty or none: all rooms.
    pub room: Option<String>,
}

/// `DescribeTRTCMarketQualityData` and `DescribeTRTCMarketScaleData`.
#[derive(Debug, Clone)]
pub struct Market {
    /// `StartTime`, `YYYY-MM-DD`, a day in UTC, within 60 days.
    pub start: String,
    /// `EndTime`, the last day.
    pub end: String,
    /// `Period`: `d` or `h`.
    pub period: String,
}
