//! Reading requests of the operator API: axum's extractors with our errors.
//!
//! The types read with them refuse unknown fields, so that a misspelt one is told and not ignored.

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Json, Path, Query, Request};
use axum::http::request::Parts;
use fermata_types::{RoomName, SdkAppId};
use serde::de::DeserializeOwned;

use super::error::ApiError;

/// The body, as JSON.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(JsonRejection::MissingJsonContentType(_)) => Err(ApiError::NotJson),
            Err(JsonRejection::BytesRejection(_)) => Err(ApiError::TooLarge),
            Err(error) => Err(ApiError::Invalid(format!("body: {}", describe(&error)))),
        }
    }
}

/// The body, as JSON, of a call that may come without one.
#[derive(Debug)]
pub struct MaybeBody<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for MaybeBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let rebuilt = Request::from_parts(parts.clone(), body);
        let bytes = axum::body::Bytes::from_request(rebuilt, state).await;
        let bytes = bytes.map_err(|_| ApiError::TooLarge)?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        let Body(body) =
            Body::from_request(Request::from_parts(parts, bytes.into()), state).await?;
        Ok(Self(body))
    }
}

/// The innermost cause says which field; the outer layers only say that JSON was read.
fn describe(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// The query.
#[derive(Debug)]
pub struct UrlQuery<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for UrlQuery<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        query
            .map(|Query(query)| Self(query))
            .map_err(|e| ApiError::Invalid(format!("query: {}", describe(&e))))
    }
}

/// Parameters of the path, percent-decoded.
#[derive(Debug)]
pub struct UrlPath<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for UrlPath<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::<T>::from_request_parts(parts, state).await;
        path.map(|Path(path)| Self(path))
            .map_err(|e| ApiError::Invalid(format!("path: {}", describe(&e))))
    }
}

/// The application number in a path.
pub(super) fn app_id(number: u32) -> Result<SdkAppId, ApiError> {
    if number == 0 {
        return Err(ApiError::Invalid(
            "sdk_app_id: it takes a number from 1 to 4294967295".to_owned(),
        ));
    }
    Ok(SdkAppId(number))
}

/// The room's name in a path or query.
pub(super) fn room_name(text: &str) -> Result<RoomName, ApiError> {
    RoomName::parse(text).map_err(|error| ApiError::Invalid(format!("room: {error}")))
}
