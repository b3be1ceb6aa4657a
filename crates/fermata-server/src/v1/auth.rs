//! Who asks, and what they may ask for: the one gate of the API.
//!
//! A bearer token speaks for the operator, for a partner (the accounts it serves) or for a customer (one
//! account), each perhaps for reading only. Where there is none, the cookie of a session of the console speaks
//! for its user, with the same roles; what it changes needs the session's word against forged requests, too.
//! Whoever may open the control socket in the data folder is the operator as well. What belongs to somebody
//! else is not found; what a role may not do is forbidden; what the account's standing closes is refused with
//! every hold (policy 2.2).
//! What it is not: which fields a role may set is with the call.

use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use fermata_auth::console_session;
use fermata_billing::command::{Actor, ActorRole};
use fermata_billing::effect::OperationClass;
use fermata_store::{ApiToken, TokenRole};
use fermata_types::{AccountId, SdkAppId, TokenId};

use super::call::books;
use super::error::ApiError;
use super::gates::{Gate, gate};
use super::refusal;
use crate::console::{SignedIn, cookie, signed_in};
use crate::server::Shared;

/// The header with a session's word against forged requests.
const CSRF_HEADER: &str = "x-csrf-token";

/// Marks requests that came over the control socket, whose file permissions are the credential.
#[derive(Debug, Clone, Copy)]
pub struct OverControlSocket;

/// Who asks. An extractor: the gate has put it into every request that it lets through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The credential, for the audit and for idempotency keys: a token's id, or that of a user of the console.
    pub token: TokenId,
    /// For whom it speaks.
    pub role: TokenRole,
    /// May it only look?
    pub read_only: bool,
    /// The session of the console, if it is one that asks.
    pub signed_in: Option<SignedIn>,
}

impl From<ApiToken> for Caller {
    fn from(token: ApiToken) -> Self {
        Self { token: token.id, role: token.role, read_only: token.read_only, signed_in: None }
    }
}

impl From<SignedIn> for Caller {
    fn from(own: SignedIn) -> Self {
        let token = TokenId::from_text(own.user.id.as_str());
        let (role, read_only) = (own.user.role.clone(), own.user.read_only);
        Self { token, role, read_only, signed_in: Some(own) }
    }
}

impl Caller {
    /// Whoever may open the control socket.
    fn control() -> Self {
        let token = TokenId::from_text("control");
        Self { token, role: TokenRole::Operator, read_only: false, signed_in: None }
    }

    /// Does it speak for the operator?
    pub fn is_operator(&self) -> bool {
        self.role == TokenRole::Operator
    }

    /// Who asks, as the books write it down.
    pub fn actor(&self) -> Actor {
        let role = match &self.role {
            TokenRole::Operator => ActorRole::Operator,
            TokenRole::Partner { partner } => ActorRole::Partner(partner.clone()),
            TokenRole::Customer { .. } => ActorRole::Customer,
        };
        Actor { role, name: self.token.to_string() }
    }

    /// Only the operator may go on.
    ///
    /// # Errors
    /// [`ApiError::Forbidden`].
    pub fn require_operator(&self) -> Result<(), ApiError> {
        if self.is_operator() {
            return Ok(());
        }
        let role = self.role.code();
        Err(ApiError::Forbidden(format!("Only an operator may do this; you ask as a {role}.")))
    }

    /// May it see this account? Accounts in paths have been judged by the gate already; this is for those in
    /// bodies and queries.
    ///
    /// # Errors
    /// [`ApiError::NotFound`] for accounts of others, as for those that are none.
    pub async fn may_see(&self, shared: &Shared, account: &AccountId) -> Result<(), ApiError> {
        let own = match &self.role {
            TokenRole::Operator => true,
            TokenRole::Customer { account: own } => own == account,
            TokenRole::Partner { partner } => match books(shared, account).await {
                Ok((_, profile)) => profile.partner.as_ref() == Some(partner),
                Err(ApiError::NotFound(_)) => false,
                Err(error) => return Err(error),
            },
        };
        if own { Ok(()) } else { Err(ApiError::NotFound(format!("account {account}"))) }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or(ApiError::Unauthorized)
    }
}

/// The session of the console that asks. An extractor: tokens have none, and are told so before their body is read.
#[derive(Debug)]
pub struct OwnSession(pub SignedIn);

impl<S: Send + Sync> FromRequestParts<S> for OwnSession {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, state).await?;
        let none = || {
            let text = "Only a session of the console can do this; a token has none.".to_owned();
            ApiError::Conflict(text)
        };
        caller.signed_in.map(Self).ok_or_else(none)
    }
}

/// The bearer token of a request. The scheme's name is case-insensitive (RFC 9110 section 11.1).
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Does the request carry an operator's token that is in force?
pub fn is_operator(shared: &Shared, headers: &HeaderMap) -> bool {
    let token = bearer(headers).and_then(|token| shared.directory.token(token));
    token.is_some_and(|token| token.role == TokenRole::Operator)
}

/// What the gate found out about a request that may go on, once its standing is looked at.
#[derive(Debug)]
pub(super) struct Passed {
    /// None where nobody needs to say who asks.
    pub(super) caller: Option<Caller>,
    /// What the account's standing, and perhaps the application's, must allow.
    needs: Option<(OperationClass, AccountId, Option<SdkAppId>)>,
}

impl Passed {
    /// Does the standing allow it? Operators are never refused by it here.
    ///
    /// # Errors
    /// [`ApiError::Suspended`] with every hold.
    pub(super) fn standing(&self, shared: &Shared) -> Result<(), ApiError> {
        let Some((class, account, app)) = &self.needs else { return Ok(()) };
        shared.allows(account, *app, *class).map_err(|refused| refusal::told(refused, None))
    }
}

/// Does a request with this method change nothing (RFC 9110 section 9.2.1)? All others may.
fn only_reads(method: &Method) -> bool {
    method == Method::GET || method == Method::HEAD
}

/// Who asks over TCP: a token, or else a session.
async fn caller(shared: &Shared, method: &Method, headers: &HeaderMap) -> Result<Caller, ApiError> {
    if let Some(token) = bearer(headers) {
        return shared.directory.token(token).map(Caller::from).ok_or(ApiError::Unauthorized);
    }
    let token = cookie::read(headers).ok_or(ApiError::Unauthorized)?;
    let own = signed_in(shared, token).await?.ok_or(ApiError::Unauthorized)?;
    if !only_reads(method) {
        let word = headers.get(CSRF_HEADER).and_then(|word| word.to_str().ok());
        if !word.is_some_and(|word| console_session::csrf_matches(token, word)) {
            return Err(ApiError::Csrf);
        }
    }
    Ok(Caller::from(own))
}

/// The row of a request in the table of gates.
fn gate_of(request: &Request) -> Gate {
    let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
    let path = request.extensions().get::<MatchedPath>();
    let template = path.and_then(|path| path.as_str().strip_prefix("/api/v1"));
    template.map_or(Gate::Operators, |path| gate(method.as_str(), path))
}

/// Who asks, and may they ask this at all?
///
/// # Errors
/// [`ApiError::Unauthorized`], [`ApiError::Csrf`], [`ApiError::Forbidden`], or [`ApiError::NotFound`] for what belongs
/// to others.
pub(super) async fn admit(shared: &Shared, request: &mut Request) -> Result<Passed, ApiError> {
    let gate = gate_of(request);
    if gate == Gate::Open {
        return Ok(Passed { caller: None, needs: None });
    }
    let caller = if request.extensions().get::<OverControlSocket>().is_some() {
        Caller::control()
    } else {
        caller(shared, request.method(), request.headers()).await?
    };
    request.extensions_mut().insert(caller.clone());
    if caller.read_only && gate != Gate::Own && !only_reads(request.method()) {
        let text = "You may only read here.".to_owned();
        return Err(ApiError::Forbidden(text));
    }
    if caller.is_operator() {
        return Ok(Passed { caller: Some(caller), needs: None });
    }
    let needs = match gate {
        Gate::Everybody | Gate::Own | Gate::Open => None,
        Gate::Operators => {
            let passed = |()| Passed { caller: Some(caller.clone()), needs: None };
            return caller.require_operator().map(passed);
        }
        Gate::Account(class) => {
            let account = AccountId::from_text(&parameter(request, "account").await?);
            caller.may_see(shared, &account).await?;
            Some((class, account, None))
        }
        Gate::App(class) => {
            let number = parameter(request, "sdk_app_id").await?;
            let none = || ApiError::NotFound(format!("application {number}"));
            let id = number.parse().map(SdkAppId).map_err(|_| none())?;
            let account = shared.directory.app(id).map(|app| app.app.account.clone());
            let account = account.ok_or_else(none)?;
            let hidden =
                |error| if matches!(error, ApiError::NotFound(_)) { none() } else { error };
            caller.may_see(shared, &account).await.map_err(hidden)?;
            Some((class, account, Some(id)))
        }
    };
    Ok(Passed { caller: Some(caller), needs })
}

/// A parameter of the request's path.
async fn parameter(request: &mut Request, name: &str) -> Result<String, ApiError> {
    let (mut parts, body) = std::mem::take(request).into_parts();
    let params = RawPathParams::from_request_parts(&mut parts, &()).await;
    *request = Request::from_parts(parts, body);
    let params = params.map_err(|error| ApiError::Invalid(format!("path: {error}")))?;
    let found = params.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned());
    found.ok_or(ApiError::Internal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bearer_tokens() {
        let rows = [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("Basic abc", None),
            ("abc", None),
        ];
        for (value, expected) in rows {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            assert_eq!(bearer(&headers), expected, "{value}");
        }
    }
}
