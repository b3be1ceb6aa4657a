//! Silence: a client mutes its track, an API asks it to, or its user is blocked.
//!
//! What the others are told is the sum: a track is muted if its client says so or its user is blocked.
//! Muting is a word of the client, which may unmute again; a block is enforced here, whatever the client sends.
//! The client of a blocked user is not asked to mute: it would stay muted after the block, and nobody may unmute
//! it from afar.

use fermata_transport::MediaKind;
use livekit_protocol as lk;
use lk::signal_response::Message as Response;

use crate::key::{ParticipantId, TrackId};
use crate::publication::Publication;
use crate::sfu::Sfu;

/// What of a user is not forwarded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Blocked {
    /// Audio tracks.
    pub(crate) audio: bool,
    /// Video tracks, screen shares too.
    pub(crate) video: bool,
}

impl Blocked {
    /// Whether tracks of this kind are not forwarded.
    fn covers(self, kind: MediaKind) -> bool {
        match kind {
            MediaKind::Audio => self.audio,
            MediaKind::Video => self.video,
        }
    }
}

impl Sfu {
    /// The client mutes one of its tracks, or lets it sound again.
    pub(crate) fn on_mute(&mut self, id: ParticipantId, request: &lk::MuteTrackRequest) {
        if self.mute_pending(id, &request.sid, request.muted) {
            return;
        }
        let Some(track) = self.own_track(id, &request.sid) else { return };
        self.set_client_muted(track, request.muted);
    }

    /// Asks the client to mute its track, and takes it as muted.
    pub(crate) fn mute_track(&mut self, id: ParticipantId, sid: &str) {
        self.ask_to_mute(id, sid);
        if self.mute_pending(id, sid, true) {
            return;
        }
        let Some(track) = self.own_track(id, sid) else { return };
        self.set_client_muted(track, true);
    }

    /// The client says that a track, and so its backup, is silent or not.
    fn set_client_muted(&mut self, track: TrackId, muted: bool) {
        let backup = self.tracks.get(&track).and_then(|track| track.backup.track);
        for id in std::iter::once(track).chain(backup) {
            if let Some(publication) = self.tracks.get_mut(&id) {
                publication.client_muted = muted;
            }
            self.refresh_muted(id);
        }
    }

    /// A track of this participant, published or only announced.
    pub(crate) fn track_info_of(&self, id: ParticipantId, sid: &str) -> Option<lk::TrackInfo> {
        if let Some(track) = self.own_track(id, sid) {
            return self.tracks.get(&track).map(|publication| publication.info.clone());
        }
        let mut pending = self.participants.get(&id)?.pending.iter().map(|pending| &pending.info);
        pending.find(|info| info.sid == sid).cloned()
    }

    /// Takes note if the track is only announced so far.
    fn mute_pending(&mut self, id: ParticipantId, sid: &str, muted: bool) -> bool {
        let Some(participant) = self.participants.get_mut(&id) else { return false };
        let mut announced = participant.pending.iter_mut().filter(|p| p.backup_of.is_none());
        let pending = announced.find(|pending| pending.info.sid == sid);
        let Some(pending) = pending else { return false };
        pending.info.muted = muted;
        true
    }

    fn ask_to_mute(&mut self, id: ParticipantId, sid: &str) {
        let Some(participant) = self.participants.get(&id) else { return };
        let request = lk::MuteTrackRequest { sid: sid.to_owned(), muted: true };
        self.context.signal(participant.connection, Response::Mute(request));
    }

    /// Tells everybody if the track is silent now and was not before, or the other way round.
    fn refresh_muted(&mut self, track: TrackId) {
        let Some(publication) = self.tracks.get_mut(&track) else { return };
        if !publication.settle_muted() {
            return;
        }
        let (id, muted) = (publication.publisher, publication.info.muted);
        self.tell_shards(track);
        let Some(publication) = self.tracks.get(&track) else { return };
        if muted
            && let Some(room) = self.rooms.get_mut(&publication.room)
            && let Some(participant) = self.participants.get(&id)
        {
            room.speakers.remove_track(&participant.sid, &publication.sid);
        }
        self.announce(id);
    }

    /// A user is blocked like this from now on.
    pub(crate) fn apply_block(&mut self, id: ParticipantId, blocked: Blocked) {
        let Some(participant) = self.participants.get(&id) else { return };
        let tracks: Vec<_> = participant.publications.values().copied().collect();
        for track in tracks {
            let Some(publication) = self.tracks.get_mut(&track) else { continue };
            let covered = blocked.covers(publication.kind);
            if covered == std::mem::replace(&mut publication.blocked, covered) {
                continue;
            }
            self.refresh_muted(track);
            // Also where the client says that it is muted anyway.
            self.tell_shards(track);
            self.update_dynacast(track);
        }
    }

    /// A track of a user who may be blocked begins; nobody was told of it yet.
    pub(crate) fn begin_blocked(&mut self, id: ParticipantId, track: TrackId) {
        let Some(participant) = self.participants.get(&id) else { return };
        let room = self.rooms.get(&participant.room);
        let blocked = room.and_then(|room| room.blocked.get(&participant.identity));
        let Some(publication) = self.tracks.get_mut(&track) else { return };
        if !blocked.is_some_and(|blocked| blocked.covers(publication.kind)) {
            return;
        }
        publication.blocked = true;
        publication.settle_muted();
    }
}

impl Publication {
    /// Brings what the others are told in line with what the client says and whether its user is blocked.
    /// True if that changed.
    fn settle_muted(&mut self) -> bool {
        let muted = self.client_muted || self.blocked;
        std::mem::replace(&mut self.info.muted, muted) != muted
    }
}
