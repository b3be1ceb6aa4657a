//! Variables that begin with `FERMATA_` and that nobody reads: a misspelt one must not pass in silence.

use std::collections::BTreeMap;

use super::{ConfigError, KEYS};

/// Names that are not ours to refuse: of the tests and tools of this repository, whose children inherit them.
const TOOLS: &[&str] = &["FERMATA_BIN", "FERMATA_E2E_ARTIFACTS", "FERMATA_XTASK_RUN"];

/// The variable with the token of `fermata admin` and `fermata tour`: a credential, and so no key of a file.
const TOKEN: &str = "FERMATA_TOKEN";

/// The token of the environment, if there is one that is not empty.
pub fn token() -> Option<String> {
    std::env::vars_os()
        .find(|(name, _)| name == TOKEN)
        .and_then(|(_, value)| value.into_string().ok())
        .filter(|token| !token.is_empty())
}

/// Refuses the first variable that is neither a key's nor somebody else's.
///
/// # Errors
/// [`ConfigError::UnknownVariable`].
pub(super) fn check(variables: &BTreeMap<String, String>) -> Result<(), ConfigError> {
    for (name, value) in variables {
        if is_known(name) || is_foreign(name, value) {
            continue;
        }
        let (variable, nearest) = (name.clone(), nearest(name));
        return Err(ConfigError::UnknownVariable { variable, nearest });
    }
    Ok(())
}

fn is_known(name: &str) -> bool {
    [TOKEN, "FERMATA_CONFIG"].contains(&name) || KEYS.iter().any(|key| key.variable() == name)
}

/// Container platforms tell every container about a service named `fermata` by variables of these forms
/// (Kubernetes, "Discovering services"; Docker, legacy links).
fn is_foreign(name: &str, value: &str) -> bool {
    TOOLS.contains(&name)
        || name.starts_with("FERMATA_SERVICE_")
        || name.starts_with("FERMATA_PORT_")
        || (name == "FERMATA_PORT" && value.contains("://"))
}

/// The variable that takes the fewest changes to come to from `name`.
fn nearest(name: &str) -> String {
    let all = KEYS.iter().map(super::Key::variable).chain(["FERMATA_CONFIG".to_owned()]);
    all.min_by_key(|known| distance(name, known)).unwrap_or_default()
}

/// Levenshtein's distance, over the first characters of overlong names.
fn distance(a: &str, b: &str) -> usize {
    const CHARS_MAX: usize = 100;
    let b: Vec<char> = b.chars().take(CHARS_MAX).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (number, one) in a.chars().take(CHARS_MAX).enumerate() {
        let mut next = vec![number + 1];
        for (other, above) in b.iter().zip(row.windows(2)) {
            let &[diagonal, above] = above else { continue };
            let left = next.last().copied().unwrap_or(0);
            next.push((diagonal + usize::from(one != *other)).min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_variable_is_refused_and_the_nearest_named() {
        let check = |name: &str, value: &str| {
            let variables = [(name.to_owned(), value.to_owned())].into();
            check(&variables).map_err(|error| error.to_string())
        };
        for (name, nearest) in [
            ("FERMATA_HTTP_PROT", "FERMATA_HTTP_PORT"),
            ("FERMATA_UPD_PORT", "FERMATA_UDP_PORT"),
            ("FERMATA_DATADIR", "FERMATA_DATA_DIR"),
            ("FERMATA_CONFG", "FERMATA_CONFIG"),
            ("FERMATA_ROOM_MAX", "FERMATA_ROOMS_MAX"),
            ("FERMATA_http_port", "FERMATA_"),
            ("FERMATA_", "FERMATA_DEV"),
            ("FERMATA_PORT", "FERMATA_"),
        ] {
            let error = check(name, "7880").unwrap_err();
            assert!(error.starts_with(&format!("{name}: ")), "{error}");
            assert!(error.contains(&format!("did you mean {nearest}")), "{error}");
        }
        for key in KEYS {
            assert_eq!(check(&key.variable(), ""), Ok(()));
        }
        for (name, value) in [
            ("FERMATA_CONFIG", ""),
            ("FERMATA_BIN", "/x"),
            ("FERMATA_PORT", "tcp://10.0.0.1:7880"),
            ("FERMATA_PORT_7880_TCP_ADDR", "10.0.0.1"),
            ("FERMATA_SERVICE_HOST", "10.0.0.1"),
        ] {
            assert_eq!(check(name, value), Ok(()), "{name}");
        }
    }

    #[test]
    fn distances() {
        let rows =
            [("", "", 0), ("a", "", 1), ("", "ab", 2), ("abc", "acb", 2), ("kitten", "sitting", 3)];
        for (a, b, expected) in rows {
            assert_eq!(distance(a, b), expected, "{a:?} {b:?}");
            assert_eq!(distance(b, a), expected, "{b:?} {a:?}");
        }
    }
}
