//! The lanes: who waits, who is tried, who comes next.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

use fermata_types::{RoomName, SdkAppId};

use super::Pace;
use crate::limits::{
    ATTEMPTS_AT_ONCE_MAX, ATTEMPTS_FAILING_MAX, ATTEMPTS_PER_APP_FAILING_MAX, ATTEMPTS_PER_APP_MAX,
    WAITING_APP_BYTES_MAX, WAITING_BYTES_MAX, WAITING_MAX, WAITING_PER_APP_MAX,
    WAITING_PER_ROOM_MAX,
};

/// What is delivered in order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lane {
    /// Application.
    pub app: SdkAppId,
    /// Which of its receivers; a number that its caller makes of it.
    pub receiver: u64,
    /// Room.
    pub room: RoomName,
}

/// Why something more cannot wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// [`WAITING_PER_ROOM_MAX`].
    #[error("{WAITING_PER_ROOM_MAX} deliveries of this room wait for this receiver already")]
    Room,
    /// [`WAITING_PER_APP_MAX`].
    #[error("{WAITING_PER_APP_MAX} deliveries of this application wait already")]
    App,
    /// [`WAITING_MAX`].
    #[error("{WAITING_MAX} deliveries wait already")]
    All,
    /// [`WAITING_APP_BYTES_MAX`].
    #[error("{WAITING_APP_BYTES_MAX} bytes of this application wait already")]
    AppBytes,
    /// [`WAITING_BYTES_MAX`].
    #[error("{WAITING_BYTES_MAX} bytes wait already")]
    AllBytes,
}

/// An attempt that is to be made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// What is delivered.
    pub turn: u64,
    /// Which attempt this is, from 1.
    pub tries: u32,
    due: Instant,
    started: Instant,
    lane: u64,
}

impl Attempt {
    /// When it is tried again if it has failed `now`; none if it is given up.
    pub fn next(&self, pace: Pace, now: Instant) -> Option<Instant> {
        pace.next(self.due, self.tries, self.started, now)
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It arrived.
    Delivered,
    /// It did not, and is tried again then.
    Again(Instant),
    /// It did not, and is given up.
    Failed,
}

#[derive(Debug)]
struct Waiting {
    turn: u64,
    bytes: u64,
    due: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Head {
    /// Nobody waits.
    None,
    /// It is tried at this time.
    Idle(Instant),
    /// It is being tried.
    Running,
}

#[derive(Debug)]
struct LaneState {
    name: Lane,
    waiting: VecDeque<Waiting>,
    /// Places for deliveries on their way here.
    reserved: usize,
    head: Head,
    /// Attempts of the head that were begun.
    tries: u32,
}

/// A receiver: the application, and its number there.
type Receiver = (SdkAppId, u64);

impl Lane {
    fn of(&self) -> Receiver {
        (self.app, self.receiver)
    }
}

#[derive(Debug, Default)]
struct AppState {
    /// Deliveries and reserved places, and their bytes.
    waiting: usize,
    bytes: u64,
    running: usize,
    /// Of receivers whose last attempt failed.
    running_failing: usize,
}

#[derive(Debug, Default)]
struct ReceiverState {
    /// Deliveries and reserved places.
    waiting: usize,
    running: usize,
    /// Its last attempt failed.
    failing: bool,
    /// When an attempt was begun last: who waits longer since is served first, however much waits for whom.
    served: Option<Instant>,
    /// Lanes whose head is idle, by its time.
    heads: BTreeSet<(Instant, u64)>,
}

impl ReceiverState {
    /// Where it stands among the others; none: it has nothing to begin.
    fn place(&self) -> Option<Instant> {
        self.heads.first().map(|(at, _)| self.served.map_or(*at, |served| served.max(*at)))
    }
}

/// All lanes. Give [`Queue::take`] the time at [`Queue::wake`], and whenever an attempt finished.
#[derive(Debug, Default)]
pub struct Queue {
    lanes: BTreeMap<u64, LaneState>,
    names: BTreeMap<Lane, u64>,
    next_lane: u64,
    apps: BTreeMap<SdkAppId, AppState>,
    receivers: BTreeMap<Receiver, ReceiverState>,
    /// Receivers that may begin an attempt, by when; first those that are well, then those that fail.
    ready: [BTreeSet<(Instant, Receiver)>; 2],
    waiting: usize,
    bytes: u64,
    running: usize,
    running_failing: usize,
}

impl Queue {
    /// Empty.
    pub fn new() -> Self {
        Self::default()
    }

    /// Deliveries that wait or are tried, and reserved places.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Attempts under way.
    pub fn running(&self) -> usize {
        self.running
    }

    /// Lanes.
    pub fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// Keeps a place for one delivery of so many bytes; [`Queue::push`] or [`Queue::release`] with the same number
    /// gives it back.
    ///
    /// # Errors
    /// [`Full`] at the limits.
    pub fn reserve(&mut self, name: &Lane, bytes: u64) -> Result<(), Full> {
        if self.waiting >= WAITING_MAX {
            return Err(Full::All);
        }
        if self.apps.get(&name.app).is_some_and(|app| app.waiting >= WAITING_PER_APP_MAX) {
            return Err(Full::App);
        }
        let lane = self.names.get(name).and_then(|id| self.lanes.get(id));
        if lane.is_some_and(|lane| lane.waiting.len() + lane.reserved >= WAITING_PER_ROOM_MAX) {
            return Err(Full::Room);
        }
        if self.bytes.saturating_add(bytes) > WAITING_BYTES_MAX {
            return Err(Full::AllBytes);
        }
        let of_app = self.apps.get(&name.app).map_or(0, |app| app.bytes);
        if of_app.saturating_add(bytes) > WAITING_APP_BYTES_MAX {
            return Err(Full::AppBytes);
        }
        self.lane(name).1.reserved += 1;
        self.came(name, bytes);
        Ok(())
    }

    /// Gives a reserved place back.
    pub fn release(&mut self, name: &Lane, bytes: u64) {
        let Some(id) = self.names.get(name).copied() else { return };
        let Some(lane) = self.lanes.get_mut(&id).filter(|lane| lane.reserved > 0) else { return };
        lane.reserved -= 1;
        self.gone(name.of(), bytes);
        self.tidy(id);
    }

    /// Puts a delivery, for which a place was reserved, at the end of its lane. It is due at `due`, or was.
    pub fn push(&mut self, name: &Lane, turn: u64, bytes: u64, due: Instant, now: Instant) {
        let lane = self.lane(name).1;
        if lane.reserved == 0 {
            // Without a place of its own: counted all the same.
            self.came(name, bytes);
        } else {
            lane.reserved -= 1;
        }
        self.stand(name, Waiting { turn, bytes, due }, now);
    }

    /// Puts a delivery that had its place in an earlier run at the end of its lane, whatever the limits.
    pub fn restore(&mut self, name: &Lane, turn: u64, bytes: u64, due: Instant, now: Instant) {
        self.came(name, bytes);
        self.stand(name, Waiting { turn, bytes, due }, now);
    }

    fn stand(&mut self, name: &Lane, who: Waiting, now: Instant) {
        let id = self.lane(name).0;
        let Some(lane) = self.lanes.get_mut(&id) else { return };
        lane.waiting.push_back(who);
        if lane.head == Head::None {
            self.head(id, now);
        }
    }

    /// The attempt that is to be made now, if there is one and a place for it. Tell its end with
    /// [`Queue::finished`].
    pub fn take(&mut self, now: Instant) -> Option<Attempt> {
        let receiver = self.next_receiver().filter(|(at, _)| *at <= now)?.1;
        self.unready(receiver.0);
        let state = self.receivers.entry(receiver).or_default();
        let Some((_, id)) = state.heads.pop_first() else {
            self.reready(receiver.0);
            return None;
        };
        state.running += 1;
        state.served = Some(now);
        let failing = usize::from(state.failing);
        let app = self.apps.entry(receiver.0).or_default();
        app.running += 1;
        app.running_failing += failing;
        self.running += 1;
        self.running_failing += failing;
        self.reready(receiver.0);
        let lane = self.lanes.get_mut(&id)?;
        let first = lane.waiting.front()?;
        lane.head = Head::Running;
        lane.tries += 1;
        Some(Attempt {
            turn: first.turn,
            tries: lane.tries,
            due: first.due,
            started: now,
            lane: id,
        })
    }

    /// When [`Queue::take`] has something to say next; none until an attempt finishes or something is pushed.
    pub fn wake(&self) -> Option<Instant> {
        self.next_receiver().map(|(at, _)| at)
    }

    /// An attempt ended.
    pub fn finished(&mut self, attempt: &Attempt, outcome: Outcome, now: Instant) {
        let Some(lane) = self.lanes.get_mut(&attempt.lane) else { return };
        if lane.head != Head::Running || lane.tries != attempt.tries {
            return;
        }
        let receiver = lane.name.of();
        self.unready(receiver.0);
        self.ended(receiver, outcome != Outcome::Delivered);
        if let Outcome::Again(at) = outcome {
            if let Some(lane) = self.lanes.get_mut(&attempt.lane) {
                lane.head = Head::Idle(at);
            }
            self.receivers.entry(receiver).or_default().heads.insert((at, attempt.lane));
            self.reready(receiver.0);
            return;
        }
        self.reready(receiver.0);
        let mut bytes = 0;
        if let Some(lane) = self.lanes.get_mut(&attempt.lane) {
            bytes = lane.waiting.pop_front().map_or(0, |first| first.bytes);
            lane.head = Head::None;
        }
        self.gone(receiver, bytes);
        self.head(attempt.lane, now);
        self.tidy(attempt.lane);
    }

    /// One attempt less under way for a receiver, and what is known of it now.
    fn ended(&mut self, receiver: Receiver, failing: bool) {
        let state = self.receivers.entry(receiver).or_default();
        let before = if state.failing { state.running } else { 0 };
        state.running = state.running.saturating_sub(1);
        state.failing = failing;
        // What else is under way for it changes sides with it.
        let after = if failing { state.running } else { 0 };
        let moved = |count: usize| (count + after).saturating_sub(before);
        let app = self.apps.entry(receiver.0).or_default();
        app.running = app.running.saturating_sub(1);
        app.running_failing = moved(app.running_failing);
        self.running = self.running.saturating_sub(1);
        self.running_failing = moved(self.running_failing);
    }

    /// The receiver that comes next, if a place is free for it.
    fn next_receiver(&self) -> Option<(Instant, Receiver)> {
        if self.running >= ATTEMPTS_AT_ONCE_MAX {
            return None;
        }
        let [well, failing] = &self.ready;
        let failing = failing.first().filter(|_| self.running_failing < ATTEMPTS_FAILING_MAX);
        well.first().into_iter().chain(failing).min().copied()
    }

    /// Makes the first who waits in an idle lane its head, to be tried now.
    fn head(&mut self, id: u64, now: Instant) {
        let Some(lane) = self.lanes.get_mut(&id).filter(|lane| !lane.waiting.is_empty()) else {
            return;
        };
        lane.head = Head::Idle(now);
        lane.tries = 0;
        let receiver = lane.name.of();
        self.unready(receiver.0);
        self.receivers.entry(receiver).or_default().heads.insert((now, id));
        self.reready(receiver.0);
    }

    /// Takes an application's receivers out of the order, before what they are ordered by changes.
    fn unready(&mut self, app: SdkAppId) {
        for (receiver, state) in self.receivers.range((app, 0)..=(app, u64::MAX)) {
            if let Some(at) = state.place() {
                for side in &mut self.ready {
                    side.remove(&(at, *receiver));
                }
            }
        }
    }

    /// Puts them back, where they belong now.
    fn reready(&mut self, app: SdkAppId) {
        let Some(of) = self.apps.get(&app) else { return };
        if of.running >= ATTEMPTS_PER_APP_MAX {
            return;
        }
        let full = of.running_failing >= ATTEMPTS_PER_APP_FAILING_MAX;
        for (receiver, state) in self.receivers.range((app, 0)..=(app, u64::MAX)) {
            if let Some(at) = state.place().filter(|_| !(full && state.failing)) {
                self.ready[usize::from(state.failing)].insert((at, *receiver));
            }
        }
    }

    fn lane(&mut self, name: &Lane) -> (u64, &mut LaneState) {
        let id = *self.names.entry(name.clone()).or_insert_with(|| {
            self.next_lane += 1;
            self.next_lane
        });
        let lane = self.lanes.entry(id).or_insert_with(|| LaneState {
            name: name.clone(),
            waiting: VecDeque::new(),
            reserved: 0,
            head: Head::None,
            tries: 0,
        });
        (id, lane)
    }

    /// One delivery or place more.
    fn came(&mut self, name: &Lane, bytes: u64) {
        self.waiting += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        let app = self.apps.entry(name.app).or_default();
        app.waiting += 1;
        app.bytes = app.bytes.saturating_add(bytes);
        self.receivers.entry(name.of()).or_default().waiting += 1;
    }

    /// One delivery or place less.
    fn gone(&mut self, receiver: Receiver, bytes: u64) {
        self.waiting = self.waiting.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
        if let Some(state) = self.receivers.get_mut(&receiver) {
            state.waiting = state.waiting.saturating_sub(1);
            if state.waiting == 0 {
                self.receivers.remove(&receiver);
            }
        }
        if let Some(state) = self.apps.get_mut(&receiver.0) {
            state.waiting = state.waiting.saturating_sub(1);
            state.bytes = state.bytes.saturating_sub(bytes);
            if state.waiting == 0 {
                self.apps.remove(&receiver.0);
            }
        }
    }

    /// Forgets a lane that nobody needs.
    fn tidy(&mut self, id: u64) {
        let empty = |lane: &&LaneState| lane.waiting.is_empty() && lane.reserved == 0;
        if let Some(lane) = self.lanes.get(&id).filter(empty) {
            self.names.remove(&lane.name);
            self.lanes.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests;
