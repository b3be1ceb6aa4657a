//! `LiveKit`'s server APIs: Twirp over `POST /twirp/livekit.<Service>/<Method>`, protobuf or JSON.
//!
//! A call goes through the same steps whatever it asks for: route, content type, token, body, grant, standing.
//! The table of [`method`] says which grant and which class of operation belongs to each method; what is not built
//! answers `unimplemented`. Calls about live rooms become commands of the media plane.
//! What it is not: no rule of rooms or of the policy stands here.

mod caller;
mod code;
mod dispatches;
pub mod method;
mod rooms;
mod wire;

use axum::Router;
use axum::body::{HttpBody as _, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method as Verb, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;

use caller::Caller;
use code::{Code, TwirpError};
use method::{Built, Method};
use tokio::sync::{Semaphore, SemaphorePermit};
use wire::Encoding;

use crate::limits::{SERVER_API_SMALL_BODY_BYTES, TWIRP_BODY_BYTES_MAX, TWIRP_LARGE_BODIES_MAX};
use crate::metrics::Metric;
use crate::server::Shared;

/// What it remembers between calls: how many large ones are going on.
#[derive(Debug)]
pub struct Twirp {
    large_bodies: Semaphore,
}

impl Default for Twirp {
    fn default() -> Self {
        Self { large_bodies: Semaphore::new(TWIRP_LARGE_BODIES_MAX) }
    }
}

impl Twirp {
    /// Room for a large body, if there is some.
    fn large_body(&self) -> Option<SemaphorePermit<'_>> {
        self.large_bodies.try_acquire().ok()
    }
}

/// Its routes.
pub fn router() -> Router<Shared> {
    Router::new().route("/twirp/{*method}", any(serve)).layer(crate::http::cors())
}

/// One call on its way.
pub(crate) struct Call<'a> {
    shared: &'a Shared,
    caller: Caller,
    method: &'static Method,
    encoding: Encoding,
    body: &'a [u8],
}

async fn serve(State(shared): State<Shared>, request: Request) -> Response {
    match answer(&shared, request).await {
        Ok(response) => response,
        Err(error) => {
            shared.metrics.add(Metric::TwirpErrors, 1);
            tracing::debug!(code = error.code.as_str(), error = error.message, "Refused a call.");
            error.into_response()
        }
    }
}

async fn answer(shared: &Shared, request: Request) -> Result<Response, TwirpError> {
    let (parts, body) = request.into_parts();
    let bad_route = |text: String| TwirpError::new(Code::BadRoute, text);
    if parts.method != Verb::POST {
        let text = format!("unsupported method {} (only POST is allowed)", parts.method);
        return Err(bad_route(text));
    }
    let path = parts.uri.path();
    let method = Method::of_path(path)
        .ok_or_else(|| bad_route(format!("there is no method at path {:?}", wire::short(path))))?;
    let content_type = parts.headers.get(header::CONTENT_TYPE);
    let content_type = content_type.map(|value| value.to_str().unwrap_or_default());
    let encoding = Encoding::of(content_type.unwrap_or_default()).ok_or_else(|| {
        bad_route(format!(
            "unexpected Content-Type {:?}: application/protobuf or application/json is needed",
            wire::short(content_type.unwrap_or_default())
        ))
    })?;
    // Whoever shows no token does not get to send ten megabytes.
    let caller = Caller::read(shared, &parts.headers)?;
    if let Built::No(why) = method.built {
        return Err(TwirpError::new(Code::Unimplemented, why));
    }
    caller.could(method.grant)?;
    let declared = parts.headers.get(header::CONTENT_LENGTH);
    let declared = declared.and_then(|len| len.to_str().ok()?.parse::<u64>().ok());
    // Kept to the end: what a large body is read into is larger still.
    let _room = match declared.or_else(|| body.size_hint().upper()) {
        Some(bytes) if bytes <= SERVER_API_SMALL_BODY_BYTES => None,
        _ => Some(shared.twirp.large_body().ok_or_else(|| {
            let text = "the server carries out too many large calls now; try again in a second";
            TwirpError::new(Code::ResourceExhausted, text)
        })?),
    };
    let body = to_bytes(body, TWIRP_BODY_BYTES_MAX).await.map_err(|_| {
        let text =
            format!("the body cannot be read, or is larger than {TWIRP_BODY_BYTES_MAX} bytes");
        TwirpError::new(Code::Malformed, text)
    })?;
    let call = Call { shared, caller, method, encoding, body: &body };
    match method.built {
        Built::Rooms => rooms::call(&call).await,
        Built::Dispatches => dispatches::call(&call).await,
        Built::No(why) => Err(TwirpError::new(Code::Unimplemented, why)),
    }
}
