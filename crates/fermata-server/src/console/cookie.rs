//! The cookie that carries a session's token (RFC 6265).
//!
//! Pages cannot read it (`HttpOnly`), other sites' requests do not carry it (`SameSite=Strict`), and where the request
//! came over https it never leaves over http (`Secure`).

use axum::http::{HeaderMap, header};

use crate::limits::CONSOLE_SESSION_LIFETIME;

/// Its name.
pub const NAME: &str = "fermata_session";

/// The token in the first cookie with our name.
pub fn read(headers: &HeaderMap) -> Option<&str> {
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs =
        values.flat_map(|value| value.split(';')).filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| name.trim() == NAME).map(|(_, token)| token.trim())
}

/// The value of `Set-Cookie` that gives a browser its token, for as long as a session lasts.
pub fn set(token: &str, secure: bool) -> String {
    with(token, CONSOLE_SESSION_LIFETIME.as_secs(), secure)
}

/// The value of `Set-Cookie` that takes it away.
pub fn clear(secure: bool) -> String {
    with("", 0, secure)
}

fn with(token: &str, age_s: i64, secure: bool) -> String {
    let secure = if secure { "; Secure" } else { "" };
    format!("{NAME}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age_s}{secure}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_found_among_others() {
        let rows: [(&[&str], Option<&str>); 7] = [
            (&["fermata_session=abc"], Some("abc")),
            (&["a=b; fermata_session=abc; c=d"], Some("abc")),
            (&["a=b", "fermata_session=abc"], Some("abc")),
            (&["fermata_session=one; fermata_session=two"], Some("one")),
            (&["xfermata_session=abc", "fermata_sessionx=abc"], None),
            (&["fermata_session"], None),
            (&[], None),
        ];
        for (values, expected) in rows {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::COOKIE, value.parse().unwrap());
            }
            assert_eq!(read(&headers), expected, "{values:?}");
        }
    }

    #[test]
    fn what_browsers_are_told() {
        let plain = "fermata_session=abc; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200";
        assert_eq!(set("abc", false), plain);
        assert_eq!(set("abc", true), format!("{plain}; Secure"));
        assert_eq!(clear(false), "fermata_session=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    }
}
