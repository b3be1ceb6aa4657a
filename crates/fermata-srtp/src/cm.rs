//! AES in counter mode with HMAC-SHA1 of 80 bits for RTP and RTCP (RFC 3711 sections 4.1.1 and 4.2.1).
//!
//! Lengths were checked by the caller; what could still not fit is refused, never a panic.

use aws_lc_rs::cipher::EncryptingKey;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;

use crate::error::Error;
use crate::kdf::{Label, Master, apply, counter_mode};
use crate::limits::{RTCP_ENCRYPTED, RTCP_HEADER_LEN, RTCP_WORD_LEN};
use crate::wire::xor_at;

const TAG_LEN: usize = 10;
const KEY_LEN: usize = 16;
const AUTH_LEN: usize = 20;
const SALT_LEN: usize = 14;
const ROC_LEN: usize = 4;

/// Session keys and salt of RTP or RTCP.
struct Session {
    key: EncryptingKey,
    /// The hash states after both pads are kept in it, so a packet costs only its own blocks.
    auth: hmac::Key,
    /// The salt in the upper 14 bytes, zeros where the block counter goes.
    salt: [u8; 16],
}

impl Session {
    fn new(master: &Master, key: Label, auth: Label, salt: Label) -> Result<Self, Error> {
        let key: [u8; KEY_LEN] = master.derive(key)?;
        let auth: [u8; AUTH_LEN] = master.derive(auth)?;
        let salt: [u8; SALT_LEN] = master.derive(salt)?;
        Ok(Self {
            key: counter_mode(&key)?,
            auth: hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &auth),
            salt: xor_at([0; 16], 0, &salt),
        })
    }

    /// Encrypts or decrypts, which is the same.
    fn apply(&self, ssrc: u32, index: u64, data: &mut [u8]) -> Result<(), Error> {
        let [_, _, index @ ..] = index.to_be_bytes();
        apply(&self.key, xor_at(xor_at(self.salt, 4, &ssrc.to_be_bytes()), 8, &index), data)
    }

    /// Tag over `data`, taken in one piece: every further update of the hash costs as much as a block.
    fn tag(&self, data: &[u8]) -> Result<[u8; TAG_LEN], Error> {
        let mut full = [0; AUTH_LEN];
        hmac::sign_to_buffer(&self.auth, data, &mut full).map_err(|_| Error::SealRefused)?;
        Ok(xor_at([0; TAG_LEN], 0, &full))
    }

    /// Compares in constant time.
    fn verify(&self, data: &[u8], tag: &[u8]) -> Result<(), Error> {
        verify_slices_are_equal(&self.tag(data)?, tag).map_err(|_| Error::NotAuthentic)
    }
}

/// The packet without its tag, followed by the rollover counter: what is authenticated of RTP.
///
/// The counter is not sent, but the tag's place is free while the tag is made.
fn with_counter(packet: &mut [u8], roc: u32) -> Option<&[u8]> {
    let end = packet.len().checked_sub(TAG_LEN)? + ROC_LEN;
    let authentic = packet.get_mut(..end)?;
    *authentic.last_chunk_mut::<ROC_LEN>()? = roc.to_be_bytes();
    Some(authentic)
}

/// One direction under one master key.
pub(crate) struct Cm {
    rtp: Session,
    rtcp: Session,
}

impl Cm {
    /// Derives the session keys.
    pub(crate) fn new(master: &Master) -> Result<Self, Error> {
        Ok(Self {
            rtp: Session::new(master, Label::RtpKey, Label::RtpAuth, Label::RtpSalt)?,
            rtcp: Session::new(master, Label::RtcpKey, Label::RtcpAuth, Label::RtcpSalt)?,
        })
    }

    /// `packet` = header, payload, room for the tag.
    pub(crate) fn seal_rtp(
        &self,
        packet: &mut [u8],
        header_len: usize,
        ssrc: u32,
        index: u64,
        roc: u32,
    ) -> Result<(), Error> {
        let (plain, _) = packet.split_last_chunk_mut::<TAG_LEN>().ok_or(Error::SealRefused)?;
        let payload = plain.get_mut(header_len..).ok_or(Error::SealRefused)?;
        self.rtp.apply(ssrc, index, payload)?;
        let tag = self.rtp.tag(with_counter(packet, roc).ok_or(Error::SealRefused)?)?;
        *packet.last_chunk_mut().ok_or(Error::SealRefused)? = tag;
        Ok(())
    }

    /// `packet` = header, ciphertext, tag.
    pub(crate) fn open_rtp(
        &self,
        packet: &mut [u8],
        header_len: usize,
        ssrc: u32,
        index: u64,
        roc: u32,
    ) -> Result<(), Error> {
        let tag = *packet.last_chunk::<TAG_LEN>().ok_or(Error::NotAuthentic)?;
        self.rtp.verify(with_counter(packet, roc).ok_or(Error::NotAuthentic)?, &tag)?;
        let (sealed, _) = packet.split_last_chunk_mut::<TAG_LEN>().ok_or(Error::NotAuthentic)?;
        let payload = sealed.get_mut(header_len..).ok_or(Error::NotAuthentic)?;
        self.rtp.apply(ssrc, index, payload)
    }

    /// `packet` = compound packet, room for index word and tag.
    pub(crate) fn seal_rtcp(&self, packet: &mut [u8], ssrc: u32, index: u32) -> Result<(), Error> {
        let (authentic, tag) =
            packet.split_last_chunk_mut::<TAG_LEN>().ok_or(Error::SealRefused)?;
        let (plain, word) =
            authentic.split_last_chunk_mut::<RTCP_WORD_LEN>().ok_or(Error::SealRefused)?;
        *word = (RTCP_ENCRYPTED | index).to_be_bytes();
        let body = plain.get_mut(RTCP_HEADER_LEN..).ok_or(Error::SealRefused)?;
        self.rtcp.apply(ssrc, index.into(), body)?;
        *tag = self.rtcp.tag(authentic)?;
        Ok(())
    }

    /// `packet` = compound packet, index word, tag. Returns the length of the compound packet and the index.
    pub(crate) fn open_rtcp(&self, packet: &mut [u8], ssrc: u32) -> Result<(usize, u32), Error> {
        let (authentic, tag) =
            packet.split_last_chunk_mut::<TAG_LEN>().ok_or(Error::NotAuthentic)?;
        self.rtcp.verify(authentic, tag)?;
        let (plain, word) =
            authentic.split_last_chunk_mut::<RTCP_WORD_LEN>().ok_or(Error::NotAuthentic)?;
        let word = u32::from_be_bytes(*word);
        let index = word & !RTCP_ENCRYPTED;
        if word & RTCP_ENCRYPTED != 0 {
            let body = plain.get_mut(RTCP_HEADER_LEN..).ok_or(Error::NotAuthentic)?;
            self.rtcp.apply(ssrc, index.into(), body)?;
        }
        Ok((plain.len(), index))
    }
}
