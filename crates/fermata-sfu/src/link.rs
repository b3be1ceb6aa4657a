//! One connection of a participant, walled off: what breaks inside it closes that participant only.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use fermata_transport::{PeerKind, Transport, TransportConfig};

use crate::SfuStats;
use crate::context::{Context, LinkEvent};
use crate::key::{LinkId, Side};
use crate::limits::LINK_PAUSE;
use crate::path::Outgoing;
use crate::timer::Timer;

/// A transport with what the shard knows about it.
#[derive(Debug)]
pub(crate) struct Link {
    id: LinkId,
    transport: Transport,
    /// Name it is found by; see [`crate::demux`].
    ufrag: String,
    /// Rises whenever something may have been negotiated.
    version: u64,
    /// When it will be driven; never later than it wants.
    armed: Option<Instant>,
    /// Media on its way out.
    pub(crate) queue: Outgoing,
    /// Media can flow.
    pub(crate) connected: bool,
    /// It ended for good.
    pub(crate) closed: bool,
    broken: bool,
}

impl Link {
    /// A new connection; `seed` makes its credentials and stream numbers.
    pub(crate) fn new(
        now: Instant,
        id: LinkId,
        kind: PeerKind,
        config: &TransportConfig,
        seed: [u8; 32],
    ) -> Self {
        let transport = Transport::new(now, kind, config, seed);
        let ufrag = transport.local_ufrag();
        Self {
            id,
            transport,
            ufrag,
            version: 1,
            armed: None,
            queue: Outgoing::default(),
            connected: false,
            closed: false,
            broken: false,
        }
    }

    /// Negotiates, then takes out everything that the connection wants done. `None` if it is broken, now or before.
    pub(crate) fn with<R>(
        &mut self,
        context: &mut Context,
        call: impl FnOnce(&mut Transport) -> R,
    ) -> Option<R> {
        self.version += 1;
        self.steady(context, call)
    }

    /// The same for calls that negotiate nothing.
    pub(crate) fn steady<R>(
        &mut self,
        context: &mut Context,
        call: impl FnOnce(&mut Transport) -> R,
    ) -> Option<R> {
        self.receive(context, |transport, context| {
            let result = call(transport);
            transport.flush(context.now.instant, context.control.page());
            result
        })
    }

    /// Hands it what came for it. What it answers is written by the call.
    pub(crate) fn receive<R>(
        &mut self,
        context: &mut Context,
        call: impl FnOnce(&mut Transport, &mut Context) -> R,
    ) -> Option<R> {
        let id = self.id;
        let result = self.guard(context, |transport, _, context| {
            let result = call(transport, context);
            while let Some(event) = transport.poll_event() {
                context.events.push_back((id, LinkEvent::Transport(event)));
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
        call: impl FnOnce(&mut Transport, &mut Outgoing, &mut SfuStats) -> R,
    ) -> Option<R> {
        let result = self
            .guard(context, |transport, queue, context| call(transport, queue, &mut context.stats));
        self.arm(context);
        result
    }

    /// The moment it wanted to be driven at has come.
    pub(crate) fn drive(&mut self, context: &mut Context) {
        let now = context.now.instant;
        self.armed = None;
        self.receive(context, |transport, context| {
            transport.handle_timeout(now, context.control.page());
        });
    }

    /// The engine below may panic on its own bugs; that must not take others down, so it is caught here.
    fn guard<R>(
        &mut self,
        context: &mut Context,
        call: impl FnOnce(&mut Transport, &mut Outgoing, &mut Context) -> R,
    ) -> Option<R> {
        if self.broken {
            return None;
        }
        let Self { transport, queue, .. } = self;
        if let Ok(result) = catch_unwind(AssertUnwindSafe(|| call(transport, queue, context))) {
            return Some(result);
        }
        self.broken = true;
        self.connected = false;
        self.closed = true;
        context.events.push_back((self.id, LinkEvent::Broken));
        None
    }

    /// Sees to it that it is driven in time. A deadline that moved away is left where it is: coming too early
    /// harms nothing, and moving it for every packet would cost more.
    fn arm(&mut self, context: &mut Context) {
        if self.broken {
            return;
        }
        let at = self.transport.next_timeout();
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
    pub(crate) fn parts(&mut self) -> (u64, &Transport, &mut Outgoing) {
        (self.version, &self.transport, &mut self.queue)
    }

    /// Looks at the connection without changing it.
    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Name it is found by.
    pub(crate) fn ufrag(&self) -> &str {
        &self.ufrag
    }

    /// Reads the name again, after a restart of ICE; returns the old one if it changed.
    pub(crate) fn renew_ufrag(&mut self) -> Option<String> {
        let ufrag = self.transport.local_ufrag();
        (ufrag != self.ufrag).then(|| std::mem::replace(&mut self.ufrag, ufrag))
    }
}
