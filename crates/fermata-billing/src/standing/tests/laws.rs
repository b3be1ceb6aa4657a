//! The invariants under any history: [`World`] checks I2 to I9, I11 and I13 after every step, and I1 whenever
//! everything that was due has fired.

use jiff::SignedDuration;
use proptest::prelude::*;

use super::{World, customer, operator, partner};
use crate::command::{Actor, Command};
use crate::hold::{HoldKind, Scope};
use crate::notice::NoticeKind;
use crate::policy::Policy;
use crate::testing::{APP, OTHER_APP, money};

#[derive(Debug, Clone)]
enum Deed {
    Adjust(i32),
    Pay(u16),
    Disable(bool),
    Enable(bool),
    Raise(HoldKind, bool),
    Approve,
    Drop(usize),
    Ticket,
    Confirm,
    Cancel,
    Terms(u32, bool, Option<u32>),
    Exempt(bool),
    Pass(u32),
}

fn deed() -> impl Strategy<Value = Deed> {
    let raised = prop::sample::select(vec![
        HoldKind::Violation,
        HoldKind::PartnerFreeze,
        HoldKind::Admin,
        HoldKind::Closure,
    ]);
    prop_oneof![
        4 => (-30..30_i32).prop_map(Deed::Adjust),
        3 => (1..40_u16).prop_map(Deed::Pay),
        1 => any::<bool>().prop_map(Deed::Disable),
        1 => any::<bool>().prop_map(Deed::Enable),
        2 => (raised, any::<bool>()).prop_map(|(kind, app)| Deed::Raise(kind, app)),
        1 => Just(Deed::Approve),
        2 => (0..4_usize).prop_map(Deed::Drop),
        1 => Just(Deed::Ticket),
        1 => Just(Deed::Confirm),
        1 => Just(Deed::Cancel),
        1 => (1..100_u32, any::<bool>(), prop::option::of(24..2_000_u32))
            .prop_map(|(grace, non_stop, reclaim)| Deed::Terms(grace, non_stop, reclaim)),
        1 => any::<bool>().prop_map(Deed::Exempt),
        8 => (1..200_u32).prop_map(Deed::Pass),
    ]
}

/// Does it; what is refused is refused. Answers how many hours pass.
fn act(world: &mut World, deed: &Deed) -> u32 {
    let app = |first: bool| if first { APP } else { OTHER_APP };
    let mut go = |actor: Actor, command| drop(world.run_as(actor, command));
    let amount = |units: i64| money(&units.to_string());
    match deed {
        Deed::Adjust(units) if *units != 0 => go(
            operator("ann"),
            Command::Adjust { amount: amount(i64::from(*units)), reason: "r".to_owned() },
        ),
        Deed::Pay(units) => world.pay(&units.to_string()),
        Deed::Disable(first) => go(customer(), Command::DisableApp { app: app(*first) }),
        Deed::Enable(first) => go(customer(), Command::EnableApp { app: app(*first) }),
        Deed::Raise(kind, whole) => {
            let actor =
                if *kind == HoldKind::PartnerFreeze { partner("acme") } else { operator("ann") };
            let scope =
                if *whole || *kind != HoldKind::Admin { Scope::Account } else { Scope::App(APP) };
            drop(world.raise(actor, *kind, scope));
        }
        Deed::Approve => {
            if let Some(hold) = world.hold(HoldKind::Violation).map(|hold| hold.id.clone()) {
                drop(world.run_as(operator("bob"), Command::ApproveHold { hold }));
            }
        }
        Deed::Drop(nth) => {
            if let Some(hold) = world.state.holds.values().nth(*nth).cloned() {
                let frozen = hold.kind == HoldKind::PartnerFreeze;
                let actor = if frozen { partner("acme") } else { operator("ann") };
                drop(world.run_as(actor, Command::DropHold { hold: hold.id }));
            }
        }
        Deed::Ticket => go(customer(), Command::OpenTicket),
        Deed::Confirm | Deed::Cancel => {
            if let Some(ticket) = world.state.ticket.clone().map(|ticket| ticket.id) {
                let command = match deed {
                    Deed::Confirm => Command::ConfirmTicket { ticket },
                    _ => Command::CancelTicket { ticket },
                };
                drop(world.run_as(customer(), command));
            }
        }
        Deed::Terms(grace_hours, non_stop, reclaim_after_hours) => {
            let (grace_hours, non_stop) = (*grace_hours, *non_stop);
            let reclaim_after_hours = *reclaim_after_hours;
            let warn_hours = vec![grace_hours / 2];
            // I8 is judged by the terms in force, and never is no term to judge by.
            let reclaim_after_hours = reclaim_after_hours.or(Some(1_440));
            let terms = Policy {
                grace_hours,
                non_stop,
                warn_hours,
                reclaim_after_hours,
                ..Policy::default()
            };
            world.policy = terms;
            world.run(Command::Reevaluate);
        }
        Deed::Exempt(exempt) => {
            let change = crate::command::ChangeAccount {
                reclaim_exempt: Some(*exempt),
                ..crate::command::ChangeAccount::default()
            };
            go(operator("ann"), Command::Change(change));
        }
        Deed::Pass(hours) => return *hours,
        Deed::Adjust(_) => {}
    }
    0
}

fn passes(hours: u32) -> SignedDuration {
    SignedDuration::from_hours(i64::from(hours))
}

/// What must be the same however late timers are looked at: holds with their beginnings, and what was told of
/// arrears.
fn essence(world: &World) -> (Vec<(HoldKind, Scope, jiff::Timestamp)>, Vec<NoticeKind>) {
    let holds = world.state.holds.values();
    let holds = holds.map(|hold| (hold.kind, hold.scope, hold.since)).collect();
    let told = world.told().into_iter().filter(|kind| *kind != NoticeKind::ReclaimNotice);
    (holds, told.collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn i1_to_i9_i11_i13_stand_after_any_history(
        deeds in prop::collection::vec(deed(), 1..40),
        late in any::<bool>(),
    ) {
        let mut world = World::new();
        for deed in &deeds {
            let time = passes(act(&mut world, deed));
            if late { world.pass_late(time) } else { world.pass(time) }
        }
        world.pass(passes(24 * 70));
    }

    #[test]
    fn i10_a_late_program_gives_the_same_holds_and_notices(
        deeds in prop::collection::vec(deed(), 1..25),
    ) {
        let mut prompt = World::new();
        let mut late = World::new();
        // Short enough that nothing is cleared, which a late program may only do later.
        let mut left = 24 * 50_u32;
        for deed in &deeds {
            if matches!(deed, Deed::Terms(..) | Deed::Confirm) {
                continue;
            }
            act(&mut prompt, deed);
            let time = act(&mut late, deed).min(left);
            left -= time;
            prompt.pass(passes(time));
            late.pass_late(passes(time));
            prop_assert_eq!(essence(&prompt), essence(&late));
        }
    }
}
