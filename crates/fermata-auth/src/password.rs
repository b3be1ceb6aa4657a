//! Passwords of people: the rule for new ones, their hashes (Argon2id, RFC 9106), and whether one fits.
//!
//! A hash is a PHC string, which carries its parameters and its salt, so that old hashes are still read when the
//! parameters of new ones rise. Passwords are taken as they are typed: nothing is cut off, trimmed or normalised.
//! What it is not: it makes no salt (the caller gives random bytes) and counts no attempts. Each call takes 19 MiB and
//! tens of milliseconds of a processor; keep it off threads that others wait for.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};

use crate::limits::{
    ARGON2_LANES, ARGON2_MEMORY_KIB, ARGON2_PASSES, PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN,
};

/// Bytes of a salt (RFC 9106 section 3.1).
pub const SALT_LEN: usize = 16;

/// Why a password was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// It is too short or too long.
    #[error("it has {chars} characters; {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} are allowed")]
    Length {
        /// Its characters.
        chars: usize,
    },
    /// There is no memory to hash it.
    #[error("it could not be hashed")]
    Failed,
}

/// May this be a new password? Its length is all that is asked (NIST SP 800-63B section 3.1.1).
///
/// # Errors
/// [`PasswordError::Length`].
pub fn check(password: &str) -> Result<(), PasswordError> {
    let chars = password.chars().count();
    if (PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&chars) {
        return Ok(());
    }
    Err(PasswordError::Length { chars })
}

/// The hash of a new password, a PHC string. The salt is random, and another one for each password.
///
/// # Errors
/// [`PasswordError`].
pub fn hash(password: &str, salt: [u8; SALT_LEN]) -> Result<String, PasswordError> {
    check(password)?;
    let params = Params::new(ARGON2_MEMORY_KIB, ARGON2_PASSES, ARGON2_LANES, None);
    let params = params.map_err(|_| PasswordError::Failed)?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash = argon2.hash_password_with_salt(password.as_bytes(), &salt);
    hash.map(|hash| hash.to_string()).map_err(|_| PasswordError::Failed)
}

/// Is it the password with this hash? Compared in constant time. A text that is no hash fits none.
pub fn verify(password: &str, hash: &str) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else { return false };
    Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
}

/// A hash that no known password has, and that takes as long to compare with as any: for names that nobody has, so
/// that the time of an answer does not tell them from others.
pub fn dummy() -> String {
    // 16 bytes of salt and 32 of hash, all zero, as base64 without padding.
    let (salt, output) = ("A".repeat(22), "A".repeat(43));
    format!(
        "$argon2id$v=19$m={ARGON2_MEMORY_KIB},t={ARGON2_PASSES},p={ARGON2_LANES}${salt}${output}"
    )
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::Error;

    use super::*;

    const PASSWORD: &str = "correct horse battery";

    #[test]
    fn only_the_length_of_a_password_matters() {
        let rows = [
            ("", false),
            ("elevenchars", false),
            ("twelve chars", true),
            ("ключ от дома", true),
            (&"x".repeat(256), true),
            (&"é".repeat(256), true),
            (&"x".repeat(257), false),
        ];
        for (password, fine) in rows {
            let chars = password.chars().count();
            let expected = if fine { Ok(()) } else { Err(PasswordError::Length { chars }) };
            assert_eq!(check(password), expected, "{password}");
        }
        assert_eq!(hash("short", [1; SALT_LEN]), Err(PasswordError::Length { chars: 5 }));
    }

    #[test]
    fn a_hash_fits_its_password_alone_and_says_how_it_was_made() {
        let made = hash(PASSWORD, [1; SALT_LEN]).unwrap();
        assert!(made.starts_with("$argon2id$v=19$m=19456,t=2,p=1$AQEBAQEB"), "{made}");
        assert!(verify(PASSWORD, &made));
        for wrong in ["", "Correct horse battery", "correct horse batter", " correct horse battery"]
        {
            assert!(!verify(wrong, &made), "{wrong}");
        }
        assert_ne!(made, hash(PASSWORD, [2; SALT_LEN]).unwrap(), "the salt is part of it");
        assert!(!verify(PASSWORD, "") && !verify(PASSWORD, PASSWORD));
    }

    #[test]
    fn hashes_of_other_parameters_and_other_programs_are_read() {
        // A vector of the reference implementation: `echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1`.
        let old = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        assert!(verify("password", old));
        assert!(!verify("passwore", old));
    }

    #[test]
    fn the_dummy_costs_what_a_hash_costs() {
        let dummy = dummy();
        let parsed = PasswordHash::new(&dummy).unwrap();
        let real = hash(PASSWORD, [1; SALT_LEN]).unwrap();
        let real = PasswordHash::new(&real).unwrap();
        assert_eq!(parsed.params, real.params);
        assert_eq!((parsed.algorithm, parsed.version), (real.algorithm, real.version));
        // Not an error of form: it was computed and compared.
        let found = Argon2::default().verify_password(PASSWORD.as_bytes(), &parsed);
        assert_eq!(found, Err(Error::PasswordInvalid));
    }
}
