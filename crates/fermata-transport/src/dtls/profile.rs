//! Which SRTP profile is chosen, as server.
//!
//! We want `AEAD_AES_128_GCM` wherever the client offers it: it is the cheapest per packet, and the choice is
//! the server's (RFC 5764 section 4.1.1). The engine's server has an order of its own that cannot be set: first
//! `AEAD_AES_256_GCM`, then `AEAD_AES_128_GCM`, then `AES128_CM_SHA1_80`. So where a client offers both of the
//! first two, the engine is shown a `ClientHello` in which the number of `AEAD_AES_256_GCM` is one that nobody
//! knows, and therefore skips it.
//!
//! Both ends hash and sign the messages as they were on the wire, so the true number is put back wherever the
//! engine hashes the conversation or checks the client's signature over it: its cryptography is plugged in,
//! and ours wraps those two parts. The client's proofs are thus checked over what it really said; only our
//! free choice among what it offered is different. The replacement keeps every length.
//!
//! A `ClientHello` whose `use_srtp` extension is cut in two by fragmentation is left alone: the engine then takes
//! `AEAD_AES_256_GCM`, which works as well. As client, the choice is the peer's and nothing of this applies.

use dimpl::crypto::{
    Buf, CryptoProvider, HashAlgorithm, HashContext, HashProvider, SignatureAlgorithm,
    SignatureVerifier, aws_lc_rs,
};
use dimpl::{CryptoError, SrtpProfile};
use fermata_srtp::Profile;

/// `SRTP_AEAD_AES_128_GCM` (RFC 7714 section 14.2).
const AES_128_GCM: [u8; 2] = [0x00, 0x07];
/// `SRTP_AEAD_AES_256_GCM`.
const AES_256_GCM: [u8; 2] = [0x00, 0x08];
/// Stands for the latter while it is hidden. Not assigned to anything; a client that offers it anyway fails.
const HIDDEN: [u8; 2] = [0xFF, 0xF8];
/// Extension type `use_srtp`.
const USE_SRTP: [u8; 2] = [0x00, 0x0E];
/// Handshake type of the `ClientHello`.
const CLIENT_HELLO: u8 = 1;
/// Length of a record's header.
const RECORD_HEADER_LEN: usize = 13;
/// Most profiles in the extension that are looked at; a dozen exist.
const PROFILES_MAX: usize = 32;

/// The profile in our words; `None` for one that is unknown here.
pub(super) fn from_engine(profile: SrtpProfile) -> Option<Profile> {
    match profile {
        SrtpProfile::AEAD_AES_128_GCM => Some(Profile::AeadAes128Gcm),
        SrtpProfile::AEAD_AES_256_GCM => Some(Profile::AeadAes256Gcm),
        SrtpProfile::AES128_CM_SHA1_80 => Some(Profile::Aes128CmHmacSha1_80),
        _ => None,
    }
}

/// Is the first record of the datagram one of the first epoch that holds (a part of) a `ClientHello`?
pub(super) fn is_client_hello(datagram: &[u8]) -> bool {
    matches!(datagram, [22, _, _, 0, 0, ..])
        && datagram.get(RECORD_HEADER_LEN) == Some(&CLIENT_HELLO)
}

/// The datagram with the hidden number, if the client offers both GCM profiles; else `None`.
pub(super) fn prefer_aes_128(datagram: &[u8]) -> Option<Vec<u8>> {
    replaced(datagram, AES_256_GCM, HIDDEN)
}

/// What was said on the wire, if `conversation` holds a `ClientHello` with the hidden number; else `None`.
pub(super) fn restored(conversation: &[u8]) -> Option<Vec<u8>> {
    let starts = conversation.first() == Some(&CLIENT_HELLO);
    starts.then(|| replaced(conversation, HIDDEN, AES_256_GCM)).flatten()
}

/// A copy in which the first `use_srtp` list with both `AES_128_GCM` and `from` has `to` in place of `from`.
fn replaced(bytes: &[u8], from: [u8; 2], to: [u8; 2]) -> Option<Vec<u8>> {
    let (start, len) = (0..bytes.len()).find_map(|at| {
        let list = profiles(bytes.get(at..)?)?;
        let has = |wanted: [u8; 2]| list.chunks_exact(2).any(|number| number == wanted);
        (has(AES_128_GCM) && has(from)).then_some((at + 6, list.len()))
    })?;
    let mut copy = bytes.to_vec();
    for number in copy.get_mut(start..start + len)?.chunks_exact_mut(2) {
        if number == from {
            number.copy_from_slice(&to);
        }
    }
    Some(copy)
}

/// The list of profiles if `bytes` begin with a whole `use_srtp` extension that has no key identifier.
fn profiles(bytes: &[u8]) -> Option<&[u8]> {
    let (kind, rest) = bytes.split_first_chunk::<2>()?;
    if *kind != USE_SRTP {
        return None;
    }
    let (len, rest) = rest.split_first_chunk::<2>()?;
    let (list_len, rest) = rest.split_first_chunk::<2>()?;
    let list_len = usize::from(u16::from_be_bytes(*list_len));
    let fits = usize::from(u16::from_be_bytes(*len)) == list_len + 3
        && list_len.is_multiple_of(2)
        && list_len <= 2 * PROFILES_MAX
        && rest.get(list_len) == Some(&0);
    if fits { rest.get(..list_len) } else { None }
}

/// The engine's cryptography over aws-lc, with the two parts wrapped that see what was said on the wire.
pub(super) fn provider() -> CryptoProvider {
    CryptoProvider {
        hash_provider: &Restoring,
        signature_verification: &Restoring,
        ..aws_lc_rs::default_provider()
    }
}

#[derive(Debug)]
struct Restoring;

#[derive(Debug)]
struct RestoringHash(Box<dyn HashContext>);

impl HashProvider for Restoring {
    fn create_hash(&self, algorithm: HashAlgorithm) -> Box<dyn HashContext> {
        let hash = aws_lc_rs::default_provider().hash_provider.create_hash(algorithm);
        Box::new(RestoringHash(hash))
    }
}

impl HashContext for RestoringHash {
    /// The engine gives the whole conversation at once.
    fn update(&mut self, data: &[u8]) {
        let restored = restored(data);
        self.0.update(restored.as_deref().unwrap_or(data));
    }

    fn clone_and_finalize(&self, out: &mut Buf) {
        self.0.clone_and_finalize(out);
    }
}

impl SignatureVerifier for Restoring {
    fn verify_signature(
        &self,
        certificate: &[u8],
        data: &[u8],
        signature: &[u8],
        hash: HashAlgorithm,
        algorithm: SignatureAlgorithm,
    ) -> Result<(), CryptoError> {
        let restored = restored(data);
        let data = restored.as_deref().unwrap_or(data);
        aws_lc_rs::default_provider().signature_verification.verify_signature(
            certificate,
            data,
            signature,
            hash,
            algorithm,
        )
    }
}
