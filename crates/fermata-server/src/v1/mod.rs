//! The operator API, `/api/v1`: routes and their OpenAPI from one list.
//!
//! A noun has a file; a request and its answer are types there. Errors are in one map (`error`, with `refusal` for
//! what the books refuse), reading requests in `extract`, who may ask in `auth` and the table of `gates`, repeated
//! calls in `once`, asking the books in `call`. Never reachable across origins: no CORS here.

#![expect(
    clippy::missing_errors_doc,
    reason = "a handler's text is its description in OpenAPI; its errors are the table of ApiError"
)]
#![expect(unused_qualifications, reason = "utoipa's macro repeats the names of query types")]

mod accept;
pub mod account_usage;
pub mod accounts;
pub mod adjustments;
pub mod agreements;
pub mod apps;
pub mod audit;
pub mod auth;
pub mod backup;
pub mod balance;
pub mod bills;
pub mod call;
pub mod callbacks;
pub mod catalog;
pub mod catalog_content;
pub mod clock;
pub mod console_password;
pub mod console_session;
pub mod console_totp;
pub mod console_users;
pub mod contacts;
pub mod credit_notes;
pub mod deliveries;
pub mod enable;
pub mod error;
pub mod extract;
pub mod gates;
pub mod holds;
mod journal;
pub mod keys;
pub mod ledger;
pub mod money;
pub mod notice_subscriptions;
pub mod notices;
pub mod once;
pub mod packages;
pub mod partners;
pub mod payments;
pub mod postpaid;
pub mod reclaim;
pub mod refusal;
pub mod rooms;
pub mod secret_text;
pub mod secrets;
pub mod standing;
pub mod stays;
pub mod tickets;
pub mod tokens;
pub mod usage;
pub mod vouchers;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use fermata_billing::limits::CATALOG_TOML_BYTES_MAX;
use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouterExt as _};
use utoipa_axum::routes;

use crate::console::cookie;
use crate::server::Shared;
use error::ApiError;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Fermata API",
        description = "Accounts, applications, money, standing, live rooms and usage of one Fermata server, for operators, \
                       partners and customers. Every POST but signing in takes an `Idempotency-Key`. Calls by a session of the \
                       console that change something need its `csrf_token` in `X-CSRF-Token`.",
        license(name = "Apache-2.0")
    ),
    security(("token" = []), ("session" = [])),
    modifiers(&Security)
)]
struct Document;

struct Security;

impl utoipa::Modify for Security {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let session = ApiKey::Cookie(ApiKeyValue::new(cookie::NAME));
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(scheme));
        components.add_security_scheme("session", SecurityScheme::ApiKey(session));
    }
}

fn api() -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(Document::openapi()).nest(
        "/api/v1",
        OpenApiRouter::new()
            .routes(routes!(accounts::create, accounts::list))
            .routes(routes!(accounts::read, accounts::change))
            .routes(routes!(standing::read))
            .routes(routes!(holds::raise))
            .routes(routes!(holds::approve))
            .routes(routes!(holds::remove))
            .routes(routes!(tickets::open))
            .routes(routes!(tickets::confirm))
            .routes(routes!(tickets::cancel))
            .routes(routes!(clock::advance))
            .routes(routes!(notice_subscriptions::create, notice_subscriptions::list))
            .routes(routes!(notice_subscriptions::remove))
            .routes(routes!(apps::create, apps::list))
            .routes(routes!(apps::read, apps::change))
            .routes(routes!(enable::disable))
            .routes(routes!(enable::enable))
            .routes(routes!(keys::create, keys::list))
            .routes(routes!(keys::remove))
            .routes(routes!(keys::rotate_usersig))
            .routes(routes!(callbacks::read, callbacks::set))
            .routes(routes!(deliveries::test))
            .routes(routes!(deliveries::list))
            .routes(routes!(deliveries::read))
            .routes(routes!(deliveries::replay))
            .routes(routes!(secrets::create, secrets::list))
            .routes(routes!(secrets::revoke))
            .routes(routes!(tokens::create, tokens::list))
            .routes(routes!(tokens::revoke))
            .merge(console())
            .routes(routes!(rooms::list))
            .routes(routes!(rooms::dismiss))
            .routes(routes!(rooms::participants))
            .routes(routes!(rooms::remove))
            .routes(routes!(usage::by_day))
            .routes(routes!(usage::by_room))
            .routes(routes!(stays::list))
            .routes(routes!(payments::create, payments::list))
            .routes(routes!(payments::reverse))
            .routes(routes!(balance::read))
            .routes(routes!(packages::create, packages::list))
            .routes(routes!(packages::refund))
            .routes(routes!(postpaid::set))
            .routes(routes!(vouchers::create))
            .routes(routes!(credit_notes::create))
            .routes(routes!(adjustments::create))
            .routes(routes!(bills::list))
            .routes(routes!(bills::read))
            .routes(routes!(ledger::list))
            .routes(routes!(notices::list))
            .routes(routes!(audit::list))
            .routes(routes!(account_usage::list, account_usage::create))
            .routes(routes!(partners::create, partners::list))
            .routes(routes!(partners::read))
            .routes(routes!(agreements::create, agreements::list))
            .routes(routes!(agreements::read))
            .routes(routes!(agreements::diff))
            .routes(
                routes!(catalog::create, catalog::list)
                    .layer(DefaultBodyLimit::max(CATALOG_TOML_BYTES_MAX)),
            )
            .routes(routes!(catalog::read))
            .routes(routes!(reclaim::read, reclaim::switch))
            .routes(routes!(reclaim::receipts))
            .routes(routes!(backup::create)),
    )
}

/// Signing in, and who may.
fn console() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(console_session::create, console_session::read, console_session::end))
        .routes(routes!(console_password::change))
        .routes(routes!(console_totp::begin, console_totp::confirm, console_totp::remove))
        .routes(routes!(console_users::create, console_users::list))
        .routes(routes!(console_users::change, console_users::remove))
}

/// The API with its guard.
pub fn router(shared: &Shared) -> Router<Shared> {
    let (router, _) = api().split_for_parts();
    router
        .route("/api/{*path}", axum::routing::any(nowhere))
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state((shared.clone(), once::UnderWay::default()), once::guarded))
}

async fn nowhere() -> ApiError {
    ApiError::NotFound("such path".to_owned())
}

async fn wrong_method() -> ApiError {
    ApiError::MethodNotAllowed
}

/// The OpenAPI document, as committed in `docs/openapi.json`.
pub fn openapi_json() -> String {
    let document = api().into_openapi();
    let mut text = document.to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}
