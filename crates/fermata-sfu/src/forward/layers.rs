//! Names and wishes: layers, qualities, what a subscriber asked for.

use fermata_rtp::FrameSize;
use livekit_protocol as lk;

/// Which encoding of a track, from the smallest (0) upwards; at most
/// [`LAYERS_MAX`](super::limits::LAYERS_MAX) of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LayerIndex(pub u8);

/// The protocol's video qualities without "off", in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quality {
    /// Smallest.
    Low,
    /// Middle.
    Medium,
    /// Largest; also the only one of a track with one layer.
    High,
}

impl Quality {
    /// All, in order.
    pub const ALL: [Self; 3] = [Self::Low, Self::Medium, Self::High];

    /// From the protocol's number; `None` for "off" and unknown ones.
    pub fn from_lk(value: i32) -> Option<Self> {
        match lk::VideoQuality::try_from(value) {
            Ok(lk::VideoQuality::Low) => Some(Self::Low),
            Ok(lk::VideoQuality::Medium) => Some(Self::Medium),
            Ok(lk::VideoQuality::High) => Some(Self::High),
            Ok(lk::VideoQuality::Off) | Err(_) => None,
        }
    }

    /// As the protocol names it.
    pub fn to_lk(self) -> lk::VideoQuality {
        match self {
            Self::Low => lk::VideoQuality::Low,
            Self::Medium => lk::VideoQuality::Medium,
            Self::High => lk::VideoQuality::High,
        }
    }
}

/// What a publisher declared about one layer (`lk::VideoLayer`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerSpec {
    /// Which quality it serves.
    pub quality: Quality,
    /// Its restriction identifier, empty if not said.
    pub rid: String,
    /// Declared size; absent if zero.
    pub size: Option<FrameSize>,
    /// Declared rate, bits per second; 0 = not said.
    pub bitrate_bps: u32,
}

impl LayerSpec {
    /// Reads a declared layer; `None` if its quality is none.
    pub fn from_lk(layer: &lk::VideoLayer) -> Option<Self> {
        Some(Self {
            quality: Quality::from_lk(layer.quality)?,
            rid: layer.rid.clone(),
            size: FrameSize::new(layer.width, layer.height),
            bitrate_bps: layer.bitrate,
        })
    }
}

/// What a subscriber wants of a track (`lk::UpdateTrackSettings`), later messages replacing earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Send nothing.
    pub disabled: bool,
    /// Highest quality wanted. Used only where no size is given.
    pub quality: Quality,
    /// Visible size; the smallest layer that covers it is sent.
    pub size: Option<FrameSize>,
    /// Most pictures a second; 0 = as they come.
    pub fps: u32,
    /// What goes first where there is not room for everything: 1 before 2 and so on; 0 = not said.
    pub priority: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { disabled: false, quality: Quality::High, size: None, fps: 0, priority: 0 }
    }
}

impl Settings {
    /// Reads a client's wishes. "Off" as a quality is the same as disabled.
    pub fn from_lk(settings: &lk::UpdateTrackSettings) -> Self {
        let quality = Quality::from_lk(settings.quality);
        Self {
            disabled: settings.disabled || quality.is_none(),
            quality: quality.unwrap_or(Quality::Low),
            size: FrameSize::new(settings.width, settings.height),
            fps: settings.fps,
            priority: settings.priority,
        }
    }
}
