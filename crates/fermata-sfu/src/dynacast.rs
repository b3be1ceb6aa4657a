//! Tells publishers which layers somebody wants, so that they do not encode the others.

use std::time::Instant;

use fermata_transport::MediaKind;
use livekit_protocol as lk;
use lk::signal_response::Message as Response;

use crate::forward::Quality;
use crate::key::TrackId;
use crate::limits::DYNACAST_DOWN_DELAY;
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

    /// Looks at what subscribers want of a track, and tells its publisher if that changed.
    pub(crate) fn update_dynacast(&mut self, id: TrackId) {
        let Self { participants, tracks, context, .. } = self;
        let Some(publication) = tracks.get_mut(&id) else { return };
        if publication.kind != MediaKind::Video {
            return;
        }
        let wishes = publication.wanted.values().filter(|_| !publication.blocked);
        let wanted = wishes.copied().max().flatten();
        let decided = publication.dynacast.decide(context.now.instant, wanted);
        match publication.dynacast.due() {
            Some(at) => context.timers.arm(Timer::Dynacast(id), at),
            None => context.timers.disarm(Timer::Dynacast(id)),
        }
        let Some(wanted) = decided else { return };
        let codec = publication.info.mime_type.trim_start_matches("video/").to_lowercase();
        let qualities: Vec<_> = Quality::ALL
            .into_iter()
            .map(|quality| lk::SubscribedQuality {
                quality: quality.to_lk().into(),
                enabled: Some(quality) <= wanted,
            })
            .collect();
        #[expect(deprecated, reason = "older clients read the list without codecs")]
        let update = lk::SubscribedQualityUpdate {
            track_sid: publication.sid.to_string(),
            subscribed_qualities: qualities.clone(),
            subscribed_codecs: vec![lk::SubscribedCodec { codec, qualities }],
        };
        let connection = participants.get(&publication.publisher).and_then(|p| p.connection);
        context.signal(connection, Response::SubscribedQualityUpdate(update));
        self.tell_shards(id);
    }
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
