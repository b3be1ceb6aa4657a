//! How much the path to the peer can take: what was sent and what the peer says of it go to the controller
//! ([`fermata_bwe`]), which says how much may be sent, and asks for bursts to find out more.
//!
//! What it is not: it sends nothing but what [`Bandwidth::padding_due`] asks for, and does not decide what goes out.

use std::time::Duration;

use fermata_bwe::{Config, Controller, Limit, Outcome};
use fermata_rtp::twcc::FeedbackView;

use super::sent::SentTimes;
use crate::event::Estimate;
use crate::limits::{
    BANDWIDTH_MAX_BPS, BANDWIDTH_MIN_BPS, BANDWIDTH_START_BPS, BANDWIDTH_TOLD_PERCENT,
    PACE_PERCENT, PROBE_TICK,
};

/// The estimate of one connection. Nothing is there before the first packet with a transport-wide number, or the peer's
/// own estimate.
#[derive(Debug)]
pub(super) struct Bandwidth {
    /// If not, only when packets were sent is kept, and how many of them got lost.
    on: bool,
    times: SentTimes,
    state: Option<Box<State>>,
    outcomes: Vec<Outcome>,
}

#[derive(Debug)]
struct State {
    controller: Controller,
    /// Bytes sent at one moment and not yet told to the controller.
    sent: (u64, u32),
    /// Moment of the latest packet. No two have the same, for they are told apart by it.
    last_us: u64,
    probing: Option<Probing>,
    /// The peer does give feedback. One that agreed to and gives none is not held back.
    heard: bool,
    /// The path was full at some time.
    narrow: bool,
    told: Option<Estimate>,
}

/// A burst on its way.
#[derive(Debug, Clone, Copy)]
struct Probing {
    id: u8,
    rate_bps: u64,
    since_us: u64,
    bytes: u64,
    bytes_left: u64,
    packets_left: u32,
}

impl State {
    fn new() -> Self {
        let config = Config {
            start_bps: BANDWIDTH_START_BPS,
            min_bps: BANDWIDTH_MIN_BPS,
            max_bps: BANDWIDTH_MAX_BPS,
        };
        Self {
            controller: Controller::new(config),
            sent: (0, 0),
            last_us: 0,
            probing: None,
            heard: false,
            narrow: false,
            told: None,
        }
    }

    /// What was sent at one moment is told together.
    fn tell_sent(&mut self) {
        let (at_us, mut bytes) = std::mem::take(&mut self.sent);
        while bytes > 0 {
            let part = u16::try_from(bytes).unwrap_or(u16::MAX);
            self.controller.on_sent(at_us, part);
            bytes -= u32::from(part);
        }
    }

    fn estimate(&self) -> Estimate {
        let state = self.controller.state();
        let limited = match state.limit {
            Limit::Delay | Limit::Loss | Limit::Remb | Limit::Silence => true,
            Limit::Nothing | Limit::Application => false,
        };
        let (bps, target_bps) = (self.controller.path_bps(), self.controller.target_bps());
        // Who sends in bursts has to be faster than the mean; while a queue is emptied nobody has.
        let pace_bps = if target_bps < bps { target_bps } else { bps / 100 * PACE_PERCENT };
        let limited = limited && self.heard;
        let pace_bps = (limited || self.narrow).then_some(pace_bps);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of 0 to 0.2"
        )]
        let inherent_loss_percent = (state.inherent_loss * 100.0).round() as u8;
        Estimate { bps, pace_bps, limited, inherent_loss_percent }
    }
}

impl Bandwidth {
    /// Nothing was sent yet.
    pub(super) fn new(on: bool) -> Self {
        Self { on, times: SentTimes::default(), state: None, outcomes: Vec::new() }
    }

    /// Is there an estimate?
    pub(super) fn is_on(&self) -> bool {
        self.on
    }

    /// A packet with a transport-wide number went out.
    pub(super) fn on_sent(&mut self, seq: u16, len: usize, at_us: u64, probe: Option<u8>) {
        if !self.on {
            self.times.record(seq, len, at_us, probe);
            return;
        }
        let state = self.state.get_or_insert_with(|| Box::new(State::new()));
        state.last_us = at_us.max(state.last_us + 1);
        self.times.record(seq, len, state.last_us, probe);
        if state.sent.0 != at_us {
            state.tell_sent();
        }
        let len = u32::try_from(len).unwrap_or(u32::MAX);
        state.sent = (at_us, state.sent.1.saturating_add(len));
    }

    /// The peer's feedback; the time since the latest packet in it was sent: a round trip, and how long the peer
    /// waited with its feedback.
    pub(super) fn on_feedback(
        &mut self,
        view: &FeedbackView<'_>,
        now_us: u64,
        rtt: Option<Duration>,
    ) -> Option<Duration> {
        self.outcomes.clear();
        let latest_us = self.times.on_feedback(view, now_us, &mut self.outcomes);
        let since = latest_us.map(|at| Duration::from_micros(now_us.saturating_sub(at)));
        if let Some(state) = &mut self.state {
            state.tell_sent();
            state.heard = true;
            let rtt_us = rtt.or(since).and_then(|rtt| u64::try_from(rtt.as_micros()).ok());
            state.controller.on_feedback(now_us, &self.outcomes, rtt_us);
        }
        since
    }

    /// The peer's own estimate; all there is of a peer that gives no other feedback.
    pub(super) fn on_remb(&mut self, now_us: u64, bps: u64) {
        if !self.on {
            return;
        }
        let state = self.state.get_or_insert_with(|| Box::new(State::new()));
        state.heard = true;
        state.controller.on_remb(now_us, bps);
    }

    /// What everything that the peer wants would need.
    pub(super) fn set_wanted(&mut self, now_us: u64, bps: u64) {
        if let Some(state) = &mut self.state {
            state.controller.set_wanted(now_us, bps);
        }
    }

    /// What is due by time alone.
    pub(super) fn handle_timeout(&mut self, now_us: u64) {
        let Some(state) = &mut self.state else { return };
        state.tell_sent();
        state.controller.on_timeout(now_us);
        if state.probing.is_none() {
            state.probing = state.controller.poll_probe(now_us).map(|probe| Probing {
                id: probe.id,
                rate_bps: probe.rate_bps,
                since_us: now_us,
                bytes: 0,
                bytes_left: probe.bytes,
                packets_left: probe.packets_min,
            });
        }
    }

    /// The burst that a packet of padding should go out for now, if one is due.
    pub(super) fn padding_due(&self, now_us: u64) -> Option<u8> {
        let probing = self.state.as_ref()?.probing?;
        let passed_us = now_us.saturating_sub(probing.since_us);
        // The first goes at once.
        let due = probing.rate_bps / 8 * passed_us / 1_000_000;
        (probing.bytes <= due).then_some(probing.id)
    }

    /// A packet of padding went out for the burst; or none can, and the burst ends.
    pub(super) fn on_padding(&mut self, len: Option<usize>) {
        let Some(state) = &mut self.state else { return };
        let Some(probing) = &mut state.probing else { return };
        let Some(len) = len.and_then(|len| u64::try_from(len).ok()) else {
            state.probing = None;
            return;
        };
        probing.bytes += len;
        probing.bytes_left = probing.bytes_left.saturating_sub(len);
        probing.packets_left = probing.packets_left.saturating_sub(1);
        if probing.bytes_left == 0 && probing.packets_left == 0 {
            state.probing = None;
        }
    }

    /// When [`Self::handle_timeout`] is due, microseconds.
    pub(super) fn next_timeout_us(&self, now_us: u64) -> Option<u64> {
        let state = self.state.as_ref()?;
        let tick_us = u64::try_from(PROBE_TICK.as_micros()).unwrap_or(0);
        let burst = state.probing.map(|_| now_us + tick_us);
        let due = burst.into_iter().chain(state.controller.next_timeout_us()).min()?;
        Some(due.max(now_us + tick_us))
    }

    /// What may be sent, if that has changed enough since it was told last.
    pub(super) fn poll(&mut self) -> Option<Estimate> {
        let state = self.state.as_mut()?;
        let now = state.estimate();
        state.narrow |= now.limited;
        let near = |told: u64, now: u64| told.abs_diff(now) <= told / 100 * BANDWIDTH_TOLD_PERCENT;
        let same = state.told.is_some_and(|told| {
            let paces = (told.pace_bps.unwrap_or(0), now.pace_bps.unwrap_or(0));
            let losses = (told.inherent_loss_percent, now.inherent_loss_percent);
            told.limited == now.limited
                && near(told.bps, now.bps)
                && near(paces.0, paces.1)
                && losses.0.abs_diff(losses.1) <= 1
        });
        (!same).then(|| *state.told.insert(now))
    }

    /// The estimate as of now; none before the peer has said anything, for what would be told then is a guess.
    pub(super) fn estimate(&self) -> Option<Estimate> {
        self.state.as_ref().filter(|state| state.heard).map(|state| state.estimate())
    }

    /// Share lost by the latest feedback.
    pub(super) fn loss(&self) -> Option<f32> {
        self.times.loss()
    }
}
