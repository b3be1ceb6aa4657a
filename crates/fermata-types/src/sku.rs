//! What minutes are sold as. The rule for the tier of a second stands here and nowhere else.

use serde::{Deserialize, Serialize};

use crate::{Role, Scene};

/// What one user receives during one second, from cheapest to dearest; the order is the merge order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// In the room, no video received (alone or only publishing counts too).
    Audio,
    /// Up to 921,600 pixels in sum.
    VideoHd,
    /// Up to 2,073,600.
    VideoFhd,
    /// Up to 3,686,400.
    Video2k,
    /// Above.
    Video4k,
}

impl Tier {
    /// Tier of the summed pixel area of all video a user receives at one moment.
    /// Bounds are inclusive; no area means [`Tier::Audio`]; above 4K is 4K.
    pub fn of_area(pixels: u64) -> Self {
        match pixels {
            0 => Self::Audio,
            1..=921_600 => Self::VideoHd,
            921_601..=2_073_600 => Self::VideoFhd,
            2_073_601..=3_686_400 => Self::Video2k,
            _ => Self::Video4k,
        }
    }
}

macro_rules! skus {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        /// A kind of minutes with a price of its own.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Sku { $($(#[$doc])* #[serde(rename = $code)] $name,)* }

        impl Sku {
            /// Every SKU, in the order of the price list.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The stable code in tables, APIs and bills.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The SKU of a code, if there is one.
            pub fn from_code(code: &str) -> Option<Self> {
                match code { $($code => Some(Self::$name),)* _ => None }
            }
        }
    };
}

skus! {
    /// Interactive audio, also of live anchors.
    Audio = "audio",
    /// Interactive HD video.
    VideoHd = "video_hd",
    /// Interactive full-HD video.
    VideoFhd = "video_fhd",
    /// Interactive 2K video.
    Video2k = "video_2k",
    /// Interactive 4K video.
    Video4k = "video_4k",
    /// Audio of a live room's audience.
    LiveAudienceAudio = "live_audience_audio",
    /// HD video of a live room's audience.
    LiveAudienceVideoHd = "live_audience_video_hd",
    /// Full-HD video of a live room's audience.
    LiveAudienceVideoFhd = "live_audience_video_fhd",
    /// 2K video of a live room's audience.
    LiveAudienceVideo2k = "live_audience_video_2k",
    /// 4K video of a live room's audience.
    LiveAudienceVideo4k = "live_audience_video_4k",
    /// Cloud recording of audio.
    RecordAudio = "record_audio",
    /// Cloud recording of HD video.
    RecordVideoHd = "record_video_hd",
    /// Cloud recording of full-HD video.
    RecordVideoFhd = "record_video_fhd",
    /// Cloud recording of 2K video.
    RecordVideo2k = "record_video_2k",
    /// Cloud recording of 4K video.
    RecordVideo4k = "record_video_4k",
    /// Mix transcoding to audio.
    MixAudio = "mix_audio",
    /// Mix transcoding to HD video.
    MixVideoHd = "mix_video_hd",
    /// Mix transcoding to full-HD video.
    MixVideoFhd = "mix_video_fhd",
    /// Mix transcoding to 2K video.
    MixVideo2k = "mix_video_2k",
    /// Mix transcoding to 4K video.
    MixVideo4k = "mix_video_4k",
    /// Recording of a web page at HD.
    WebRecordHd = "web_record_hd",
    /// Recording of a web page at full HD.
    WebRecordFhd = "web_record_fhd",
    /// Relay of a stream to a CDN.
    Relay = "relay",
}

/// What is counted in minutes: the time of a person in a room, or the run of a task.
///
/// Within one kind the seconds of a stay or task never overlap: its SKUs are tiers of the same second
/// (billing P25).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SkuKind {
    /// A user in a room, interactive or as live audience.
    Room,
    /// Cloud recording.
    Record,
    /// Mix transcoding.
    Mix,
    /// Recording of a web page.
    WebRecord,
    /// Relay to a CDN.
    Relay,
}

impl Sku {
    /// What is counted in minutes of this SKU.
    pub fn kind(self) -> SkuKind {
        match self {
            Self::Audio
            | Self::VideoHd
            | Self::VideoFhd
            | Self::Video2k
            | Self::Video4k
            | Self::LiveAudienceAudio
            | Self::LiveAudienceVideoHd
            | Self::LiveAudienceVideoFhd
            | Self::LiveAudienceVideo2k
            | Self::LiveAudienceVideo4k => SkuKind::Room,
            Self::RecordAudio
            | Self::RecordVideoHd
            | Self::RecordVideoFhd
            | Self::RecordVideo2k
            | Self::RecordVideo4k => SkuKind::Record,
            Self::MixAudio
            | Self::MixVideoHd
            | Self::MixVideoFhd
            | Self::MixVideo2k
            | Self::MixVideo4k => SkuKind::Mix,
            Self::WebRecordHd | Self::WebRecordFhd => SkuKind::WebRecord,
            Self::Relay => SkuKind::Relay,
        }
    }

    /// The SKU of a second spent at `tier` by a user with `role` in a room of `scene`.
    /// Only the audience of live rooms is cheaper.
    pub fn of(scene: Scene, role: Role, tier: Tier) -> Self {
        match (scene, role) {
            (Scene::Live, Role::Audience) => match tier {
                Tier::Audio => Self::LiveAudienceAudio,
                Tier::VideoHd => Self::LiveAudienceVideoHd,
                Tier::VideoFhd => Self::LiveAudienceVideoFhd,
                Tier::Video2k => Self::LiveAudienceVideo2k,
                Tier::Video4k => Self::LiveAudienceVideo4k,
            },
            _ => match tier {
                Tier::Audio => Self::Audio,
                Tier::VideoHd => Self::VideoHd,
                Tier::VideoFhd => Self::VideoFhd,
                Tier::Video2k => Self::Video2k,
                Tier::Video4k => Self::Video4k,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_inclusive() {
        let rows = [
            (0, Tier::Audio),
            (1, Tier::VideoHd),
            (1280 * 720, Tier::VideoHd),
            (1280 * 720 + 1, Tier::VideoFhd),
            (1920 * 1080, Tier::VideoFhd),
            (2560 * 1440, Tier::Video2k),
            (2560 * 1440 + 1, Tier::Video4k),
            (u64::MAX, Tier::Video4k),
        ];
        for (area, tier) in rows {
            assert_eq!(Tier::of_area(area), tier, "{area}");
        }
    }

    #[test]
    fn codes_are_unique_and_read_back() {
        for sku in Sku::ALL {
            assert_eq!(Sku::from_code(sku.code()), Some(*sku));
        }
        assert_eq!(Sku::from_code("Audio"), None);
        assert_eq!(Sku::from_code(""), None);
    }

    #[test]
    fn the_price_list_is_complete() {
        let tiers = ["audio", "video_hd", "video_fhd", "video_2k", "video_4k"];
        let mut expected: Vec<String> = ["", "live_audience_", "record_", "mix_"]
            .iter()
            .flat_map(|prefix| tiers.map(|tier| format!("{prefix}{tier}")))
            .collect();
        expected.extend(["web_record_hd", "web_record_fhd", "relay"].map(String::from));
        let codes: Vec<&str> = Sku::ALL.iter().map(|sku| sku.code()).collect();
        assert_eq!(codes, expected);
    }

    #[test]
    fn the_kind_of_a_sku_is_the_prefix_of_its_code() {
        for sku in Sku::ALL {
            let code = sku.code();
            let kind = match code.split('_').next() {
                Some("record") => SkuKind::Record,
                Some("mix") => SkuKind::Mix,
                Some("web") => SkuKind::WebRecord,
                Some("relay") => SkuKind::Relay,
                _ => SkuKind::Room,
            };
            assert_eq!(sku.kind(), kind, "{code}");
        }
    }

    #[test]
    fn seconds_in_a_room_are_never_task_minutes() {
        for scene in [Scene::Call, Scene::Live] {
            for role in [Role::Anchor, Role::Audience] {
                for area in [0, 1, 1_000_000, 3_000_000, 9_000_000] {
                    let sku = Sku::of(scene, role, Tier::of_area(area));
                    assert_eq!(sku.kind(), SkuKind::Room, "{}", sku.code());
                }
            }
        }
    }
}
