//! Asking the operator API, and telling it.

use anyhow::{Context as _, bail};
use axum::http::Method;
use fermata_types::Now;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _, Unit};
use serde_json::{Value, json};

use super::super::admin::client::{Answer, Ask, Client};
use super::people::{Person, deadline, pause, talk};
use super::teller::Teller;

/// Names of newcomers, more than there are in the story.
const NEWCOMERS: [&str; 14] = [
    "cleo", "dan", "eve", "finn", "gina", "hugo", "ida", "jon", "kim", "lea", "max", "nina",
    "otto", "pia",
];

/// A sandbox account with one application.
pub(super) struct Account {
    pub(super) id: String,
    pub(super) app: u64,
    pub(super) api_key: String,
    pub(super) api_secret: String,
    /// The civil day on which its story begins, in its zone, which is UTC.
    pub(super) day: Date,
}

/// Asks as the operator, and tells what changes something.
pub(super) struct Caller<'a> {
    client: &'a Client,
    /// How many newcomers came.
    came: usize,
    pub(super) teller: &'a mut Teller,
}

impl<'a> Caller<'a> {
    pub(super) fn new(client: &'a Client, teller: &'a mut Teller) -> Self {
        Self { client, came: 0, teller }
    }

    /// Somebody who was not in the room before: who left a moment ago would count as inside still (policy A21).
    pub(super) fn newcomer(&mut self) -> &'static str {
        let name = NEWCOMERS.get(self.came % NEWCOMERS.len()).copied().unwrap_or_default();
        self.came += 1;
        name
    }

    /// Asks with a token, or as the operator; tells it if it changes something. Any status is an answer.
    pub(super) async fn ask_as(
        &mut self,
        token: Option<&str>,
        request: &str,
        body: Option<Value>,
    ) -> anyhow::Result<Answer> {
        let Some((method, path)) = request.split_once(' ') else { bail!("no request: {request}") };
        let method = Method::from_bytes(method.as_bytes())?;
        if method != Method::GET {
            let body = body.as_ref().map(|body| format!(" {body}")).unwrap_or_default();
            let who = if token.is_some() { " (customer's token)" } else { "" };
            self.teller.asked(format!("{request}{body}{who}"))?;
        }
        let ask = Ask::json(method, &format!("/api/v1{path}"), body.as_ref());
        let answer = match token {
            Some(token) => self.client.with_token(token).ask(&ask).await,
            None => self.client.ask(&ask).await,
        };
        answer.with_context(|| request.to_owned())
    }

    /// Asks as the operator; an answer of success is expected.
    pub(super) async fn ask(
        &mut self,
        request: &str,
        body: Option<Value>,
    ) -> anyhow::Result<Value> {
        let answer = self.ask_as(None, request, body).await?;
        if !answer.is_success() {
            bail!("{request} was answered with status {}: {}", answer.status, answer.text);
        }
        Ok(answer.json())
    }

    /// Opens a sandbox account with one application, and sets its clock to nine o'clock of the 10th of next month, so
    /// that the story is the same on every day of the year.
    pub(super) async fn open(&mut self, name: &str, billing: &str) -> anyhow::Result<Account> {
        let body = json!({"name": name, "sandbox": true, "billing": billing});
        let made = self.ask("POST /accounts", Some(body)).await?;
        let id = text(&made, "id")?;
        self.teller.account(&id);
        let path = format!("POST /accounts/{id}/apps");
        let app = self.ask(&path, Some(json!({"name": name}))).await?;
        let zone = TimeZone::UTC;
        let month = Now::read().wall.to_zoned(zone.clone()).date().first_of_month();
        let day = month.checked_add(1.month())?.checked_add(9.days())?;
        let account = Account {
            id,
            app: app["sdk_app_id"].as_u64().context("the application has no number")?,
            api_key: text(&app, "api_key")?,
            api_secret: text(&app, "api_secret")?,
            day,
        };
        self.clock_to(&account, day.at(9, 0, 0, 0).to_zoned(zone)?.timestamp()).await?;
        Ok(account)
    }

    /// Moves the account's clock; answers the transitions taken on the way.
    pub(super) async fn clock_to(
        &mut self,
        account: &Account,
        to: Timestamp,
    ) -> anyhow::Result<Vec<String>> {
        let request = format!("POST /accounts/{}/clock", account.id);
        let moved = self.ask(&request, Some(json!({"to": to.to_string()}))).await?;
        let fired = moved["fired"].as_array().cloned().unwrap_or_default();
        let taken = fired.iter().filter_map(|fired| fired["transitions"].as_array()).flatten();
        Ok(taken.filter_map(Value::as_str).map(str::to_owned).collect())
    }

    /// As if a room had used so many minutes of audio.
    pub(super) async fn use_audio(
        &mut self,
        account: &Account,
        minutes: u64,
    ) -> anyhow::Result<()> {
        let request = format!("POST /accounts/{}/usage", account.id);
        let body = json!({"app": account.app, "sku": "audio", "minutes": minutes});
        self.ask(&request, Some(body)).await.map(drop)
    }

    /// Pays; `reference` is unique within the account.
    pub(super) async fn pay(
        &mut self,
        account: &Account,
        amount: &str,
        reference: &str,
    ) -> anyhow::Result<()> {
        let request = format!("POST /accounts/{}/payments", account.id);
        let provider_ref = format!("tour-{}-{reference}", account.id);
        let body = json!({"amount": amount, "provider_ref": provider_ref});
        self.ask(&request, Some(body)).await.map(drop)
    }

    pub(super) async fn standing(&mut self, account: &Account) -> anyhow::Result<Value> {
        self.ask(&format!("GET /accounts/{}/standing", account.id), None).await
    }

    /// What is available, a decimal number.
    pub(super) async fn available(&mut self, account: &Account) -> anyhow::Result<String> {
        let balance = self.ask(&format!("GET /accounts/{}/balance", account.id), None).await?;
        text(&balance, "available")
    }

    /// A list of the account, whole: the story stays far below one part.
    pub(super) async fn list(
        &mut self,
        account: &Account,
        noun: &str,
    ) -> anyhow::Result<Vec<Value>> {
        let list = self.ask(&format!("GET /accounts/{}/{noun}", account.id), None).await?;
        Ok(list["items"].as_array().cloned().unwrap_or_default())
    }

    /// The last notice of a kind.
    pub(super) async fn notice(
        &mut self,
        account: &Account,
        kind: &str,
    ) -> anyhow::Result<Option<Value>> {
        let notices = self.list(account, "notices?limit=1000").await?;
        Ok(notices.into_iter().rfind(|notice| notice["kind"] == kind))
    }

    /// Tells that the label is `label`.
    pub(super) async fn check_label(
        &mut self,
        account: &Account,
        label: &str,
    ) -> anyhow::Result<Value> {
        let standing = self.standing(account).await?;
        let is = standing["label"].as_str().unwrap_or_default().to_owned();
        let now = moment(&standing, "now")?.round(Unit::Second)?;
        self.teller.check(is == label, format!("at {now} the account's standing is: {is}"))?;
        Ok(standing)
    }

    /// Tells that people receive each other.
    pub(super) async fn check_media(&mut self, people: &mut [&mut Person]) -> anyhow::Result<()> {
        let counts = talk(people).await?;
        for (person, (before, after)) in people.iter().zip(counts) {
            let what = format!("{} goes on receiving: {before} packets, then {after}", person.name);
            self.teller.seen(what)?;
        }
        Ok(())
    }

    /// Seconds that the people in the room have used: only they use video.
    pub(super) async fn people_seconds(&mut self, account: &Account) -> anyhow::Result<u64> {
        let used = self.list(account, "usage").await?;
        let video = used.iter().filter(|used| used["sku"] == "video_hd");
        Ok(video.filter_map(|used| used["seconds"].as_u64()).sum())
    }

    /// Tells that the people in the room are metered: waits until their seconds have risen.
    pub(super) async fn check_metered(&mut self, account: &Account) -> anyhow::Result<()> {
        let before = self.people_seconds(account).await?;
        let until = deadline();
        loop {
            let after = self.people_seconds(account).await?;
            if after > before {
                return Ok(self.teller.seen(format!(
                    "and they are metered: {before} seconds of video, then {after}"
                ))?);
            }
            if Now::read().instant > until {
                bail!("the people in the room are not metered: their seconds stay at {before}");
            }
            pause().await;
        }
    }
}

/// A text field of an answer.
pub(super) fn text(value: &Value, field: &str) -> anyhow::Result<String> {
    let found = value[field].as_str().map(str::to_owned);
    found.with_context(|| format!("the answer has no {field}: {value}"))
}

/// A moment of an answer.
pub(super) fn moment(value: &Value, field: &str) -> anyhow::Result<Timestamp> {
    text(value, field)?.parse().with_context(|| format!("{field} is no moment"))
}
