//! What every part of the rooms writes to: outputs, deadlines, counters.

use std::collections::VecDeque;

use fermata_types::Now;
use livekit_protocol as lk;

use crate::SfuStats;
use crate::io::{ConnectionId, Output};
use crate::key::ParticipantId;
use crate::seam::{Order, ShardId, ShardOrder};
use crate::timer::{Timer, Timers};

/// Where results go; apart from rooms and participants, so that both can be borrowed at once.
#[derive(Debug)]
pub(crate) struct Context {
    /// The moment of the input being handled.
    pub(crate) now: Now,
    /// Results not yet polled.
    pub(crate) out: VecDeque<Output>,
    /// Whose connections broke while they negotiated.
    pub(crate) broken: VecDeque<ParticipantId>,
    /// Deadlines.
    pub(crate) timers: Timers<Timer>,
    /// Counters; gauges are filled in when asked for.
    pub(crate) stats: SfuStats,
}

impl Context {
    /// Nothing yet.
    pub(crate) fn new(now: Now) -> Self {
        Self {
            now,
            out: VecDeque::new(),
            broken: VecDeque::new(),
            timers: Timers::default(),
            stats: SfuStats::default(),
        }
    }

    /// Tells a shard what to do.
    pub(crate) fn order(&mut self, shard: ShardId, order: Order) {
        self.out.push_back(Output::Order(shard, ShardOrder(order)));
    }

    /// Sends a message to a client, if it is connected at the moment.
    pub(crate) fn signal(
        &mut self,
        connection: Option<ConnectionId>,
        message: lk::signal_response::Message,
    ) {
        if let Some(connection) = connection {
            self.stats.signals_out += 1;
            let response = lk::SignalResponse { message: Some(message) };
            self.out.push_back(Output::Signal(connection, Box::new(response)));
        }
    }
}
