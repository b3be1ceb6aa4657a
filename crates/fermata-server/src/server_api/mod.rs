//! The vendor's server API: `POST /` and `GET /` with an action.
//!
//! A call passes these steps in this order, and the first that fails is the answer:
//!
//! 1. the request is read, within its limit ([`request`]);
//! 2. its signature is parsed, the secret pair looked up, the signature verified, a legacy nonce remembered;
//! 3. version and service, then the action: unknown, not built, offline;
//! 4. what the secret pair may do;
//! 5. the rate of the account and the action;
//! 6. the parameters, against the action's schema;
//! 7. the application: it belongs to the account, and to the secret pair's applications;
//! 8. the standing, by the action's operation class;
//! 9. the handler.
//!
//! Every answer has status 200, also errors; `X-TC-Language` chooses their language.
//! What it is not: the table of actions, their schemas and codes (that is `fermata-trtc`), signatures
//! (`fermata-auth`), or live rooms.

mod billing;
mod call;
mod fault;
mod minutes;
mod monitoring;
mod request;
mod rooms;
mod usage;

use std::sync::{Mutex, PoisonError};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use fermata_auth::tc_legacy;
use fermata_auth::tc_nonce::NonceMemory;
use fermata_trtc::action::Action;
use fermata_trtc::rate::{RateLimiter, Rates};
use fermata_trtc::{Language, envelope};
use fermata_types::{AccountId, Now};
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};

use self::fault::Fault;
use crate::config::Settings;
use crate::limits::SERVER_API_LARGE_BODIES_MAX;
use crate::metrics::Metric;
use crate::server::Shared;

/// What the edge remembers between requests: nonces, rates.
#[derive(Debug)]
pub struct ServerApi {
    rates: Mutex<RateLimiter>,
    nonces: Mutex<NonceMemory>,
    large_bodies: Semaphore,
}

impl ServerApi {
    /// Nothing seen yet; rates as configured.
    pub fn new(settings: &Settings) -> Self {
        let rates = Rates {
            default_per_s: settings.server_api_rate,
            usage_per_s: settings.server_api_usage_rate,
        };
        Self {
            rates: Mutex::new(RateLimiter::new(rates)),
            nonces: Mutex::default(),
            large_bodies: Semaphore::new(SERVER_API_LARGE_BODIES_MAX),
        }
    }

    /// Takes one call out of what an account may make of an action.
    fn take(
        &self,
        shared: &Shared,
        account: &AccountId,
        action: &'static Action,
    ) -> Result<(), Fault> {
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = rates.take(account, action, Now::read().instant);
        shared.metrics.set(Metric::ServerApiRates, gauge(rates.len()));
        Ok(taken?)
    }

    /// Remembers the nonce of a request whose signature was verified.
    fn remember(
        &self,
        shared: &Shared,
        request: &tc_legacy::Presented,
        now: Now,
    ) -> Result<(), Fault> {
        let mut nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
        let admitted = nonces.admit(request, now.wall);
        shared.metrics.set(Metric::ServerApiNonces, gauge(nonces.len()));
        Ok(admitted?)
    }

    /// Room for a large body, if there is some.
    fn large_body(&self) -> Option<SemaphorePermit<'_>> {
        self.large_bodies.try_acquire().ok()
    }
}

fn gauge(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// What is known of a call before it has succeeded, for its answer and its counter.
#[derive(Debug)]
struct About {
    /// Name of the action, once it was found in the table.
    action: &'static str,
    /// Of error messages.
    language: Language,
}

/// Its routes; `GET /` without an action stays the root page.
pub fn router() -> Router<Shared> {
    Router::new().route("/", get(page_or_call).post(call))
}

async fn page_or_call(State(shared): State<Shared>, request: Request) -> Response {
    if request::is_call(&request) {
        return answer(&shared, request).await;
    }
    crate::http::health::root(&shared, request.headers())
}

async fn call(State(shared): State<Shared>, request: Request) -> Response {
    answer(&shared, request).await
}

/// Carries a call out, counts it, and puts the answer into its envelope.
async fn answer(shared: &Shared, request: Request) -> Response {
    let id = request_id(shared);
    let mut about = About { action: "unknown", language: Language::default() };
    let result = call::carry_out(shared, request, &mut about).await;
    let (code, text) = match result {
        Ok(fields) => ("OK", envelope::ok(Value::Object(fields), &id)),
        Err(fault) => {
            let message = fault.0.message_in(about.language);
            (fault.code(), envelope::error(fault.code(), &message, &id))
        }
    };
    shared.metrics.server_api(about.action, code);
    tracing::debug!(
        request = id,
        action = about.action,
        code,
        "Answered a call of the server API."
    );
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], text)
        .into_response()
}

/// A random id in the form of a UUID.
fn request_id(shared: &Shared) -> String {
    let bits: u128 = shared.fresh(rand::RngExt::random);
    // Version 4, variant 1.
    let bits = bits & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{bits:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}
