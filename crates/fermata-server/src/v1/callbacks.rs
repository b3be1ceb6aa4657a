//! Where events of an application's rooms go: one callback in the vendor's form, webhooks in `LiveKit`'s.
//!
//! What it is not: delivery, or notices about the account (`contacts`, `notice_subscriptions`).

use axum::Json;
use axum::extract::State;
use fermata_store::{AppCallbacks, Callback, Webhook};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::{ApiError, ErrorBody};
use super::extract::{Body, UrlPath, app_id};
use crate::server::Shared;

/// Event groups of a callback that names none: room and media.
const GROUPS: [u8; 2] = [1, 2];

/// A callback in the vendor's form, without its key.
#[derive(Debug, Serialize, ToSchema)]
pub struct CallbackView {
    /// Address.
    pub url: String,
    /// Event groups that are sent: 1 room, 2 media, ...; ascending.
    pub groups: Vec<u8>,
}

/// A callback to keep, in the vendor's form.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCallback {
    /// Address, `https://` or `http://`, 2,083 bytes at most.
    pub url: String,
    /// Key of the `Sign` header, 1 to 32 letters and digits; if absent, the callback keeps the one it has.
    pub key: Option<String>,
    /// Event groups to send, of 1 to 11, ascending; 1 (room) and 2 (media) if absent.
    pub groups: Option<Vec<u8>>,
}

impl std::fmt::Debug for NewCallback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewCallback").field("url", &self.url).finish_non_exhaustive()
    }
}

/// A webhook in LiveKit's form.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EventWebhook {
    /// Address, `https://` or `http://`, 2,083 bytes at most.
    pub url: String,
    /// Public name of the application's key pair whose secret signs; none: the oldest pair.
    pub api_key: Option<String>,
}

impl From<Webhook> for EventWebhook {
    fn from(webhook: Webhook) -> Self {
        Self { url: webhook.url, api_key: webhook.api_key }
    }
}

/// Where events of an application go.
#[derive(Debug, Serialize, ToSchema)]
pub struct CallbacksView {
    /// In the vendor's form.
    pub callback: Option<CallbackView>,
    /// In LiveKit's form.
    pub webhooks: Vec<EventWebhook>,
}

impl From<AppCallbacks> for CallbacksView {
    fn from(all: AppCallbacks) -> Self {
        let view = |Callback { url, groups, .. }| CallbackView { url, groups };
        Self {
            callback: all.callback.map(view),
            webhooks: all.webhooks.into_iter().map(Into::into).collect(),
        }
    }
}

/// Where events of an application are to go; what is absent goes nowhere.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCallbacks {
    /// In the vendor's form.
    pub callback: Option<NewCallback>,
    /// In LiveKit's form, 8 at most.
    pub webhooks: Option<Vec<EventWebhook>>,
}

/// Read where events of an application go, without keys
#[utoipa::path(get, path = "/apps/{sdk_app_id}/callbacks", operation_id = "read_callbacks", tag = "callbacks",
    params(("sdk_app_id" = u32, Path, description = "Application number")),
    responses((status = 200, body = CallbacksView), (status = "4XX", body = ErrorBody)))]
pub async fn read(
    State(shared): State<Shared>,
    UrlPath(id): UrlPath<u32>,
) -> Result<Json<CallbacksView>, ApiError> {
    let all = shared.store.callbacks(app_id(id)?).await?;
    Ok(Json(all.into()))
}

/// Say anew where events of an application go; in force when the answer comes
#[utoipa::path(put, path = "/apps/{sdk_app_id}/callbacks", operation_id = "set_callbacks", tag = "callbacks", request_body = NewCallbacks,
    params(("sdk_app_id" = u32, Path, description = "Application number")),
    responses((status = 200, body = CallbacksView), (status = "4XX", body = ErrorBody)))]
pub async fn set(
    State(shared): State<Shared>,
    UrlPath(id): UrlPath<u32>,
    Body(new): Body<NewCallbacks>,
) -> Result<Json<CallbacksView>, ApiError> {
    let id = app_id(id)?;
    let _changing = shared.directory.changing().await;
    let known = shared.store.callbacks(id).await?;
    let all = shared.store.set_callbacks(id, callbacks(new, known)?).await?;
    shared.directory.put_callbacks(id, all.clone());
    let webhooks = all.webhooks.len();
    tracing::info!(sdk_app_id = %id, callback = all.callback.is_some(), webhooks, "Set callbacks.");
    Ok(Json(all.into()))
}

/// What is asked for, as it is kept; a key that is not given is that of `known`.
fn callbacks(new: NewCallbacks, known: AppCallbacks) -> Result<AppCallbacks, ApiError> {
    let callback = match new.callback {
        None => None,
        Some(NewCallback { url, key, groups }) => {
            let key = key.or_else(|| known.callback.map(|callback| callback.key));
            let key = key.ok_or_else(|| {
                ApiError::Invalid("callback.key: a new callback needs one".to_owned())
            })?;
            Some(Callback { url, key, groups: groups.unwrap_or_else(|| GROUPS.to_vec()) })
        }
    };
    let webhooks = new.webhooks.unwrap_or_default().into_iter();
    let webhooks = webhooks.map(|EventWebhook { url, api_key }| Webhook { url, api_key });
    Ok(AppCallbacks { callback, webhooks: webhooks.collect() })
}
