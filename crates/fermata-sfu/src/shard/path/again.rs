//! Retransmissions: what a receiver misses is found by its entry, and its payload in the ring.

use std::time::Duration;

use fermata_transport::{Lost, Mid};

use super::queue::Item;
use crate::key::LinkId;
use crate::limits::AGAIN_PAUSE_MIN;
use crate::shard::Shard;

impl Shard {
    /// A receiver misses packets, by their outgoing sequence numbers.
    pub(in crate::shard) fn on_nack(&mut self, id: LinkId, mid: Mid, lost: Lost) {
        let Self { peers, tracks, context, pacer, .. } = self;
        let now_ms = pacer.millis(context.now.instant);
        let stats = &mut context.stats;
        let Some(peer) = peers.get_mut(&id.participant) else { return };
        let track = peer.receiving.get(&mid).copied().filter(|_| peer.out_side() == id.side);
        let Some(track) = track else { return };
        let Some((link, subscriptions)) = peer.sending() else { return };
        let Some(subscription) = subscriptions.get_mut(track) else { return };
        let rings = tracks.get(&track).map(|publication| &publication.rings);
        let (_, wire, queue) = link.parts();
        let rtt = wire.stats().rtt.unwrap_or(Duration::ZERO).max(AGAIN_PAUSE_MIN);
        let pause_ms = u16::try_from(rtt.as_millis()).unwrap_or(u16::MAX);
        let mut queued = false;
        for seq in lost.iter() {
            let found = subscription.history.find(seq);
            let stored = found.filter(|entry| rings.is_some_and(|rings| rings.has(entry)));
            let Some(entry) = stored else {
                stats.retransmissions_unknown += 1;
                continue;
            };
            let item = Item { track, seq, entry: *entry };
            if entry.sent_again_within(now_ms, pause_ms) || !queue.push_again(item) {
                stats.retransmissions_suppressed += 1;
                continue;
            }
            entry.note_again(now_ms);
            queued = true;
        }
        if queued {
            pacer.list(id, queue);
        }
    }
}
