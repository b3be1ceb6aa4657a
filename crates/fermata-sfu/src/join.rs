//! From a request to enter to a participant: admission, replacement of an earlier stay, the first messages.

use std::time::Duration;

use fermata_transport::PeerKind;
use fermata_types::{Refusal, RoomName, Scene, SdkAppId, StayOpened};
use jiff::{SignedDuration, Timestamp};
use livekit_protocol as lk;
use lk::signal_response::Message as Response;
use rand::Rng as _;

use crate::admission::{Admission, Facts, RoomFacts, admit};
use crate::io::{Admitted, ClientSettings, ConnectionId, Join, Output, RoomOptions, UsageFact};
use crate::key::{LinkId, ParticipantId, RoomId, Side};
use crate::leave::Leaving;
use crate::limits::{
    METER_INTERVAL, PING_INTERVAL_S, PING_TIMEOUT_S, PROTOCOL, QUALITY_INTERVAL, SERVER_VERSION,
};
use crate::link::Link;
use crate::participant::{NewParticipant, Participant};
use crate::room::{NewRoom, Room, enabled_codecs};
use crate::seam::{Order, PeerSpec, ShardId};
use crate::sfu::Sfu;
use crate::timer::Timer;

/// Random tail that marks frames a server injects into encrypted streams, bytes.
const SIF_TRAILER_LEN: usize = 16;

impl Sfu {
    /// Answers a join: refuses it, only says what would be, resumes, or lets in.
    pub(crate) fn on_join(&mut self, join: Join) {
        let connection = join.connection;
        if !join.probe
            && !self.stopping
            && let Some(id) = self.resumable(&join)
        {
            self.resume(id, join);
            return;
        }
        let admission = match self.judge(&join) {
            Ok(admission) => admission,
            Err(refusal) => {
                self.context.stats.joins_refused += u64::from(!join.probe);
                self.context.out.push_back(Output::Joined(connection, Err(refusal)));
                return;
            }
        };
        if join.probe || join.client.resume.is_some() {
            // Nobody enters: the ids are only there because the answer has a place for them.
            let admitted =
                Admitted { participant: self.new_participant_sid(), room: self.new_room_sid() };
            self.context.out.push_back(Output::Joined(connection, Ok(admitted)));
            if !join.probe {
                self.refuse_resume(connection);
            }
            return;
        }
        self.enter(join, admission);
    }

    /// Gathers the facts and asks admission.
    fn judge(&self, join: &Join) -> Result<Admission, Refusal> {
        let room = self.room_ids.get(&(join.app, join.room.clone()));
        let room = room.and_then(|id| self.rooms.get(id)).map(|room| {
            let replaces = room.members.contains_key(&join.identity);
            RoomFacts {
                scene: room.scene,
                others: room.members.len() - usize::from(replaces),
                participants_max: room.options.max_participants.unwrap_or(0),
                replaces,
            }
        });
        let facts = Facts {
            room,
            rooms: self.rooms.len(),
            waiting: 0,
            participants: self.participants.len(),
            connecting: self.connecting.get(&join.app).copied().unwrap_or(0),
            left_recently: self.left_recently(join),
            removed_at: self.revocations.get(join.app, &join.room, &join.identity),
            stopping: self.stopping,
        };
        admit(join, self.verdicts.get(&join.app), &facts, &self.config.limits)
    }

    /// Did who asks leave this very room a moment ago, as a page does that is reloaded?
    fn left_recently(&self, join: &Join) -> bool {
        let timeout = self.verdicts.get(&join.app).map(|verdict| verdict.disconnect_timeout);
        let who = (join.app, &join.room, join.identity.as_str());
        let age = timeout.unwrap_or(Duration::ZERO);
        self.departures.is_recent(who, self.context.now.instant, age)
    }

    fn enter(&mut self, mut join: Join, admission: Admission) {
        self.context.stats.joins_admitted += 1;
        let room_id = self.room_for(&join, admission.scene);
        let earlier = self.rooms.get(&room_id).and_then(|r| r.members.get(&join.identity).copied());
        if let Some(earlier) = earlier {
            self.close_participant(earlier, Leaving::Replaced);
        }
        let now = self.context.now;
        let id = ParticipantId(self.next_id());
        let sid = self.new_participant_sid();
        let home = self.rooms.get(&room_id).map(|room| room.home);
        let shard = self.placement.place(home.unwrap_or(ShardId(0)));
        let client = std::mem::take(&mut join.client);
        let new = NewParticipant {
            id,
            sid,
            shard,
            room: room_id,
            role: admission.role,
            scene: admission.scene,
            entered_at: self.account_time(join.app),
            now,
        };
        join.client =
            ClientSettings { publisher_offer: None, add_tracks: Vec::new(), ..client.clone() };
        let connection = join.connection;
        let participant = Participant::new(new, join);
        self.take_in(participant, admission.scene, connection);
        self.tell_entered(id);
        self.welcome(id);
        self.greet_with_media(id, client);
    }

    /// The room of that name, made if it is not there. A room about to close stays.
    fn room_for(&mut self, join: &Join, scene: Scene) -> RoomId {
        let key = (join.app, join.room.clone());
        if let Some(id) = self.room_ids.get(&key).copied() {
            self.context.timers.disarm(Timer::RoomClose(id));
            return id;
        }
        self.make_room(key, scene, join.room_options.clone(), Some(join.identity.clone()))
    }

    /// A room that is not there yet; `creator` is who enters it first, nobody if an API makes it.
    pub(crate) fn make_room(
        &mut self,
        key: (SdkAppId, RoomName),
        scene: Scene,
        options: RoomOptions,
        creator: Option<String>,
    ) -> RoomId {
        let now = self.context.now;
        let id = RoomId(self.next_id());
        let sid = self.new_room_sid();
        let (app, name) = key.clone();
        let home = self.placement.home();
        self.rooms.insert(id, Room::new(NewRoom { id, home, sid, app, name, scene, options, now }));
        self.room_ids.insert(key, id);
        self.context.timers.arm(Timer::Quality(id), now.instant + QUALITY_INTERVAL);
        self.arm_samples(id);
        self.tell_room_started(id, creator);
        id
    }

    /// Puts the participant into every map and writes down that the stay began.
    fn take_in(&mut self, participant: Participant, scene: Scene, connection: ConnectionId) {
        let now = self.context.now;
        let id = participant.id;
        let Some(room) = self.rooms.get_mut(&participant.room) else { return };
        room.members.insert(participant.identity.clone(), id);
        let admitted = Admitted { participant: participant.sid.clone(), room: room.sid.clone() };
        self.context.out.push_back(Output::Usage(UsageFact::Opened(StayOpened {
            stay: participant.sid.clone(),
            app: room.app,
            room: room.name.clone(),
            room_sid: room.sid.clone(),
            identity: participant.identity.clone(),
            scene,
            role: participant.role,
            entered_at: participant.meter.entered_at(),
        })));
        self.context.out.push_back(Output::Joined(connection, Ok(admitted)));
        self.placement.add(participant.shard);
        *self.connecting.entry(room.app).or_insert(0) += 1;
        self.connections.insert(connection, id);
        self.participants.insert(id, participant);
        self.open_links(id);
        let timers = &mut self.context.timers;
        timers.arm(Timer::JoinDeadline(id), now.instant + self.config.limits.join_deadline);
        timers.arm(Timer::Meter(id), now.instant + METER_INTERVAL);
        self.arm_vanish(id);
    }

    /// One of an application's people has connected, or is gone before that.
    pub(crate) fn note_not_connecting(&mut self, room: RoomId) {
        let Some(app) = self.rooms.get(&room).map(|room| room.app) else { return };
        if let Some(count) = self.connecting.get_mut(&app) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.connecting.remove(&app);
            }
        }
    }

    /// Makes the connections that the participant's dialect has, at its shard.
    fn open_links(&mut self, id: ParticipantId) {
        let Some(participant) = self.participants.get(&id) else { return };
        let Some(room) = self.rooms.get(&participant.room) else { return };
        let (shard, single) = (participant.shard, participant.single);
        let sid = participant.sid.clone();
        let spec = PeerSpec { id, single, sid, app: room.app, room_sid: room.sid.clone() };
        self.context.order(shard, Order::Enter(Box::new(spec)));
        let link = |side| LinkId { participant: id, side };
        if single {
            self.open_link(link(Side::Up), PeerKind::Single);
        } else {
            self.open_link(link(Side::Up), PeerKind::Publisher);
            self.open_link(link(Side::Down), PeerKind::Subscriber);
        }
    }

    /// A new connection in the place of what was there.
    pub(crate) fn open_link(&mut self, id: LinkId, kind: PeerKind) {
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        let Self { participants, context, transports, .. } = self;
        let Some(participant) = participants.get_mut(&id.participant) else { return };
        let Some(config) = transports.get(participant.shard.index()) else { return };
        participant.links_opened += 1;
        let nth = participant.links_opened;
        let link = Link::open(context, (id, nth), participant.shard, kind, config, seed);
        match id.side {
            Side::Up => participant.up = Some(link),
            Side::Down => participant.down = Some(link),
        }
    }

    /// Sends the first message and tells the others.
    fn welcome(&mut self, id: ParticipantId) {
        let Some(participant) = self.participants.get(&id) else { return };
        let (connection, room_id, single) =
            (participant.connection, participant.room, participant.single);
        let mut sif_trailer = vec![0; SIF_TRAILER_LEN];
        self.rng.fill_bytes(&mut sif_trailer);
        let response = lk::JoinResponse {
            room: self.room_info(room_id),
            participant: self.participant_info(id),
            other_participants: self.visible_others(id),
            server_version: SERVER_VERSION.to_owned(),
            subscriber_primary: !single,
            server_region: self.config.region.clone(),
            ping_timeout: PING_TIMEOUT_S,
            ping_interval: PING_INTERVAL_S,
            server_info: Some(self.server_info()),
            sif_trailer,
            ice_servers: self.ice_servers(id),
            enabled_publish_codecs: enabled_codecs(),
            fast_publish: true,
            ..Default::default()
        };
        self.context.signal(connection, Response::Join(response));
        self.announce(id);
        self.order_token(id);
        self.room_numbers_changed(room_id);
    }

    /// The relays that a participant may use, with credentials of its own.
    pub(crate) fn ice_servers(&self, id: ParticipantId) -> Vec<lk::IceServer> {
        let Some(participant) = self.participants.get(&id) else { return Vec::new() };
        let relays = self.config.relays.iter();
        relays.map(|relays| relays.grant(&participant.sid, self.context.now.wall)).collect()
    }

    /// Subscribes, offers, and takes what came along with the join.
    fn greet_with_media(&mut self, id: ParticipantId, client: ClientSettings) {
        self.auto_subscribe_all(id);
        self.negotiate(id);
        for request in client.add_tracks {
            self.on_add_track(id, request);
        }
        if let Some(offer) = client.publisher_offer {
            self.on_offer(id, &offer);
        }
        self.tell_active_speakers(id);
    }

    /// Now, as the clock of the application's account shows it.
    fn account_time(&self, app: SdkAppId) -> Timestamp {
        let verdict = self.verdicts.get(&app);
        let offset = verdict.map_or(SignedDuration::ZERO, |verdict| verdict.clock_offset);
        self.context.now.wall.saturating_add(offset).unwrap_or(Timestamp::MAX)
    }

    /// What clients are told about the server.
    pub(crate) fn server_info(&self) -> lk::ServerInfo {
        lk::ServerInfo {
            edition: lk::server_info::Edition::Standard.into(),
            version: SERVER_VERSION.to_owned(),
            protocol: PROTOCOL,
            region: self.config.region.clone(),
            node_id: self.config.node.to_string(),
            ..Default::default()
        }
    }

    /// How long a vanished participant of this room is kept.
    pub(crate) fn disconnect_timeout(&self, room: RoomId) -> Duration {
        /// The vendor's rule, for an application whose verdict is gone.
        const DEFAULT: Duration = Duration::from_secs(90);
        let verdict = self.rooms.get(&room).and_then(|room| self.verdicts.get(&room.app));
        verdict.map_or(DEFAULT, |verdict| verdict.disconnect_timeout)
    }
}
