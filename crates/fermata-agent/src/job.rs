//! Jobs: one agent for one room, publisher or participant.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use fermata_types::{RoomName, SdkAppId};
use livekit_protocol as lk;

use crate::id::{DispatchId, JobId, WorkerId};

/// A job that has not ended, or whose agent has still to leave.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) app: SdkAppId,
    pub(crate) room: RoomName,
    /// None for a simulated one.
    pub(crate) dispatch: Option<DispatchId>,
    pub(crate) kind: lk::JobType,
    pub(crate) namespace: String,
    pub(crate) wish: Arc<lk::RoomAgentDispatch>,
    /// The whole record until a worker has it, then only what names the room.
    pub(crate) info: Arc<lk::Room>,
    /// The same for whom it is about.
    pub(crate) participant: Option<Arc<lk::ParticipantInfo>>,
    pub(crate) state: lk::JobState,
    pub(crate) phase: Phase,
    /// When its timer fires.
    pub(crate) due: Option<Instant>,
    /// The agent's stay, while it is in the room.
    pub(crate) stay: Option<String>,
}

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Phase {
    /// A worker was asked whether it takes it.
    Asking {
        /// Which.
        worker: WorkerId,
        /// Those that were asked before.
        tried: BTreeSet<WorkerId>,
    },
    /// A worker runs it; none once its connection is gone.
    Running(Option<WorkerId>),
    /// It has ended; its agent is removed from the room if it does not leave.
    Leaving,
}

impl Job {
    /// Its record.
    pub(crate) fn record(&self, id: &JobId) -> lk::Job {
        #[expect(deprecated, reason = "workers that register in a namespace expect it")]
        lk::Job {
            id: id.to_string(),
            dispatch_id: self.dispatch.as_ref().map(ToString::to_string).unwrap_or_default(),
            r#type: self.kind.into(),
            room: Some(lk::Room::clone(&self.info)),
            participant: self.participant.as_ref().map(|info| lk::ParticipantInfo::clone(info)),
            namespace: self.namespace.clone(),
            metadata: self.wish.metadata.clone(),
            agent_name: self.wish.agent_name.clone(),
            state: Some(self.state.clone()),
            enable_recording: false,
            deployment: self.wish.deployment.clone(),
            attributes: self.wish.attributes.clone(),
            enable_redaction: false,
        }
    }

    /// Forgets what only the worker had to know: records can be large, and jobs are many.
    pub(crate) fn slim(&mut self) {
        self.info = Arc::new(lk::Room {
            sid: self.info.sid.clone(),
            name: self.info.name.clone(),
            creation_time: self.info.creation_time,
            creation_time_ms: self.info.creation_time_ms,
            ..Default::default()
        });
        self.participant = self.participant.take().map(|info| {
            Arc::new(lk::ParticipantInfo {
                sid: info.sid.clone(),
                identity: info.identity.clone(),
                name: info.name.clone(),
                kind: info.kind,
                joined_at: info.joined_at,
                joined_at_ms: info.joined_at_ms,
                ..Default::default()
            })
        });
    }
}

/// A worker took a job: a token for its agent is to be signed, and both are to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// To whom.
    pub worker: WorkerId,
    /// The job.
    pub job: lk::Job,
    /// Namespace.
    pub app: SdkAppId,
    /// API key to sign with.
    pub key: String,
    /// The room to join.
    pub room: RoomName,
    /// The agent's identity, 1 to 256 bytes.
    pub identity: String,
    /// Its display name.
    pub name: String,
    /// Its metadata.
    pub metadata: String,
    /// Its attributes, with the name of the agent among them.
    pub attributes: BTreeMap<String, String>,
    /// Its rights.
    pub permission: lk::ParticipantPermission,
    /// May joining make the room? Only for simulated jobs: an agent that comes too late must not make its room
    /// anew, for which another agent would be sent.
    pub may_create: bool,
}
