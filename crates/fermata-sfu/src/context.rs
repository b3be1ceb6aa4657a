//! What every part of the shard writes to: outputs, events of connections, deadlines, counters.

use std::collections::VecDeque;

use fermata_transport::Event;
use fermata_types::Now;
use livekit_protocol as lk;

use crate::SfuStats;
use crate::io::{ConnectionId, Output};
use crate::key::LinkId;
use crate::path::Control;
use crate::timer::Timers;

/// What a connection reports.
#[derive(Debug)]
pub(crate) enum LinkEvent {
    /// In the transport's words.
    Transport(Event),
    /// It failed inside and is not used any more.
    Broken,
}

/// Where results go; apart from rooms and participants, so that both can be borrowed at once.
#[derive(Debug)]
pub(crate) struct Context {
    /// The moment of the input being handled.
    pub(crate) now: Now,
    /// Results not yet polled.
    pub(crate) out: VecDeque<Output>,
    /// Events of connections not yet handled.
    pub(crate) events: VecDeque<(LinkId, LinkEvent)>,
    /// Datagrams that are no media.
    pub(crate) control: Control,
    /// Deadlines.
    pub(crate) timers: Timers,
    /// Counters; gauges are filled in when asked for.
    pub(crate) stats: SfuStats,
}

impl Context {
    /// Nothing yet.
    pub(crate) fn new(now: Now) -> Self {
        Self {
            now,
            out: VecDeque::new(),
            events: VecDeque::new(),
            control: Control::new(),
            timers: Timers::default(),
            stats: SfuStats::default(),
        }
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
