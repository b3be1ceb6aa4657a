//! One user in one room: a stay, its rights, connections, tracks and subscriptions.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

use fermata_transport::{Codec, MediaKind, Mid, Rid};
use fermata_types::{Now, ParticipantSid, Role, Scene};
use jiff::Timestamp;
use livekit_protocol as lk;

use crate::data::DataState;
use crate::forward::{QualityMeter, Settings};
use crate::io::{ConnectionId, Join, RoomPermission};
use crate::key::{ParticipantId, RoomId, Side, TrackId};
use crate::link::Link;
use crate::meter::StayMeter;
use crate::permission::Allowed;
use crate::rate::SignalRate;
use crate::seam::{Health, ShardId};

/// A track that was announced and has no m-line yet.
#[derive(Debug)]
pub(crate) struct PendingTrack {
    /// Names under which it may appear in the SDP.
    pub(crate) cids: Vec<String>,
    pub(crate) kind: MediaKind,
    /// The announcement says in which codec it is to come; otherwise its m-line does.
    pub(crate) names_codec: bool,
    /// The track of which it is a further codec.
    pub(crate) backup_of: Option<TrackId>,
    pub(crate) info: lk::TrackInfo,
}

/// A sending m-line for which no track was announced yet.
#[derive(Debug)]
pub(crate) struct Unbound {
    pub(crate) mid: Mid,
    pub(crate) kind: MediaKind,
    pub(crate) track_id: String,
    pub(crate) rids: Vec<Rid>,
    /// What the client prefers to send here.
    pub(crate) codec: Option<Codec>,
}

/// A section in which the client of a single connection can receive.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) mid: Mid,
    pub(crate) kind: MediaKind,
    pub(crate) track: Option<TrackId>,
    /// It carried a track that is gone, and the client has not been told yet. Only then may it carry another.
    pub(crate) used: bool,
}

/// A track this participant receives, or is about to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Subscription {
    /// Where it goes out; missing while a single connection has no free section.
    pub(crate) mid: Option<Mid>,
    pub(crate) settings: Settings,
    /// What goes out: the track itself or its backup; nothing while there is none that the client can decode.
    pub(crate) source: Option<TrackId>,
    /// The client cannot decode the track itself, but its backup.
    pub(crate) needs_backup: bool,
    /// It was told that it can decode neither.
    pub(crate) told_unsupported: bool,
}

/// A participant.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent facts about a client")]
pub(crate) struct Participant {
    pub(crate) id: ParticipantId,
    pub(crate) sid: ParticipantSid,
    pub(crate) room: RoomId,
    pub(crate) identity: String,
    pub(crate) name: String,
    pub(crate) metadata: String,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) permission: RoomPermission,
    pub(crate) role: Role,
    /// The role that listeners of events know.
    pub(crate) role_noted: Role,
    pub(crate) kind: i32,
    /// Its token may make the room.
    pub(crate) may_create: bool,
    pub(crate) client: lk::ClientInfo,
    pub(crate) protocol: i32,
    pub(crate) single: bool,
    pub(crate) auto_subscribe: bool,
    pub(crate) address: String,

    pub(crate) connection: Option<ConnectionId>,
    pub(crate) entered: Now,
    pub(crate) state: lk::participant_info::State,
    pub(crate) version: u32,
    /// Last sign of life.
    pub(crate) heard_at: Instant,
    /// Last sign of life on a media connection, and how that is.
    pub(crate) health: Health,
    pub(crate) signals: SignalRate,
    /// A simulation: close the signalling connection at the next resume, before (true) or after the first message.
    pub(crate) close_signal_on_resume: Option<bool>,
    /// Media was connected at least once.
    pub(crate) was_connected: bool,

    /// Who moves its packets.
    pub(crate) shard: ShardId,
    pub(crate) up: Option<Link>,
    pub(crate) down: Option<Link>,
    /// Counts its connections.
    pub(crate) links_opened: u32,

    pub(crate) pending: VecDeque<PendingTrack>,
    pub(crate) unbound: Vec<Unbound>,
    pub(crate) publications: BTreeMap<Mid, TrackId>,
    /// Whom it lets subscribe.
    pub(crate) allowed: Allowed,

    pub(crate) subscriptions: BTreeMap<TrackId, Subscription>,
    /// Explicit wishes per track: wanted or not.
    pub(crate) choices: BTreeMap<TrackId, bool>,
    /// Tracks wanted but not permitted by their publisher.
    pub(crate) forbidden: BTreeSet<TrackId>,
    /// Sections to receive in, single connection only.
    pub(crate) sections: Vec<Section>,
    /// More sections were asked for, and the offer has not come.
    pub(crate) sections_asked: bool,
    /// A section was given up, and the client has not been told.
    pub(crate) sections_freed: bool,
    /// Counts our offers.
    pub(crate) offer_id: u32,
    /// The outstanding offer, to be repeated if the client resumes before it answered.
    pub(crate) offer_sdp: String,
    /// ICE is to be restarted once the outstanding offer is answered.
    pub(crate) restart_wanted: bool,

    pub(crate) data: DataState,
    pub(crate) meter: StayMeter,
    pub(crate) quality: QualityMeter,
    /// What was told about it last.
    pub(crate) quality_told: Option<lk::ConnectionQuality>,
    /// It came, or came to receive somebody, and has yet to be told how good the connections are that
    /// did not change since.
    pub(crate) qualities_due: bool,
}

/// What a participant is made of besides its [`Join`].
pub(crate) struct NewParticipant {
    pub(crate) id: ParticipantId,
    pub(crate) shard: ShardId,
    pub(crate) sid: ParticipantSid,
    pub(crate) room: RoomId,
    pub(crate) role: Role,
    pub(crate) scene: Scene,
    /// Entry in account time.
    pub(crate) entered_at: Timestamp,
    pub(crate) now: Now,
}

impl Participant {
    /// A user who was just admitted; no connections yet.
    pub(crate) fn new(new: NewParticipant, join: Join) -> Self {
        let NewParticipant { id, sid, room, shard, role, scene, entered_at, now } = new;
        let mut permission = join.permission;
        if role == Role::Audience {
            permission.can_publish = false;
        }
        Self {
            id,
            room,
            identity: join.identity,
            name: join.name,
            metadata: join.metadata,
            attributes: join.attributes,
            permission,
            role,
            role_noted: role,
            kind: join.kind,
            may_create: join.may_create,
            client: join.client.info,
            protocol: join.client.protocol,
            single: join.client.single_connection,
            auto_subscribe: join.client.auto_subscribe,
            address: join.client.address,
            connection: Some(join.connection),
            entered: now,
            state: lk::participant_info::State::Joined,
            version: 1,
            heard_at: now.instant,
            health: Health { at: now.instant, loss: 0.0, rtt: None },
            signals: SignalRate::new(now.instant),
            close_signal_on_resume: None,
            was_connected: false,
            shard,
            up: None,
            down: None,
            links_opened: 0,
            pending: VecDeque::new(),
            unbound: Vec::new(),
            publications: BTreeMap::new(),
            allowed: Allowed::default(),
            subscriptions: BTreeMap::new(),
            choices: BTreeMap::new(),
            forbidden: BTreeSet::new(),
            sections: Vec::new(),
            // The first offer comes by itself.
            sections_asked: join.client.single_connection,
            sections_freed: false,
            offer_id: 0,
            offer_sdp: String::new(),
            restart_wanted: false,
            data: DataState::default(),
            meter: StayMeter::open(now.instant, entered_at, sid.clone(), scene, role),
            quality: QualityMeter::new(now.instant),
            quality_told: None,
            qualities_due: true,
            sid,
        }
    }

    /// The connection on which media and data go out to the client.
    pub(crate) fn out_side(&self) -> Side {
        if self.single { Side::Up } else { Side::Down }
    }

    /// One of the connections.
    pub(crate) fn link(&self, side: Side) -> Option<&Link> {
        match side {
            Side::Up => self.up.as_ref(),
            Side::Down => self.down.as_ref(),
        }
    }

    /// One of the connections, to change it.
    pub(crate) fn link_mut(&mut self, side: Side) -> Option<&mut Link> {
        match side {
            Side::Up => self.up.as_mut(),
            Side::Down => self.down.as_mut(),
        }
    }

    /// Rights as the protocol shows them.
    pub(crate) fn permission_info(&self) -> lk::ParticipantPermission {
        let permission = &self.permission;
        #[expect(deprecated, reason = "older clients read recorder and agent here")]
        lk::ParticipantPermission {
            can_subscribe: permission.can_subscribe,
            can_publish: permission.can_publish,
            can_publish_data: permission.can_publish_data,
            can_publish_sources: permission.can_publish_sources.clone(),
            hidden: permission.hidden,
            recorder: permission.recorder,
            can_update_metadata: permission.can_update_metadata,
            agent: permission.agent,
            can_subscribe_metrics: permission.can_subscribe_metrics,
            ..Default::default()
        }
    }

    /// Whether the rights allow publishing this source (`lk::TrackSource`).
    pub(crate) fn may_publish(&self, source: i32) -> bool {
        let sources = &self.permission.can_publish_sources;
        self.permission.can_publish && (sources.is_empty() || sources.contains(&source))
    }

    /// The participant as the protocol shows it; tracks come from outside.
    pub(crate) fn info(&self, tracks: Vec<lk::TrackInfo>) -> lk::ParticipantInfo {
        lk::ParticipantInfo {
            sid: self.sid.to_string(),
            identity: self.identity.clone(),
            state: self.state.into(),
            tracks,
            metadata: self.metadata.clone(),
            joined_at: self.entered.wall.as_second(),
            joined_at_ms: self.entered.wall.as_millisecond(),
            name: self.name.clone(),
            version: self.version,
            permission: Some(self.permission_info()),
            is_publisher: !self.publications.is_empty(),
            kind: self.kind,
            attributes: self.attributes.clone().into_iter().collect(),
            client_protocol: self.client.client_protocol,
            capabilities: self.client.capabilities.clone(),
            ..Default::default()
        }
    }
}
