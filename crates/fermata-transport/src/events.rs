//! What happened and was not polled yet.

use std::collections::VecDeque;

use crate::event::Event;
use crate::limits::EVENTS_MAX;

/// The queue of a connection's events.
#[derive(Debug, Default)]
pub(crate) struct Events {
    queue: VecDeque<Event>,
    /// Feedback that had no room.
    pub(crate) dropped: u64,
}

impl Events {
    /// Something that must not be lost. It is bounded by what it tells of: states change a few times, and data is
    /// read only as fast as it is polled.
    pub(crate) fn push(&mut self, event: Event) {
        self.queue.push_back(event);
    }

    /// Something that the peer will say again; dropped and counted beyond [`EVENTS_MAX`].
    pub(crate) fn feedback(&mut self, event: Event) {
        if self.queue.len() < EVENTS_MAX {
            self.queue.push_back(event);
        } else {
            self.dropped += 1;
        }
    }

    /// Is there room for more data?
    pub(crate) fn has_room(&self) -> bool {
        self.queue.len() < EVENTS_MAX
    }

    /// The oldest.
    pub(crate) fn pop(&mut self) -> Option<Event> {
        self.queue.pop_front()
    }
}
