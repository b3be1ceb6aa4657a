//! AES-GCM for RTP and RTCP (RFC 7714).
//!
//! Lengths were checked by the caller; what could still not fit is refused, never a panic.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::error::Error;
use crate::kdf::{Label, Master};
use crate::limits::{MAX_RTP_INDEX, RTCP_ENCRYPTED, RTCP_HEADER_LEN, RTCP_WORD_LEN};
use crate::wire::xor_at;

const TAG_LEN: usize = 16;
const SALT_LEN: usize = 12;

/// Session key and salt of RTP or RTCP.
struct Session {
    key: LessSafeKey,
    /// In the low 96 bits.
    salt: u128,
}

impl Session {
    /// `key` of 16 or 32 bytes.
    fn new(key: &[u8], salt: [u8; SALT_LEN]) -> Result<Self, Error> {
        let algorithm = if key.len() == 16 { &AES_128_GCM } else { &AES_256_GCM };
        let key = UnboundKey::new(algorithm, key).map_err(|_| Error::KeyRefused)?;
        let salt = salt.into_iter().fold(0, |salt, byte| salt << 8 | u128::from(byte));
        Ok(Self { key: LessSafeKey::new(key), salt })
    }

    /// Two zero bytes, SSRC, and six bytes of index, masked by the salt (RFC 7714 sections 8.1 and 9.1). As one
    /// number, because every packet needs it.
    fn nonce(&self, ssrc: u32, index: u64) -> Nonce {
        let counted = u128::from(ssrc) << 48 | u128::from(index & MAX_RTP_INDEX);
        let [_, _, _, _, nonce @ ..] = (self.salt ^ counted).to_be_bytes();
        Nonce::assume_unique_for_key(nonce)
    }

    fn seal(&self, nonce: Nonce, aad: &[u8], data: &mut [u8], tag: &mut [u8]) -> Result<(), Error> {
        self.key
            .seal_in_place_scatter(nonce, Aad::from(aad), data, &[], tag)
            .map_err(|_| Error::SealRefused)
    }

    fn open(&self, nonce: Nonce, aad: &[u8], data: &mut [u8], tag: &[u8]) -> Result<(), Error> {
        let opened = self.key.open_in_place_separate_tag(nonce, Aad::from(aad), tag, data);
        opened.map(|_| ()).map_err(|_| Error::NotAuthentic)
    }
}

/// One direction under one master key.
pub(crate) struct Gcm {
    rtp: Session,
    rtcp: Session,
}

impl Gcm {
    /// Derives the session keys; `key_len` is 16 or 32.
    pub(crate) fn new(master: &Master, key_len: usize) -> Result<Self, Error> {
        let session = |key: Label, salt: Label| -> Result<Session, Error> {
            let mut bytes = [0; 32];
            let bytes = bytes.get_mut(..key_len).ok_or(Error::KeyRefused)?;
            master.derive_into(key, bytes)?;
            Session::new(bytes, master.derive(salt)?)
        };
        Ok(Self {
            rtp: session(Label::RtpKey, Label::RtpSalt)?,
            rtcp: session(Label::RtcpKey, Label::RtcpSalt)?,
        })
    }

    /// `packet` = header, payload, room for the tag.
    pub(crate) fn seal_rtp(
        &self,
        packet: &mut [u8],
        header_len: usize,
        ssrc: u32,
        index: u64,
    ) -> Result<(), Error> {
        let (header, body) = packet.split_at_mut_checked(header_len).ok_or(Error::SealRefused)?;
        let (payload, tag) = body.split_last_chunk_mut::<TAG_LEN>().ok_or(Error::SealRefused)?;
        self.rtp.seal(self.rtp.nonce(ssrc, index), header, payload, tag)
    }

    /// `packet` = header, room for the payload, room for the tag.
    pub(crate) fn seal_rtp_from(
        &self,
        payload: &[u8],
        packet: &mut [u8],
        header_len: usize,
        ssrc: u32,
        index: u64,
    ) -> Result<(), Error> {
        let (header, body) = packet.split_at_mut_checked(header_len).ok_or(Error::SealRefused)?;
        let (sealed, tag) = body.split_last_chunk_mut::<TAG_LEN>().ok_or(Error::SealRefused)?;
        let (nonce, aad) = (self.rtp.nonce(ssrc, index), Aad::from(&*header));
        let key = &self.rtp.key;
        key.seal_out_of_place_scatter(nonce, aad, payload, sealed, &[], tag)
            .map_err(|_| Error::SealRefused)
    }

    /// `packet` = header, ciphertext, tag.
    pub(crate) fn open_rtp(
        &self,
        packet: &mut [u8],
        header_len: usize,
        ssrc: u32,
        index: u64,
    ) -> Result<(), Error> {
        let (header, body) = packet.split_at_mut_checked(header_len).ok_or(Error::NotAuthentic)?;
        let (payload, tag) = body.split_last_chunk_mut::<TAG_LEN>().ok_or(Error::NotAuthentic)?;
        self.rtp.open(self.rtp.nonce(ssrc, index), header, payload, tag)
    }

    /// `packet` = compound packet, room for tag and index word.
    pub(crate) fn seal_rtcp(&self, packet: &mut [u8], ssrc: u32, index: u32) -> Result<(), Error> {
        let (sealed, word) =
            packet.split_last_chunk_mut::<RTCP_WORD_LEN>().ok_or(Error::SealRefused)?;
        *word = (RTCP_ENCRYPTED | index).to_be_bytes();
        let (plain, tag) = sealed.split_last_chunk_mut::<TAG_LEN>().ok_or(Error::SealRefused)?;
        let (header, body) =
            plain.split_first_chunk_mut::<RTCP_HEADER_LEN>().ok_or(Error::SealRefused)?;
        self.rtcp.seal(self.rtcp.nonce(ssrc, index.into()), &associated(*header, *word), body, tag)
    }

    /// `packet` = compound packet, tag, index word. Returns the length of the compound packet and the index.
    pub(crate) fn open_rtcp(&self, packet: &mut [u8], ssrc: u32) -> Result<(usize, u32), Error> {
        let (sealed, word) =
            packet.split_last_chunk_mut::<RTCP_WORD_LEN>().ok_or(Error::NotAuthentic)?;
        let word = *word;
        let (plain, tag) = sealed.split_last_chunk_mut::<TAG_LEN>().ok_or(Error::NotAuthentic)?;
        let (len, tag) = (plain.len(), *tag);
        let index = u32::from_be_bytes(word) & !RTCP_ENCRYPTED;
        let nonce = self.rtcp.nonce(ssrc, index.into());
        if u32::from_be_bytes(word) & RTCP_ENCRYPTED != 0 {
            let (header, body) =
                plain.split_first_chunk_mut::<RTCP_HEADER_LEN>().ok_or(Error::NotAuthentic)?;
            self.rtcp.open(nonce, &associated(*header, word), body, &tag)?;
        } else {
            // All of it is associated data, the index word right behind the packet: the tag makes room for it.
            let all = packet.get_mut(..len + RTCP_WORD_LEN).ok_or(Error::NotAuthentic)?;
            *all.last_chunk_mut::<RTCP_WORD_LEN>().ok_or(Error::NotAuthentic)? = word;
            self.rtcp.open(nonce, all, &mut [], &tag)?;
        }
        Ok((len, index))
    }
}

/// What is authenticated of an encrypted RTCP packet besides its ciphertext (RFC 7714 section 9.2).
fn associated(header: [u8; RTCP_HEADER_LEN], word: [u8; RTCP_WORD_LEN]) -> [u8; 12] {
    xor_at(xor_at([0; 12], 0, &header), RTCP_HEADER_LEN, &word)
}

#[cfg(test)]
mod tests;
