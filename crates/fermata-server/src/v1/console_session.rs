//! Sessions of the console: signing in, who one is, and signing out.
//!
//! A session's token travels in a cookie that pages cannot read; what changes something carries the session's
//! `csrf_token` in the header `X-CSRF-Token`. The token is always made anew: a cookie that came along is not taken over.
//! Wrong names, wrong passwords and disabled users are answered alike, after the same work.
//! What it is not: one's own password (`console_password`) and one-time codes (`console_totp`), users (`console_users`).

use std::net::{IpAddr, Ipv4Addr};

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use fermata_auth::limits::PASSWORD_CHARS_MAX;
use fermata_auth::{api_token, console_session, password, totp};
use fermata_store::limits::NAME_CHARS_MAX;
use fermata_store::{ConsoleSession, ConsoleTotp, ConsoleUser, ConsoleUserChange};
use fermata_types::Now;
use serde::{Deserialize, Serialize};
use tokio::sync::MutexGuard;
use utoipa::ToSchema;

use super::auth::{Caller, OwnSession};
use super::error::{ApiError, ErrorBody};
use super::extract::Body;
use super::secret_text::SecretText;
use super::tokens::{RoleName, shown};
use crate::console::{attempt, cookie, in_force};
use crate::dev;
use crate::http::peer::Peer;
use crate::limits::CONSOLE_SESSION_LIFETIME;
use crate::metrics::Metric;
use crate::secret;
use crate::server::Shared;

/// Answers that no cache may keep.
pub(super) const NO_STORE: (HeaderName, &str) = (header::CACHE_CONTROL, "no-store");

/// The other end of a call, if it came over TCP.
pub(super) type MaybePeer = Option<Extension<Peer>>;

/// The client's address; none of its own over the control socket.
pub(super) fn address(peer: &MaybePeer) -> IpAddr {
    peer.as_ref().map_or(Ipv4Addr::UNSPECIFIED.into(), |Extension(peer)| peer.address)
}

fn is_secure(peer: &MaybePeer) -> bool {
    peer.as_ref().is_some_and(|Extension(peer)| peer.scheme == "https")
}

/// What one signs in with.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// Sign-in name, whatever its case.
    pub name: Option<String>,
    /// Password.
    pub password: Option<SecretText>,
    /// One-time code of six digits, for users that have them.
    pub code: Option<SecretText>,
    /// In development mode: as its operator, without name and password. Refused elsewhere.
    pub dev: Option<bool>,
}

/// Who asks.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionUser {
    /// Id of the user, `CU_...`, or of the token, `TK_...`.
    pub id: String,
    /// Sign-in name of the user, or what the token is for.
    pub name: String,
    /// For whom it speaks.
    pub role: RoleName,
    /// The customer's account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The partner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partner: Option<String>,
    /// It may look at things, and change nothing.
    pub read_only: bool,
    /// Does it sign in with one-time codes, too?
    pub totp: bool,
}

/// A session of the console.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConsoleSessionView {
    /// Whose.
    pub user: SessionUser,
    /// What calls that change something carry in `X-CSRF-Token`; absent for a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub csrf_token: Option<String>,
    /// When it ends, RFC 3339; absent for a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

/// Are codes asked for? Not before the first one was confirmed.
pub(super) fn has_totp(user: &ConsoleUser) -> bool {
    user.totp.as_ref().is_some_and(|totp| totp.last_step.is_some())
}

impl ConsoleSessionView {
    fn of(user: &ConsoleUser, session: &ConsoleSession, csrf_token: String) -> Self {
        let (role, account, partner) = shown(&user.role);
        let (id, name) = (user.id.to_string(), user.name.clone());
        let (read_only, totp) = (user.read_only, has_totp(user));
        Self {
            user: SessionUser { id, name, role, account, partner, read_only, totp },
            csrf_token: Some(csrf_token),
            expires_at: Some(session.expires_at.to_string()),
        }
    }

    fn of_token(caller: &Caller, name: Option<String>) -> Self {
        let (role, account, partner) = shown(&caller.role);
        let id = caller.token.to_string();
        let (name, read_only) = (name.unwrap_or_else(|| id.clone()), caller.read_only);
        Self {
            user: SessionUser { id, name, role, account, partner, read_only, totp: false },
            csrf_token: None,
            expires_at: None,
        }
    }
}

/// Sign in to the console; the session's token comes as a cookie
#[utoipa::path(post, path = "/console-session", operation_id = "create_console_session", tag = "console",
    request_body = SignIn, security(()),
    responses((status = 201, body = ConsoleSessionView), (status = "4XX", body = ErrorBody)))]
pub async fn create(
    State(shared): State<Shared>,
    peer: MaybePeer,
    Body(new): Body<SignIn>,
) -> Result<Response, ApiError> {
    let invalid = |text: &str| ApiError::Invalid(text.to_owned());
    let secure = is_secure(&peer);
    if new.dev.is_some() && !shared.settings.dev {
        return Err(invalid("dev: it is taken in development mode only"));
    }
    if new.dev == Some(true) {
        if new.name.is_some() || new.password.is_some() || new.code.is_some() {
            return Err(invalid("dev: it goes without name, password and code"));
        }
        let _changing = shared.console.changing().await;
        let user = shared.store.create_console_user(dev::console_user()).await?;
        return if in_force(&shared, &user) {
            begin(&shared, &user, secure).await
        } else {
            Err(ApiError::SignInFailed)
        };
    }
    let name = new.name.ok_or_else(|| invalid("name: it is needed"))?;
    let password = new.password.ok_or_else(|| invalid("password: it is needed"))?;
    if name.chars().count() > NAME_CHARS_MAX {
        return Err(ApiError::Invalid(format!("name: at most {NAME_CHARS_MAX} characters")));
    }
    if password.chars().count() > PASSWORD_CHARS_MAX {
        let text = format!("password: at most {PASSWORD_CHARS_MAX} characters");
        return Err(ApiError::Invalid(text));
    }
    let attempt = attempt(&shared, &name, address(&peer))?;
    let checked = check(&shared, &name, &password, new.code.as_ref()).await;
    if matches!(checked, Err(ApiError::SignInFailed)) {
        shared.metrics.add(Metric::ConsoleSignInsFailed, 1);
        tracing::info!(address = %address(&peer), "Somebody failed to sign in to the console.");
    } else {
        shared.console.forgive(&attempt);
    }
    let (user, _changing) = checked?;
    begin(&shared, &user, secure).await
}

/// The user with this name, if password and code fit. No user changes while the guard is held.
async fn check<'a>(
    shared: &'a Shared,
    name: &str,
    password: &str,
    code: Option<&SecretText>,
) -> Result<(ConsoleUser, MutexGuard<'a, ()>), ApiError> {
    let find = || shared.store.console_user_named(name.to_owned());
    let known = find().await?;
    let hash = known.map_or_else(password::dummy, |user| user.password_hash);
    let fits = shared.console.verify(password, &hash).await?;
    let changing = shared.console.changing().await;
    // Looked at again: what was changed while the password was hashed counts.
    let user = if fits { find().await? } else { None };
    let user = user.filter(|user| user.password_hash == hash && in_force(shared, user));
    let user = user.ok_or(ApiError::SignInFailed)?;
    match &user.totp {
        Some(totp) if has_totp(&user) => {
            let code = code.ok_or(ApiError::CodeNeeded)?;
            let taken = taken(totp, code, Now::read().wall).ok_or(ApiError::SignInFailed)?;
            let change = ConsoleUserChange { totp: Some(Some(taken)), ..Default::default() };
            shared.store.change_console_user(user.id.clone(), change).await?;
        }
        _ => {}
    }
    Ok((user, changing))
}

/// One-time codes after this one was taken; none if it does not fit or was taken before.
pub(super) fn taken(
    totp: &ConsoleTotp,
    code: &SecretText,
    now: jiff::Timestamp,
) -> Option<ConsoleTotp> {
    let step = totp::matching_step(&totp.secret, code, now, totp.last_step)?;
    Some(ConsoleTotp { last_step: Some(step), ..totp.clone() })
}

/// Makes a session with a token of its own.
async fn begin(shared: &Shared, user: &ConsoleUser, secure: bool) -> Result<Response, ApiError> {
    let token = secret::console_session()?;
    let created_at = Now::read().wall;
    let expires_at = created_at.checked_add(CONSOLE_SESSION_LIFETIME);
    let session = ConsoleSession {
        hash: api_token::hash(&token),
        user: user.id.clone(),
        created_at,
        expires_at: expires_at.map_err(|_| ApiError::Internal)?,
    };
    let session = shared.store.create_console_session(session).await?;
    shared.metrics.add(Metric::ConsoleSignIns, 1);
    tracing::info!(user = %user.id, role = user.role.code(), "Signed in to the console.");
    let view = ConsoleSessionView::of(user, &session, console_session::csrf_token(&token));
    let cookie = [(header::SET_COOKIE, cookie::set(&token, secure))];
    Ok((StatusCode::CREATED, [NO_STORE], cookie, Json(view)).into_response())
}

/// Read whose session this is, and its `csrf_token`; a token is told its role
#[utoipa::path(get, path = "/console-session", operation_id = "read_console_session", tag = "console",
    responses((status = 200, body = ConsoleSessionView), (status = "4XX", body = ErrorBody)))]
pub async fn read(State(shared): State<Shared>, caller: Caller) -> Response {
    let view = match &caller.signed_in {
        Some(own) => ConsoleSessionView::of(&own.user, &own.session, own.csrf_token.clone()),
        None => ConsoleSessionView::of_token(&caller, shared.directory.token_name(&caller.token)),
    };
    ([NO_STORE], Json(view)).into_response()
}

/// Sign out; the session is over when the answer comes
#[utoipa::path(delete, path = "/console-session", operation_id = "end_console_session", tag = "console",
    responses((status = 204), (status = "4XX", body = ErrorBody)))]
pub async fn end(
    State(shared): State<Shared>,
    peer: MaybePeer,
    OwnSession(own): OwnSession,
) -> Result<Response, ApiError> {
    shared.store.end_console_session(own.session.hash).await?;
    tracing::info!(user = %own.user.id, "Signed out of the console.");
    let cookie = [(header::SET_COOKIE, cookie::clear(is_secure(&peer)))];
    Ok((StatusCode::NO_CONTENT, cookie).into_response())
}
