//! Applications: the namespaces of rooms.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use fermata_store::{ApiKey, App, AppChange, AppWithKeys};
use fermata_types::{AccountId, Now, Scene, SdkAppId};
use rand::RngExt as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::auth::Caller;
use super::error::{ApiError, ErrorBody};
use super::extract::{Body, UrlPath, app_id};
use super::keys::checked_secret;
use super::once::OnlyOnce;
use crate::secret;
use crate::server::Shared;

/// First number that is given to applications: the vendor's range, above development mode's.
const SDK_APP_ID_FIRST: u32 = 1_400_000_002;

/// Last one.
const SDK_APP_ID_LAST: u32 = 1_699_999_999;

/// How long a vanished user is kept if nothing is said, seconds.
pub const DISCONNECT_TIMEOUT_S: u32 = 90;

/// The scene of rooms that say nothing themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SceneView {
    /// Everybody may publish; at most 300 users.
    Call,
    /// Anchors publish, audience subscribes.
    Live,
}

impl From<Scene> for SceneView {
    fn from(scene: Scene) -> Self {
        match scene {
            Scene::Call => Self::Call,
            Scene::Live => Self::Live,
        }
    }
}

impl From<SceneView> for Scene {
    fn from(scene: SceneView) -> Self {
        match scene {
            SceneView::Call => Self::Call,
            SceneView::Live => Self::Live,
        }
    }
}

/// An application.
#[derive(Debug, Serialize, ToSchema)]
pub struct AppView {
    /// Its number.
    pub sdk_app_id: u32,
    /// Who pays for it.
    pub account: String,
    /// Display name.
    pub name: String,
    /// Scene of rooms that say nothing themselves.
    pub default_scene: SceneView,
    /// How long a vanished user is kept and counted, seconds.
    pub disconnect_timeout_s: u32,
    /// Does every join through UserSig need a PrivateMapKey?
    pub private_map_required: bool,
    /// When it was created, RFC 3339.
    pub created_at: String,
    /// Rises with every change.
    pub epoch: u64,
}

impl From<App> for AppView {
    fn from(app: App) -> Self {
        Self {
            sdk_app_id: app.sdk_app_id.0,
            account: app.account.to_string(),
            name: app.name,
            default_scene: app.default_scene.into(),
            disconnect_timeout_s: app.disconnect_timeout_s,
            private_map_required: app.private_map_required,
            created_at: app.created_at.to_string(),
            epoch: app.epoch,
        }
    }
}

/// An application to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApp {
    /// Display name, 1 to 128 characters.
    pub name: String,
    /// Its number, if a certain one is wanted; else a free one is chosen.
    pub sdk_app_id: Option<u32>,
    /// Scene of rooms that say nothing themselves; `call` if absent.
    pub default_scene: Option<SceneView>,
    /// How long a vanished user is kept and counted, 5 to 300 seconds; 90 if absent.
    pub disconnect_timeout_s: Option<u32>,
    /// Does every join through UserSig need a PrivateMapKey? No, if absent.
    pub private_map_required: Option<bool>,
    /// The secret behind UserSig, 32 bytes or more, if it must be a certain one; else one is made.
    pub usersig_key: Option<String>,
}

/// A new application with its secrets, which are shown this once.
#[derive(Serialize, ToSchema)]
pub struct CreatedApp {
    /// Its number.
    pub sdk_app_id: u32,
    /// The secret behind UserSig. Shown once.
    pub secret_key: String,
    /// Public name of its first LiveKit key pair.
    pub api_key: String,
    /// The secret of that pair. Shown once.
    pub api_secret: String,
    /// The same as `secret_key`.
    pub usersig_key: String,
    /// The application.
    pub app: AppView,
}

impl std::fmt::Debug for CreatedApp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CreatedApp").field("app", &self.app).finish_non_exhaustive()
    }
}

/// Create an application with its first keys
#[utoipa::path(post, path = "/accounts/{account}/apps", operation_id = "create_app", tag = "apps", request_body = NewApp,
    params(("account" = String, Path, description = "Account id")),
    responses((status = 201, body = CreatedApp), (status = "4XX", body = ErrorBody)))]
pub async fn create(
    State(shared): State<Shared>,
    caller: Caller,
    OnlyOnce(once): OnlyOnce,
    UrlPath(account): UrlPath<String>,
    Body(new): Body<NewApp>,
) -> Result<(StatusCode, Json<CreatedApp>), ApiError> {
    let account = shared.store.account(AccountId::from_text(&account)).await?;
    let _changing = shared.directory.changing().await;
    let usersig_key = match new.usersig_key {
        Some(key) => checked_secret("usersig_key", key, shared.settings.dev)?,
        None => secret::usersig_key()?,
    };
    let sdk_app_id = match new.sdk_app_id {
        Some(number) => app_id(number)?,
        None => free_number(&shared),
    };
    let now = Now::read().wall;
    let key = ApiKey { key: secret::api_key()?, secret: secret::api_secret()?, created_at: now };
    let app = App {
        sdk_app_id,
        account: account.id,
        name: new.name,
        default_scene: new.default_scene.map_or(Scene::Call, Into::into),
        disconnect_timeout_s: new.disconnect_timeout_s.unwrap_or(DISCONNECT_TIMEOUT_S),
        private_map_required: new.private_map_required.unwrap_or(false),
        created_at: now,
        epoch: 1,
    };
    let with_keys = AppWithKeys { app, usersig_key, api_keys: vec![key] };
    // A repetition answers the application that was made then, under whatever number.
    let app = shared.store.create_app(with_keys, now, caller.actor(), once).await?;
    let stored = shared.apply(app.sdk_app_id).await?;
    tracing::info!(sdk_app_id = %app.sdk_app_id, account = %app.account, "Created an application.");
    let Some(first) = stored.api_keys.first() else { return Err(ApiError::Internal) };
    let created = CreatedApp {
        sdk_app_id: app.sdk_app_id.0,
        secret_key: stored.usersig_key.clone(),
        api_key: first.key.clone(),
        api_secret: first.secret.clone(),
        usersig_key: stored.usersig_key.clone(),
        app: app.into(),
    };
    Ok((StatusCode::CREATED, Json(created)))
}

/// A number that no application has.
fn free_number(shared: &Shared) -> SdkAppId {
    loop {
        let id = shared.fresh(|rng| SdkAppId(rng.random_range(SDK_APP_ID_FIRST..=SDK_APP_ID_LAST)));
        if shared.directory.app(id).is_none() {
            return id;
        }
    }
}

/// Applications, by number.
#[derive(Debug, Serialize, ToSchema)]
pub struct Apps {
    /// All of the account.
    pub items: Vec<AppView>,
    /// Always null: the list is whole.
    pub next: Option<String>,
}

/// List the applications of an account
#[utoipa::path(get, path = "/accounts/{account}/apps", operation_id = "list_apps", tag = "apps",
    params(("account" = String, Path, description = "Account id")),
    responses((status = 200, body = Apps), (status = "4XX", body = ErrorBody)))]
pub async fn list(
    State(shared): State<Shared>,
    UrlPath(account): UrlPath<String>,
) -> Result<Json<Apps>, ApiError> {
    let account = shared.store.account(AccountId::from_text(&account)).await?;
    let items = shared.store.list_apps(account.id).await?;
    Ok(Json(Apps { items: items.into_iter().map(Into::into).collect(), next: None }))
}

/// Read an application
#[utoipa::path(get, path = "/apps/{sdk_app_id}", operation_id = "read_app", tag = "apps",
    params(("sdk_app_id" = u32, Path, description = "Application number")),
    responses((status = 200, body = AppView), (status = "4XX", body = ErrorBody)))]
pub async fn read(
    State(shared): State<Shared>,
    UrlPath(id): UrlPath<u32>,
) -> Result<Json<AppView>, ApiError> {
    Ok(Json(shared.store.app(app_id(id)?).await?.into()))
}

/// Changes to an application; absent fields stay as they are.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AppPatch {
    /// Display name, 1 to 128 characters.
    pub name: Option<String>,
    /// Scene of rooms that say nothing themselves.
    pub default_scene: Option<SceneView>,
    /// How long a vanished user is kept and counted, 5 to 300 seconds.
    pub disconnect_timeout_s: Option<u32>,
    /// Does every join through UserSig need a PrivateMapKey?
    pub private_map_required: Option<bool>,
}

/// Change an application; in force when the answer comes
#[utoipa::path(patch, path = "/apps/{sdk_app_id}", operation_id = "change_app", tag = "apps", request_body = AppPatch,
    params(("sdk_app_id" = u32, Path, description = "Application number")),
    responses((status = 200, body = AppView), (status = "4XX", body = ErrorBody)))]
pub async fn change(
    State(shared): State<Shared>,
    UrlPath(id): UrlPath<u32>,
    Body(patch): Body<AppPatch>,
) -> Result<Json<AppView>, ApiError> {
    let id = app_id(id)?;
    let change = AppChange {
        name: patch.name,
        default_scene: patch.default_scene.map(Into::into),
        disconnect_timeout_s: patch.disconnect_timeout_s,
        private_map_required: patch.private_map_required,
    };
    let _changing = shared.directory.changing().await;
    let app = shared.store.change_app(id, change).await?;
    shared.apply(id).await?;
    tracing::info!(sdk_app_id = %id, epoch = app.epoch, "Changed an application.");
    Ok(Json(app.into()))
}
