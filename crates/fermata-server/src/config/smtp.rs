//! The URL of the mail server, whose password is never shown.

use std::str::FromStr;

use lettre::transport::smtp::client::{Tls, TlsParameters};
use url::Url;

/// How a connection to the mail server is secured.
pub type TlsMode = fn(TlsParameters) -> Tls;

/// URL of a mail server: `smtps://user:password@host:465`, `smtp://host?tls=required`, `smtp://host`.
#[derive(Clone, PartialEq, Eq)]
pub struct SmtpUrl {
    text: String,
    url: Url,
}

impl SmtpUrl {
    /// The whole URL, with its password.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Name or address of the server.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// How the connection is secured; none: it is not.
    pub fn tls(&self) -> Option<TlsMode> {
        match (self.url.scheme(), self.tls_word().as_deref()) {
            ("smtps", _) => Some(Tls::Wrapper),
            (_, Some("required")) => Some(Tls::Required),
            (_, Some("opportunistic")) => Some(Tls::Opportunistic),
            _ => None,
        }
    }

    fn tls_word(&self) -> Option<String> {
        self.url.query_pairs().find(|(key, _)| key == "tls").map(|(_, word)| word.into_owned())
    }

    /// The URL without its password.
    pub fn shown(&self) -> String {
        let mut url = self.url.clone();
        if url.password().is_some() && url.set_password(Some("***")).is_err() {
            return HIDDEN.to_owned();
        }
        url.to_string()
    }
}

/// In place of a value that may hold a password and cannot be read.
const HIDDEN: &str = "(not shown)";

/// A value of this kind without its password, readable or not.
pub(super) fn shown(text: &str) -> String {
    match text.parse::<SmtpUrl>() {
        Ok(url) => url.shown(),
        Err(()) if text.is_empty() => String::new(),
        Err(()) => HIDDEN.to_owned(),
    }
}

impl std::fmt::Debug for SmtpUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SmtpUrl").field(&self.shown()).finish()
    }
}

impl FromStr for SmtpUrl {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let url = Url::parse(text).map_err(|_| ())?;
        let read = Self { text: text.to_owned(), url };
        let known = matches!(
            (read.url.scheme(), read.tls_word().as_deref()),
            ("smtps", None) | ("smtp", None | Some("required" | "opportunistic"))
        );
        let credentials = read.url.username().is_empty() == read.url.password().is_none();
        if known && credentials && !read.host().is_empty() { Ok(read) } else { Err(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_mail_servers_are_read_and_their_passwords_hidden() {
        for (text, secured, expected) in [
            ("smtps://ann:pa%20ss@mail.example:465", true, "smtps://ann:***@mail.example:465"),
            ("smtp://mail.example?tls=required", true, "smtp://mail.example?tls=required"),
            (
                "smtp://mail.example:25?tls=opportunistic",
                true,
                "smtp://mail.example:25?tls=opportunistic",
            ),
            ("smtp://127.0.0.1:2525", false, "smtp://127.0.0.1:2525"),
        ] {
            let url: SmtpUrl = text.parse().unwrap();
            assert_eq!(url.tls().is_some(), secured, "{text}");
            assert_eq!(shown(text), expected);
            assert!(!format!("{url:?}").contains("pa%20ss"));
        }
        for wrong in [
            "",
            "mail.example",
            "http://mail.example",
            "smtp://",
            "smtp://mail.example?tls=maybe",
            "smtps://mail.example?tls=required",
            "smtps://ann@mail.example",
            "smtps://:secret@mail.example",
        ] {
            assert_eq!(wrong.parse::<SmtpUrl>(), Err(()), "{wrong}");
            assert!(!shown(wrong).contains("secret"));
        }
    }
}
