//! Nodes and the network between them and the controller: windows of stays, in batches that are lost, sent
//! again, repeated, delayed and overtaken.

use std::collections::BTreeMap;

use fermata_types::{SdkAppId, Sku};
use jiff::{SignedDuration, Timestamp};

use crate::driver::{Batch, Window};
use crate::options::Options;
use crate::oracle::plus;
use crate::rng::Dice;

/// A batch on its way.
#[derive(Debug, Clone)]
pub(crate) struct Flight {
    pub(crate) node: usize,
    pub(crate) windows: Vec<Window>,
    /// It arrives for the second time.
    pub(crate) again: bool,
    /// The node does not know that it arrived.
    owed: bool,
}

/// Everything that is on its way, by the moment it arrives.
#[derive(Debug, Default)]
pub(crate) struct Network {
    flights: BTreeMap<(Timestamp, u64), Flight>,
    number: u64,
}

/// Who was admitted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stay {
    pub(crate) number: u64,
    pub(crate) node: usize,
    pub(crate) account: usize,
    pub(crate) app: SdkAppId,
    pub(crate) sku: Sku,
    pub(crate) from: Timestamp,
    pub(crate) seconds: i64,
}

/// Windows of a batch at most.
const BATCH: usize = 12;

impl Network {
    /// A stay's windows, each minute on the wall clock, leave in batches, each with a fate of its own.
    /// Some windows are reported twice, first with fewer seconds.
    pub(crate) fn stay(&mut self, stay: Stay, dice: u64, options: &Options) {
        let mut dice = Dice::new(dice);
        let end = plus(stay.from, SignedDuration::from_secs(stay.seconds));
        let mut start = minute(stay.from);
        let mut batch: Vec<Window> = Vec::new();
        while start < end {
            let next = plus(start, SignedDuration::from_secs(60));
            let seconds = next.min(end).duration_since(start.max(stay.from)).as_secs();
            let window = Window {
                stay: stay.number,
                account: stay.account,
                app: stay.app,
                sku: stay.sku,
                entered: stay.from,
                start,
                seconds,
            };
            batch.push(window);
            if batch.len() >= BATCH || next >= end {
                if dice.permille(100) {
                    // A report in the middle of the last window.
                    let mut early = batch.clone();
                    if let Some(last) = early.last_mut() {
                        last.seconds = dice.between(1, last.seconds);
                    }
                    self.send(stay.node, early, next, &mut dice, options);
                }
                self.send(stay.node, std::mem::take(&mut batch), next, &mut dice, options);
            }
            start = next;
        }
    }

    fn send(
        &mut self,
        node: usize,
        windows: Vec<Window>,
        at: Timestamp,
        dice: &mut Dice,
        options: &Options,
    ) {
        let delay = dice.between(0, options.delay_max_minutes * 60);
        let lost = dice.permille(options.loss_permille);
        let late = if lost { dice.between(60, options.lost_max_hours * 3_600) } else { 0 };
        let arrives = plus(at, SignedDuration::from_secs(delay + late));
        if dice.permille(options.twice_permille) {
            let again = plus(arrives, SignedDuration::from_secs(dice.between(0, 90_000)));
            self.put(again, Flight { node, windows: windows.clone(), again: true, owed: false });
        }
        self.put(arrives, Flight { node, windows, again: false, owed: true });
    }

    fn put(&mut self, at: Timestamp, flight: Flight) {
        self.number += 1;
        self.flights.insert((at, self.number), flight);
    }

    /// When the next batch arrives.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.flights.keys().next().map(|(at, _)| *at)
    }

    /// The next batch; whether it overtook an earlier one of its node.
    pub(crate) fn arrive(&mut self) -> Option<(Timestamp, Flight, bool)> {
        let ((at, _), flight) = self.flights.pop_first()?;
        let first = flight.windows.first().map(|window| window.start);
        let overtook =
            self.owed(flight.node).is_some_and(|owed| first.is_some_and(|first| owed < first));
        Some((at, flight, overtook))
    }

    fn owed(&self, node: usize) -> Option<Timestamp> {
        let own = self.flights.values().filter(|flight| flight.node == node && flight.owed);
        own.flat_map(|flight| &flight.windows).map(|window| window.start).min()
    }

    /// Up to where a node has sent everything that it knows of by now.
    pub(crate) fn mark(&self, node: usize, now: Timestamp) -> Timestamp {
        self.owed(node).map_or(now, |owed| owed.min(now))
    }

    /// A node dies and loses what stood last in its log: the latest windows it has not sent. True if there were any.
    pub(crate) fn tear(&mut self, node: usize) -> bool {
        let own = self.flights.iter().filter(|(_, flight)| flight.node == node && flight.owed);
        let Some(key) = own.map(|(key, _)| *key).next_back() else { return false };
        if let Some(flight) = self.flights.get_mut(&key) {
            flight.windows.pop();
        }
        true
    }

    /// A batch as the controller gets it.
    pub(crate) fn batch(&self, flight: &Flight, now: Timestamp) -> Batch {
        Batch {
            node: flight.node,
            windows: flight.windows.clone(),
            mark: self.mark(flight.node, now),
        }
    }
}

fn minute(at: Timestamp) -> Timestamp {
    let second = at.as_second();
    Timestamp::from_second(second - second.rem_euclid(60)).unwrap_or(at)
}
