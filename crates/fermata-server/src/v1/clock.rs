//! The clock of a sandbox account: forward in a moment, with everything due on the way fired in order.

use axum::Json;
use axum::extract::State;
use fermata_billing::limits::FIRED_PER_CALL_MAX;
use fermata_store::{Advanced, ClockTarget, Fired, StoreError};
use fermata_types::{AccountId, Now};
use jiff::{SignedDuration, Span, SpanRelativeTo};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::Caller;
use super::call::explain;
use super::error::{ApiError, ErrorBody};
use super::extract::{Body, UrlPath};
use super::once::OnlyOnce;
use super::usage::moment;
use crate::server::Shared;

/// Where the clock is to go: exactly one of the two.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClockMove {
    /// So much further: an ISO 8601 duration of weeks, days, hours, minutes and seconds such as `PT24H` or `P60D`;
    /// a day is 24 hours. At most 400 days.
    pub advance: Option<String>,
    /// To this moment, RFC 3339; not before what it shows.
    pub to: Option<String>,
}

/// A timer that fired.
#[derive(Debug, Serialize, ToSchema)]
pub struct FiredView {
    /// Which, such as `suspend` or `day_close/2026-01-31`.
    pub timer: String,
    /// When it was due, in the account's time; its effects count from then.
    pub due: String,
    /// Transitions of the policy that it took, such as `T8`.
    pub transitions: Vec<String>,
}

impl From<Fired> for FiredView {
    fn from(fired: Fired) -> Self {
        let transition =
            |taken: &fermata_billing::transition::Transition| taken.clause().to_string();
        Self {
            timer: fired.timer.code(),
            due: fired.due.to_string(),
            transitions: fired.transitions.iter().map(transition).collect(),
        }
    }
}

/// Where the clock got to.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClockView {
    /// What it shows now, RFC 3339.
    pub now: String,
    /// What fired on the way, in order.
    pub fired: Vec<FiredView>,
    /// As much fired as one call may fire, and the clock stands where that was; call again for the rest.
    pub more: bool,
}

/// Move the clock of a sandbox account forward; what fired is in force when the answer comes
#[utoipa::path(post, path = "/accounts/{account}/clock", operation_id = "advance_clock", tag = "sandbox", request_body = ClockMove,
    params(("account" = String, Path, description = "Account id")),
    responses((status = 200, body = ClockView), (status = "4XX", body = ErrorBody)))]
pub async fn advance(
    State(shared): State<Shared>,
    caller: Caller,
    OnlyOnce(once): OnlyOnce,
    UrlPath(account): UrlPath<String>,
    Body(wanted): Body<ClockMove>,
) -> Result<Json<ClockView>, ApiError> {
    let account = AccountId::from_text(&account);
    let target = target(&wanted)?;
    let (id, wall) = (account.clone(), Now::read().wall);
    let moved = shared.store.advance_clock(id, target, wall, caller.actor(), once).await;
    // Also after a refusal: timers on the way may have fired, and the clock has moved for every stay.
    shared.enforce(&account).await?;
    let Advanced { now, fired } = match moved {
        Ok(advanced) => advanced,
        Err(StoreError::Refused(refused)) => return Err(explain(&shared, &account, *refused).await),
        Err(error) => return Err(error.into()),
    };
    tracing::info!(%account, %now, fired = fired.len(), "Moved a sandbox clock.");
    let more = fired.len() >= FIRED_PER_CALL_MAX;
    let fired = fired.into_iter().map(Into::into).collect();
    Ok(Json(ClockView { now: now.to_string(), fired, more }))
}

fn target(wanted: &ClockMove) -> Result<ClockTarget, ApiError> {
    match (&wanted.advance, &wanted.to) {
        (Some(advance), None) => duration(advance).map(ClockTarget::By),
        (None, Some(to)) => moment("to", to).map(ClockTarget::To),
        _ => Err(ApiError::Invalid("body: it takes either advance or to".to_owned())),
    }
}

/// An ISO 8601 duration without years and months, whose lengths vary.
fn duration(text: &str) -> Result<SignedDuration, ApiError> {
    let wrong = || {
        ApiError::Invalid(format!(
            "advance: {text:?}; it takes a duration such as P1D or PT24H, without years and months"
        ))
    };
    // Else the library would read its own friendly format as well, which is not ISO 8601.
    let iso = text.trim_start_matches(['+', '-']).starts_with('P');
    let span: Span = text.parse().ok().filter(|_| iso).ok_or_else(wrong)?;
    if span.get_years() != 0 || span.get_months() != 0 {
        return Err(wrong());
    }
    span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_iso_8601_with_days_of_24_hours() {
        for (text, hours) in
            [("P1D", 24), ("PT24H", 24), ("P60D", 1440), ("P1W", 168), ("-PT1H", -1)]
        {
            assert_eq!(duration(text).unwrap(), SignedDuration::from_hours(hours), "{text}");
        }
        for text in ["", "1 day", "P1M", "P1Y", "24h", "P", "PT", "P99999999999999D"] {
            assert_eq!(duration(text).unwrap_err().code(), "invalid", "{text}");
        }
    }

    #[test]
    fn a_move_names_one_target() {
        let wanted = |advance: Option<&str>, to: Option<&str>| ClockMove {
            advance: advance.map(str::to_owned),
            to: to.map(str::to_owned),
        };
        assert!(target(&wanted(Some("P1D"), None)).is_ok());
        assert!(target(&wanted(None, Some("2026-01-31T00:00:00Z"))).is_ok());
        for wrong in [wanted(None, None), wanted(Some("P1D"), Some("2026-01-31T00:00:00Z"))] {
            assert!(target(&wrong).is_err());
        }
    }
}
