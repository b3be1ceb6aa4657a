//! People who sign in to the console, and their sessions, as values.

use fermata_types::ConsoleUserId;
use jiff::Timestamp;

use crate::TokenRole;

/// Somebody who signs in to the console with a name and a password.
#[derive(Clone, PartialEq, Eq)]
pub struct ConsoleUser {
    /// Its id (safe to show).
    pub id: ConsoleUserId,
    /// What is typed to sign in, 1 to 128 characters; no other user's, whatever the case of letters.
    pub name: String,
    /// Argon2id hash of the password, a PHC string.
    pub password_hash: String,
    /// For whom it speaks.
    pub role: TokenRole,
    /// It may look at things, and change nothing but its own password and one-time codes.
    pub read_only: bool,
    /// One-time codes, if they were begun.
    pub totp: Option<ConsoleTotp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it got its present password.
    pub password_changed_at: Timestamp,
    /// When it was disabled, if it is.
    pub disabled_at: Option<Timestamp>,
}

impl std::fmt::Debug for ConsoleUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConsoleUser")
            .field("id", &self.id)
            .field("name", &self.name)
            .field("role", &self.role)
            .field("read_only", &self.read_only)
            .field("disabled_at", &self.disabled_at)
            .finish_non_exhaustive()
    }
}

/// One-time codes of a user (TOTP, RFC 6238).
#[derive(Clone, PartialEq, Eq)]
pub struct ConsoleTotp {
    /// The secret that codes are made of, 1 to 64 bytes. Sealed at rest.
    pub secret: Vec<u8>,
    /// The step of the last code that was taken. Until there is one, codes are not asked for.
    pub last_step: Option<u64>,
}

impl std::fmt::Debug for ConsoleTotp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConsoleTotp").field("last_step", &self.last_step).finish_non_exhaustive()
    }
}

/// Changes to a user; absent fields stay.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ConsoleUserChange {
    /// The hash of a new password, and when it was set. All sessions end, but for [`Self::keep_session`].
    pub password: Option<(String, Timestamp)>,
    /// May it only look?
    pub read_only: Option<bool>,
    /// Since when it is disabled (a repetition keeps the first time), whereupon all its sessions end; or that it is
    /// not.
    pub disabled: Option<Option<Timestamp>>,
    /// New one-time codes, or none any more.
    pub totp: Option<Option<ConsoleTotp>>,
    /// Hash of the token of a session that outlives a change of the password.
    pub keep_session: Option<[u8; 32]>,
}

impl std::fmt::Debug for ConsoleUserChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConsoleUserChange")
            .field("password_at", &self.password.as_ref().map(|(_, at)| at))
            .field("read_only", &self.read_only)
            .field("disabled", &self.disabled)
            .field("totp", &self.totp)
            .finish_non_exhaustive()
    }
}

/// A session of a user. Only the hash of its token is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleSession {
    /// SHA-256 of the token's text.
    pub hash: [u8; 32],
    /// Whose.
    pub user: ConsoleUserId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
}
