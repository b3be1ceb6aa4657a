//! Partners: resellers, whose agreements may replace the policy for the accounts they serve (policy S1).

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use fermata_billing::id::PartnerId;
use fermata_store::Partner;
use fermata_types::Now;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::accounts::{Page, page_limit};
use super::error::{ApiError, ErrorBody};
use super::extract::{Body, UrlPath, UrlQuery};
use crate::limits::PARTNER_ID_LEN_MAX;
use crate::server::Shared;

/// A partner.
#[derive(Debug, Serialize, ToSchema)]
pub struct PartnerView {
    /// Its id.
    pub id: String,
    /// Display name.
    pub name: String,
    /// When it was added, RFC 3339.
    pub created_at: String,
}

impl From<Partner> for PartnerView {
    fn from(partner: Partner) -> Self {
        Self { id: partner.id.0, name: partner.name, created_at: partner.created_at.to_string() }
    }
}

/// A partner to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPartner {
    /// Its id, 1 to 64 of `A-Z a-z 0-9 . _ -`.
    pub id: String,
    /// Display name, 1 to 128 characters.
    pub name: String,
}

/// Add a partner
#[utoipa::path(post, path = "/partners", operation_id = "create_partner", tag = "partners", request_body = NewPartner,
    responses((status = 201, body = PartnerView), (status = "4XX", body = ErrorBody)))]
pub async fn create(
    State(shared): State<Shared>,
    Body(new): Body<NewPartner>,
) -> Result<(StatusCode, Json<PartnerView>), ApiError> {
    check_id(&new.id)?;
    let id = PartnerId(new.id);
    // Two calls with one id must not both find it free: the store would take the second for a new name.
    let _changing = shared.directory.changing().await;
    if let Some(known) = find(&shared, &id).await? {
        if known.name == new.name {
            return Ok((StatusCode::CREATED, Json(known.into())));
        }
        return Err(ApiError::Exists(format!("There is a partner {id} already.")));
    }
    let partner = Partner { id, name: new.name, created_at: Now::read().wall };
    let partner = shared.store.put_partner(partner).await?;
    tracing::info!(partner = %partner.id, "Added a partner.");
    Ok((StatusCode::CREATED, Json(partner.into())))
}

fn check_id(id: &str) -> Result<(), ApiError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if (1..=PARTNER_ID_LEN_MAX).contains(&id.len()) && id.bytes().all(plain) {
        return Ok(());
    }
    Err(ApiError::Invalid(format!(
        "id: it takes 1 to {PARTNER_ID_LEN_MAX} of the letters A to Z and a to z, digits, '.', '_' and '-'"
    )))
}

/// The partner with an id.
async fn find(shared: &Shared, id: &PartnerId) -> Result<Option<Partner>, ApiError> {
    Ok(shared.store.partners().await?.into_iter().find(|partner| partner.id == *id))
}

/// Partners, by id.
#[derive(Debug, Serialize, ToSchema)]
pub struct Partners {
    /// This part of the list.
    pub items: Vec<PartnerView>,
    /// What to ask with `after` for the next part; null at the end.
    pub next: Option<String>,
}

/// List partners
#[utoipa::path(get, path = "/partners", operation_id = "list_partners", tag = "partners", params(Page),
    responses((status = 200, body = Partners), (status = "4XX", body = ErrorBody)))]
pub async fn list(
    State(shared): State<Shared>,
    UrlQuery(page): UrlQuery<Page>,
) -> Result<Json<Partners>, ApiError> {
    let (partners, next) = part(&shared, &page).await?;
    Ok(Json(Partners { items: partners.into_iter().map(Into::into).collect(), next }))
}

/// The part of all partners that `page` asks for, and what to ask for next.
pub(super) async fn part(
    shared: &Shared,
    page: &Page,
) -> Result<(Vec<Partner>, Option<String>), ApiError> {
    let limit = usize::try_from(page_limit(page.limit)?).unwrap_or(usize::MAX);
    let mut partners = shared.store.partners().await?;
    partners.retain(|one| page.after.as_ref().is_none_or(|after| one.id.0 > *after));
    let more = partners.len() > limit;
    partners.truncate(limit);
    let next = partners.last().filter(|_| more).map(|last| last.id.0.clone());
    Ok((partners, next))
}

/// Read a partner
#[utoipa::path(get, path = "/partners/{partner}", operation_id = "read_partner", tag = "partners",
    params(("partner" = String, Path, description = "Partner id")),
    responses((status = 200, body = PartnerView), (status = "4XX", body = ErrorBody)))]
pub async fn read(
    State(shared): State<Shared>,
    UrlPath(id): UrlPath<String>,
) -> Result<Json<PartnerView>, ApiError> {
    let id = PartnerId(id);
    let partner = find(&shared, &id).await?;
    partner
        .map(|partner| Json(partner.into()))
        .ok_or_else(|| ApiError::NotFound(format!("partner {id}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_fit_into_paths() {
        let longest = "x".repeat(PARTNER_ID_LEN_MAX);
        let longer = "x".repeat(PARTNER_ID_LEN_MAX + 1);
        for (id, allowed) in [
            ("acme", true),
            ("Acme-1.eu_west", true),
            (longest.as_str(), true),
            (longer.as_str(), false),
            ("", false),
            ("a/b", false),
            ("a b", false),
            ("ä", false),
        ] {
            assert_eq!(check_id(id).is_ok(), allowed, "{id:?}");
        }
    }
}
