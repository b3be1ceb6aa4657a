//! The first part: free minutes, a package, and postpaid that falls into arrears.

use fermata_billing::clause::ClauseId::{A1, A8, S4, S6, S7, S8, S9, S10, S16, S17, T10};
use jiff::ToSpan as _;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::accounts::{Account, Caller, moment, text};
use super::people::{Crowd, Person};

/// Minutes of the monthly package that is bought.
const PACKAGE_MINUTES: u64 = 50_000;

/// Minutes beyond it, which postpaid has to pay for.
const BEYOND_MINUTES: u64 = 10_000;

/// The story so far.
pub(super) struct Told {
    pub(super) account: Account,
    pub(super) ada: Person,
    pub(super) bob: Person,
}

pub(super) async fn told(caller: &mut Caller<'_>, crowd: &Crowd) -> anyhow::Result<Told> {
    let mut told = free_minutes(caller, crowd).await?;
    free_minutes_end(caller, crowd, &mut told).await?;
    package(caller, crowd, &told.account).await?;
    postpaid(caller, &told.account).await?;
    next_day(caller, &told.account).await?;
    arrears(caller, crowd, &mut told).await?;
    Ok(told)
}

async fn free_minutes(caller: &mut Caller<'_>, crowd: &Crowd) -> anyhow::Result<Told> {
    caller.teller.begin("Two people talk on the free minutes of the month", &[S16])?;
    let account = caller.open("Tour", "off").await?;
    let packages = caller.list(&account, "packages").await?;
    let free =
        packages.iter().find(|package| package["free"] == true && package["status"] == "live");
    let left = free.map(|package| text(package, "left")).transpose()?.unwrap_or_default();
    caller.teller.check(left == "10000", format!("free minutes left: {left}"))?;
    let mut ada = crowd.enter_and_talk(&account, "ada").await?;
    let mut bob = crowd.enter_and_talk(&account, "bob").await?;
    caller.check_media(&mut [&mut ada, &mut bob]).await?;
    caller.teller.end()?;
    Ok(Told { account, ada, bob })
}

async fn free_minutes_end(
    caller: &mut Caller<'_>,
    crowd: &Crowd,
    told: &mut Told,
) -> anyhow::Result<()> {
    let heading = "The free minutes are used up, nothing was bought, and postpaid is off";
    caller.teller.begin(heading, &[S17, A8])?;
    caller.use_audio(&told.account, 10_000).await?;
    caller.check_label(&told.account, "unfunded").await?;
    check_refused(caller, crowd, &told.account, "suspended_unfunded").await?;
    caller.check_media(&mut [&mut told.ada, &mut told.bob]).await?;
    caller.check_metered(&told.account).await?;
    let used = caller.list(&told.account, "usage").await?;
    let absorbed: u64 = used.iter().filter_map(|used| used["absorbed"].as_u64()).sum();
    let what = format!("nobody agreed to pay for what they use now: minutes absorbed: {absorbed}");
    caller.teller.check(absorbed > 0, what)?;
    caller.teller.end()
}

async fn package(caller: &mut Caller<'_>, crowd: &Crowd, account: &Account) -> anyhow::Result<()> {
    caller.teller.begin("A package is bought, and service is back", &[S17, T10])?;
    caller.pay(account, "49.00", "1").await?;
    buy(caller, account, json!({"type": "monthly_starter", "app": account.app})).await?;
    caller.check_label(account, "active").await?;
    check_enters(caller, crowd, account).await?;
    caller.teller.end()
}

/// Buys a package and tells how much it holds.
async fn buy(caller: &mut Caller<'_>, account: &Account, body: Value) -> anyhow::Result<()> {
    let bought = caller.ask(&format!("POST /accounts/{}/packages", account.id), Some(body)).await?;
    let (units, price) = (text(&bought, "units")?, text(&bought, "price")?);
    Ok(caller.teller.seen(format!(
        "{}: {units} minutes for {price} USD, until {}",
        text(&bought, "type")?,
        text(&bought, "until")?
    ))?)
}

async fn postpaid(caller: &mut Caller<'_>, account: &Account) -> anyhow::Result<()> {
    caller
        .teller
        .begin("Postpaid is switched on, and more is used than the package holds", &[S8])?;
    let request = format!("POST /accounts/{}/postpaid", account.id);
    caller.ask(&request, Some(json!({"billing": "daily"}))).await?;
    caller.use_audio(account, PACKAGE_MINUTES + BEYOND_MINUTES).await?;
    let balance = caller.ask(&format!("GET /accounts/{}/balance", account.id), None).await?;
    let (available, unbilled) = (text(&balance, "available")?, text(&balance, "unbilled")?);
    let what = format!("available {available} USD; used and on no bill yet: {unbilled} USD");
    caller.teller.check(available == "0.00" && !unbilled.starts_with(['0', '-']), what)?;
    caller.check_label(account, "active").await?;
    caller.teller.end()
}

/// The customer goes on paying in advance before the bill of the day before arrives.
async fn next_day(caller: &mut Caller<'_>, account: &Account) -> anyhow::Result<()> {
    let heading = "The next morning, before the bill comes, the customer buys a minute pack";
    caller.teller.begin(heading, &[S10])?;
    let night = account.day.checked_add(1.day())?.at(1, 0, 0, 0);
    caller.clock_to(account, night.to_zoned(TimeZone::UTC)?.timestamp()).await?;
    caller.pay(account, "24.00", "2").await?;
    buy(caller, account, json!({"type": "minutes_25k"})).await?;
    caller.teller.end()
}

async fn arrears(caller: &mut Caller<'_>, crowd: &Crowd, told: &mut Told) -> anyhow::Result<()> {
    let heading = "The bill of the day arrives, and the balance falls below zero";
    caller.teller.begin(heading, &[S4, S6, S7, S8, S9, A1])?;
    let account = &told.account;
    let noon = account.day.checked_add(1.day())?.at(12, 0, 0, 0);
    caller.clock_to(account, noon.to_zoned(TimeZone::UTC)?.timestamp()).await?;
    bill(caller, account).await?;
    let standing = caller.check_label(account, "grace").await?;
    let episode = &standing["arrears"];
    let (since, due) = (moment(episode, "since")?, moment(episode, "suspend_due")?);
    let day = since.checked_add(24.hours())?;
    caller
        .teller
        .check(due == day, format!("in arrears since {since}; suspension is due at {due}"))?;
    match caller.notice(account, "arrears_reminder").await? {
        Some(notice) => {
            let told = format!("the owner is told: {}", text(&notice, "text")?);
            caller.teller.seen(told)?;
        }
        None => caller.teller.check(false, "the owner is told of the arrears")?,
    }
    check_enters(caller, crowd, account).await?;
    caller.check_media(&mut [&mut told.ada, &mut told.bob]).await?;
    caller.check_metered(account).await?;
    caller.teller.end()
}

/// Tells the bill of the first day.
async fn bill(caller: &mut Caller<'_>, account: &Account) -> anyhow::Result<()> {
    let bills = caller.list(account, "bills").await?;
    let day = account.day.to_string();
    let bill = bills.iter().find(|bill| bill["period"]["from_day"] == day.as_str());
    let Some(bill) = bill else {
        return Ok(caller.teller.check(false, format!("there is a bill of {day}"))?);
    };
    let issued = moment(bill, "issued_at")?;
    let at = issued.to_zoned(TimeZone::UTC).datetime();
    let next_morning = account.day.checked_add(1.day())?;
    let in_time = at.date() == next_morning
        && (8..12).contains(&at.hour()) | (at == next_morning.at(12, 0, 0, 0));
    let what = format!(
        "the bill of {day} was issued at {issued}: {} USD, balance {} before, {} after",
        text(bill, "total")?,
        text(bill, "balance_before")?,
        text(bill, "balance_after")?
    );
    caller.teller.check(in_time && text(bill, "balance_after")?.starts_with('-'), what)?;
    let request = format!("GET /accounts/{}/bills/{}", account.id, text(bill, "id")?);
    let whole = caller.ask(&request, None).await?;
    for line in whole["lines"].as_array().into_iter().flatten() {
        let what = format!(
            "of it {}: {} minutes, {} covered by packages, {} absorbed, {} at the price list: {} USD",
            text(line, "sku")?,
            line["minutes"],
            line["covered"],
            line["absorbed"],
            line["billed"],
            text(line, "amount")?
        );
        caller.teller.seen(what)?;
    }
    Ok(())
}

/// Tells that a newcomer gets in, and lets it leave again.
pub(super) async fn check_enters(
    caller: &mut Caller<'_>,
    crowd: &Crowd,
    account: &Account,
) -> anyhow::Result<()> {
    let name = caller.newcomer();
    match crowd.enter(account, name).await? {
        Ok(person) => {
            person.leave().await;
            Ok(caller.teller.seen(format!("a newcomer, {name}, gets in"))?)
        }
        Err(refused) => {
            let what =
                format!("{name} gets in (refused with {}: {})", refused.status, refused.text);
            Ok(caller.teller.check(false, what)?)
        }
    }
}

/// Tells that a newcomer is refused, in the words that the client shows.
pub(super) async fn check_refused(
    caller: &mut Caller<'_>,
    crowd: &Crowd,
    account: &Account,
    code: &str,
) -> anyhow::Result<()> {
    let name = caller.newcomer();
    match crowd.enter(account, name).await? {
        Ok(person) => {
            person.leave().await;
            Ok(caller.teller.check(false, format!("a newcomer, {name}, is refused"))?)
        }
        Err(refused) => {
            let what = format!(
                "a newcomer, {name}, is refused with status {} and reads:\n{}",
                refused.status, refused.text
            );
            Ok(caller.teller.check(refused.text.starts_with(code), what)?)
        }
    }
}
