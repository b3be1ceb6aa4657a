//! Notices: what the people of an account were told, and why.
//!
//! What it is not: delivery, and whom to tell; contacts and subscriptions have a noun of their own.

use axum::Json;
use axum::extract::State;
use fermata_billing::journal::{JournalRow, Record, RecordKind};
use fermata_billing::notice::Notice;
use fermata_types::AccountId;
use serde::Serialize;
use utoipa::ToSchema;

use super::accounts::Page;
use super::error::{ApiError, ErrorBody};
use super::extract::{UrlPath, UrlQuery};
use super::journal;
use crate::server::Shared;

/// A notice, as people read it.
#[derive(Debug, Serialize, ToSchema)]
pub struct NoticeView {
    /// Its row in the account's journal; rises.
    pub seq: u64,
    /// Its id, `NT_...`, the same in every delivery of it.
    pub id: String,
    /// What it is about: `arrears_reminder`, `suspended`, `bill_ready`, ...
    pub kind: &'static str,
    /// The episode, hold, package, bill or day it belongs to.
    pub of: String,
    /// The threshold that was crossed; 0 where there is none.
    pub threshold: i64,
    /// When, RFC 3339, account time.
    pub at: String,
    /// One line.
    pub title: String,
    /// Plain text, with what to do.
    pub text: String,
    /// The clauses it follows from.
    pub clauses: Vec<String>,
}

impl NoticeView {
    fn new(row: &JournalRow, notice: &Notice) -> Self {
        Self {
            seq: row.seq,
            id: notice.id.to_string(),
            kind: notice.key.kind.code(),
            of: notice.key.of.clone(),
            threshold: notice.key.threshold,
            at: notice.at.to_string(),
            title: notice.title.clone(),
            text: notice.text.clone(),
            clauses: notice.clauses.iter().map(ToString::to_string).collect(),
        }
    }
}

/// Notices, by row.
#[derive(Debug, Serialize, ToSchema)]
pub struct Notices {
    /// This part of the list.
    pub items: Vec<NoticeView>,
    /// What to ask with `after` for the next part; null at the end.
    pub next: Option<String>,
}

/// List the notices of an account
#[utoipa::path(get, path = "/accounts/{account}/notices", operation_id = "list_notices", tag = "notices",
    params(("account" = String, Path, description = "Account id"), Page),
    responses((status = 200, body = Notices), (status = "4XX", body = ErrorBody)))]
pub async fn list(
    State(shared): State<Shared>,
    UrlPath(account): UrlPath<String>,
    UrlQuery(page): UrlQuery<Page>,
) -> Result<Json<Notices>, ApiError> {
    let account = shared.store.account(AccountId::from_text(&account)).await?.id;
    let part = journal::rows(&shared, &account, &[RecordKind::Notice], &page).await?;
    let items = part.rows.iter().filter_map(|row| {
        let Record::Notice(notice) = &row.record else { return None };
        Some(NoticeView::new(row, notice))
    });
    Ok(Json(Notices { items: items.collect(), next: part.next }))
}

#[cfg(test)]
mod tests {
    use fermata_billing::clause::ClauseId;
    use fermata_billing::id::NoticeId;
    use fermata_billing::notice::{NoticeKey, NoticeKind};
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;

    #[test]
    fn s11_a_notice_names_what_it_is_about_and_its_clauses() {
        let notice = Notice {
            id: NoticeId::from_text("NT_a_7"),
            key: NoticeKey { kind: NoticeKind::ArrearsReminder, of: "1".into(), threshold: 0 },
            at: Timestamp::UNIX_EPOCH,
            title: "t".into(),
            text: "x".into(),
            clauses: vec![ClauseId::S8, ClauseId::T5],
        };
        let row = journal::tests::row(7, Record::Notice(notice.clone()));
        assert_eq!(
            serde_json::to_value(NoticeView::new(&row, &notice)).unwrap(),
            json!({"seq": 7, "id": "NT_a_7", "kind": "arrears_reminder", "of": "1", "threshold": 0,
                "at": "1970-01-01T00:00:00Z", "title": "t", "text": "x", "clauses": ["S8", "T5"]})
        );
    }
}
