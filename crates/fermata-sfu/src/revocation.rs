//! Who was removed, and when: a token made before that does not let them in again.

use fermata_types::{RoomName, SdkAppId};
use jiff::Timestamp;

use crate::limits::{REVOCATION_AGE_MAX, REVOCATIONS_MAX};
use crate::recent::Recent;

/// The removals of the last [`REVOCATION_AGE_MAX`], at most [`REVOCATIONS_MAX`].
#[derive(Debug, Default)]
pub(crate) struct Revocations(Recent<Timestamp>);

impl Revocations {
    /// Notes a removal.
    pub(crate) fn insert(
        &mut self,
        app: SdkAppId,
        room: RoomName,
        identity: String,
        at: Timestamp,
    ) {
        let is_old = |old| at.duration_since(old).unsigned_abs() > REVOCATION_AGE_MAX;
        self.0.insert((app, room, identity), at, REVOCATIONS_MAX, is_old);
    }

    /// When the identity was last removed from the room.
    pub(crate) fn get(&self, app: SdkAppId, room: &RoomName, identity: &str) -> Option<Timestamp> {
        self.0.get(app, room, identity)
    }

    /// How many are remembered.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.0.lens().0
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
