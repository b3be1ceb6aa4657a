//! Call quality and data monitoring: parameters to questions for `monitoring::answers`.
//!
//! What it is not: windows and pages are judged there.

use serde_json::Value;

use super::call::{Answer, Call};
use super::fault::Fault;
use crate::monitoring::answers::{
    self, AnswerError, CallDetailInfo, Market, Page, RealTime, RoomInfo, ScaleInfo, Span,
    UnusualEvent, UserEvent, UserInfo,
};

/// Answers `DescribeRoomInfo`.
pub(super) async fn room_info(call: &Call) -> Answer {
    let ask = RoomInfo { span: span(call)?, room: room(call), page: page(call) };
    told(answers::describe_room_info(&call.shared, call.needed_app()?, &ask).await)
}

/// Answers `DescribeUserInfo`.
pub(super) async fn user_info(call: &Call) -> Answer {
    let ask = UserInfo {
        comm: comm(call)?,
        span: span(call)?,
        users: call.texts("UserIds"),
        page: page(call),
    };
    told(answers::describe_user_info(&call.shared, call.needed_app()?, &ask).await)
}

/// Answers `DescribeCallDetailInfo`.
pub(super) async fn call_detail_info(call: &Call) -> Answer {
    let data = call.params.get("DataType").map(|_| call.texts("DataType"));
    let ask = CallDetailInfo {
        comm: comm(call)?,
        span: span(call)?,
        users: call.texts("UserIds"),
        data,
        page: page(call),
    };
    told(answers::describe_call_detail_info(&call.shared, call.needed_app()?, &ask).await)
}

/// Answers `DescribeScaleInfo`.
pub(super) async fn scale_info(call: &Call) -> Answer {
    let ask = ScaleInfo { span: span(call)? };
    told(answers::describe_scale_info(&call.shared, call.needed_app()?, &ask).await)
}

/// Answers `DescribeUserEvent`.
pub(super) async fn user_event(call: &Call) -> Answer {
    let ask = UserEvent {
        comm: comm(call)?,
        span: span(call)?,
        user: call.params.text("UserId")?.to_owned(),
        room: call.params.text("RoomId")?.to_owned(),
    };
    told(answers::describe_user_event(&call.shared, call.needed_app()?, &ask).await)
}

/// Answers `DescribeUnusualEvent`.
pub(super) async fn unusual_event(call: &Call) -> Answer {
    let ask = UnusualEvent { span: span(call)?, room: room(call) };
    told(answers::describe_unusual_event(&call.shared, call.needed_app()?, &ask).await)
}

/// Answers `DescribeTRTCRealTimeQualityData`.
pub(super) async fn real_time_quality(call: &Call) -> Answer {
    let ask = RealTime { span: span(call)?, room: room(call) };
    told(
        answers::describe_trtc_real_time_quality_data(&call.shared, call.needed_app()?, &ask).await,
    )
}

/// Answers `DescribeTRTCRealTimeScaleData`.
pub(super) async fn real_time_scale(call: &Call) -> Answer {
    let ask = RealTime { span: span(call)?, room: room(call) };
    told(answers::describe_trtc_real_time_scale_data(&call.shared, call.needed_app()?, &ask).await)
}

/// Answers `DescribeTRTCMarketQualityData`.
pub(super) async fn market_quality(call: &Call) -> Answer {
    let ask = market(call)?;
    told(answers::describe_trtc_market_quality_data(&call.shared, call.needed_app()?, &ask).await)
}

/// Answers `DescribeTRTCMarketScaleData`.
pub(super) async fn market_scale(call: &Call) -> Answer {
    let ask = market(call)?;
    told(answers::describe_trtc_market_scale_data(&call.shared, call.needed_app()?, &ask).await)
}

fn told(answer: Result<Value, AnswerError>) -> Answer {
    match answer? {
        Value::Object(fields) => Ok(fields),
        _ => Err(Fault::internal()),
    }
}

fn span(call: &Call) -> Result<Span, Fault> {
    Ok(Span { start: call.params.int("StartTime")?, end: call.params.int("EndTime")? })
}

fn page(call: &Call) -> Page {
    Page { number: call.number("PageNumber"), size: call.number("PageSize") }
}

fn room(call: &Call) -> Option<String> {
    call.text("RoomId").map(str::to_owned)
}

fn comm(call: &Call) -> Result<String, Fault> {
    Ok(call.params.text("CommId")?.to_owned())
}

/// Days are passed on as they were written.
fn market(call: &Call) -> Result<Market, Fault> {
    Ok(Market {
        start: call.params.date("StartTime")?.to_string(),
        end: call.params.date("EndTime")?.to_string(),
        period: call.params.text("Period")?.to_owned(),
    })
}
