//! Contents of the header extensions that a server reads or writes.

/// URI of the extension for audio levels, RFC 6464.
pub const AUDIO_LEVEL_URI: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";

/// URI of the transport-wide sequence number.
pub const TRANSPORT_CC_URI: &str =
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";

/// URI of the absolute send time.
pub const ABS_SEND_TIME_URI: &str = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time";

/// URI of the section's name, RFC 9143.
pub const MID_URI: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";

/// URI of the layer's name, RFC 8852.
pub const RID_URI: &str = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";

/// URI of the layer's name on its retransmissions, RFC 8852.
pub const REPAIRED_RID_URI: &str = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id";

/// Audio level, RFC 6464: -127 to 0 dBov, and whether the sender hears a voice.
pub fn audio_level(content: &[u8]) -> Option<(i8, bool)> {
    let byte = content.first()?;
    Some((-(byte & 0x7f).cast_signed(), byte & 0x80 != 0))
}

/// Content of an audio level extension; levels above 0 dBov are written as 0.
pub fn write_audio_level(level_db: i8, voice: bool) -> [u8; 1] {
    let level = level_db.min(0).unsigned_abs().min(127);
    [u8::from(voice) << 7 | level]
}

/// Transport-wide sequence number.
pub fn transport_cc(content: &[u8]) -> Option<u16> {
    content.first_chunk().copied().map(u16::from_be_bytes)
}

/// Text of a MID, RID or repaired RID: 1 to 255 visible ASCII characters, as SDP could have named it.
pub fn text(content: &[u8]) -> Option<&str> {
    let fine = !content.is_empty() && content.iter().all(u8::is_ascii_graphic);
    std::str::from_utf8(content).ok().filter(|_| fine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audio_levels_are_minus_dbov() {
        for (byte, level, voice) in [(0x80, 0, true), (0x14, -20, false), (0xff, -127, true)] {
            assert_eq!(audio_level(&[byte]), Some((level, voice)));
            assert_eq!(write_audio_level(level, voice), [byte]);
        }
        assert_eq!(audio_level(&[]), None);
        assert_eq!(write_audio_level(5, false), [0]);
        assert_eq!(write_audio_level(i8::MIN, false), [127]);
    }

    #[test]
    fn names_and_numbers() {
        assert_eq!(transport_cc(&[0x12, 0x34]), Some(0x1234));
        assert_eq!(transport_cc(&[0x12]), None);
        let rows: &[(&[u8], Option<&str>)] =
            &[(b"q", Some("q")), (b"", None), (b"a b", None), (b"a\0", None), (&[0xff], None)];
        for (content, expected) in rows {
            assert_eq!(text(content), *expected, "{content:02x?}");
        }
    }
}
