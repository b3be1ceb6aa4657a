//! `UserSig`, version 2: a zlib-compressed JSON document signed with the application's secret.
//!
//! The same envelope with a user buffer in it is a `PrivateMapKey`, see [`crate::private_map`].
//! Version 1 (asymmetric keys) is not read.

use std::io::{Read as _, Write as _};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fermata_types::{Reason, Refusal, SdkAppId};
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use crate::limits::{LEEWAY_S, USERSIG_JSON_LEN_MAX, USERSIG_LEN_MAX};
use crate::names::check_user_id;

/// What a `UserSig` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserSig {
    /// The user it was made for.
    pub user_id: String,
    /// The application it was made for.
    pub app: SdkAppId,
    /// When it was made, seconds since 1970.
    pub made_at: i64,
    /// How long it lives, seconds.
    pub lifetime_s: i64,
    /// User buffer; present in a `PrivateMapKey`.
    pub user_buf: Option<Vec<u8>>,
}

/// The document inside.
#[derive(Deserialize)]
struct Document {
    #[serde(rename = "TLS.ver")]
    version: String,
    #[serde(rename = "TLS.identifier")]
    identifier: String,
    #[serde(rename = "TLS.sdkappid")]
    sdk_app_id: u32,
    #[serde(rename = "TLS.time")]
    time: i64,
    #[serde(rename = "TLS.expire")]
    expire: i64,
    #[serde(rename = "TLS.sig")]
    signature: String,
    #[serde(rename = "TLS.userbuf")]
    user_buf: Option<String>,
}

impl UserSig {
    /// End of its life, seconds since 1970.
    pub fn expires_at(&self) -> i64 {
        self.made_at.saturating_add(self.lifetime_s)
    }

    /// What is signed: a line per field, in this order.
    fn content(&self) -> String {
        let mut content = format!(
            "TLS.identifier:{}\nTLS.sdkappid:{}\nTLS.time:{}\nTLS.expire:{}\n",
            self.user_id, self.app, self.made_at, self.lifetime_s
        );
        if let Some(buf) = &self.user_buf {
            content.push_str("TLS.userbuf:");
            content.push_str(&STANDARD.encode(buf));
            content.push('\n');
        }
        content
    }

    /// The signature alone, standard base64.
    fn signature(&self, secret: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        STANDARD.encode(hmac::sign(&key, self.content().as_bytes()))
    }

    /// Makes the text that clients carry.
    pub fn sign(&self, secret: &str) -> String {
        let mut document = json!({
            "TLS.ver": "2.0",
            "TLS.identifier": self.user_id,
            "TLS.sdkappid": self.app.0,
            "TLS.time": self.made_at,
            "TLS.expire": self.lifetime_s,
            "TLS.sig": self.signature(secret),
        });
        if let (Some(buf), Some(map)) = (&self.user_buf, document.as_object_mut()) {
            map.insert("TLS.userbuf".to_owned(), json!(STANDARD.encode(buf)));
        }
        pack(document.to_string().as_bytes())
    }

    /// Checks a `UserSig` for an application and user.
    ///
    /// # Errors
    /// `UserSigInvalid` (form, another application or user, signature), `UserSigExpired`,
    /// and those of [`check_user_id`].
    pub fn verify(
        text: &str,
        secret: &str,
        app: SdkAppId,
        user_id: &str,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let sig = Self::verify_any(text, secret, app, user_id, now)?;
        if sig.user_buf.is_some() {
            return Err(invalid("it is a PrivateMapKey; a UserSig has no TLS.userbuf"));
        }
        Ok(sig)
    }

    /// The same for both kinds: with or without a user buffer.
    pub(crate) fn verify_any(
        text: &str,
        secret: &str,
        app: SdkAppId,
        user_id: &str,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        check_user_id(user_id)?;
        let json = unpack(text)?;
        let document: Document =
            serde_json::from_slice(&json).map_err(|e| invalid(format!("the document: {e}")))?;
        if document.version != "2.0" {
            return Err(invalid("TLS.ver is not 2.0"));
        }
        let user_buf = match &document.user_buf {
            None => None,
            Some(text) => {
                Some(STANDARD.decode(text).map_err(|_| invalid("TLS.userbuf is not base64"))?)
            }
        };
        let sig = Self {
            user_id: document.identifier,
            app: SdkAppId(document.sdk_app_id),
            made_at: document.time,
            lifetime_s: document.expire,
            user_buf,
        };
        let given =
            STANDARD.decode(&document.signature).map_err(|_| invalid("TLS.sig is not base64"))?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        hmac::verify(&key, sig.content().as_bytes(), &given)
            .map_err(|_| invalid("the signature does not verify with the application's secret"))?;
        if sig.app != app {
            return Err(invalid(format!("it was made for application {}, not {app}", sig.app)));
        }
        if sig.user_id != user_id {
            return Err(invalid(format!("it was made for user {:?}", sig.user_id)));
        }
        sig.check_times(now.as_second())?;
        Ok(sig)
    }

    fn check_times(&self, now_s: i64) -> Result<(), Refusal> {
        let expired = |detail: String| Err(Refusal::with_detail(Reason::UserSigExpired, detail));
        if now_s > self.expires_at() {
            return expired(format!(
                "it expired {} s ago",
                now_s.saturating_sub(self.expires_at())
            ));
        }
        if now_s < self.made_at.saturating_sub(LEEWAY_S) {
            return expired(format!("it begins in {} s", self.made_at.saturating_sub(now_s)));
        }
        Ok(())
    }
}

/// JSON to text: zlib, base64, and `*-_` for what URLs do not like.
fn pack(json: &[u8]) -> String {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    // Writing to a vector cannot fail.
    let packed = encoder.write_all(json).and_then(|()| encoder.finish()).unwrap_or_default();
    let swap = |c| match c {
        '+' => '*',
        '/' => '-',
        '=' => '_',
        other => other,
    };
    STANDARD.encode(packed).chars().map(swap).collect()
}

/// Text to JSON, never more than [`USERSIG_JSON_LEN_MAX`] bytes.
fn unpack(text: &str) -> Result<Vec<u8>, Refusal> {
    if text.is_empty() {
        return Err(invalid("it is empty"));
    }
    if text.len() > USERSIG_LEN_MAX {
        return Err(invalid(format!("it has {} bytes, {USERSIG_LEN_MAX} are allowed", text.len())));
    }
    let swap = |c| match c {
        '*' => '+',
        '-' => '/',
        '_' => '=',
        other => other,
    };
    let base64: String = text.chars().map(swap).collect();
    let packed = STANDARD.decode(base64).map_err(|_| invalid("it is not base64 with * - _"))?;
    let mut json = Vec::new();
    let bound = u64::try_from(USERSIG_JSON_LEN_MAX).unwrap_or(u64::MAX).saturating_add(1);
    ZlibDecoder::new(packed.as_slice())
        .take(bound)
        .read_to_end(&mut json)
        .map_err(|_| invalid("it is not zlib data"))?;
    if json.len() > USERSIG_JSON_LEN_MAX {
        return Err(invalid(format!("it inflates to more than {USERSIG_JSON_LEN_MAX} bytes")));
    }
    Ok(json)
}

/// A refusal as [`Reason::UserSigInvalid`].
pub(crate) fn invalid(detail: impl Into<String>) -> Refusal {
    Refusal::with_detail(Reason::UserSigInvalid, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e";
    const APP: SdkAppId = SdkAppId(1_400_000_000);

    fn sample() -> UserSig {
        UserSig {
            user_id: "xiaojun".to_owned(),
            app: APP,
            made_at: 1_700_000_000,
            lifetime_s: 15_552_000,
            user_buf: None,
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_published_vector_comes_out() {
        assert_eq!(sample().signature(SECRET), "LvA7d/Iw7gSsnskvVzBDPOCCDbuNCw4GHwTC0bip+B4=");
    }

    #[test]
    fn what_is_signed_verifies() {
        let text = sample().sign(SECRET);
        assert!(!text.contains(['+', '/', '=']));
        let read = UserSig::verify(&text, SECRET, APP, "xiaojun", at(1_700_000_100));
        assert_eq!(read, Ok(sample()));
    }

    #[test]
    fn stored_blocks_without_compression_are_read_too() {
        let json = unpack(&sample().sign(SECRET)).unwrap();
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::none());
        encoder.write_all(&json).unwrap();
        let text = STANDARD.encode(encoder.finish().unwrap());
        let text = text.replace('+', "*").replace('/', "-").replace('=', "_");
        assert!(UserSig::verify(&text, SECRET, APP, "xiaojun", at(1_700_000_100)).is_ok());
    }

    #[test]
    fn wrong_ones_are_refused_by_name() {
        let text = sample().sign(SECRET);
        let now = at(1_700_000_100);
        let check = |text: &str, secret: &str, app: u32, user: &str, now: Timestamp, word: &str| {
            let refusal = UserSig::verify(text, secret, SdkAppId(app), user, now).unwrap_err();
            assert!(refusal.to_string().contains(word), "{refusal} lacks {word:?}");
            assert!(!refusal.to_string().contains(SECRET));
        };
        check(&text, "other", APP.0, "xiaojun", now, "signature");
        check(&text, SECRET, 1, "xiaojun", now, "application 1400000000, not 1");
        check(&text, SECRET, APP.0, "xiaoming", now, "made for user \"xiaojun\"");
        check(&text, SECRET, APP.0, "xiaojun", at(1_715_552_001), "usersig_expired");
        check(&text, SECRET, APP.0, "xiaojun", at(1_699_999_000), "usersig_expired");
        check("", SECRET, APP.0, "xiaojun", now, "empty");
        check("%%%", SECRET, APP.0, "xiaojun", now, "base64");
        check("AAAA", SECRET, APP.0, "xiaojun", now, "zlib");
        check(&"A".repeat(5000), SECRET, APP.0, "xiaojun", now, "5000 bytes");
        check(&pack(b"{}"), SECRET, APP.0, "xiaojun", now, "document");
        check(&pack(&vec![b' '; 100_000]), SECRET, APP.0, "xiaojun", now, "inflates");
        let with_buf = UserSig { user_buf: Some(vec![1]), ..sample() }.sign(SECRET);
        check(&with_buf, SECRET, APP.0, "xiaojun", now, "PrivateMapKey");
        let last = UserSig::verify(&text, SECRET, APP, "xiaojun", at(1_715_552_000));
        assert!(last.is_ok(), "the last second counts");
    }

    proptest::proptest! {
        #[test]
        fn garbage_is_refused_not_fatal(text in "[A-Za-z0-9*_-]{0,400}") {
            proptest::prop_assert!(UserSig::verify(&text, SECRET, APP, "xiaojun", at(0)).is_err());
        }

        #[test]
        fn any_changed_byte_is_noticed(place in 0usize..200, with in 0u8..64) {
            let text = sample().sign(SECRET);
            let mut bytes = text.into_bytes();
            let place = place % bytes.len();
            bytes[place] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789*-"[usize::from(with)];
            let changed = String::from_utf8(bytes).unwrap();
            let result = UserSig::verify(&changed, SECRET, APP, "xiaojun", at(1_700_000_100));
            // A change in padding bits may decode to the same document; nothing else may pass.
            proptest::prop_assert!(result.is_err() || result == Ok(sample()));
        }
    }
}
