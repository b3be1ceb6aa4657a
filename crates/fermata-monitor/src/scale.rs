//! How many were there: users, rooms, and the most at one time.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One stay as counting needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Presence<'a> {
    /// The room's life.
    pub room: &'a str,
    /// Who; one identity in two rooms is one user.
    pub user: &'a str,
    /// From when.
    pub entered_at: Timestamp,
    /// Until when; none: is still there.
    pub left_at: Option<Timestamp>,
}

impl Presence<'_> {
    /// The part of the stay within a period; stays that touch it for no time at all count as well.
    fn within(&self, from: Timestamp, until: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let end = self.left_at.unwrap_or(until).max(self.entered_at);
        let there = self.entered_at < until && end >= from;
        there.then(|| (self.entered_at.max(from), end.min(until)))
    }
}

/// How many there were in a period.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scale {
    /// Different users.
    pub users: u64,
    /// Entries: every coming counts.
    pub entries: u64,
    /// Different rooms (lives of them).
    pub rooms: u64,
    /// Most users at one time, each once.
    pub users_peak: u64,
    /// Most rooms with somebody in them at one time.
    pub rooms_peak: u64,
}

/// Counts a period, its start included, its end not. Memory grows with the stays given.
pub fn scale(stays: &[Presence<'_>], from: Timestamp, until: Timestamp) -> Scale {
    let mut users = BTreeSet::new();
    let mut rooms = BTreeSet::new();
    let mut entries = 0;
    // Comings before goings of the same moment, so that who comes as another goes is there with it.
    let mut steps: Vec<(Timestamp, bool, &str, &str)> = Vec::new();
    for stay in stays {
        let Some((start, end)) = stay.within(from, until) else { continue };
        users.insert(stay.user);
        rooms.insert(stay.room);
        entries += u64::from(stay.entered_at >= from);
        steps.push((start, false, stay.user, stay.room));
        steps.push((end, true, stay.user, stay.room));
    }
    steps.sort_unstable();
    let (mut users_now, mut rooms_now) = (Present::default(), Present::default());
    for (_, leaves, user, room) in steps {
        users_now.step(user, leaves);
        rooms_now.step(room, leaves);
    }
    Scale {
        users: users.len() as u64,
        entries,
        rooms: rooms.len() as u64,
        users_peak: users_now.peak,
        rooms_peak: rooms_now.peak,
    }
}

/// The same for each step of a period; the last one may be shorter. None for a step of no length, or for more than
/// [`crate::limits::SERIES_POINTS_MAX`] of them.
pub fn scale_series(
    stays: &[Presence<'_>],
    from: Timestamp,
    until: Timestamp,
    step_seconds: u32,
) -> Option<Vec<(Timestamp, Scale)>> {
    let span = until.as_second().checked_sub(from.as_second())?;
    let steps = span.checked_div(step_seconds.into())?;
    if usize::try_from(steps.max(0)).ok()? > crate::limits::SERIES_POINTS_MAX {
        return None;
    }
    let mut points = Vec::new();
    let mut start = from;
    while start < until {
        let end = start.checked_add(jiff::SignedDuration::from_secs(step_seconds.into())).ok()?;
        points.push((start, scale(stays, start, end.min(until))));
        start = end;
    }
    Some(points)
}

/// Who is there at the moment of a sweep, and the most that ever were.
#[derive(Debug, Default)]
struct Present<'a> {
    count: BTreeMap<&'a str, u32>,
    peak: u64,
}

impl<'a> Present<'a> {
    fn step(&mut self, who: &'a str, leaves: bool) {
        let count = self.count.entry(who).or_default();
        if leaves {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.count.remove(who);
            }
        } else {
            *count += 1;
            self.peak = self.peak.max(self.count.len() as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::totals::testing::at;

    fn stay<'a>(user: &'a str, room: &'a str, from: i64, until: Option<i64>) -> Presence<'a> {
        Presence { room, user, entered_at: at(from), left_at: until.map(at) }
    }

    #[test]
    fn users_rooms_and_peaks() {
        let stays = [
            stay("ann", "RM_1", 0, Some(10)),
            stay("bob", "RM_1", 5, Some(20)),
            stay("ann", "RM_2", 8, Some(12)),
            stay("ann", "RM_1", 20, None),
            stay("cid", "RM_3", 40, Some(41)),
        ];
        let all = scale(&stays, at(0), at(100));
        let expected = Scale { users: 3, entries: 5, rooms: 3, users_peak: 3, rooms_peak: 2 };
        assert_eq!(all, Scale { users_peak: 2, ..expected });
        let later = scale(&stays, at(11), at(30));
        assert_eq!(later, Scale { users: 2, entries: 1, rooms: 2, users_peak: 2, rooms_peak: 2 });
        assert_eq!(scale(&stays, at(-5), at(0)), Scale::default());
    }

    #[test]
    fn steps_of_a_period_are_bounded() {
        let stays = [stay("ann", "RM_1", 0, Some(24))];
        let steps = scale_series(&stays, at(0), at(36), 60).unwrap();
        let users: Vec<_> = steps.iter().map(|(_, scale)| scale.users_peak).collect();
        assert_eq!(users, [1, 1, 1], "who goes at the very start of a step was there");
        assert_eq!(scale_series(&stays, at(0), at(36), 0), None);
        assert_eq!(scale_series(&stays, at(0), at(721), 5), None);
        assert_eq!(scale_series(&stays, at(9), at(0), 5), Some(Vec::new()));
    }

    proptest! {
        #[test]
        fn the_sweep_is_the_naive_count(
            raw in proptest::collection::vec((0..4_usize, 0..3_usize, 0..30_i64, 0..12_i64), 0..12)
        ) {
            let (users, rooms) = (["a", "b", "c", "d"], ["x", "y", "z"]);
            let stays: Vec<_> = raw
                .iter()
                .map(|(u, r, from, len)| stay(users[*u], rooms[*r], *from, Some(from + len)))
                .collect();
            let there = |n: i64| {
                stays.iter().filter(move |s| s.entered_at <= at(n) && s.left_at >= Some(at(n)))
            };
            let most = |of: fn(&&Presence<'_>) -> String| {
                (0..43).map(|n| there(n).map(|s| of(&s)).collect::<BTreeSet<_>>().len() as u64).max()
            };
            let counted = scale(&stays, at(0), at(100));
            prop_assert_eq!(Some(counted.users_peak), most(|s| s.user.to_owned()));
            prop_assert_eq!(Some(counted.rooms_peak), most(|s| s.room.to_owned()));
        }
    }
}
