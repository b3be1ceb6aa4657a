//! The catalog: prices and package types in versions that take effect by date and never change.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use fermata_billing::catalog::{Catalog, CatalogDraft, CatalogVersion, from_toml, to_toml};
use fermata_billing::command::Refusal;
use fermata_billing::limits::CATALOG_TOML_BYTES_MAX;
use fermata_billing::money::Currency;
use fermata_types::Now;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::accept::{Kind, is_toml, preferred};
use super::accounts::{Page, page_limit};
use super::auth::Caller;
use super::catalog_content::CatalogContent;
use super::error::{ApiError, ErrorBody};
use super::extract::{UrlPath, UrlQuery};
use super::journal::row_number;
use super::refusal;
use crate::server::Shared;

/// A version of the catalog without its contents.
#[derive(Debug, Serialize, ToSchema)]
pub struct CatalogSummary {
    /// Its number, counted from 1.
    pub version: u32,
    /// From when it is in force, RFC 3339; until the next one is.
    pub effective_from: String,
    /// Is it in force now?
    pub in_force: bool,
    /// When it was added, RFC 3339.
    pub created_at: String,
    /// Who added it; null for whoever is not an operator.
    pub actor: Option<String>,
    /// Currencies an account may be opened in.
    pub currencies: Vec<&'static str>,
    /// Codes of its package types.
    pub package_types: Vec<String>,
}

impl CatalogSummary {
    fn new(version: &CatalogVersion, in_force: Option<u32>, caller: &Caller) -> Self {
        Self {
            version: version.version,
            effective_from: version.effective_from.to_string(),
            in_force: in_force == Some(version.version),
            created_at: version.created_at.to_string(),
            actor: caller.is_operator().then(|| version.actor.clone()),
            currencies: version.currencies().into_iter().map(Currency::code).collect(),
            package_types: version.package_types.keys().cloned().collect(),
        }
    }
}

/// A version of the catalog.
#[derive(Debug, Serialize, ToSchema)]
pub struct CatalogVersionView {
    /// Everything but its contents.
    #[serde(flatten)]
    pub summary: CatalogSummary,
    /// What it says. Sent back as a new version, it says the same again.
    pub content: CatalogContent,
}

/// Versions of the catalog, the oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct CatalogVersions {
    /// This part of the list.
    pub items: Vec<CatalogSummary>,
    /// What to ask with `after` for the next part; null at the end.
    pub next: Option<String>,
}

/// The number of the version in force at a moment.
fn in_force(catalog: &Catalog, now: Timestamp) -> Option<u32> {
    catalog.version_at(now).ok().map(|version| version.version)
}

/// List the versions of the catalog
#[utoipa::path(get, path = "/catalog", operation_id = "list_catalog", tag = "catalog", params(Page),
    responses((status = 200, body = CatalogVersions), (status = "4XX", body = ErrorBody)))]
pub async fn list(
    State(shared): State<Shared>,
    caller: Caller,
    UrlQuery(page): UrlQuery<Page>,
) -> Result<Json<CatalogVersions>, ApiError> {
    let limit = usize::try_from(page_limit(page.limit)?).unwrap_or(usize::MAX);
    let after = row_number(page.after.as_deref())?;
    let catalog = shared.store.catalog().await?;
    let now = in_force(&catalog, Now::read().wall);
    let mut rest = catalog.versions().iter().filter(|one| u64::from(one.version) > after);
    let items: Vec<_> =
        rest.by_ref().take(limit).map(|one| CatalogSummary::new(one, now, &caller)).collect();
    let more = rest.next().is_some();
    let next = items.last().filter(|_| more).map(|last| last.version.to_string());
    Ok(Json(CatalogVersions { items, next }))
}

/// Read a version of the catalog by its number or as `current`: as JSON, or as a file (`Accept: application/toml`)
#[utoipa::path(get, path = "/catalog/{version}", operation_id = "read_catalog", tag = "catalog",
    params(("version" = String, Path, description = "Its number, or `current` for the one in force")),
    responses(
        (status = 200, content(
            (CatalogVersionView = "application/json"),
            (String = "application/toml"),
        )),
        (status = "4XX", body = ErrorBody),
    ))]
pub async fn read(
    State(shared): State<Shared>,
    caller: Caller,
    UrlPath(which): UrlPath<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let catalog = shared.store.catalog().await?;
    let now = in_force(&catalog, Now::read().wall);
    let number = if which == "current" { now } else { which.parse().ok() };
    let version = number.and_then(|number| catalog.version(number));
    let version = version.ok_or_else(|| {
        let shown: String = which.chars().take(40).collect();
        ApiError::NotFound(format!("version {shown} of the catalog"))
    })?;
    let kind = preferred(&headers, &[Kind::Json, Kind::Toml]);
    let summary = CatalogSummary::new(version, now, &caller);
    let mut response = if kind == Kind::Toml {
        let mut shown = version.clone();
        // Who works for the operator is nobody else's business.
        shown.actor = summary.actor.unwrap_or_else(|| "the operator".to_owned());
        to_toml(&shown).into_response()
    } else {
        Json(CatalogVersionView { summary, content: version.into() }).into_response()
    };
    let answer = response.headers_mut();
    answer.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind.content_type()));
    answer.insert(header::VARY, HeaderValue::from_static("accept"));
    Ok(response)
}

/// Add a version to the catalog: as JSON, or as a file (`Content-Type: application/toml`)
#[utoipa::path(post, path = "/catalog", operation_id = "create_catalog_version", tag = "catalog",
    request_body(content((CatalogContent = "application/json"), (String = "application/toml"))),
    responses((status = 201, body = CatalogVersionView), (status = "4XX", body = ErrorBody)))]
pub async fn create(
    State(shared): State<Shared>,
    caller: Caller,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<CatalogVersionView>), ApiError> {
    let body = body.map_err(|_| too_large())?;
    let draft = if is_toml(&headers) { from_file(&body)? } else { from_json(&headers, &body)? };
    let wall = Now::read().wall;
    let added = shared.store.add_catalog_version(draft, wall, caller.actor()).await?;
    tracing::info!(version = added.version, "Added a version to the catalog.");
    let catalog: Arc<Catalog> = shared.store.catalog().await?;
    let summary = CatalogSummary::new(&added, in_force(&catalog, Now::read().wall), &caller);
    let view = CatalogVersionView { summary, content: CatalogContent::from(&added) };
    Ok((StatusCode::CREATED, Json(view)))
}

fn too_large() -> ApiError {
    let most = CATALOG_TOML_BYTES_MAX;
    ApiError::Invalid(format!("body: a version of the catalog has at most {most} bytes"))
}

fn from_file(body: &[u8]) -> Result<CatalogDraft, ApiError> {
    let text = std::str::from_utf8(body)
        .map_err(|error| ApiError::Invalid(format!("body: it is no UTF-8: {error}")))?;
    from_toml(text).map_err(|error| refusal::told(Refusal::from(error), None))
}

fn from_json(headers: &HeaderMap, body: &[u8]) -> Result<CatalogDraft, ApiError> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    if !kind.is_some_and(|kind| kind.eq_ignore_ascii_case("application/json")) {
        return Err(ApiError::NotJson);
    }
    let content: CatalogContent = serde_json::from_slice(body)
        .map_err(|error| ApiError::Invalid(format!("body: {error}")))?;
    content.draft()
}
