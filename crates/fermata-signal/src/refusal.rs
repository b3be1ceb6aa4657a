//! A refusal as an HTTP answer: plain text that SDKs show as it is, or JSON where the client asks for it.
//! The same on WebSocket upgrades and on validate endpoints.

use fermata_types::Refusal;
use serde_json::json;

/// Status, type and body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusalBody {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

impl RefusalBody {
    /// `code: sentence`, one reason after the other, and the detail.
    pub fn text(refusal: &Refusal) -> Self {
        let content_type = "text/plain; charset=utf-8";
        Self { status: refusal.status(), content_type, body: refusal.to_string() }
    }

    /// `{"code", "message", "detail", "reasons": [{"code", "message"}]}`; `code` and `message` are of the deciding reason.
    pub fn json(refusal: &Refusal) -> Self {
        let reasons: Vec<_> = refusal
            .reasons()
            .iter()
            .map(|reason| json!({ "code": reason.code(), "message": reason.sentence() }))
            .collect();
        let body = json!({
            "code": refusal.reason().code(),
            "message": refusal.reason().sentence(),
            "detail": refusal.detail(),
            "reasons": reasons,
        });
        Self { status: refusal.status(), content_type: "application/json", body: body.to_string() }
    }

    /// The form that an `Accept` header asks for: JSON only if it names `application/json`.
    pub fn for_accept(refusal: &Refusal, accept: Option<&str>) -> Self {
        let wants_json = accept.is_some_and(|accept| {
            accept.split(',').any(|range| {
                let kind = range.split(';').next().unwrap_or_default().trim();
                kind.eq_ignore_ascii_case("application/json")
            })
        });
        if wants_json { Self::json(refusal) } else { Self::text(refusal) }
    }
}

#[cfg(test)]
mod tests {
    use fermata_types::Reason;

    use super::*;

    #[test]
    fn the_form_follows_accept() {
        let refusal = Refusal::with_detail(Reason::RoomFull, "it has 300");
        let rows = [
            (None, false),
            (Some("*/*"), false),
            (Some("text/html, */*;q=0.1"), false),
            (Some("application/json"), true),
            (Some("text/plain;q=0.5, Application/JSON;q=0.9"), true),
        ];
        for (accept, json) in rows {
            let body = RefusalBody::for_accept(&refusal, accept);
            assert_eq!(body.content_type == "application/json", json, "{accept:?}");
            assert_eq!(body.status, 403);
        }
        assert_eq!(
            RefusalBody::text(&refusal).body,
            "room_full: The room has as many users as it may have. (it has 300)"
        );
        let json: serde_json::Value =
            serde_json::from_str(&RefusalBody::json(&refusal).body).unwrap();
        assert_eq!(json["code"], "room_full");
        assert_eq!(json["reasons"][0]["code"], "room_full");
        assert_eq!(json["detail"], "it has 300");
    }
}
