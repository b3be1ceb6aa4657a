//! Accounts, applications, price lists and agreements: rows and books in one transaction.

use fermata_billing::catalog::{CatalogDraft, CatalogVersion};
use fermata_billing::command::{Actor, Command, Meta, OpenAccount, Refusal};
use fermata_billing::id::PartnerId;
use fermata_billing::policy::{AgreementVersion, Policy};
use jiff::Timestamp;

use super::bill::{recall, remember};
use super::{Judged, Reevaluation, Shelf, at_desk};
use crate::limits::REEVALUATED_PER_CALL;
use crate::rules::{self, exists, invalid, stored};
use crate::{Account, App, AppWithKeys, Once, StoreError};

/// Adds an account with its books.
pub(crate) fn open_account<S: Shelf>(
    shelf: &mut S,
    account: Account,
    terms: &OpenAccount,
    wall: Timestamp,
    actor: Actor,
    once: Option<&Once>,
) -> Result<Account, StoreError> {
    let account = rules::account(account)?;
    if terms.account != account.id {
        return Err(invalid("account_id", "the terms are for another account"));
    }
    if let Some(known) = recall(shelf, once)? {
        return Ok(known);
    }
    match shelf.account_row(&account.id)? {
        Some(old) if old == account => return Ok(old),
        Some(_) => return Err(exists("account", &account.id)),
        None => {}
    }
    if let Some(partner) = &terms.partner
        && !shelf.has_partner(partner)?
    {
        return Err(StoreError::NotFound { what: "partner", id: partner.to_string() });
    }
    let now = account.created_at;
    let meta = Meta { now, applied: now, actor };
    at_desk(shelf, &account.id, stored(wall), |desk| {
        desk.run(&Command::Open(terms.clone()), &meta)?
    })?;
    shelf.insert_account(&account)?;
    remember(shelf, once, &account, stored(wall))?;
    Ok(account)
}

/// Adds an application to its account and its books.
pub(crate) fn create_app<S: Shelf>(
    shelf: &mut S,
    app: AppWithKeys,
    wall: Timestamp,
    actor: Actor,
    once: Option<&Once>,
) -> Judged<App> {
    let app = rules::app(app)?;
    if let Some(known) = recall(shelf, once)? {
        return Ok(Ok(known));
    }
    if shelf.app_known(&app)? {
        return Ok(Ok(app.app));
    }
    let command = Command::CreateApp { app: app.app.sdk_app_id };
    let added = at_desk(shelf, &app.app.account, stored(wall), |desk| {
        let mut caught = desk.catch_up_before_now()?;
        if let Some(obstacle) = caught.obstacle() {
            return Ok(Err(obstacle));
        }
        let now = desk.now();
        desk.run(&command, &Meta { now, applied: now, actor }).map(|outcome| outcome.map(drop))
    })?;
    if let Err(refused) = added {
        return Ok(Err(refused));
    }
    shelf.insert_app(&app)?;
    remember(shelf, once, &app.app, stored(wall))?;
    Ok(Ok(app.app))
}

/// Adds a version to the catalog.
pub(crate) fn add_catalog_version<S: Shelf>(
    shelf: &mut S,
    draft: CatalogDraft,
    wall: Timestamp,
    actor: &Actor,
) -> Result<CatalogVersion, StoreError> {
    let added = shelf.catalog()?.add(draft, stored(wall), &actor.text()).map_err(Refusal::from)?;
    let version = added.latest().cloned();
    shelf.put_catalog(added)?;
    version.ok_or_else(|| StoreError::Backend("the catalog is empty".to_owned()))
}

/// Adds a version of a partner's agreement; in force, it is worked through at once as far as one call goes.
pub(crate) fn put_agreement<S: Shelf>(
    shelf: &mut S,
    partner: PartnerId,
    policy: Policy,
    effective_from: Option<Timestamp>,
    wall: Timestamp,
    actor: &Actor,
) -> Result<AgreementVersion, StoreError> {
    let wall = stored(wall);
    if !shelf.has_partner(&partner)? {
        return Err(StoreError::NotFound { what: "partner", id: partner.to_string() });
    }
    let old = shelf.agreement(&partner)?;
    let new = old
        .add(policy, effective_from.map(stored), wall, &actor.text())
        .map_err(|error| invalid("agreement", error.to_string()))?;
    let version = new.versions.last().cloned();
    let version =
        version.ok_or_else(|| StoreError::Backend("the agreement is empty".to_owned()))?;
    shelf.put_agreement(new)?;
    let due = version.effective_from;
    shelf.put_reevaluation(Reevaluation { partner, version: version.version, after: None, due })?;
    reevaluate_due(shelf, wall)?;
    Ok(version)
}

/// Computes timers of accounts anew whose agreement changed, a bounded number of them (T17).
pub(crate) fn reevaluate_due<S: Shelf>(shelf: &mut S, wall: Timestamp) -> Result<(), StoreError> {
    let mut left = REEVALUATED_PER_CALL;
    while left > 0 {
        let Some(mut work) = shelf.reevaluation(wall)? else { break };
        let accounts = shelf.accounts_of(&work.partner, work.after.as_ref(), left)?;
        let done = accounts.len() < left;
        left -= accounts.len();
        work.after = accounts.last().cloned().or(work.after);
        for account in accounts {
            at_desk(shelf, &account, wall, |desk| {
                let mut caught = desk.catch_up_before_now()?;
                let now = desk.now();
                let meta = Meta { now, applied: now, actor: Actor::system() };
                let refused = match caught.obstacle() {
                    Some(obstacle) => Some(obstacle),
                    None => desk.run(&Command::Reevaluate, &meta)?.err(),
                };
                if let Some(error) = refused {
                    tracing::error!(%account, %error, "New terms cannot be applied.");
                }
                Ok(())
            })?;
        }
        if done {
            shelf.drop_reevaluation(&work)?;
        } else {
            shelf.put_reevaluation(work)?;
        }
    }
    Ok(())
}
