//! The people of the tour: real clients, with real tokens, that publish and count what they receive.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use axum::http::Method;
use fermata_testkit::client::{ClientEvent, Session, SessionError, SessionOptions};
use fermata_testkit::{AudioOptions, VideoOptions, token};
use fermata_types::Now;
use livekit_protocol::signal_response::Message;

use super::super::admin::client::{Ask, Client};
use super::accounts::Account;

/// The room that they are in.
pub(super) const ROOM: &str = "tour";

/// Tokens live longer than the tour.
const TOKEN_TTL: Duration = Duration::from_mins(10);

/// Longest time until media flows, or a goodbye arrives.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often counters are looked at meanwhile.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// Packets that everybody has to receive anew before people count as talking with each other.
const PACKETS_ANEW: u64 = 50;

/// The camera: small, for it is drawn by nobody.
const CAMERA: (u16, u16, u64) = (640, 360, 300_000);

/// Where people enter.
pub(super) struct Crowd {
    server: String,
}

/// Somebody in the room.
pub(super) struct Person {
    pub(super) name: &'static str,
    session: Session,
    /// Packets received in stays that this one follows.
    earlier: u64,
}

/// What somebody was told who came in vain.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) status: u16,
    pub(super) text: String,
}

impl Crowd {
    pub(super) fn new(server: &str) -> Self {
        Self { server: server.to_owned() }
    }

    /// Enters; the inner error is a refusal.
    pub(super) async fn enter(
        &self,
        account: &Account,
        name: &'static str,
    ) -> anyhow::Result<Result<Person, Refused>> {
        let token = token(&account.api_key, &account.api_secret, name, ROOM, TOKEN_TTL)?;
        match Session::connect(SessionOptions::new(&self.server, &token)).await {
            Ok(session) => Ok(Ok(Person { name, session, earlier: 0 })),
            Err(SessionError::Refused { status, .. }) => {
                // Clients ask here for the words when the WebSocket is refused.
                let client = Client::new(&self.server, "", None)?;
                let path = format!("/rtc/validate?access_token={token}");
                let answer =
                    client.ask(&Ask::json(Method::GET, &path, None).accepting("*/*")).await?;
                Ok(Err(Refused { status, text: answer.text.trim().to_owned() }))
            }
            Err(error) => Err(error).with_context(|| format!("{name} cannot enter")),
        }
    }

    /// Enters and publishes a microphone and a camera.
    pub(super) async fn enter_and_talk(
        &self,
        account: &Account,
        name: &'static str,
    ) -> anyhow::Result<Person> {
        match self.enter(account, name).await? {
            Ok(person) => {
                person.talk().await.with_context(|| format!("{name} cannot publish"))?;
                Ok(person)
            }
            Err(refused) => bail!("{name} is refused ({}): {}", refused.status, refused.text),
        }
    }
}

impl Person {
    async fn talk(&self) -> Result<(), SessionError> {
        self.session.publish_audio(AudioOptions::default()).await?;
        let (width, height, bitrate_bps) = CAMERA;
        let camera =
            VideoOptions { width, height, bitrate_bps, fps: 15, ..VideoOptions::default() };
        self.session.publish_video(camera).await.map(drop)
    }

    /// Packets received so far.
    async fn received(&mut self) -> anyhow::Result<u64> {
        // Nobody reads the events meanwhile; their queue is bounded.
        while self.session.next_event(Duration::ZERO).await.is_some() {}
        let statistics =
            self.session.statistics().await.with_context(|| format!("{} is out", self.name))?;
        let received: u64 = statistics.received.values().map(|track| track.packets).sum();
        Ok(self.earlier + received)
    }

    /// The page is loaded again: the connection breaks off without a goodbye, and the same person enters anew.
    pub(super) async fn reload(self, crowd: &Crowd, account: &Account) -> anyhow::Result<Self> {
        let mut person = self;
        let (name, earlier) = (person.name, person.received().await?);
        drop(person);
        Ok(Self { earlier, ..crowd.enter_and_talk(account, name).await? })
    }

    /// Waits until the server sends this person away.
    pub(super) async fn is_sent_away(&mut self) -> bool {
        let gone = self.session.wait_for(PATIENCE, |event| match event {
            ClientEvent::SignalClosed => Some(()),
            ClientEvent::Signal(message) => matches!(**message, Message::Leave(_)).then_some(()),
            _ => None,
        });
        gone.await.is_some()
    }

    pub(super) async fn leave(self) {
        self.session.leave().await;
    }
}

/// Waits until everybody has received [`PACKETS_ANEW`] packets anew; answers the counts before and after.
pub(super) async fn talk(people: &mut [&mut Person]) -> anyhow::Result<Vec<(u64, u64)>> {
    let mut before = Vec::new();
    for person in people.iter_mut() {
        before.push(person.received().await?);
    }
    let until = deadline();
    loop {
        tokio::time::sleep(LOOK_INTERVAL).await;
        let mut counts = Vec::new();
        for (person, before) in people.iter_mut().zip(&before) {
            counts.push((*before, person.received().await?));
        }
        if counts.iter().all(|(before, after)| after - before >= PACKETS_ANEW) {
            return Ok(counts);
        }
        if Now::read().instant > until {
            bail!("no media flows: packets received before and after were {counts:?}");
        }
    }
}

/// When waiting ends that begins now.
pub(super) fn deadline() -> Instant {
    Now::read().instant + PATIENCE
}

/// Waits a little before looking again.
pub(super) async fn pause() {
    tokio::time::sleep(LOOK_INTERVAL).await;
}
