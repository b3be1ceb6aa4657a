//! What a participant receives, and who receives a track: two dense lists that know each other's places.
//!
//! Both are ordered by id, so that whatever goes over them does so in the same order in every run. Fan-out
//! goes over [`Subscribers`] and finds each one's [`TrackSubscription`] by the place where it was last time.

use fermata_transport::{Codec, Mid, SendSlot, Wire};

use super::path::History;
use crate::forward::{Continuation, DownTally, DownTrack, Settings};
use crate::key::{ParticipantId, TrackId};

/// Where the packets of a subscription go out; looked up again when its connection was negotiated.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Route {
    /// [`super::link::Link::version`] of what is here; 0 = nothing yet.
    version: u64,
    /// The section, while it sends.
    pub(crate) slot: Option<SendSlot>,
    /// One bit for each codec that can be sent, by its place in [`Codec::ALL`].
    codecs: u16,
}

impl Route {
    fn look_up(version: u64, wire: &Wire, mid: Mid) -> Self {
        let codecs = Codec::ALL.iter().enumerate();
        let sent = codecs.filter(|(_, codec)| wire.sends(mid, **codec));
        let bits = sent.fold(0, |bits, (place, _)| bits | 1 << place);
        Self { version, slot: wire.send_slot(mid), codecs: bits }
    }

    fn sends(&self, codec: Codec) -> bool {
        self.codecs >> (codec as u16) & 1 == 1
    }

    /// The codec in which a packet can go out: its own, or for redundant audio the plain one, if that is wanted
    /// (`plain`) or the other cannot be sent.
    pub(crate) fn codec_for(&self, codec: Codec, plain: bool) -> Option<Codec> {
        let own = self.sends(codec).then_some(codec);
        if codec != Codec::Red {
            return own;
        }
        let opus = self.sends(Codec::Opus).then_some(Codec::Opus);
        if plain { opus.or(own) } else { own.or(opus) }
    }
}

/// A track this participant receives, or is about to.
#[derive(Debug)]
pub(crate) struct TrackSubscription {
    /// Where it goes out; missing while a single connection has no free section.
    pub(crate) mid: Option<Mid>,
    pub(crate) down: DownTrack,
    /// What went out, for samples.
    pub(crate) tally: DownTally,
    pub(crate) settings: Settings,
    /// Steps that there was room for when it was last looked at; see [`super::share`].
    pub(crate) granted: Option<u8>,
    /// Pixels counted for it at the moment.
    pub(crate) area: u64,
    /// What went out lately, to be sent again.
    pub(crate) history: History,
    route: Route,
}

impl TrackSubscription {
    /// Begins with nothing sent.
    pub(crate) fn new(mid: Option<Mid>, down: DownTrack, tally: DownTally) -> Self {
        Self {
            mid,
            down,
            tally,
            settings: Settings::default(),
            granted: None,
            area: 0,
            history: History::default(),
            route: Route::default(),
        }
    }

    /// The track comes in another codec from now on; the numbering goes on.
    pub(crate) fn restart(&mut self) {
        self.renew(self.down.continuation());
    }

    /// Begins anew in a numbering that goes on.
    pub(crate) fn renew(&mut self, from: Continuation) {
        let allowed = self.down.allowed();
        self.down = DownTrack::new(from);
        self.down.set_settings(self.settings);
        self.down.set_allowed(allowed);
    }

    /// It goes out on another section, or on none, from now on.
    pub(crate) fn move_to(&mut self, mid: Option<Mid>) {
        self.mid = mid;
        self.history.clear();
        self.route = Route::default();
    }

    /// Where its packets go out; `version` is that of the connection.
    pub(crate) fn route(&mut self, version: u64, wire: &Wire) -> Option<Route> {
        let mid = self.mid?;
        if self.route.version != version {
            self.route = Route::look_up(version, wire, mid);
        }
        Some(self.route)
    }
}

/// All that a participant receives, by track.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    /// Ascending by track. Boxed, so that the list can be searched and changed without moving what is large.
    list: Vec<(TrackId, Box<TrackSubscription>)>,
}

impl Subscriptions {
    fn place(&self, track: TrackId) -> Result<usize, usize> {
        self.list.binary_search_by_key(&track, |(id, _)| *id)
    }

    /// The subscription of a track.
    pub(crate) fn get_mut(&mut self, track: TrackId) -> Option<&mut TrackSubscription> {
        let place = self.place(track).ok()?;
        self.list.get_mut(place).map(|(_, subscription)| &mut **subscription)
    }

    /// The same; `hint` is where it was last time, and is corrected.
    pub(crate) fn find(
        &mut self,
        track: TrackId,
        hint: &mut u32,
    ) -> Option<&mut TrackSubscription> {
        let place = usize::try_from(*hint).unwrap_or(usize::MAX);
        if self.list.get(place).is_none_or(|(id, _)| *id != track) {
            *hint = u32::try_from(self.place(track).ok()?).unwrap_or(u32::MAX);
        }
        let place = usize::try_from(*hint).unwrap_or(usize::MAX);
        self.list.get_mut(place).map(|(_, subscription)| &mut **subscription)
    }

    /// Adds one, or replaces it.
    pub(crate) fn insert(&mut self, track: TrackId, subscription: TrackSubscription) {
        let entry = (track, Box::new(subscription));
        match self.place(track) {
            Ok(place) => {
                if let Some(old) = self.list.get_mut(place) {
                    *old = entry;
                }
            }
            Err(place) => self.list.insert(place, entry),
        }
    }

    /// Takes one out.
    pub(crate) fn remove(&mut self, track: TrackId) -> Option<TrackSubscription> {
        let place = self.place(track).ok()?;
        Some(*self.list.remove(place).1)
    }

    /// Tracks and subscriptions, in order.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (TrackId, &mut TrackSubscription)> {
        self.list.iter_mut().map(|(track, subscription)| (*track, &mut **subscription))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }
}

/// One who receives a track.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subscriber {
    /// Who.
    pub(crate) participant: ParticipantId,
    /// Where the track was last found among what it receives.
    pub(crate) hint: u32,
}

/// Everybody who receives a track.
#[derive(Debug, Default)]
pub(crate) struct Subscribers {
    /// Ascending by participant.
    list: Vec<Subscriber>,
}

impl Subscribers {
    fn place(&self, participant: ParticipantId) -> Result<usize, usize> {
        self.list.binary_search_by_key(&participant, |subscriber| subscriber.participant)
    }

    /// Adds one who is not there yet.
    pub(crate) fn insert(&mut self, participant: ParticipantId) {
        if let Err(place) = self.place(participant) {
            self.list.insert(place, Subscriber { participant, hint: 0 });
        }
    }

    /// Takes one out.
    pub(crate) fn remove(&mut self, participant: ParticipantId) {
        if let Ok(place) = self.place(participant) {
            self.list.remove(place);
        }
    }

    /// Who, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = ParticipantId> {
        self.list.iter().map(|subscriber| subscriber.participant)
    }

    /// For fan-out.
    pub(crate) fn each(&mut self) -> impl Iterator<Item = &mut Subscriber> {
        self.list.iter_mut()
    }

    /// Nobody?
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forward::Flow;

    fn subscription(area: u64) -> TrackSubscription {
        let down = DownTrack::new(Continuation::default());
        TrackSubscription {
            area,
            ..TrackSubscription::new(None, down, DownTally::new(Flow::Sound))
        }
    }

    #[test]
    fn codecs_are_numbered_as_they_are_listed() {
        for (place, codec) in Codec::ALL.iter().enumerate() {
            assert_eq!(*codec as usize, place);
        }
        let route = Route { version: 1, slot: None, codecs: 1 << Codec::Opus as u16 };
        for (codec, out) in [
            (Codec::Opus, Some(Codec::Opus)),
            (Codec::Red, Some(Codec::Opus)),
            (Codec::Pcmu, None),
            (Codec::Vp8, None),
        ] {
            for plain in [false, true] {
                assert_eq!(route.codec_for(codec, plain), out, "{codec:?}");
            }
        }
        let both = Route { codecs: 0b11, ..route };
        for (plain, out) in [(false, Codec::Red), (true, Codec::Opus)] {
            assert_eq!(both.codec_for(Codec::Red, plain), Some(out));
            assert_eq!(both.codec_for(Codec::Opus, plain), Some(Codec::Opus));
        }
        let red = Route { codecs: 1 << Codec::Red as u16, ..route };
        assert_eq!(red.codec_for(Codec::Red, true), Some(Codec::Red), "better than nothing");
    }

    #[test]
    fn places_are_found_again_after_the_list_has_moved() {
        let mut all = Subscriptions::default();
        for n in [5, 1, 9] {
            all.insert(TrackId(n), subscription(n));
        }
        assert_eq!(all.iter_mut().map(|(track, _)| track.0).collect::<Vec<_>>(), [1, 5, 9]);
        let mut hint = 0;
        for _ in 0..2 {
            assert_eq!(all.find(TrackId(5), &mut hint).map(|s| s.area), Some(5));
            assert_eq!(hint, 1);
        }
        assert_eq!(all.remove(TrackId(1)).map(|s| s.area), Some(1));
        assert_eq!(all.find(TrackId(5), &mut hint).map(|s| s.area), Some(5));
        assert_eq!(hint, 0);
        assert!(all.find(TrackId(1), &mut hint).is_none() && all.remove(TrackId(1)).is_none());
        all.insert(TrackId(9), subscription(90));
        assert_eq!((all.len(), all.get_mut(TrackId(9)).map(|s| s.area)), (2, Some(90)));

        let mut who = Subscribers::default();
        for n in [3, 1, 3, 2] {
            who.insert(ParticipantId(n));
        }
        who.remove(ParticipantId(2));
        who.remove(ParticipantId(7));
        assert_eq!(who.iter().map(|id| id.0).collect::<Vec<_>>(), [1, 3]);
    }
}
