//! Counters of a store, for metrics. They begin at zero with the process.

use std::sync::atomic::{AtomicU64, Ordering};

/// A reading of the counters. All but `queue_depth` only rise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Writing commands carried out, failed ones included.
    pub commands: u64,
    /// Reads carried out, failed ones included.
    pub reads: u64,
    /// Groups of commands that were committed together, failed ones included.
    pub batches: u64,
    /// Commits that reached the disk; each costs about one flush of the disk.
    pub commits: u64,
    /// Writing commands that wait for the writer now.
    pub queue_depth: u64,
    /// Commands and reads that were answered with an error of the backend.
    pub failures: u64,
    /// Commands that were answered with `NotWritable` (part of `failures`).
    pub not_writable: u64,
    /// Calls that were refused with `Busy` because a queue was full.
    pub refused: u64,
    /// Usage windows taken in, repetitions included.
    pub windows: u64,
    /// Facts that went to the quarantine, repetitions included.
    pub quarantined: u64,
    /// Facts that could not be kept because the quarantine was full (part of `quarantined`).
    pub quarantine_dropped: u64,
}

/// The counters themselves.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) commands: Counter,
    pub(crate) reads: Counter,
    pub(crate) batches: Counter,
    pub(crate) commits: Counter,
    pub(crate) queue_depth: Counter,
    pub(crate) failures: Counter,
    pub(crate) not_writable: Counter,
    pub(crate) refused: Counter,
    pub(crate) windows: Counter,
    pub(crate) quarantined: Counter,
    pub(crate) quarantine_dropped: Counter,
}

impl Counters {
    pub(crate) fn read(&self) -> StoreStats {
        StoreStats {
            commands: self.commands.get(),
            reads: self.reads.get(),
            batches: self.batches.get(),
            commits: self.commits.get(),
            queue_depth: self.queue_depth.get(),
            failures: self.failures.get(),
            not_writable: self.not_writable.get(),
            refused: self.refused.get(),
            windows: self.windows.get(),
            quarantined: self.quarantined.get(),
            quarantine_dropped: self.quarantine_dropped.get(),
        }
    }
}

/// One number. Relaxed everywhere: counters order nothing.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, by: u64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    pub(crate) fn subtract(&self, by: u64) {
        self.0.fetch_sub(by, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
