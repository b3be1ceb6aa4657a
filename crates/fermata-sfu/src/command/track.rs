//! Tracks: muted by an API, subscribed for somebody.

use livekit_protocol as lk;

use super::{Answer, limited};
use crate::io::Reply;
use crate::key::ParticipantId;
use crate::limits::REQUEST_SIDS_MAX;
use crate::sfu::Sfu;

impl Sfu {
    /// Mutes a track of this participant. Only its user may unmute it: nobody opens a microphone from afar.
    pub(super) fn mute_by_server(&mut self, id: ParticipantId, sid: &str, muted: bool) -> Answer {
        let info = self.track_info_of(id, sid).ok_or(Reply::NoSuchTrack)?;
        if muted {
            self.mute_track(id, sid);
        } else if info.muted {
            let message = "a muted track cannot be unmuted from the server; only its user can";
            return Err(Reply::Invalid(message.to_owned()));
        }
        let info = self.track_info_of(id, sid).ok_or(Reply::NoSuchTrack)?;
        Ok(Reply::Track(Box::new(info)))
    }

    /// Subscribes as if the client had asked; not at all if one of the tracks is not there.
    pub(super) fn choose_for(
        &mut self,
        id: ParticipantId,
        track_sids: Vec<String>,
        participant_tracks: Vec<lk::ParticipantTracks>,
        subscribe: bool,
    ) -> Answer {
        let nested = participant_tracks.iter().map(|tracks| tracks.track_sids.len());
        limited("tracks", track_sids.len() + nested.sum::<usize>(), REQUEST_SIDS_MAX)?;
        for sid in &track_sids {
            self.track_for(id, sid).ok_or(Reply::NoSuchTrack)?;
        }
        for tracks in &participant_tracks {
            for sid in &tracks.track_sids {
                self.track_from(id, &tracks.participant_sid, sid)?;
            }
        }
        let request = lk::UpdateSubscription { track_sids, subscribe, participant_tracks };
        self.on_subscription(id, &request);
        Ok(Reply::Done)
    }

    /// Whether there is such a track of that publisher; no publisher named: of anybody.
    fn track_from(&self, id: ParticipantId, publisher: &str, sid: &str) -> Result<(), Reply> {
        let track = self.track_for(id, sid).and_then(|track| self.tracks.get(&track));
        let owner = track.and_then(|track| self.participants.get(&track.publisher));
        let owner = owner.ok_or(Reply::NoSuchTrack)?;
        let named = [owner.sid.as_str(), owner.identity.as_str(), ""].contains(&publisher);
        if named { Ok(()) } else { Err(Reply::NoSuchTrack) }
    }
}
