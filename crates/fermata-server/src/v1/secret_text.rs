//! What somebody typed that nobody else may see: passwords and one-time codes in requests.

use serde::Deserialize;
use utoipa::ToSchema;

/// A secret that somebody typed. Its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct SecretText(pub String);

impl std::fmt::Debug for SecretText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretText")
    }
}

impl std::ops::Deref for SecretText {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_shows_itself() {
        let read: SecretText = serde_json::from_str("\"hush\"").unwrap();
        assert_eq!(&*read, "hush");
        assert!(!format!("{read:?} {:?}", Some(&read)).contains("hush"));
    }
}
