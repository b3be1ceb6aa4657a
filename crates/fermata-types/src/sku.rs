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
}

impl Sku {
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
    }
}
