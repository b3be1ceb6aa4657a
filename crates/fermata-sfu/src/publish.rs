//! Publishing: announced tracks, their m-lines, mute, unpublishing.
//!
//! A track is announced by a message and appears in an offer, in either order.
//! It is published once both are there.

use fermata_transport::{Codec, MediaKind, Offered, OfferedSection};
use livekit_protocol as lk;
use lk::request_response::{Reason, Request};
use lk::signal_response::Message as Response;

use crate::key::{ParticipantId, RoomId, TrackId};
use crate::limits::{
    PENDING_TRACKS_MAX, TRACK_CODECS_MAX, TRACK_LAYERS_MAX, TRACK_TEXT_LEN_MAX, TRACKS_MAX,
};
use crate::participant::{Participant, PendingTrack, Unbound};
use crate::publication::{NewPublication, Publication};
use crate::seam::Order;
use crate::sfu::Sfu;
use crate::timer::Timer;

impl Sfu {
    /// The client announces a track.
    pub(crate) fn on_add_track(&mut self, id: ParticipantId, request: lk::AddTrackRequest) {
        let Some(participant) = self.participants.get(&id) else { return };
        let connection = participant.connection;
        if let Err((reason, message)) = self.check_add_track(participant, &request) {
            self.context.stats.limited += u64::from(reason == Reason::LimitExceeded);
            let response = lk::RequestResponse {
                reason: reason.into(),
                message: message.to_owned(),
                request: Some(Request::AddTrack(request)),
                ..Default::default()
            };
            self.context.signal(connection, Response::RequestResponse(response));
            return;
        }
        if let Some(track) = self.own_track(id, &request.sid) {
            self.on_add_backup(id, track, request);
            return;
        }
        let sid = self.new_track_sid().to_string();
        let cid = request.cid.clone();
        let mut pending = pending_track(sid, request);
        let Some(participant) = self.participants.get_mut(&id) else { return };
        // The offer may have come first: then the reply can already say what is really sent.
        if let Some(codec) = offered_codec(participant, &pending) {
            set_mime(&mut pending.info, codec);
        }
        let published = lk::TrackPublishedResponse { cid, track: Some(pending.info.clone()) };
        participant.pending.push_back(pending);
        self.context.signal(connection, Response::TrackPublished(published));
        self.bind(id);
    }

    fn check_add_track(
        &self,
        participant: &Participant,
        request: &lk::AddTrackRequest,
    ) -> Result<(), (Reason, &'static str)> {
        if !participant.may_publish(request.source) {
            return Err((Reason::NotAllowed, "publishing this source is not permitted"));
        }
        let texts = [&request.cid, &request.name, &request.stream, &request.sid];
        let known = matches!(request.r#type, 0 | 1);
        if !known || request.cid.is_empty() || texts.iter().any(|t| t.len() > TRACK_TEXT_LEN_MAX) {
            return Err((Reason::InvalidRequest, "type, cid or a name is malformed"));
        }
        if participant.pending.len() >= PENDING_TRACKS_MAX
            || participant.pending.len() + participant.publications.len() >= TRACKS_MAX
        {
            return Err((Reason::LimitExceeded, "too many tracks"));
        }
        let first = !is_publishing(participant);
        if first && self.publishers(participant.room) >= self.config.limits.publishers_max {
            return Err((Reason::LimitExceeded, "too many users of this room publish"));
        }
        Ok(())
    }

    /// How many users of a room publish or are about to.
    fn publishers(&self, room: RoomId) -> usize {
        let Some(room) = self.rooms.get(&room) else { return 0 };
        let members = room.members.values().filter_map(|id| self.participants.get(id));
        members.filter(|participant| is_publishing(participant)).count()
    }

    /// A track of this participant by its public name.
    pub(crate) fn own_track(&self, id: ParticipantId, sid: &str) -> Option<TrackId> {
        let participant = self.participants.get(&id)?;
        let mut own = participant.publications.values().copied();
        own.find(|track| {
            let publication = self.tracks.get(track);
            publication.is_some_and(|p| p.sid.as_str() == sid && p.backup_of.is_none())
        })
    }

    /// Takes note of what an offer sends and of what it stopped sending.
    pub(crate) fn on_offered_media(&mut self, id: ParticipantId, offered: &Offered) {
        for section in &offered.sections {
            let Some(participant) = self.participants.get_mut(&id) else { return };
            let bound = participant.publications.get(&section.mid).copied();
            if !section.sends {
                participant.unbound.retain(|unbound| unbound.mid != section.mid);
                if let Some(track) = bound {
                    self.unpublish(track);
                }
                continue;
            }
            match bound {
                Some(track) if self.is_replaced(id, track, section) => self.unpublish(track),
                Some(_) => continue,
                None => {}
            }
            let Some(participant) = self.participants.get_mut(&id) else { return };
            participant.unbound.retain(|unbound| unbound.mid != section.mid);
            if participant.unbound.len() < TRACKS_MAX {
                participant.unbound.push(Unbound {
                    mid: section.mid,
                    kind: section.kind,
                    track_id: section.track_id.clone(),
                    rids: section.rids.clone(),
                    codec: section.codecs.first().copied(),
                });
            } else {
                self.context.stats.limited += 1;
            }
        }
        self.bind(id);
    }

    /// Whether the section now carries another announced track than the published one.
    fn is_replaced(&self, id: ParticipantId, track: TrackId, section: &OfferedSection) -> bool {
        let Some(publication) = self.tracks.get(&track) else { return false };
        let Some(participant) = self.participants.get(&id) else { return false };
        publication.sdp_track_id != section.track_id
            && participant.pending.iter().any(|pending| pending.cids.contains(&section.track_id))
    }

    /// Brings announced tracks and offered m-lines together: by name, then by kind,
    /// since some clients use another name in their session description.
    pub(crate) fn bind(&mut self, id: ParticipantId) {
        let mut published = Vec::new();
        while let Some(participant) = self.participants.get_mut(&id) {
            let Some((pending, unbound)) = take_match(participant) else { break };
            match pending.backup_of {
                Some(of) => self.publish_backup(id, of, pending, unbound),
                None => published.push(self.publish(id, pending, unbound)),
            }
        }
        if published.is_empty() {
            return;
        }
        self.announce(id);
        self.tell_published(id);
        for track in published {
            self.auto_subscribe(track);
        }
        if let Some(room) = self.participants.get(&id).map(|participant| participant.room) {
            self.room_numbers_changed(room);
        }
    }

    /// Publishes a track, or the backup of one.
    pub(crate) fn publish(
        &mut self,
        id: ParticipantId,
        pending: PendingTrack,
        unbound: Unbound,
    ) -> TrackId {
        let track = TrackId(self.next_id());
        let PendingTrack { mut info, kind, names_codec, backup_of, .. } = pending;
        unbound.mid.as_str().clone_into(&mut info.mid);
        if let Some(codec) = unbound.codec.filter(|_| !names_codec) {
            set_mime(&mut info, codec);
        }
        let sid = fermata_types::TrackSid::from_text(&info.sid);
        if backup_of.is_none() {
            self.track_ids.insert(sid.clone(), track);
        }
        if let Some(participant) = self.participants.get_mut(&id) {
            participant.publications.insert(unbound.mid, track);
            let publication = Publication::new(NewPublication {
                id: track,
                sid,
                room: participant.room,
                publisher: id,
                shard: participant.shard,
                publisher_sid: participant.sid.clone(),
                kind,
                mid: unbound.mid,
                sdp_track_id: unbound.track_id,
                rids: unbound.rids,
                info,
                backup_of,
            });
            if kind == MediaKind::Audio
                && let Some(link) = participant.up.as_mut()
            {
                let (mid, tuning) = (publication.mid, publication.tuning());
                link.with(&mut self.context, |t| t.tune_audio(mid, tuning));
            }
            let named = Codec::from_mime(&publication.info.mime_type);
            if kind == MediaKind::Video
                && let Some(codec) = named.filter(|_| names_codec)
                && let Some(link) = participant.up.as_mut()
            {
                // Clients announce a codec and leave it to us to choose it.
                let mid = publication.mid;
                link.with(&mut self.context, |t| t.prefer_codec(mid, codec));
            }
            self.tracks.insert(track, publication);
            self.begin_blocked(id, track);
        }
        if let Some(publication) = self.tracks.get_mut(&track) {
            publication.state_told = publication.state();
            let spec = Box::new(publication.spec());
            self.context.order(publication.shard, Order::Publish(spec));
        }
        track
    }

    /// Takes a track away from everybody while its publisher stays.
    pub(crate) fn unpublish(&mut self, track: TrackId) {
        if self.withdraw_backup(track) {
            return;
        }
        let publisher = self.tracks.get(&track).map(|publication| publication.publisher);
        let told = self.told_track(track);
        self.withdraw(track);
        if let Some(publisher) = publisher {
            self.tell_unpublished(publisher, told);
        }
    }

    /// Takes a track away from everybody; no event says so.
    pub(crate) fn withdraw(&mut self, track: TrackId) {
        let Some(publication) = self.tracks.get(&track) else { return };
        if let Some(backup) = publication.backup.track {
            self.withdraw_backup(backup);
        }
        let Some(publication) = self.tracks.get(&track) else { return };
        let publisher = publication.publisher;
        let subscribers: Vec<_> = publication.subscribers.iter().copied().collect();
        for subscriber in &subscribers {
            self.unsubscribe(*subscriber, track);
        }
        self.forget_track(track);
        let Some(publication) = self.tracks.remove(&track) else { return };
        self.track_ids.remove(&publication.sid);
        self.context.timers.disarm(Timer::Dynacast(track));
        self.context.order(publication.shard, Order::Unpublish(track));
        if let Some(participant) = self.participants.get_mut(&publisher) {
            participant.publications.remove(&publication.mid);
            if let Some(room) = self.rooms.get_mut(&publication.room) {
                room.speakers.remove_track(&participant.sid, &publication.sid);
            }
        }
        self.announce(publisher);
        for subscriber in subscribers {
            self.negotiate(subscriber);
        }
        self.room_numbers_changed(publication.room);
    }
}

/// The codec of the m-line that waits for this announcement by name, unless the announcement names one.
fn offered_codec(participant: &Participant, pending: &PendingTrack) -> Option<Codec> {
    let mut unbound = participant.unbound.iter();
    let unbound = unbound
        .find(|unbound| unbound.kind == pending.kind && pending.cids.contains(&unbound.track_id))?;
    unbound.codec.filter(|_| !pending.names_codec)
}

/// Says in which codec a track is sent, where the protocol says it: in the track and in its first codec.
/// True if that was said differently before.
pub(crate) fn set_mime(info: &mut lk::TrackInfo, codec: Codec) -> bool {
    let first = info.codecs.first_mut().map(|first| &mut first.mime_type);
    let mut changed = false;
    for mime in first.into_iter().chain(std::iter::once(&mut info.mime_type)) {
        if !mime.eq_ignore_ascii_case(codec.mime()) {
            codec.mime().clone_into(mime);
            changed = true;
        }
    }
    changed
}

/// Whether it has tracks, announced ones included.
fn is_publishing(participant: &Participant) -> bool {
    !participant.publications.is_empty() || !participant.pending.is_empty()
}

/// The next announced track and m-line that belong together.
fn take_match(participant: &mut Participant) -> Option<(PendingTrack, Unbound)> {
    let Participant { pending, unbound, .. } = participant;
    let named = unbound.iter().enumerate().find_map(|(u, unbound)| {
        let named = |pending: &PendingTrack| {
            pending.kind == unbound.kind && pending.cids.contains(&unbound.track_id)
        };
        Some((pending.iter().position(named)?, u))
    });
    let (p, u) = named.or_else(|| {
        unbound.iter().enumerate().find_map(|(u, unbound)| {
            let fits = |p: &PendingTrack| p.kind == unbound.kind && p.backup_of.is_none();
            Some((pending.iter().position(fits)?, u))
        })
    })?;
    let unbound = unbound.remove(u);
    Some((pending.remove(p)?, unbound))
}

/// What is kept of an announcement, and what everybody is told about the track.
#[expect(deprecated, reason = "older clients read simulcast, layers, stereo and dtx here")]
fn pending_track(sid: String, request: lk::AddTrackRequest) -> PendingTrack {
    let kind = if request.r#type == 0 { MediaKind::Audio } else { MediaKind::Video };
    let mut codecs = request.simulcast_codecs;
    let names_codec = codecs.first().is_some_and(|codec| !codec.codec.is_empty());
    codecs.truncate(TRACK_CODECS_MAX);
    let mut cids = vec![request.cid];
    cids.extend(codecs.iter().map(|codec| codec.cid.clone()).filter(|cid| !cid.is_empty()));
    let mut layers = request.layers;
    layers.truncate(TRACK_LAYERS_MAX);
    let codecs: Vec<_> = codecs.into_iter().map(|codec| codec_info(kind, codec)).collect();
    let default_mime = if kind == MediaKind::Audio { "audio/opus" } else { "video/VP8" };
    let mime = codecs.first().map_or(default_mime, |codec| codec.mime_type.as_str()).to_owned();
    let mut audio_features = request.audio_features;
    audio_features.truncate(TRACK_CODECS_MAX * 4);
    let mut packet_trailer_features = request.packet_trailer_features;
    packet_trailer_features.truncate(TRACK_CODECS_MAX * 4);
    let info = lk::TrackInfo {
        sid,
        r#type: request.r#type,
        name: request.name,
        muted: request.muted,
        width: request.width,
        height: request.height,
        simulcast: layers.len() > 1,
        disable_dtx: request.disable_dtx,
        source: request.source,
        layers,
        mime_type: mime,
        codecs,
        stereo: request.stereo,
        disable_red: request.disable_red,
        encryption: request.encryption,
        stream: request.stream,
        audio_features,
        backup_codec_policy: request.backup_codec_policy,
        packet_trailer_features,
        ..Default::default()
    };
    PendingTrack { cids, kind, names_codec, backup_of: None, info }
}

fn codec_info(kind: MediaKind, codec: lk::SimulcastCodec) -> lk::SimulcastCodecInfo {
    let name = match (kind, codec.codec.as_str()) {
        (MediaKind::Audio, "") => "opus",
        (MediaKind::Video, "") => "vp8",
        (_, name) => name,
    };
    let prefix = if kind == MediaKind::Audio { "audio" } else { "video" };
    let known = Codec::from_mime(name);
    let mime = known.map_or_else(|| format!("{prefix}/{name}"), |codec| codec.mime().to_owned());
    let mut layers = codec.layers;
    layers.truncate(TRACK_LAYERS_MAX);
    lk::SimulcastCodecInfo {
        mime_type: mime.chars().take(TRACK_TEXT_LEN_MAX).collect(),
        cid: codec.cid,
        layers,
        video_layer_mode: codec.video_layer_mode,
        ..Default::default()
    }
}
