//! The queue against receivers that are up, down or both, in virtual time.

use std::time::Duration;

use fermata_types::Now;
use proptest::prelude::*;

use super::*;
use crate::limits::ATTEMPTS_LEAST;

fn lane(app: u32, receiver: u64, room: u32) -> Lane {
    Lane { app: SdkAppId(app), receiver, room: RoomName::Integer(room) }
}

/// A queue, with what its caller does.
struct World {
    queue: Queue,
    start: Instant,
    now: Instant,
    turns: u64,
    /// Waiting, by lane, as they came.
    expected: BTreeMap<Lane, VecDeque<u64>>,
    lanes: BTreeMap<u64, Lane>,
    due: BTreeMap<u64, Instant>,
    tries: BTreeMap<u64, u32>,
    under_way: Vec<Attempt>,
    failed: Vec<u64>,
    delivered: Vec<u64>,
}

impl World {
    fn new() -> Self {
        let now = Now::read().instant;
        Self {
            queue: Queue::new(),
            start: now,
            now,
            turns: 0,
            expected: BTreeMap::new(),
            lanes: BTreeMap::new(),
            due: BTreeMap::new(),
            tries: BTreeMap::new(),
            under_way: Vec::new(),
            failed: Vec::new(),
            delivered: Vec::new(),
        }
    }

    fn push(&mut self, lane: &Lane) -> Result<u64, Full> {
        self.queue.reserve(lane, 7)?;
        self.turns += 1;
        self.queue.push(lane, self.turns, 7, self.now, self.now);
        self.expected.entry(lane.clone()).or_default().push_back(self.turns);
        self.lanes.insert(self.turns, lane.clone());
        self.due.insert(self.turns, self.now);
        Ok(self.turns)
    }

    /// Begins all that can be begun, and looks whether it may.
    fn begin(&mut self) {
        while let Some(attempt) = self.queue.take(self.now) {
            let lane = &self.lanes[&attempt.turn];
            assert_eq!(self.expected[lane].front(), Some(&attempt.turn), "not its turn");
            let tries = self.tries.entry(attempt.turn).or_default();
            *tries += 1;
            assert_eq!(attempt.tries, *tries);
            assert!(*tries <= Pace::default().attempts_max());
            assert!(self.under_way.iter().all(|other| other.lane != attempt.lane));
            self.under_way.push(attempt);
            assert!(self.under_way.len() <= ATTEMPTS_AT_ONCE_MAX);
            let of_app =
                |other: &&Attempt| self.lanes[&other.turn].app == self.lanes[&attempt.turn].app;
            assert!(self.under_way.iter().filter(of_app).count() <= ATTEMPTS_PER_APP_MAX);
        }
        assert_eq!(self.queue.running(), self.under_way.len());
    }

    fn end(&mut self, n: usize, ok: bool) {
        let attempt = self.under_way.remove(n);
        let outcome = match (ok, attempt.next(Pace::default(), self.now)) {
            (true, _) => Outcome::Delivered,
            (false, Some(at)) => Outcome::Again(at),
            (false, None) => Outcome::Failed,
        };
        if !matches!(outcome, Outcome::Again(_)) {
            self.expected.get_mut(&self.lanes[&attempt.turn]).unwrap().pop_front();
            let list = if ok { &mut self.delivered } else { &mut self.failed };
            list.push(attempt.turn);
            if !ok {
                assert!(self.tries[&attempt.turn] >= ATTEMPTS_LEAST);
            }
        }
        self.queue.finished(&attempt, outcome, self.now);
    }

    /// Until nothing waits; receivers answer as `up` says, after a second.
    fn drain(&mut self, up: impl Fn(&Lane, Duration) -> bool) {
        for _ in 0..1_000_000 {
            self.begin();
            if self.under_way.is_empty() {
                let Some(at) = self.queue.wake() else { break };
                self.now = self.now.max(at);
                continue;
            }
            self.now += Duration::from_secs(1);
            while let Some(attempt) = self.under_way.first() {
                let ok = up(&self.lanes[&attempt.turn], self.now - self.start);
                self.end(0, ok);
            }
        }
        self.check_empty();
    }

    fn check_empty(&self) {
        assert_eq!((self.queue.waiting(), self.queue.running(), self.queue.lanes()), (0, 0, 0));
        assert!(self.queue.apps.is_empty() && self.queue.names.is_empty());
        assert!(self.queue.receivers.is_empty());
        assert_eq!(self.queue.bytes, 0);
        assert!(self.queue.ready.iter().all(BTreeSet::is_empty));
        assert_eq!(self.queue.running_failing, 0);
        assert!(self.expected.values().all(VecDeque::is_empty), "somebody was forgotten");
    }
}

#[test]
fn a_lane_waits_for_its_head_and_others_do_not() {
    let mut world = World::new();
    let (dead, well) = (lane(1, 0, 1), lane(1, 0, 2));
    let first = world.push(&dead).unwrap();
    let second = world.push(&dead).unwrap();
    let other = world.push(&well).unwrap();
    let receiver = world.push(&lane(1, 7, 1)).unwrap();
    world.drain(|lane, _| *lane != dead);
    assert_eq!(world.delivered, [other, receiver]);
    assert_eq!(world.failed, [first, second]);
    // The second was due with the first: its window was over when its turn came.
    assert_eq!((world.tries[&first], world.tries[&second]), (7, 2));
}

#[test]
fn a_receiver_that_comes_back_within_the_window_loses_nothing() {
    let mut world = World::new();
    let all: Vec<_> = (0..100).map(|_| world.push(&lane(1, 0, 1)).unwrap()).collect();
    world.drain(|_, at| at > Duration::from_secs(30));
    assert_eq!(world.delivered, all);
}

#[test]
fn what_waits_is_bounded_for_a_room_an_application_and_all() {
    let mut world = World::new();
    for _ in 0..WAITING_PER_ROOM_MAX {
        world.push(&lane(1, 0, 1)).unwrap();
    }
    assert_eq!(world.push(&lane(1, 0, 1)), Err(Full::Room));
    let mut room = 2;
    while world.push(&lane(1, 0, room)).is_ok() {
        room += 1;
    }
    assert_eq!(world.queue.waiting(), WAITING_PER_APP_MAX);
    assert_eq!(world.push(&lane(1, 0, room)), Err(Full::App));
    let mut app = 2;
    let mut n = 0;
    while world.queue.waiting() < WAITING_MAX {
        app += u32::from(n % WAITING_PER_APP_MAX == 0);
        n += 1;
        world.push(&lane(app, 0, u32::try_from(n).unwrap())).unwrap();
    }
    assert_eq!(world.push(&lane(1_000, 0, 1)), Err(Full::All));
    world.begin();
    assert_eq!(world.under_way.len(), ATTEMPTS_AT_ONCE_MAX);
    world.end(0, true);
    world.push(&lane(1_000, 0, 1)).unwrap();
}

#[test]
fn bytes_that_wait_are_bounded_for_an_application_and_all() {
    let mut queue = Queue::new();
    let now = Now::read().instant;
    let most = WAITING_APP_BYTES_MAX;
    queue.restore(&lane(1, 0, 1), 1, most - 10, now, now);
    assert_eq!(queue.reserve(&lane(1, 1, 2), 11), Err(Full::AppBytes));
    queue.reserve(&lane(1, 1, 2), 10).unwrap();
    queue.push(&lane(1, 1, 2), 2, 10, now, now);
    assert_eq!(queue.reserve(&lane(1, 1, 2), 1), Err(Full::AppBytes));
    for app in 2..=u32::try_from(WAITING_BYTES_MAX / most).unwrap() {
        queue.reserve(&lane(app, 0, 1), most).unwrap();
    }
    assert_eq!(queue.reserve(&lane(500, 0, 1), 1), Err(Full::AllBytes));
    let attempt = queue.take(now).unwrap();
    queue.finished(&attempt, Outcome::Delivered, now);
    queue.reserve(&lane(500, 0, 1), 1).unwrap();
    queue.reserve(&lane(1, 0, 1), 1).unwrap();
}

#[test]
fn places_are_given_back() {
    let mut world = World::new();
    for _ in 0..WAITING_PER_ROOM_MAX {
        world.queue.reserve(&lane(1, 0, 1), 9).unwrap();
    }
    assert_eq!(world.queue.reserve(&lane(1, 0, 1), 9), Err(Full::Room));
    for _ in 0..=WAITING_PER_ROOM_MAX {
        world.queue.release(&lane(1, 0, 1), 9);
    }
    world.check_empty();
}

#[test]
fn dead_receivers_of_many_applications_leave_places_for_others() {
    let mut world = World::new();
    for app in 1..=100 {
        for room in 1..=20 {
            world.push(&lane(app, 0, room)).unwrap();
        }
    }
    // One failure each makes them known.
    while world.queue.receivers.values().any(|of| !of.failing) {
        world.begin();
        for _ in 0..world.under_way.len() {
            world.end(0, false);
        }
    }
    world.now += Duration::from_secs(10);
    world.begin();
    assert_eq!(world.under_way.len(), ATTEMPTS_FAILING_MAX);
    let well = world.push(&lane(500, 0, 1)).unwrap();
    world.begin();
    assert!(world.under_way.iter().any(|attempt| attempt.turn == well));
    let n = world.under_way.iter().position(|attempt| attempt.turn == well).unwrap();
    world.end(n, true);
    while !world.under_way.is_empty() {
        world.end(0, true);
    }
    world.drain(|_, _| true);
}

#[test]
fn a_dead_receiver_leaves_places_for_the_others_of_its_application() {
    let mut world = World::new();
    for room in 1..=100 {
        world.push(&lane(1, 7, room)).unwrap();
    }
    // It hangs with all places, once.
    world.begin();
    assert_eq!(world.under_way.len(), ATTEMPTS_PER_APP_MAX);
    world.now += Duration::from_secs(5);
    while !world.under_way.is_empty() {
        world.end(0, false);
    }
    world.begin();
    for room in 1..=20 {
        let well = world.push(&lane(1, 0, room)).unwrap();
        world.begin();
        let n = world.under_way.iter().position(|attempt| attempt.turn == well).unwrap();
        world.end(n, true);
    }
    world.drain(|_, _| true);
}

#[test]
fn receivers_take_turns_however_much_waits_for_one() {
    let mut world = World::new();
    // Slow, but well, and with more than can be done.
    for app in 1..=20 {
        for room in 1..=100 {
            world.push(&lane(app, 0, room)).unwrap();
        }
    }
    world.begin();
    assert_eq!(world.under_way.len(), ATTEMPTS_AT_ONCE_MAX);
    world.now += Duration::from_secs(3);
    let late = world.push(&lane(500, 0, 1)).unwrap();
    world.now += Duration::from_secs(1);
    let all = world.under_way.len();
    for _ in 0..all {
        world.end(0, true);
    }
    world.begin();
    assert!(world.under_way.iter().any(|attempt| attempt.turn == late), "it waits for all others");
    world.drain(|_, _| true);
}

#[derive(Debug, Clone)]
enum Step {
    Push(u32, u64, u32),
    Begin,
    End(usize, bool),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..4_u32, 0..2_u64, 1..5_u32).prop_map(|(app, receiver, room)| Step::Push(app, receiver, room)),
        3 => Just(Step::Begin),
        5 => (0..64_usize, any::<bool>()).prop_map(|(n, ok)| Step::End(n, ok)),
        2 => (0..30_u64).prop_map(Step::Wait),
    ]
}

proptest! {
    #[test]
    fn order_is_kept_attempts_are_bounded_and_all_is_settled(
        steps in prop::collection::vec(step(), 1..400),
        up in any::<u64>(),
    ) {
        let mut world = World::new();
        for step in steps {
            match step {
                Step::Push(app, receiver, room) => { world.push(&lane(app, receiver, room)).unwrap(); }
                Step::Begin => world.begin(),
                Step::End(n, ok) if !world.under_way.is_empty() => {
                    let n = n % world.under_way.len();
                    world.end(n, ok);
                }
                Step::End(..) => {}
                Step::Wait(seconds) => world.now += Duration::from_secs(seconds),
            }
            let waiting: usize = world.expected.values().map(VecDeque::len).sum();
            prop_assert_eq!(world.queue.waiting(), waiting);
        }
        while !world.under_way.is_empty() {
            world.end(0, false);
        }
        world.drain(|lane, at| (up >> ((u64::from(lane.app.0) * 7 + at.as_secs() / 10) % 64)) & 1 == 1);
        let settled = world.delivered.len() + world.failed.len();
        prop_assert_eq!(settled as u64, world.turns);
    }
}
