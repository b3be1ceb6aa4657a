//! Tells publishers which layers somebody wants, so that they do not encode the others.

use std::time::Instant;

use fermata_transport::MediaKind;
use livekit_protocol as lk;
use lk::signal_response::Message as Response;

use crate::forward::Quality;
use crate::key::TrackId;
use crate::limits::DYNACAST_DOWN_DELAY;
use crate::publication::Publication;
use crate::seam::ShardId;
use crate::sfu::Sfu;
use crate::timer::Timer;

/// What a publisher was told about one track.
#[derive(Debug)]
pub(crate) struct Dynacast {
    /// Highest quality wanted; `None`: nothing.
    told: Option<Quality>,
    /// Since when less is wanted.
    less_since: Option<Instant>,
}

impl Default for Dynacast {
    /// Publishers begin with everything.
    fn default() -> Self {
        Self { told: Some(Quality::High), less_since: None }
    }
}

impl Dynacast {
    /// Publishers do not begin with it.
    pub(crate) fn nothing() -> Self {
        Self { told: None, less_since: None }
    }

    /// Was the publisher told that nobody wants the track?
    pub(crate) fn wants_nothing(&self) -> bool {
        self.told.is_none()
    }

    /// When to look again.
    fn due(&self) -> Option<Instant> {
        Some(self.less_since? + DYNACAST_DOWN_DELAY)
    }

    /// What to tell now, if anything: more at once, less only once it has been less for a while.
    #[expect(
        clippy::option_option,
        reason = "telling that nothing is wanted is not telling nothing"
    )]
    fn decide(&mut self, now: Instant, wanted: Option<Quality>) -> Option<Option<Quality>> {
        if wanted >= self.told {
            self.less_since = None;
        } else {
            let since = *self.less_since.get_or_insert(now);
            if now.saturating_duration_since(since) < DYNACAST_DOWN_DELAY {
                return None;
            }
            self.less_since = None;
        }
        (wanted != self.told).then(|| {
            self.told = wanted;
            wanted
        })
    }
}

impl Sfu {
    /// What is wanted of a track at a shard has changed.
    pub(crate) fn on_wanted(&mut self, id: TrackId, at: ShardId, wanted: Option<Quality>) {
        let Some(publication) = self.tracks.get_mut(&id) else { return };
        // A shard that does not serve anybody any more has nothing to say.
        if publication.shard == at || publication.mirrors.contains_key(&at) {
            publication.wanted.insert(at, wanted);
            self.update_dynacast(id);
        }
    }

    /// Looks at what subscribers want of a track and of its backup, and tells the publisher if that changed.
    pub(crate) fn update_dynacast(&mut self, id: TrackId) {
        let id = self.tracks.get(&id).and_then(|track| track.backup_of).unwrap_or(id);
        let Some(publication) = self.tracks.get(&id) else { return };
        if publication.kind != MediaKind::Video {
            return;
        }
        let stream = publication.backup.track.and_then(|track| self.tracks.get(&track));
        let streaming = stream.and_then(wanted);
        let wanted_backup = streaming.max(self.wanted_of_missing(id, publication));
        let wanted = wanted(publication);
        let codec = publication.backup_codec();
        let Self { participants, tracks, context, .. } = self;
        let Some(publication) = tracks.get_mut(&id) else { return };
        let now = context.now.instant;
        let decided = publication.dynacast.decide(now, wanted).is_some();
        let backup = &mut publication.backup.dynacast;
        let decided = backup.decide(now, wanted_backup).is_some() || decided;
        let due = [publication.dynacast.due(), publication.backup.dynacast.due()];
        match due.into_iter().flatten().min() {
            Some(at) => context.timers.arm(Timer::Dynacast(id), at),
            None => context.timers.disarm(Timer::Dynacast(id)),
        }
        if !decided {
            return;
        }
        let first = publication.info.mime_type.trim_start_matches("video/").to_lowercase();
        let (first_told, backup_told) =
            (publication.dynacast.told, publication.backup.dynacast.told);
        let mut codecs = vec![subscribed(first, first_told)];
        codecs.extend(codec.map(|codec| subscribed(codec.name().to_lowercase(), backup_told)));
        #[expect(deprecated, reason = "older clients read the list without codecs")]
        let update = lk::SubscribedQualityUpdate {
            track_sid: publication.sid.to_string(),
            subscribed_qualities: qualities(first_told),
            subscribed_codecs: codecs,
        };
        let connection = participants.get(&publication.publisher).and_then(|p| p.connection);
        context.signal(connection, Response::SubscribedQualityUpdate(update));
        self.tell_shards(id);
    }

    /// What is wanted of a backup by those who need it and do not get it yet.
    fn wanted_of_missing(&self, id: TrackId, publication: &Publication) -> Option<Quality> {
        let receivers = publication.subscribers.iter().filter_map(|r| self.participants.get(r));
        let subscriptions = receivers.filter_map(|receiver| receiver.subscriptions.get(&id));
        let waiting = subscriptions.filter(|s| s.needs_backup && s.source.is_none());
        let waiting = waiting.filter(|s| !s.settings.disabled && !publication.blocked);
        waiting.map(|_| Quality::High).max()
    }
}

/// The highest quality that is wanted of a stream.
fn wanted(publication: &Publication) -> Option<Quality> {
    let wishes = publication.wanted.values().filter(|_| !publication.blocked);
    wishes.copied().max().flatten()
}

/// What is wanted of a codec, as the protocol says it.
fn subscribed(codec: String, wanted: Option<Quality>) -> lk::SubscribedCodec {
    lk::SubscribedCodec { codec, qualities: qualities(wanted) }
}

fn qualities(wanted: Option<Quality>) -> Vec<lk::SubscribedQuality> {
    let all = Quality::ALL.into_iter();
    all.map(|quality| lk::SubscribedQuality {
        quality: quality.to_lk().into(),
        enabled: Some(quality) <= wanted,
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fermata_types::Now;

    use super::*;

    #[test]
    fn more_is_told_at_once_and_less_after_a_while() {
        let t0 = Now::read().instant;
        let at = |s| t0 + Duration::from_secs(s);
        let mut dynacast = Dynacast::default();
        let low = Some(Quality::Low);
        assert_eq!(dynacast.decide(at(0), Some(Quality::High)), None);
        assert_eq!(dynacast.decide(at(1), low), None);
        assert_eq!(dynacast.decide(at(5), low), None);
        assert_eq!(dynacast.decide(at(6), low), Some(low));
        assert_eq!(dynacast.decide(at(7), None), None);
        assert_eq!(dynacast.decide(at(8), low), None, "the wish came back in time");
        assert_eq!(dynacast.decide(at(13), None), None);
        assert_eq!(dynacast.decide(at(18), None), Some(None));
        assert_eq!(dynacast.decide(at(18), Some(Quality::High)), Some(Some(Quality::High)));
    }
}
