//! Our certificate, and what an SDP says of a certificate (RFC 8122).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use aws_lc_rs::digest;
use dimpl::{Config, DtlsCertificate};

use crate::dtls::profile;
use crate::limits;

/// A self-signed certificate with its key, for all connections of a process. Cheap to clone.
///
/// Made anew at every start: nothing but the fingerprint in the SDP vouches for it.
#[derive(Clone)]
pub struct Certificate(Arc<Inner>);

struct Inner {
    pair: DtlsCertificate,
    fingerprint: String,
    config: Arc<Config>,
}

/// A certificate could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// No key or no signature came about.
    #[error("no certificate could be made: {detail}")]
    Generate {
        /// The maker's words.
        detail: String,
    },
    /// The cryptography below did not pass its own examination.
    #[error("DTLS cannot be set up: {detail}")]
    Engine {
        /// The engine's words.
        detail: String,
    },
}

impl Certificate {
    /// A new key (ECDSA, P-256) and a certificate of it, valid for a year.
    ///
    /// # Errors
    /// [`CertificateError`], both kinds only when the machine is out of order.
    pub fn generate() -> Result<Self, CertificateError> {
        let pair = dimpl::certificate::generate_self_signed_certificate()
            .map_err(|error| CertificateError::Generate { detail: error.to_string() })?;
        let config = Config::builder()
            .mtu(limits::DTLS_DATAGRAM_LEN)
            .max_queue_rx(limits::DTLS_QUEUE_IN_MAX)
            .max_queue_tx(limits::DTLS_QUEUE_OUT_MAX)
            // The cookie proves that the peer is reachable at its address. ICE has proved that already.
            .use_server_cookie(false)
            .require_client_certificate(true)
            .flight_start_rto(limits::DTLS_RESEND_AFTER)
            .flight_retries(limits::DTLS_RESENDS_MAX)
            .handshake_timeout(limits::DTLS_HANDSHAKE_MAX)
            .with_crypto_provider(profile::provider())
            .build()
            .map_err(|error| CertificateError::Engine { detail: error.to_string() })?;
        let fingerprint = format!("sha-256 {}", pair.fingerprint_str());
        Ok(Self(Arc::new(Inner { pair, fingerprint, config: Arc::new(config) })))
    }

    /// The value of `a=fingerprint` (RFC 8122 section 5): `sha-256 AA:BB:...`.
    pub fn fingerprint(&self) -> &str {
        &self.0.fingerprint
    }

    pub(super) fn pair(&self) -> DtlsCertificate {
        self.0.pair.clone()
    }

    pub(super) fn config(&self) -> Arc<Config> {
        Arc::clone(&self.0.config)
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificate").field(&self.0.fingerprint).finish()
    }
}

/// The hash functions that a peer may use. RFC 8122 forbids MD2 and MD5, and nobody sends SHA-1 any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    const NAMES: [(&'static str, Self); 3] =
        [("sha-256", Self::Sha256), ("sha-384", Self::Sha384), ("sha-512", Self::Sha512)];

    fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        }
    }
}

/// One `a=fingerprint` of a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    hash: Hash,
    digest: Vec<u8>,
}

/// An `a=fingerprint` was not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FingerprintError {
    /// A hash function that is not one of ours.
    #[error("fingerprint with an unknown hash function; sha-256, sha-384 and sha-512 are known")]
    Hash,
    /// Not pairs of hexadecimal digits with colons between them, or not as many as the hash function gives.
    #[error("fingerprint is not {bytes} bytes in hexadecimal digits with colons")]
    Digest {
        /// How many bytes there should be.
        bytes: usize,
    },
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    /// Reads the value of the attribute: name of the hash function, space, bytes. Letters may be of any case.
    fn from_str(value: &str) -> Result<Self, FingerprintError> {
        let (name, digits) = value.trim().split_once(' ').ok_or(FingerprintError::Hash)?;
        let hash = Hash::NAMES
            .into_iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, hash)| hash)
            .ok_or(FingerprintError::Hash)?;
        let bytes = hash.algorithm().output_len();
        let wrong = FingerprintError::Digest { bytes };
        let mut digest = Vec::with_capacity(bytes);
        for pair in digits.trim().split(':') {
            if pair.len() != 2 || digest.len() == bytes || !pair.is_ascii() {
                return Err(wrong);
            }
            // `from_str_radix` would take a sign.
            if !pair.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(wrong);
            }
            digest.push(u8::from_str_radix(pair, 16).map_err(|_| wrong.clone())?);
        }
        if digest.len() == bytes { Ok(Self { hash, digest }) } else { Err(wrong) }
    }
}

impl Fingerprint {
    /// One whose bytes are known already.
    pub(crate) fn sha_256(digest: [u8; 32]) -> Self {
        Self { hash: Hash::Sha256, digest: digest.to_vec() }
    }

    /// Is it that of this certificate (DER)?
    pub(crate) fn matches(&self, certificate: &[u8]) -> bool {
        digest::digest(self.hash.algorithm(), certificate).as_ref() == self.digest.as_slice()
    }
}
