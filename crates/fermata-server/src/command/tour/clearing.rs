//! The third part: a second account is suspended for more than 60 days, and its data is cleared.

use fermata_billing::clause::ClauseId::{A12, A26, S3, S10, S21, S22, T19, T20, T22, T24};
use jiff::ToSpan as _;
use jiff::tz::TimeZone;

use super::accounts::{Account, Caller, moment, text};
use super::opening::{check_enters, check_refused};
use super::people::Crowd;

/// What is cleared, in this order.
const CLASSES: [&str; 5] =
    ["configuration", "service_logs", "authorisations", "recordings", "packages"];

pub(super) async fn told(caller: &mut Caller<'_>, crowd: &Crowd) -> anyhow::Result<()> {
    let account = suspended(caller, crowd).await?;
    sixty_days(caller, &account).await?;
    cleared(caller, crowd, &account).await?;
    too_late(caller, crowd, &account).await
}

async fn suspended(caller: &mut Caller<'_>, crowd: &Crowd) -> anyhow::Result<Account> {
    let heading = "A second account uses minutes, does not pay, and is suspended";
    caller.teller.begin(heading, &[S10])?;
    let account = caller.open("Tour, never paid", "daily").await?;
    check_enters(caller, crowd, &account).await?;
    caller.use_audio(&account, 20_000).await?;
    let later = account.day.checked_add(2.days())?.at(12, 0, 0, 0);
    caller.clock_to(&account, later.to_zoned(TimeZone::UTC)?.timestamp()).await?;
    caller.check_label(&account, "arrears").await?;
    caller.teller.end()?;
    Ok(account)
}

async fn sixty_days(caller: &mut Caller<'_>, account: &Account) -> anyhow::Result<()> {
    let heading = "60 days pass; the owner is warned 30, 7 and 1 day before";
    caller.teller.begin(heading, &[S21, A12, T19])?;
    let standing = caller.standing(account).await?;
    let since = moment(&standing["holds"][0], "since")?;
    let due = moment(&standing["reclaim"], "at")?;
    let sixty = since.checked_add((60 * 24).hours())?;
    let what = format!("suspended since {since}; the data may be cleared after {due}");
    caller.teller.check(due == sixty, what)?;
    let taken = caller.clock_to(account, due).await?;
    let early = taken.iter().any(|transition| transition == "T20");
    caller
        .teller
        .check(!early, "60 days to the second are not more than 60 days: nothing is cleared")?;
    let notices = caller.list(account, "notices?limit=1000").await?;
    let warned: Vec<_> = notices
        .iter()
        .filter(|notice| notice["kind"] == "reclaim_notice")
        .map(|notice| format!("{}: {}", notice["at"], notice["title"]).replace('"', ""))
        .collect();
    for warning in &warned {
        caller.teller.seen(warning)?;
    }
    caller.teller.check(warned.len() == 3, format!("{} warnings", warned.len()))?;
    caller.teller.end()
}

async fn cleared(caller: &mut Caller<'_>, crowd: &Crowd, account: &Account) -> anyhow::Result<()> {
    let heading = "An hour later everything under the account is cleared, with receipts";
    caller.teller.begin(heading, &[S3, S21, S22, T20, T22, A26])?;
    let due = moment(&caller.standing(account).await?["reclaim"], "at")?;
    caller.clock_to(account, due.checked_add(1.hour())?).await?;
    caller.check_label(account, "cleared").await?;
    let receipts = caller.list(account, "receipts").await?;
    let mut classes = Vec::new();
    for receipt in &receipts {
        let (class, at) = (text(receipt, "class")?, moment(receipt, "at")?);
        let hash: String = text(receipt, "hash")?.chars().take(16).collect();
        caller
            .teller
            .seen(format!("receipt {}: {class} at {at}, hash {hash}…", classes.len() + 1))?;
        classes.push(class);
    }
    caller.teller.check(classes == CLASSES, format!("{} receipts", classes.len()))?;
    check_refused(caller, crowd, account, "").await?;
    let bills = caller.list(account, "bills").await?.len();
    let what = format!("bills that the operator has to keep are still there: {bills}");
    caller.teller.check(bills > 0, what)?;
    caller.teller.end()
}

async fn too_late(caller: &mut Caller<'_>, crowd: &Crowd, account: &Account) -> anyhow::Result<()> {
    caller.teller.begin("A payment that comes too late brings nothing back", &[S22, T24])?;
    caller.pay(account, "100.00", "late").await?;
    let available = caller.available(account).await?;
    let booked = !available.starts_with('-') && available != "0.00";
    caller.teller.check(booked, format!("it is booked: available {available} USD"))?;
    caller.check_label(account, "cleared").await?;
    check_refused(caller, crowd, account, "").await?;
    caller.teller.end()
}
