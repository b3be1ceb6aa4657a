//! One connection of a participant, walled off: what breaks inside it closes that participant only.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use fermata_transport::{PeerKind, Poll, Transport, TransportConfig};

use crate::context::{Context, LinkEvent};
use crate::io::Output;
use crate::key::LinkId;
use crate::timer::Timer;

/// A transport with what the shard knows about it.
#[derive(Debug)]
pub(crate) struct Link {
    id: LinkId,
    transport: Transport,
    /// Name it is found by; see [`crate::demux`].
    ufrag: String,
    /// Media can flow.
    pub(crate) connected: bool,
    /// It ended for good.
    pub(crate) closed: bool,
    broken: bool,
}

impl Link {
    /// A new connection.
    pub(crate) fn new(now: Instant, id: LinkId, kind: PeerKind, config: &TransportConfig) -> Self {
        let transport = Transport::new(now, kind, config);
        let ufrag = transport.local_ufrag();
        Self { id, transport, ufrag, connected: false, closed: false, broken: false }
    }

    /// Changes or drives the connection, then takes out everything it wants done.
    /// `None` if it is broken, now or before.
    ///
    /// The engine below may panic on its own bugs; that must not take others down, so it is caught here.
    pub(crate) fn with<R>(
        &mut self,
        context: &mut Context,
        call: impl FnOnce(&mut Transport) -> R,
    ) -> Option<R> {
        if self.broken {
            return None;
        }
        let Self { transport, id, .. } = self;
        let result = catch_unwind(AssertUnwindSafe(|| {
            let result = call(transport);
            pump(*id, transport, context);
            result
        }));
        if let Ok(result) = result {
            return Some(result);
        }
        self.broken = true;
        self.connected = false;
        self.closed = true;
        context.events.push_back((self.id, LinkEvent::Broken));
        None
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

/// Takes out datagrams and events until the connection only waits.
fn pump(id: LinkId, transport: &mut Transport, context: &mut Context) {
    loop {
        match transport.poll() {
            Poll::Transmit(transmit) => {
                context.stats.datagrams_out += 1;
                context.stats.bytes_out += transmit.data.len() as u64;
                context.out.push_back(Output::Transmit {
                    source: transmit.source,
                    destination: transmit.destination,
                    data: transmit.data,
                });
            }
            Poll::Event(event) => context.events.push_back((id, LinkEvent::Transport(event))),
            Poll::Timeout(at) => {
                context.timers.arm(Timer::Link(id), at);
                return;
            }
        }
    }
}
