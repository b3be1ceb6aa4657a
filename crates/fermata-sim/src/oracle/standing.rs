//! Arrears, holds and reclamation, from the facts.

use std::collections::BTreeSet;

use fermata_billing::hold::{HoldKind, Scope};
use fermata_billing::notice::NoticeKind;
use fermata_billing::policy::Policy;
use fermata_billing::state::BillingMode;
use fermata_types::SdkAppId;
use jiff::{SignedDuration, Timestamp};

use super::{Due, Oracle, When, hours, plus};
use crate::Fallible;

/// The balance is below zero.
#[derive(Debug, Clone)]
pub(crate) struct Episode {
    pub(crate) since: Timestamp,
    /// When suspension comes, if it still is to come.
    suspend: Option<Timestamp>,
    /// Warnings that still are to come, in hours.
    warnings: BTreeSet<u32>,
    warned: BTreeSet<u32>,
}

/// A hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) kind: HoldKind,
    pub(crate) scope: Scope,
    pub(crate) since: Timestamp,
    pub(crate) applied: Timestamp,
    pub(crate) proposed: bool,
}

/// How far reclamation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    None,
    Clearing { step: u32, since: Timestamp },
    Cleared { at: Timestamp },
}

/// When clearing is to begin.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) at: Timestamp,
    sweep: Timestamp,
    notices: Vec<(u32, Timestamp)>,
}

/// A wish to close the account.
#[derive(Debug, Clone)]
pub(crate) struct Ticket {
    pub(crate) confirm: Timestamp,
}

const DAY: SignedDuration = SignedDuration::from_hours(24);
const SECOND: SignedDuration = SignedDuration::from_secs(1);
/// Classes of data, the packages last.
const CLASSES: u32 = 5;

impl Oracle {
    pub(crate) fn irreversible(&self) -> bool {
        self.stage != Stage::None
    }

    pub(super) fn is_clearing(&self) -> bool {
        matches!(self.stage, Stage::Clearing { .. })
    }

    /// Is a hold of the kind in force?
    pub(crate) fn has_hold(&self, kind: HoldKind) -> bool {
        self.holds.iter().any(|hold| hold.kind == kind && !hold.proposed)
    }

    fn raise(&mut self, kind: HoldKind, scope: Scope, when: When) {
        let (since, applied) = (when.now, when.applied);
        self.holds.push(Held { kind, scope, since, applied, proposed: false });
    }

    fn drop_kind(&mut self, kind: HoldKind) {
        self.holds.retain(|hold| hold.kind != kind || hold.proposed);
    }

    pub(super) fn offer_standing(&self, offer: &mut impl FnMut(Timestamp, Due)) {
        if let Some(episode) = &self.episode {
            if let Some(at) = episode.suspend {
                offer(at, Due::Suspend);
            }
            for warning in &episode.warnings {
                offer(plus(episode.since, hours(*warning)), Due::Warn(*warning));
            }
        }
        if let Some(plan) = &self.plan {
            offer(plan.sweep, Due::Sweep);
            for (days, at) in &plan.notices {
                offer(*at, Due::ReclaimNotice(*days));
            }
        }
    }

    /// Every change of what is available is judged, whatever caused it (T5 to T7).
    pub(super) fn judge(&mut self, applied: Timestamp, now: Timestamp) {
        let available = self.available();
        self.log.push((applied, available));
        if self.episode.is_none() && available < 0 && !self.irreversible() {
            self.episodes.push(applied);
            self.episode = Some(Episode {
                since: applied,
                suspend: None,
                warnings: BTreeSet::new(),
                warned: BTreeSet::new(),
            });
            self.expect_suspension(now);
            self.tell(NoticeKind::ArrearsReminder);
        } else if self.episode.is_some() && available >= 0 {
            self.episode = None;
            self.drop_kind(HoldKind::Arrears);
            if !self.irreversible() {
                self.tell(NoticeKind::ArrearsCleared);
                self.plan_reclaim(now);
            }
        }
    }

    fn expect_suspension(&mut self, now: Timestamp) {
        let policy = &self.policy;
        let Some(episode) = &mut self.episode else { return };
        (episode.suspend, episode.warnings) = (None, BTreeSet::new());
        if policy.non_stop {
            return;
        }
        let since = episode.since;
        episode.suspend = Some(plus(since, hours(policy.grace_hours)).max(now));
        let warnings = policy.warn_hours.iter().copied();
        episode.warnings = warnings.filter(|one| plus(since, hours(*one)) >= now).collect();
    }

    /// Wall time at which suspension is due, if it still is to come.
    pub(crate) fn wall_deadline(&self) -> Option<Timestamp> {
        let due = self.episode.as_ref()?.suspend?;
        let offset = if self.sandbox { self.offset } else { SignedDuration::ZERO };
        due.saturating_sub(offset).ok()
    }

    pub(super) fn warn(&mut self, hours: u32) {
        let held = self.has_hold(HoldKind::Arrears);
        let Some(episode) = &mut self.episode else { return };
        episode.warnings.remove(&hours);
        if !held && episode.warned.insert(hours) {
            self.tell(NoticeKind::ArrearsWarning);
        }
    }

    /// T8.
    pub(super) fn suspend(&mut self, when: When) {
        if let Some(episode) = &mut self.episode {
            episode.suspend = None;
        }
        self.raise(HoldKind::Arrears, Scope::Account, when);
        self.tell(NoticeKind::Suspended);
        self.plan_reclaim(when.now);
    }

    /// T17.
    pub(crate) fn terms_changed(&mut self, policy: Policy, now: Timestamp) {
        self.policy = policy;
        if self.irreversible() {
            return;
        }
        if let Some(since) = self.episode.as_ref().map(|episode| episode.since) {
            let over = !self.policy.non_stop && plus(since, hours(self.policy.grace_hours)) <= now;
            let held = self.has_hold(HoldKind::Arrears);
            if held && over {
                if let Some(episode) = &mut self.episode {
                    (episode.suspend, episode.warnings) = (None, BTreeSet::new());
                }
            } else {
                self.drop_kind(HoldKind::Arrears);
                self.expect_suspension(now);
            }
        }
        self.plan_reclaim(now);
    }

    /// The moment that must be exceeded before clearing (A11, A12).
    pub(crate) fn reclaim_at(&self) -> Option<Timestamp> {
        let term = self.policy.reclaim_after_hours.filter(|_| !self.exempt)?;
        let counts = |hold: &&Held| {
            let by_terms = hold.kind == HoldKind::PartnerFreeze && self.policy.freeze_reclaims;
            let eligible = matches!(hold.kind, HoldKind::Arrears | HoldKind::Violation) || by_terms;
            eligible && !hold.proposed
        };
        let ends = self.holds.iter().filter(counts);
        ends.map(|hold| plus(hold.since.max(hold.applied), hours(term))).min()
    }

    /// The plan follows from holds and terms; another moment is another plan, with notices of its own (T19).
    pub(crate) fn plan_reclaim(&mut self, now: Timestamp) {
        if self.irreversible() {
            return;
        }
        let at = self.reclaim_at();
        if self.plan.as_ref().map(|plan| plan.at) == at {
            return;
        }
        let term = self.policy.reclaim_after_hours.unwrap_or(0);
        self.plan = at.map(|at| {
            let ahead = [30_u32, 7, 1].into_iter().filter(|days| days * 24 <= term);
            let planned: Vec<(u32, Timestamp)> = ahead
                .map(|days| (days, at.saturating_sub(hours(days * 24)).unwrap_or(Timestamp::MIN)))
                .collect();
            let cut_short = planned.iter().any(|(_, moment)| *moment < now);
            let beyond = plus(at, SECOND);
            let sweep = if cut_short { beyond.max(plus(now, DAY + SECOND)) } else { beyond };
            let notices =
                planned.into_iter().map(|(days, moment)| (days, moment.max(now))).collect();
            Plan { at, sweep, notices }
        });
    }

    pub(super) fn announce(&mut self, days: u32) {
        if let Some(plan) = &mut self.plan {
            plan.notices.retain(|(known, _)| *known != days);
            // The same moment is announced once, also where it comes back (I11).
            if self.announced.insert((plan.at, days)) {
                self.tell(NoticeKind::ReclaimNotice);
            }
        }
    }

    /// T20.
    pub(super) fn sweep(&mut self, when: When) {
        let on = self.sandbox || self.sweep_on;
        if let (Some(plan), false) = (&mut self.plan, on) {
            plan.sweep = plus(when.now, DAY);
            return;
        }
        self.begin_clearing(when);
    }

    pub(super) fn begin_clearing(&mut self, when: When) {
        self.stage = Stage::Clearing { step: 0, since: when.applied };
        if !self.has_hold(HoldKind::Arrears) {
            self.episode = None;
        }
        self.plan = None;
        self.clear_due = Some(when.now);
        self.tell(NoticeKind::ReclaimFinal);
    }

    /// T21, T22.
    pub(super) fn clear_next(&mut self, when: When) {
        let Stage::Clearing { step, since } = self.stage else { return };
        self.clear_due = Some(when.now);
        self.stage = Stage::Clearing { step: step + 1, since };
        if step + 1 < CLASSES {
            return;
        }
        self.forfeit();
        self.stage = Stage::Cleared { at: when.applied };
        self.tell(NoticeKind::Cleared);
        (self.clear_due, self.ticket, self.next_grant) = (None, None, None);
        if !self.owes() {
            self.close_due = None;
        }
        if !self.owes() || self.billing != BillingMode::Monthly {
            self.month_due = None;
        }
    }

    /// T9.
    pub(super) fn check_funding(&mut self, when: When) -> Fallible<()> {
        if self.billing != BillingMode::Off || self.irreversible() {
            return Ok(());
        }
        let today = self.today(when.now)?;
        let apps: Vec<SdkAppId> = self.apps.iter().copied().collect();
        for app in apps {
            let held = self.find(HoldKind::Unfunded, Scope::App(app)).is_some();
            if !held && !self.covered(app, today, true) && !self.covered(app, today, false) {
                self.raise(HoldKind::Unfunded, Scope::App(app), when);
            }
        }
        Ok(())
    }

    /// T10.
    pub(super) fn lift_unfunded(&mut self, now: Timestamp) -> Fallible<()> {
        if self.irreversible() {
            return Ok(());
        }
        let today = self.today(now)?;
        let postpaid = self.billing != BillingMode::Off;
        let free = self.policy.free_renewal_reopens;
        let stays: Vec<Held> = self
            .holds
            .iter()
            .filter(|hold| match hold.scope {
                Scope::App(app) if hold.kind == HoldKind::Unfunded => {
                    let paid =
                        self.covered(app, today, false) || (free && self.covered(app, today, true));
                    !postpaid && !paid
                }
                _ => true,
            })
            .cloned()
            .collect();
        self.holds = stays;
        Ok(())
    }

    fn find(&self, kind: HoldKind, scope: Scope) -> Option<&Held> {
        self.holds.iter().find(|hold| hold.kind == kind && hold.scope == scope)
    }

    /// Neither a violation nor a closure, and not past the point of no return; a freeze does not bar this here.
    pub(super) fn may_buy(&self) -> bool {
        let barred = [HoldKind::Violation, HoldKind::Closure];
        !self.irreversible() && !barred.iter().any(|kind| self.has_hold(*kind))
    }

    pub(crate) fn create_app(&mut self, app: SdkAppId, when: When) -> Fallible<bool> {
        if self.apps.contains(&app) {
            return Ok(true);
        }
        let held = self.holds.iter().any(|hold| hold.scope == Scope::Account && !hold.proposed);
        if held || self.irreversible() {
            return Ok(false);
        }
        self.apps.insert(app);
        self.check_funding(when)?;
        Ok(true)
    }

    pub(crate) fn switch_app(&mut self, app: SdkAppId, on: bool, when: When) -> bool {
        // The same classes of holds bar this as bar a purchase.
        if !self.apps.contains(&app) || !self.may_buy() {
            return false;
        }
        let scope = Scope::App(app);
        if on {
            self.holds.retain(|hold| hold.kind != HoldKind::Manual || hold.scope != scope);
        } else if self.find(HoldKind::Manual, scope).is_none() {
            self.raise(HoldKind::Manual, scope, when);
        }
        true
    }

    /// An operator or the own partner raises or proposes a hold (T14, T16, T28).
    pub(crate) fn raise_by_hand(
        &mut self,
        kind: HoldKind,
        scope: Scope,
        own_partner: bool,
        when: When,
    ) -> bool {
        let may = match kind {
            HoldKind::PartnerFreeze => own_partner && self.policy.partner_may_freeze,
            _ => true,
        };
        let known = match scope {
            Scope::App(app) => self.apps.contains(&app),
            Scope::Account => true,
        };
        if !may || !known || self.irreversible() || self.find(kind, scope).is_some() {
            return false;
        }
        self.raise(kind, scope, when);
        if let (HoldKind::Violation, Some(last)) = (kind, self.holds.last_mut()) {
            last.proposed = true;
        }
        self.plan_reclaim(when.now);
        true
    }

    pub(crate) fn approve(&mut self, same: bool, when: When) -> bool {
        if same || self.irreversible() {
            return false;
        }
        let proposal = |hold: &&mut Held| hold.kind == HoldKind::Violation && hold.proposed;
        let Some(hold) = self.holds.iter_mut().find(proposal) else { return false };
        (hold.proposed, hold.since, hold.applied) = (false, when.now, when.applied);
        self.plan_reclaim(when.now);
        true
    }

    /// Somebody who may tries to drop a hold by hand.
    pub(crate) fn drop_by_hand(&mut self, wanted: &Held, when: When) -> bool {
        let by_hand = match wanted.kind {
            HoldKind::Violation => wanted.proposed,
            HoldKind::Admin | HoldKind::PartnerFreeze | HoldKind::Closure => true,
            HoldKind::Arrears | HoldKind::Unfunded | HoldKind::Manual => false,
        };
        if !by_hand || self.irreversible() {
            return false;
        }
        self.holds.retain(|hold| hold != wanted);
        if wanted.kind == HoldKind::Closure {
            self.ticket = None;
        }
        self.plan_reclaim(when.now);
        true
    }

    pub(crate) fn open_ticket(&mut self, when: When) -> bool {
        if self.irreversible() || self.ticket.is_some() {
            return false;
        }
        if !self.has_hold(HoldKind::Closure) {
            self.raise(HoldKind::Closure, Scope::Account, when);
        }
        self.ticket = Some(Ticket { confirm: plus(when.now, DAY * 7) });
        true
    }

    pub(crate) fn confirm_ticket(&mut self, when: When) -> bool {
        let Some(ticket) = &self.ticket else { return false };
        if self.irreversible() {
            return true;
        }
        if when.now < ticket.confirm || self.exempt {
            return false;
        }
        self.begin_clearing(when);
        true
    }

    pub(crate) fn cancel_ticket(&mut self) -> bool {
        if self.ticket.is_none() || self.irreversible() {
            return false;
        }
        self.ticket = None;
        self.drop_kind(HoldKind::Closure);
        true
    }

    pub(crate) fn set_exempt(&mut self, exempt: bool, now: Timestamp) -> bool {
        if self.exempt != exempt {
            self.exempt = exempt;
            self.plan_reclaim(now);
        }
        true
    }
}
