//! Session keys from master keys (RFC 3711 section 4.3), at key derivation rate zero.
//!
//! The GCM profiles use the same function (RFC 7714 section 11) with AES of their own key length; their salt of 96
//! bits is taken as the upper bits of the 112 that the function wants.

use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;

use crate::error::Error;
use crate::wire::xor_at;

/// What a derived key is for (RFC 3711 section 4.3.1 and 4.3.2).
#[derive(Debug, Clone, Copy)]
pub(crate) enum Label {
    /// Encryption of RTP.
    RtpKey = 0,
    /// Authentication of RTP.
    RtpAuth = 1,
    /// Salt of RTP.
    RtpSalt = 2,
    /// Encryption of RTCP.
    RtcpKey = 3,
    /// Authentication of RTCP.
    RtcpAuth = 4,
    /// Salt of RTCP.
    RtcpSalt = 5,
}

/// Where the label's byte lies in the 14 bytes of the salt: before the 48 bits of the index.
const LABEL_AT: usize = 7;

/// AES in counter mode under a key of 16 or 32 bytes.
pub(crate) fn counter_mode(key: &[u8]) -> Result<EncryptingKey, Error> {
    let algorithm = if key.len() == 16 { &AES_128 } else { &AES_256 };
    let key = UnboundCipherKey::new(algorithm, key).map_err(|_| Error::KeyRefused)?;
    EncryptingKey::ctr(key).map_err(|_| Error::KeyRefused)
}

/// XORs the key stream that begins at the block `counter` onto `data`. No allocation.
pub(crate) fn apply(key: &EncryptingKey, counter: [u8; 16], data: &mut [u8]) -> Result<(), Error> {
    let context = EncryptionContext::Iv128(FixedLength::from(counter));
    key.less_safe_encrypt(data, context).map(|_| ()).map_err(|_| Error::SealRefused)
}

/// The master key and salt of one direction, ready to derive.
pub(crate) struct Master {
    key: EncryptingKey,
    /// The salt in the upper 14 bytes; the rest is the block counter, zero.
    salt: [u8; 16],
}

impl Master {
    /// `key` of 16 or 32 bytes, `salt` of up to 14.
    pub(crate) fn new(key: &[u8], salt: &[u8]) -> Result<Self, Error> {
        let salt = salt.get(..14).unwrap_or(salt);
        Ok(Self { key: counter_mode(key)?, salt: xor_at([0; 16], 0, salt) })
    }

    /// Fills `out` with the key stream of that label.
    pub(crate) fn derive_into(&self, label: Label, out: &mut [u8]) -> Result<(), Error> {
        out.fill(0);
        apply(&self.key, xor_at(self.salt, LABEL_AT, &[label as u8]), out)
    }

    /// The first `N` bytes of the key stream of that label.
    pub(crate) fn derive<const N: usize>(&self, label: Label) -> Result<[u8; N], Error> {
        let mut out = [0; N];
        self.derive_into(label, &mut out)?;
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> =
            text.chars().filter_map(|c| c.to_digit(16)).map(|d| u8::try_from(d).unwrap()).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    /// RFC 3711 appendix B.3.
    #[test]
    fn derivation_gives_the_rfcs_keys() {
        let key = hex("E1F97A0D3E018BE0D64FA32C06DE4139");
        let salt = hex("0EC675AD498AFEEBB6960B3AABE6");
        let master = Master::new(&key, &salt).unwrap();
        let auth = hex("CEBE321F6FF7716B6FD4AB49AF256A15 6D38BAA48F0A0ACF3C34E2359E6CDBCE
             E049646C43D9327AD175578EF7227098 6371C10C9A369AC2F94A8C5FBCDDDC25
             6D6E919A48B610EF17C2041E47403576 6B68642C59BBFC2F34DB60DBDFB2");
        assert_eq!(auth.len(), 94);
        assert_eq!(
            master.derive::<16>(Label::RtpKey).unwrap()[..],
            hex("C61E7A93744F39EE10734AFE3FF7A087")
        );
        assert_eq!(
            master.derive::<14>(Label::RtpSalt).unwrap()[..],
            hex("30CBBC08863D8C85D49DB34A9AE1")
        );
        assert_eq!(master.derive::<94>(Label::RtpAuth).unwrap()[..], auth);
    }

    /// RFC 3711 appendix B.2: key stream of AES in counter mode.
    #[test]
    fn counter_mode_gives_the_rfcs_key_stream() {
        let key = counter_mode(&hex("2B7E151628AED2A6ABF7158809CF4F3C")).unwrap();
        let counter = hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000").try_into().unwrap();
        let mut stream = [0; 48];
        apply(&key, counter, &mut stream).unwrap();
        let want = hex("E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB
             41E95B3BB0A2E8DD477901E4FCA894C0");
        assert_eq!(stream[..], want);
    }

    /// The six keys of one master differ from each other.
    #[test]
    fn labels_give_different_keys() {
        let labels = [
            Label::RtpKey,
            Label::RtpAuth,
            Label::RtpSalt,
            Label::RtcpKey,
            Label::RtcpAuth,
            Label::RtcpSalt,
        ];
        for (key_len, salt_len) in [(16, 14), (16, 12), (32, 12)] {
            let master = Master::new(&vec![5; key_len], &vec![6; salt_len]).unwrap();
            let mut keys = labels.map(|label| master.derive::<32>(label).unwrap());
            keys.sort_unstable();
            assert!(keys.windows(2).all(|pair| pair[0] != pair[1]));
        }
    }
}
