//! One request to one receiver, signed with what is in force now.

use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use fermata_auth::livekit_webhook::sign_webhook;
use fermata_callback::sign::sign;
use fermata_callback::webhook;
use fermata_store::ApiKey;
use fermata_store::deliveries::{DeliveryReceiver, Outgoing};
use fermata_types::Now;

use crate::metrics::Metric;
use crate::outbox::deliver::chain;
use crate::outbox::webhook::{ID_HEADER, WebhookError, Webhooks, read_url};
use crate::server::Shared;

/// What came of it.
#[derive(Debug)]
pub(super) struct Sent {
    /// The receiver's status, if it answered.
    pub(super) status: Option<u16>,
    /// Why it is not delivered; none: it is.
    pub(super) error: Option<String>,
    /// Trying again cannot help.
    pub(super) hopeless: bool,
}

impl Sent {
    fn hopeless(error: &str) -> Self {
        Self { status: None, error: Some(error.to_owned()), hopeless: true }
    }
}

/// Sends a delivery once, within this time.
pub(super) async fn send(
    shared: &Shared,
    webhooks: &Webhooks,
    out: Outgoing,
    within: Duration,
) -> Sent {
    let receiver = out.receiver;
    let (url, headers) = match addressed(shared, &out) {
        Ok(addressed) => addressed,
        Err(error) => return Sent::hopeless(error),
    };
    let answered = match read_url(&url) {
        Ok(url) => webhooks.post(&url, &headers, out.body, within).await,
        Err(error) => Err(error),
    };
    match answered {
        Ok(status) => judged(receiver, status),
        Err(error) => {
            if let WebhookError::Address { .. } = error {
                shared.metrics.add(Metric::WebhooksRefused, 1);
            }
            Sent { status: None, error: Some(chain(&error)), hopeless: error.is_final() }
        }
    }
}

/// The vendor counts 200 alone as delivered, `LiveKit` every 2xx.
fn judged(receiver: DeliveryReceiver, status: StatusCode) -> Sent {
    let (well, takes) = match receiver {
        DeliveryReceiver::Callback => (status == StatusCode::OK, "200 is a delivery"),
        DeliveryReceiver::Webhook => (status.is_success(), "200 to 299 are deliveries"),
    };
    let error = format!("the receiver answered {status}; {takes}, and redirects are not followed");
    Sent { status: Some(status.as_u16()), error: (!well).then_some(error), hopeless: false }
}

type Addressed = (String, Vec<(&'static str, String)>);

/// Where it goes now, and its headers.
fn addressed(shared: &Shared, out: &Outgoing) -> Result<Addressed, &'static str> {
    let settings = shared.directory.callbacks(out.app);
    let id = (ID_HEADER, out.id.clone());
    match out.receiver {
        DeliveryReceiver::Callback => {
            let callback = settings.as_ref().and_then(|settings| settings.callback.as_ref());
            let callback = callback.ok_or("the application has no callback any more")?;
            let headers = vec![
                (CONTENT_TYPE.as_str(), "application/json".to_owned()),
                ("sign", sign(&callback.key, &out.body)),
                ("sdkappid", out.app.to_string()),
                id,
            ];
            Ok((callback.url.clone(), headers))
        }
        DeliveryReceiver::Webhook => {
            let hooks = settings.as_ref().map_or(&[][..], |settings| &settings.webhooks);
            let hook = hooks.iter().find(|hook| hook.url == out.url);
            let hook = hook.ok_or("the application has no webhook of this URL any more")?;
            let app = shared.directory.app(out.app).ok_or("the application is gone")?;
            let pair = pair(&app.api_keys, hook.api_key.as_deref());
            let pair = pair.ok_or("the application has no API key of this name any more")?;
            let token = sign_webhook(&out.body, &pair.key, &pair.secret, Now::read().wall);
            let headers = vec![
                (CONTENT_TYPE.as_str(), webhook::CONTENT_TYPE.to_owned()),
                (AUTHORIZATION.as_str(), token),
                id,
            ];
            Ok((out.url.clone(), headers))
        }
    }
}

/// The key pair of this name; without a name the oldest.
fn pair<'a>(pairs: &'a [ApiKey], name: Option<&str>) -> Option<&'a ApiKey> {
    match name {
        Some(name) => pairs.iter().find(|pair| pair.key == name),
        None => pairs.iter().min_by(|a, b| (a.created_at, &a.key).cmp(&(b.created_at, &b.key))),
    }
}
