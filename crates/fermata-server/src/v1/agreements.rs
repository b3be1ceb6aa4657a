//! Agreements with partners: terms in versions, which replace the policy's own for a partner's accounts
//! (policy S1, A15, T17).

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use fermata_billing::effect::{FreezePolicy, OperationClass};
use fermata_billing::id::PartnerId;
use fermata_billing::policy::{Agreement, AgreementVersion, Policy, PolicyDifference, differences};
use fermata_types::Now;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::accounts::Page;
use super::auth::Caller;
use super::error::{ApiError, ErrorBody};
use super::extract::{Body, UrlPath, UrlQuery};
use super::partners;
use super::usage::moment;
use crate::server::Shared;

/// Terms. What is left out is as the policy says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a term of its own, named as people agree on it"
)]
pub struct Terms {
    /// Hours between arrears and suspension, 0 to 8760; 24 if absent.
    pub grace_hours: u32,
    /// Never suspended for arrears.
    pub non_stop: bool,
    /// Hours after the begin of arrears at which warnings go out, each below the grace; 12 and 23 if absent.
    pub warn_hours: Vec<u32>,
    /// Hours after which a suspended account may be reclaimed, 24 or more; null: never; 1440 if absent.
    pub reclaim_after_hours: Option<u32>,
    /// May the partner freeze its accounts?
    pub partner_may_freeze: bool,
    /// What a freeze does.
    pub freeze: FreezeTerms,
    /// Does a freeze count towards reclamation?
    pub freeze_reclaims: bool,
    /// Do packages go on being used while suspended for arrears?
    pub burn_while_suspended: bool,
    /// Are minutes after packages and free minutes ended billed, instead of absorbed?
    pub unfunded_billed: bool,
    /// Does a new month's free minutes bring service back?
    pub free_renewal_reopens: bool,
    /// Is the partner told of what happens to its accounts?
    pub partner_notified: bool,
}

/// What a partner's freeze does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FreezeTerms {
    /// Do calls that are going on go on?
    pub ongoing_continue: bool,
    /// Can recordings be read?
    pub recordings_open: bool,
    /// Operation classes that are refused: `api`, `buy_package`, ...; null: as when minutes are used up.
    pub blocked: Option<Vec<String>>,
}

impl Default for Terms {
    fn default() -> Self {
        Self::from(&Policy::default())
    }
}

impl Default for FreezeTerms {
    fn default() -> Self {
        Self::from(&FreezePolicy::default())
    }
}

impl From<&Policy> for Terms {
    fn from(policy: &Policy) -> Self {
        let Policy {
            grace_hours,
            non_stop,
            warn_hours,
            reclaim_after_hours,
            partner_may_freeze,
            freeze,
            freeze_reclaims,
            burn_while_suspended,
            unfunded_billed,
            free_renewal_reopens,
            partner_notified,
        } = policy.clone();
        Self {
            grace_hours,
            non_stop,
            warn_hours,
            reclaim_after_hours,
            partner_may_freeze,
            freeze: FreezeTerms::from(&freeze),
            freeze_reclaims,
            burn_while_suspended,
            unfunded_billed,
            free_renewal_reopens,
            partner_notified,
        }
    }
}

impl From<&FreezePolicy> for FreezeTerms {
    fn from(freeze: &FreezePolicy) -> Self {
        let codes = |blocked: &Vec<OperationClass>| {
            blocked.iter().map(|class| class.code().to_owned()).collect()
        };
        Self {
            ongoing_continue: freeze.ongoing_continue,
            recordings_open: freeze.recordings_open,
            blocked: freeze.blocked.as_ref().map(codes),
        }
    }
}

impl Terms {
    fn policy(self) -> Result<Policy, ApiError> {
        let policy = Policy {
            grace_hours: self.grace_hours,
            non_stop: self.non_stop,
            warn_hours: self.warn_hours,
            reclaim_after_hours: self.reclaim_after_hours,
            partner_may_freeze: self.partner_may_freeze,
            freeze: FreezePolicy {
                ongoing_continue: self.freeze.ongoing_continue,
                recordings_open: self.freeze.recordings_open,
                blocked: self.freeze.blocked.map(classes).transpose()?,
            },
            freeze_reclaims: self.freeze_reclaims,
            burn_while_suspended: self.burn_while_suspended,
            unfunded_billed: self.unfunded_billed,
            free_renewal_reopens: self.free_renewal_reopens,
            partner_notified: self.partner_notified,
        };
        policy.check().map_err(|error| ApiError::Invalid(format!("terms.{error}")))?;
        Ok(policy)
    }
}

fn classes(codes: Vec<String>) -> Result<Vec<OperationClass>, ApiError> {
    let class = |code: String| {
        OperationClass::ALL.iter().copied().find(|class| class.code() == code).ok_or_else(|| {
            let all: Vec<_> = OperationClass::ALL.iter().map(|class| class.code()).collect();
            let shown: String = code.chars().take(40).collect();
            ApiError::Invalid(format!(
                "terms.freeze.blocked: {shown:?} is no operation class; there are {}",
                all.join(", ")
            ))
        })
    };
    codes.into_iter().map(class).collect()
}

/// A version of an agreement. Never changed after it was made.
#[derive(Debug, Serialize, ToSchema)]
pub struct AgreementView {
    /// With whom.
    pub partner: String,
    /// 1, 2, 3, ... of the partner.
    pub version: u32,
    /// From when it is in force, RFC 3339; until the next one is.
    pub effective_from: String,
    /// When it was made, RFC 3339.
    pub created_at: String,
    /// Who made it.
    pub actor: String,
    /// The terms.
    pub terms: Terms,
}

impl AgreementView {
    fn new(partner: &PartnerId, version: &AgreementVersion) -> Self {
        Self {
            partner: partner.to_string(),
            version: version.version,
            effective_from: version.effective_from.to_string(),
            created_at: version.created_at.to_string(),
            actor: version.actor.clone(),
            terms: Terms::from(&version.policy),
        }
    }
}

/// A version to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAgreement {
    /// With which partner.
    pub partner: String,
    /// From when it is in force, RFC 3339, not in the past and after the last version; at once if absent.
    pub effective_from: Option<String>,
    /// The terms.
    #[serde(default)]
    pub terms: Terms,
}

/// Make an agreement with a partner, or a new version of it; timers of its accounts are computed anew
#[utoipa::path(post, path = "/agreements", operation_id = "create_agreement", tag = "partners",
    request_body = NewAgreement,
    responses((status = 201, body = AgreementView), (status = "4XX", body = ErrorBody)))]
pub async fn create(
    State(shared): State<Shared>,
    caller: Caller,
    Body(new): Body<NewAgreement>,
) -> Result<(StatusCode, Json<AgreementView>), ApiError> {
    let policy = new.terms.policy()?;
    let from = new.effective_from.as_deref().map(|at| moment("effective_from", at)).transpose()?;
    let partner = PartnerId(new.partner);
    let wall = Now::read().wall;
    let since = *shared.store.changes().borrow();
    let store = &shared.store;
    let made = store.put_agreement(partner.clone(), policy, from, wall, caller.actor()).await?;
    tracing::info!(%partner, version = made.version, "Made an agreement.");
    enforce_changed(&shared, since).await?;
    Ok((StatusCode::CREATED, Json(AgreementView::new(&partner, &made))))
}

/// Brings what changed since then to the doors; where nobody knows what did, the watcher of changes does it.
async fn enforce_changed(shared: &Shared, since: u64) -> Result<(), ApiError> {
    for account in shared.store.changed_since(since).accounts.unwrap_or_default() {
        shared.enforce(&account).await?;
    }
    Ok(())
}

/// Versions of agreements.
#[derive(Debug, Serialize, ToSchema)]
pub struct Agreements {
    /// Of one partner: the oldest first.
    pub items: Vec<AgreementView>,
    /// What to ask with `after` for the next part; null at the end.
    pub next: Option<String>,
}

/// List the agreements in force, by partner; a partner without one is left out
#[utoipa::path(get, path = "/agreements", operation_id = "list_agreements", tag = "partners", params(Page),
    responses((status = 200, body = Agreements), (status = "4XX", body = ErrorBody)))]
pub async fn list(
    State(shared): State<Shared>,
    UrlQuery(page): UrlQuery<Page>,
) -> Result<Json<Agreements>, ApiError> {
    let now = Now::read().wall;
    let (partners, next) = partners::part(&shared, &page).await?;
    let mut items = Vec::new();
    for partner in partners {
        let agreement = shared.store.agreement(partner.id.clone()).await?;
        let in_force = agreement.version_at(now);
        items.extend(in_force.map(|version| AgreementView::new(&partner.id, version)));
    }
    Ok(Json(Agreements { items, next }))
}

/// Read all versions of the agreement with a partner
#[utoipa::path(get, path = "/agreements/{partner}", operation_id = "read_agreement", tag = "partners",
    params(("partner" = String, Path, description = "Partner id")),
    responses((status = 200, body = Agreements), (status = "4XX", body = ErrorBody)))]
pub async fn read(
    State(shared): State<Shared>,
    UrlPath(partner): UrlPath<String>,
) -> Result<Json<Agreements>, ApiError> {
    let Agreement { partner, versions } = with(&shared, &partner).await?;
    let items = versions.iter().map(|version| AgreementView::new(&partner, version)).collect();
    Ok(Json(Agreements { items, next: None }))
}

/// The agreement with a partner.
async fn with(shared: &Shared, partner: &str) -> Result<Agreement, ApiError> {
    let partner = PartnerId(partner.to_owned());
    if !shared.store.partners().await?.iter().any(|known| known.id == partner) {
        return Err(ApiError::NotFound(format!("partner {partner}")));
    }
    Ok(shared.store.agreement(partner).await?)
}

/// Which two versions.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Compared {
    /// The older version; 0 is the policy itself; the one before `to` if absent.
    pub from: Option<u32>,
    /// The newer version; the last if absent.
    pub to: Option<u32>,
}

/// What differs between two versions.
#[derive(Debug, Serialize, ToSchema)]
pub struct AgreementDifferences {
    /// The older version; 0 is the policy itself.
    pub from: u32,
    /// The newer version.
    pub to: u32,
    /// Terms that differ, by name.
    pub items: Vec<TermDifference>,
    /// Always null: the list is bounded and comes whole.
    pub next: Option<String>,
}

/// A term that differs.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TermDifference {
    /// Its name, dotted where it is inside another.
    pub term: String,
    /// What it said, for people.
    pub old: String,
    /// What it says now.
    pub new: String,
}

impl From<PolicyDifference> for TermDifference {
    fn from(difference: PolicyDifference) -> Self {
        Self { term: difference.field, old: difference.old, new: difference.new }
    }
}

/// Compare two versions of the agreement with a partner
#[utoipa::path(get, path = "/agreements/{partner}/diff", operation_id = "compare_agreements", tag = "partners",
    params(("partner" = String, Path, description = "Partner id"), Compared),
    responses((status = 200, body = AgreementDifferences), (status = "4XX", body = ErrorBody)))]
pub async fn diff(
    State(shared): State<Shared>,
    UrlPath(partner): UrlPath<String>,
    UrlQuery(which): UrlQuery<Compared>,
) -> Result<Json<AgreementDifferences>, ApiError> {
    let Agreement { versions, .. } = with(&shared, &partner).await?;
    let last = versions.last().map_or(0, |version| version.version);
    let to = which.to.unwrap_or(last);
    let from = which.from.unwrap_or(to.saturating_sub(1));
    let items = differences(&terms_of(&versions, from)?, &terms_of(&versions, to)?);
    let items = items.into_iter().map(Into::into).collect();
    Ok(Json(AgreementDifferences { from, to, items, next: None }))
}

/// The terms of a version; 0 is the policy itself.
fn terms_of(versions: &[AgreementVersion], number: u32) -> Result<Policy, ApiError> {
    if number == 0 {
        return Ok(Policy::default());
    }
    let found = versions.iter().find(|version| version.version == number);
    found
        .map(|version| version.policy.clone())
        .ok_or_else(|| ApiError::NotFound(format!("version {number} of this agreement")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a15_terms_left_out_are_the_policys() {
        let terms: Terms = serde_json::from_value(json!({})).unwrap();
        assert_eq!(terms.clone().policy().unwrap(), Policy::default());
        assert_eq!(
            serde_json::to_value(terms).unwrap(),
            serde_json::to_value(Terms::default()).unwrap()
        );
        let terms: Terms = serde_json::from_value(json!({
            "grace_hours": 72, "warn_hours": [48], "reclaim_after_hours": null,
            "freeze": {"ongoing_continue": false, "blocked": ["api", "enable_app"]},
        }))
        .unwrap();
        let policy = terms.clone().policy().unwrap();
        assert_eq!((policy.grace_hours, policy.reclaim_after_hours), (72, None));
        let blocked = vec![OperationClass::Api, OperationClass::EnableApp];
        assert_eq!(policy.freeze.blocked, Some(blocked));
        assert_eq!(Terms::from(&policy), terms);
    }

    #[test]
    fn a15_terms_out_of_bounds_name_the_field() {
        for (terms, field) in [
            (json!({"grace_hours": 100_000}), "terms.grace_hours"),
            (json!({"warn_hours": [24]}), "terms.warn_hours"),
            (json!({"reclaim_after_hours": 1}), "terms.reclaim_after_hours"),
            (json!({"freeze": {"blocked": ["everything"]}}), "terms.freeze.blocked"),
            (json!({"freeze": {"blocked": ["billing"]}}), "terms.freeze.blocked"),
        ] {
            let terms: Terms = serde_json::from_value(terms).unwrap();
            let error = terms.policy().unwrap_err().to_string();
            assert!(error.starts_with(field), "{error}");
        }
        assert!(serde_json::from_value::<Terms>(json!({"grace": 1})).is_err());
    }
}
