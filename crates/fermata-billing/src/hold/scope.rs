//! What a hold is about. What it is not: which kinds may have which scope is in the hold table.

use std::fmt;

use fermata_types::SdkAppId;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// What one hold is about: the account with all its applications, or one application (A6).
///
/// In JSON the word `account`, or the number of the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// The account, and so every application and product line of it.
    Account,
    /// One application.
    App(SdkAppId),
}

/// What a hold of a kind may be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScopeKind {
    /// [`Scope::Account`].
    Account,
    /// [`Scope::App`].
    App,
}

impl ScopeKind {
    /// `account` or `app`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::App => "app",
        }
    }
}

impl Scope {
    /// Which of the two it is.
    pub const fn kind(self) -> ScopeKind {
        match self {
            Self::Account => ScopeKind::Account,
            Self::App(_) => ScopeKind::App,
        }
    }

    /// Whether a hold of this scope weighs on `app`.
    pub fn covers(self, app: SdkAppId) -> bool {
        match self {
            Self::Account => true,
            Self::App(own) => own == app,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account => f.write_str("account"),
            Self::App(app) => app.fmt(f),
        }
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Account => serializer.serialize_str("account"),
            Self::App(app) => serializer.serialize_u32(app.0),
        }
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScopeVisitor)
    }
}

struct ScopeVisitor;

impl de::Visitor<'_> for ScopeVisitor {
    type Value = Scope;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`account` or the number of an application")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Scope, E> {
        match text {
            "account" => Ok(Scope::Account),
            _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
        }
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Scope, E> {
        u32::try_from(number)
            .map(|number| Scope::App(SdkAppId(number)))
            .map_err(|_| E::invalid_value(de::Unexpected::Unsigned(number), &self))
    }
}
