//! Metering of one stay: whole seconds per SKU, in windows of whole UTC minutes.
//!
//! What it is not: it does not know rooms, tracks or prices; it is told the area and the role.
//!
//! The rules, exactly:
//! - Second `k` of a stay is the interval from `k` to `k + 1` seconds after entry on the monotonic clock,
//!   its start included, its end not. It takes the highest tier in force during it for any length of time
//!   above zero; so of several values set at one instant only the last one counts, and a value set at the
//!   very end of a second does not touch it. The same holds for the role: a second in which the user was
//!   an anchor for any time is an anchor's.
//! - It belongs to the window in which it starts, in account time: the wall clock at entry plus the
//!   monotonic time since. A stepping wall clock does not move anything.
//! - Account time that is moved on purpose (the clock of a sandbox) moves the seconds that start after that,
//!   and adds none.
//! - Only finished seconds are reported; the last, partial one is added when the stay closes.
//!
//! Invariants: a second is counted once, for one SKU, for ever; so over all SKUs of a stay a window has at
//! most 60, the whole stay has its duration rounded up, and reported values only rise (merge by `max`).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fermata_types::{ParticipantSid, Role, Scene, Sku, Tier, UsageWindow, WINDOW_SECONDS};
use jiff::{SignedDuration, Timestamp};

#[cfg(test)]
mod tests;

/// Length of a window on the wall clock's scale.
const WINDOW: i64 = WINDOW_SECONDS as i64;

/// What a second was spent at; only ever raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Touched {
    tier: Tier,
    anchor: bool,
}

impl Touched {
    fn raise(self, by: Self) -> Self {
        Self { tier: self.tier.max(by.tier), anchor: self.anchor || by.anchor }
    }

    fn sku(self, scene: Scene) -> Sku {
        let role = if self.anchor { Role::Anchor } else { Role::Audience };
        Sku::of(scene, role, self.tier)
    }
}

/// Seconds of one SKU in one window.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    seconds: u32,
    reported: u32,
}

/// Counts one stay.
///
/// Drain it every few seconds; windows that are over and reported are forgotten, so between two drains
/// it holds a few entries for each minute.
#[derive(Debug)]
pub struct StayMeter {
    stay: ParticipantSid,
    scene: Scene,
    opened: Instant,
    /// Entry in account time, with all that account time was moved since.
    entered_at: Timestamp,
    /// How far account time was moved during the second being spent, which still belongs to where it started.
    moved: SignedDuration,
    /// Newest moment told; time does not go backwards.
    last: Instant,
    /// In force since `last`.
    now_at: Touched,
    /// The second being spent, counted from entry.
    second: u64,
    /// What it touched so far; nothing if none of it has passed.
    touched: Option<Touched>,
    /// By start of the window (seconds since 1970) and SKU.
    counts: BTreeMap<(i64, Sku), Count>,
}

impl StayMeter {
    /// A user enters, receiving nothing yet: `now` on the monotonic clock is `entered_at` in account time.
    pub fn open(
        now: Instant,
        entered_at: Timestamp,
        stay: ParticipantSid,
        scene: Scene,
        role: Role,
    ) -> Self {
        Self {
            stay,
            scene,
            opened: now,
            entered_at,
            moved: SignedDuration::ZERO,
            last: now,
            now_at: Touched { tier: Tier::of_area(0), anchor: role == Role::Anchor },
            second: 0,
            touched: None,
            counts: BTreeMap::new(),
        }
    }

    /// Whose seconds.
    pub fn stay(&self) -> &ParticipantSid {
        &self.stay
    }

    /// How long the stay has lasted.
    pub fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.opened)
    }

    /// Entry in account time, with all that account time was moved since.
    pub fn entered_at(&self) -> Timestamp {
        self.entered_at
    }

    /// The summed area of all video forwarded to the user is this from now on, in pixels.
    pub fn set_area(&mut self, now: Instant, pixels: u64) {
        self.advance(now);
        self.now_at.tier = Tier::of_area(pixels);
    }

    /// The role is this from now on.
    pub fn set_role(&mut self, now: Instant, role: Role) {
        self.advance(now);
        self.now_at.anchor = role == Role::Anchor;
    }

    /// Account time is later by this from now on, beside passing. Backwards is not possible: ignored.
    pub fn move_account_time(&mut self, now: Instant, by: SignedDuration) {
        self.advance(now);
        if by > SignedDuration::ZERO {
            self.moved = self.moved.saturating_add(by);
        }
    }

    fn take_move(&mut self) {
        let moved = std::mem::take(&mut self.moved);
        self.entered_at = self.entered_at.saturating_add(moved).unwrap_or(Timestamp::MAX);
    }

    /// Windows that changed since the last call; only finished seconds. Values are totals so far.
    pub fn drain(&mut self, now: Instant) -> Vec<UsageWindow> {
        self.advance(now);
        self.report()
    }

    /// The stay ends; its last partial second counts. Returns the rest and the account time of the exit.
    pub fn close(mut self, now: Instant) -> (Vec<UsageWindow>, Timestamp) {
        self.advance(now);
        if let Some(touched) = self.touched.take() {
            self.count(self.second, 1, touched);
            self.second += 1;
        }
        self.take_move();
        let elapsed = SignedDuration::try_from(self.last.duration_since(self.opened))
            .unwrap_or(SignedDuration::MAX);
        let ended_at = self.entered_at.saturating_add(elapsed).unwrap_or(Timestamp::MAX);
        (self.report(), ended_at)
    }

    /// Lets time pass under what is in force.
    fn advance(&mut self, now: Instant) {
        if now <= self.last {
            return;
        }
        self.last = now;
        let elapsed = now.duration_since(self.opened);
        let spent = self.touched.map_or(self.now_at, |touched| touched.raise(self.now_at));
        let second = elapsed.as_secs();
        if second == self.second {
            self.touched = Some(spent);
            return;
        }
        self.count(self.second, 1, spent);
        self.take_move();
        self.count(self.second + 1, second - self.second - 1, self.now_at);
        self.second = second;
        self.touched = (elapsed.subsec_nanos() > 0).then_some(self.now_at);
    }

    /// Counts `seconds` from the stay's second `first` on, each in its window.
    fn count(&mut self, first: u64, seconds: u64, touched: Touched) {
        let sku = touched.sku(self.scene);
        let mut at = self.account_second(first);
        let mut left = i64::try_from(seconds).unwrap_or(i64::MAX);
        while left > 0 {
            let in_window = at.rem_euclid(WINDOW);
            let take = left.min(WINDOW - in_window);
            let count = self.counts.entry((at - in_window, sku)).or_default();
            count.seconds = count.seconds.saturating_add(u32::try_from(take).unwrap_or(0));
            at = at.saturating_add(take);
            left -= take;
        }
    }

    /// Account time of the start of a second, rounded down to whole seconds since 1970. Rounding does not
    /// change its window, as windows start at whole seconds.
    fn account_second(&self, second: u64) -> i64 {
        let entered =
            self.entered_at.as_second() - i64::from(self.entered_at.subsec_nanosecond() < 0);
        entered.saturating_add(i64::try_from(second).unwrap_or(i64::MAX))
    }

    /// What has changed; forgets windows to which nothing can be added any more.
    fn report(&mut self) -> Vec<UsageWindow> {
        let mut windows = Vec::new();
        for (&(start, sku), count) in &mut self.counts {
            if count.seconds > count.reported
                && let Ok(window_start) = Timestamp::from_second(start)
            {
                count.reported = count.seconds;
                let stay = self.stay.clone();
                windows.push(UsageWindow { stay, sku, window_start, seconds: count.seconds });
            }
        }
        let current = self.account_second(self.second);
        let current = current - current.rem_euclid(WINDOW);
        self.counts.retain(|&(start, _), _| start >= current);
        windows
    }
}
