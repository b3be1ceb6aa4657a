//! Usage statistics: minutes by 5 minutes or by day, and seconds by room.
//!
//! Days are civil days of the account's zone, and minutes are rounded as bills round them (see [`super::minutes`]),
//! for each application by itself, and then summed.
//! What it is not: what packages cover or what it costs; that is the service `billing`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use fermata_billing::state::Profile;
use fermata_types::{RoomName, SdkAppId, Sku, SkuKind, Tier};
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use serde_json::{Map, Value};

use super::call::{Answer, Call};
use super::fault::Fault;
use super::minutes::Table;
use crate::limits::{SERVER_API_ROOM_USAGE_SPAN_MAX, SERVER_API_USAGE_DAYS_MAX};
use crate::v1::call::books;

/// Length of the spans of one day, seconds.
const SPAN_S: u32 = 300;

/// Answers `DescribeTrtcUsage`.
pub(super) async fn trtc(call: &Call) -> Answer {
    by_time(call, &[SkuKind::Room]).await
}

/// Answers `DescribeRecordingUsage`. Minutes of recording do not tell single streams from mixed ones, so `MixType`
/// chooses nothing.
pub(super) async fn recording(call: &Call) -> Answer {
    by_time(call, &[SkuKind::Record, SkuKind::WebRecord]).await
}

/// Answers `DescribeMixTranscodingUsage`.
pub(super) async fn mix(call: &Call) -> Answer {
    by_time(call, &[SkuKind::Mix]).await
}

/// Answers `DescribeRelayUsage`.
pub(super) async fn relay(call: &Call) -> Answer {
    by_time(call, &[SkuKind::Relay]).await
}

/// Minutes of one day by 5 minutes, of more days by day. What has not begun yet is left out.
async fn by_time(call: &Call, kinds: &[SkuKind]) -> Answer {
    let (first, last) = days(call)?;
    let (books, profile) = books(&call.shared, &call.account).await?;
    let apps: Vec<SdkAppId> = match call.app {
        Some(app) => vec![app],
        None => books.state.apps.keys().copied().collect(),
    };
    let skus: Vec<Sku> =
        Sku::ALL.iter().copied().filter(|sku| kinds.contains(&sku.kind())).collect();
    let table = if first == last {
        of_day(call, &profile, skus, &apps, first, books.now).await?
    } else {
        of_days(call, &profile, skus, &apps, (first, last), books.now).await?
    };
    Ok(shown(&profile, &table))
}

/// First and last day, as they are asked for.
fn days(call: &Call) -> Result<(Date, Date), Fault> {
    let (first, last) = (call.params.date("StartTime")?, call.params.date("EndTime")?);
    if last < first {
        let message = format!("EndTime: {last} is before StartTime, {first}.");
        return Err(Fault::new("InvalidParameterValue", message));
    }
    if first.until(last).map_or(i32::MAX, |span| span.get_days()) >= SERVER_API_USAGE_DAYS_MAX {
        let message = format!(
            "EndTime: {first} to {last} are more than {SERVER_API_USAGE_DAYS_MAX} days, which are the most."
        );
        return Err(Fault::new("InvalidParameterValue", message));
    }
    Ok((first, last))
}

/// A day that no calendar has.
fn outside(day: Date) -> Fault {
    Fault::new("InvalidParameterValue", format!("{day} is outside of the account's calendar."))
}

/// One day by spans.
async fn of_day(
    call: &Call,
    profile: &Profile,
    skus: Vec<Sku>,
    apps: &[SdkAppId],
    day: Date,
    now: Timestamp,
) -> Result<Table, Fault> {
    let calendar = &profile.calendar;
    let begin = calendar.day_start(day).map_err(|_| outside(day))?;
    let end = calendar.day_end(day).map_err(|_| outside(day))?;
    let mut points = Vec::new();
    let mut at = begin;
    while at < end && at <= now {
        points.push(at);
        at = at
            .saturating_add(SignedDuration::from_secs(i64::from(SPAN_S)))
            .map_err(|_| outside(day))?;
    }
    let mut table = Table::new(skus, points);
    if begin < end {
        for app in apps {
            table.add_day(&call.shared.store.usage_by_span(*app, begin, end, SPAN_S).await?);
        }
    }
    Ok(table)
}

/// Some days, each as a whole.
async fn of_days(
    call: &Call,
    profile: &Profile,
    skus: Vec<Sku>,
    apps: &[SdkAppId],
    (first, last): (Date, Date),
    now: Timestamp,
) -> Result<Table, Fault> {
    let (mut days, mut points) = (Vec::new(), Vec::new());
    let mut day = first;
    while day <= last {
        let begin = profile.calendar.day_start(day).map_err(|_| outside(day))?;
        if begin > now {
            break;
        }
        days.push(day);
        points.push(begin);
        day = day.saturating_add(1.day());
    }
    let mut table = Table::new(skus, points);
    for app in apps {
        for usage in call.shared.store.usage_by_day(*app, first, last).await? {
            if let Some(row) = days.iter().position(|day| *day == usage.day) {
                table.add(row, usage.sku, usage.minutes());
            }
        }
    }
    Ok(table)
}

/// The answer's fields. Times are those of the account's zone.
fn shown(profile: &Profile, table: &Table) -> Map<String, Value> {
    let keys: Vec<Value> = table.skus.iter().map(|sku| Value::from(sku.code())).collect();
    let rows = table.rows().map(|(at, minutes)| {
        let values: Vec<Value> = minutes.iter().map(|minutes| number(*minutes)).collect();
        let mut row = Map::new();
        row.insert("TimeKey".to_owned(), moment(profile, at).into());
        row.insert("TimeStampKey".to_owned(), at.as_second().into());
        row.insert("UsageValue".to_owned(), values.into());
        Value::Object(row)
    });
    let rows: Vec<Value> = rows.collect();
    Map::from_iter([("UsageKey".to_owned(), keys.into()), ("UsageList".to_owned(), rows.into())])
}

/// Minutes as the vendor's models have them, which is a number with a fraction. Exact: no application uses more
/// minutes in a day than 32 bits hold.
fn number(minutes: u64) -> Value {
    f64::from(u32::try_from(minutes).unwrap_or(u32::MAX)).into()
}

/// `2026-01-31 08:05:00`, in the account's zone.
fn moment(profile: &Profile, at: Timestamp) -> String {
    super::billing::moment(profile, at)
}

/// Answers `DescribeTrtcRoomUsage`: seconds of stays that began in the window, by room, as CSV.
pub(super) async fn rooms(call: &Call) -> Answer {
    let app = call.needed_app()?;
    let (_, profile) = books(&call.shared, &call.account).await?;
    let at = |name: &str| -> Result<Timestamp, Fault> {
        let civil: DateTime = call.params.date_time(name)?;
        let zone = TimeZone::get(profile.calendar.zone_of(civil.date()))
            .map_err(|_| outside(civil.date()))?;
        civil.to_zoned(zone).map(|zoned| zoned.timestamp()).map_err(|_| outside(civil.date()))
    };
    let (from, to) = (at("StartTime")?, at("EndTime")?);
    if to < from || to.duration_since(from) > SERVER_API_ROOM_USAGE_SPAN_MAX {
        let message = "EndTime: it must not be before StartTime, and at most 24 hours after it.";
        return Err(Fault::new("InvalidParameterValue", message));
    }
    let usage = call.shared.store.usage_by_room(app, from, to).await?;
    let csv = csv(usage.into_iter().map(|of| (of.room, of.sku, of.seconds)));
    Ok(Map::from_iter([("Data".to_owned(), csv.into())]))
}

/// The tier of a kind of minutes in rooms, as its column.
fn column(sku: Sku) -> Option<Tier> {
    match sku {
        Sku::Audio | Sku::LiveAudienceAudio => Some(Tier::Audio),
        Sku::VideoHd | Sku::LiveAudienceVideoHd => Some(Tier::VideoHd),
        Sku::VideoFhd | Sku::LiveAudienceVideoFhd => Some(Tier::VideoFhd),
        Sku::Video2k | Sku::LiveAudienceVideo2k => Some(Tier::Video2k),
        Sku::Video4k | Sku::LiveAudienceVideo4k => Some(Tier::Video4k),
        _ => None,
    }
}

/// The vendor's table. There is no tier SD here, so its column is 0.
fn csv(usage: impl IntoIterator<Item = (RoomName, Sku, u64)>) -> String {
    let mut rooms: BTreeMap<RoomName, BTreeMap<Tier, u64>> = BTreeMap::new();
    for (room, sku, seconds) in usage {
        let Some(tier) = column(sku) else { continue };
        let cell = rooms.entry(room).or_default().entry(tier).or_default();
        *cell = cell.saturating_add(seconds);
    }
    let mut text = "RoomId,Audio,SD,hd,FullHD,2K,4K\n".to_owned();
    for (room, tiers) in rooms {
        let of = |tier| tiers.get(&tier).copied().unwrap_or(0);
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{},{},0,{},{},{},{}",
            cell(&room),
            of(Tier::Audio),
            of(Tier::VideoHd),
            of(Tier::VideoFhd),
            of(Tier::Video2k),
            of(Tier::Video4k)
        );
    }
    text
}

/// A room as the client named it; quoted where a comma or a quote would end the cell, and kept from being read as
/// a formula.
fn cell(room: &RoomName) -> String {
    let name = match room {
        RoomName::Integer(number) => return number.to_string(),
        RoomName::Text(name) => name,
    };
    let formula = name.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if formula || name.contains([',', '"', '\n', '\r']) {
        let mark = if formula { "'" } else { "" };
        return format!("\"{mark}{}\"", name.replace('"', "\"\""));
    }
    name.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_are_rows_whatever_their_names() {
        let text = |name: &str| RoomName::Text(name.into());
        let usage = [
            (RoomName::Integer(7), Sku::Audio, 30),
            (RoomName::Integer(7), Sku::LiveAudienceAudio, 12),
            (RoomName::Integer(7), Sku::VideoHd, 5),
            (text("7"), Sku::Video4k, 1),
            (text("a,b \"c\""), Sku::LiveAudienceVideo2k, 2),
            (text("=1+1"), Sku::VideoFhd, 3),
            (text("x"), Sku::Relay, 9),
        ];
        assert_eq!(
            csv(usage),
            "RoomId,Audio,SD,hd,FullHD,2K,4K\n\
             7,42,0,5,0,0,0\n\
             7,0,0,0,0,0,1\n\
             \"'=1+1\",0,0,0,3,0,0\n\
             \"a,b \"\"c\"\"\",0,0,0,0,2,0\n"
        );
    }
}
