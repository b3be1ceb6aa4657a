//! Reclamation: the switch of the sweep, who is waiting for it, and what was cleared (policy S21, S22, A13, A28).

use axum::Json;
use axum::extract::State;
use fermata_billing::journal::{DataClass, JournalRow, Receipt, Record, RecordKind};
use fermata_billing::state::Reclaim;
use fermata_store::{RECLAIM_SWEEP, Standing};
use fermata_types::{AccountId, Now};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::accounts::{Page, page_limit};
use super::auth::Caller;
use super::error::{ApiError, ErrorBody};
use super::extract::{Body, UrlPath, UrlQuery};
use super::journal;
use super::usage::moment;
use crate::server::Shared;

/// The switch of the sweep.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReclaimSwitch {
    /// Are live accounts cleared when they are due? Sandbox accounts always are.
    pub sweep: bool,
}

/// An account that is due for clearing, or being cleared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReclaimItem {
    /// Which account.
    pub account: String,
    /// Has it a clock of its own? Then `at` is of that clock.
    pub sandbox: bool,
    /// `due` or `clearing`.
    pub stage: &'static str,
    /// `due`: clearing begins after this. `clearing`: when it began. RFC 3339, account time.
    pub at: String,
    /// `clearing`: the next step, counted from 0; else null.
    pub step: Option<u32>,
}

/// The switch, and who waits.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReclaimQueue {
    /// Are live accounts cleared when they are due? Sandbox accounts always are.
    pub sweep: bool,
    /// By moment, then account.
    pub items: Vec<ReclaimItem>,
    /// What to ask with `after` for the next part; null at the end.
    pub next: Option<String>,
}

/// Read the switch of the reclaim sweep and the accounts that wait for it
#[utoipa::path(get, path = "/reclaim", operation_id = "read_reclaim", tag = "reclaim", params(Page),
    responses((status = 200, body = ReclaimQueue), (status = "4XX", body = ErrorBody)))]
pub async fn read(
    State(shared): State<Shared>,
    UrlQuery(page): UrlQuery<Page>,
) -> Result<Json<ReclaimQueue>, ApiError> {
    let limit = usize::try_from(page_limit(page.limit)?).unwrap_or(usize::MAX);
    let after = page.after.as_deref().map(cursor).transpose()?;
    let standings = shared.store.load_standings(Now::read().wall).await?;
    let (items, next) = queue(standings, after.as_ref(), limit);
    let sweep = shared.store.switch(RECLAIM_SWEEP).await?;
    Ok(Json(ReclaimQueue { sweep, items, next }))
}

/// Who waits, behind `after`, and what to ask for next.
fn queue(
    standings: Vec<Standing>,
    after: Option<&(Timestamp, AccountId)>,
    limit: usize,
) -> (Vec<ReclaimItem>, Option<String>) {
    let mut waiting: Vec<_> = standings
        .into_iter()
        .filter_map(|of| {
            let (at, stage, step) = match of.reclaim {
                Reclaim::Due { at } => (at, "due", None),
                Reclaim::Clearing { step, since } => (since, "clearing", Some(step)),
                Reclaim::None | Reclaim::Cleared { .. } => return None,
            };
            Some(((at, of.account), of.sandbox, stage, step))
        })
        .filter(|(key, ..)| after.is_none_or(|after| key > after))
        .collect();
    waiting.sort();
    let more = waiting.len() > limit;
    waiting.truncate(limit);
    let last = waiting.last().filter(|_| more);
    let next = last.map(|((at, account), ..)| format!("{at}/{account}"));
    let items = waiting.into_iter().map(|((at, account), sandbox, stage, step)| ReclaimItem {
        account: account.to_string(),
        sandbox,
        stage,
        at: at.to_string(),
        step,
    });
    (items.collect(), next)
}

fn cursor(text: &str) -> Result<(Timestamp, AccountId), ApiError> {
    let (at, account) = text.split_once('/').ok_or_else(|| {
        let shown: String = text.chars().take(40).collect();
        ApiError::Invalid(format!("after: {shown:?}; it takes `next` of the part before"))
    })?;
    Ok((moment("after", at)?, AccountId::from_text(account)))
}

/// Switch the reclaim sweep over live accounts on or off
#[utoipa::path(put, path = "/reclaim", operation_id = "switch_reclaim", tag = "reclaim", request_body = ReclaimSwitch,
    responses((status = 200, body = ReclaimSwitch), (status = "4XX", body = ErrorBody)))]
pub async fn switch(
    State(shared): State<Shared>,
    caller: Caller,
    Body(ReclaimSwitch { sweep }): Body<ReclaimSwitch>,
) -> Result<Json<ReclaimSwitch>, ApiError> {
    shared.store.set_switch(RECLAIM_SWEEP, sweep).await?;
    tracing::warn!(sweep, token = %caller.token, "Switched the reclaim sweep.");
    Ok(Json(ReclaimSwitch { sweep }))
}

/// A class of data that was cleared. There is no way back.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReceiptView {
    /// Its row in the account's journal; rises.
    pub seq: u64,
    /// Number of the step, counted from 0.
    pub step: u32,
    /// What was cleared: `configuration`, `service_logs`, `authorisations`, `recordings` or `packages`.
    pub class: &'static str,
    /// When, RFC 3339, account time.
    pub at: String,
    /// Hash of the row, which covers the row before it; hexadecimal.
    pub hash: String,
}

impl ReceiptView {
    fn new(row: &JournalRow, receipt: &Receipt) -> Self {
        Self {
            seq: row.seq,
            step: receipt.step,
            class: match receipt.class {
                DataClass::Configuration => "configuration",
                DataClass::ServiceLogs => "service_logs",
                DataClass::Authorisations => "authorisations",
                DataClass::Recordings => "recordings",
                DataClass::Packages => "packages",
            },
            at: receipt.at.to_string(),
            hash: journal::hex(&row.hash),
        }
    }
}

/// Receipts, in the order of the steps.
#[derive(Debug, Serialize, ToSchema)]
pub struct Receipts {
    /// This part of the list.
    pub items: Vec<ReceiptView>,
    /// What to ask with `after` for the next part; null at the end.
    pub next: Option<String>,
}

/// List the receipts of what was cleared of an account
#[utoipa::path(get, path = "/accounts/{account}/receipts", operation_id = "list_receipts", tag = "reclaim",
    params(("account" = String, Path, description = "Account id"), Page),
    responses((status = 200, body = Receipts), (status = "4XX", body = ErrorBody)))]
pub async fn receipts(
    State(shared): State<Shared>,
    UrlPath(account): UrlPath<String>,
    UrlQuery(page): UrlQuery<Page>,
) -> Result<Json<Receipts>, ApiError> {
    let account = shared.store.account(AccountId::from_text(&account)).await?.id;
    let part = journal::rows(&shared, &account, &[RecordKind::Receipt], &page).await?;
    let items = part.rows.iter().filter_map(|row| {
        let Record::Receipt(receipt) = &row.record else { return None };
        Some(ReceiptView::new(row, receipt))
    });
    Ok(Json(Receipts { items: items.collect(), next: part.next }))
}

#[cfg(test)]
mod tests {
    use fermata_billing::policy::Policy;

    use super::*;

    fn standing(account: &str, reclaim: Reclaim) -> Standing {
        Standing {
            account: AccountId::from_text(account),
            epoch: 1,
            sandbox: false,
            clock_offset_us: 0,
            apps: Vec::new(),
            holds: Vec::new(),
            reclaim,
            policy: Policy::default(),
        }
    }

    #[test]
    fn t20_the_queue_has_who_is_due_and_who_is_being_cleared_in_order() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let all = || {
            vec![
                standing("AC_a", Reclaim::None),
                standing("AC_b", Reclaim::Due { at: at(50) }),
                standing("AC_c", Reclaim::Clearing { step: 2, since: at(40) }),
                standing("AC_d", Reclaim::Cleared { at: at(1) }),
                standing("AC_e", Reclaim::Due { at: at(40) }),
            ]
        };
        let (items, next) = queue(all(), None, 10);
        let order: Vec<_> = items.iter().map(|one| (&*one.account, one.stage, one.step)).collect();
        assert_eq!(
            order,
            [("AC_c", "clearing", Some(2)), ("AC_e", "due", None), ("AC_b", "due", None)]
        );
        assert_eq!(next, None);
        let (first, next) = queue(all(), None, 2);
        let (rest, end) = queue(all(), Some(&cursor(&next.unwrap()).unwrap()), 2);
        assert_eq!([first, rest].concat(), items);
        assert_eq!(end, None);
        assert!(cursor("x").is_err() && cursor("x/AC_a").is_err());
    }
}
