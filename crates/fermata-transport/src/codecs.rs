//! Which codecs and header extensions are negotiated, and the engine's names for them.

use fermata_rtp::Codec;
use fermata_types::MediaKind;
use str0m::format::{Codec as EngineCodec, CodecConfig, FormatParams};
use str0m::media::{Frequency, MediaKind as EngineKind};
use str0m::rtp::{Extension, ExtensionMap};

/// H264: (payload type, its RTX, non-interleaved packetization, profile-level-id), best first.
/// Constrained baseline is what every client decodes; the others are accepted from those that send them.
const H264: [(u8, u8, bool, u32); 7] = [
    (108, 109, true, 0x42_e0_1f),
    (125, 107, false, 0x42_e0_1f),
    (102, 121, true, 0x42_00_1f),
    (104, 105, false, 0x42_00_1f),
    (127, 120, true, 0x4d_00_1f),
    (39, 40, false, 0x4d_00_1f),
    (123, 119, true, 0x64_00_1f),
];

/// Our payload types when we offer; when the client offers, its numbers are taken over.
/// One table for the whole connection: clients expect one payload type to mean one thing over the bundle.
pub(crate) fn configure(config: &mut CodecConfig) {
    config.clear();
    // RED is passed through as it is: in RTP mode the engine neither wraps nor unwraps it.
    config.enable_opus(true, true);
    config.enable_pcmu(true, false);
    config.enable_pcma(true, false);
    let plain = FormatParams::default();
    let hz = Frequency::NINETY_KHZ;
    config.add_config(96.into(), Some(97.into()), EngineCodec::Vp8, hz, None, plain);
    let profile_0 = FormatParams { profile_id: Some(0), ..plain };
    config.add_config(98.into(), Some(99.into()), EngineCodec::Vp9, hz, None, profile_0);
    for (pt, rtx, non_interleaved, profile) in H264 {
        config.add_h264(pt.into(), Some(rtx.into()), non_interleaved, profile);
    }
    let main = FormatParams { profile: Some(0), ..plain };
    config.add_config(35.into(), Some(36.into()), EngineCodec::Av1, hz, None, main);
    // Main profile, main tier, level 6.0: a receiver's capability, not a demand.
    config.add_h265(116.into(), Some(117.into()), 1, 0, 180);
}

/// Header extensions offered or accepted.
pub(crate) fn extensions() -> ExtensionMap {
    let mut map = ExtensionMap::standard();
    map.set(5, Extension::PlayoutDelay);
    map.set(6, Extension::AbsoluteCaptureTime);
    map
}

/// Our name of the engine's codec; `None` for those that are not forwarded.
pub(crate) fn from_engine(codec: EngineCodec) -> Option<Codec> {
    Some(match codec {
        EngineCodec::Opus => Codec::Opus,
        EngineCodec::PCMU => Codec::Pcmu,
        EngineCodec::PCMA => Codec::Pcma,
        EngineCodec::Vp8 => Codec::Vp8,
        EngineCodec::Vp9 => Codec::Vp9,
        EngineCodec::H264 => Codec::H264,
        EngineCodec::H265 => Codec::H265,
        EngineCodec::Av1 => Codec::Av1,
        _ => return None,
    })
}

/// Position of a codec in tables.
pub(crate) fn index(codec: Codec) -> usize {
    match codec {
        Codec::Opus => 0,
        Codec::Red => 1,
        Codec::Pcmu => 2,
        Codec::Pcma => 3,
        Codec::Vp8 => 4,
        Codec::Vp9 => 5,
        Codec::H264 => 6,
        Codec::H265 => 7,
        Codec::Av1 => 8,
    }
}

/// Number of codecs, for tables by [`index`].
pub(crate) const COUNT: usize = 9;

/// The engine's word for a kind.
pub(crate) fn kind_to_engine(kind: MediaKind) -> EngineKind {
    match kind {
        MediaKind::Audio => EngineKind::Audio,
        MediaKind::Video => EngineKind::Video,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn payload_types_are_distinct_and_never_look_like_rtcp() {
        let mut config = CodecConfig::empty();
        configure(&mut config);
        let mut seen = HashSet::new();
        for params in config.params() {
            for pt in [Some(params.pt()), params.resend(), params.red()].into_iter().flatten() {
                assert!(seen.insert(*pt), "{pt} twice");
                // RFC 5761 section 4: with the marker bit these collide with RTCP packet types.
                assert!(*pt < 64 || *pt >= 96, "{pt}");
            }
        }
    }

    #[test]
    fn tables_have_a_place_for_every_codec() {
        let places: HashSet<usize> = Codec::ALL.iter().map(|codec| index(*codec)).collect();
        assert_eq!(places.len(), COUNT);
        assert!(places.iter().all(|place| *place < COUNT));
    }
}
