//! The RTP header extensions we negotiate, by their URIs (RFC 8285 section 5).
//!
//! Others are left unanswered on purpose: what is not forwarded must not be agreed. A client that thinks the
//! receivers learn a video's orientation from an extension, for example, no longer turns the picture itself.

use fermata_rtp::dependency;
use fermata_types::MediaKind;

use crate::parts::ExtensionIds;

/// Ids of the one-byte form (RFC 8285 section 4.2); 15 is reserved.
const ID_MAX: u8 = 14;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extension {
    AudioLevel,
    AbsSendTime,
    TransportCc,
    Mid,
    Rid,
    RepairedRid,
    Dependency,
}

/// Which way media goes on a section, from our point of view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ways {
    pub(crate) sending: bool,
    pub(crate) receiving: bool,
}

impl Extension {
    pub(crate) const ALL: [Self; 7] = [
        Self::AudioLevel,
        Self::AbsSendTime,
        Self::TransportCc,
        Self::Mid,
        Self::Rid,
        Self::RepairedRid,
        Self::Dependency,
    ];

    pub(crate) fn uri(self) -> &'static str {
        match self {
            Self::AudioLevel => "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
            Self::AbsSendTime => "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
            Self::TransportCc => {
                "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
            }
            Self::Mid => "urn:ietf:params:rtp-hdrext:sdes:mid",
            Self::Rid => "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
            Self::RepairedRid => "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
            Self::Dependency => dependency::URI,
        }
    }

    /// The id under which we offer it.
    pub(crate) fn our_id(self) -> u8 {
        match self {
            Self::AudioLevel => 1,
            Self::AbsSendTime => 2,
            Self::TransportCc => 3,
            Self::Mid => 4,
            Self::Rid => 10,
            Self::RepairedRid => 11,
            Self::Dependency => 12,
        }
    }

    /// Is it of use on such a section? Layers are named only by those who send several; the send time is for
    /// receivers that estimate themselves, which we are not.
    pub(crate) fn serves(self, kind: MediaKind, ways: Ways) -> bool {
        match self {
            Self::AudioLevel => kind == MediaKind::Audio,
            Self::Mid | Self::TransportCc => true,
            Self::AbsSendTime => ways.sending,
            Self::Rid | Self::RepairedRid => ways.receiving && kind == MediaKind::Video,
            Self::Dependency => kind == MediaKind::Video,
        }
    }

    pub(crate) fn id_in(self, ids: &ExtensionIds) -> Option<u8> {
        match self {
            Self::AudioLevel => ids.audio_level,
            Self::AbsSendTime => ids.abs_send_time,
            Self::TransportCc => ids.transport_cc,
            Self::Mid => ids.mid,
            Self::Rid => ids.rid,
            Self::RepairedRid => ids.repaired_rid,
            Self::Dependency => ids.dependency,
        }
    }

    pub(crate) fn set_in(self, ids: &mut ExtensionIds, id: u8) {
        let place = match self {
            Self::AudioLevel => &mut ids.audio_level,
            Self::AbsSendTime => &mut ids.abs_send_time,
            Self::TransportCc => &mut ids.transport_cc,
            Self::Mid => &mut ids.mid,
            Self::Rid => &mut ids.rid,
            Self::RepairedRid => &mut ids.repaired_rid,
            Self::Dependency => &mut ids.dependency,
        };
        *place = Some(id);
    }

    /// Which of them has this id.
    pub(crate) fn by_id(ids: &ExtensionIds, id: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|extension| extension.id_in(ids) == Some(id))
    }

    /// Reads an `a=extmap` value (RFC 8285 section 8); `None` for those that are not ours to use.
    pub(crate) fn read(value: &str) -> Option<(u8, Self)> {
        let mut words = value.split_ascii_whitespace();
        let id = words.next()?;
        // A direction may follow the id; who says one means the usual.
        let id: u8 = id.split_once('/').map_or(id, |(id, _)| id).parse().ok()?;
        let uri = words.next()?;
        let extension = Self::ALL.into_iter().find(|extension| extension.uri() == uri)?;
        // Only one of them comes in the two-byte form, where ids go on.
        let max = if extension == Self::Dependency { u8::MAX } else { ID_MAX };
        (1..=max).contains(&id).then_some((id, extension))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_extension_is_read_back_under_an_id_of_its_own() {
        let mut ids = ExtensionIds::default();
        for extension in Extension::ALL {
            let value = format!("{} {}", extension.our_id(), extension.uri());
            assert_eq!(Extension::read(&value), Some((extension.our_id(), extension)));
            assert_eq!(Extension::by_id(&ids, extension.our_id()), None);
            extension.set_in(&mut ids, extension.our_id());
            assert_eq!(Extension::by_id(&ids, extension.our_id()), Some(extension));
        }
        for (value, read) in [
            ("1/recvonly urn:ietf:params:rtp-hdrext:ssrc-audio-level vad=on", Some(1)),
            ("0 urn:ietf:params:rtp-hdrext:sdes:mid", None),
            ("15 urn:ietf:params:rtp-hdrext:sdes:mid", None),
            ("300 urn:ietf:params:rtp-hdrext:sdes:mid", None),
            ("4 urn:3gpp:video-orientation", None),
            (
                concat!(
                    "255 https://aomediacodec.github.io/av1-rtp-spec/",
                    "#dependency-descriptor-rtp-header-extension"
                ),
                Some(255),
            ),
            ("4", None),
            ("", None),
        ] {
            assert_eq!(Extension::read(value).map(|(id, _)| id), read, "{value}");
        }
    }
}
