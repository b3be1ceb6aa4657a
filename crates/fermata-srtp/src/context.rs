//! The two ends of one direction: what seals and what opens.

use std::fmt;

use crate::cm::Cm;
use crate::error::Error;
use crate::gcm::Gcm;
use crate::kdf::Master;
use crate::limits::{MAX_PACKET_LEN, MAX_RTCP_INDEX, RTCP_HEADER_LEN, RTP_HEADER_LEN};
use crate::profile::Profile;
use crate::wire::{check_rtp, rtcp_ssrc, rtp_fields};

/// Session keys of one direction, by family.
enum Keys {
    Gcm(Box<Gcm>),
    Cm(Box<Cm>),
}

impl Keys {
    fn new(profile: Profile, key: &[u8], salt: &[u8]) -> Result<Self, Error> {
        let (key_len, salt_len) = (profile.key_len(), profile.salt_len());
        if key.len() != key_len {
            return Err(Error::KeyLength { profile, got: key.len(), want: key_len });
        }
        if salt.len() != salt_len {
            return Err(Error::SaltLength { profile, got: salt.len(), want: salt_len });
        }
        let master = Master::new(key, salt)?;
        Ok(match profile {
            Profile::AeadAes128Gcm | Profile::AeadAes256Gcm => {
                Self::Gcm(Box::new(Gcm::new(&master, key_len)?))
            }
            Profile::Aes128CmHmacSha1_80 => Self::Cm(Box::new(Cm::new(&master)?)),
        })
    }
}

/// Seals what one side of a connection sends, for all of its SSRCs.
pub struct Sealer {
    profile: Profile,
    keys: Keys,
}

impl Sealer {
    /// Derives the session keys from a master `key` of [`Profile::key_len`] and `salt` of [`Profile::salt_len`] bytes.
    ///
    /// # Errors
    /// [`Error::KeyLength`], [`Error::SaltLength`]; [`Error::KeyRefused`] if the crypto library fails.
    pub fn new(profile: Profile, key: &[u8], salt: &[u8]) -> Result<Self, Error> {
        Ok(Self { profile, keys: Keys::new(profile, key, salt)? })
    }

    /// What it was made for.
    pub const fn profile(&self) -> Profile {
        self.profile
    }

    /// Seals an RTP packet in place. No allocation.
    ///
    /// `packet` = header | plaintext payload | [`Profile::tag_len`] bytes of room. `header_len` covers CSRCs and
    /// extensions. `roc` is the rollover counter of the packet's SSRC, its extended sequence number shifted right by
    /// 16. SSRC, sequence number and `roc` together must never be used for two different packets.
    ///
    /// # Errors
    /// [`Error::TooShort`], [`Error::TooLong`], [`Error::HeaderLength`]; [`Error::SealRefused`] if the crypto library
    /// fails. After the first three the packet is as it was.
    pub fn seal_rtp(&self, packet: &mut [u8], header_len: usize, roc: u32) -> Result<(), Error> {
        let (ssrc, index, _) = rtp_index(packet, header_len, self.profile.tag_len(), roc)?;
        match &self.keys {
            Keys::Gcm(gcm) => gcm.seal_rtp(packet, header_len, ssrc, index),
            Keys::Cm(cm) => cm.seal_rtp(packet, header_len, ssrc, index, roc),
        }
    }

    /// The same with the plaintext elsewhere, which is as good as copied into its place before, but faster.
    ///
    /// `packet` = header | room for `payload` | [`Profile::tag_len`] bytes of room.
    ///
    /// # Errors
    /// As [`Self::seal_rtp`]; [`Error::HeaderLength`] too if the room is not as long as the payload.
    pub fn seal_rtp_from(
        &self,
        payload: &[u8],
        packet: &mut [u8],
        header_len: usize,
        roc: u32,
    ) -> Result<(), Error> {
        let (ssrc, index, end) = rtp_index(packet, header_len, self.profile.tag_len(), roc)?;
        let place = packet.get_mut(header_len..end).filter(|place| place.len() == payload.len());
        let Some(place) = place else {
            let max = end.saturating_sub(payload.len());
            return Err(Error::HeaderLength { got: header_len, min: RTP_HEADER_LEN, max });
        };
        match &self.keys {
            Keys::Gcm(gcm) => gcm.seal_rtp_from(payload, packet, header_len, ssrc, index),
            Keys::Cm(cm) => {
                place.copy_from_slice(payload);
                cm.seal_rtp(packet, header_len, ssrc, index, roc)
            }
        }
    }

    /// Seals a compound RTCP packet in place and appends [`Profile::rtcp_overhead_len`] bytes.
    ///
    /// `index` is the 31-bit SRTCP index; never to be used twice with the same SSRC at the packet's front.
    ///
    /// # Errors
    /// [`Error::TooShort`], [`Error::TooLong`], [`Error::IndexExhausted`]: the packet is as it was.
    /// [`Error::SealRefused`] if the crypto library fails.
    pub fn seal_rtcp(&self, packet: &mut Vec<u8>, index: u32) -> Result<(), Error> {
        if index > MAX_RTCP_INDEX {
            return Err(Error::IndexExhausted { got: index });
        }
        let len = packet.len();
        let ssrc = rtcp_ssrc(packet).ok_or(Error::TooShort { got: len, want: RTCP_HEADER_LEN })?;
        let sealed = len.saturating_add(self.profile.rtcp_overhead_len());
        if sealed > MAX_PACKET_LEN {
            return Err(Error::TooLong { got: sealed });
        }
        packet.resize(sealed, 0);
        match &self.keys {
            Keys::Gcm(gcm) => gcm.seal_rtcp(packet, ssrc, index),
            Keys::Cm(cm) => cm.seal_rtcp(packet, ssrc, index),
        }
    }
}

impl fmt::Debug for Sealer {
    /// The profile only: keys do not belong in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("profile", &self.profile).finish_non_exhaustive()
    }
}

/// Opens what the other side of a connection sent, for all of its SSRCs.
///
/// It does not look for replays: see [`ReplayWindow`](crate::ReplayWindow).
pub struct Opener {
    profile: Profile,
    keys: Keys,
}

impl Opener {
    /// Derives the session keys from a master `key` of [`Profile::key_len`] and `salt` of [`Profile::salt_len`] bytes.
    ///
    /// # Errors
    /// [`Error::KeyLength`], [`Error::SaltLength`]; [`Error::KeyRefused`] if the crypto library fails.
    pub fn new(profile: Profile, key: &[u8], salt: &[u8]) -> Result<Self, Error> {
        Ok(Self { profile, keys: Keys::new(profile, key, salt)? })
    }

    /// What it was made for.
    pub const fn profile(&self) -> Profile {
        self.profile
    }

    /// Authenticates and decrypts an RTP packet in place. No allocation.
    ///
    /// Returns the end of the plaintext payload, which is `packet[header_len..end]`. `roc` comes from
    /// [`ReplayWindow::estimate`](crate::ReplayWindow::estimate), shifted right by 16.
    ///
    /// # Errors
    /// [`Error::TooShort`], [`Error::TooLong`], [`Error::HeaderLength`]: the packet is as it was.
    /// [`Error::NotAuthentic`]: drop the packet, payload and tag may have been overwritten.
    pub fn open_rtp(&self, packet: &mut [u8], header_len: usize, roc: u32) -> Result<usize, Error> {
        let (ssrc, index, end) = rtp_index(packet, header_len, self.profile.tag_len(), roc)?;
        match &self.keys {
            Keys::Gcm(gcm) => gcm.open_rtp(packet, header_len, ssrc, index)?,
            Keys::Cm(cm) => cm.open_rtp(packet, header_len, ssrc, index, roc)?,
        }
        Ok(end)
    }

    /// Authenticates and decrypts a compound RTCP packet in place. No allocation.
    ///
    /// Returns the length of the plain compound packet and the SRTCP index, which belongs to the SSRC at the packet's
    /// front. A packet that its sender authenticated but did not encrypt (E bit of zero) is taken as well.
    ///
    /// # Errors
    /// [`Error::TooShort`], [`Error::TooLong`]: the packet is as it was.
    /// [`Error::NotAuthentic`]: drop the packet, it may have been overwritten.
    pub fn open_rtcp(&self, packet: &mut [u8]) -> Result<(usize, u32), Error> {
        let (got, want) = (packet.len(), RTCP_HEADER_LEN + self.profile.rtcp_overhead_len());
        if got > MAX_PACKET_LEN {
            return Err(Error::TooLong { got });
        }
        let short = Error::TooShort { got, want };
        if got < want {
            return Err(short);
        }
        let ssrc = rtcp_ssrc(packet).ok_or(short)?;
        match &self.keys {
            Keys::Gcm(gcm) => gcm.open_rtcp(packet, ssrc),
            Keys::Cm(cm) => cm.open_rtcp(packet, ssrc),
        }
    }
}

impl fmt::Debug for Opener {
    /// The profile only: keys do not belong in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener").field("profile", &self.profile).finish_non_exhaustive()
    }
}

/// SSRC, 48-bit index and begin of the tag of an RTP packet of proper lengths.
fn rtp_index(
    packet: &[u8],
    header_len: usize,
    tag_len: usize,
    roc: u32,
) -> Result<(u32, u64, usize), Error> {
    let end = check_rtp(packet.len(), header_len, tag_len)?;
    let short = Error::TooShort { got: packet.len(), want: end };
    let (sequence_number, ssrc) = rtp_fields(packet).ok_or(short)?;
    Ok((ssrc, u64::from(roc) << 16 | u64::from(sequence_number), end))
}
