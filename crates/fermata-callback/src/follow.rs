//! Which tracks each room has: what turns tracks into media that start and stop, and what ends with a leaving user.
//!
//! A user's medium (sound, camera, screen) runs while at least one of its tracks is published and not muted. So a
//! muted camera is a stopped one, as with the vendor's clients, and two tracks of a kind are one start and one stop.

use std::collections::BTreeMap;

use fermata_sfu::io::{Occupant, RoomEvent, RoomEventKind};
use fermata_types::{ParticipantSid, RoomSid};
use livekit_protocol as lk;

use crate::limits::{PUBLISHERS_FOLLOWED_MAX, ROOMS_FOLLOWED_MAX, TRACKS_FOLLOWED_MAX};

/// What the vendor tells of media.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Medium {
    /// Camera, and video of no said source.
    Video,
    /// Microphone, and all other sound, that of a shared screen too: the vendor mixes it into the user's.
    Audio,
    /// Pictures of a shared screen.
    Substream,
}

impl Medium {
    /// Of a track; data tracks are no medium.
    pub fn of(track: &lk::TrackInfo) -> Option<Self> {
        match (track.r#type(), track.source()) {
            (lk::TrackType::Audio, _) => Some(Self::Audio),
            (lk::TrackType::Video, lk::TrackSource::ScreenShare) => Some(Self::Substream),
            (lk::TrackType::Video, _) => Some(Self::Video),
            (lk::TrackType::Data, _) => None,
        }
    }
}

/// What an event changed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Change {
    /// A medium of the event's user started (true) or stopped (false).
    pub media: Option<(Medium, bool)>,
    /// Tracks that were told of and ended because their user left.
    pub ended: Vec<lk::TrackInfo>,
}

#[derive(Debug)]
struct Track {
    medium: Option<Medium>,
    sending: bool,
}

#[derive(Debug, Default)]
struct Room {
    /// When it was heard of last; the key in [`Follower::by_use`].
    used: u64,
    publishers: BTreeMap<ParticipantSid, BTreeMap<String, Track>>,
}

impl Room {
    fn runs(&self, stay: &ParticipantSid, medium: Medium) -> bool {
        let tracks = self.publishers.get(stay).into_iter().flat_map(BTreeMap::values);
        tracks.filter(|track| track.medium == Some(medium)).any(|track| track.sending)
    }

    /// False if there is no room for it.
    fn put(&mut self, stay: &ParticipantSid, sid: &str, track: Track) -> bool {
        if self.publishers.len() >= PUBLISHERS_FOLLOWED_MAX && !self.publishers.contains_key(stay) {
            return false;
        }
        let tracks = self.publishers.entry(stay.clone()).or_default();
        if tracks.len() >= TRACKS_FOLLOWED_MAX && !tracks.contains_key(sid) {
            return false;
        }
        tracks.insert(sid.to_owned(), track);
        true
    }

    fn remove(&mut self, stay: &ParticipantSid, sid: &str) {
        if let Some(tracks) = self.publishers.get_mut(stay) {
            tracks.remove(sid);
            if tracks.is_empty() {
                self.publishers.remove(stay);
            }
        }
    }
}

/// Follows the tracks of all rooms. Give it every event, in order, whether anybody is told of it or not.
#[derive(Debug, Default)]
pub struct Follower {
    rooms: BTreeMap<RoomSid, Room>,
    by_use: BTreeMap<u64, RoomSid>,
    uses: u64,
    overflows: u64,
}

impl Follower {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Rooms that are followed.
    pub fn rooms(&self) -> usize {
        self.rooms.len()
    }

    /// Rooms and tracks that found no room in the limits; only rises.
    pub fn overflows(&self) -> u64 {
        self.overflows
    }

    /// Takes an event in.
    pub fn follow(&mut self, event: &RoomEvent) -> Change {
        use RoomEventKind as K;
        match &event.kind {
            K::TrackPublished { occupant, track } | K::TrackMuted { occupant, track } => {
                self.track(&event.room_sid, occupant, track, true)
            }
            K::TrackUnpublished { occupant, track } => {
                self.track(&event.room_sid, occupant, track, false)
            }
            K::Left { occupant, .. } => self.left(&event.room_sid, occupant),
            K::RoomFinished { .. } => {
                self.forget(&event.room_sid);
                Change::default()
            }
            K::RoomStarted { .. }
            | K::Entered(_)
            | K::Active(_)
            | K::Resumed(_)
            | K::RoleChanged(_) => Change::default(),
        }
    }

    fn track(
        &mut self,
        sid: &RoomSid,
        occupant: &Occupant,
        track: &lk::TrackInfo,
        there: bool,
    ) -> Change {
        let medium = Medium::of(track);
        let room = self.room(sid);
        let before = medium.is_some_and(|medium| room.runs(&occupant.stay, medium));
        let mut fits = true;
        if there {
            let state = Track { medium, sending: !track.muted };
            fits = room.put(&occupant.stay, &track.sid, state);
        } else {
            room.remove(&occupant.stay, &track.sid);
        }
        let after = medium.is_some_and(|medium| room.runs(&occupant.stay, medium));
        self.overflows += u64::from(!fits);
        let media = medium.filter(|_| before != after).map(|medium| (medium, after));
        Change { media, ended: Vec::new() }
    }

    fn left(&mut self, sid: &RoomSid, occupant: &Occupant) -> Change {
        let Some(room) = self.rooms.get_mut(sid) else { return Change::default() };
        let known = room.publishers.remove(&occupant.stay).unwrap_or_default();
        let tracks = occupant.info.tracks.iter();
        let ended = tracks.filter(|track| known.contains_key(&track.sid)).cloned().collect();
        Change { media: None, ended }
    }

    fn room(&mut self, sid: &RoomSid) -> &mut Room {
        if self.rooms.len() >= ROOMS_FOLLOWED_MAX
            && !self.rooms.contains_key(sid)
            && let Some((_, quiet)) = self.by_use.pop_first()
        {
            self.rooms.remove(&quiet);
            self.overflows += 1;
        }
        self.uses += 1;
        let room = self.rooms.entry(sid.clone()).or_default();
        self.by_use.remove(&room.used);
        room.used = self.uses;
        self.by_use.insert(room.used, sid.clone());
        room
    }

    fn forget(&mut self, sid: &RoomSid) {
        if let Some(room) = self.rooms.remove(sid) {
            self.by_use.remove(&room.used);
        }
    }
}

#[cfg(test)]
mod tests {
    use fermata_types::StayEnd;
    use proptest::prelude::*;

    use super::*;
    use crate::samples::{event, in_room, occupant, track};

    fn published(who: &str, info: lk::TrackInfo) -> RoomEvent {
        let occupant = Box::new(occupant(who));
        event(RoomEventKind::TrackPublished { occupant, track: Box::new(info) })
    }

    fn muted(who: &str, mut info: lk::TrackInfo, muted: bool) -> RoomEvent {
        info.muted = muted;
        let occupant = Box::new(occupant(who));
        event(RoomEventKind::TrackMuted { occupant, track: Box::new(info) })
    }

    fn unpublished(who: &str, info: lk::TrackInfo) -> RoomEvent {
        let occupant = Box::new(occupant(who));
        event(RoomEventKind::TrackUnpublished { occupant, track: Box::new(info) })
    }

    fn left(who: &str, tracks: Vec<lk::TrackInfo>) -> RoomEvent {
        let mut occupant = Box::new(occupant(who));
        occupant.info.tracks = tracks;
        event(RoomEventKind::Left { occupant, end: StayEnd::Left, was_active: true })
    }

    #[test]
    fn a_medium_runs_while_one_of_its_tracks_sends() {
        let mut follower = Follower::new();
        let mic = || track("TR_m", lk::TrackSource::Microphone);
        let tab = || track("TR_t", lk::TrackSource::ScreenShareAudio);
        let cam = || track("TR_c", lk::TrackSource::Camera);
        let screen = || track("TR_s", lk::TrackSource::ScreenShare);
        let rows = [
            (published("ann", mic()), Some((Medium::Audio, true))),
            (published("ann", tab()), None),
            (muted("ann", mic(), true), None),
            (unpublished("ann", tab()), Some((Medium::Audio, false))),
            (muted("ann", mic(), true), None),
            (muted("ann", mic(), false), Some((Medium::Audio, true))),
            (published("bob", mic()), Some((Medium::Audio, true))),
            (published("ann", cam()), Some((Medium::Video, true))),
            (published("ann", screen()), Some((Medium::Substream, true))),
            (unpublished("ann", screen()), Some((Medium::Substream, false))),
            (unpublished("ann", screen()), None),
            (unpublished("bob", mic()), Some((Medium::Audio, false))),
        ];
        for (n, (event, expected)) in rows.into_iter().enumerate() {
            assert_eq!(follower.follow(&event).media, expected, "{n}");
        }
        let gone = follower.follow(&left("ann", vec![mic(), cam(), screen()]));
        assert_eq!(gone.media, None, "a leaving user stops nothing");
        let ended: Vec<_> = gone.ended.iter().map(|track| track.sid.as_str()).collect();
        assert_eq!(ended, ["TR_m", "TR_c"], "what was not told of does not end");
        assert_eq!(follower.follow(&left("ann", vec![mic()])).ended, []);
        assert_eq!(follower.rooms(), 1);
        follower.follow(&event(RoomEventKind::RoomFinished { dismissed: false }));
        assert_eq!((follower.rooms(), follower.by_use.len()), (0, 0));
    }

    #[test]
    fn a_track_that_is_published_muted_starts_when_it_is_unmuted() {
        let mut follower = Follower::new();
        let mut mic = track("TR_m", lk::TrackSource::Microphone);
        mic.muted = true;
        assert_eq!(follower.follow(&published("ann", mic.clone())).media, None);
        let started = follower.follow(&muted("ann", mic, false)).media;
        assert_eq!(started, Some((Medium::Audio, true)));
    }

    #[test]
    fn rooms_beyond_the_limit_push_the_quietest_out() {
        let mut follower = Follower::new();
        let cam = track("TR_c", lk::TrackSource::Camera);
        for n in 0..=ROOMS_FOLLOWED_MAX {
            follower.follow(&in_room(&format!("RM_{n}"), published("ann", cam.clone())));
        }
        assert_eq!(follower.rooms(), ROOMS_FOLLOWED_MAX);
        assert_eq!((follower.by_use.len(), follower.overflows()), (ROOMS_FOLLOWED_MAX, 1));
        assert!(!follower.rooms.contains_key(&RoomSid::from_text("RM_0")));
        let many =
            (0..=TRACKS_FOLLOWED_MAX).map(|n| track(&format!("T{n}"), lk::TrackSource::Camera));
        for info in many {
            follower.follow(&in_room("RM_9", published("bob", info)));
        }
        assert_eq!(follower.overflows(), 2);
    }

    proptest! {
        #[test]
        fn starts_and_stops_alternate(steps in prop::collection::vec((0..2_usize, 0..4_usize, 0..5_usize), 1..200)) {
            let mut follower = Follower::new();
            let mut running = BTreeMap::new();
            for (who, which, what) in steps {
                let who = ["ann", "bob"][who];
                let source = [
                    lk::TrackSource::Microphone, lk::TrackSource::ScreenShareAudio,
                    lk::TrackSource::Camera, lk::TrackSource::ScreenShare,
                ][which];
                let info = track(&format!("TR_{who}{which}"), source);
                let event = match what {
                    0 => published(who, info),
                    1 => muted(who, info, true),
                    2 => muted(who, info, false),
                    3 => unpublished(who, info),
                    _ => left(who, vec![info]),
                };
                let change = follower.follow(&event);
                if let Some((medium, starts)) = change.media {
                    let before = running.insert((who, medium), starts).unwrap_or(false);
                    prop_assert_ne!(before, starts);
                }
                if what == 4 {
                    running.retain(|(of, _), _| *of != who);
                }
            }
        }
    }
}
