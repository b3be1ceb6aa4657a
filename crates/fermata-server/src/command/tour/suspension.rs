//! The second part: suspension, what goes on all the same, and the payment that ends it.

use fermata_billing::clause::ClauseId::{
    A2, A3, A4, A9, A21, S10, S12, S13, S14, S15, S18, T7, T8,
};
use fermata_types::Now;
use jiff::ToSpan as _;
use serde_json::{Value, json};

use super::accounts::{Account, Caller, moment, text};
use super::opening::{Told, check_enters, check_refused};
use super::people::{Crowd, ROOM};

pub(super) async fn told(
    caller: &mut Caller<'_>,
    crowd: &Crowd,
    mut told: Told,
) -> anyhow::Result<()> {
    suspended(caller, crowd, &told.account).await?;
    told = inside(caller, crowd, told).await?;
    let token = customer(caller, &told.account).await?;
    dismissed(caller, &mut told, &token).await?;
    restored(caller, crowd, &told.account).await?;
    by_hand(caller, crowd, &told.account).await
}

async fn suspended(
    caller: &mut Caller<'_>,
    crowd: &Crowd,
    account: &Account,
) -> anyhow::Result<()> {
    let heading = "24 hours later nothing is paid: the account is suspended";
    caller.teller.begin(heading, &[S10, S15, A3, T8])?;
    let standing = caller.standing(account).await?;
    let due = moment(&standing["arrears"], "suspend_due")?;
    // A minute, and not a second: the account's clock goes on by itself, too, and machines are slow at times.
    let taken = caller.clock_to(account, due.checked_sub(1.minute())?).await?;
    let early = taken.iter().any(|transition| transition == "T8");
    caller.teller.check(!early, format!("a minute before {due} nothing is suspended"))?;
    let taken = caller.clock_to(account, due).await?;
    let now = taken.iter().any(|transition| transition == "T8");
    caller.teller.check(now, format!("at {due} it is"))?;
    let standing = caller.check_label(account, "arrears").await?;
    let recordings = standing["allows"]["recordings"] == false;
    caller.teller.check(recordings, "recordings cannot be accessed")?;
    let packages = caller.list(account, "packages").await?;
    let left = packages
        .iter()
        .filter(|package| package["free"] == false && package["status"] == "live")
        .map(|package| Ok(format!("{} of {}", text(package, "left")?, text(package, "type")?)))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let some = left.iter().any(|left| !left.starts_with("0 "));
    caller.teller.check(some, format!("prepaid minutes left all the same: {}", left.join(", ")))?;
    check_refused(caller, crowd, account, "suspended_arrears").await?;
    caller.teller.end()
}

async fn inside(caller: &mut Caller<'_>, crowd: &Crowd, told: Told) -> anyhow::Result<Told> {
    let heading = "Those who were inside stay, and are metered; a reload does not throw them out";
    caller.teller.begin(heading, &[S12, A21])?;
    let Told { account, mut ada, mut bob } = told;
    caller.check_media(&mut [&mut ada, &mut bob]).await?;
    caller.check_metered(&account).await?;
    let mut bob = bob.reload(crowd, &account).await?;
    caller
        .teller
        .seen("bob reloads his page while the account is suspended, and is let in again")?;
    caller.check_media(&mut [&mut ada, &mut bob]).await?;
    caller.teller.end()?;
    Ok(Told { account, ada, bob })
}

/// A token of the customer; answers its secret text.
async fn customer(caller: &mut Caller<'_>, account: &Account) -> anyhow::Result<String> {
    let heading = "The customer finds the API closed, but may see what to pay";
    caller.teller.begin(heading, &[S14, A2])?;
    let body = json!({"name": "tour", "role": "customer", "account": account.id});
    let made = caller.ask("POST /tokens", Some(body)).await?;
    let token = text(&made, "token")?;
    let request = format!("GET /apps/{}/keys", account.app);
    let refused = caller.ask_as(Some(&token), &request, None).await?;
    let error = refused.json()["error"].clone();
    let reasons = error["reasons"].as_array().cloned().unwrap_or_default();
    let what = format!("{request} is refused: {}: {}", error["code"], error["message"]);
    caller.teller.check(refused.status == 403 && reasons.len() == 1, what.replace('"', ""))?;
    for reason in &reasons {
        let since = format!("  {} since {}: {}", reason["kind"], reason["since"], reason["remedy"]);
        caller.teller.seen(since.replace('"', ""))?;
    }
    let request = format!("GET /accounts/{}/balance", account.id);
    let open = caller.ask_as(Some(&token), &request, None).await?;
    let what = format!("{request} is answered: available {}", open.json()["available"]);
    caller.teller.check(open.is_success(), what.replace('"', ""))?;
    caller.teller.end()?;
    Ok(token)
}

async fn dismissed(caller: &mut Caller<'_>, told: &mut Told, token: &str) -> anyhow::Result<()> {
    let heading = "The customer closes the room through the API, although suspended";
    caller.teller.begin(heading, &[S13, A2])?;
    let rooms = format!("/apps/{}/rooms", told.account.app);
    let live = caller.ask_as(Some(token), &format!("GET {rooms}"), None).await?.json();
    // A newcomer whose good-bye was lost is kept for a while, as on any network.
    let people = live["items"][0]["participants"].as_u64().unwrap_or_default();
    let what = format!("live rooms can be listed: {people} people in {ROOM}");
    caller.teller.check(people >= 2, what)?;
    let request = format!("DELETE {rooms}/{ROOM}");
    let closed = caller.ask_as(Some(token), &request, None).await?;
    caller.teller.check(closed.is_success(), format!("answered with status {}", closed.status))?;
    for person in [&mut told.ada, &mut told.bob] {
        let away = person.is_sent_away().await;
        caller.teller.check(away, format!("{} is sent away", person.name))?;
    }
    let live = caller.ask_as(Some(token), &format!("GET {rooms}"), None).await?.json();
    caller.teller.check(live["items"] == json!([]), "no room is left")?;
    caller.teller.end()
}

async fn restored(caller: &mut Caller<'_>, crowd: &Crowd, account: &Account) -> anyhow::Result<()> {
    caller.teller.begin("A payment brings service back at once", &[T7, A4])?;
    let debt = caller.available(account).await?;
    let debt = debt.trim_start_matches('-').to_owned();
    caller.pay(account, &debt, "3").await?;
    let paid = Now::read().instant;
    let name = caller.newcomer();
    let entered = crowd.enter(account, name).await?;
    let took = Now::read().instant.saturating_duration_since(paid).as_millis();
    let took = u64::try_from(took).unwrap_or(u64::MAX);
    match entered {
        Ok(person) => {
            caller.teller.restored(took);
            let what =
                format!("a newcomer, {name}, is in {took} ms after the answer to the payment");
            // The aim is a second; this machine may be busy with other things.
            caller.teller.check(took < 5_000, what)?;
            person.leave().await;
        }
        Err(refused) => caller.teller.check(false, format!("{name} gets in: {}", refused.text))?,
    }
    caller.check_label(account, "active").await?;
    let available = caller.available(account).await?;
    caller
        .teller
        .check(available == "0.00", format!("available {available} USD: zero is enough"))?;
    let told = caller.notice(account, "restored").await?.unwrap_or(Value::Null);
    let what = format!("the owner is told: {}", told["title"]);
    caller.teller.check(told.is_object(), what.replace('"', ""))?;
    caller.teller.end()
}

async fn by_hand(caller: &mut Caller<'_>, crowd: &Crowd, account: &Account) -> anyhow::Result<()> {
    caller.teller.begin("An application is disabled by hand, and enabled again", &[S18, A9])?;
    caller.ask(&format!("POST /apps/{}/disable", account.app), None).await?;
    check_refused(caller, crowd, account, "app_disabled").await?;
    let enabled = caller.ask(&format!("POST /apps/{}/enable", account.app), None).await?;
    let none = enabled["holds"] == json!([]);
    caller.teller.check(none, format!("holds that remain: {}", enabled["holds"]))?;
    check_enters(caller, crowd, account).await?;
    caller.teller.end()
}
