//! The JSON around every answer. Errors are answers too: their HTTP status is 200.

use serde_json::{Value, json};

use crate::code::{ApiError, Language};

/// A success: the fields of `answer` (an object; anything else counts as empty) and the request's id.
pub fn ok(answer: Value, request_id: &str) -> String {
    let mut fields = match answer {
        Value::Object(fields) => fields,
        _ => serde_json::Map::new(),
    };
    fields.insert("RequestId".to_owned(), Value::from(request_id));
    json!({ "Response": fields }).to_string()
}

/// A failure by code and message.
pub fn error(code: &str, message: &str, request_id: &str) -> String {
    json!({
        "Response": {
            "Error": { "Code": code, "Message": message },
            "RequestId": request_id,
        }
    })
    .to_string()
}

/// A failure of this crate, its message in a language.
pub fn failure(error: &ApiError, language: Language, request_id: &str) -> String {
    self::error(error.code.as_str(), &error.message_in(language), request_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_carry_the_id_of_the_request() {
        assert_eq!(ok(json!({"A": 1}), "r"), r#"{"Response":{"A":1,"RequestId":"r"}}"#);
        assert_eq!(ok(Value::Null, "r"), r#"{"Response":{"RequestId":"r"}}"#);
        assert_eq!(
            error("A.B", "it \"broke\"", "r"),
            r#"{"Response":{"Error":{"Code":"A.B","Message":"it \"broke\""},"RequestId":"r"}}"#
        );
    }
}
