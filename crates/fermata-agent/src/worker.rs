//! Workers: what they offer, how loaded they are.

use std::collections::BTreeSet;

use fermata_types::SdkAppId;
use livekit_protocol as lk;

use crate::dispatch::{check_deployment, check_name};
use crate::id::JobId;
use crate::limits::{JOBS_PER_WORKER_MAX, WORKERS_MAX, WORKERS_PER_APP_MAX};

/// There are as many workers as may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "there are as many agent workers as may be: {WORKERS_MAX} on this server, {WORKERS_PER_APP_MAX} of one application"
)]
pub struct WorkersFull;

/// A connection of a worker.
#[derive(Debug)]
pub(crate) struct Worker {
    /// Whose rooms it serves.
    pub(crate) app: SdkAppId,
    /// API key that it showed; tokens of its agents are signed with it.
    pub(crate) key: String,
    /// What it offers; none before it has registered.
    pub(crate) offer: Option<Offer>,
    /// Takes jobs.
    available: bool,
    /// 0 idle to 1 full.
    load: f32,
    /// Number of the last status report that was taken in.
    seq: u64,
    /// Jobs that it runs or is asked about.
    pub(crate) jobs: BTreeSet<JobId>,
}

/// What a worker offers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Offer {
    pub(crate) kind: lk::JobType,
    pub(crate) agent_name: String,
    pub(crate) namespace: String,
    pub(crate) deployment: String,
    /// What its agents may do in rooms.
    pub(crate) permission: lk::ParticipantPermission,
}

impl Offer {
    /// Reads a registration; the error says what cannot be used.
    pub(crate) fn read(request: lk::RegisterWorkerRequest) -> Result<Self, String> {
        let kind = lk::JobType::try_from(request.r#type).map_err(|_| {
            format!(
                "job type {} is none of 0 (room), 1 (publisher), 2 (participant)",
                request.r#type
            )
        })?;
        let namespace = request.namespace.unwrap_or_default();
        check_name("agent_name", &request.agent_name)?;
        check_name("namespace", &namespace)?;
        check_name("version", &request.version)?;
        check_deployment(&request.deployment)?;
        let permission = request.allowed_permissions.unwrap_or_else(|| lk::ParticipantPermission {
            can_subscribe: true,
            can_publish: true,
            can_publish_data: true,
            can_update_metadata: true,
            ..Default::default()
        });
        let (agent_name, deployment) = (request.agent_name, request.deployment);
        Ok(Self { kind, agent_name, namespace, deployment, permission })
    }
}

impl Worker {
    pub(crate) fn new(app: SdkAppId, key: String) -> Self {
        let jobs = BTreeSet::new();
        Self { app, key, offer: None, available: true, load: 0.0, seq: 0, jobs }
    }

    /// Takes in a report of its status. A report that was overtaken by a later one is ignored.
    pub(crate) fn update(&mut self, update: &lk::UpdateWorkerStatus) {
        if update.seq != 0 && update.seq < self.seq {
            return;
        }
        self.seq = update.seq;
        if let Some(status) = update.status {
            self.available = status == i32::from(lk::WorkerStatus::WsAvailable);
        }
        self.available &= !update.draining;
        // What is no number is no promise of room for more.
        self.load = if update.load.is_finite() { update.load.clamp(0.0, 1.0) } else { 1.0 };
    }

    /// How likely it is chosen: its free share; 0 if it takes no job.
    pub(crate) fn weight(&self) -> f32 {
        if self.available && self.jobs.len() < JOBS_PER_WORKER_MAX { 1.0 - self.load } else { 0.0 }
    }
}
