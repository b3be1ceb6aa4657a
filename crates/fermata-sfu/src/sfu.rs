//! The shard: takes inputs, hands them to the parts, gives outputs.
//!
//! The parts are `impl Sfu` blocks in files named after what they are about.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use fermata_transport::egress::Egress;
use fermata_transport::{Certificate, TransportConfig};
use fermata_types::{Now, ParticipantSid, RoomName, RoomSid, SdkAppId, TrackSid};
use jiff::SignedDuration;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rustc_hash::FxHashMap;

use crate::command::Calls;
use crate::context::Context;
use crate::demux::Demux;
use crate::departure::Departures;
use crate::io::{ConnectionId, Input, Output, Verdict};
use crate::key::{LinkId, ParticipantId, RoomId, TrackId};
use crate::limits::{DATA_LEN_MAX, MEDIA_BYTES, MEDIA_DATAGRAMS, VERDICTS_MAX};
use crate::link::Link;
use crate::participant::Participant;
use crate::path::{Arrival, Pacer};
use crate::publication::Publication;
use crate::revocation::Revocations;
use crate::room::Room;
use crate::timer::Timer;
use crate::{SfuConfig, SfuStats};

/// Deadline given when nothing at all is due.
const IDLE: Duration = Duration::from_hours(1);

/// Rooms and participants of one media thread.
#[derive(Debug)]
pub struct Sfu {
    pub(crate) config: SfuConfig,
    pub(crate) transport: TransportConfig,
    pub(crate) rng: StdRng,
    pub(crate) context: Context,
    pub(crate) verdicts: BTreeMap<SdkAppId, Verdict>,
    pub(crate) revocations: Revocations,
    pub(crate) departures: Departures,
    pub(crate) rooms: BTreeMap<RoomId, Room>,
    pub(crate) room_ids: HashMap<(SdkAppId, RoomName), RoomId>,
    pub(crate) participants: FxHashMap<ParticipantId, Participant>,
    pub(crate) connections: FxHashMap<ConnectionId, ParticipantId>,
    pub(crate) tracks: FxHashMap<TrackId, Publication>,
    pub(crate) track_ids: HashMap<TrackSid, TrackId>,
    /// Remote procedure calls that wait for their answers.
    pub(crate) calls: Calls,
    pub(crate) demux: Demux,
    /// Media packets of the batch that is being handled.
    pub(crate) arrivals: Vec<Arrival>,
    /// Tracks that come in another codec from this batch on.
    pub(crate) restarts: Vec<TrackId>,
    /// Who has media to send, and when.
    pub(crate) pacer: Pacer,
    /// The media that was given out last.
    pub(crate) media: Egress,
    pub(crate) stopping: bool,
    last_id: u64,
}

impl Sfu {
    /// An empty shard. `seed` feeds ids and trailers: fresh OS randomness, or a constant in tests.
    pub fn new(config: SfuConfig, seed: [u8; 32], now: Now) -> Self {
        let transport = TransportConfig {
            candidates: config.candidates.clone(),
            // Without one each connection makes its own, and fails if it cannot.
            certificate: Certificate::generate().ok(),
            data_message_len_max: DATA_LEN_MAX,
            ..TransportConfig::default()
        };
        Self {
            config,
            transport,
            rng: StdRng::from_seed(seed),
            context: Context::new(now),
            verdicts: BTreeMap::new(),
            revocations: Revocations::default(),
            departures: Departures::default(),
            rooms: BTreeMap::new(),
            room_ids: HashMap::new(),
            participants: FxHashMap::default(),
            connections: FxHashMap::default(),
            tracks: FxHashMap::default(),
            track_ids: HashMap::new(),
            calls: Calls::default(),
            demux: Demux::default(),
            arrivals: Vec::new(),
            restarts: Vec::new(),
            pacer: Pacer::new(now.instant),
            media: Egress::new(MEDIA_BYTES, MEDIA_DATAGRAMS),
            stopping: false,
            last_id: 0,
        }
    }

    /// Takes one thing that happened. Then call [`Sfu::poll_egress`] until there is nothing more, and
    /// [`Sfu::poll_output`] until [`Output::Timeout`].
    pub fn handle_input(&mut self, now: Now, input: Input<'_>) {
        self.context.now = now;
        match input {
            Input::Datagrams { source, destination, data, segment_len } => {
                self.on_datagrams(source, destination, data, segment_len);
            }
            Input::Timeout => {}
            Input::Join(join) => self.on_join(*join),
            Input::Signal(connection, message) => self.on_signal(connection, *message),
            Input::SignalClosed(connection) => self.on_signal_closed(connection),
            Input::RefreshToken(connection, token) => self.on_fresh_token(connection, token),
            Input::Verdict(app, verdict) => self.on_verdict(app, verdict),
            Input::Command(request, command) => self.on_command(request, command),
            Input::Shutdown => self.on_shutdown(),
        }
        self.settle();
        while let Some(timer) = self.context.timers.pop_due(now.instant) {
            self.on_timer(timer);
            self.settle();
        }
    }

    /// The next thing to do, or until when there is nothing.
    pub fn poll_output(&mut self) -> Output {
        if let Some(output) = self.context.out.pop_front() {
            return output;
        }
        let now = self.context.now.instant;
        // What writing media brought up is still to be handled.
        let at_once =
            (!self.context.events.is_empty() || !self.context.control.is_empty()).then_some(now);
        let due = [at_once, self.pacer.due(now), self.context.timers.next()];
        Output::Timeout(due.into_iter().flatten().min().unwrap_or(now + IDLE))
    }

    /// Counters and gauges as of now.
    pub fn stats(&self) -> SfuStats {
        let links = |p: &Participant| usize::from(p.up.is_some()) + usize::from(p.down.is_some());
        let people = self.participants.values();
        SfuStats {
            rooms: self.rooms.len() as u64,
            participants: self.participants.len() as u64,
            tracks: self.tracks.len() as u64,
            subscriptions: people.clone().map(|p| p.subscriptions.len() as u64).sum(),
            transports: people.map(|p| links(p) as u64).sum(),
            egress_dropped: self.context.control.dropped() + self.media.dropped(),
            ..self.context.stats.clone()
        }
    }

    /// Entries in every map of the shard that should be empty when nobody is there.
    /// Remembered removals and verdicts are not among them. For leak tests.
    pub fn entries(&self) -> usize {
        self.rooms.len()
            + self.room_ids.len()
            + self.participants.len()
            + self.connections.len()
            + self.tracks.len()
            + self.track_ids.len()
            + self.calls.len()
            + self.demux.len()
            + self.context.timers.len()
            + self.context.events.len()
            + self.context.out.len()
            + self.pacer.len()
    }

    /// A number never used before in this shard.
    pub(crate) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    pub(crate) fn new_participant_sid(&mut self) -> ParticipantSid {
        ParticipantSid::random(&mut self.rng)
    }

    pub(crate) fn new_room_sid(&mut self) -> RoomSid {
        RoomSid::random(&mut self.rng)
    }

    pub(crate) fn new_track_sid(&mut self) -> TrackSid {
        TrackSid::random(&mut self.rng)
    }

    /// The connection of an id.
    pub(crate) fn link_mut(&mut self, id: LinkId) -> Option<&mut Link> {
        self.participants.get_mut(&id.participant)?.link_mut(id.side)
    }

    /// Handles what connections reported, and what follows from that, until nothing is left.
    fn settle(&mut self) {
        while let Some((link, event)) = self.context.events.pop_front() {
            self.on_link_event(link, event);
        }
    }

    fn on_verdict(&mut self, app: SdkAppId, verdict: Verdict) {
        let known = self.verdicts.get(&app).map(|verdict| verdict.epoch);
        match known {
            Some(epoch) if verdict.epoch < epoch => {}
            None if self.verdicts.len() >= VERDICTS_MAX => self.context.stats.limited += 1,
            _ => {
                let (inside, offset) = (verdict.inside, verdict.clock_offset);
                let before = self.verdicts.insert(app, verdict);
                // A clock that is known for the first time has moved nobody.
                let known = before.map_or(offset, |before| before.clock_offset);
                self.move_account_time(app, offset.saturating_sub(known));
                if !inside {
                    self.dismiss_all(app);
                }
            }
        }
    }

    /// The clock of an account was moved: what its people spend from now on is stamped later.
    fn move_account_time(&mut self, app: SdkAppId, by: SignedDuration) {
        if by <= SignedDuration::ZERO {
            return;
        }
        let now = self.context.now.instant;
        for room in self.rooms.values().filter(|room| room.app == app) {
            for id in room.members.values() {
                if let Some(participant) = self.participants.get_mut(id) {
                    participant.meter.move_account_time(now, by);
                }
            }
        }
    }

    /// Closes every room of an application.
    fn dismiss_all(&mut self, app: SdkAppId) {
        let rooms = self.rooms.values().filter(|room| room.app == app);
        for id in rooms.map(|room| room.id).collect::<Vec<_>>() {
            self.close_room(id);
        }
    }

    fn on_timer(&mut self, timer: Timer) {
        match timer {
            Timer::Link(id) => {
                let Self { participants, context, .. } = self;
                let participant = participants.get_mut(&id.participant);
                if let Some(link) = participant.and_then(|p| p.link_mut(id.side)) {
                    link.drive(context);
                }
            }
            Timer::JoinDeadline(id) => self.on_join_deadline(id),
            Timer::Vanish(id) => self.on_vanish(id),
            Timer::Refresh(id) => self.order_token(id),
            Timer::Meter(id) => self.on_meter(id),
            Timer::Negotiation(id) => self.on_negotiation_timeout(id),
            Timer::Speakers(id) => self.on_speakers(id),
            Timer::Quality(id) => self.on_quality(id),
            Timer::Samples(id) => self.on_samples(id),
            Timer::Updates(id) => self.flush_news(id),
            Timer::RoomUpdate(id) => self.send_room_update(id),
            Timer::RoomClose(id) => self.on_room_close(id),
            Timer::Track(id) => self.on_track_timer(id),
            Timer::Call(id) => self.on_call_timeout(id),
        }
    }
}
