//! The protection profiles, and the keying material that DTLS exports for them.

use std::fmt;

use crate::error::Error;

/// How packets are protected (RFC 5764 section 4.1.2, RFC 7714 section 14.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// `SRTP_AEAD_AES_128_GCM`: the first choice, and by far the fastest.
    AeadAes128Gcm,
    /// `SRTP_AEAD_AES_256_GCM`.
    AeadAes256Gcm,
    /// `SRTP_AES128_CM_HMAC_SHA1_80`: the one that every peer must have.
    Aes128CmHmacSha1_80,
}

impl Profile {
    /// Every profile, the preferred one first.
    pub const ALL: [Self; 3] =
        [Self::AeadAes128Gcm, Self::AeadAes256Gcm, Self::Aes128CmHmacSha1_80];

    /// Bytes of a master key.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::Aes128CmHmacSha1_80 => 16,
            Self::AeadAes256Gcm => 32,
        }
    }

    /// Bytes of a master salt.
    #[must_use]
    pub const fn salt_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 12,
            Self::Aes128CmHmacSha1_80 => 14,
        }
    }

    /// Bytes of the tag at the end of an RTP packet.
    #[must_use]
    pub const fn tag_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 16,
            Self::Aes128CmHmacSha1_80 => 10,
        }
    }

    /// Bytes that follow a compound RTCP packet once it is sealed: tag and index.
    #[must_use]
    pub const fn rtcp_overhead_len(self) -> usize {
        self.tag_len() + crate::limits::RTCP_WORD_LEN
    }

    /// Bytes that the DTLS exporter has to give (RFC 5764 section 4.2): two keys and two salts.
    #[must_use]
    pub const fn keying_material_len(self) -> usize {
        2 * (self.key_len() + self.salt_len())
    }
}

impl fmt::Display for Profile {
    /// The registered name without `SRTP_`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
            Self::Aes128CmHmacSha1_80 => "AES128_CM_HMAC_SHA1_80",
        })
    }
}

/// The four pieces of RFC 5764 section 4.2 exporter output, cut by profile.
///
/// The client of the DTLS handshake seals with the client's key and salt, the server with the server's.
#[derive(Clone, Copy)]
pub struct KeyingMaterial<'a> {
    /// Master key of what the DTLS client sends.
    pub client_key: &'a [u8],
    /// Master key of what the DTLS server sends.
    pub server_key: &'a [u8],
    /// Master salt of what the DTLS client sends.
    pub client_salt: &'a [u8],
    /// Master salt of what the DTLS server sends.
    pub server_salt: &'a [u8],
}

impl<'a> KeyingMaterial<'a> {
    /// Cuts `material`, which has to be exactly [`Profile::keying_material_len`] bytes.
    ///
    /// # Errors
    /// [`Error::MaterialLength`] for any other length.
    pub fn split(profile: Profile, material: &'a [u8]) -> Result<Self, Error> {
        let want = profile.keying_material_len();
        if material.len() != want {
            return Err(Error::MaterialLength { profile, got: material.len(), want });
        }
        let (client_key, rest) = material.split_at(profile.key_len());
        let (server_key, rest) = rest.split_at(profile.key_len());
        let (client_salt, server_salt) = rest.split_at(profile.salt_len());
        Ok(Self { client_key, server_key, client_salt, server_salt })
    }
}

impl fmt::Debug for KeyingMaterial<'_> {
    /// Lengths only: keys do not belong in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyingMaterial")
            .field("key_len", &self.client_key.len())
            .field("salt_len", &self.client_salt.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_of_the_registries() {
        let table = [
            (Profile::AeadAes128Gcm, 16, 12, 16, 20, 56),
            (Profile::AeadAes256Gcm, 32, 12, 16, 20, 88),
            (Profile::Aes128CmHmacSha1_80, 16, 14, 10, 14, 60),
        ];
        for (profile, key, salt, tag, rtcp, material) in table {
            assert_eq!(profile.key_len(), key, "{profile}");
            assert_eq!(profile.salt_len(), salt, "{profile}");
            assert_eq!(profile.tag_len(), tag, "{profile}");
            assert_eq!(profile.rtcp_overhead_len(), rtcp, "{profile}");
            assert_eq!(profile.keying_material_len(), material, "{profile}");
        }
    }

    #[test]
    fn material_is_cut_client_first_keys_first() {
        for profile in Profile::ALL {
            let (key, salt) = (profile.key_len(), profile.salt_len());
            let bytes = [vec![1; key], vec![2; key], vec![3; salt], vec![4; salt]].concat();
            let cut = KeyingMaterial::split(profile, &bytes).unwrap();
            assert_eq!(cut.client_key, vec![1; key]);
            assert_eq!(cut.server_key, vec![2; key]);
            assert_eq!(cut.client_salt, vec![3; salt]);
            assert_eq!(cut.server_salt, vec![4; salt]);
            assert!(!format!("{cut:?}").contains("[1, 1"), "keys are not printed");

            let want = bytes.len();
            let short = KeyingMaterial::split(profile, &bytes[1..]).unwrap_err();
            assert_eq!(short, Error::MaterialLength { profile, got: want - 1, want });
            let long = [bytes, vec![0]].concat();
            let long = KeyingMaterial::split(profile, &long).unwrap_err();
            assert_eq!(long, Error::MaterialLength { profile, got: want + 1, want });
        }
    }
}
