//! The codecs that are forwarded, by their names in SDP and in track announcements.

use fermata_types::MediaKind;

/// What an RTP payload holds. Profiles and other parameters are the business of negotiation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// RFC 7587.
    Opus,
    /// Redundant audio, RFC 2198, around Opus.
    Red,
    /// G.711 mu-law, RFC 3551 section 4.5.14.
    Pcmu,
    /// G.711 A-law, RFC 3551 section 4.5.14.
    Pcma,
    /// RFC 7741.
    Vp8,
    /// RFC 9628.
    Vp9,
    /// RFC 6184.
    H264,
    /// RFC 7798.
    H265,
    /// "RTP Payload Format For AV1" 1.0.
    Av1,
}

impl Codec {
    /// Every codec.
    pub const ALL: &'static [Self] = &[
        Self::Opus,
        Self::Red,
        Self::Pcmu,
        Self::Pcma,
        Self::Vp8,
        Self::Vp9,
        Self::H264,
        Self::H265,
        Self::Av1,
    ];

    /// Audio or video.
    pub fn kind(self) -> MediaKind {
        match self {
            Self::Opus | Self::Red | Self::Pcmu | Self::Pcma => MediaKind::Audio,
            Self::Vp8 | Self::Vp9 | Self::H264 | Self::H265 | Self::Av1 => MediaKind::Video,
        }
    }

    /// RTP clock rate, ticks per second.
    pub fn clock_rate_hz(self) -> u32 {
        match self {
            Self::Opus | Self::Red => 48_000,
            Self::Pcmu | Self::Pcma => 8_000,
            Self::Vp8 | Self::Vp9 | Self::H264 | Self::H265 | Self::Av1 => 90_000,
        }
    }

    /// Encoding name as the field writes it in `a=rtpmap`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Opus => "opus",
            Self::Red => "red",
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::Vp8 => "VP8",
            Self::Vp9 => "VP9",
            Self::H264 => "H264",
            Self::H265 => "H265",
            Self::Av1 => "AV1",
        }
    }

    /// Media type, for example `video/VP8`.
    pub fn mime(self) -> &'static str {
        match self {
            Self::Opus => "audio/opus",
            Self::Red => "audio/red",
            Self::Pcmu => "audio/PCMU",
            Self::Pcma => "audio/PCMA",
            Self::Vp8 => "video/VP8",
            Self::Vp9 => "video/VP9",
            Self::H264 => "video/H264",
            Self::H265 => "video/H265",
            Self::Av1 => "video/AV1",
        }
    }

    /// The codec of a media type or of a bare encoding name, in any case; `None` for others.
    pub fn from_mime(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|codec| {
            codec.mime().eq_ignore_ascii_case(text) || codec.name().eq_ignore_ascii_case(text)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_in_any_case() {
        for codec in Codec::ALL {
            assert_eq!(Codec::from_mime(codec.mime()), Some(*codec));
            assert_eq!(Codec::from_mime(&codec.mime().to_uppercase()), Some(*codec));
            assert_eq!(Codec::from_mime(&codec.name().to_lowercase()), Some(*codec));
        }
        for text in ["", "video/opus", "audio/VP8", "text/red", "video/", "rtx", "video/VP8/90000"]
        {
            assert_eq!(Codec::from_mime(text), None, "{text}");
        }
    }
}
