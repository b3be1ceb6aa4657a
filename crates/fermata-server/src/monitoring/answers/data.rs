//! Quality and scale of whole applications, by minute, hour and day.

use fermata_monitor::Rate;
use fermata_store::monitoring::{Period, Totals};
use fermata_types::{Now, SdkAppId};
use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use serde_json::{Value, json};

use super::check::{recent, refuse, said};
use super::{AnswerError, Market, RealTime};
use crate::monitoring::settle;
use crate::server::Shared;

/// How far real-time data reaches back, hours.
const REAL_TIME_HOURS: i64 = 12;
/// How far data by hour and day reaches back, days.
const MARKET_DAYS: i64 = 60;

/// Answers `DescribeTRTCRealTimeQualityData`, a row a minute in which somebody was there.
///
/// # Errors
/// [`AnswerError`].
pub async fn describe_trtc_real_time_quality_data(
    shared: &Shared,
    app: SdkAppId,
    ask: &RealTime,
) -> Result<Value, AnswerError> {
    let rows = minutes(shared, app, ask).await?;
    let columns = ["time", "videoFreezeRate", "audioFreezeRate"];
    Ok(table(&columns, &rows, |row| vec![video_freeze(row), audio_freeze(row)]))
}

/// Answers `DescribeTRTCRealTimeScaleData`, a row a minute in which somebody was there: the most at a time.
///
/// # Errors
/// [`AnswerError`].
pub async fn describe_trtc_real_time_scale_data(
    shared: &Shared,
    app: SdkAppId,
    ask: &RealTime,
) -> Result<Value, AnswerError> {
    let rows = minutes(shared, app, ask).await?;
    let columns = ["time", "userCount", "roomCount"];
    Ok(table(&columns, &rows, |row| vec![whole(row.peak_users), whole(row.peak_rooms)]))
}

/// Answers `DescribeTRTCMarketQualityData`, a row an hour or a day in which somebody was there. Rates are percent.
/// The delay is milliseconds one way, taken for half of the round trip.
///
/// # Errors
/// [`AnswerError`].
pub async fn describe_trtc_market_quality_data(
    shared: &Shared,
    app: SdkAppId,
    ask: &Market,
) -> Result<Value, AnswerError> {
    let rows = market(shared, app, ask).await?;
    let columns = [
        "time",
        "videoFreezeRate",
        "audioFreezeRate",
        "networkDelay",
        "joinSuccessRate",
        "joinSuccessIn5sRate",
    ];
    Ok(table(&columns, &rows, |row| {
        let sums = &row.sums;
        let delay = Rate { part: sums.delay_ms, whole: sums.delays };
        vec![
            video_freeze(row),
            audio_freeze(row),
            half_mean(delay),
            percent(Rate { part: sums.joined, whole: sums.joins }),
            percent(Rate { part: sums.joined_soon, whole: sums.joins }),
        ]
    }))
}

/// Answers `DescribeTRTCMarketScaleData`, a row an hour or a day in which somebody was there.
///
/// # Errors
/// [`AnswerError`].
pub async fn describe_trtc_market_scale_data(
    shared: &Shared,
    app: SdkAppId,
    ask: &Market,
) -> Result<Value, AnswerError> {
    let rows = market(shared, app, ask).await?;
    let columns = ["time", "peakCurrentUsers", "peakCurrentChannels", "userCount", "roomCount"];
    Ok(table(&columns, &rows, |row| {
        vec![
            whole(row.peak_users),
            whole(row.peak_rooms),
            whole(row.scale.users),
            whole(row.scale.rooms),
        ]
    }))
}

async fn minutes(
    shared: &Shared,
    app: SdkAppId,
    ask: &RealTime,
) -> Result<Vec<Totals>, AnswerError> {
    let (from, to) = recent(ask.span, Now::read().wall, REAL_TIME_HOURS)?;
    settle(shared, None).await;
    // The minute in which the span begins is part of it.
    let from = from - SignedDuration::from_secs(from.as_second().rem_euclid(60));
    let room = said(ask.room.as_ref());
    Ok(shared.monitoring.totals(app, Period::Minute, from, to, room).await?)
}

async fn market(shared: &Shared, app: SdkAppId, ask: &Market) -> Result<Vec<Totals>, AnswerError> {
    let (period, from, to) = days(ask, Now::read().wall)?;
    settle(shared, None).await;
    Ok(shared.monitoring.totals(app, period, from, to, None).await?)
}

/// What is asked for: from a midnight to before another.
fn days(ask: &Market, now: Timestamp) -> Result<(Period, Timestamp, Timestamp), AnswerError> {
    let period = match ask.period.as_str() {
        "d" => Period::Day,
        "h" => Period::Hour,
        _ => return refuse("InvalidParameter", "Period takes d (days) or h (hours)."),
    };
    let Some(first) = midnight(&ask.start, 0) else {
        return refuse("InvalidParameter.StartTs", "StartTime takes a day as YYYY-MM-DD.");
    };
    let Some(end) = midnight(&ask.end, 1) else {
        return refuse("InvalidParameter.EndTs", "EndTime takes a day as YYYY-MM-DD.");
    };
    if end <= first {
        return refuse("InvalidParameter.EndTs", "EndTime must not be before StartTime.");
    }
    let today = now.as_second() - now.as_second().rem_euclid(86_400);
    if first.as_second() < today - MARKET_DAYS * 86_400 {
        return refuse(
            "InvalidParameter.StartTimeOversize",
            format!("StartTime is more than {MARKET_DAYS} days ago; no more is kept."),
        );
    }
    Ok((period, first, end))
}

/// Where a day in UTC begins, or so many days later.
fn midnight(day: &str, later: i64) -> Option<Timestamp> {
    let day: Date = day.parse().ok()?;
    let at = day.to_zoned(TimeZone::UTC).ok()?.timestamp();
    at.checked_add(SignedDuration::from_hours(24 * later)).ok()
}

/// A value in thousandths.
type Milli = u64;

fn whole(value: u64) -> Milli {
    value.saturating_mul(1_000)
}

/// Nothing to measure is 0, as the vendor has it.
fn percent(rate: Rate) -> Milli {
    rate.millionths().unwrap_or(0) / 10
}

fn half_mean(sum: Rate) -> Milli {
    sum.part.saturating_mul(500).checked_div(sum.whole).unwrap_or(0)
}

fn video_freeze(row: &Totals) -> Milli {
    percent(Rate { part: row.sums.video_freeze_ms, whole: row.sums.video_ms })
}

fn audio_freeze(row: &Totals) -> Milli {
    percent(Rate { part: row.sums.audio_freeze_ms, whole: row.sums.audio_ms })
}

/// The vendor's `TRTCDataResult`: whole numbers, rounded, and the same with their fractions.
fn table(columns: &[&str], rows: &[Totals], values: impl Fn(&Totals) -> Vec<Milli>) -> Value {
    let row = |row: &Totals| {
        let time = row.from.as_second();
        let values = values(row);
        let whole = values.iter().map(|milli| json!(milli.saturating_add(500) / 1_000));
        let exact = values.iter().map(|milli| json!(exact(*milli)));
        json!({
            "RowValue": std::iter::once(json!(time)).chain(whole).collect::<Vec<_>>(),
            "RowValueFloat": std::iter::once(json!(time)).chain(exact).collect::<Vec<_>>(),
        })
    };
    let values: Vec<_> = rows.iter().map(row).collect();
    json!({
        "Data": {
            "StatementID": 0,
            "Series": [{ "Columns": columns, "Values": values }],
            "Total": 1,
        }
    })
}

#[expect(clippy::cast_precision_loss, reason = "values of charts are far below 2^53")]
fn exact(milli: Milli) -> f64 {
    milli as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use fermata_store::monitoring::{Scale, Sums};

    use super::*;

    #[test]
    fn days_are_judged() {
        let now: Timestamp = "2024-03-05T13:00:00Z".parse().unwrap();
        let rows = [
            ("2024-03-05", "2024-03-05", "d", ""),
            ("2024-01-05", "2024-03-05", "h", ""),
            ("2024-01-04", "2024-03-05", "h", "InvalidParameter.StartTimeOversize"),
            ("2024-03-05", "2024-03-04", "d", "InvalidParameter.EndTs"),
            ("2024-03-05", "2024-03-05", "m", "InvalidParameter"),
            ("2024-02-30", "2024-03-05", "d", "InvalidParameter.StartTs"),
            ("2024-03-05", "soon", "d", "InvalidParameter.EndTs"),
            ("2024-03-05", "9999-12-31", "d", "InvalidParameter.EndTs"),
        ];
        for (start, end, period, expected) in rows {
            let [start, end, period] = [start, end, period].map(str::to_owned);
            let ask = Market { start, end, period };
            let got = days(&ask, now).err().map_or("", |error| error.code());
            assert_eq!(got, expected, "{ask:?}");
        }
    }

    #[test]
    fn values_are_rounded_and_exact() {
        let sums = Sums {
            joins: 3,
            joined: 2,
            video_ms: 1_000,
            video_freeze_ms: 15,
            delay_ms: 333,
            delays: 10,
            ..Sums::default()
        };
        let from = Timestamp::from_second(1_709_596_800).unwrap();
        let scale = Scale::default();
        let row = Totals { from, sums, peak_users: 5, peak_rooms: 1, scale };
        let answer = table(&["time", "a", "b", "c", "d"], &[row], |row| {
            let joins = Rate { part: row.sums.joined, whole: row.sums.joins };
            let delay = Rate { part: row.sums.delay_ms, whole: row.sums.delays };
            vec![video_freeze(row), percent(joins), half_mean(delay), whole(row.peak_users)]
        });
        let values = &answer["Data"]["Series"][0]["Values"][0];
        assert_eq!(values["RowValue"], json!([1_709_596_800, 2, 67, 17, 5]));
        assert_eq!(values["RowValueFloat"], json!([1_709_596_800, 1.5, 66.666, 16.65, 5.0]));
        assert_eq!(answer["Data"]["Total"], 1);
        assert_eq!(answer["Data"]["StatementID"], 0);
    }
}
