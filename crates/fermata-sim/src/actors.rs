//! What customers, operators, partners and payment providers try: found in the state of the moment, asked of the
//! real account, predicted by the oracle.

use std::sync::Arc;

use fermata_billing::command::{Actor, ActorRole, Answer, ChangeAccount, Command};
use fermata_billing::effect::OperationClass;
use fermata_billing::hold::{HoldCause, HoldKind, Scope};
use fermata_billing::id::HoldId;
use fermata_billing::money::Money;
use fermata_billing::notice::{NoticeKind, OWNER, Subscription};
use fermata_billing::standing::allows;
use fermata_billing::state::BillingMode;
use fermata_billing::transition::Transition;
use jiff::{SignedDuration, Timestamp};

use crate::Fallible;
use crate::coverage::CrashPoint;
use crate::driver::Driver;
use crate::history::{Event, What};
use crate::oracle::{Held, Oracle, When, plus};
use crate::terms::{TYPES, ZONES};
use crate::world::{World, app_id, partner_id};

fn operator(name: &str) -> Actor {
    Actor { role: ActorRole::Operator, name: name.to_owned() }
}

fn customer() -> Actor {
    Actor { role: ActorRole::Customer, name: "owner".to_owned() }
}

fn cents(count: i64) -> Money {
    Money::from_micros(count * 10_000)
}

fn why() -> String {
    "because".to_owned()
}

impl<D: Driver> World<'_, D> {
    /// An act of a person: what is asked, by whom, and whether it must be accepted.
    pub(crate) fn act(&mut self, event: &Event, crash: Option<CrashPoint>) -> Fallible<()> {
        let (account, wall) = (event.account, event.at);
        let Some(when) = self.catch_up(account, wall)? else { return Ok(()) };
        self.driver.look(account, wall)?;
        let Some((command, actor)) = self.command(account, &event.what, when)? else {
            return Ok(());
        };
        let expected = self.predict(account, &event.what, &command, &actor, when)?;
        let answer = self.driver.call(account, &command, &actor, wall, crash)?;
        if answer.is_ok() != expected {
            return Err(format!(
                "account {account}: {command:?} should be {}, but the answer is {answer:?}",
                if expected { "accepted" } else { "refused" }
            ));
        }
        if let (Command::Pay { provider_ref, .. }, true) = (&command, expected) {
            self.references.entry(provider_ref.clone()).or_insert(account);
        }
        if let (Ok(Answer::Remaining(kinds)), Command::EnableApp { app }) = (&answer, &command)
            && let Some(truth) = self.truths.get(&account)
        {
            let holds = truth.oracle.holds.iter();
            let on_app = holds.filter(|hold| !hold.proposed && hold.scope.covers(*app));
            let mut truth: Vec<HoldKind> = on_app.map(|hold| hold.kind).collect();
            let mut kinds = kinds.clone();
            truth.sort();
            truth.dedup();
            kinds.sort();
            if truth != kinds {
                return Err(format!("T13: {kinds:?} remain, it should be {truth:?}"));
            }
        }
        self.compare(account)
    }

    /// The command that an act comes to; none where there is nothing to act on.
    fn command(
        &mut self,
        account: usize,
        what: &What,
        when: When,
    ) -> Fallible<Option<(Command, Actor)>> {
        let person = self.people.get(account).and_then(|person| person.partner);
        let app = |app: usize| app_id(account, app);
        let state = self.driver.state(account)?.clone();
        let Some(truth) = self.truths.get(&account) else { return Ok(None) };
        let oracle = &truth.oracle;
        let pay = |amount: Money, number: u32| {
            // Every fifth reference is tried by a neighbour as well.
            let payer = if number % 5 == 4 { account / 2 } else { account };
            Command::Pay { amount, provider_ref: format!("ref-{payer}-{number}") }
        };
        let command = match what {
            What::Pay { cents: amount, number } => (pay(cents(*amount), *number), customer()),
            // What is owed depends on when timers were looked at; the same history must not.
            What::PayDebt { number } | What::PayAtDeadline { number } if self.options.ungated => {
                (pay(cents(1_500), *number + 10_000), customer())
            }
            What::PayDebt { number } => {
                let owed = -oracle.available();
                if owed <= 0 {
                    return Ok(None);
                }
                (pay(Money::from_micros(owed), *number + 10_000), customer())
            }
            What::PayAtDeadline { number } => {
                let Some(at) = oracle.wall_deadline() else { return Ok(None) };
                let what = What::PayDebt { number: *number };
                self.deferred.insert((at, account), Event { at, account, what, crash: None });
                return Ok(None);
            }
            What::Chargeback { number } => {
                let provider_ref = format!("ref-{account}-{number}");
                (Command::ReversePayment { provider_ref, reason: why() }, operator("alice"))
            }
            What::Buy { kind, app: wanted } => {
                let (code, of_app) = TYPES.get(*kind).copied().unwrap_or(("week", true));
                let app = of_app.then(|| app(*wanted));
                (Command::BuyPackage { type_code: code.to_owned(), app }, customer())
            }
            What::Refund { pick } => {
                let found = state.packages.values().rev().nth(*pick % state.packages.len().max(1));
                let Some(package) = found else { return Ok(None) };
                (Command::RefundPackage { package: package.id.clone() }, customer())
            }
            What::SetBilling(billing) => (Command::SetBilling { billing: *billing }, customer()),
            What::CreateApp { app: number } => {
                (Command::CreateApp { app: app(*number) }, customer())
            }
            What::Disable { app: number } => {
                (Command::DisableApp { app: app(*number) }, customer())
            }
            What::Enable { app: number } => (Command::EnableApp { app: app(*number) }, customer()),
            What::Propose => (raise(HoldKind::Violation, Scope::Account), operator("alice")),
            What::Closure => (raise(HoldKind::Closure, Scope::Account), operator("alice")),
            What::Freeze => {
                let Some(partner) = person else { return Ok(None) };
                (raise(HoldKind::PartnerFreeze, Scope::Account), partner_actor(partner))
            }
            What::Admin { app: wanted } => {
                let scope = wanted.map_or(Scope::Account, |number| Scope::App(app(number)));
                (raise(HoldKind::Admin, scope), operator("alice"))
            }
            What::Approve { same } => {
                let proposal = state.holds.values().find(|hold| hold.proposed);
                let Some(hold) = proposal else { return Ok(None) };
                let by = operator(if *same { "alice" } else { "bob" });
                (Command::ApproveHold { hold: hold.id.clone() }, by)
            }
            What::DropHold { pick } => {
                let Some((_, id, kind)) = picked(oracle, &state, *pick) else { return Ok(None) };
                let by = match (kind, person) {
                    (HoldKind::PartnerFreeze, Some(partner)) => partner_actor(partner),
                    _ => operator("bob"),
                };
                (Command::DropHold { hold: id }, by)
            }
            What::OpenTicket => (Command::OpenTicket, customer()),
            What::ConfirmTicket | What::CancelTicket => {
                let Some(ticket) = &state.ticket else { return Ok(None) };
                let ticket = ticket.id.clone();
                match what {
                    What::ConfirmTicket => (Command::ConfirmTicket { ticket }, customer()),
                    _ => (Command::CancelTicket { ticket }, operator("bob")),
                }
            }
            What::Voucher { cents: amount, hours } => {
                let expires_at = plus(when.now, SignedDuration::from_hours(*hours));
                let amount = cents(*amount);
                (Command::GrantVoucher { amount, expires_at, reason: why() }, operator("alice"))
            }
            What::CreditNote { .. } => return Ok(self.credit_note(account, what)),
            What::Adjust { cents: amount } => {
                let amount = if *amount == 0 { 1 } else { *amount };
                (Command::Adjust { amount: cents(amount), reason: why() }, operator("alice"))
            }
            What::CreditLimit { cents: limit } => {
                let change =
                    ChangeAccount { credit_limit: Some(cents(*limit)), ..Default::default() };
                (Command::Change(change), operator("alice"))
            }
            What::Exempt(exempt) => {
                let change = ChangeAccount { reclaim_exempt: Some(*exempt), ..Default::default() };
                (Command::Change(change), operator("alice"))
            }
            What::Zone(zone) => {
                let zone = ZONES.get(*zone).map(|zone| (*zone).to_owned());
                (Command::Change(ChangeAccount { zone, ..Default::default() }), customer())
            }
            What::Subscribe { cents: below } => {
                if !state.contacts.contains_key(OWNER) {
                    return Ok(None);
                }
                let subscription = Subscription {
                    name: "low".to_owned(),
                    contact: OWNER.to_owned(),
                    kind: NoticeKind::BalanceLow,
                    below: Some(cents(*below)),
                    percent: None,
                };
                (Command::Subscribe(subscription), customer())
            }
            What::Dismiss => {
                let app = app(0);
                let held = oracle.holds.iter().any(|hold| !hold.proposed && hold.scope.covers(app));
                if held && allows(&state, &oracle.policy, OperationClass::Dismiss, Some(app)) {
                    self.took(Transition::T18);
                }
                return Ok(None);
            }
            _ => return Ok(None),
        };
        Ok(Some(command))
    }

    fn credit_note(&self, account: usize, what: &What) -> Option<(Command, Actor)> {
        let What::CreditNote { pick, percent } = what else { return None };
        let truth = self.truths.get(&account)?;
        let count = truth.oracle.bills.len();
        let number = truth.observed.bill_ids.len().checked_sub(1 + pick % count.max(1));
        let found = number.and_then(|number| truth.observed.bill_ids.get(number));
        let total = number.and_then(|number| truth.oracle.bills.get(number)).map(|bill| bill.total);
        let (bill, total) = (found?, total?);
        let amount = (total / 100 * percent).max(1);
        let amount = Money::from_micros(amount);
        let command = Command::IssueCreditNote { bill: bill.clone(), amount, reason: why() };
        Some((command, operator("alice")))
    }

    /// What the oracle says will become of it; it lives through it.
    fn predict(
        &mut self,
        account: usize,
        what: &What,
        command: &Command,
        actor: &Actor,
        when: When,
    ) -> Fallible<bool> {
        let catalog = Arc::clone(&self.catalog);
        let created = match command {
            Command::RefundPackage { package } => {
                let packages = &self.driver.state(account)?.packages;
                packages.get(package).map(|package| package.created_at)
            }
            _ => None,
        };
        let wanted = match what {
            What::DropHold { pick } => {
                let state = self.driver.state(account)?.clone();
                self.truths.get(&account).and_then(|truth| picked(&truth.oracle, &state, *pick))
            }
            _ => None,
        };
        let elsewhere = match command {
            Command::Pay { provider_ref, .. } => {
                self.references.get(provider_ref).is_some_and(|other| *other != account)
            }
            _ => false,
        };
        let Some(truth) = self.truths.get_mut(&account) else { return Ok(false) };
        let number = match command {
            Command::IssueCreditNote { bill, .. } => {
                truth.observed.bill_ids.iter().position(|known| known == bill)
            }
            _ => None,
        };
        let oracle = &mut truth.oracle;
        Ok(match command {
            Command::Pay { amount, provider_ref } => {
                oracle.pay(amount.micros(), provider_ref, elsewhere, when)
            }
            Command::ReversePayment { provider_ref, .. } => oracle.reverse(provider_ref, when),
            Command::BuyPackage { type_code, app } => {
                oracle.buy(&catalog, type_code, *app, when)?
            }
            Command::RefundPackage { .. } => match created {
                Some(created) => oracle.refund(&catalog, created, when)?.is_some(),
                None => false,
            },
            Command::SetBilling { billing } => oracle.set_billing(&catalog, *billing, when)?,
            Command::CreateApp { app } => oracle.create_app(*app, when)?,
            Command::DisableApp { app } => oracle.switch_app(*app, false, when),
            Command::EnableApp { app } => oracle.switch_app(*app, true, when),
            Command::RaiseHold { kind, scope, .. } => {
                let partner = matches!(actor.role, ActorRole::Partner(_));
                oracle.raise_by_hand(*kind, *scope, partner, when)
            }
            Command::ApproveHold { .. } => oracle.approve(actor.name == "alice", when),
            Command::DropHold { .. } => match wanted {
                Some((held, _, _)) => oracle.drop_by_hand(&held, when),
                None => false,
            },
            Command::OpenTicket => oracle.open_ticket(when),
            Command::ConfirmTicket { .. } => oracle.confirm_ticket(when),
            Command::CancelTicket { .. } => oracle.cancel_ticket(),
            Command::GrantVoucher { amount, expires_at, .. } => {
                oracle.voucher(amount.micros(), *expires_at, when)
            }
            Command::IssueCreditNote { amount, .. } => {
                number.is_some_and(|number| oracle.credit_note(number, amount.micros(), when))
            }
            Command::Adjust { amount, .. } => oracle.adjust(amount.micros(), when),
            Command::Change(ChangeAccount { credit_limit: Some(limit), .. }) => {
                oracle.set_limit(limit.micros(), when)
            }
            Command::Change(ChangeAccount { reclaim_exempt: Some(exempt), .. }) => {
                oracle.set_exempt(*exempt, when.now)
            }
            Command::Change(ChangeAccount { zone: Some(zone), .. }) => {
                oracle.change_zone(zone, when.now)?
            }
            _ => true,
        })
    }
}

fn partner_actor(partner: usize) -> Actor {
    Actor { role: ActorRole::Partner(partner_id(partner)), name: "desk".to_owned() }
}

fn raise(kind: HoldKind, scope: Scope) -> Command {
    let cause = (kind == HoldKind::Violation).then_some(HoldCause::Content);
    Command::RaiseHold { kind, scope, cause, reason: why(), evidence: "case 1".to_owned() }
}

/// The oracle's hold with a number, and the id that the account gave it.
fn picked(
    oracle: &Oracle,
    state: &fermata_billing::state::State,
    pick: usize,
) -> Option<(Held, HoldId, HoldKind)> {
    let held = oracle.holds.get(pick % oracle.holds.len().max(1))?;
    let same = |hold: &&fermata_billing::state::Hold| {
        hold.kind == held.kind && hold.scope == held.scope && hold.proposed == held.proposed
    };
    let id = state.holds.values().find(same)?.id.clone();
    Some((held.clone(), id, held.kind))
}

/// What a moment and a mode mean for readers of shrunk histories.
pub(crate) fn shown(at: Timestamp, what: &What) -> String {
    match what {
        What::SetBilling(BillingMode::Off) => format!("{at}: postpaid off"),
        other => format!("{at}: {other:?}"),
    }
}
