//! Dispatches: the wish that agents of one name serve a room.

use std::collections::{BTreeSet, HashMap, VecDeque};

use fermata_types::{RoomName, SdkAppId};
use livekit_protocol as lk;

use crate::id::DispatchId;
use crate::limits::{
    ATTRIBUTES_LEN_MAX, DEPLOYMENT_LEN_MAX, DISPATCHES_PER_ROOM_MAX, ENDED_JOBS_MAX,
    METADATA_LEN_MAX, NAME_LEN_MAX,
};

/// Why a call about dispatches was not carried out. Nothing was changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DispatchError {
    /// An argument cannot be used.
    #[error("{0}")]
    Invalid(String),
    /// The room is not known (yet).
    #[error("there is no such room")]
    NoSuchRoom,
    /// The room has no dispatch of that id.
    #[error("the room has no such dispatch")]
    NoSuchDispatch,
    /// The room has as many as it may have.
    #[error("the room has {DISPATCHES_PER_ROOM_MAX} dispatches, which is as many as it may have")]
    Full,
}

/// A dispatch that an API asks for, and the room as it is at that moment.
#[derive(Debug, Clone)]
pub struct NewDispatch {
    /// Namespace.
    pub app: SdkAppId,
    /// Room.
    pub room: RoomName,
    /// The room's record; its `sid` names this life of the room.
    pub info: lk::Room,
    /// Everybody in it.
    pub participants: Vec<lk::ParticipantInfo>,
    /// What is asked for.
    pub wish: lk::RoomAgentDispatch,
    /// May agents be sent now? If not, the dispatch is noted and nobody is sent.
    pub may_dispatch: bool,
}

/// A dispatch of a room.
#[derive(Debug)]
pub(crate) struct Dispatch {
    pub(crate) wish: lk::RoomAgentDispatch,
    /// Nanoseconds since 1970.
    pub(crate) created_at: i64,
    /// Stays of publishers and participants that a job was made for, so that none gets two.
    pub(crate) targets: BTreeSet<(i32, String)>,
    /// Jobs that ended, the oldest first.
    pub(crate) ended: VecDeque<lk::Job>,
}

impl Dispatch {
    pub(crate) fn new(wish: lk::RoomAgentDispatch, created_at: i64) -> Self {
        Self { wish, created_at, targets: BTreeSet::new(), ended: VecDeque::new() }
    }

    /// Remembers a job that ended.
    pub(crate) fn remember(&mut self, job: lk::Job) {
        if self.ended.len() >= ENDED_JOBS_MAX {
            self.ended.pop_front();
        }
        self.ended.push_back(job);
    }

    /// Its record, with `running` jobs behind the ended ones.
    pub(crate) fn record(
        &self,
        id: &DispatchId,
        room: &RoomName,
        running: Vec<lk::Job>,
        deleted_at: i64,
    ) -> lk::AgentDispatch {
        let jobs = self.ended.iter().cloned().chain(running).collect();
        lk::AgentDispatch {
            id: id.to_string(),
            agent_name: self.wish.agent_name.clone(),
            room: room.to_string(),
            metadata: self.wish.metadata.clone(),
            state: Some(lk::AgentDispatchState { jobs, created_at: self.created_at, deleted_at }),
            restart_policy: self.wish.restart_policy,
            deployment: self.wish.deployment.clone(),
            attributes: self.wish.attributes.clone(),
        }
    }
}

/// Can this be dispatched? The error says what cannot be used and what is allowed.
pub(crate) fn check(wish: &lk::RoomAgentDispatch) -> Result<(), String> {
    check_name("agent_name", &wish.agent_name)?;
    check_metadata(&wish.metadata)?;
    check_attributes(&wish.attributes)?;
    check_deployment(&wish.deployment)
}

pub(crate) fn check_name(field: &str, text: &str) -> Result<(), String> {
    check_len(field, text.len(), NAME_LEN_MAX)
}

pub(crate) fn check_metadata(text: &str) -> Result<(), String> {
    check_len("metadata", text.len(), METADATA_LEN_MAX)
}

pub(crate) fn check_attributes(attributes: &HashMap<String, String>) -> Result<(), String> {
    let len = attributes.iter().map(|(key, value)| key.len() + value.len()).sum();
    check_len("attributes", len, ATTRIBUTES_LEN_MAX)
}

/// A deployment's name: visible characters, none of them an underscore.
pub(crate) fn check_deployment(text: &str) -> Result<(), String> {
    check_len("deployment", text.len(), DEPLOYMENT_LEN_MAX)?;
    match text.bytes().find(|byte| *byte == b'_' || *byte <= b' ' || *byte == 0x7f) {
        None => Ok(()),
        Some(byte) => Err(format!(
            "deployment contains {:?}; underscores, spaces and control characters are not allowed",
            char::from(byte)
        )),
    }
}

fn check_len(field: &str, len: usize, max: usize) -> Result<(), String> {
    if len <= max {
        Ok(())
    } else {
        Err(format!("{field} has {len} bytes; at most {max} are allowed"))
    }
}
