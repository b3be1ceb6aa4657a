//! One account whose standing is watched: who asks, how late timers are, what was told, and after every step
//! the invariants that can be seen from one step.

use std::collections::{BTreeMap, BTreeSet};

use fermata_types::AccountId;
use jiff::{SignedDuration, Timestamp};

use super::{effective, verdicts, view};
use crate::catalog::Catalog;
use crate::command::{Actor, ActorRole, Answer, Command, Meta, OpenAccount, Refusal};
use crate::effect::OperationClass;
use crate::hold::{HoldKind, Label, Scope};
use crate::id::{HoldId, PartnerId};
use crate::journal::{DataClass, Record};
use crate::money::{Currency, Money};
use crate::notice::{Contact, Delivery, Notice, NoticeKind, OWNER};
use crate::policy::Policy;
use crate::state::{BillingMode, Change, Hold, Item, ItemKey, Reclaim, State};
use crate::testing::{APP, History, OTHER_APP, at, money};
use crate::timer::TimerKind;
use crate::transition::Transition;
use crate::{Env, Outcome, Step};

/// The account, its clock and everything it ever said.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) state: State,
    pub(crate) policy: Policy,
    pub(crate) reclaim_on: bool,
    pub(crate) now: Timestamp,
    pub(crate) taken: Vec<Transition>,
    pub(crate) outbox: Vec<Delivery>,
    pub(crate) deletions: Vec<DataClass>,
    pub(crate) history: History,
    catalog: Catalog,
    payments: u32,
}

pub(crate) const START: &str = "2026-03-02T10:00:00Z";

pub(crate) fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

pub(crate) fn operator(name: &str) -> Actor {
    Actor { role: ActorRole::Operator, name: name.to_owned() }
}

pub(crate) fn customer() -> Actor {
    Actor { role: ActorRole::Customer, name: "owner".to_owned() }
}

pub(crate) fn partner(id: &str) -> Actor {
    Actor { role: ActorRole::Partner(PartnerId(id.to_owned())), name: "desk".to_owned() }
}

pub(crate) fn contact(name: &str) -> Contact {
    Contact { name: name.to_owned(), email: Some(format!("{name}@example.org")), webhook: None }
}

impl World {
    /// An account of partner `acme` with daily postpaid, two applications and an owner to tell.
    pub(crate) fn new() -> Self {
        Self::with(BillingMode::Daily)
    }

    pub(crate) fn with(billing: BillingMode) -> Self {
        let history =
            History { items: BTreeMap::new(), rows: Vec::new(), watermark: Timestamp::MAX };
        let mut world = Self {
            state: State::default(),
            policy: Policy::default(),
            reclaim_on: true,
            now: at(START),
            taken: Vec::new(),
            outbox: Vec::new(),
            deletions: Vec::new(),
            history,
            catalog: Catalog::default_catalog(),
            payments: 0,
        };
        world.run(Command::Open(OpenAccount {
            account: AccountId::from_text("AC_watchedwatch"),
            currency: Currency::USD,
            zone: "Asia/Shanghai".to_owned(),
            billing,
            sandbox: true,
            partner: Some(PartnerId("acme".to_owned())),
            credit_limit: Money::ZERO,
        }));
        for app in [APP, OTHER_APP] {
            world.run(Command::CreateApp { app });
        }
        world.run(Command::PutContact(contact(OWNER)));
        world
    }

    /// Carries out what must succeed, as operator `ann`.
    pub(crate) fn run(&mut self, command: Command) -> Answer {
        let name = format!("{command:?}");
        match self.run_as(operator("ann"), command) {
            Ok(answer) => answer,
            Err(refusal) => panic!("{name}: {refusal}"),
        }
    }

    #[expect(clippy::needless_pass_by_value, reason = "commands are written where they are run")]
    pub(crate) fn run_as(&mut self, actor: Actor, command: Command) -> Result<Answer, Refusal> {
        let meta = Meta { now: self.now, applied: self.now, actor };
        self.transact(&meta, &command).map(|outcome| outcome.answer)
    }

    fn transact(&mut self, meta: &Meta, command: &Command) -> Result<Outcome, Refusal> {
        self.carry_out(meta, |state, env| crate::step(state, command, meta, env))
    }

    /// Does something of the program's own, below the level of commands.
    pub(crate) fn tell(
        &mut self,
        act: impl FnOnce(&mut Step<'_>) -> Result<Answer, Refusal>,
    ) -> Result<Answer, Refusal> {
        let meta = Meta { now: self.now, applied: self.now, actor: Actor::system() };
        self.carry_out(&meta, |state, env| crate::step::transact(state, &meta, env, act))
            .map(|outcome| outcome.answer)
    }

    fn carry_out(
        &mut self,
        meta: &Meta,
        act: impl FnOnce(&mut State, Env<'_>) -> Result<Outcome, Refusal>,
    ) -> Result<Outcome, Refusal> {
        let before = self.state.clone();
        let env = Env {
            catalog: &self.catalog,
            policy: &self.policy,
            reclaim_on: self.reclaim_on,
            reads: &self.history,
        };
        let outcome = match act(&mut self.state, env) {
            Ok(outcome) => outcome,
            Err(refusal) => {
                assert_eq!(self.state, before, "a refusal leaves nothing behind");
                return Err(refusal);
            }
        };
        for change in &outcome.changes {
            if let (Change::Put(item), key @ (ItemKey::ClosedDay(_) | ItemKey::Credited(_))) =
                (change, change.key())
            {
                self.history.items.insert(key, item.clone());
            }
        }
        self.history.rows.extend(outcome.journal.iter().cloned());
        self.taken.extend(&outcome.transitions);
        self.outbox.extend(outcome.outbox.iter().cloned());
        self.deletions.extend(&outcome.deletions);
        self.check(&before, &outcome, meta);
        Ok(outcome)
    }

    /// Goes on by a time; what is due on the way fires when it is due.
    pub(crate) fn pass(&mut self, time: SignedDuration) {
        self.go(self.now.checked_add(time).expect("in range"), false);
    }

    pub(crate) fn pass_to(&mut self, to: Timestamp) {
        self.go(to, false);
    }

    /// The same with the program away meanwhile: everything is applied at the end.
    pub(crate) fn pass_late(&mut self, time: SignedDuration) {
        self.go(self.now.checked_add(time).expect("in range"), true);
    }

    fn go(&mut self, to: Timestamp, late: bool) {
        for _ in 0..20_000 {
            let Some((timer, due)) = self.state.next_timer().filter(|(_, due)| *due <= to) else {
                self.now = to;
                self.check_drained();
                return;
            };
            self.now = if late { to } else { due };
            let meta = Meta { now: due, applied: self.now, actor: Actor::system() };
            let command = Command::Fire { timer };
            if let Err(refusal) = self.transact(&meta, &command) {
                panic!("{command:?}: {refusal}");
            }
        }
        panic!("timers never stop: {:?}", self.state.next_timer());
    }

    pub(crate) fn adjust(&mut self, amount: &str) {
        self.run(Command::Adjust { amount: money(amount), reason: "a test".to_owned() });
    }

    pub(crate) fn pay(&mut self, amount: &str) {
        self.payments += 1;
        let provider_ref = format!("pay-{}", self.payments);
        self.run(Command::Pay { amount: money(amount), provider_ref });
    }

    /// Ten in debt and a day on: suspended.
    pub(crate) fn suspend(&mut self) {
        self.adjust("-10");
        self.pass(hours(24));
        assert!(self.has(HoldKind::Arrears));
    }

    pub(crate) fn raise(
        &mut self,
        actor: Actor,
        kind: HoldKind,
        scope: Scope,
    ) -> Result<Hold, Refusal> {
        let (reason, evidence) = ("seen".to_owned(), "EV-1".to_owned());
        let command = Command::RaiseHold { kind, scope, cause: None, reason, evidence };
        match self.run_as(actor, command)? {
            Answer::Hold(hold) => Ok(hold),
            other => panic!("{other:?}"),
        }
    }

    /// A violation that `ann` proposes and `bob` approves.
    pub(crate) fn violate(&mut self) -> HoldId {
        let hold = self.raise(operator("ann"), HoldKind::Violation, Scope::Account).unwrap();
        self.run_as(operator("bob"), Command::ApproveHold { hold: hold.id.clone() }).unwrap();
        hold.id
    }

    pub(crate) fn hold(&self, kind: HoldKind) -> Option<&Hold> {
        self.state.holds.values().find(|hold| hold.kind == kind)
    }

    pub(crate) fn has(&self, kind: HoldKind) -> bool {
        self.hold(kind).is_some()
    }

    pub(crate) fn kinds(&self) -> Vec<HoldKind> {
        effective(&self.state, Some(APP)).into_iter().map(|hold| hold.kind).collect()
    }

    pub(crate) fn timer(&self, timer: &TimerKind) -> Option<Timestamp> {
        self.state.timers.get(timer).copied()
    }

    pub(crate) fn allows(&self, class: OperationClass) -> bool {
        super::allows(&self.state, &self.policy, class, Some(APP))
    }

    pub(crate) fn label(&self) -> Label {
        view(&self.state, &self.policy, self.now).label
    }

    pub(crate) fn count(&self, transition: Transition) -> usize {
        self.taken.iter().filter(|one| **one == transition).count()
    }

    pub(crate) fn notices(&self) -> impl Iterator<Item = &Notice> {
        self.history.rows.iter().filter_map(|row| match &row.record {
            Record::Notice(notice) => Some(notice),
            _ => None,
        })
    }

    /// Kinds of notices in order.
    pub(crate) fn told(&self) -> Vec<NoticeKind> {
        self.notices().map(|notice| notice.key.kind).collect()
    }

    pub(crate) fn times_told(&self, kind: NoticeKind) -> usize {
        self.notices().filter(|notice| notice.key.kind == kind).count()
    }

    /// Who was told of `kind`, in order.
    pub(crate) fn who(&self, kind: NoticeKind) -> Vec<&str> {
        let of_kind = self.outbox.iter().filter(|one| one.notice.key.kind == kind);
        of_kind.map(|one| one.contact.name.as_str()).collect()
    }

    fn check(&self, before: &State, outcome: &Outcome, meta: &Meta) {
        let state = &self.state;
        if let (Some(old), Some(new)) = (before.episode, state.episode) {
            assert!(old.number != new.number || old.since == new.since, "I2");
        }
        for hold in before.holds.values() {
            let violation = hold.kind == HoldKind::Violation && !hold.proposed;
            assert!(!violation || state.holds.get(&hold.id) == Some(hold), "I4");
        }
        assert!(!before.reclaim.is_irreversible() || state.reclaim.is_irreversible(), "I9");
        self.check_changes(before, outcome);
        let counts = [HoldKind::Arrears, HoldKind::Violation, HoldKind::PartnerFreeze];
        let eligible = effective(state, None).iter().any(|hold| counts.contains(&hold.kind));
        let reclaiming = |timer: &TimerKind| {
            matches!(timer, TimerKind::ReclaimDue | TimerKind::ReclaimNotice(_))
        };
        assert!(eligible || !state.timers.keys().any(reclaiming), "I3");
        if state.reclaim.is_irreversible() && !before.reclaim.is_irreversible() {
            let by_time = before.holds.values().any(|hold| {
                let from = hold.since.max(hold.applied_at);
                let term = self.policy.reclaim_after_hours.expect("a term");
                counts.contains(&hold.kind)
                    && !hold.proposed
                    && meta.now.duration_since(from) > hours(i64::from(term))
            });
            let by_consent = before.ticket.as_ref().is_some_and(|t| t.confirm_due <= meta.now);
            assert!(by_time || by_consent, "I8");
        }
        for verdict in verdicts(state, &self.policy) {
            let none = verdict.holds.is_empty() && !verdict.cleared;
            assert_eq!(verdict.enter, none, "I6");
            let blocking = [HoldKind::Arrears, HoldKind::Violation, HoldKind::Closure];
            let blocked = verdict.holds.iter().any(|kind| blocking.contains(kind))
                || (verdict.holds.contains(&HoldKind::PartnerFreeze)
                    && !self.policy.freeze.recordings_open);
            let readable =
                super::allows(state, &self.policy, OperationClass::Recordings, Some(verdict.app));
            assert_eq!(readable, !blocked && !verdict.cleared, "I7");
        }
        let mut keys = BTreeSet::new();
        for notice in self.notices() {
            assert!(keys.insert(notice.key.clone()), "I11: {:?}", notice.key);
        }
        let mut deliveries = BTreeSet::new();
        assert!(self.outbox.iter().all(|one| deliveries.insert(&one.id)), "I11");
    }

    fn check_changes(&self, before: &State, outcome: &Outcome) {
        let changed = outcome.changes.iter().filter_map(|change| match change.key() {
            ItemKey::Hold(id) if before.holds.get(&id) != self.state.holds.get(&id) => Some(id),
            _ => None,
        });
        for id in changed {
            assert!(outcome.epoch_changed && self.state.head.epoch > before.head.epoch, "I13");
            let audited = outcome.journal.iter().any(|row| match &row.record {
                Record::Audit(audit) => audit.details.get("hold") == Some(&id.to_string()),
                _ => false,
            });
            assert!(audited, "I13: {id}");
        }
        if verdicts(before, &self.policy).iter().map(|v| v.enter).collect::<Vec<_>>()
            != verdicts(&self.state, &self.policy).iter().map(|v| v.enter).collect::<Vec<_>>()
            && before.apps == self.state.apps
        {
            assert!(outcome.epoch_changed, "nodes must be told");
        }
    }

    /// I1, once everything that is due has fired.
    fn check_drained(&self) {
        if self.state.reclaim.is_irreversible() {
            // What stood then stays as it was; terms no longer apply.
            return;
        }
        let grace = hours(i64::from(self.policy.grace_hours));
        let over = |since: Timestamp| self.now.duration_since(since) >= grace;
        let expected =
            self.state.episode.is_some_and(|one| over(one.since)) && !self.policy.non_stop;
        assert_eq!(self.has(HoldKind::Arrears), expected, "I1 at {}", self.now);
        if let Reclaim::Due { .. } = self.state.reclaim {
            assert!(self.timer(&TimerKind::ReclaimDue).is_some_and(|due| due > self.now));
        }
    }

    /// Puts a fact that other parts of the core would put.
    pub(crate) fn put(&mut self, item: Item) {
        self.state.apply(Change::Put(item));
    }
}
