//! The audit of an account: who changed its standing or settings, when, and by which rule (policy I13).

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use fermata_billing::journal::{AuditRow, JournalRow, Record, RecordKind};
use fermata_types::AccountId;
use serde::Serialize;
use utoipa::ToSchema;

use super::accounts::Page;
use super::error::{ApiError, ErrorBody};
use super::extract::{UrlPath, UrlQuery};
use super::journal::{self, hex};
use crate::server::Shared;

/// A change of standing, settings or stage. Written once; its hash covers the row before it.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditView {
    /// Its row in the account's journal; rises. Rows of other kinds lie between.
    pub seq: u64,
    /// From when it counts, RFC 3339, account time.
    pub at: String,
    /// When it was written, RFC 3339, account time.
    pub created_at: String,
    /// Who caused it.
    pub actor: String,
    /// The clause or rule it follows from.
    pub cause: String,
    /// What was done: `hold_raised`, `billing_changed`, ...
    pub action: String,
    /// The application it concerns, or null.
    pub app: Option<u32>,
    /// Details by name.
    pub details: BTreeMap<String, String>,
    /// SHA-256 of the row and of the hash before it, hexadecimal.
    pub hash: String,
}

impl AuditView {
    fn new(row: &JournalRow, audit: &AuditRow) -> Self {
        Self {
            seq: row.seq,
            at: row.at.to_string(),
            created_at: row.created_at.to_string(),
            actor: row.actor.clone(),
            cause: row.cause.to_string(),
            action: audit.action.clone(),
            app: audit.app.map(|app| app.0),
            details: audit.details.clone(),
            hash: hex(&row.hash),
        }
    }
}

/// Audit rows, by number.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditRows {
    /// This part of the list.
    pub items: Vec<AuditView>,
    /// What to ask with `after` for the next part; null at the end.
    pub next: Option<String>,
}

/// List the audit rows of an account
#[utoipa::path(get, path = "/accounts/{account}/audit", operation_id = "list_audit", tag = "audit",
    params(("account" = String, Path, description = "Account id"), Page),
    responses((status = 200, body = AuditRows), (status = "4XX", body = ErrorBody)))]
pub async fn list(
    State(shared): State<Shared>,
    UrlPath(account): UrlPath<String>,
    UrlQuery(page): UrlQuery<Page>,
) -> Result<Json<AuditRows>, ApiError> {
    let account = shared.store.account(AccountId::from_text(&account)).await?.id;
    let part = journal::rows(&shared, &account, &[RecordKind::Audit], &page).await?;
    let items = part.rows.iter().filter_map(|row| {
        let Record::Audit(audit) = &row.record else { return None };
        Some(AuditView::new(row, audit))
    });
    Ok(Json(AuditRows { items: items.collect(), next: part.next }))
}

#[cfg(test)]
mod tests {
    use fermata_types::SdkAppId;
    use serde_json::json;

    use super::*;

    #[test]
    fn i13_a_row_says_who_did_what_by_which_rule() {
        let audit = AuditRow {
            action: "hold_raised".into(),
            app: Some(SdkAppId(7)),
            details: BTreeMap::from([("kind".into(), "manual".into())]),
        };
        let row = journal::tests::row(3, Record::Audit(audit.clone()));
        let view = serde_json::to_value(AuditView::new(&row, &audit)).unwrap();
        assert_eq!(view["seq"], 3);
        assert_eq!(view["actor"], "operator:somebody");
        assert_eq!(view["cause"], "T5");
        assert_eq!(view["action"], "hold_raised");
        assert_eq!(view["app"], 7);
        assert_eq!(view["details"], json!({"kind": "manual"}));
        assert_eq!(view["hash"].as_str().unwrap().len(), 64);
    }
}
