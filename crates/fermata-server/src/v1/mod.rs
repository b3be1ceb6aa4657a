//! The operator API, `/api/v1`: routes and their OpenAPI from one list.
//!
//! A noun has a file; a request and its answer are types there. Errors are in one map (`error`), reading
//! requests in `extract`, who may ask in `auth`. Never reachable across origins: no CORS here.

#![expect(
    clippy::missing_errors_doc,
    reason = "a handler's text is its description in OpenAPI; its errors are the table of ApiError"
)]
#![expect(unused_qualifications, reason = "utoipa's macro repeats the names of query types")]

pub mod accounts;
pub mod apps;
pub mod auth;
pub mod backup;
pub mod error;
pub mod extract;
pub mod keys;
pub mod rooms;
pub mod stays;
pub mod tokens;
pub mod usage;

use axum::Router;
use axum::middleware::from_fn_with_state;
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::server::Shared;
use error::ApiError;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Fermata operator API",
        description = "Accounts, applications, keys, live rooms and usage of one Fermata server.",
        license(name = "Apache-2.0")
    ),
    security(("operator" = [])),
    modifiers(&Security)
)]
struct Document;

struct Security;

impl utoipa::Modify for Security {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        openapi
            .components
            .get_or_insert_default()
            .add_security_scheme("operator", SecurityScheme::Http(scheme));
    }
}

fn api() -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(Document::openapi()).nest(
        "/api/v1",
        OpenApiRouter::new()
            .routes(routes!(accounts::create, accounts::list))
            .routes(routes!(accounts::read))
            .routes(routes!(apps::create, apps::list))
            .routes(routes!(apps::read, apps::change))
            .routes(routes!(keys::create, keys::list))
            .routes(routes!(keys::remove))
            .routes(routes!(keys::rotate_usersig))
            .routes(routes!(tokens::create, tokens::list))
            .routes(routes!(tokens::revoke))
            .routes(routes!(rooms::list))
            .routes(routes!(rooms::dismiss))
            .routes(routes!(rooms::participants))
            .routes(routes!(rooms::remove))
            .routes(routes!(usage::by_day))
            .routes(routes!(usage::by_room))
            .routes(routes!(stays::list))
            .routes(routes!(backup::create)),
    )
}

/// The API with its guard.
pub fn router(shared: &Shared) -> Router<Shared> {
    let (router, _) = api().split_for_parts();
    router
        .route("/api/{*path}", axum::routing::any(nowhere))
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(shared.clone(), auth::require_operator))
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
