//! Rooms, users and their series; rooms and users by day.

use std::collections::HashMap;

use fermata_monitor::limits::{LIST_SPAN_MAX, PAGE_MAX, SERIES_SPAN_MAX, SERIES_USERS_MAX};
use fermata_store::monitoring::{Period, RoomLife, StayRow};
use fermata_types::{Now, ParticipantSid, RoomName, SdkAppId};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::check::{comm, page, refuse, said, users, window};
use super::series::{self, Line};
use super::{AnswerError, CallDetailInfo, Page, RoomInfo, ScaleInfo, Span, UserInfo};
use crate::monitoring::settle;
use crate::server::Shared;

/// Longest span of a list of rooms, hours (the vendor's rule).
const ROOMS_HOURS_MAX: i64 = 24;
/// Rows of a page of rooms, unless asked for more.
const ROOMS: u32 = 10;
/// Rows of a page of users, unless asked for more.
const USERS: u32 = 6;

/// A room as the vendor writes it: integer rooms are plain digits.
pub(super) fn text(room: &RoomName) -> String {
    match room {
        RoomName::Integer(number) => number.to_string(),
        RoomName::Text(text) => text.to_string(),
    }
}

/// Answers `DescribeRoomInfo`: rooms that were there at some time in the span, the latest first.
///
/// # Errors
/// [`AnswerError`].
pub async fn describe_room_info(
    shared: &Shared,
    app: SdkAppId,
    ask: &RoomInfo,
) -> Result<Value, AnswerError> {
    let now = Now::read().wall;
    let (from, to) = window(ask.span, now, Some(ROOMS_HOURS_MAX))?;
    let page = page(ask.page, ROOMS, PAGE_MAX)?;
    settle(shared, None).await;
    let room = said(ask.room.as_ref());
    let lives = shared.monitoring.room_lives(app, from, to, room, page).await?;
    let rows: Vec<_> = lives.rows.iter().map(|life| room_state(life, now)).collect();
    // The vendor's: rows of this page.
    Ok(json!({ "Total": rows.len(), "RoomList": rows }))
}

fn room_state(life: &RoomLife, now: Timestamp) -> Value {
    let room = text(&life.room);
    json!({
        "CommId": format!("{}_{room}_{}", life.app, life.comm_second),
        "RoomString": room,
        "CreateTime": life.began.as_second(),
        // Like the vendor's LeaveTs: of what goes on, the present.
        "DestroyTime": life.ended.unwrap_or(now).as_second(),
        "IsFinished": life.ended.is_some(),
        "UserId": life.creator,
    })
}

/// Answers `DescribeUserInfo`: stays in a room, the earliest first.
///
/// # Errors
/// [`AnswerError`].
pub async fn describe_user_info(
    shared: &Shared,
    app: SdkAppId,
    ask: &UserInfo,
) -> Result<Value, AnswerError> {
    let asked =
        Asked { comm: &ask.comm, span: ask.span, users: &ask.users, page: ask.page, series: false };
    let found = asked.find(shared, app).await?;
    Ok(json!({ "Total": found.total, "UserList": found.users() }))
}

/// Answers `DescribeCallDetailInfo`: stays in a room, and how they fared.
///
/// # Errors
/// [`AnswerError`].
pub async fn describe_call_detail_info(
    shared: &Shared,
    app: SdkAppId,
    ask: &CallDetailInfo,
) -> Result<Value, AnswerError> {
    let names = ask.data.as_ref().filter(|names| !names.is_empty());
    let lines = names.map(|names| series::lines(names)).transpose()?;
    let asked = Asked {
        comm: &ask.comm,
        span: ask.span,
        users: &ask.users,
        page: ask.page,
        series: lines.is_some(),
    };
    let found = asked.find(shared, app).await?;
    let data = match lines {
        Some(lines) => found.data(shared, &lines).await?,
        None => Vec::new(),
    };
    Ok(json!({ "Total": found.total, "UserList": found.users(), "Data": data }))
}

/// What both lists of users are asked for.
struct Asked<'a> {
    comm: &'a str,
    span: Span,
    users: &'a [String],
    page: Page,
    series: bool,
}

/// Stays of a room.
struct Found {
    life: Option<RoomLife>,
    from: Timestamp,
    to: Timestamp,
    now: Timestamp,
    total: u64,
    stays: Vec<StayRow>,
}

impl Asked<'_> {
    async fn find(&self, shared: &Shared, app: SdkAppId) -> Result<Found, AnswerError> {
        let now = Now::read().wall;
        let span_max = if self.series { SERIES_SPAN_MAX } else { LIST_SPAN_MAX };
        let hours = i64::try_from(span_max.as_secs() / 3_600).unwrap_or(1);
        let (from, to) = window(self.span, now, Some(hours))?;
        users(self.users, self.series)?;
        let max = if self.series { SERIES_USERS_MAX } else { PAGE_MAX };
        let page = page(self.page, USERS, max)?;
        let (room, second) = comm(app, self.comm)?;
        settle(shared, None).await;
        let life = shared.monitoring.life(app, room, second).await?;
        let (total, stays) = match &life {
            Some(life) => {
                let (sid, users) = (life.room_sid.clone(), self.users.to_vec());
                let listed = shared.monitoring.stays_of_room(sid, from, to, users, page).await?;
                (listed.total, listed.rows)
            }
            None => (0, Vec::new()),
        };
        Ok(Found { life, from, to, now, total, stays })
    }
}

impl Found {
    fn users(&self) -> Vec<Value> {
        let room = self.life.as_ref().map(|life| text(&life.room)).unwrap_or_default();
        let row = |stay: &StayRow| {
            let client = &stay.client;
            let device = if client.device.is_empty() { &client.os } else { &client.device };
            json!({
                "RoomStr": room,
                "UserId": stay.identity,
                "JoinTs": stay.entered.as_second(),
                "LeaveTs": stay.left.map_or(self.now, |(at, _)| at).as_second(),
                "DeviceType": device,
                "SdkVersion": client.version,
                "ClientIp": client.address,
                "Finished": stay.left.is_some(),
            })
        };
        self.stays.iter().map(row).collect()
    }

    async fn data(&self, shared: &Shared, lines: &[&Line]) -> Result<Vec<Value>, AnswerError> {
        let Some(life) = &self.life else { return Ok(Vec::new()) };
        settle(shared, Some(life.room_sid.clone())).await;
        let ids: Vec<_> = self.stays.iter().map(|stay| stay.stay.clone()).collect();
        let blocks = match shared.monitoring.series(ids, self.from, self.to).await {
            Err(fermata_store::StoreError::Invalid { problem, .. }) => {
                return refuse("InvalidParameter.QueryScaleOversize", problem);
            }
            other => other?,
        };
        let charts = series::charts(life, &blocks, self.from, self.to, lines)?;
        let peers: Vec<ParticipantSid> = series::peers(&charts);
        let mut names: HashMap<_, _> =
            shared.monitoring.identities(peers).await?.into_iter().collect();
        names.extend(self.stays.iter().map(|stay| (stay.stay.clone(), stay.identity.clone())));
        Ok(series::answer(&charts, &names))
    }
}

/// Answers `DescribeScaleInfo`: users and rooms of each day (UTC) that the span touches. Today is among them, as
/// far as it has come.
///
/// # Errors
/// [`AnswerError`].
pub async fn describe_scale_info(
    shared: &Shared,
    app: SdkAppId,
    ask: &ScaleInfo,
) -> Result<Value, AnswerError> {
    let now = Now::read().wall;
    let (from, to) = window(ask.span, now, None)?;
    settle(shared, None).await;
    let midnight = from - SignedDuration::from_secs(from.as_second().rem_euclid(86_400));
    let days = shared.monitoring.totals(app, Period::Day, midnight, to, None).await?;
    let row = |day: &fermata_store::monitoring::Totals| {
        json!({
            "Time": day.from.as_second(),
            "UserNumber": day.scale.room_users,
            "UserCount": day.scale.entries,
            "RoomNumbers": day.scale.rooms,
        })
    };
    let rows: Vec<_> = days.iter().map(row).collect();
    Ok(json!({ "Total": rows.len(), "ScaleList": rows }))
}
