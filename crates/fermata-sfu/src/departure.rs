//! Who left a moment ago: the page that a person reloads says good-bye first, and is back a second later.
//!
//! What it is not: a right to enter. Admission asks it only where newcomers are refused and those inside may
//! stay (policy A21).

use std::time::{Duration, Instant};

use fermata_types::{RoomName, SdkAppId};

use crate::limits::{DEPARTURE_AGE_MAX, DEPARTURES_MAX};
use crate::recent::Recent;

/// The departures of the last [`DEPARTURE_AGE_MAX`], at most [`DEPARTURES_MAX`].
#[derive(Debug, Default)]
pub(crate) struct Departures(Recent<Instant>);

impl Departures {
    /// Notes that somebody left.
    pub(crate) fn insert(&mut self, app: SdkAppId, room: RoomName, identity: String, at: Instant) {
        let is_old = |left| at.saturating_duration_since(left) > DEPARTURE_AGE_MAX;
        self.0.insert((app, room, identity), at, DEPARTURES_MAX, is_old);
    }

    /// Did the identity leave the room within the last `age`?
    pub(crate) fn is_recent(
        &self,
        (app, room, identity): (SdkAppId, &RoomName, &str),
        now: Instant,
        age: Duration,
    ) -> bool {
        let left = self.0.get(app, room, identity);
        left.is_some_and(|left| now.saturating_duration_since(left) <= age)
    }
}

#[cfg(test)]
mod tests {
    use fermata_types::Now;

    use super::*;

    #[test]
    fn memory_is_bounded_in_age_and_number() {
        let (app, room, t0) = (SdkAppId(1), RoomName::Integer(7), Now::read().instant);
        let age = Duration::from_secs(90);
        let mut departures = Departures::default();
        departures.insert(app, room.clone(), "a".into(), t0);
        assert!(departures.is_recent((app, &room, "a"), t0 + age, age));
        assert!(!departures.is_recent((app, &room, "a"), t0 + age + Duration::from_millis(1), age));
        assert!(!departures.is_recent((SdkAppId(2), &room, "a"), t0, age));
        let later = t0 + DEPARTURE_AGE_MAX + Duration::from_secs(1);
        for n in 0..DEPARTURES_MAX + 5 {
            departures.insert(app, room.clone(), n.to_string(), later);
        }
        assert_eq!(departures.0.lens(), (DEPARTURES_MAX, DEPARTURES_MAX));
        assert!(!departures.is_recent((app, &room, "0"), later, age));
    }
}
