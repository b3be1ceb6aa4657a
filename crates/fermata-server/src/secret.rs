//! Making secrets, from the system's cryptographic generator.

use aws_lc_rs::rand as crypto_rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Shortest secret that is accepted outside of development mode, bytes.
pub const SECRET_BYTES_MIN: usize = 32;

/// The system's random source failed; nothing secret can be made.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the system's random source failed")]
pub struct NoRandomness;

fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    crypto_rand::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

/// A new operator token.
///
/// # Errors
/// [`NoRandomness`].
pub fn operator_token() -> Result<String, NoRandomness> {
    Ok(fermata_auth::api_token::generate(random()?))
}

/// A new token of a console session.
///
/// # Errors
/// [`NoRandomness`].
pub fn console_session() -> Result<String, NoRandomness> {
    Ok(fermata_auth::console_session::generate(random()?))
}

/// A new salt of a password.
///
/// # Errors
/// [`NoRandomness`].
pub fn password_salt() -> Result<[u8; fermata_auth::password::SALT_LEN], NoRandomness> {
    random()
}

/// A new secret of one-time codes.
///
/// # Errors
/// [`NoRandomness`].
pub fn totp_secret() -> Result<[u8; fermata_auth::totp::SECRET_LEN], NoRandomness> {
    random()
}

/// A new secret of a `LiveKit` key pair: 256 random bits, 43 characters.
///
/// # Errors
/// [`NoRandomness`].
pub fn api_secret() -> Result<String, NoRandomness> {
    Ok(URL_SAFE_NO_PAD.encode(random::<32>()?))
}

/// A new public name of a `LiveKit` key pair: `API` and about 72 random bits.
///
/// # Errors
/// [`NoRandomness`].
pub fn api_key() -> Result<String, NoRandomness> {
    let text = URL_SAFE_NO_PAD.encode(random::<9>()?);
    Ok(format!("API{}", text.replace(['-', '_'], "x")))
}

/// Letters and digits, each as likely as the others.
fn alphanumeric<const N: usize>() -> Result<String, NoRandomness> {
    const SIGNS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut text = String::with_capacity(N);
    while text.len() < N {
        // Bytes above the last multiple of 62 are thrown away, or the first letters came more often.
        let fair = random::<64>()?.into_iter().filter(|byte| *byte < 248);
        let signs = fair.filter_map(|byte| SIGNS.get(usize::from(byte) % SIGNS.len()));
        text.extend(signs.take(N - text.len()).map(|sign| char::from(*sign)));
    }
    Ok(text)
}

/// A new public name of a secret pair of the server APIs, in the vendor's form: `AKID` and 28 letters and digits.
///
/// # Errors
/// [`NoRandomness`].
pub fn secret_id() -> Result<String, NoRandomness> {
    Ok(format!("AKID{}", alphanumeric::<28>()?))
}

/// A new key of a secret pair of the server APIs: 43 letters and digits, 256 random bits.
///
/// # Errors
/// [`NoRandomness`].
pub fn secret_key() -> Result<String, NoRandomness> {
    alphanumeric::<43>()
}

/// A new `UserSig` secret in the vendor's form: 64 hexadecimal digits.
///
/// # Errors
/// [`NoRandomness`].
pub fn usersig_key() -> Result<String, NoRandomness> {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or('0');
    Ok(random::<32>()?.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_long_enough_and_differ() {
        assert!(api_secret().unwrap().len() >= SECRET_BYTES_MIN);
        assert_eq!(usersig_key().unwrap().len(), 64);
        assert_ne!(operator_token().unwrap(), operator_token().unwrap());
        let (id, key) = (secret_id().unwrap(), secret_key().unwrap());
        assert_eq!((id.len(), key.len(), id.starts_with("AKID")), (32, 43, true));
        assert!((id + &key).chars().all(|c| c.is_ascii_alphanumeric()));
        let all: std::collections::BTreeSet<_> =
            (0..50).flat_map(|_| secret_key().unwrap().into_bytes()).collect();
        assert_eq!(all.len(), 62, "every letter and digit comes");
        assert!(api_key().unwrap().chars().all(|c| c.is_ascii_alphanumeric()));
    }
}
