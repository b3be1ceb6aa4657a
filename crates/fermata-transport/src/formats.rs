//! Which codecs are negotiated, by which payload types we offer them, and what makes two of one codec equal.
//!
//! What it is not: no state; what was agreed on a section is [`crate::negotiation`]'s.

use fermata_rtp::Codec;
use fermata_types::MediaKind;

/// A profile of H264 as far as receivers tell them apart (RFC 6184 section 8.1, table 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum H264Profile {
    ConstrainedBaseline,
    Baseline,
    Main,
    ConstrainedHigh,
    High,
}

impl H264Profile {
    /// By the first two bytes of `profile-level-id`; `None` for profiles that no client sends.
    fn from_id(id: u32) -> Option<Self> {
        let [_, idc, iop, _] = id.to_be_bytes();
        let set = |bit: u8| iop & (0x80 >> bit) != 0;
        match idc {
            0x42 | 0x4d | 0x58 if iop & 0x0f != 0 => None,
            0x42 if set(1) => Some(Self::ConstrainedBaseline),
            0x42 => Some(Self::Baseline),
            0x4d if set(0) => Some(Self::ConstrainedBaseline),
            0x4d if !set(2) => Some(Self::Main),
            0x58 if set(0) && set(1) => Some(Self::ConstrainedBaseline),
            0x58 if set(0) => Some(Self::Baseline),
            0x64 if iop == 0 => Some(Self::High),
            0x64 if iop == 0x0c => Some(Self::ConstrainedHigh),
            _ => None,
        }
    }
}

/// One payload format: a codec with the parameters that tell apart two of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Opus,
    /// Redundant audio around Opus (RFC 2198).
    Red,
    Pcmu,
    Pcma,
    Vp8,
    /// Profile 0 only.
    Vp9,
    H264 {
        /// `packetization-mode=1`.
        non_interleaved: bool,
        /// `profile-level-id`, three bytes.
        id: u32,
    },
    /// Main profile and tier.
    H265 {
        /// `level-id`: thirty times the level.
        level: u8,
    },
    /// Main profile and tier.
    Av1 {
        /// `level-idx`, if it was said.
        level: Option<u8>,
    },
}

/// A payload format under the numbers by which we offer it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ours {
    pub(crate) format: Format,
    pub(crate) pt: u8,
    pub(crate) rtx: Option<u8>,
}

const fn video(format: Format, pt: u8, rtx: u8) -> Ours {
    Ours { format, pt, rtx: Some(rtx) }
}

const fn audio(format: Format, pt: u8) -> Ours {
    Ours { format, pt, rtx: None }
}

const fn h264(pt: u8, rtx: u8, non_interleaved: bool, id: u32) -> Ours {
    video(Format::H264 { non_interleaved, id }, pt, rtx)
}

/// Our level of H265, 6.0: what we pass on is not ours to limit.
const H265_LEVEL: u8 = 180;

/// The level of H265 where none is said, 3.1 (RFC 7798 section 7.1).
const H265_LEVEL_UNSAID: u8 = 93;

/// What is meant where no `profile-level-id` is said. RFC 6184 says baseline of level 1, but what clients mean
/// by saying nothing is what all of them decode.
const H264_ID_UNSAID: u32 = 0x42_e0_1f;

/// What we offer and accept, best first within a codec. One table for the whole connection: clients expect one
/// payload type to mean one thing over the bundle. When the client offers, its numbers are taken over.
///
/// Redundant audio stands before Opus: libwebrtc uses it only then. Of H264, constrained baseline is what every
/// client decodes; the others are accepted from those that send them.
pub(crate) const OURS: [Ours; 15] = [
    audio(Format::Red, 63),
    audio(Format::Opus, 111),
    audio(Format::Pcmu, 0),
    audio(Format::Pcma, 8),
    video(Format::Vp8, 96, 97),
    video(Format::Vp9, 98, 99),
    h264(108, 109, true, 0x42_e0_1f),
    h264(125, 107, false, 0x42_e0_1f),
    h264(102, 121, true, 0x42_00_1f),
    h264(104, 105, false, 0x42_00_1f),
    h264(127, 120, true, 0x4d_00_1f),
    h264(39, 40, false, 0x4d_00_1f),
    h264(123, 119, true, 0x64_00_1f),
    video(Format::Av1 { level: None }, 35, 36),
    video(Format::H265 { level: H265_LEVEL }, 116, 117),
];

impl Format {
    /// Reads an `a=rtpmap` value (`VP8/90000`) with its `a=fmtp` value; `None` for what we do not forward.
    pub(crate) fn read(map: &str, parameters: &str) -> Option<Self> {
        let mut words = map.split('/').map(str::trim);
        let (name, clock) = (words.next()?, words.next()?);
        let channels = words.next().unwrap_or("1");
        let number = |name: &str| parameter(parameters, name);
        let is = |name: &str, value: &str| number(name).is_none_or(|number| number == value);
        let codec = Codec::from_mime(name)?;
        let fits = match codec {
            Codec::Opus | Codec::Red => (clock, channels) == ("48000", "2"),
            Codec::Pcmu | Codec::Pcma => (clock, channels) == ("8000", "1"),
            _ => clock == "90000",
        };
        if !fits {
            return None;
        }
        Some(match codec {
            Codec::Opus => Self::Opus,
            Codec::Red => Self::Red,
            Codec::Pcmu => Self::Pcmu,
            Codec::Pcma => Self::Pcma,
            Codec::Vp8 => Self::Vp8,
            Codec::Vp9 => is("profile-id", "0").then_some(Self::Vp9)?,
            Codec::H264 => h264_of(number("packetization-mode"), number("profile-level-id"))?,
            Codec::H265 => {
                let main = is("profile-id", "1") && is("tier-flag", "0") && is("tx-mode", "SRST");
                let level = number("level-id").map_or(Some(H265_LEVEL_UNSAID), |l| l.parse().ok());
                Self::H265 { level: level.filter(|_| main)? }
            }
            Codec::Av1 => {
                let main = is("profile", "0") && is("tier", "0");
                let level = number("level-idx").map(str::parse).transpose().ok()?;
                main.then_some(Self::Av1 { level })?
            }
        })
    }

    pub(crate) fn codec(self) -> Codec {
        match self {
            Self::Opus => Codec::Opus,
            Self::Red => Codec::Red,
            Self::Pcmu => Codec::Pcmu,
            Self::Pcma => Codec::Pcma,
            Self::Vp8 => Codec::Vp8,
            Self::Vp9 => Codec::Vp9,
            Self::H264 { .. } => Codec::H264,
            Self::H265 { .. } => Codec::H265,
            Self::Av1 { .. } => Codec::Av1,
        }
    }

    pub(crate) fn kind(self) -> MediaKind {
        self.codec().kind()
    }

    /// Its place in [`OURS`]; `None` for a profile that is not there. Levels may differ: we pass on what comes.
    pub(crate) fn rank(self) -> Option<usize> {
        OURS.iter().position(|ours| self.is_one_with(ours.format))
    }

    fn is_one_with(self, other: Self) -> bool {
        match (self, other) {
            (
                Self::H264 { non_interleaved: mode, id },
                Self::H264 { non_interleaved: other_mode, id: other_id },
            ) => {
                mode == other_mode
                    && H264Profile::from_id(id)
                        .is_some_and(|profile| H264Profile::from_id(other_id) == Some(profile))
            }
            (one, other) => one.codec() == other.codec(),
        }
    }

    /// The value of `a=rtpmap` without the number.
    pub(crate) fn map(self) -> &'static str {
        match self {
            Self::Opus => "opus/48000/2",
            Self::Red => "red/48000/2",
            Self::Pcmu => "PCMU/8000",
            Self::Pcma => "PCMA/8000",
            Self::Vp8 => "VP8/90000",
            Self::Vp9 => "VP9/90000",
            Self::H264 { .. } => "H264/90000",
            Self::H265 { .. } => "H265/90000",
            Self::Av1 { .. } => "AV1/90000",
        }
    }

    /// The value of `a=fmtp` without the number; `None` where there is nothing to say, and for redundant audio,
    /// whose parameters are payload types.
    pub(crate) fn parameters(self) -> Option<String> {
        Some(match self {
            Self::Red | Self::Pcmu | Self::Pcma | Self::Vp8 => return None,
            Self::Opus => "minptime=10;useinbandfec=1".to_owned(),
            Self::Vp9 => "profile-id=0".to_owned(),
            Self::H264 { non_interleaved, id } => format!(
                "level-asymmetry-allowed=1;packetization-mode={};profile-level-id={id:06x}",
                u8::from(non_interleaved)
            ),
            Self::H265 { level } => {
                format!("profile-id=1;tier-flag=0;level-id={}", level.min(H265_LEVEL))
            }
            Self::Av1 { level: None } => "profile=0".to_owned(),
            Self::Av1 { level: Some(level) } => format!("level-idx={level};profile=0"),
        })
    }
}

fn h264_of(mode: Option<&str>, id: Option<&str>) -> Option<Format> {
    let non_interleaved = match mode {
        None | Some("0") => false,
        Some("1") => true,
        Some(_) => return None,
    };
    let id = match id {
        None => H264_ID_UNSAID,
        Some(id) if id.len() == 6 => u32::from_str_radix(id, 16).ok()?,
        Some(_) => return None,
    };
    Some(Format::H264 { non_interleaved, id })
}

/// The value of one format parameter; names are compared without regard to case.
pub(crate) fn parameter<'t>(parameters: &'t str, name: &str) -> Option<&'t str> {
    parameters.split(';').find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn payload_types_are_distinct_and_never_look_like_rtcp() {
        let mut seen = HashSet::new();
        for ours in OURS {
            for pt in [Some(ours.pt), ours.rtx].into_iter().flatten() {
                assert!(seen.insert(pt), "{pt} twice");
                // RFC 5761 section 4: with the marker bit these collide with RTCP packet types.
                assert!(!(64..96).contains(&pt), "{pt}");
            }
        }
    }

    #[test]
    fn what_we_write_we_read_as_the_same() {
        for ours in OURS {
            let parameters = ours.format.parameters().unwrap_or_default();
            let read = Format::read(ours.format.map(), &parameters);
            assert_eq!(read, Some(ours.format));
            assert_eq!(read.and_then(Format::rank).map(|at| OURS[at]), Some(ours));
        }
        let codecs: HashSet<Codec> = OURS.iter().map(|ours| ours.format.codec()).collect();
        assert_eq!(codecs.len(), Codec::ALL.len(), "every codec has a place");
    }

    #[test]
    fn formats_are_told_apart_by_profile_and_packetization_alone() {
        let place = |map: &str, parameters: &str| {
            Format::read(map, parameters).and_then(Format::rank).map(|at| OURS[at].pt)
        };
        for (map, parameters, pt) in [
            ("opus/48000/2", "stereo=1", Some(111)),
            ("OPUS/48000/2", "", Some(111)),
            ("opus/48000", "", None),
            ("red/48000/2", "111/111", Some(63)),
            ("red/90000", "", None),
            ("PCMU/8000", "", Some(0)),
            ("PCMU/16000", "", None),
            ("G722/8000", "", None),
            ("VP8/90000", "max-fs=12288;max-fr=60", Some(96)),
            ("vp9/90000", "", Some(98)),
            ("VP9/90000", "profile-id=2", None),
            ("H264/90000", "", Some(125)),
            ("H264/90000", "packetization-mode=1", Some(108)),
            ("H264/90000", "packetization-mode=1;profile-level-id=42e034", Some(108)),
            ("H264/90000", "profile-level-id=4D8028; Packetization-Mode=1", Some(108)),
            ("H264/90000", "packetization-mode=1;profile-level-id=42001f", Some(102)),
            ("H264/90000", "packetization-mode=1;profile-level-id=4d0032", Some(127)),
            ("H264/90000", "packetization-mode=1;profile-level-id=640c1f", None),
            ("H264/90000", "packetization-mode=0;profile-level-id=64001f", None),
            ("H264/90000", "packetization-mode=2", None),
            ("H264/90000", "profile-level-id=42e0", None),
            ("H264/90000", "profile-level-id=42e01g", None),
            ("H265/90000", "", Some(116)),
            ("H265/90000", "profile-id=2", None),
            ("H265/90000", "level-id=156;tx-mode=SRST", Some(116)),
            ("AV1/90000", "level-idx=5;profile=0;tier=0", Some(35)),
            ("AV1/90000", "profile=1", None),
            ("rtx/90000", "apt=96", None),
            ("VP8", "", None),
            ("", "", None),
        ] {
            assert_eq!(place(map, parameters), pt, "{map} {parameters}");
        }
    }
}
