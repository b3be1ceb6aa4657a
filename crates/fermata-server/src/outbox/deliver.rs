//! Carries deliveries from the outbox to their contacts, again and again until they arrive or are given up.
//!
//! A delivery is claimed for a while, so that a server that dies in the middle does not keep it. It is done when
//! every channel of the contact took it; a channel that took it is not bothered again, as long as the program
//! runs. Attempts are spread over about a day.

use std::collections::{HashMap, VecDeque};
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fermata_callback::schedule::Pace;
use fermata_store::{OutboxItem, StoreError};
use fermata_types::{AccountId, Now};
use jiff::Timestamp;
use rand::RngExt as _;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::address::Reach;
use super::mail::{MailError, Mailer};
use super::webhook::{Body, WebhookError, Webhooks};
use crate::config::{ConfigError, Settings};
use crate::limits::{
    DELIVERIES_MAX, DELIVERY_ATTEMPTS_MAX, DELIVERY_ERROR_BYTES_MAX, DELIVERY_PAUSE,
    DELIVERY_PAUSE_MAX, HALF_DELIVERED_MAX, MAIL_TIME_MAX, OUTBOX_LEASE, OUTBOX_POLL,
    WEBHOOK_TIME_MAX,
};
use crate::metrics::Metric;
use crate::server::{Server, Shared};

// Or a delivery could be claimed again while it is under way.
const _: () = assert!(OUTBOX_LEASE.as_secs() > MAIL_TIME_MAX.as_secs());
const _: () = assert!(OUTBOX_LEASE.as_secs() > WEBHOOK_TIME_MAX.as_secs());

/// The ways to contacts.
#[derive(Debug)]
pub struct Channels {
    webhooks: Webhooks,
    /// None without a mail server.
    mailer: Option<Mailer>,
    /// Pause after the first failed attempt.
    pause: Duration,
    /// How callbacks of applications are tried.
    pace: Pace,
}

impl Channels {
    /// The ways that the configuration opens.
    ///
    /// # Errors
    /// [`ConfigError::Conflict`] if `trusted_ca` or `smtp_url` cannot be used.
    pub fn new(settings: &Settings) -> Result<Self, ConfigError> {
        let own = own_authorities(settings)?;
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for certificate in &own {
            roots.add(certificate.clone()).map_err(|error| conflict(settings, &error))?;
        }
        let reach = match (settings.webhook_private_networks, settings.dev) {
            (true, _) => Reach::Unicast,
            (false, true) => Reach::PublicAndLoopback,
            (false, false) => Reach::Public,
        };
        let webhooks =
            Webhooks::new(reach, Arc::new(roots)).map_err(|error| conflict(settings, &error))?;
        let mailer = match &settings.mail {
            None => None,
            Some((url, from)) => {
                let made = Mailer::new(url, from.clone(), &own);
                Some(made.map_err(|error| ConfigError::Conflict {
                    key: "smtp_url",
                    value: url.shown(),
                    problem: chain(&error),
                })?)
            }
        };
        Ok(Self { webhooks, mailer, pause: DELIVERY_PAUSE, pace: Pace::default() })
    }

    /// Another pause after the first failed attempt than [`DELIVERY_PAUSE`]; it grows alike.
    #[must_use]
    pub fn pausing(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }

    /// Another pace of callbacks of applications than the vendor's.
    #[must_use]
    pub fn calling(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }

    /// What callbacks of applications take of it: the same way out, and their own pace.
    pub fn callbacks(&self) -> (Webhooks, Pace) {
        (self.webhooks.clone(), self.pace)
    }
}

fn conflict(settings: &Settings, error: &dyn Error) -> ConfigError {
    let path = settings.trusted_ca.as_ref();
    ConfigError::Conflict {
        key: "trusted_ca",
        value: path.map(|path| path.display().to_string()).unwrap_or_default(),
        problem: format!("it takes a PEM file with certificates ({})", chain(error)),
    }
}

fn own_authorities(settings: &Settings) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let Some(path) = &settings.trusted_ca else { return Ok(Vec::new()) };
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let own = read.map_err(|error| conflict(settings, &error))?;
    if own.is_empty() {
        let none = std::io::Error::new(std::io::ErrorKind::InvalidData, "there is none in it");
        return Err(conflict(settings, &none));
    }
    Ok(own)
}

/// Carries deliveries, for ever.
pub async fn run(shared: Shared, channels: Channels) {
    let courier = Arc::new(Courier { shared, channels, half: Mutex::default() });
    let mut under_way = JoinSet::new();
    // What was claimed took all the room there was, so there may be more.
    let mut more = false;
    loop {
        let free = DELIVERIES_MAX.saturating_sub(under_way.len());
        let waiting = courier.waiting().await;
        if free > 0 && (waiting || more) {
            let claimed = courier.claim(free).await;
            more = claimed.len() == free;
            for item in claimed {
                under_way.spawn(courier.clone().carry(item));
            }
        }
        tokio::select! {
            () = courier.shared.outbox_bell.notified() => {}
            _ = under_way.join_next(), if more => {}
            () = sleep(OUTBOX_POLL) => {}
        }
        while under_way.try_join_next().is_some() {}
        if courier.shared.is_stopping() {
            return;
        }
    }
}

/// Which channels took a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Taken {
    webhook: bool,
    mail: bool,
}

/// Deliveries that some channels took, and not yet all; the oldest first.
#[derive(Debug, Default)]
struct Half {
    taken: HashMap<String, Taken>,
    order: VecDeque<String>,
}

impl Half {
    fn get(&self, id: &str) -> Taken {
        self.taken.get(id).copied().unwrap_or_default()
    }

    /// True if an older one had to be forgotten.
    fn put(&mut self, id: &str, taken: Taken, most: usize) -> bool {
        if self.taken.insert(id.to_owned(), taken).is_none() {
            self.order.push_back(id.to_owned());
        }
        let mut forgotten = false;
        while self.taken.len() > most {
            let Some(oldest) = self.order.pop_front() else { break };
            forgotten |= self.taken.remove(&oldest).is_some();
        }
        forgotten
    }

    fn remove(&mut self, id: &str) {
        if self.taken.remove(id).is_some() {
            self.order.retain(|known| known != id);
        }
    }
}

/// Why a delivery is not done.
#[derive(Debug, Default)]
struct Failure {
    /// A sentence a channel.
    problems: Vec<String>,
    /// A channel that failed may take it later.
    retry: bool,
}

struct Courier {
    shared: Shared,
    channels: Channels,
    half: Mutex<Half>,
}

impl Courier {
    /// Is there anything to deliver? If that cannot be known: yes.
    async fn waiting(&self) -> bool {
        match self.shared.store.outbox_len().await {
            Ok(len) => {
                self.shared.metrics.set(Metric::NoticesWaiting, len.waiting);
                self.shared.metrics.set(Metric::NoticesDead, len.dead);
                len.waiting > 0
            }
            Err(error) => {
                self.store_failed(&error);
                false
            }
        }
    }

    async fn claim(&self, free: usize) -> Vec<OutboxItem> {
        let limit = u32::try_from(free).unwrap_or(1);
        let claimed = self.shared.store.outbox_claim(Now::read().wall, limit, OUTBOX_LEASE).await;
        claimed.unwrap_or_else(|error| {
            self.store_failed(&error);
            Vec::new()
        })
    }

    fn store_failed(&self, error: &StoreError) {
        self.shared.metrics.add(Metric::OutboxFailures, 1);
        if !matches!(error, StoreError::Closed) {
            tracing::warn!(%error, "The outbox cannot be read or written.");
        }
    }

    /// One attempt of one delivery.
    async fn carry(self: Arc<Self>, item: OutboxItem) {
        let before = self.half().get(&item.id);
        let (taken, failure) = self.attempt(&item, before).await;
        let metrics = &self.shared.metrics;
        let Some(failure) = failure else {
            match self.shared.store.outbox_done(item.id.clone()).await {
                Ok(()) => {
                    metrics.add(Metric::NoticesDelivered, 1);
                    self.half().remove(&item.id);
                    tracing::debug!(id = item.id, account = %item.account, "Delivered a notice.");
                }
                Err(error) => {
                    self.store_failed(&error);
                    self.remember(&item.id, taken);
                }
            }
            return;
        };
        metrics.add(Metric::NoticeAttemptsFailed, 1);
        let retry = failure.retry && item.attempts < DELIVERY_ATTEMPTS_MAX;
        let retry_at = retry.then(|| self.retry_at(item.attempts));
        let error = shortened(failure.problems.join("; "));
        tracing::info!(id = item.id, account = %item.account, attempts = item.attempts, ?retry_at, error, "A notice was not delivered.");
        if retry {
            self.remember(&item.id, taken);
        } else {
            metrics.add(Metric::NoticesGivenUp, 1);
            self.half().remove(&item.id);
        }
        if let Err(error) = self.shared.store.outbox_failed(item.id, error, retry_at).await {
            self.store_failed(&error);
        }
    }

    /// Offers it to every channel that has not taken it.
    async fn attempt(&self, item: &OutboxItem, before: Taken) -> (Taken, Option<Failure>) {
        let contact = &item.delivery.contact;
        let webhook = async {
            match &contact.webhook {
                Some(webhook) if !before.webhook => {
                    Some(self.webhook(item, &webhook.url, &webhook.secret).await)
                }
                _ => None,
            }
        };
        let mail = async {
            match &contact.email {
                Some(address) if !before.mail => Some(self.mail(item, address).await),
                _ => None,
            }
        };
        let (webhook, mail) = tokio::join!(webhook, mail);
        let mut failure = Failure::default();
        if let Some(Err(error)) = &webhook {
            failure.retry |= !error.is_final();
            failure.problems.push(format!("webhook: {}", chain(error)));
        }
        if let Some(Err(error)) = &mail {
            failure.retry |= !error.is_final();
            failure.problems.push(format!("e-mail: {}", chain(error)));
        }
        let taken = Taken {
            webhook: before.webhook || matches!(webhook, Some(Ok(()))),
            mail: before.mail || matches!(mail, Some(Ok(()))),
        };
        (taken, (!failure.problems.is_empty()).then_some(failure))
    }

    async fn webhook(
        &self,
        item: &OutboxItem,
        url: &str,
        secret: &str,
    ) -> Result<(), WebhookError> {
        let body = body(&item.account, item);
        let sent = self.channels.webhooks.send(url, secret, &item.id, body, Now::read().wall).await;
        if let Err(WebhookError::Address { .. }) = sent {
            self.shared.metrics.add(Metric::WebhooksRefused, 1);
        }
        sent
    }

    async fn mail(&self, item: &OutboxItem, address: &str) -> Result<(), MailError> {
        let mailer = self.channels.mailer.as_ref().ok_or(MailError::NotConfigured)?;
        mailer.send(address, &item.delivery).await
    }

    fn remember(&self, id: &str, taken: Taken) {
        if taken != Taken::default() && self.half().put(id, taken, HALF_DELIVERED_MAX) {
            self.shared.metrics.add(Metric::HalfDeliveredForgotten, 1);
        }
    }

    fn half(&self) -> std::sync::MutexGuard<'_, Half> {
        self.half.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn retry_at(&self, attempts: u32) -> Timestamp {
        let jitter = Server::fresh(&self.shared, |random| random.random_range(80..=120));
        let wait = pause(self.channels.pause, attempts) * jitter / 100;
        Now::read().wall.saturating_add(wait).unwrap_or(Timestamp::MAX)
    }
}

/// The pause after so many attempts, before it is spread.
fn pause(first: Duration, attempts: u32) -> Duration {
    let factor = 3_u32.saturating_pow(attempts.saturating_sub(1));
    first.saturating_mul(factor).min(DELIVERY_PAUSE_MAX)
}

fn body(account: &AccountId, item: &OutboxItem) -> Vec<u8> {
    // Strings, numbers and lists of them: there is nothing in it that JSON has no form for.
    serde_json::to_vec(&Body::new(account, &item.delivery)).unwrap_or_default()
}

/// An error with its sources, as one sentence.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = error.source();
    }
    text
}

fn shortened(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(DELIVERY_ERROR_BYTES_MAX));
    text
}

#[cfg(test)]
mod tests;
