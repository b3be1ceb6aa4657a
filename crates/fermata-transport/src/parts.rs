//! What the parts of a connection hand to each other: the outcome of a negotiation, and names shared by all.
//!
//! What it is: plain data. What it is not: no behaviour beyond looking something up.

use fermata_rtp::Codec;
use fermata_types::MediaKind;

use crate::id::{Mid, Rid};

/// ICE credentials of one end (RFC 8839 section 5.4).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Credentials {
    /// User fragment, 4 to 256 characters.
    pub(crate) ufrag: String,
    /// Password, 22 to 256 characters.
    pub(crate) pwd: String,
}

/// Who begins the DTLS handshake (RFC 5763 section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Sends the first message: the DTLS client.
    Active,
    /// Waits for it: the DTLS server.
    Passive,
}

/// What the peer said of its transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remote {
    /// Its ICE credentials. Changed by an ICE restart.
    pub(crate) credentials: Credentials,
    /// SHA-256 of its DTLS certificate. Never changes.
    pub(crate) fingerprint: [u8; 32],
    /// Our own role in the DTLS handshake. Never changes.
    pub(crate) our_role: Role,
}

/// One payload type agreed on a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Payload {
    /// What it holds.
    pub(crate) codec: Codec,
    /// Its number, 0 to 127, the same both ways.
    pub(crate) pt: u8,
    /// The number of its retransmissions (RFC 4588), if they were agreed.
    pub(crate) rtx: Option<u8>,
}

/// Header extension ids of those agreed, 1 to 14 where nothing else is said (RFC 8285).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ExtensionIds {
    /// `sdes:mid` (RFC 9143).
    pub(crate) mid: Option<u8>,
    /// `sdes:rtp-stream-id` (RFC 8852).
    pub(crate) rid: Option<u8>,
    /// `sdes:repaired-rtp-stream-id` (RFC 8852).
    pub(crate) repaired_rid: Option<u8>,
    /// Transport-wide sequence numbers.
    pub(crate) transport_cc: Option<u8>,
    /// Absolute send time.
    pub(crate) abs_send_time: Option<u8>,
    /// Audio level (RFC 6464).
    pub(crate) audio_level: Option<u8>,
    /// Dependency descriptor ("RTP Payload Format For AV1", appendix A); up to 255.
    pub(crate) dependency: Option<u8>,
}

/// Feedback agreed on a section (RFC 4585): what its receiver may send.
#[expect(clippy::struct_excessive_bools, reason = "each is agreed by itself")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Feedback {
    /// Generic NACK.
    pub(crate) nack: bool,
    /// Picture loss indication.
    pub(crate) pli: bool,
    /// Full intra request (RFC 5104).
    pub(crate) fir: bool,
    /// Transport-wide congestion control; set only where the header extension is agreed too.
    pub(crate) transport_cc: bool,
    /// Receiver estimated maximum bitrate.
    pub(crate) remb: bool,
}

/// A stream that the peer announced by its SSRC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RemoteSsrc {
    /// The media stream.
    pub(crate) ssrc: u32,
    /// Its retransmissions (`a=ssrc-group:FID`, RFC 5576).
    pub(crate) rtx: Option<u32>,
}

/// One audio or video section as it stands after a negotiation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is agreed or said by itself")]
pub(crate) struct LineConfig {
    /// Its name, the same in SDP, in packets and in our calls.
    pub(crate) mid: Mid,
    /// Audio or video.
    pub(crate) kind: MediaKind,
    /// We may send here.
    pub(crate) sending: bool,
    /// The peer may send here.
    pub(crate) receiving: bool,
    /// Switched off for good by either end; neither sends nor receives.
    pub(crate) rejected: bool,
    /// What was agreed, in our order of preference: to send, take the first of the codec;
    /// to receive, the one of the packet's number. Empty where nothing is agreed (yet).
    pub(crate) payloads: Vec<Payload>,
    /// Extensions agreed on this section, a part of [`Negotiated::extensions`].
    pub(crate) extensions: ExtensionIds,
    /// The peer takes both forms of header extensions (`a=extmap-allow-mixed`, RFC 8285 section 6).
    pub(crate) mixed: bool,
    /// Feedback agreed.
    pub(crate) feedback: Feedback,
    /// Simulcast layers that the peer announced to send, in its order; empty without simulcast.
    pub(crate) rids: Vec<Rid>,
    /// Streams that the peer announced by SSRC; empty with simulcast, where layers name themselves.
    pub(crate) remote_ssrcs: Vec<RemoteSsrc>,
    /// Our SSRC once there is one; it stays until `reset_sender`.
    pub(crate) local_ssrc: Option<u32>,
    /// The SSRC of our retransmissions, if any were offered; used for payloads with a number for them.
    pub(crate) local_rtx_ssrc: Option<u32>,
}

#[cfg(test)]
impl LineConfig {
    /// How to send this codec here.
    pub(crate) fn payload(&self, codec: Codec) -> Option<Payload> {
        self.payloads.iter().copied().find(|payload| payload.codec == codec)
    }
}

/// Data channels as negotiated (RFC 8841).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SctpConfig {
    /// The peer's port.
    pub(crate) remote_port: u16,
    /// Longest message the peer takes, bytes.
    pub(crate) remote_message_len_max: usize,
}

/// Everything negotiated so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Negotiated {
    /// Rises with every change of anything below.
    pub(crate) version: u64,
    /// `None` before the first offer or answer of the peer.
    pub(crate) remote: Option<Remote>,
    /// Audio and video sections in the order of the SDP, those still unanswered with them (they neither send
    /// nor receive). A section keeps its place for ever; a recycled place has a new name.
    pub(crate) lines: Vec<LineConfig>,
    /// `None` without data channels.
    pub(crate) sctp: Option<SctpConfig>,
    /// Ids that stand for one thing on the whole connection; to name the section of a packet, use `mid` of these.
    pub(crate) extensions: ExtensionIds,
    /// Our canonical name in RTCP (RFC 3550 section 6.5.1), one for all streams of the connection.
    pub(crate) cname: String,
}

impl Negotiated {
    /// A section by its name.
    pub(crate) fn line(&self, mid: Mid) -> Option<&LineConfig> {
        self.lines.iter().find(|line| line.mid == mid)
    }
}
