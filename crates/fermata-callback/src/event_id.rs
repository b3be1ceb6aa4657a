//! Names of deliveries that come from the event alone: told twice, it has the same name.

use fermata_types::RoomSid;

use crate::limits::WEBHOOKS_PER_APP_MAX;

/// Which of the deliveries of one event it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The vendor's callback; an event makes one at most.
    Callback,
    /// A webhook.
    Webhook {
        /// Which of the webhook events that the event makes, from 0.
        event: usize,
        /// Which of the application's webhooks, from 0 to [`WEBHOOKS_PER_APP_MAX`] - 1.
        receiver: usize,
    },
}

/// `EV_<life of the room>_<number of the event>_<number of the delivery>`.
pub fn event_id(room: &RoomSid, seq: u64, place: Place) -> String {
    let n = match place {
        Place::Callback => 0,
        Place::Webhook { event, receiver } => 1 + event * WEBHOOKS_PER_APP_MAX + receiver,
    };
    format!("EV_{room}_{seq}_{n}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_differ_for_every_place_and_stay() {
        let room = RoomSid::from_text("RM_a");
        assert_eq!(event_id(&room, 7, Place::Callback), "EV_RM_a_7_0");
        let mut seen = BTreeSet::from([event_id(&room, 7, Place::Callback)]);
        for event in 0..40 {
            for receiver in 0..WEBHOOKS_PER_APP_MAX {
                assert!(seen.insert(event_id(&room, 7, Place::Webhook { event, receiver })));
            }
        }
        assert!(seen.contains("EV_RM_a_7_1"));
        assert_eq!(seen, seen.iter().map(Clone::clone).collect());
    }
}
