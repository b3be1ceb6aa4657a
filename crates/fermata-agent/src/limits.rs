//! Every bound of this crate, with what happens when it is reached.

use std::time::Duration;

/// Most workers at a time. More: the worker is refused.
pub const WORKERS_MAX: usize = 1_000;

/// Most workers of one application. More: the worker is refused.
pub const WORKERS_PER_APP_MAX: usize = 200;

/// Most rooms that are known. More: the oldest one is forgotten and its jobs end. Far above what a node carries, so
/// that only rooms whose end was not told are ever met by it.
pub const ROOMS_MAX: usize = 100_000;

/// Most dispatches of one room. More: refused, or (those of its maker) left out.
pub const DISPATCHES_PER_ROOM_MAX: usize = 32;

/// Most jobs of one room that have not ended. More: no job is made.
pub const JOBS_PER_ROOM_MAX: usize = 1_000;

/// Most jobs that have not ended, all rooms together. More: no job is made.
pub const JOBS_MAX: usize = 20_000;

/// Most jobs of one application that have not ended, so that none takes the places of all others. More: no job is
/// made.
pub const JOBS_PER_APP_MAX: usize = 5_000;

/// Most jobs that one worker runs or is asked about. More: it is not asked.
pub const JOBS_PER_WORKER_MAX: usize = 1_000;

/// Ended jobs that a dispatch remembers. More: the oldest is forgotten.
pub const ENDED_JOBS_MAX: usize = 32;

/// Workers that are asked about one job. More: the job fails.
pub const ATTEMPTS_MAX: usize = 10;

/// How long a connection may take to register. Longer: it is closed. (`LiveKit`'s own value.)
pub const REGISTER_TIME_MAX: Duration = Duration::from_secs(10);

/// How long a worker may take to say whether it takes a job. Longer: the next one is asked.
/// (`LiveKit`'s own value.)
pub const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);

/// How long an agent that left its room may take to come back, or its worker to say how the job ended.
/// Longer: the job is terminated.
pub const LEFT_TIME_MAX: Duration = Duration::from_secs(5);

/// How long a job may run without its worker's connection before its agent is in the room. Longer: it fails.
pub const ORPHAN_TIME_MAX: Duration = Duration::from_mins(1);

/// How long an agent of a deleted dispatch may take to leave. Longer: it is removed. (`LiveKit`'s own value.)
pub const LEAVE_TIME_MAX: Duration = Duration::from_secs(3);

/// Longest name of an agent, a namespace or a version, bytes; longest identity and name of an agent in a room.
/// Longer: the registration or the dispatch is refused, the answer counts as a no.
pub const NAME_LEN_MAX: usize = 256;

/// Longest name of a deployment, bytes (`LiveKit`'s own value). Longer: refused.
pub const DEPLOYMENT_LEN_MAX: usize = 64;

/// Longest metadata of a dispatch or an agent, bytes. Longer: refused, or the answer counts as a no.
pub const METADATA_LEN_MAX: usize = 512 * 1024;

/// Keys and values of all attributes together, bytes. Longer: refused, or the answer counts as a no.
pub const ATTRIBUTES_LEN_MAX: usize = 64 * 1024;
