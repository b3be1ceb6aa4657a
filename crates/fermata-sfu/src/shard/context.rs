//! What every part of a shard writes to: reports, hops, events of connections, deadlines, counters.

use std::collections::VecDeque;

use fermata_transport::Event;
use fermata_types::Now;

use super::path::Control;
use crate::SfuStats;
use crate::key::{LinkId, ParticipantId, TrackId};
use crate::limits::REPORTS_WAITING_MAX;
use crate::seam::{Hop, Level, Report, ShardId};
use crate::timer::Timers;

/// What a connection reports.
#[derive(Debug)]
pub(crate) enum LinkEvent {
    /// In the transport's words.
    Wire(Event),
    /// It failed inside and is not used any more.
    Broken,
}

/// What is to be done at a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Timer {
    /// A connection wants to be driven.
    Link(LinkId),
    /// Layers and keyframes of a track.
    Track(TrackId),
    /// Video that stopped is noticed.
    Area(ParticipantId),
    /// What a connection can take is divided anew.
    Share(ParticipantId),
    /// Loudness is told.
    Levels,
}

/// Where results go; apart from peers and tracks, so that both can be borrowed at once.
#[derive(Debug)]
pub(crate) struct Context {
    /// The moment of the input being handled.
    pub(crate) now: Now,
    /// Reports not yet polled.
    pub(crate) reports: VecDeque<Report>,
    /// What is for other shards and not yet polled.
    pub(crate) hops: VecDeque<(ShardId, Hop)>,
    /// Loudness not yet told.
    pub(crate) levels: Vec<Level>,
    /// Events of connections not yet handled.
    pub(crate) events: VecDeque<((LinkId, u32), LinkEvent)>,
    /// Datagrams that are no media.
    pub(crate) control: Control,
    /// Deadlines.
    pub(crate) timers: Timers<Timer>,
    /// Counters; gauges are filled in when asked for.
    pub(crate) stats: SfuStats,
}

impl Context {
    /// Nothing yet.
    pub(crate) fn new(now: Now) -> Self {
        Self {
            now,
            reports: VecDeque::new(),
            hops: VecDeque::new(),
            levels: Vec::new(),
            events: VecDeque::new(),
            control: Control::new(),
            timers: Timers::default(),
            stats: SfuStats::default(),
        }
    }

    /// Tells the rooms.
    pub(crate) fn report(&mut self, report: Report) {
        self.reports.push_back(report);
    }

    /// Tells the rooms what they can do without, unless they do not keep up.
    pub(crate) fn report_if_room(&mut self, report: Report) {
        if self.reports.len() < REPORTS_WAITING_MAX {
            self.reports.push_back(report);
        } else {
            self.stats.limited += 1;
        }
    }
}
