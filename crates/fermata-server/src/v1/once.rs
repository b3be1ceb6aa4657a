//! `Idempotency-Key`: the same POST twice happens once and is answered twice, byte for byte.
//!
//! Two layers. The books keep the key with the effect in one transaction, so that not even a crash in between
//! makes it happen twice; and the whole answer is kept here, so that the second is the first, secrets included.
//! Refusals are not kept: what was refused may be tried again with the same key.
//! What it is not: for ever. Keys are forgotten after seven days, and beyond ten thousand of one token or user.
//! Nor is it for signing in: each time begins a session of its own.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use fermata_store::Once;
use fermata_types::Now;
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedMutexGuard;

use super::auth::{Passed, admit};
use super::error::ApiError;
use crate::limits::{IDEMPOTENCY_KEY_LEN_MAX, IDEMPOTENT_BODY_BYTES_MAX};
use crate::metrics::Metric;
use crate::server::Shared;

/// Name of the header.
const KEY: &str = "idempotency-key";

/// The key of a call that is to happen once, if it came with one. An extractor.
#[derive(Debug, Clone, Default)]
pub struct OnlyOnce(pub Option<Once>);

impl<S: Send + Sync> FromRequestParts<S> for OnlyOnce {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_default())
    }
}

type Locks = HashMap<(String, String), Arc<tokio::sync::Mutex<()>>>;

/// Keys of calls that are under way: the second call with one waits for the first. As many as there are requests.
#[derive(Debug, Clone, Default)]
pub(super) struct UnderWay(Arc<Mutex<Locks>>);

/// Held while a call with a key is under way.
struct Turn {
    all: UnderWay,
    of: (String, String),
    held: Option<OwnedMutexGuard<()>>,
}

impl UnderWay {
    async fn turn(&self, once: &Once) -> Turn {
        let of = (once.scope.clone(), once.key.clone());
        let lock = {
            let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            locks.entry(of.clone()).or_default().clone()
        };
        let mut turn = Turn { all: self.clone(), of, held: None };
        turn.held = Some(lock.lock_owned().await);
        turn
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut locks = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        self.held = None;
        // The one that is left is the map's: nobody holds it or waits for it.
        if locks.get(&self.of).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            locks.remove(&self.of);
        }
    }
}

/// An answer as it is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    status: u16,
    content_type: Option<String>,
    body: String,
}

impl Kept {
    fn into_response(self) -> Result<Response, ApiError> {
        let status = StatusCode::from_u16(self.status).map_err(|_| ApiError::Internal)?;
        let mut response = (status, self.body).into_response();
        response.headers_mut().remove(header::CONTENT_TYPE);
        if let Some(kind) = self.content_type.and_then(|kind| HeaderValue::from_str(&kind).ok()) {
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
        }
        Ok(response)
    }
}

/// Middleware of the whole API: the gate, then the key if there is one, then the call.
pub(super) async fn guarded(
    State((shared, under_way)): State<(Shared, UnderWay)>,
    mut request: Request,
    next: Next,
) -> Response {
    let passed = match admit(&shared, &mut request).await {
        Ok(passed) => passed,
        Err(error) => {
            if matches!(error, ApiError::Unauthorized) {
                shared.metrics.add(Metric::ApiUnauthorized, 1);
            }
            return error.into_response();
        }
    };
    // Where nobody says who asks, nobody's key can be told from another's.
    let scope = passed.caller.as_ref().map(|caller| caller.token.to_string());
    let answer = match key(&request).map(|key| scope.zip(key)) {
        Ok(None) => match passed.standing(&shared) {
            Ok(()) => Ok(next.run(request).await),
            Err(error) => Err(error),
        },
        Ok(Some(scoped)) => once(&shared, &under_way, &passed, scoped, request, next).await,
        Err(error) => Err(error),
    };
    answer.unwrap_or_else(ApiError::into_response)
}

/// The key that a POST came with.
fn key(request: &Request) -> Result<Option<String>, ApiError> {
    if request.method() != Method::POST {
        return Ok(None);
    }
    let mut values = request.headers().get_all(KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let visible = |text: &&str| {
        (1..=IDEMPOTENCY_KEY_LEN_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let text = value.to_str().ok().filter(visible).filter(|_| values.next().is_none());
    text.map(|text| Some(text.to_owned())).ok_or_else(|| {
        ApiError::Invalid(format!(
            "Idempotency-Key: it takes one text of 1 to {IDEMPOTENCY_KEY_LEN_MAX} visible ASCII characters"
        ))
    })
}

/// Answers a call as it was answered before, or makes it and keeps the answer.
async fn once(
    shared: &Shared,
    under_way: &UnderWay,
    passed: &Passed,
    (scope, key): (String, String),
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let (mut parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, IDEMPOTENT_BODY_BYTES_MAX).await;
    let body = body.map_err(|_| ApiError::TooLarge)?;
    let once = Once { scope, key, request_hash: request_hash(&parts, &body) };
    let _turn = under_way.turn(&once).await;
    if let Some(kept) = shared.store.kept_answer(once.clone()).await? {
        let kept: Kept = serde_json::from_slice(&kept).map_err(|_| ApiError::Internal)?;
        return kept.into_response();
    }
    passed.standing(shared)?;
    parts.extensions.insert(OnlyOnce(Some(once.clone())));
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    if !response.status().is_success() {
        return Ok(response);
    }
    keep(shared, once, response).await
}

/// The hash of method, path with query, and body; each is preceded by its length, so that nothing runs together.
fn request_hash(parts: &Parts, body: &Bytes) -> [u8; 32] {
    let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
    let mut hash = digest::Context::new(&digest::SHA256);
    for part in [parts.method.as_str().as_bytes(), path.as_bytes(), body] {
        hash.update(&part.len().to_be_bytes());
        hash.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(hash.finish().as_ref());
    out
}

/// Keeps the answer. The call is done: if it cannot be kept, that is only told to the log.
async fn keep(shared: &Shared, once: Once, response: Response) -> Result<Response, ApiError> {
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.map_err(|_| ApiError::Internal)?;
    let kept = Kept {
        status: parts.status.as_u16(),
        content_type: content_type(&parts.headers),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    let kept = serde_json::to_vec(&kept).map_err(|_| ApiError::Internal)?;
    if let Err(error) = shared.store.keep_answer(once, kept, Now::read().wall).await {
        tracing::error!(%error, "The answer to a call with an idempotency key could not be kept.");
    }
    Ok(Response::from_parts(parts, Body::from(body)))
}

fn content_type(headers: &HeaderMap) -> Option<String> {
    headers.get(header::CONTENT_TYPE)?.to_str().ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, path: &str, keys: &[&str]) -> Request {
        let mut builder = Request::builder().method(method).uri(path);
        for key in keys {
            builder = builder.header(KEY, *key);
        }
        builder.body(Body::empty()).unwrap()
    }

    /// Method, keys of the request, and what is found: nothing if they are refused.
    type Row<'a> = (&'a str, &'a [&'a str], Option<Option<&'a str>>);

    #[test]
    fn keys_are_visible_and_only_of_posts() {
        let longest = "x".repeat(IDEMPOTENCY_KEY_LEN_MAX);
        let longer = "x".repeat(IDEMPOTENCY_KEY_LEN_MAX + 1);
        let rows: [Row<'_>; 8] = [
            ("POST", &[], Some(None)),
            ("POST", &["a-1"], Some(Some("a-1"))),
            ("POST", &[&longest], Some(Some(&longest))),
            ("GET", &["a-1"], Some(None)),
            ("POST", &[""], None),
            ("POST", &["a b"], None),
            ("POST", &[&longer], None),
            ("POST", &["a", "b"], None),
        ];
        for (method, keys, expected) in rows {
            let found = key(&request(method, "/", keys)).ok();
            assert_eq!(found.as_ref().map(Option::as_deref), expected, "{method} {keys:?}");
        }
    }

    #[test]
    fn p12_the_hash_tells_requests_apart() {
        let hash = |method: &str, path: &str, body: &'static str| {
            request_hash(&request(method, path, &[]).into_parts().0, &Bytes::from(body))
        };
        let first = hash("POST", "/a", "b");
        assert_eq!(first, hash("POST", "/a", "b"));
        for other in [hash("PUT", "/a", "b"), hash("POST", "/ab", ""), hash("POST", "/a?b", "b")] {
            assert_ne!(first, other);
        }
    }

    #[tokio::test]
    async fn turns_are_forgotten_when_nobody_waits() {
        let all = UnderWay::default();
        let once = Once { scope: "s".into(), key: "k".into(), request_hash: [0; 32] };
        let first = all.turn(&once).await;
        let second = tokio::spawn({
            let (all, once) = (all.clone(), once.clone());
            async move { drop(all.turn(&once).await) }
        });
        tokio::task::yield_now().await;
        assert!(!second.is_finished());
        drop(first);
        second.await.unwrap();
        assert!(all.0.lock().unwrap().is_empty());
    }
}
