//! The size that counts where the picture's own is hidden by end-to-end encryption.
//!
//! The declared size counts. It is taken to be false when the stream is far richer than pictures of that
//! size ever need: [`BITS_PER_PIXEL`] is what usual encoder settings spend on one pixel of one picture, and
//! only a rate of more than [`CONTRADICTION_FACTOR`] times that contradicts. Small pictures spend more on a
//! pixel (160 x 90 at 20 pictures a second is usually sent at 90 kb/s, 0.31 bits a pixel), hence the wide
//! factor and [`FLOOR_BPS`].

use fermata_rtp::FrameSize;

/// Bits that one pixel of one picture usually takes; 720p30 at 2.8 Mb/s. Common settings lie below it
/// from 360p upwards.
const BITS_PER_PIXEL: f64 = 0.1;

/// How many times [`BITS_PER_PIXEL`] a stream must take to contradict its declaration.
const CONTRADICTION_FACTOR: f64 = 6.0;

/// No rate up to this contradicts anything.
const FLOOR_BPS: u64 = 400_000;

/// Counts where nothing was declared and nothing is to be seen: 1280 x 720, the most of the lowest tier.
pub(super) const AREA_UNKNOWN: u64 = 1280 * 720;

/// Picture rate assumed while it is not measured, and never assumed to be less than [`FPS_MIN`].
const FPS_ASSUMED: f64 = 30.0;
const FPS_MIN: f64 = 5.0;

/// Greatest areas of the tiers below the highest, as in [`fermata_types::Tier::of_area`].
const TIER_BOUNDS: [u64; 3] = [921_600, 2_073_600, 3_686_400];

/// A declared size, judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Declared {
    /// Pixels that count.
    pub area: u64,
    /// The bitrate contradicts the declaration, and it was raised by one tier; to be logged.
    pub contradicted: bool,
}

/// Judges a declaration against a measured rate (bits per second) and picture rate (0 = not measured).
/// A contradicted one is raised to the least area of the tier above its own.
pub fn counted_area(declared: Option<FrameSize>, bitrate_bps: u64, fps: f64) -> Declared {
    let area = declared.map_or(AREA_UNKNOWN, FrameSize::area);
    let fps = if fps > 0.0 { fps.max(FPS_MIN) } else { FPS_ASSUMED };
    #[expect(clippy::cast_precision_loss, reason = "areas and rates are far below 2^52")]
    let (pixels, rate) = (area as f64, bitrate_bps as f64);
    let plausible = pixels * fps * BITS_PER_PIXEL * CONTRADICTION_FACTOR;
    if bitrate_bps <= FLOOR_BPS || rate <= plausible {
        return Declared { area, contradicted: false };
    }
    let raised = TIER_BOUNDS.iter().find(|bound| area <= **bound).map_or(area, |bound| bound + 1);
    Declared { area: raised, contradicted: true }
}

#[cfg(test)]
mod tests {
    use fermata_types::Tier;

    use super::*;

    #[test]
    fn usual_settings_contradict_nothing() {
        let rows = [
            (160, 90, 90_000, 20.0),
            (320, 180, 160_000, 20.0),
            (640, 360, 450_000, 20.0),
            (640, 360, 800_000, 25.0),
            (960, 540, 1_200_000, 25.0),
            (1280, 720, 2_500_000, 30.0),
            (1920, 1080, 8_000_000, 30.0),
            (1920, 1080, 2_500_000, 5.0),
            (640, 360, 200_000, 3.0),
        ];
        for (width, height, rate, fps) in rows {
            let judged = counted_area(FrameSize::new(width, height), rate, fps);
            assert!(!judged.contradicted, "{width}x{height} at {rate}");
            assert_eq!(judged.area, u64::from(width * height));
        }
    }

    #[test]
    fn far_too_rich_streams_are_raised_by_one_tier() {
        let rows = [
            (160, 90, 2_000_000, Tier::VideoFhd),
            (320, 180, 3_000_000, Tier::VideoFhd),
            (1280, 720, 30_000_000, Tier::VideoFhd),
            (1920, 1080, 50_000_000, Tier::Video2k),
            (2560, 1440, 99_000_000, Tier::Video4k),
            (3840, 2160, 999_000_000, Tier::Video4k),
        ];
        for (width, height, rate, tier) in rows {
            let judged = counted_area(FrameSize::new(width, height), rate, 30.0);
            assert!(judged.contradicted, "{width}x{height} at {rate}");
            assert_eq!(Tier::of_area(judged.area), tier, "{width}x{height}");
        }
        assert_eq!(counted_area(None, 0, 0.0).area, AREA_UNKNOWN);
    }

    #[test]
    fn bounds_are_those_of_the_tiers() {
        for bound in TIER_BOUNDS {
            assert!(Tier::of_area(bound) < Tier::of_area(bound + 1));
        }
    }
}
