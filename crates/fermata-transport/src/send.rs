//! Sending: media packets, keyframe requests, data messages.

use std::time::Instant;

use fermata_rtp::Codec;

use crate::config::Channel;
use crate::egress::Egress;
use crate::error::SendError;
use crate::event::{RtpOut, SendSlot};
use crate::id::{Mid, Rid};
use crate::wire::Wire;

impl Wire {
    /// Can this codec be sent on this section now, by what was negotiated?
    pub fn sends(&self, mid: Mid, codec: Codec) -> bool {
        self.media.sends(mid, codec)
    }

    /// Codecs that can be sent on this section, in the order of [`Codec::ALL`]; empty if it does not send.
    pub fn sendable_codecs(&self, mid: Mid) -> Vec<Codec> {
        Codec::ALL.iter().copied().filter(|codec| self.sends(mid, *codec)).collect()
    }

    /// Dense name of a sending section; stable while the section sends, `None` if it does not send.
    pub fn send_slot(&self, mid: Mid) -> Option<SendSlot> {
        self.media.slot(mid)
    }

    /// Bytes on the wire of a packet with that much payload on that section now, with an audio level where one was
    /// agreed; 0 if the section does not send.
    pub fn wire_len(&self, slot: SendSlot, payload_len: usize) -> usize {
        self.media.wire_len(slot, payload_len, None)
    }

    /// The same of one packet, with its dependency descriptor where one was agreed.
    pub fn wire_len_of(&self, slot: SendSlot, packet: &RtpOut<'_>) -> usize {
        self.media.wire_len(slot, packet.payload.len(), packet.dependency.as_ref())
    }

    /// Writes one media packet into the arena: header, extensions, payload (with other VP8 numbers if told), RTP
    /// padding up to `pad_to` bytes on the wire, encryption. `pad_to` 0 means no padding, and so does a length that
    /// is more than 255 bytes away. No allocation, no lock.
    ///
    /// Sequence numbers and timestamps are the caller's, per section and for its whole life
    /// (see the crate's page).
    ///
    /// # Errors
    /// The packet was not written, for the reason given; the connection is unharmed.
    pub fn send_rtp(
        &mut self,
        now: Instant,
        slot: SendSlot,
        packet: &RtpOut<'_>,
        pad_to: usize,
        out: &mut Egress,
    ) -> Result<(), SendError> {
        let path = self.media_path().ok_or(SendError::NotConnected)?;
        let len = self.media.send(now, path, slot, packet, pad_to, out)?;
        self.bytes_sent += len as u64;
        Ok(())
    }

    /// The same packet again as a retransmission (RFC 4588), or on its own SSRC where RTX was not negotiated.
    ///
    /// `packet` has to be what was given to [`Wire::send_rtp`]: without RTX, another one under the same number
    /// would break the encryption.
    ///
    /// # Errors
    /// The packet was not written, for the reason given; the connection is unharmed.
    pub fn send_rtx(
        &mut self,
        now: Instant,
        slot: SendSlot,
        packet: &RtpOut<'_>,
        out: &mut Egress,
    ) -> Result<(), SendError> {
        let path = self.media_path().ok_or(SendError::NotConnected)?;
        let len = self.media.send_again(now, path, slot, packet, out)?;
        self.bytes_sent += len as u64;
        Ok(())
    }

    /// Asks the client for a keyframe (PLI) of a section and layer, with the next [`Wire::flush`].
    /// Nothing happens for a layer of which no packet was seen yet.
    pub fn request_keyframe(&mut self, mid: Mid, rid: Option<Rid>) {
        self.media.request_keyframe(mid, rid);
    }

    /// Can this channel be written to?
    pub fn channel_open(&self, channel: Channel) -> bool {
        self.is_alive() && self.sctp.as_ref().is_some_and(|sctp| sctp.is_open(channel))
    }

    /// Queues one message; it goes out with the next [`Wire::flush`].
    ///
    /// # Errors
    /// [`SendError::NotOpen`], [`SendError::TooLong`] or, to be tried later or dropped, [`SendError::Full`].
    pub fn send_data(
        &mut self,
        channel: Channel,
        binary: bool,
        data: &[u8],
    ) -> Result<(), SendError> {
        if data.len() > self.message_len_max {
            return Err(SendError::TooLong { len: data.len() });
        }
        if !self.channel_open(channel) {
            return Err(SendError::NotOpen);
        }
        let now = self.last_now;
        let sctp = self.sctp.as_mut().ok_or(SendError::NotOpen)?;
        sctp.send(now, channel, binary, data)
    }
}
