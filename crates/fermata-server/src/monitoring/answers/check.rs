//! Windows and pages, by the vendor's rules.

use fermata_monitor::limits::{PAGE_MAX, RETENTION};
use fermata_store::monitoring as store;
use fermata_types::SdkAppId;
use jiff::{SignedDuration, Timestamp};

use super::{AnswerError, Page, Span};

/// What clocks of callers may be behind or ahead, seconds: who asks for exactly 14 days is not refused.
const SLACK_S: i64 = 60;

/// A refusal of a parameter.
pub(super) fn refuse<T>(code: &'static str, message: impl Into<String>) -> Result<T, AnswerError> {
    Err(AnswerError::Parameter { code, message: message.into() })
}

/// Moments of a span that is neither too old nor longer than `hours_max`.
pub(super) fn window(
    span: Span,
    now: Timestamp,
    hours_max: Option<i64>,
) -> Result<(Timestamp, Timestamp), AnswerError> {
    let (from, to) = moments(span)?;
    let kept_s = i64::try_from(RETENTION.as_secs()).unwrap_or(i64::MAX);
    if span.start < now.as_second() - kept_s - SLACK_S {
        let days = kept_s / 86_400;
        return refuse(
            "InvalidParameter.StartTimeExpire",
            format!("StartTime is more than {days} days ago; {days} days are kept."),
        );
    }
    match hours_max {
        Some(hours) if span.end - span.start > hours * 3_600 => refuse(
            "InvalidParameter.QueryScaleOversize",
            format!("StartTime and EndTime may be {hours} h apart at most here."),
        ),
        _ => Ok((from, to)),
    }
}

/// Moments of a span of real-time data, which may begin so many hours ago.
pub(super) fn recent(
    span: Span,
    now: Timestamp,
    hours_max: i64,
) -> Result<(Timestamp, Timestamp), AnswerError> {
    let moments = moments(span)?;
    if span.start < now.as_second() - hours_max * 3_600 - SLACK_S {
        return refuse(
            "InvalidParameter.StartTimeOversize",
            format!("StartTime is more than {hours_max} h ago; no more is kept here."),
        );
    }
    Ok(moments)
}

fn moments(span: Span) -> Result<(Timestamp, Timestamp), AnswerError> {
    let Ok(from) = Timestamp::from_second(span.start.max(-1)) else {
        return refuse("InvalidParameter.StartTs", "StartTime takes seconds since 1970.");
    };
    let Ok(to) = Timestamp::from_second(span.end) else {
        return refuse("InvalidParameter.EndTs", "EndTime takes seconds since 1970.");
    };
    if span.start < 0 {
        return refuse("InvalidParameter.StartTs", "StartTime takes seconds since 1970.");
    }
    if to <= from {
        return refuse("InvalidParameter.EndTs", "EndTime must be later than StartTime.");
    }
    // Both ends belong to it; what happened within the last second does too.
    Ok((from, to + SignedDuration::from_millis(999)))
}

/// A page of `otherwise` rows, or what was asked for, up to `max` rows.
pub(super) fn page(page: Page, otherwise: u32, max: usize) -> Result<store::Page, AnswerError> {
    let size = match page.size {
        None => i64::from(otherwise),
        Some(size) if size < 1 => {
            return refuse("InvalidParameter.PageSize", format!("PageSize takes 1 to {max}."));
        }
        Some(size) => size,
    };
    if usize::try_from(size).map_or(true, |size| size > max) {
        return refuse(
            "InvalidParameter.PageSizeOversize",
            format!("PageSize is {size}; it takes {max} at most here."),
        );
    }
    if page.number.is_some_and(i64::is_negative) {
        return refuse("InvalidParameter.PageNumber", "PageNumber takes 0 and more.");
    }
    // The vendor's rule: both, or neither.
    let (Some(number), Some(_)) = (page.number, page.size) else {
        return Ok(store::Page { skip: 0, len: otherwise });
    };
    let skip = u64::try_from(number.saturating_mul(size)).unwrap_or(0);
    Ok(store::Page { skip, len: u32::try_from(size).unwrap_or(otherwise) })
}

/// Users asked for by name.
pub(super) fn users(users: &[String], series: bool) -> Result<(), AnswerError> {
    let max = if series { fermata_monitor::limits::SERIES_USERS_MAX } else { PAGE_MAX };
    if users.len() <= max {
        return Ok(());
    }
    let code =
        if series { "InvalidParameter.UserIdsMorethanSix" } else { "InvalidParameter.UserIds" };
    refuse(code, format!("UserIds takes {max} at most here."))
}

/// Room and second of a `CommId` of this application; a room may have underscores of its own.
pub(super) fn comm(app: SdkAppId, comm: &str) -> Result<(String, i64), AnswerError> {
    let parts = comm.split_once('_').and_then(|(of, rest)| {
        let (room, second) = rest.rsplit_once('_')?;
        Some((of.parse::<u32>().ok()?, room, second.parse::<i64>().ok()?))
    });
    match parts {
        Some((of, room, second)) if of == app.0 && !room.is_empty() => {
            Ok((room.to_owned(), second))
        }
        Some((of, ..)) if of != app.0 => {
            refuse("InvalidParameter.SdkAppId", "CommId is of another SdkAppId.")
        }
        _ => refuse(
            "InvalidParameter",
            "CommId takes SdkAppId_RoomId_CreateTime, as DescribeRoomInfo tells it.",
        ),
    }
}

/// A text that says something.
pub(super) fn said(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.is_empty()).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;
    const DAY: i64 = 86_400;

    fn code<T: std::fmt::Debug>(result: Result<T, AnswerError>) -> &'static str {
        result.err().map_or("", |error| error.code())
    }

    #[test]
    fn windows_are_judged() {
        let now = Timestamp::from_second(NOW).unwrap();
        let rows = [
            (NOW - 3_600, NOW, Some(1), ""),
            (NOW - 3_601, NOW, Some(1), "InvalidParameter.QueryScaleOversize"),
            (NOW - 14 * DAY, NOW, None, ""),
            (NOW - 14 * DAY - 61, NOW, None, "InvalidParameter.StartTimeExpire"),
            (NOW, NOW, None, "InvalidParameter.EndTs"),
            (NOW, NOW - 1, None, "InvalidParameter.EndTs"),
            (-1, NOW, None, "InvalidParameter.StartTs"),
            (i64::MAX, NOW, None, "InvalidParameter.StartTs"),
            (i64::MIN, NOW, None, "InvalidParameter.StartTs"),
            (NOW, i64::MAX, None, "InvalidParameter.EndTs"),
            (NOW, i64::MIN, None, "InvalidParameter.EndTs"),
            (NOW, NOW + 100 * DAY, None, ""),
        ];
        for (start, end, hours, expected) in rows {
            let got = code(window(Span { start, end }, now, hours));
            assert_eq!(got, expected, "{start} {end} {hours:?}");
        }
        let old = Span { start: NOW - 12 * 3_600 - 61, end: NOW };
        assert_eq!(code(recent(old, now, 12)), "InvalidParameter.StartTimeOversize");
        assert_eq!(code(recent(Span { start: NOW - 12 * 3_600, end: NOW }, now, 12)), "");
    }

    #[test]
    fn pages_are_judged() {
        let rows = [
            ((None, None), Ok((0, 10))),
            ((Some(3), None), Ok((0, 10))),
            ((None, Some(50)), Ok((0, 10))),
            ((Some(3), Some(50)), Ok((150, 50))),
            ((Some(0), Some(100)), Ok((0, 100))),
            ((Some(0), Some(101)), Err("InvalidParameter.PageSizeOversize")),
            ((None, Some(i64::MAX)), Err("InvalidParameter.PageSizeOversize")),
            ((Some(0), Some(0)), Err("InvalidParameter.PageSize")),
            ((Some(-1), Some(1)), Err("InvalidParameter.PageNumber")),
        ];
        for ((number, size), expected) in rows {
            let got = page(Page { number, size }, 10, 100).map(|page| (page.skip, page.len));
            assert_eq!(got.map_err(|error| error.code()), expected, "{number:?} {size:?}");
        }
        let last = page(Page { number: Some(i64::MAX), size: Some(100) }, 10, 100).unwrap();
        assert_eq!(last.skip, i64::MAX as u64);
    }

    #[test]
    fn comm_ids_are_read() {
        let app = SdkAppId(14);
        assert_eq!(comm(app, "14_7_99").unwrap(), ("7".to_owned(), 99));
        assert_eq!(comm(app, "14_a_b_99").unwrap(), ("a_b".to_owned(), 99));
        assert_eq!(code(comm(app, "15_7_99")), "InvalidParameter.SdkAppId");
        for bad in ["", "14", "14_7", "14__9", "14_7_x", "x_7_9"] {
            assert_eq!(code(comm(app, bad)), "InvalidParameter", "{bad:?}");
        }
    }

    #[test]
    fn users_are_counted() {
        let some = |n: usize| vec!["u".to_owned(); n];
        assert_eq!(code(users(&some(6), true)), "");
        assert_eq!(code(users(&some(7), true)), "InvalidParameter.UserIdsMorethanSix");
        assert_eq!(code(users(&some(100), false)), "");
        assert_eq!(code(users(&some(101), false)), "InvalidParameter.UserIds");
    }
}
