//! Sending: media packets, keyframe requests, data messages.

use std::sync::Arc;

use fermata_rtp::Codec;
use str0m::media::KeyframeRequestKind;
use str0m::rtp::{ExtensionValues, RtpWrite};

use crate::config::Channel;
use crate::error::SendError;
use crate::event::RtpOut;
use crate::id::{Mid, Rid};
use crate::limits;
use crate::lines::Line;
use crate::transport::Transport;

/// Sequence numbers below this fit a receiver that has just met the SSRC (RFC 3711 section 3.3.1).
const FIRST_ROLLOVER: u64 = 1 << 16;

impl Transport {
    /// Can this codec be sent on this section now, by what was negotiated?
    pub fn sends(&self, mid: Mid, codec: Codec) -> bool {
        self.lines.get(mid).is_some_and(|line| line.sending && line.pt(codec).is_some())
    }

    /// Codecs that can be sent on this section, in the order of [`Codec::ALL`]; empty if it does not send.
    pub fn sendable_codecs(&self, mid: Mid) -> Vec<Codec> {
        self.lines.get(mid).filter(|line| line.sending).map(Line::codecs).unwrap_or_default()
    }

    /// Queues one media packet; poll for the datagram.
    ///
    /// Sequence numbers and timestamps are the caller's, per section and for its whole life
    /// (see the crate's page).
    ///
    /// # Errors
    /// The packet was not queued, for the reason given; the connection is unharmed.
    pub fn send_rtp(&mut self, mid: Mid, packet: &RtpOut<'_>) -> Result<(), SendError> {
        if !self.is_connected() {
            return Err(SendError::NotConnected);
        }
        let len = packet.payload.len();
        // The engine writes into a buffer of fixed size and would panic beyond it.
        if len > limits::RTP_PAYLOAD_LEN_MAX {
            return Err(SendError::TooLong { len });
        }
        let line =
            self.lines.get_mut(mid).filter(|line| line.sending).ok_or(SendError::NotSending)?;
        let pt = line.pt(packet.codec).ok_or(SendError::CodecNotNegotiated)?;
        let ssrc = line.ssrc.ok_or(SendError::NotSending)?;
        if !line.started && packet.seq >= FIRST_ROLLOVER {
            return Err(SendError::FirstSeq { seq: packet.seq });
        }
        let mut api = self.rtc.direct_api();
        let stream = api.stream_tx(&ssrc).ok_or(SendError::NotSending)?;
        let extensions = ExtensionValues {
            audio_level: packet.audio_level_db,
            voice_activity: packet.voice_activity,
            ..ExtensionValues::default()
        };
        let payload: Arc<[u8]> = packet.payload.into();
        stream.write_rtp(
            RtpWrite::new(pt, packet.seq.into(), packet.timestamp, packet.at, payload)
                .marker(packet.marker)
                .ext_vals(extensions)
                .nackable(packet.nackable),
        );
        line.started = true;
        self.stats.stats.packets_sent += 1;
        self.stats.stats.payload_bytes_sent += len as u64;
        Ok(())
    }

    /// Gives a section a new SSRC, so that sequence numbers and timestamps may start anew.
    ///
    /// The peer learns of it by the next answer or offer, and by the section's name in the packets. For a
    /// section that went inactive and will carry another track; otherwise continuing the numbers is better.
    pub fn reset_sender(&mut self, mid: Mid) {
        let Some(line) = self.lines.get_mut(mid) else { return };
        let Some(old) = line.ssrc else { return };
        let mut api = self.rtc.direct_api();
        let (ssrc, rtx) = (api.new_ssrc(), api.new_ssrc());
        let with_rtx = api.stream_tx(&old).is_some_and(|stream| stream.rtx().is_some());
        // Taken away and made anew: the engine's own reset keeps the stream under its old SSRC, where
        // feedback for the new one does not find it.
        if api.remove_stream_tx(old) {
            api.declare_stream_tx(ssrc, with_rtx.then_some(rtx), line.wire, None);
            line.ssrc = Some(ssrc);
            line.started = false;
        }
    }

    /// Asks the client for a keyframe (PLI) of a section and layer.
    /// Nothing happens for a layer of which no packet was seen yet.
    pub fn request_keyframe(&mut self, mid: Mid, rid: Option<Rid>) {
        let Some(line) = self.lines.get(mid) else { return };
        let rid = rid.map(|rid| rid.0);
        if let Some(stream) = self.rtc.direct_api().stream_rx_by_mid(line.wire, rid) {
            stream.request_keyframe(KeyframeRequestKind::Pli);
        }
    }

    /// Can this channel be written to?
    pub fn channel_open(&self, channel: Channel) -> bool {
        self.channel_id(channel).is_some()
    }

    /// Queues one message.
    ///
    /// # Errors
    /// [`SendError::NotOpen`], [`SendError::TooLong`] or, to be tried later or dropped, [`SendError::Full`].
    pub fn send_data(
        &mut self,
        channel: Channel,
        binary: bool,
        data: &[u8],
    ) -> Result<(), SendError> {
        if data.len() > self.data_message_len_max {
            return Err(SendError::TooLong { len: data.len() });
        }
        let id = self.channel_id(channel).ok_or(SendError::NotOpen)?;
        let mut channel = self.rtc.channel(id).ok_or(SendError::NotOpen)?;
        match channel.write(binary, data) {
            Ok(true) => Ok(()),
            Ok(false) => Err(SendError::Full),
            // The engine refuses what is longer than the peer's `max-message-size`.
            Err(_) => Err(SendError::TooLong { len: data.len() }),
        }
    }
}
