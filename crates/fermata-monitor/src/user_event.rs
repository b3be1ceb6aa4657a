//! What a user's list of events shows, and by which numbers the vendor's answer tells it.
//!
//! The vendor's table of event ids is about its own client; what we know of clients maps onto a few rows of it.
//! What it has no row for has an id of ours, from 9001 on.

use fermata_types::Media;
use serde::{Deserialize, Serialize};

/// Something a user did, or that happened to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UserEvent {
    /// Entered a room.
    Entered,
    /// Media connected.
    Connected,
    /// Came back over a new connection.
    Resumed,
    /// Vanished, and did not come back.
    Vanished,
    /// Left the room, in whatever other way.
    Left,
    /// Became anchor.
    BecameAnchor,
    /// Became audience.
    BecameAudience,
    /// Began to publish a track.
    Published(Media),
    /// Ended a track.
    Unpublished(Media),
    /// Muted a track.
    Muted(Media),
    /// Let a track sound or be seen again.
    Unmuted(Media),
    /// The pictures of a track have another size.
    Resized {
        /// Which kind of track.
        media: Media,
        /// Width, pixels.
        width: u32,
        /// Height, pixels.
        height: u32,
    },
}

/// An event in the vendor's numbers (`EventMessage`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VendorEvent {
    /// `Type`: 0 not about video, 2 the main video, 7 the second one (a shared screen).
    pub stream: i64,
    /// `EventId`.
    pub id: i64,
    /// `ParamOne`; -1 where there is none.
    pub one: i64,
    /// `ParamTwo`; -1 where there is none.
    pub two: i64,
}

impl UserEvent {
    /// In the vendor's numbers.
    pub fn vendor(self) -> VendorEvent {
        let plain = |id, one| VendorEvent { stream: 0, id, one, two: -1 };
        // Microphone: 3001 with 0 begun, 1 muted, 2 ended, 3 unmuted. Video: 4006 with 0 sending, 1 not.
        let track = |media: Media, sound, picture| {
            if media.is_video() {
                VendorEvent { stream: stream(media), ..plain(4006, picture) }
            } else {
                plain(3001, sound)
            }
        };
        match self {
            Self::Entered => plain(9001, -1),
            Self::Connected => plain(9002, -1),
            Self::Resumed => plain(9003, -1),
            Self::Vanished => plain(1003, 0),
            Self::Left => plain(9004, -1),
            Self::BecameAnchor => plain(9005, -1),
            Self::BecameAudience => plain(9006, -1),
            Self::Published(media) => track(media, 0, 0),
            Self::Unpublished(media) => track(media, 2, 1),
            Self::Muted(media) => track(media, 1, 1),
            Self::Unmuted(media) => track(media, 3, 0),
            Self::Resized { media, width, height } => VendorEvent {
                stream: stream(media),
                id: 4003,
                one: width.into(),
                two: height.into(),
            },
        }
    }
}

fn stream(media: Media) -> i64 {
    match media {
        Media::Video => 2,
        Media::Screen => 7,
        Media::Audio | Media::ScreenAudio => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_the_vendors_table_where_it_has_a_row() {
        let rows = [
            (UserEvent::Published(Media::Audio), (0, 3001, 0, -1)),
            (UserEvent::Muted(Media::Audio), (0, 3001, 1, -1)),
            (UserEvent::Unpublished(Media::ScreenAudio), (0, 3001, 2, -1)),
            (UserEvent::Unmuted(Media::Audio), (0, 3001, 3, -1)),
            (UserEvent::Published(Media::Video), (2, 4006, 0, -1)),
            (UserEvent::Muted(Media::Screen), (7, 4006, 1, -1)),
            (
                UserEvent::Resized { media: Media::Video, width: 640, height: 360 },
                (2, 4003, 640, 360),
            ),
            (UserEvent::Vanished, (0, 1003, 0, -1)),
            (UserEvent::Entered, (0, 9001, -1, -1)),
        ];
        for (event, (stream, id, one, two)) in rows {
            assert_eq!(event.vendor(), VendorEvent { stream, id, one, two }, "{event:?}");
        }
    }
}
