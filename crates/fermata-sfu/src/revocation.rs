//! Who was removed, and when: a token made before that does not let them in again.

use std::collections::{HashMap, VecDeque};

use fermata_types::{RoomName, SdkAppId};
use jiff::Timestamp;

use crate::limits::{REVOCATION_AGE_MAX, REVOCATIONS_MAX};

/// Whose entry into which room.
type Key = (SdkAppId, RoomName, String);

/// The removals of the last [`REVOCATION_AGE_MAX`], at most [`REVOCATIONS_MAX`].
#[derive(Debug, Default)]
pub(crate) struct Revocations {
    at: HashMap<Key, Timestamp>,
    order: VecDeque<(Timestamp, Key)>,
}

impl Revocations {
    /// Notes a removal.
    pub(crate) fn insert(
        &mut self,
        app: SdkAppId,
        room: RoomName,
        identity: String,
        at: Timestamp,
    ) {
        self.forget(at);
        let key = (app, room, identity);
        self.at.insert(key.clone(), at);
        self.order.push_back((at, key));
    }

    /// When the identity was last removed from the room.
    pub(crate) fn get(&self, app: SdkAppId, room: &RoomName, identity: &str) -> Option<Timestamp> {
        self.at.get(&(app, room.clone(), identity.to_owned())).copied()
    }

    /// How many are remembered.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.order.len()
    }

    fn forget(&mut self, now: Timestamp) {
        while let Some((at, _)) = self.order.front() {
            let old = now.duration_since(*at).unsigned_abs() > REVOCATION_AGE_MAX;
            if !old && self.order.len() < REVOCATIONS_MAX {
                break;
            }
            let Some((at, key)) = self.order.pop_front() else { break };
            // A later removal of the same identity has its own place in the order.
            if self.at.get(&key) == Some(&at) {
                self.at.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn memory_is_bounded_in_age_and_number() {
        let room = RoomName::Integer(7);
        let app = SdkAppId(1);
        let t0 = Timestamp::UNIX_EPOCH;
        let mut revocations = Revocations::default();
        revocations.insert(app, room.clone(), "a".into(), t0);
        assert_eq!(revocations.get(app, &room, "a"), Some(t0));
        assert_eq!(revocations.get(SdkAppId(2), &room, "a"), None);
        let later = t0.checked_add(REVOCATION_AGE_MAX + Duration::from_secs(1)).unwrap();
        revocations.insert(app, room.clone(), "b".into(), later);
        assert_eq!((revocations.get(app, &room, "a"), revocations.len()), (None, 1));
        for n in 0..REVOCATIONS_MAX + 5 {
            revocations.insert(app, room.clone(), n.to_string(), later);
        }
        assert_eq!(revocations.len(), REVOCATIONS_MAX);
        assert_eq!(revocations.get(app, &room, "b"), None);
    }
}
