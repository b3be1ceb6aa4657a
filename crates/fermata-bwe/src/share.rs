//! Who gets how much of what a connection can take: each video so many of its steps.
//!
//! What it is not: it measures nothing and knows no layer. Steps are rates in ascending order, whatever they stand for
//! (temporal, spatial or simulcast layers); what is not wanted is left out by the caller, and what always goes (audio)
//! is taken off the budget before.
//!
//! - Everybody gets a first step before anybody gets a second; by priority, then in the order of the list.
//! - Further steps go by priority; among equals to the one that has fewest, then to whoever had it before.
//! - Less comes at once. More than before comes only with room to spare, and only after a while in which nothing had
//!   to be taken away; the while grows each time that more turned out to be too much, and is shorter where there is
//!   plenty of room.
//! - What somebody has is not taken away because it takes a little more than there is: rates are measured, and to begin
//!   again costs a keyframe.
//! - The last picture goes on for a moment though there is no room for it.
//!
//! Invariants: what is granted fits into the budget, but for a part of one step that was granted before, and for that
//! last picture; the same budget and wishes again change nothing but after such a while; nothing is allocated.

use crate::limits::{
    KEEP_PERCENT, PAUSE_AFTER_US, RAISE_AMPLE_FACTOR, RAISE_AMPLE_PERCENT, RAISE_PROVEN_US,
    RAISE_SPARE_PERCENT, RAISE_WAIT_US, STEPS_MAX,
};
use crate::num::percent;

/// What somebody wants of one video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// Higher goes first.
    priority: u8,
    /// Bits per second of each step; a later one takes the place of those before it.
    steps_bps: [u64; STEPS_MAX],
    /// How many of them there are.
    steps: u8,
    /// How many are granted, 0: nothing goes out.
    granted: u8,
    /// How many were before; of a new one, all.
    before: u8,
    /// How many it has; of a new one, none.
    has: u8,
}

impl Wish {
    /// A wish for steps of these rates, bits per second, ascending; more than [`STEPS_MAX`] are left out, the highest
    /// first. `granted`: how many were granted when it was last divided; `None` for a new one, which need not wait.
    pub fn new(priority: u8, steps_bps: &[u64], granted: Option<u8>) -> Self {
        let mut all = [0; STEPS_MAX];
        for (place, rate_bps) in all.iter_mut().zip(steps_bps) {
            *place = *rate_bps;
        }
        let steps = u8::try_from(steps_bps.len().min(STEPS_MAX)).unwrap_or(u8::MAX);
        let before = granted.unwrap_or(steps).min(steps);
        let has = granted.unwrap_or(0).min(steps);
        Self { priority, steps_bps: all, steps, granted: 0, before, has }
    }

    /// How many steps are granted, 0: nothing goes out.
    pub fn granted(&self) -> u8 {
        self.granted
    }

    /// Is everything granted?
    pub fn is_whole(&self) -> bool {
        self.granted == self.steps
    }

    /// What is granted takes, bits per second.
    pub fn granted_bps(&self) -> u64 {
        self.rate_bps(self.granted)
    }

    /// What everything would take, bits per second.
    pub fn whole_bps(&self) -> u64 {
        self.rate_bps(self.steps)
    }

    /// Rate of so many steps, bits per second; 0 for none.
    fn rate_bps(&self, count: u8) -> u64 {
        let last = count.checked_sub(1).and_then(|last| self.steps_bps.get(usize::from(last)));
        last.copied().unwrap_or(0)
    }

    /// What one step more than is granted costs, if there is one.
    fn next_bps(&self) -> Option<u64> {
        let next = self.granted.checked_add(1).filter(|next| *next <= self.steps)?;
        Some(self.rate_bps(next).saturating_sub(self.rate_bps(self.granted)))
    }

    /// Would one step more be more than before?
    fn rises(&self) -> bool {
        self.granted >= self.before
    }
}

/// Divides what one connection can take, and remembers how that went.
#[derive(Debug, Clone, Default)]
pub struct Share {
    /// When something was taken away last, microseconds of the caller's clock.
    less_at_us: u64,
    /// For how long nobody is given more than before then.
    wait_us: u64,
    /// When somebody was given more last.
    raised_at_us: Option<u64>,
    /// Since when there is no room for any picture, though one goes out.
    short_since_us: Option<u64>,
}

impl Share {
    /// Divides `budget_bps` among wishes, at `now_us` of a clock that does not go back.
    pub fn divide(&mut self, now_us: u64, budget_bps: u64, wishes: &mut [Wish]) {
        let passed_us = now_us.saturating_sub(self.less_at_us);
        let spare_percent = if passed_us >= self.wait_us {
            Some(RAISE_SPARE_PERCENT)
        } else if passed_us >= self.wait_us / RAISE_AMPLE_FACTOR {
            Some(RAISE_AMPLE_PERCENT)
        } else {
            None
        };
        let spare_bps = spare_percent.map(|percent| budget_bps / 100 * percent);
        let mut left_bps = budget_bps;
        for wish in &mut *wishes {
            wish.granted = 0;
        }
        while let Some(wish) = next(wishes, left_bps, spare_bps) {
            left_bps = left_bps.saturating_sub(wish.next_bps().unwrap_or(0));
            wish.granted += 1;
        }
        self.keep_one(now_us, wishes);
        if wishes.iter().any(|wish| wish.granted < wish.before) {
            self.note_less(now_us);
        } else if wishes.iter().any(|wish| wish.granted > wish.before) {
            self.raised_at_us = Some(now_us);
        }
    }

    /// Where nobody would get anything any more, the first of those who have something keeps its first step for a while.
    fn keep_one(&mut self, now_us: u64, wishes: &mut [Wish]) {
        let kept = if wishes.iter().any(|wish| wish.granted > 0) {
            None
        } else {
            let having = wishes.iter_mut().filter(|wish| wish.has > 0);
            having.min_by_key(|wish| u8::MAX - wish.priority)
        };
        let Some(wish) = kept else {
            self.short_since_us = None;
            return;
        };
        let since_us = *self.short_since_us.get_or_insert(now_us);
        if now_us.saturating_sub(since_us) < PAUSE_AFTER_US {
            wish.granted = 1;
        }
    }

    /// Something was taken away.
    fn note_less(&mut self, now_us: u64) {
        let (least, most) = RAISE_WAIT_US;
        let proven = |at: u64| now_us.saturating_sub(at) >= RAISE_PROVEN_US;
        let too_much = self.raised_at_us.take().is_some_and(|at| !proven(at));
        let wait_us = if too_much { self.wait_us.saturating_mul(2) } else { least };
        self.wait_us = wait_us.clamp(least, most);
        self.less_at_us = now_us;
    }
}

/// Who is given a step next, of those whose next one fits into what is left. `spare_bps`: what must be left besides when
/// somebody gets more than before; `None`: nobody does.
fn next(wishes: &mut [Wish], left_bps: u64, spare_bps: Option<u64>) -> Option<&mut Wish> {
    let fits = |wish: &Wish| {
        let next_bps = wish.next_bps()?;
        let needed_bps = if wish.granted < wish.has {
            percent(next_bps, KEEP_PERCENT)
        } else if wish.rises() {
            next_bps.saturating_add(spare_bps?)
        } else {
            next_bps
        };
        (needed_bps <= left_bps).then_some(())
    };
    let candidates = wishes.iter_mut().filter(|wish| fits(wish).is_some());
    // Of those that are equal who had it before, else the first: a picture that begins costs a keyframe.
    candidates
        .min_by_key(|wish| (wish.granted > 0, u8::MAX - wish.priority, wish.granted, wish.rises()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const S: u64 = 1_000_000;
    const CAMERA: [u64; 3] = [150_000, 500_000, 1_500_000];

    impl Share {
        /// When more may be given again, if that is later than `now_us`.
        fn more_at_us(&self, now_us: u64) -> Option<u64> {
            Some(self.less_at_us.saturating_add(self.wait_us)).filter(|at| *at > now_us)
        }
    }

    fn granted(wishes: &[Wish]) -> Vec<u8> {
        wishes.iter().map(Wish::granted).collect()
    }

    /// Divides for wishes of these priorities that were granted so much before.
    fn divide(
        share: &mut Share,
        now_us: u64,
        budget_bps: u64,
        all: &[(u8, Option<u8>)],
    ) -> Vec<u8> {
        let wish = |(priority, before): &(u8, Option<u8>)| Wish::new(*priority, &CAMERA, *before);
        let mut wishes: Vec<_> = all.iter().map(wish).collect();
        share.divide(now_us, budget_bps, &mut wishes);
        granted(&wishes)
    }

    #[test]
    fn everybody_gets_something_before_anybody_gets_more() {
        let new = [(1, None), (5, None), (1, None)];
        for (budget_bps, expected) in [
            (100_000, [0, 0, 0]),
            (150_000, [0, 1, 0]),
            (449_999, [1, 1, 0]),
            (450_000, [1, 1, 1]),
            (800_000, [1, 2, 1]),
            // The one of high priority cannot have its third; the others need not wait for that.
            (1_500_000, [2, 2, 2]),
            (1_800_000, [1, 3, 1]),
            (4_500_000, [3, 3, 3]),
        ] {
            assert_eq!(
                divide(&mut Share::default(), 0, budget_bps, &new),
                expected,
                "{budget_bps}"
            );
        }
        let mut none = [Wish::new(9, &[], None)];
        Share::default().divide(0, u64::MAX, &mut none);
        assert_eq!(none[0].granted(), 0);
    }

    #[test]
    fn less_comes_at_once_and_more_after_a_while_that_grows() {
        let (least, most) = RAISE_WAIT_US;
        let mut share = Share::default();
        assert_eq!(divide(&mut share, 0, 2_000_000, &[(1, None)]), [3]);
        let mut now_us = S;
        let mut wait_us = least;
        for _ in 0..8 {
            assert_eq!(divide(&mut share, now_us, 600_000, &[(1, Some(3))]), [2]);
            assert_eq!(share.more_at_us(now_us), Some(now_us + wait_us));
            assert_eq!(divide(&mut share, now_us + wait_us - 1, 2_000_000, &[(1, Some(2))]), [2]);
            // With nothing to spare it stays.
            now_us += wait_us;
            assert_eq!(divide(&mut share, now_us, 1_500_000, &[(1, Some(2))]), [2]);
            assert_eq!(divide(&mut share, now_us, 2_000_000, &[(1, Some(2))]), [3]);
            assert_eq!(share.more_at_us(now_us), None);
            now_us += S;
            wait_us = (wait_us * 2).min(most);
        }
        assert_eq!(wait_us, most);
        // What went well for long enough is forgotten.
        now_us += RAISE_PROVEN_US;
        assert_eq!(divide(&mut share, now_us, 600_000, &[(1, Some(3))]), [2]);
        assert_eq!(share.more_at_us(now_us), Some(now_us + least));
    }

    #[test]
    fn what_takes_a_little_more_than_there_is_stays() {
        for (budget_bps, before, expected) in [
            (140_000, Some(1), 1),
            (140_000, Some(0), 0),
            (140_000, None, 0),
            (470_000, Some(2), 2),
            (430_000, Some(2), 1),
        ] {
            let all = [(1, before)];
            let granted = divide(&mut Share::default(), S * 100, budget_bps, &all);
            assert_eq!(granted, [expected], "{budget_bps} {before:?}");
        }
        // One of them, not each.
        let all = [(1, Some(1)), (1, Some(1)), (1, Some(1))];
        assert_eq!(divide(&mut Share::default(), S * 100, 430_000, &all), [1, 1, 1]);
        assert_eq!(divide(&mut Share::default(), S * 100, 420_000, &all), [1, 1, 0]);
    }

    #[test]
    fn the_last_picture_waits_before_it_pauses() {
        let mut share = Share::default();
        let has = [(1, Some(1)), (2, Some(1)), (1, Some(0))];
        let begun = S * 100;
        for (later_us, expected) in [(0, 1), (PAUSE_AFTER_US - 1, 1), (PAUSE_AFTER_US, 0)] {
            assert_eq!(divide(&mut share, begun + later_us, 0, &has), [0, expected, 0]);
        }
        // There was room in between: it begins anew.
        assert_eq!(divide(&mut share, begun + S, 200_000, &has), [0, 1, 0]);
        assert_eq!(divide(&mut share, begun + 2 * S, 0, &has), [0, 1, 0]);
        // While another goes on, it pauses at once.
        assert_eq!(divide(&mut share, begun + 2 * S, 150_000, &has), [0, 1, 0]);
    }

    #[test]
    fn plenty_of_room_makes_the_wait_shorter() {
        let (least, _) = RAISE_WAIT_US;
        let mut share = Share::default();
        assert_eq!(divide(&mut share, S, 600_000, &[(1, Some(3))]), [2]);
        let soon = S + least / RAISE_AMPLE_FACTOR;
        assert_eq!(divide(&mut share, soon - 1, 4_000_000, &[(1, Some(2))]), [2]);
        assert_eq!(divide(&mut share, soon, 2_000_000, &[(1, Some(2))]), [2]);
        assert_eq!(divide(&mut share, soon, 4_000_000, &[(1, Some(2))]), [3]);
    }

    #[test]
    fn who_comes_new_need_not_wait_and_who_wants_less_takes_nothing_away() {
        let mut share = Share::default();
        assert_eq!(divide(&mut share, 0, 600_000, &[(1, Some(3))]), [2]);
        assert_eq!(divide(&mut share, 1, 2_100_000, &[(1, Some(2)), (1, None)]), [2, 3]);
        let mut share = Share::default();
        let mut wishes = [Wish::new(1, &CAMERA[..1], Some(3))];
        share.divide(0, S, &mut wishes);
        assert_eq!((wishes[0].granted(), share.more_at_us(0)), (1, None));
    }

    #[test]
    fn who_has_a_place_keeps_it_among_equals() {
        let mut share = Share::default();
        let on = |all: &[u8]| all.iter().map(|before| (1, Some(*before))).collect::<Vec<_>>();
        let far = S * 100;
        assert_eq!(divide(&mut share, far, 400_000, &on(&[0, 0, 1, 0])), [1, 0, 1, 0]);
        assert_eq!(divide(&mut share, far, 200_000, &on(&[0, 0, 1, 0])), [0, 0, 1, 0]);
        assert_eq!(divide(&mut share, far, 350_000, &on(&[0, 0, 1, 1])), [0, 0, 1, 1]);
    }

    fn wishes() -> impl Strategy<Value = Vec<Wish>> {
        let steps = prop::collection::vec(1_u64..3_000_000, 0..STEPS_MAX + 2);
        let wish = (0_u8..3, steps, prop::option::of(0_u8..9));
        let wish = wish.prop_map(|(priority, mut steps, before)| {
            steps.sort_unstable();
            Wish::new(priority, &steps, before)
        });
        prop::collection::vec(wish, 0..12)
    }

    fn rate_bps(wishes: &[Wish]) -> u64 {
        wishes.iter().map(|wish| wish.rate_bps(wish.granted)).sum()
    }

    proptest! {
        #[test]
        fn it_fits_and_stays(mut all in wishes(), budget_bps in 0_u64..20_000_000, now_us in 0..S) {
            let mut share = Share::default();
            share.divide(now_us, budget_bps, &mut all);
            let kept = all.iter().filter(|wish| wish.has > 0 && wish.granted > 0);
            let kept_bps = kept.map(|wish| wish.rate_bps(wish.granted)).max().unwrap_or(0);
            let last = all.iter().filter(|wish| wish.granted > 0).count() == 1 && share.short_since_us.is_some();
            let over_bps = if last { kept_bps } else { percent(kept_bps, 100 - KEEP_PERCENT) + 100 };
            prop_assert!(rate_bps(&all) <= budget_bps + over_bps);
            // Who has nothing did not fit beside the first steps of those that do not come after.
            for one in all.iter().filter(|one| one.granted == 0 && one.steps > 0 && one.before > 0) {
                let ahead = all.iter().filter(|two| two.priority >= one.priority && two.granted > 0);
                let taken: u64 = ahead.map(|two| two.rate_bps(1)).sum();
                prop_assert!(budget_bps.saturating_sub(taken) < one.rate_bps(1));
            }
            let again: Vec<_> = all
                .iter()
                .map(|wish| {
                    let steps = &wish.steps_bps[..wish.steps.into()];
                    Wish::new(wish.priority, steps, Some(wish.granted))
                })
                .collect();
            let mut twice = again.clone();
            share.divide(now_us, budget_bps, &mut twice);
            let held = share.more_at_us(now_us).is_some();
            prop_assert!(!held || granted(&all) == granted(&twice));
            // Less budget never gives anybody more than before.
            let mut less = again;
            share.divide(now_us, budget_bps / 2, &mut less);
            prop_assert!(rate_bps(&less) <= rate_bps(&all));
        }
    }
}
