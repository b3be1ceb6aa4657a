//! Rooms, as far as agents are concerned.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fermata_types::{RoomName, SdkAppId};
use livekit_protocol as lk;
use lk::participant_info::Kind;

use crate::dispatch::Dispatch;
use crate::id::{DispatchId, JobId};

/// Something happened in a room.
#[derive(Debug, Clone)]
pub struct RoomNews {
    /// Namespace.
    pub app: SdkAppId,
    /// Room.
    pub room: RoomName,
    /// This life of the room, `RM_...`.
    pub sid: String,
    /// The room's record.
    pub info: Arc<lk::Room>,
    /// May agents be sent now (the application's standing)? What runs goes on in any case.
    pub may_dispatch: bool,
    /// What happened.
    pub what: What,
}

/// What happened in a room.
#[derive(Debug, Clone)]
pub enum What {
    /// It was made; its maker asked for these agents. None: agents without a name serve it.
    Started(Vec<lk::RoomAgentDispatch>),
    /// It is gone.
    Finished,
    /// Somebody entered.
    Entered(Box<lk::ParticipantInfo>),
    /// Somebody published a track.
    Published(Box<lk::ParticipantInfo>),
    /// Somebody left.
    Left {
        /// Who.
        identity: String,
        /// Which stay, `PA_...`.
        stay: String,
    },
}

/// A room that lives.
#[derive(Debug)]
pub(crate) struct Room {
    /// This life of it.
    pub(crate) sid: String,
    /// Its beginning was told; an API may have spoken of it before.
    pub(crate) announced: bool,
    /// Which room it is in the order of their making.
    pub(crate) nth: u64,
    pub(crate) dispatches: BTreeMap<DispatchId, Dispatch>,
    /// Jobs that have not ended.
    pub(crate) jobs: BTreeSet<JobId>,
    /// Identities of agents, and the job that each does.
    pub(crate) agents: BTreeMap<String, JobId>,
}

impl Room {
    pub(crate) fn new(sid: &str, nth: u64) -> Self {
        Self {
            sid: sid.to_owned(),
            announced: false,
            nth,
            dispatches: BTreeMap::new(),
            jobs: BTreeSet::new(),
            agents: BTreeMap::new(),
        }
    }
}

/// Agents and recorders serve others: no agent is sent for them.
pub(crate) fn is_dependent(info: &lk::ParticipantInfo) -> bool {
    #[expect(deprecated, reason = "older tokens say it by these flags instead of the kind")]
    let flagged = info.permission.as_ref().is_some_and(|p| p.agent || p.recorder);
    flagged || matches!(info.kind(), Kind::Agent | Kind::Egress)
}
