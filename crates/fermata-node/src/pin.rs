//! Media threads keep to a processor each, so that what they work on stays close to it.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The processors that this program may use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pinning(Option<CpuSet>);

impl Pinning {
    /// Reads them; `wanted` false, or where they cannot be read: threads run wherever there is room.
    pub(crate) fn new(wanted: bool) -> Self {
        Self(sched_getaffinity(None).ok().filter(|_| wanted))
    }

    /// Keeps the calling thread, the one at `place`, to a processor. Failing costs speed only, and is told.
    pub(crate) fn pin(self, place: usize) {
        let Some(allowed) = self.0 else { return };
        let count = usize::try_from(allowed.count()).unwrap_or(0).max(1);
        let mut processors = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu));
        let Some(processor) = processors.nth(place % count) else { return };
        let mut only = CpuSet::new();
        only.set(processor);
        if let Err(error) = sched_setaffinity(None, &only) {
            tracing::warn!(%error, place, "A media thread cannot be kept to one processor.");
        }
    }
}
