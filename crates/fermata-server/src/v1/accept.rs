//! Which form of an answer a request wants (`Accept`, RFC 9110 section 12.5.1), and which form a body has.

use axum::http::{HeaderMap, header};

/// A form that something can be read or written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// For programs.
    Json,
    /// For spreadsheets.
    Csv,
    /// For people and printers.
    Html,
    /// For files that an operator edits.
    Toml,
}

impl Kind {
    /// Type and subtype.
    const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv",
            Self::Html => "text/html",
            Self::Toml => "application/toml",
        }
    }

    /// What `Content-Type` says.
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Html => "text/html; charset=utf-8",
            Self::Toml => "application/toml; charset=utf-8",
        }
    }

    /// Does a media range such as `text/*` cover it? How exactly: 0 not at all, 3 by name.
    fn covered_by(self, range: &str) -> u8 {
        if range.eq_ignore_ascii_case(self.media_type()) {
            return 3;
        }
        let own = self.media_type().split('/').next().unwrap_or_default();
        match range.split_once('/') {
            Some(("*", "*")) => 1,
            Some((kind, "*")) if kind.eq_ignore_ascii_case(own) => 2,
            _ => 0,
        }
    }
}

/// The form of `offered` that the request likes best; the first of equals, and the first where it wants none of
/// them: an answer in another form is of more use than a refusal.
pub(super) fn preferred(headers: &HeaderMap, offered: &[Kind]) -> Kind {
    let ranges: Vec<_> = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(range)
        .collect();
    let weight = |kind: Kind| {
        // The most exact range decides (RFC 9110), not the one with the highest weight.
        let of = ranges.iter().map(|(range, weight)| (kind.covered_by(range), *weight));
        of.filter(|(exact, _)| *exact > 0).max_by_key(|(exact, _)| *exact).map_or(0, |(_, w)| w)
    };
    let first = offered.first().copied().unwrap_or(Kind::Json);
    let mut best = (first, weight(first));
    for kind in offered.iter().copied().skip(1) {
        let weight = weight(kind);
        if weight > best.1 {
            best = (kind, weight);
        }
    }
    best.0
}

/// Media range and weight in thousandths; none for what is neither.
fn range(text: &str) -> Option<(&str, u16)> {
    let mut parts = text.split(';').map(str::trim);
    let range = parts.next().filter(|range| !range.is_empty())?;
    let weight = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| thousandths(value.trim()))
    });
    Some((range, weight.unwrap_or(1_000)))
}

/// `0.5` as 500; what is no weight weighs nothing.
fn thousandths(text: &str) -> u16 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !matches!(whole, "0" | "1") {
        return 0;
    }
    format!("{whole}{fraction:0<3}").parse().unwrap_or(0).min(1_000)
}

/// Does the body say that it is TOML?
pub(super) fn is_toml(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = value.and_then(|value| value.split(';').next()).map(str::trim);
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case(Kind::Toml.media_type()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_a_request_likes_best_is_found() {
        use Kind::{Csv, Html, Json, Toml};
        let offered = &[Json, Csv, Html];
        let rows = [
            (None, Json),
            (Some(""), Json),
            (Some("*/*"), Json),
            (Some("application/json"), Json),
            (Some("text/csv"), Csv),
            (Some("TEXT/CSV; charset=utf-8"), Csv),
            (Some("text/html"), Html),
            (Some("text/*"), Csv),
            (Some("text/*, text/csv;q=0.1"), Html),
            (Some("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"), Html),
            (Some("application/json;q=0.2, text/csv;q=0.9"), Csv),
            (Some("application/json;q=0.9, text/csv;q=0.9"), Json),
            (Some("text/csv;q=0"), Json),
            (Some("text/csv;q=nonsense, text/html;q=0.001"), Html),
            (Some("application/pdf"), Json),
            (Some(",,;;q"), Json),
        ];
        for (accept, expected) in rows {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(header::ACCEPT, accept.parse().unwrap());
            }
            assert_eq!(preferred(&headers, offered), expected, "{accept:?}");
        }
        let mut headers = HeaderMap::new();
        headers.append(header::ACCEPT, "text/html".parse().unwrap());
        headers.append(header::ACCEPT, "application/toml".parse().unwrap());
        assert_eq!(preferred(&headers, &[Json, Toml]), Toml);
    }

    #[test]
    fn toml_is_told_by_its_name() {
        for (value, expected) in [
            ("application/toml", true),
            ("Application/TOML; charset=utf-8", true),
            ("application/json", false),
            ("text/plain", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, value.parse().unwrap());
            assert_eq!(is_toml(&headers), expected, "{value}");
        }
        assert!(!is_toml(&HeaderMap::new()));
    }
}
