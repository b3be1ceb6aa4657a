//! One connection of a participant as the rooms know it: its negotiation, and what its shard said of it. Walled off:
//! what breaks inside it closes that participant only.

use std::panic::{AssertUnwindSafe, catch_unwind};

use fermata_transport::{PeerKind, Session, TransportConfig};

use crate::context::Context;
use crate::key::LinkId;
use crate::seam::{Order, ShardId};

/// A session with where its packets are moved.
#[derive(Debug)]
pub(crate) struct Link {
    id: LinkId,
    /// Which one under this id.
    nth: u32,
    shard: ShardId,
    session: Session,
    /// Media can flow.
    pub(crate) connected: bool,
    /// It ended for good.
    pub(crate) closed: bool,
}

impl Link {
    /// A new connection, opened at its shard; `seed` makes its credentials and stream numbers.
    pub(crate) fn open(
        context: &mut Context,
        (id, nth): (LinkId, u32),
        shard: ShardId,
        kind: PeerKind,
        config: &TransportConfig,
        seed: [u8; 32],
    ) -> Self {
        let mut session = Session::new(kind, config, seed);
        let agreement = session.poll_agreement().unwrap_or_else(|| session.agreement());
        let (ufrag, agreement) = (session.local_ufrag().to_owned(), Box::new(agreement));
        context.order(shard, Order::Open { link: id, nth, ufrag, agreement });
        Self { id, nth, shard, session, connected: false, closed: false }
    }

    /// Negotiates; what is agreed goes to the shard. `None` if it is broken, now or before.
    ///
    /// Descriptions of peers are read here, and a bug in that must not take others down, so a panic is caught.
    pub(crate) fn with<R>(
        &mut self,
        context: &mut Context,
        call: impl FnOnce(&mut Session) -> R,
    ) -> Option<R> {
        let session = &mut self.session;
        let Ok(result) = catch_unwind(AssertUnwindSafe(|| call(session))) else {
            self.end();
            context.broken.push_back(self.id.participant);
            return None;
        };
        if let Some(agreement) = self.session.poll_agreement() {
            let (link, ufrag) = (self.id, self.session.local_ufrag().to_owned());
            let agreement = Box::new(agreement);
            context.order(self.shard, Order::Agree { link, ufrag, agreement });
        }
        Some(result)
    }

    /// Looks at the negotiation without changing it.
    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    /// Nothing flows any more, and nothing is negotiated.
    pub(crate) fn end(&mut self) {
        self.connected = false;
        self.closed = true;
        self.session.close();
    }

    /// Which one it is under its id.
    pub(crate) fn nth(&self) -> u32 {
        self.nth
    }
}
