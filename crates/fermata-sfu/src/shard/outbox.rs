//! Data messages on their way to a receiver: what waits for its channels, and what it may ask for again.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use fermata_transport::{Channel, SendError};

use super::Shard;
use super::context::Context;
use super::peer::Peer;
use crate::key::ParticipantId;
use crate::limits::{
    DATA_BACKLOG_BYTES_MAX, DATA_BACKLOG_MESSAGES_MAX, REPLAY_AGE_MAX, REPLAY_BYTES_MAX,
};
use crate::seam::Message;

/// What waits for a receiver, and what it was sent.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    backlog: VecDeque<Message>,
    backlog_bytes: usize,
    /// What it was sent lately on the reliable channel.
    sent: VecDeque<(Instant, Message)>,
    sent_bytes: usize,
}

impl Outbox {
    /// Nothing waits.
    pub(super) fn is_idle(&self) -> bool {
        self.backlog.is_empty()
    }

    /// Queues a message, or drops it if too much waits already.
    fn push(&mut self, message: Message, context: &mut Context) {
        let bytes = self.backlog_bytes + message.data.len();
        if self.backlog.len() >= DATA_BACKLOG_MESSAGES_MAX || bytes > DATA_BACKLOG_BYTES_MAX {
            context.stats.data_dropped_full += 1;
            return;
        }
        self.backlog_bytes = bytes;
        self.backlog.push_back(message);
    }

    /// Keeps a message that can be asked for again.
    fn keep(&mut self, message: &Message, now: Instant) {
        if message.origin.is_some() {
            self.sent_bytes += message.data.len();
            self.sent.push_back((now, message.clone()));
            self.forget_sent(now);
        }
    }

    /// Forgets what is too old or too much to be sent again.
    fn forget_sent(&mut self, now: Instant) {
        while let Some((at, message)) = self.sent.front() {
            let old = now.saturating_duration_since(*at) > REPLAY_AGE_MAX;
            if !old && self.sent_bytes <= REPLAY_BYTES_MAX {
                return;
            }
            self.sent_bytes = self.sent_bytes.saturating_sub(message.data.len());
            self.sent.pop_front();
        }
    }
}

impl Shard {
    /// Hands a message to some, behind what waits for each already.
    pub(super) fn give(&mut self, peers: &[ParticipantId], message: &Message) {
        let Self { peers: all, context, .. } = self;
        for id in peers {
            let Some(peer) = all.get_mut(id) else { continue };
            peer.outbox.keep(message, context.now.instant);
            peer.outbox.push(message.clone(), context);
            flush(peer, context);
        }
    }

    /// Sends what waited for a receiver, as far as its channels take it.
    pub(super) fn flush_data(&mut self, id: ParticipantId) {
        let Self { peers, context, .. } = self;
        if let Some(peer) = peers.get_mut(&id) {
            flush(peer, context);
        }
    }

    /// Sends again what somebody who came back has not got; `has` is the last number of each sender.
    pub(super) fn replay(&mut self, id: ParticipantId, has: &[(String, u32)]) {
        let Self { peers, context, .. } = self;
        let Some(peer) = peers.get_mut(&id) else { return };
        peer.outbox.forget_sent(context.now.instant);
        let last = |origin: &str| has.iter().find(|(sid, _)| sid == origin).map_or(0, |(_, n)| *n);
        let sent = peer.outbox.sent.iter().map(|(_, message)| message);
        let missing: Vec<Message> = sent
            .filter(|message| message.origin.as_ref().is_some_and(|(sid, n)| *n > last(sid)))
            .cloned()
            .collect();
        for message in missing {
            peer.outbox.push(Message { origin: None, ..message }, context);
        }
        flush(peer, context);
    }
}

/// Sends from the front of the queue. What its channel does not take now stays, unless it is lossy
/// and the channel is full.
fn flush(peer: &mut Peer, context: &mut Context) {
    let side = peer.out_side();
    let Peer { outbox, up, down, .. } = peer;
    let link = if side == crate::key::Side::Up { up.as_mut() } else { down.as_mut() };
    let Some(link) = link else { return };
    while let Some(message) = outbox.backlog.front() {
        if !link.wire().channel_open(message.channel) {
            return;
        }
        let (channel, binary) = (message.channel, message.binary);
        let bytes = Arc::clone(&message.data);
        match link.with(context, |wire| wire.send_data(channel, binary, &bytes)) {
            Some(Ok(())) => context.stats.data_out += 1,
            Some(Err(SendError::Full | SendError::NotOpen)) if channel == Channel::Reliable => {
                return;
            }
            Some(Err(_)) => context.stats.data_dropped_full += 1,
            None => return,
        }
        outbox.backlog_bytes = outbox.backlog_bytes.saturating_sub(bytes.len());
        outbox.backlog.pop_front();
    }
}
