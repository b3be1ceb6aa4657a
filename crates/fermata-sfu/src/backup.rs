//! Further codecs of a track, for those who cannot decode the first.
//!
//! A backup is a stream of its own, on a section of its own, under the sid of its track. To everybody it is the same
//! track; to shards it is another one. Each receiver gets the first of both that it can decode, by what its
//! negotiation says. A publisher begins with the backup when it is told that somebody needs it (see
//! [`crate::dynacast`]).

use fermata_transport::Codec;
use fermata_types::MediaKind;
use livekit_protocol as lk;
use lk::signal_response::Message as Response;

use crate::dynacast::Dynacast;
use crate::key::{ParticipantId, TrackId};
use crate::participant::{Participant, PendingTrack, Unbound};
use crate::publication::Publication;
use crate::seam::Order;
use crate::sfu::Sfu;

/// The backup of a track.
#[derive(Debug)]
pub(crate) struct Backup {
    /// Its stream, while there is one.
    pub(crate) track: Option<TrackId>,
    /// What the publisher was told about it.
    pub(crate) dynacast: Dynacast,
}

impl Default for Backup {
    /// Nothing of it is sent until somebody needs it.
    fn default() -> Self {
        Self { track: None, dynacast: Dynacast::nothing() }
    }
}

impl Publication {
    /// The codec of its backup, if one was announced.
    pub(crate) fn backup_codec(&self) -> Option<Codec> {
        if self.kind != MediaKind::Video {
            return None;
        }
        self.info.codecs.get(1).and_then(|codec| Codec::from_mime(&codec.mime_type))
    }
}

impl Participant {
    /// Can the client decode what is sent on the section of a subscription? `None`: not known (yet).
    fn decodes(&self, track: TrackId, codec: Codec) -> Option<bool> {
        let mid = self.subscriptions.get(&track)?.mid?;
        let link = self.down.as_ref().or(self.up.as_ref())?;
        link.session().sends(mid, codec)
    }
}

/// What a receiver should get of a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    Itself,
    /// The backup, once it is there.
    Backup,
    /// It can decode neither.
    Neither,
}

impl Sfu {
    /// The client announces the stream of a further codec.
    pub(crate) fn on_add_backup(
        &mut self,
        id: ParticipantId,
        track: TrackId,
        request: lk::AddTrackRequest,
    ) {
        let Some(publication) = self.tracks.get_mut(&track) else { return };
        let Some(participant) = self.participants.get_mut(&id) else { return };
        let lk::AddTrackRequest { cid, mut simulcast_codecs, mut layers, .. } = request;
        let said = simulcast_codecs.pop();
        let layers = match said {
            Some(said) if !said.layers.is_empty() => said.layers,
            _ => std::mem::take(&mut layers),
        };
        let known = publication.backup.track.is_some()
            || participant.pending.iter().any(|pending| pending.backup_of == Some(track));
        if publication.kind == MediaKind::Video && !known {
            if let Some(backup) = publication.info.codecs.get_mut(1) {
                backup.cid.clone_from(&cid);
                backup.layers = layers;
                backup.layers.truncate(crate::limits::TRACK_LAYERS_MAX);
            }
            let mut info = publication.info.clone();
            let names_codec = info.codecs.len() > 1;
            if names_codec {
                info.codecs.remove(0);
                info.mime_type =
                    info.codecs.first().map_or_else(String::new, |c| c.mime_type.clone());
            }
            participant.pending.push_back(PendingTrack {
                cids: vec![cid.clone()],
                kind: publication.kind,
                names_codec,
                backup_of: Some(track),
                info,
            });
        }
        let info = Some(publication.info.clone());
        let connection = participant.connection;
        let published = lk::TrackPublishedResponse { cid, track: info };
        self.context.signal(connection, Response::TrackPublished(published));
        self.bind(id);
    }

    /// The stream of a further codec is there.
    pub(crate) fn publish_backup(
        &mut self,
        id: ParticipantId,
        of: TrackId,
        mut pending: PendingTrack,
        unbound: Unbound,
    ) {
        let Some(publication) = self.tracks.get(&of) else { return };
        pending.info.muted = publication.client_muted;
        let (mid, codec) = (unbound.mid, unbound.codec);
        let backup = self.publish(id, pending, unbound);
        let Some(publication) = self.tracks.get_mut(&of) else { return };
        publication.backup.track = Some(backup);
        if let Some(info) = publication.info.codecs.get_mut(1) {
            mid.as_str().clone_into(&mut info.mid);
        } else if let Some(codec) = codec {
            let first = lk::SimulcastCodecInfo {
                mime_type: publication.info.mime_type.clone(),
                ..Default::default()
            };
            let mime_type = codec.mime().to_owned();
            let second = lk::SimulcastCodecInfo { mime_type, ..Default::default() };
            publication.info.codecs.resize(1, first);
            publication.info.codecs.push(second);
        }
        self.announce(id);
        self.choose_sources_of(of);
    }

    /// Takes a backup away, while its track stays; false if it is none.
    pub(crate) fn withdraw_backup(&mut self, backup: TrackId) -> bool {
        let Some(publication) = self.tracks.get(&backup) else { return false };
        let Some(of) = publication.backup_of else { return false };
        let receivers: Vec<_> = publication.subscribers.iter().copied().collect();
        for receiver in receivers {
            self.detach(receiver, of);
        }
        let Some(publication) = self.tracks.remove(&backup) else { return true };
        self.context.order(publication.shard, Order::Unpublish(backup));
        if let Some(participant) = self.participants.get_mut(&publication.publisher) {
            participant.publications.remove(&publication.mid);
        }
        if let Some(track) = self.tracks.get_mut(&of) {
            track.backup.track = None;
            self.choose_sources_of(of);
        }
        true
    }

    /// Chooses anew what a receiver gets of each video, after it told what it can decode.
    pub(crate) fn choose_sources(&mut self, id: ParticipantId) {
        let Some(participant) = self.participants.get(&id) else { return };
        let tracks: Vec<_> = participant.subscriptions.keys().copied().collect();
        for track in tracks {
            self.choose_source(id, track);
        }
    }

    /// The same for all receivers of a track, after something about its codecs has changed.
    pub(crate) fn choose_sources_of(&mut self, track: TrackId) {
        let Some(publication) = self.tracks.get(&track) else { return };
        let receivers: Vec<_> = publication.subscribers.iter().copied().collect();
        for receiver in receivers {
            self.choose_source(receiver, track);
        }
        self.update_dynacast(track);
    }

    fn choose_source(&mut self, id: ParticipantId, track: TrackId) {
        let Some(choice) = self.choice(id, track) else { return };
        let backup = self.tracks.get(&track).and_then(|publication| publication.backup.track);
        let source = match choice {
            Choice::Itself => Some(track),
            Choice::Backup => backup,
            Choice::Neither => None,
        };
        let Some(participant) = self.participants.get_mut(&id) else { return };
        let Some(subscription) = participant.subscriptions.get_mut(&track) else { return };
        let needed = std::mem::replace(&mut subscription.needs_backup, choice == Choice::Backup);
        let changed = subscription.source != source;
        if choice == Choice::Neither
            && !std::mem::replace(&mut subscription.told_unsupported, true)
            && let Some(publication) = self.tracks.get(&track)
        {
            let response = lk::SubscriptionResponse {
                track_sid: publication.sid.to_string(),
                err: lk::SubscriptionError::SeCodecUnsupported.into(),
            };
            self.context.signal(participant.connection, Response::SubscriptionResponse(response));
        }
        let needs = choice == Choice::Backup;
        if changed {
            self.detach(id, track);
            if let Some(source) = source {
                self.attach(id, track, source);
            }
        }
        if changed || needed != needs {
            self.update_dynacast(track);
        }
    }

    /// The first codec that a receiver can decode; `None` as long as that is not known.
    fn choice(&self, id: ParticipantId, track: TrackId) -> Option<Choice> {
        let publication = self.tracks.get(&track)?;
        if publication.kind != MediaKind::Video {
            return None;
        }
        let participant = self.participants.get(&id)?;
        let first = Codec::from_mime(&publication.info.mime_type)?;
        if participant.decodes(track, first)? {
            return Some(Choice::Itself);
        }
        let backup = publication.backup_codec();
        let decodes = backup.and_then(|codec| participant.decodes(track, codec));
        Some(if decodes == Some(true) { Choice::Backup } else { Choice::Neither })
    }

    /// Lets a track, or its backup, go out to a receiver.
    pub(crate) fn attach(&mut self, id: ParticipantId, track: TrackId, source: TrackId) {
        let Self { participants, tracks, context, .. } = self;
        let Some(publication) = tracks.get_mut(&source) else { return };
        let Some(participant) = participants.get_mut(&id) else { return };
        let Some(subscription) = participant.subscriptions.get_mut(&track) else { return };
        let (shard, mid) = (participant.shard, subscription.mid);
        subscription.source = Some(source);
        publication.subscribers.insert(id);
        if shard != publication.shard {
            let there = publication.mirrors.entry(shard).or_insert(0);
            *there += 1;
            if *there == 1 {
                let to = shard;
                context.order(shard, Order::Mirror(Box::new(publication.spec())));
                context.order(publication.shard, Order::Feed { track: source, to, on: true });
            }
        }
        context.order(shard, Order::Subscribe { peer: id, track: source, mid });
        let settings = subscription.settings;
        if settings != crate::forward::Settings::default() {
            context.order(shard, Order::Settings { peer: id, track: source, settings });
        }
        self.tell_shards(source);
    }

    /// Nothing goes out to a receiver of a track any more.
    pub(crate) fn detach(&mut self, id: ParticipantId, track: TrackId) {
        let Self { participants, tracks, context, .. } = self;
        let Some(participant) = participants.get_mut(&id) else { return };
        let subscription = participant.subscriptions.get_mut(&track);
        let Some(source) = subscription.and_then(|s| s.source.take()) else { return };
        let shard = participant.shard;
        context.order(shard, Order::Unsubscribe { peer: id, track: source });
        let Some(publication) = tracks.get_mut(&source) else { return };
        // Who receives a track is known there, whatever goes out.
        if publication.backup_of.is_some() {
            publication.subscribers.remove(&id);
        }
        if let Some(there) = publication.mirrors.get_mut(&shard) {
            *there = there.saturating_sub(1);
            if *there == 0 {
                publication.mirrors.remove(&shard);
                publication.wanted.remove(&shard);
                context
                    .order(publication.shard, Order::Feed { track: source, to: shard, on: false });
                context.order(shard, Order::Unpublish(source));
                self.update_dynacast(source);
            }
        }
        self.tell_shards(source);
    }
}
