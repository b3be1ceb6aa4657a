//! `LiveKit` Agents: workers that register, dispatches, jobs; a state machine without IO.
//!
//! A worker offers to run agents. A room asks for them by dispatches: the one without a name that every room has by
//! default, those that its maker named, those that an API adds. Each dispatch becomes jobs (one for the room, one
//! for each publisher or one for each participant, as the workers of its name registered), and each job is offered
//! to one worker after the other until one takes it; its agent then joins the room as any other user does.
//!
//! What it is not: no WebSocket, no token signing, no room. The shell brings messages and news in, and carries
//! [`Output`]s out.
//!
//! Rules as in `LiveKit`'s open server, with these differences: a worker that gives no answer is passed over and the
//! next one is asked; an agent that left its room has a moment to come back or to report how its job ended; a target
//! for whom no worker was found is looked at again when it publishes again. A job whose agent is gone is not run
//! again while its room lives, and what a worker says about jobs of an earlier connection is ignored.
//!
//! **Invariant:** a job is assigned at most once, and ends once.
//!
//! **Invariant:** workers, rooms and jobs of different applications never meet.

mod dispatch;
mod dispatcher;
mod id;
mod job;
pub mod limits;
mod offering;
mod room;
mod rooms;
mod worker;

pub use dispatch::{DispatchError, NewDispatch};
pub use dispatcher::{Dispatcher, Output, Stats};
pub use id::{DispatchId, JobId, WorkerId};
pub use job::Assignment;
pub use room::{RoomNews, What};
pub use worker::WorkersFull;
