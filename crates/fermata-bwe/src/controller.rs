//! The estimates together: what came back goes to all of them, the lowest counts.
//!
//! What it is not: none of the estimates; see [`crate::aimd`], [`crate::loss`], [`crate::probe`].

use crate::acked::Acked;
use crate::aimd::{self, Aimd, Change};
use crate::groups::{Groups, Seen};
use crate::limits::{
    ABOVE_WANTED_BPS, ABOVE_WANTED_PERCENT, IDLE_US, OUTCOME_AGE_US_MAX, OVERUSE_REMEMBERED_US,
    PACKET_BITS, PROBE_COUNTS_US, QUEUE_FULL_LOSS, QUEUE_HIGH_US, QUEUE_WITH_LOSS_US, REMB_US,
    RTT_US, RTT_US_MAX, SILENCE_US, WANTED_RISE_PERCENT,
};
use crate::loss::{self, Loss};
use crate::num::percent;
use crate::probe::{Probe, Schedule};
use crate::queue::Queue;
use crate::sent::Sent;
use crate::trend::{Trend, Usage};
use crate::types::{Config, Limit, Outcome, State};

/// The congestion control of one connection towards one receiver.
#[derive(Debug)]
pub struct Controller {
    config: Config,
    wanted_bps: u64,
    groups: Groups,
    trend: Trend,
    queue: Queue,
    acked: Acked,
    sent: Sent,
    aimd: Aimd,
    loss: Loss,
    probes: Schedule,
    /// What the last probe showed, and when.
    probed: Option<(u64, u64)>,
    /// The receiver's estimate, and when it came.
    remb: Option<(u64, u64)>,
    rtt_us: u64,
    /// When the newest packet was sent of which something is known.
    newest_us: u64,
    overused_us: Option<u64>,
    /// When the first packet was sent that has no feedback behind it.
    unanswered_us: Option<u64>,
    silent: bool,
    /// When feedback came, or limits were looked at without.
    looked_us: u64,
    app_limited: bool,
    limit: Limit,
    path_bps: u64,
    target_bps: u64,
}

impl Controller {
    /// Nothing sent yet. Until [`Self::set_wanted`] everything is wanted.
    pub fn new(config: Config) -> Self {
        let max_bps = config.max_bps.max(config.min_bps);
        let config = Config { max_bps, ..config };
        let start_bps = config.start_bps.clamp(config.min_bps, max_bps);
        Self {
            config,
            wanted_bps: max_bps,
            groups: Groups::default(),
            trend: Trend::new(),
            queue: Queue::default(),
            acked: Acked::new(),
            sent: Sent::default(),
            aimd: Aimd::new(start_bps),
            loss: Loss::default(),
            probes: Schedule::new(),
            probed: None,
            remb: None,
            rtt_us: RTT_US,
            newest_us: 0,
            overused_us: None,
            unanswered_us: None,
            silent: false,
            looked_us: 0,
            app_limited: false,
            limit: Limit::Nothing,
            path_bps: start_bps,
            target_bps: start_bps,
        }
    }

    /// What may be sent, media, retransmissions and padding together, bits per second on the wire.
    pub fn target_bps(&self) -> u64 {
        self.target_bps
    }

    /// What the path can take, bits per second on the wire. More than [`Self::target_bps`] while a queue is being
    /// emptied: who chooses what to send goes by this, and who says when it goes out by that.
    pub fn path_bps(&self) -> u64 {
        self.path_bps
    }

    /// Figures for metrics.
    pub fn state(&self) -> State {
        State {
            limit: self.limit,
            estimate_bps: self.aimd.bps(),
            acked_bps: self.acked_bps(),
            loss: self.loss.share(),
            inherent_loss: self.loss.inherent(),
            queue_us: self.queue.queue_us(),
        }
    }

    /// What everything that the receiver wants would need, bits per second on the wire: the estimate does not grow
    /// far above, and no probe goes there. Much more than before is a reason to probe at once.
    pub fn set_wanted(&mut self, now_us: u64, bps: u64) {
        let rises = bps > percent(self.wanted_bps, WANTED_RISE_PERCENT);
        self.wanted_bps = bps.min(self.config.max_bps);
        if rises && self.wanted_bps > self.target_bps {
            self.probes.on_reason(now_us);
        }
    }

    /// The receiver's own estimate (draft-alvestrand-rmcat-remb-03), bits per second; counts for five seconds.
    pub fn on_remb(&mut self, now_us: u64, bps: u64) {
        self.remb = Some((bps, now_us));
        self.settle(now_us);
    }

    /// A packet went out that the receiver will give feedback of.
    pub fn on_sent(&mut self, now_us: u64, len_bytes: u16) {
        self.sent.on_sent(now_us, len_bytes, self.target_bps);
        self.unanswered_us.get_or_insert(now_us);
    }

    /// Feedback came: the outcomes in the order of sending, and the round-trip time if known. Packets that feedback
    /// told of before are ignored.
    pub fn on_feedback(&mut self, now_us: u64, outcomes: &[Outcome], rtt_us: Option<u64>) {
        if let Some(rtt_us) = rtt_us {
            self.rtt_us = rtt_us.min(RTT_US_MAX);
        }
        if std::mem::take(&mut self.silent) {
            self.probes.on_reason(now_us);
            self.loss.on_silence_end(now_us);
        }
        self.unanswered_us = None;
        self.looked_us = now_us;
        let known_us = self.newest_us;
        let (mut over, mut oldest_us) = (false, None);
        for outcome in outcomes {
            let old = now_us.saturating_sub(outcome.sent_us) > OUTCOME_AGE_US_MAX;
            // Several packets may have the same time, but not in two feedbacks that are both right.
            let told =
                outcome.sent_us < self.newest_us || (known_us > 0 && outcome.sent_us == known_us);
            if old || told || outcome.sent_us > now_us {
                continue;
            }
            self.newest_us = outcome.sent_us;
            oldest_us.get_or_insert(outcome.sent_us);
            self.probes.on_outcome(outcome);
            self.loss.on_outcome(outcome.sent_us, outcome.arrived_us.is_none());
            if let Some(arrived_us) = outcome.arrived_us {
                over |= self.on_arrival(outcome, arrived_us);
            }
        }
        self.queue.on_feedback_end(now_us);
        self.conclude(now_us, oldest_us, over);
        self.settle(now_us);
    }

    /// A burst that should be sent now, if one is due.
    pub fn poll_probe(&mut self, now_us: u64) -> Option<Probe> {
        if !self.may_probe() {
            return None;
        }
        self.probes.poll(now_us, self.target_bps, self.wanted_bps)
    }

    /// What is due by time alone; to be called at [`Self::next_timeout_us`], or at any time.
    pub fn on_timeout(&mut self, now_us: u64) {
        if self.silence_us().is_some_and(|at| at <= now_us) {
            self.silent = true;
            self.unanswered_us = Some(now_us);
            self.aimd.lower((self.target_bps / 2).max(self.config.min_bps));
            self.probes.on_silence();
        }
        if self.idle_us().is_some_and(|at| at <= now_us) {
            self.looked_us = now_us;
            self.queue.on_time(now_us);
            self.loss.on_idle(now_us, self.ceiling_bps());
        }
        self.settle(now_us);
    }

    /// When [`Self::on_timeout`] and [`Self::poll_probe`] should be called next; `None`: not before something else
    /// happens. May be in the past, if a probe is due.
    pub fn next_timeout_us(&self) -> Option<u64> {
        let remb = self.remb.map(|(_, came_us)| came_us.saturating_add(REMB_US));
        let probe = self.may_probe().then(|| self.probes.next_timeout_us());
        [self.silence_us(), self.idle_us(), remb, probe].into_iter().flatten().min()
    }

    /// When limits are to be looked at though nothing is sent: only while they keep us from looking for room.
    fn idle_us(&self) -> Option<u64> {
        let held = self.queue.percent() < 100 || self.loss.limit_bps().is_some();
        let idle = held && self.is_watched() && self.unanswered_us.is_none();
        idle.then(|| self.looked_us.saturating_add(IDLE_US))
    }

    fn silence_us(&self) -> Option<u64> {
        self.unanswered_us.map(|since| since.saturating_add(SILENCE_US))
    }

    /// Not while something says that the path is full, nor for what is not wanted or not allowed.
    fn may_probe(&self) -> bool {
        let wanted = self.wanted_bps > self.target_bps && self.config.max_bps > self.target_bps;
        let free = self.loss.limit_bps().is_none_or(|limit| limit > self.aimd.bps());
        let remb = self.remb.is_none_or(|(bps, _)| bps > self.aimd.bps());
        // Without feedback a burst shows nothing.
        let watched = self.is_watched() || self.remb.is_none();
        wanted && free && remb && watched && !self.silent && self.queue.percent() == 100
    }

    /// Whether anything went out of which there is or will be feedback.
    fn is_watched(&self) -> bool {
        self.newest_us > 0 || self.unanswered_us.is_some()
    }

    /// Whether the delays grow now.
    fn on_arrival(&mut self, outcome: &Outcome, arrived_us: u64) -> bool {
        self.acked.on_arrival(arrived_us, outcome.len_bytes);
        self.queue.on_arrival(outcome.sent_us, arrived_us);
        match self.groups.on_arrival(outcome.sent_us, arrived_us) {
            Seen::Nothing => return false,
            Seen::Step(step) => self.trend.on_step(&step),
            Seen::Restart => {
                self.trend = Trend::new();
                self.queue.restart();
            }
        }
        self.trend.usage() == Usage::Over
    }

    /// What got through: no more than was sent.
    fn acked_bps(&self) -> Option<u64> {
        self.acked.bps().map(|bps| bps.min(self.sent.peak_bps()))
    }

    /// Packets wait for long, and more are lost than always are.
    fn is_queue_full(&self) -> bool {
        let beyond = self.loss.share() - self.loss.inherent();
        self.queue.queue_us() >= QUEUE_HIGH_US && beyond > QUEUE_FULL_LOSS
    }

    fn ceiling_bps(&self) -> u64 {
        percent(self.wanted_bps, ABOVE_WANTED_PERCENT)
            .saturating_add(ABOVE_WANTED_BPS)
            .min(self.config.max_bps)
    }

    fn conclude(&mut self, now_us: u64, oldest_us: Option<u64>, over: bool) {
        self.app_limited = self.sent.is_app_limited(now_us, self.target_bps);
        // Overuse anywhere in the feedback counts, unless its end says that the queue empties.
        let usage = match self.trend.usage() {
            Usage::Normal if over => Usage::Over,
            usage => usage,
        };
        // On a slow path a long packet itself takes tens of milliseconds, and is no queue.
        let own_us = PACKET_BITS * 1_000_000 / self.aimd.bps().max(1);
        let usage = match usage {
            Usage::Over if self.queue.queue_us() <= own_us => Usage::Normal,
            // A queue that is full does not grow any more; what it has no room for is lost.
            Usage::Normal if self.is_queue_full() => Usage::Over,
            usage => usage,
        };
        if usage == Usage::Over {
            self.overused_us = Some(now_us);
            self.probes.on_congestion(now_us);
        }
        let acked_bps = self.acked_bps();
        let ceiling_bps = self.ceiling_bps();
        let before_bps = self.aimd.bps();
        let (rtt_us, app_limited) = (self.rtt_us, self.app_limited);
        let sent_bps = self.sent.recent_bps();
        self.queue.on_rates(now_us, sent_bps, acked_bps.unwrap_or(u64::MAX));
        let probed_bps = self
            .probed
            .filter(|(_, at_us)| now_us.saturating_sub(*at_us) < PROBE_COUNTS_US)
            .map(|(bps, _)| bps);
        let seen = aimd::Seen {
            now_us,
            oldest_us,
            usage,
            acked_bps,
            recent_bps: self.acked.recent_bps().map(|bps| bps.min(self.sent.peak_bps())),
            probed_bps,
            sent_bps,
            queue_us: self.queue.queue_us(),
            rtt_us,
            app_limited,
            ceiling_bps,
        };
        match self.aimd.on_feedback(&seen) {
            Change::None => {}
            Change::Outgrew => self.probes.on_reason(now_us),
            Change::Decreased => {
                self.queue.on_decrease(now_us);
                self.loss.on_decrease(now_us);
                if self.aimd.bps() < before_bps / 3 * 2 {
                    self.probes.on_drop(now_us);
                }
            }
        }
        if let Some(bps) = self.probes.on_feedback_end(now_us, self.target_bps) {
            self.aimd.raise(bps.min(ceiling_bps));
            self.probed = Some((bps, now_us));
        }
        let overused = self
            .overused_us
            .is_some_and(|last| now_us.saturating_sub(last) < OVERUSE_REMEMBERED_US);
        self.loss.on_feedback_end(&loss::Seen {
            now_us,
            rtt_us,
            delayed: overused || self.queue.queue_us() >= QUEUE_WITH_LOSS_US,
            app_limited,
            acked_bps,
            target_bps: self.target_bps,
            ceiling_bps,
        });
    }

    /// The target, and what limits it.
    fn settle(&mut self, now_us: u64) {
        let Config { min_bps, max_bps, .. } = self.config;
        self.remb = self.remb.filter(|(_, came_us)| now_us.saturating_sub(*came_us) < REMB_US);
        let remb_bps = self.remb.map_or(u64::MAX, |(bps, _)| bps);
        let loss_bps = self.loss.limit_bps().unwrap_or(u64::MAX);
        // A receiver that gives no feedback of packets knows the path alone: where looking begins does not bound it.
        let unknown = self.remb.is_some() && !self.is_watched();
        let aimd_bps = if unknown { max_bps } else { self.aimd.bps() };
        let lowest = aimd_bps.min(loss_bps).min(remb_bps);
        self.path_bps = lowest.clamp(min_bps, max_bps);
        let drained_bps = percent(aimd_bps, self.queue.percent());
        self.target_bps = lowest.min(drained_bps).clamp(min_bps, max_bps);
        self.limit = if self.silent {
            Limit::Silence
        } else if remb_bps == lowest {
            Limit::Remb
        } else if loss_bps == lowest {
            Limit::Loss
        } else if self.target_bps >= self.wanted_bps {
            Limit::Nothing
        } else if self.aimd.knows_capacity() {
            Limit::Delay
        } else if self.app_limited {
            Limit::Application
        } else {
            Limit::Nothing
        };
    }
}
