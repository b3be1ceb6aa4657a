//! Bodies of calls: protobuf or proto3 JSON, the answer in the form of the question.
//!
//! JSON is taken in `camelCase` and `snake_case`, unknown fields are ignored; answers are in `camelCase` and leave
//! out what has its default value, as proto3 JSON says.

use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Call;
use super::code::{Code, TwirpError};

/// Form of question and answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    /// What a content type says; its parameters do not matter.
    pub(super) fn of(content_type: &str) -> Option<Self> {
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        if kind.eq_ignore_ascii_case("application/protobuf") {
            Some(Self::Protobuf)
        } else if kind.eq_ignore_ascii_case("application/json") {
            Some(Self::Json)
        } else {
            None
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/protobuf",
            Self::Json => "application/json",
        }
    }
}

impl Call<'_> {
    /// Reads the body.
    pub(super) fn read<Q: Message + Default + DeserializeOwned>(&self) -> Result<Q, TwirpError> {
        let malformed = |what: &str, error: String| {
            let text = format!("the {what} request could not be decoded: {error}");
            TwirpError::new(Code::Malformed, text)
        };
        match self.encoding {
            Encoding::Protobuf => {
                Q::decode(self.body).map_err(|error| malformed("protobuf", error.to_string()))
            }
            Encoding::Json => serde_json::from_slice(self.body)
                .map_err(|error| malformed("JSON", short(&error.to_string()).to_owned())),
        }
    }

    /// Writes the answer.
    pub(super) fn answer<A: Message + Serialize>(
        &self,
        answer: &A,
    ) -> Result<Response, TwirpError> {
        let body = match self.encoding {
            Encoding::Protobuf => answer.encode_to_vec(),
            Encoding::Json => serde_json::to_vec(answer).map_err(|error| {
                tracing::error!(%error, "An answer cannot be written as JSON.");
                TwirpError::new(Code::Internal, "the answer cannot be written as JSON")
            })?,
        };
        Ok(([(header::CONTENT_TYPE, self.encoding.content_type())], body).into_response())
    }
}

/// Enough of a text to recognise it in a message.
pub(super) fn short(text: &str) -> &str {
    text.get(..text.floor_char_boundary(120)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types() {
        let rows = [
            ("application/json", Some(Encoding::Json)),
            ("Application/JSON; charset=utf-8", Some(Encoding::Json)),
            ("application/protobuf", Some(Encoding::Protobuf)),
            (" application/protobuf ;x=y", Some(Encoding::Protobuf)),
            ("application/x-protobuf", None),
            ("text/json", None),
            ("", None),
        ];
        for (text, expected) in rows {
            assert_eq!(Encoding::of(text), expected, "{text:?}");
        }
    }
}
