//! What notices say: plain words, the moments and amounts that count, and what to do.

use std::fmt::Write as _;

use fermata_types::SdkAppId;
use jiff::Timestamp;

use super::Words;
use crate::clause::ClauseId as C;
use crate::hold::HoldKind;
use crate::limits::APPS_NAMED_MAX;
use crate::money::{Currency, Money};
use crate::state::{Hold, Package};

/// A moment in UTC, to the second.
pub(crate) fn moment(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}

fn money(amount: Money, currency: Currency) -> String {
    format!("{} {}", amount.to_decimal(currency), currency.code())
}

fn words(title: impl Into<String>, text: String, clauses: &'static [C]) -> Words {
    Words { title: title.into(), text, clauses }
}

pub(super) fn balance_low(currency: Currency, available: Money, below: Money) -> Words {
    let (available, below) = (money(available, currency), money(below, currency));
    let text = format!(
        "{available} are available, less than the {below} you asked to be warned at. Recharge before the balance \
         falls below zero: from then on there is a limited time until new users are kept out."
    );
    words(format!("Your balance is below {below}"), text, &[C::T4, C::S11])
}

pub(super) fn credit_used(currency: Currency, used: Money, limit: Money, percent: i64) -> Words {
    let (used, limit) = (money(used, currency), money(limit, currency));
    let text = format!(
        "{used} of the credit limit of {limit} are used. Beyond the limit the account is in arrears; recharge \
         to stay clear of it."
    );
    words(format!("{percent} % of the credit limit is used"), text, &[C::T4, C::A4])
}

pub(super) fn package_used(package: &Package, percent: i64) -> Words {
    let text = format!(
        "The package {} ({}) has {} of {} minutes left and is valid to the end of {}. Buy another package, or \
         make sure that postpaid is on, so that service does not stop when it is used up.",
        package.id,
        package.type_code,
        package.left.whole_minutes(),
        package.units.whole_minutes(),
        package.until,
    );
    let title = format!("{percent} % of the package {} is used", package.type_code);
    words(title, text, &[C::T1, C::S17])
}

pub(super) fn package_alarm(package: &Package, percent: u8) -> Words {
    let text = format!(
        "The package {} ({}) has {} of {} minutes left: {percent} % or less, as you asked to be told. It is \
         valid to the end of {}.",
        package.id,
        package.type_code,
        package.left.whole_minutes(),
        package.units.whole_minutes(),
        package.until,
    );
    words(format!("{percent} % of the package {} is left", package.type_code), text, &[C::T1])
}

pub(crate) fn arrears_reminder(
    currency: Currency,
    available: Money,
    suspend_due: Option<Timestamp>,
) -> Words {
    let debt = money(available, currency);
    let mut text = format!("The available balance is {debt}. ");
    match suspend_due {
        Some(due) => {
            let _ = write!(
                text,
                "Nothing is blocked yet. Recharge until the balance is zero or above by {}; otherwise all \
                 applications of the account are suspended then, also if packages still have minutes. Calls in \
                 progress go on and are billed.",
                moment(due)
            );
        }
        None => text.push_str(
            "Your agreement does not suspend the account for it. Please recharge until the balance is zero or \
             above.",
        ),
    }
    words("Your account is in arrears", text, &[C::S8, C::T5, C::S9, C::S10])
}

pub(crate) fn arrears_warning(currency: Currency, available: Money, due: Timestamp) -> Words {
    let text = format!(
        "The available balance still is {}. At {} the account is suspended: no new user enters a room, console, \
         API and recordings are closed. Recharge until the balance is zero or above before then.",
        money(available, currency),
        moment(due)
    );
    words(format!("Suspension at {}", moment(due)), text, &[C::S9, C::S11, C::T5])
}

pub(crate) fn suspended(
    currency: Currency,
    available: Money,
    since: Timestamp,
    reclaim_at: Option<Timestamp>,
) -> Words {
    let mut text = format!(
        "The balance of {} was not settled in time, so the account is suspended since {}. New users cannot enter \
         rooms, and console, API and recordings are closed. Calls in progress go on and are billed; rooms can be \
         dismissed through the API. Recharge until the balance is zero or above: service comes back with the \
         payment.",
        money(available, currency),
        moment(since)
    );
    if let Some(at) = reclaim_at {
        let _ = write!(
            text,
            " If it stays suspended, its data may be cleared for good after {}.",
            moment(at)
        );
    }
    words("Your account is suspended for arrears", text, &[C::S10, C::T8, C::S12, C::S14, C::S15])
}

pub(crate) fn arrears_cleared(currency: Currency, available: Money, remaining: &[Hold]) -> Words {
    let mut text = format!(
        "The available balance is {} again, and the arrears are settled.",
        money(available, currency)
    );
    push_remaining(&mut text, remaining);
    words("Your arrears are settled", text, &[C::T7, C::S9])
}

pub(crate) fn restored(scope: &str, still_held: usize, cause: &'static [C]) -> Words {
    let mut text = format!(
        "Nothing holds {scope} any more. New users can enter rooms, and console, API and recordings are open \
         again."
    );
    if still_held > 0 {
        let _ = write!(
            text,
            " Holds of single applications stand as before: {still_held}. The account's standing lists them with \
             what clears each."
        );
    }
    words(format!("Service is back for {scope}"), text, cause)
}

fn push_remaining(text: &mut String, holds: &[Hold]) {
    if holds.is_empty() {
        return;
    }
    text.push_str(" These still stand:");
    for hold in holds {
        let _ = write!(
            text,
            " {} (since {}). {}",
            hold.kind,
            moment(hold.since),
            hold.kind.rule().remedy
        );
    }
}

/// Numbers of applications, as many as one notice names.
pub(crate) fn apps(apps: &[SdkAppId]) -> String {
    let named: Vec<_> = apps.iter().take(APPS_NAMED_MAX).map(ToString::to_string).collect();
    let noun = if apps.len() == 1 { "application" } else { "applications" };
    let mut text = format!("{noun} {}", named.join(", "));
    if let Some(more) = apps.len().checked_sub(APPS_NAMED_MAX).filter(|more| *more > 0) {
        let _ = write!(text, " and {more} more");
    }
    text
}

pub(crate) fn unfunded(of: &[SdkAppId]) -> Words {
    let text = format!(
        "Nothing pays for the minutes of {} any more: no free minutes are left, no package that was bought \
         covers them, and postpaid is off. New users cannot enter rooms; calls in progress go on. {}",
        apps(of),
        HoldKind::Unfunded.rule().remedy
    );
    words("The minutes are used up, and a purchase is needed", text, &[C::T9, C::S17, C::A8])
}

pub(crate) fn violation(hold: &Hold, reclaim_at: Option<Timestamp>) -> Words {
    let cause = hold.cause.map(|cause| format!(" ({})", cause.code())).unwrap_or_default();
    let mut text = format!(
        "The account is suspended for a violation{cause}: {}. Rooms are dismissed, and all of the service is \
         closed. The decision is final. {}",
        hold.reason.trim_end_matches('.'),
        hold.kind.rule().remedy
    );
    if let Some(at) = reclaim_at {
        let _ = write!(text, " Its data may be cleared for good after {}.", moment(at));
    }
    words("Your account is closed because of a violation", text, &[C::T14, C::S19, C::S21])
}

pub(crate) fn partner_freeze(frozen: bool, reason: &str, remaining: &[Hold]) -> Words {
    let clauses = &[C::T16, C::S1];
    if frozen {
        let mut text = "The partner who serves this account froze it".to_owned();
        push_reason(&mut text, reason);
        let _ = write!(
            text,
            " New users cannot enter rooms. {}",
            HoldKind::PartnerFreeze.rule().remedy
        );
        return words("Your account is frozen by its partner", text, clauses);
    }
    let mut text = "The partner who serves this account lifted the freeze.".to_owned();
    push_remaining(&mut text, remaining);
    words("The partner's freeze is lifted", text, clauses)
}

pub(crate) fn admin(raised: bool, scope: &str, reason: &str, remaining: &[Hold]) -> Words {
    let clauses = &[C::S20, C::A11];
    if raised {
        let mut text = format!("The operator restricted {scope}");
        push_reason(&mut text, reason);
        let _ = write!(
            text,
            " New users cannot enter rooms; calls in progress go on. {}",
            HoldKind::Admin.rule().remedy
        );
        return words(format!("The operator restricted {scope}"), text, clauses);
    }
    let mut text = format!("The operator lifted the restriction of {scope}.");
    push_remaining(&mut text, remaining);
    words(format!("The operator reopened {scope}"), text, clauses)
}

fn push_reason(text: &mut String, reason: &str) {
    if reason.is_empty() {
        text.push('.');
    } else {
        let _ = write!(text, ": {}.", reason.trim_end_matches('.'));
    }
}

pub(crate) fn closure_opened(confirm_due: Option<Timestamp>) -> Words {
    let mut text = "The account is being closed as was asked for. Rooms are dismissed, and all of the service is \
         closed; the billing pages stay open."
        .to_owned();
    if let Some(due) = confirm_due {
        let _ = write!(
            text,
            " There is time to think again: cancel the ticket and everything is as before. From {} on it can \
             be confirmed, and only then is the data cleared, for good.",
            moment(due)
        );
    }
    words("Your account is being closed", text, &[C::T28, C::S23])
}

pub(crate) fn closure_may_be_confirmed() -> Words {
    let text = "The time to think again is over. Confirm the ticket to have all data of the account cleared for \
         good, or cancel it to go on as before. Nothing is cleared without your word."
        .to_owned();
    words("The closure of your account can be confirmed", text, &[C::T28, C::S23])
}

pub(crate) fn closure_cancelled(remaining: &[Hold]) -> Words {
    let mut text = "The closure of the account was taken back; nothing was cleared.".to_owned();
    push_remaining(&mut text, remaining);
    words("Your account is not being closed", text, &[C::T28])
}

pub(crate) fn reclaim_notice(at: Timestamp, now: Timestamp, hold: &Hold) -> Words {
    let seconds = u64::try_from(at.as_second() - now.as_second()).unwrap_or(0);
    let days = seconds.div_ceil(86_400);
    let noun = if days == 1 { "day" } else { "days" };
    let text = format!(
        "The account is suspended ({}) since {}. Unless that ends before, all its data may be cleared after {}: \
         configurations, service logs, keys, recordings and packages. What is cleared cannot be recovered. {}",
        hold.kind,
        moment(hold.since),
        moment(at),
        hold.kind.rule().remedy
    );
    words(
        format!("Your account's data may be cleared in {days} {noun}"),
        text,
        &[C::T19, C::S21, C::S22],
    )
}

pub(crate) fn reclaim_final(consented: bool) -> Words {
    let why = if consented {
        "as was asked for and confirmed"
    } else {
        "after more than the announced time of suspension"
    };
    let text = format!(
        "All data of the account is being cleared now, {why}. It cannot be stopped or taken back. Ledger, bills \
         and audit remain, as they must be kept. A payment still settles debt, but brings nothing back."
    );
    let clauses: &[C] =
        if consented { &[C::T28, C::S23, C::A14] } else { &[C::T20, C::S21, C::S22, C::A14] };
    words("Your account's data is being cleared", text, clauses)
}

pub(crate) fn cleared(violation: bool) -> Words {
    let mut text = "Configurations, service logs, keys, recordings and packages of the account were deleted, each \
         with a receipt. Ledger, bills and audit remain."
        .to_owned();
    if !violation {
        text.push_str(" You are welcome to open a new account.");
    }
    words("Your account is cleared", text, &[C::T22, C::S22, C::A26])
}
