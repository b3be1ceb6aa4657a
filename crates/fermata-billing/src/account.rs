//! Opening an account, its applications and its terms.
//!
//! What it is not: it judges no standing and grants no minutes; it changes the facts and has those judge anew
//! who do.

use fermata_types::SdkAppId;
use jiff::Timestamp;

use crate::calendar::Calendar;
use crate::clause::ClauseId;
use crate::command::{ActorRole, Answer, ChangeAccount, OpenAccount, Refusal};
use crate::effect::OperationClass;
use crate::journal::{AuditRow, Record};
use crate::limits::{AMOUNT_MAX_UNITS, APPS_MAX, CLOCK_STEP_MAX};
use crate::money::{MICROS_PER_UNIT, Money};
use crate::notice::{Contact, OWNER};
use crate::state::{AppFacts, BillingMode, Item, Profile};
use crate::step::Step;
use crate::timer::TimerKind;
use crate::{bills, ledger, metering, notices, packages, reclaim, standing};

/// Opens the account: profile, the first grant of free minutes (full, A7), its timers and its owner.
///
/// # Errors
/// [`Refusal::AlreadyOpen`] if it is open with other terms; [`Refusal::Calendar`] for an unknown zone;
/// [`Refusal::Invalid`] for a currency without prices or a credit limit out of range.
pub(crate) fn open(step: &mut Step<'_>, terms: &OpenAccount) -> Result<Answer, Refusal> {
    let calendar = Calendar::new(&terms.zone)?;
    if let Some(profile) = &step.state().profile {
        let same = has_terms(profile, terms, &calendar);
        return if same { Ok(Answer::Done) } else { Err(Refusal::AlreadyOpen) };
    }
    let currencies = step.env().catalog.currencies_at(step.now())?;
    if !currencies.contains(&terms.currency) {
        let codes: Vec<_> = currencies.iter().map(|one| one.code()).collect();
        let codes = codes.join(", ");
        let problem = format!("there are no prices in {}; allowed: {codes}", terms.currency.code());
        return Err(Refusal::invalid("currency", problem));
    }
    check_credit_limit(terms.credit_limit)?;
    let now = step.now();
    let (open_day, month) = (calendar.day_of(now)?, calendar.month_of(now)?);
    step.put(Item::Profile(Profile {
        account: terms.account.clone(),
        currency: terms.currency,
        calendar,
        billing: terms.billing,
        sandbox: terms.sandbox,
        partner: terms.partner.clone(),
        credit_limit: terms.credit_limit,
        reclaim_exempt: false,
        opened_at: now,
        open_day,
        open_month: month,
        unbilled_from: open_day,
        free_month: None,
    }));
    step.put(Item::Contact(Contact { name: OWNER.to_owned(), email: None, webhook: None }));
    let details = [
        ("currency", terms.currency.code().to_owned()),
        ("time_zone", terms.zone.clone()),
        ("billing", mode_code(terms.billing).to_owned()),
        ("sandbox", terms.sandbox.to_string()),
        ("partner", terms.partner.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("credit_limit", terms.credit_limit.to_decimal(terms.currency)),
    ];
    step.audit(ClauseId::S1, "account_opened", &details)?;
    bills::arm_closings(step)?;
    // Arms the grant of the next month, too.
    packages::grant_free(step, month)?;
    Ok(Answer::Done)
}

/// Are these the terms it is run by? The zone is the one it was opened in.
fn has_terms(profile: &Profile, terms: &OpenAccount, calendar: &Calendar) -> bool {
    let first = |calendar: &Calendar| calendar.eras().into_iter().next();
    profile.account == terms.account
        && profile.currency == terms.currency
        && first(&profile.calendar) == first(calendar)
        && profile.billing == terms.billing
        && profile.sandbox == terms.sandbox
        && profile.partner == terms.partner
        && profile.credit_limit == terms.credit_limit
}

/// An application was created: it is known from now on and its funding is checked (T9). Idempotent.
///
/// # Errors
/// [`Refusal::Suspended`] while the account's holds close the API; [`Refusal::LimitReached`].
pub(crate) fn create_app(step: &mut Step<'_>, app: SdkAppId) -> Result<Answer, Refusal> {
    if step.state().apps.contains_key(&app) {
        return Ok(Answer::Done);
    }
    standing::require(step, OperationClass::Api, None)?;
    if step.state().apps.len() >= APPS_MAX {
        return Err(Refusal::LimitReached { what: "applications", max: APPS_MAX });
    }
    step.put(Item::App(AppFacts { app, created_at: step.now() }));
    let row = AuditRow {
        action: "app_created".to_owned(),
        app: Some(app),
        details: std::collections::BTreeMap::new(),
    };
    step.record(ClauseId::T9, Record::Audit(row))?;
    standing::check_funding(step)?;
    Ok(Answer::Done)
}

/// Changes zone, credit limit, exemption and contacts; what is absent or equal stays.
///
/// # Errors
/// [`Refusal::NotYours`] if somebody else than an operator changes credit limit or exemption;
/// [`Refusal::Calendar`]; [`Refusal::Invalid`].
pub(crate) fn change(step: &mut Step<'_>, change: &ChangeAccount) -> Result<Answer, Refusal> {
    if change.credit_limit.is_some() || change.reclaim_exempt.is_some() {
        operator_only(step)?;
    }
    if let Some(zone) = &change.zone {
        change_zone(step, zone)?;
    }
    if let Some(limit) = change.credit_limit {
        change_credit_limit(step, limit)?;
    }
    if let Some(exempt) = change.reclaim_exempt
        && exempt != step.profile()?.reclaim_exempt
    {
        step.edit_profile(|profile| profile.reclaim_exempt = exempt)?;
        let details = [("to", exempt.to_string())];
        step.audit(ClauseId::A13, "reclaim_exempt_changed", &details)?;
        reclaim::recompute(step)?;
    }
    if let Some(contacts) = &change.contacts {
        change_contacts(step, contacts)?;
    }
    Ok(Answer::Done)
}

/// The list of contacts as a whole. First who goes, so that there is room for who comes.
fn change_contacts(step: &mut Step<'_>, contacts: &[Contact]) -> Result<(), Refusal> {
    let stays = |name: &str| name == OWNER || contacts.iter().any(|contact| contact.name == name);
    let gone: Vec<_> = step.state().contacts.keys().filter(|name| !stays(name)).cloned().collect();
    for name in gone {
        notices::drop_contact(step, &name)?;
    }
    for contact in contacts {
        notices::put_contact(step, contact)?;
    }
    Ok(())
}

/// The new zone begins with the next civil month (A16). Nothing before that moves, but what is due later does.
fn change_zone(step: &mut Step<'_>, zone: &str) -> Result<(), Refusal> {
    let now = step.now();
    let profile = step.profile()?;
    let month = profile.calendar.month_of(now)?;
    let calendar = profile.calendar.change_zone(zone, now)?;
    if calendar == profile.calendar {
        return Ok(());
    }
    let from = profile.calendar.zone_of(month.first_day()).to_owned();
    let next = month.next()?;
    let to = calendar.zone_of(next.first_day()).to_owned();
    let free_due = calendar.month_start(next)?;
    step.edit_profile(|profile| profile.calendar = calendar)?;
    let details = [("from", from), ("to", to), ("first_month", next.to_string())];
    step.audit(ClauseId::A16, "time_zone_changed", &details)?;
    bills::arm_closings(step)?;
    if step.state().timers.contains_key(&TimerKind::FreeGrant(next)) {
        step.arm(TimerKind::FreeGrant(next), free_due);
    }
    packages::rearm(step)
}

/// A limit that is cut may open an arrears episode, one that is raised may close it (A22).
fn change_credit_limit(step: &mut Step<'_>, limit: Money) -> Result<(), Refusal> {
    check_credit_limit(limit)?;
    let profile = step.profile()?;
    let (old, currency) = (profile.credit_limit, profile.currency);
    if old == limit {
        return Ok(());
    }
    let before = ledger::available(step)?;
    step.edit_profile(|profile| profile.credit_limit = limit)?;
    let details = [("from", old.to_decimal(currency)), ("to", limit.to_decimal(currency))];
    step.audit(ClauseId::A22, "credit_limit_changed", &details)?;
    standing::after_posting(step, before)
}

/// Switches postpaid (T10, A25). Minutes used until now keep whoever pays for them.
///
/// # Errors
/// What the functions that judge anew say.
pub(crate) fn set_billing(step: &mut Step<'_>, billing: BillingMode) -> Result<Answer, Refusal> {
    let old = step.profile()?.billing;
    if old == billing {
        return Ok(Answer::Done);
    }
    metering::freeze_floors(step)?;
    step.edit_profile(|profile| profile.billing = billing)?;
    let cause = if billing == BillingMode::Off { ClauseId::A25 } else { ClauseId::T10 };
    let details = [("from", mode_code(old).to_owned()), ("to", mode_code(billing).to_owned())];
    step.audit(cause, "billing_changed", &details)?;
    // First the minutes, since funding is judged by what packages have left.
    metering::reallocate(step)?;
    match (old, billing) {
        (BillingMode::Off, _) => standing::lift_unfunded(step)?,
        (_, BillingMode::Off) => standing::check_funding(step)?,
        (BillingMode::Daily | BillingMode::Monthly, _) => {}
    }
    Ok(Answer::Done)
}

/// Moves a sandbox clock forward (P22).
///
/// # Errors
/// [`Refusal::NotSandbox`]; [`Refusal::Clock`] if it would go back or further than [`CLOCK_STEP_MAX`].
pub(crate) fn move_clock(
    step: &mut Step<'_>,
    to: Timestamp,
    wall: Timestamp,
) -> Result<Answer, Refusal> {
    if !step.profile()?.sandbox {
        return Err(Refusal::NotSandbox);
    }
    let old_us = step.state().head.clock_offset_us;
    let wall_us = wall.as_microsecond();
    let now_us = wall_us.saturating_add(old_us);
    let now = Timestamp::from_microsecond(now_us).unwrap_or(Timestamp::MAX);
    if to < now || to.duration_since(now) > CLOCK_STEP_MAX {
        return Err(Refusal::Clock { now, to, most: CLOCK_STEP_MAX });
    }
    // Not below the old one, which could only be by less than a microsecond.
    let offset_us = to.as_microsecond().saturating_sub(wall_us).max(old_us);
    if offset_us == old_us {
        return Ok(Answer::Done);
    }
    step.set_clock_offset_us(offset_us);
    let details = [("from", now.to_string()), ("to", to.to_string())];
    step.audit(ClauseId::P22, "clock_moved", &details)?;
    Ok(Answer::Done)
}

/// Only operators, and the program itself.
///
/// # Errors
/// [`Refusal::NotYours`].
pub(crate) fn operator_only(step: &Step<'_>) -> Result<(), Refusal> {
    match step.actor().role {
        ActorRole::Operator | ActorRole::System => Ok(()),
        ActorRole::Partner(_) | ActorRole::Customer => {
            Err(Refusal::NotYours { who: "an operator" })
        }
    }
}

/// The largest amount one call may name.
pub(crate) const AMOUNT_MAX: Money = Money::from_micros(AMOUNT_MAX_UNITS * MICROS_PER_UNIT);

fn check_credit_limit(limit: Money) -> Result<(), Refusal> {
    if limit.is_negative() || limit > AMOUNT_MAX {
        let problem = format!("{limit} is not allowed; 0 to {AMOUNT_MAX} is");
        return Err(Refusal::invalid("credit_limit", problem));
    }
    Ok(())
}

fn mode_code(mode: BillingMode) -> &'static str {
    match mode {
        BillingMode::Daily => "daily",
        BillingMode::Monthly => "monthly",
        BillingMode::Off => "off",
    }
}

#[cfg(test)]
mod tests;
