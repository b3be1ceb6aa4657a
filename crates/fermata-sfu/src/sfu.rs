//! The rooms of a node: takes inputs, hands them to the parts, gives outputs.
//!
//! The parts are `impl Sfu` blocks in files named after what they are about.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use fermata_transport::{Certificate, TransportConfig};
use fermata_types::{Now, ParticipantSid, RoomName, RoomSid, SdkAppId, TrackSid};
use jiff::SignedDuration;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rustc_hash::FxHashMap;

use crate::command::Calls;
use crate::context::Context;
use crate::departure::Departures;
use crate::io::{ConnectionId, Input, Output, Verdict};
use crate::key::{ParticipantId, RoomId, TrackId};
use crate::leave::Leaving;
use crate::limits::{DATA_LEN_MAX, SHARDS_MAX, TIMERS_PER_STEP, VERDICTS_MAX};
use crate::participant::Participant;
use crate::placement::Placement;
use crate::publication::Publication;
use crate::revocation::Revocations;
use crate::room::Room;
use crate::seam::ShardId;
use crate::timer::Timer;
use crate::{SfuConfig, SfuStats, Shard};

/// Deadline given when nothing at all is due.
const IDLE: Duration = Duration::from_hours(1);

/// Rooms and participants of a node. Packets are moved by its shards ([`Shard`]), which it tells what to do.
#[derive(Debug)]
pub struct Sfu {
    pub(crate) config: SfuConfig,
    /// Of the connections of each shard.
    pub(crate) transports: Vec<TransportConfig>,
    pub(crate) placement: Placement,
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
    /// How many of an application's participants have never connected so far; none with zero.
    pub(crate) connecting: HashMap<SdkAppId, usize>,
    /// Remote procedure calls that wait for their answers.
    pub(crate) calls: Calls,
    pub(crate) stopping: bool,
    last_id: u64,
}

impl Sfu {
    /// Rooms without anybody, and the shards they need. `seed` feeds ids and trailers: fresh OS randomness, or a
    /// constant in tests.
    pub fn new(config: SfuConfig, seed: [u8; 32], now: Now) -> (Self, Vec<Shard>) {
        // Without one nobody can connect; that is said where it is made.
        let certificate = Certificate::generate();
        let certificate = certificate
            .inspect_err(|error| tracing::error!(%error, "There is no certificate for media."))
            .ok();
        let transports: Vec<_> = config
            .shards
            .iter()
            .take(SHARDS_MAX)
            .enumerate()
            .map(|(place, candidates)| TransportConfig {
                tcp_candidates: config.tcp.get(place).cloned().unwrap_or_default(),
                candidates: candidates.clone(),
                certificate: certificate.clone(),
                data_message_len_max: DATA_LEN_MAX,
                estimate_bandwidth: config.limits.congestion_control,
                ..TransportConfig::default()
            })
            .collect();
        let count = transports.len();
        let shards = (0..).map(ShardId).zip(&transports);
        let shards = shards.map(|(id, config)| Shard::new(id, count, config.clone(), now));
        let shards = shards.collect();
        let sfu = Self {
            placement: Placement::new(count, config.limits.imbalance_max),
            config,
            transports,
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
            connecting: HashMap::new(),
            calls: Calls::default(),
            stopping: false,
            last_id: 0,
        };
        (sfu, shards)
    }

    /// Takes one thing that happened. Then call [`Sfu::poll_output`] until [`Output::Timeout`].
    pub fn handle_input(&mut self, now: Now, input: Input) {
        self.context.now = now;
        match input {
            Input::Report(report) => self.on_report(report.0),
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
        // What is left over is due at once; reports and requests come in between.
        for _ in 0..TIMERS_PER_STEP {
            let Some(timer) = self.context.timers.pop_due(now.instant) else { break };
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
        Output::Timeout(self.context.timers.next().unwrap_or(now + IDLE))
    }

    /// Counters and gauges of the rooms as of now; those of the shards are to be added ([`SfuStats::add`]).
    pub fn stats(&self) -> SfuStats {
        let people = self.participants.values();
        SfuStats {
            rooms: self.rooms.len() as u64,
            participants: self.participants.len() as u64,
            participants_connecting: self.connecting.values().sum::<usize>() as u64,
            tracks: self.track_ids.len() as u64,
            subscriptions: people.map(|p| p.subscriptions.len() as u64).sum(),
            ..self.context.stats.clone()
        }
    }

    /// Entries in every map that should be empty when nobody is there.
    /// Remembered removals and verdicts are not among them. For leak tests.
    pub fn entries(&self) -> usize {
        self.rooms.len()
            + self.room_ids.len()
            + self.participants.len()
            + self.connections.len()
            + self.tracks.len()
            + self.track_ids.len()
            + self.connecting.len()
            + self.calls.len()
            + self.context.timers.len()
            + self.context.out.len()
            + self.placement.streams()
    }

    /// A number never used before in this node.
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

    /// Closes those whose connections broke, until nothing is left.
    fn settle(&mut self) {
        while let Some(id) = self.context.broken.pop_front() {
            self.on_broken(id);
        }
    }

    /// A connection failed inside.
    pub(crate) fn on_broken(&mut self, id: ParticipantId) {
        self.context.stats.internal_errors += 1;
        self.close_participant(id, Leaving::Failed);
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
            Timer::Dynacast(id) => self.update_dynacast(id),
            Timer::Call(id) => self.on_call_timeout(id),
        }
    }
}
