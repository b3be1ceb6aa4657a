//! One connection of a participant, walled off: what breaks inside it closes that participant only.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use fermata_transport::{Agreement, TransportConfig, Wire};

use super::context::{Context, LinkEvent, Timer};
use super::path::Outgoing;
use crate::SfuStats;
use crate::key::{LinkId, Side};
use crate::limits::LINK_PAUSE;

/// A connection with what the shard knows about it.
#[derive(Debug)]
pub(crate) struct Link {
    id: LinkId,
    /// Which one under this id.
    nth: u32,
    wire: Wire,
    /// Name it is found by; see [`super::demux`].
    ufrag: String,
    /// Rises whenever something may have been negotiated.
    version: u64,
    /// When it will be driven; never later than it wants.
    armed: Option<Instant>,
    /// Media on its way out.
    pub(crate) queue: Outgoing,
    /// Media can flow.
    pub(crate) connected: bool,
    broken: bool,
}

impl Link {
    /// A new connection, the `nth` under this id.
    pub(crate) fn new(
        now: Instant,
        (id, nth): (LinkId, u32),
        ufrag: String,
        config: &TransportConfig,
        agreement: &Agreement,
    ) -> Self {
        Self {
            id,
            nth,
            wire: Wire::new(now, config, agreement),
            ufrag,
            version: 1,
            armed: None,
            queue: Outgoing::default(),
            connected: false,
            broken: false,
        }
    }

    /// Takes what was negotiated, and the name it is found by; returns the old name if it is another.
    pub(crate) fn agree(
        &mut self,
        context: &mut Context,
        ufrag: String,
        agreement: &Agreement,
    ) -> Option<String> {
        self.version += 1;
        self.with(context, |wire| wire.apply(agreement));
        (ufrag != self.ufrag).then(|| std::mem::replace(&mut self.ufrag, ufrag))
    }

    /// Calls it, then takes out everything that the connection wants done. `None` if it is broken, now or before.
    pub(crate) fn with<R>(
        &mut self,
        context: &mut Context,
        call: impl FnOnce(&mut Wire) -> R,
    ) -> Option<R> {
        self.receive(context, |wire, context| {
            let result = call(wire);
            wire.flush(context.now.instant, context.control.page());
            result
        })
    }

    /// Hands it what came for it. What it answers is written by the call.
    pub(crate) fn receive<R>(
        &mut self,
        context: &mut Context,
        call: impl FnOnce(&mut Wire, &mut Context) -> R,
    ) -> Option<R> {
        let (id, nth) = (self.id, self.nth);
        let result = self.guard(context, |wire, _, context| {
            let result = call(wire, context);
            while let Some(event) = wire.poll_event() {
                context.events.push_back(((id, nth), LinkEvent::Wire(event)));
            }
            result
        });
        self.arm(context);
        result
    }

    /// Lets it write media.
    pub(crate) fn send<R>(
        &mut self,
        context: &mut Context,
        call: impl FnOnce(&mut Wire, &mut Outgoing, &mut SfuStats) -> R,
    ) -> Option<R> {
        let result =
            self.guard(context, |wire, queue, context| call(wire, queue, &mut context.stats));
        self.arm(context);
        result
    }

    /// The moment it wanted to be driven at has come.
    pub(crate) fn drive(&mut self, context: &mut Context) {
        let now = context.now.instant;
        self.armed = None;
        self.receive(context, |wire, context| {
            wire.handle_timeout(now, context.control.page());
        });
    }

    /// The engine below may panic on its own bugs; that must not take others down, so it is caught here.
    fn guard<R>(
        &mut self,
        context: &mut Context,
        call: impl FnOnce(&mut Wire, &mut Outgoing, &mut Context) -> R,
    ) -> Option<R> {
        if self.broken {
            return None;
        }
        let Self { wire, queue, .. } = self;
        if let Ok(result) = catch_unwind(AssertUnwindSafe(|| call(wire, queue, context))) {
            return Some(result);
        }
        self.broken = true;
        self.connected = false;
        context.events.push_back(((self.id, self.nth), LinkEvent::Broken));
        None
    }

    /// Sees to it that it is driven in time. A deadline that moved away is left where it is: coming too early
    /// harms nothing, and moving it for every packet would cost more.
    fn arm(&mut self, context: &mut Context) {
        if self.broken {
            return;
        }
        let at = self.wire.next_timeout();
        if self.armed.is_some_and(|armed| armed <= at) {
            return;
        }
        // Should it ask for the same moment again and again, others get their turn between.
        let at = at.max(context.now.instant + LINK_PAUSE);
        self.armed = Some(at);
        context.timers.arm(Timer::Link(self.id), at);
    }

    /// Rises whenever something may have been negotiated; above 0.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// Which of its participant's connections it is.
    pub(crate) fn side(&self) -> Side {
        self.id.side
    }

    /// What fan-out needs: the version, the connection, and its queue.
    pub(crate) fn parts(&mut self) -> (u64, &Wire, &mut Outgoing) {
        (self.version, &self.wire, &mut self.queue)
    }

    /// Looks at the connection without changing it.
    pub(crate) fn wire(&self) -> &Wire {
        &self.wire
    }

    /// Name it is found by.
    pub(crate) fn ufrag(&self) -> &str {
        &self.ufrag
    }

    /// Which one it is under its id.
    pub(crate) fn nth(&self) -> u32 {
        self.nth
    }
}
