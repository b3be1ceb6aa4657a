//! A publisher changes what it said about a track.

use livekit_protocol as lk;

use crate::key::ParticipantId;
use crate::limits::{TRACK_CODECS_MAX, TRACK_LAYERS_MAX};
use crate::publication::Publication;
use crate::sfu::Sfu;

impl Sfu {
    /// Other layers.
    pub(crate) fn on_update_layers(&mut self, id: ParticipantId, request: lk::UpdateVideoLayers) {
        let mut layers = request.layers;
        layers.truncate(TRACK_LAYERS_MAX);
        self.change_track(id, &request.track_sid, |track| {
            if let Some(codec) = track.info.codecs.first_mut() {
                codec.layers.clone_from(&layers);
            }
            #[expect(deprecated, reason = "older clients read layers here")]
            {
                track.info.layers = layers;
            }
        });
    }

    /// Other audio features.
    pub(crate) fn on_update_audio_track(
        &mut self,
        id: ParticipantId,
        request: lk::UpdateLocalAudioTrack,
    ) {
        self.change_track(id, &request.track_sid, |track| {
            track.info.audio_features = request.features;
            track.info.audio_features.truncate(TRACK_CODECS_MAX * 4);
        });
    }

    /// Another size.
    pub(crate) fn on_update_video_track(
        &mut self,
        id: ParticipantId,
        request: &lk::UpdateLocalVideoTrack,
    ) {
        self.change_track(id, &request.track_sid, |track| {
            track.info.width = request.width;
            track.info.height = request.height;
        });
    }

    fn change_track(
        &mut self,
        id: ParticipantId,
        sid: &str,
        change: impl FnOnce(&mut Publication),
    ) {
        let Some(track) = self.own_track(id, sid) else { return };
        if let Some(publication) = self.tracks.get_mut(&track) {
            change(publication);
            self.tell_shards(track);
            self.announce(id);
        }
    }
}
