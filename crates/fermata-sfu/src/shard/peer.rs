//! Somebody served here: connections, what comes in on them, what goes out.

use std::collections::BTreeMap;
use std::time::Instant;

use fermata_transport::{Mid, TransportStats};

use super::context::Context;
use super::link::Link;
use super::outbox::Outbox;
use super::sample::Sampled;
use super::share::Sharing;
use super::subscriptions::Subscriptions;
use crate::forward::Continuation;
use crate::key::{ParticipantId, Side, TrackId};
use crate::limits::HEARD_INTERVAL;
use crate::seam::{Health, PeerSpec, Report};

/// A participant, as far as connections and media go.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) id: ParticipantId,
    pub(super) spec: PeerSpec,
    pub(super) up: Option<Link>,
    pub(super) down: Option<Link>,
    /// What comes in on which section.
    pub(super) publications: BTreeMap<Mid, TrackId>,
    pub(super) subscriptions: Subscriptions,
    /// What goes out on which section.
    pub(super) receiving: BTreeMap<Mid, TrackId>,
    /// Where the numbering of sections stands that carried a track before.
    pub(super) continuations: BTreeMap<Mid, Continuation>,
    pub(super) outbox: Outbox,
    /// Summed pixels of what is being forwarded, and as the rooms know it.
    area: u64,
    area_told: u64,
    /// When the rooms were told of a sign of life.
    heard_told: Option<Instant>,
    pub(super) sampled: Sampled,
    pub(super) sharing: Sharing,
    /// When it entered.
    pub(super) since: Instant,
}

impl Peer {
    /// Somebody without connections yet.
    pub(super) fn new(now: Instant, spec: PeerSpec) -> Self {
        Self {
            id: spec.id,
            spec,
            up: None,
            down: None,
            publications: BTreeMap::new(),
            subscriptions: Subscriptions::default(),
            receiving: BTreeMap::new(),
            continuations: BTreeMap::new(),
            outbox: Outbox::default(),
            area: 0,
            area_told: 0,
            heard_told: None,
            sampled: Sampled::new(now),
            sharing: Sharing::default(),
            since: now,
        }
    }

    /// The connection on which media and data go out.
    pub(super) fn out_side(&self) -> Side {
        if self.spec.single { Side::Up } else { Side::Down }
    }

    /// One of the connections.
    pub(super) fn link(&self, side: Side) -> Option<&Link> {
        match side {
            Side::Up => self.up.as_ref(),
            Side::Down => self.down.as_ref(),
        }
    }

    /// One of the connections, to change it.
    pub(super) fn link_mut(&mut self, side: Side) -> Option<&mut Link> {
        self.place_mut(side).as_mut()
    }

    /// Where one of the connections is, or would be.
    pub(super) fn place_mut(&mut self, side: Side) -> &mut Option<Link> {
        match side {
            Side::Up => &mut self.up,
            Side::Down => &mut self.down,
        }
    }

    /// The connection on which media goes out, and what goes out on it.
    pub(super) fn sending(&mut self) -> Option<(&mut Link, &mut Subscriptions)> {
        let link = if self.spec.single { self.up.as_mut() } else { self.down.as_mut() };
        Some((link?, &mut self.subscriptions))
    }

    /// Nothing more of a track goes out for now: what waits is given up, what was sent is not sent again, and nobody is
    /// counted as receiving it.
    pub(super) fn cut_off(&mut self, context: &mut Context, track: TrackId) {
        let Some(subscription) = self.subscriptions.get_mut(track) else { return };
        subscription.history.clear();
        let area = std::mem::take(&mut subscription.area);
        self.set_area(context, area, 0);
        if let Some((link, _)) = self.sending() {
            link.queue.forget(track);
        }
    }

    /// What is counted for one of its tracks has changed.
    pub(super) fn set_area(&mut self, context: &mut Context, before: u64, after: u64) {
        self.set_whole_area(context, self.area.saturating_sub(before) + after);
    }

    /// What is counted for all of its tracks; the rooms are told if it has changed.
    pub(super) fn set_whole_area(&mut self, context: &mut Context, area: u64) {
        self.area = area;
        if self.area_told != area {
            self.area_told = area;
            context.report(Report::Area(self.id, area, context.now.instant));
        }
    }

    /// A sign of life; the rooms are told now and then.
    pub(super) fn note_heard(&mut self, context: &mut Context) {
        let now = context.now.instant;
        let told = self.heard_told;
        if told.is_some_and(|told| now.saturating_duration_since(told) < HEARD_INTERVAL) {
            return;
        }
        self.heard_told = Some(now);
        let all: [Option<TransportStats>; 2] =
            [Side::Up, Side::Down].map(|side| Some(self.link(side)?.wire().stats()));
        let all = all.iter().flatten();
        let losses = all.clone().flat_map(|stats| [stats.loss_sent, stats.loss_received]).flatten();
        let health = Health {
            at: now,
            loss: losses.fold(0.0, f32::max),
            rtt: all.filter_map(|stats| stats.rtt).max(),
        };
        context.report(Report::Heard(self.id, health));
    }
}
