//! One direction of a path.

use std::collections::{BinaryHeap, VecDeque};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::conditions::{Conditions, Step};

/// Why a packet did not get through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// The queue before the bottleneck was full.
    Full,
    /// By chance.
    Chance,
}

/// What happened to packets so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Counts {
    /// Packets that were handed in.
    pub offered: u64,
    /// Their bytes.
    pub offered_bytes: u64,
    /// Packets that came out.
    pub delivered: u64,
    /// Their bytes.
    pub delivered_bytes: u64,
    /// Lost at the full queue.
    pub lost_full: u64,
    /// Lost by chance.
    pub lost_chance: u64,
}

/// A link for things of type `T`; the caller says how long each of them is.
#[derive(Debug)]
pub struct Link<T> {
    steps: Vec<Step>,
    began_us: u64,
    chance: StdRng,
    /// Before the bottleneck: when it came, its length.
    queue: VecDeque<(u64, u64, T)>,
    queued_bytes: u64,
    /// When the bottleneck has served what it served last.
    free_us: u64,
    /// Behind the bottleneck.
    flying: BinaryHeap<Flying<T>>,
    /// When the latest of those that keep their order arrives.
    last_us: u64,
    number: u64,
    losing: bool,
    counts: Counts,
}

/// Something on its way; the greatest arrives first.
#[derive(Debug)]
struct Flying<T> {
    arrives_us: u64,
    number: u64,
    len: u64,
    what: T,
}

impl<T> Flying<T> {
    fn rank(&self) -> impl Ord {
        std::cmp::Reverse((self.arrives_us, self.number))
    }
}

impl<T> PartialEq for Flying<T> {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl<T> Eq for Flying<T> {}

impl<T> PartialOrd for Flying<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Flying<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl<T> Link<T> {
    /// A link that begins at `now_us`. Steps in the order of their times; before the first one, and without any, it is
    /// perfect.
    pub fn new(seed: u64, now_us: u64, steps: Vec<Step>) -> Self {
        Self {
            steps,
            began_us: now_us,
            chance: StdRng::seed_from_u64(seed),
            queue: VecDeque::new(),
            queued_bytes: 0,
            free_us: now_us,
            flying: BinaryHeap::new(),
            last_us: 0,
            number: 0,
            losing: false,
            counts: Counts::default(),
        }
    }

    /// The times of the steps count from now on.
    pub fn restart(&mut self, now_us: u64) {
        self.began_us = now_us;
    }

    /// From now on it is like this, and stays so.
    pub fn set(&mut self, conditions: Conditions) {
        self.steps = vec![Step { at_ms: 0, conditions }];
    }

    /// From now on it is like these steps, whose times count from now on.
    pub fn change(&mut self, now_us: u64, steps: Vec<Step>) {
        self.steps = steps;
        self.restart(now_us);
    }

    /// How it is at a moment.
    pub fn conditions(&self, now_us: u64) -> Conditions {
        let passed_ms = now_us.saturating_sub(self.began_us) / 1_000;
        let reached = self.steps.iter().take_while(|step| step.at_ms <= passed_ms);
        reached.last().map(|step| step.conditions).unwrap_or_default()
    }

    /// Packets so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// How long a packet would wait in the queue, microseconds.
    pub fn queue_us(&self, now_us: u64) -> u64 {
        self.conditions(now_us).serving_us(self.queued_bytes)
    }

    /// Something of `len` bytes comes in.
    ///
    /// # Errors
    /// [`Lost::Full`]; what is lost by chance is known later.
    pub fn offer(&mut self, now_us: u64, len: usize, what: T) -> Result<(), Lost> {
        self.serve(now_us);
        let len = u64::try_from(len).unwrap_or(u64::MAX);
        self.counts.offered += 1;
        self.counts.offered_bytes += len;
        let queued_bytes = self.queued_bytes.saturating_add(len);
        if queued_bytes > self.conditions(now_us).queue_bytes() {
            self.counts.lost_full += 1;
            return Err(Lost::Full);
        }
        self.queued_bytes = queued_bytes;
        self.queue.push_back((now_us, len, what));
        self.serve(now_us);
        Ok(())
    }

    /// What has arrived by now, one after the other.
    pub fn poll(&mut self, now_us: u64) -> Option<T> {
        self.serve(now_us);
        if self.flying.peek()?.arrives_us > now_us {
            return None;
        }
        let flying = self.flying.pop()?;
        self.counts.delivered += 1;
        self.counts.delivered_bytes += flying.len;
        Some(flying.what)
    }

    /// When [`Self::poll`] should be called next.
    pub fn next_due_us(&self) -> Option<u64> {
        let arrives_us = self.flying.peek().map(|flying| flying.arrives_us);
        let served_us = self.queue.front().map(|(came_us, len, _)| self.served_us(*came_us, *len));
        arrives_us.into_iter().chain(served_us).min()
    }

    /// When the bottleneck will have served what is first in the queue.
    fn served_us(&self, came_us: u64, len: u64) -> u64 {
        let begins_us = self.free_us.max(came_us);
        begins_us + self.conditions(begins_us).serving_us(len)
    }

    /// Takes out of the queue what the bottleneck has served.
    fn serve(&mut self, now_us: u64) {
        while let Some((came_us, len, _)) = self.queue.front() {
            let (len, served_us) = (*len, self.served_us(*came_us, *len));
            if served_us > now_us {
                return;
            }
            self.free_us = served_us;
            self.queued_bytes -= len;
            let Some((_, _, what)) = self.queue.pop_front() else { return };
            self.fly(served_us, len, what);
        }
    }

    /// Behind the bottleneck: lost, or on its way.
    fn fly(&mut self, at_us: u64, len: u64, what: T) {
        let conditions = self.conditions(at_us);
        if self.loses(&conditions) {
            self.counts.lost_chance += 1;
            return;
        }
        let jitter_us = u64::from(conditions.jitter_ms) * 1_000;
        let jitter_us = if jitter_us == 0 { 0 } else { self.chance.random_range(0..=jitter_us) };
        let arrives_us = at_us + u64::from(conditions.delay_ms) * 1_000 + jitter_us;
        let late = self.chance.random_bool((conditions.reorder_percent / 100.0).clamp(0.0, 1.0));
        let arrives_us = if late {
            arrives_us + u64::from(conditions.reorder_ms) * 1_000
        } else {
            self.last_us = self.last_us.max(arrives_us);
            self.last_us
        };
        self.number += 1;
        self.flying.push(Flying { arrives_us, number: self.number, len, what });
    }

    /// A chain of two states (Gilbert): it loses everything, or nothing.
    fn loses(&mut self, conditions: &Conditions) -> bool {
        let loss = (conditions.loss_percent / 100.0).clamp(0.0, 1.0);
        let ends = 1.0 / conditions.loss_burst.max(1.0);
        // So that the states are visited in the proportion of the loss.
        let begins = if loss < 1.0 { (ends * loss / (1.0 - loss)).min(1.0) } else { 1.0 };
        let independent = conditions.loss_burst <= 1.0;
        self.losing = if independent {
            self.chance.random_bool(loss)
        } else if self.losing {
            !self.chance.random_bool(ends)
        } else {
            self.chance.random_bool(begins)
        };
        self.losing
    }
}

#[cfg(test)]
#[path = "link_tests.rs"]
mod tests;
