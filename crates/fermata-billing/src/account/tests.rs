//! Opening, applications, terms and the sandbox clock, driven through `step`.

use fermata_types::{AccountId, Sku};

use crate::command::{Actor, ActorRole, ChangeAccount, Command, Meta, OpenAccount, Refusal};
use crate::id::PartnerId;
use crate::limits::{APPS_MAX, CLOCK_STEP_MAX, CONTACTS_MAX};
use crate::money::{Currency, Money};
use crate::notice::Contact;
use crate::state::{BillingMode, Item, State};
use crate::testing::{APP, Bench, OTHER_APP, at, date, money, units};
use crate::timer::TimerKind;
use crate::transition::Transition;
use crate::{Env, Outcome};

const NOON: &str = "2026-11-23T12:00:00Z";

fn terms() -> OpenAccount {
    OpenAccount {
        account: AccountId::from_text("AC_testtesttest"),
        currency: Currency::USD,
        zone: "UTC".to_owned(),
        billing: BillingMode::Daily,
        sandbox: false,
        partner: None,
        credit_limit: Money::ZERO,
    }
}

/// A command on a copy of the account, by anybody.
fn by(bench: &Bench, role: ActorRole, command: &Command) -> Result<(State, Outcome), Refusal> {
    let mut state = bench.state.clone();
    let actor = Actor { role, name: "somebody".to_owned() };
    let meta = Meta { now: bench.now, applied: bench.now, actor };
    let env = Env {
        catalog: &bench.catalog,
        policy: &bench.policy,
        reclaim_on: true,
        reads: &bench.history,
    };
    let outcome = crate::step(&mut state, command, &meta, env);
    assert!(outcome.is_ok() || state == bench.state, "a refusal leaves nothing behind");
    outcome.map(|outcome| (state, outcome))
}

/// The same account, empty again.
fn blank() -> Bench {
    let bench = Bench::open(NOON, BillingMode::Daily);
    Bench { state: State::default(), ..bench }
}

/// A sandbox account at noon, wall time and account time alike.
fn sandbox() -> Bench {
    let bench = blank();
    let command = Command::Open(OpenAccount { sandbox: true, ..terms() });
    let (state, _) = by(&bench, ActorRole::Operator, &command).expect("opens");
    Bench { state, ..bench }
}

#[test]
fn a7_opening_grants_free_minutes_and_arms_what_comes_by_itself() {
    let bench = Bench::open("2026-11-23T12:00:00Z", BillingMode::Daily);
    let profile = bench.state.profile.as_ref().expect("open");
    assert_eq!((profile.open_day, profile.unbilled_from), (date("2026-11-23"), date("2026-11-23")));
    assert_eq!(bench.free().left, units(10_000), "the first grant is full (A7)");
    let due = |timer: TimerKind| bench.state.timers.get(&timer).copied();
    let month = profile.open_month;
    let next = month.next().expect("a month");
    let day_due = due(TimerKind::DayClose(date("2026-11-23"))).expect("armed");
    assert!(day_due >= at("2026-11-24T08:00:00Z") && day_due < at("2026-11-24T12:00:00Z"));
    let month_due = due(TimerKind::MonthClose(month)).expect("armed");
    assert!(month_due >= at("2026-12-01T00:00:00Z") && month_due < at("2026-12-04T00:00:00Z"));
    assert_eq!(due(TimerKind::FreeGrant(next)), Some(at("2026-12-01T00:00:00Z")));
    let owner = bench.state.contacts.get("owner").expect("told of arrears");
    assert_eq!((&owner.email, &owner.webhook), (&None, &None));
}

#[test]
fn p12_opening_again_with_the_same_terms_changes_nothing() {
    let bench = Bench::open(NOON, BillingMode::Daily);
    let again = |terms| by(&bench, ActorRole::Operator, &Command::Open(terms));
    let (_, outcome) = again(terms()).expect("the same");
    assert!(outcome.changes.is_empty() && outcome.journal.is_empty(), "{outcome:?}");
    let others = [
        OpenAccount { account: AccountId::from_text("AC_otherother01"), ..terms() },
        OpenAccount { zone: "Europe/Berlin".to_owned(), ..terms() },
        OpenAccount { billing: BillingMode::Off, ..terms() },
        OpenAccount { sandbox: true, ..terms() },
        OpenAccount { partner: Some(PartnerId("acme".to_owned())), ..terms() },
        OpenAccount { credit_limit: money("1"), ..terms() },
    ];
    for other in others {
        assert_eq!(again(other.clone()).expect_err("refused"), Refusal::AlreadyOpen, "{other:?}");
    }
}

#[test]
fn opening_refuses_what_cannot_be_and_names_what_is_allowed() {
    let bench = blank();
    let open = |terms| match by(&bench, ActorRole::Operator, &Command::Open(terms)) {
        Err(refusal) => refusal.to_string(),
        Ok(_) => "opened".to_owned(),
    };
    let rows = [
        (OpenAccount { zone: "Mars/Base".to_owned(), ..terms() }, "Mars/Base"),
        (OpenAccount { zone: String::new(), ..terms() }, "time zone"),
        (OpenAccount { currency: Currency::JPY, ..terms() }, "no prices in JPY; allowed: USD"),
        (OpenAccount { credit_limit: money("-0.01"), ..terms() }, "credit_limit: -0.01"),
        (OpenAccount { credit_limit: money("1000000000.01"), ..terms() }, "0 to 1000000000"),
    ];
    for (terms, expected) in rows {
        let text = open(terms);
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn an_application_is_created_once_and_there_is_an_end_to_them() {
    let mut bench = Bench::open(NOON, BillingMode::Daily);
    let create = |app| Command::CreateApp { app };
    let (_, again) = by(&bench, ActorRole::Customer, &create(APP)).expect("known");
    assert!(again.changes.is_empty(), "{again:?}");
    for number in bench.state.apps.len()..APPS_MAX {
        let app = fermata_types::SdkAppId(u32::try_from(number).expect("few"));
        let facts = crate::state::AppFacts { app, created_at: bench.now };
        bench.state.apply(crate::state::Change::Put(Item::App(facts)));
    }
    let refused = by(&bench, ActorRole::Customer, &create(fermata_types::SdkAppId(7_777_777)));
    let most = Refusal::LimitReached { what: "applications", max: APPS_MAX };
    assert_eq!(refused.expect_err("too many"), most);
}

#[test]
fn only_an_operator_changes_credit_limit_and_exemption() {
    let bench = Bench::open(NOON, BillingMode::Daily);
    let limit = Command::Change(ChangeAccount {
        credit_limit: Some(money("5")),
        ..ChangeAccount::default()
    });
    let exempt =
        Command::Change(ChangeAccount { reclaim_exempt: Some(true), ..ChangeAccount::default() });
    let zone = Command::Change(ChangeAccount {
        zone: Some("Asia/Tokyo".to_owned()),
        ..ChangeAccount::default()
    });
    for command in [&limit, &exempt] {
        for role in [ActorRole::Customer, ActorRole::Partner(PartnerId("acme".to_owned()))] {
            let refused = by(&bench, role, command).expect_err("not theirs");
            assert!(matches!(refused, Refusal::NotYours { .. }), "{refused}");
        }
        assert!(by(&bench, ActorRole::Operator, command).is_ok());
    }
    assert!(by(&bench, ActorRole::Customer, &zone).is_ok());
}

#[test]
fn s11_contacts_are_changed_as_a_whole_and_the_owner_stays() {
    let mut bench = Bench::open(NOON, BillingMode::Daily);
    let contact = |name: &str, email: &str| Contact {
        name: name.to_owned(),
        email: Some(email.to_owned()),
        webhook: None,
    };
    let change = |contacts: Vec<Contact>| {
        Command::Change(ChangeAccount { contacts: Some(contacts), ..ChangeAccount::default() })
    };
    let (ops, desk) = (contact("ops", "ops@example.org"), contact("desk", "desk@example.org"));
    bench.run(change(vec![ops.clone(), desk.clone()])).expect("changed");
    let names = |bench: &Bench| bench.state.contacts.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&bench), ["desk", "ops", "owner"]);
    let refused = bench.run(change(vec![desk.clone(), contact("ops", "nonsense")]));
    assert!(matches!(refused, Err(Refusal::Invalid { field: "email", .. })));
    assert_eq!(bench.state.contacts["ops"], ops, "nothing half done");
    bench.run(change(vec![desk, contact("owner", "ann@example.org")])).expect("changed");
    assert_eq!(names(&bench), ["desk", "owner"]);
    let full: Vec<_> =
        (1..CONTACTS_MAX).map(|n| contact(&format!("c{n}"), "c@example.org")).collect();
    bench.run(change(full)).expect("as many as are allowed, once others are gone");
    bench.run(change(Vec::new())).expect("all gone");
    assert_eq!(names(&bench), ["owner"]);
}

#[test]
fn a22_a_credit_limit_that_is_cut_opens_an_episode_and_one_that_is_raised_closes_it() {
    let mut bench = Bench::open(NOON, BillingMode::Daily);
    let limit = |amount: &str| {
        let credit_limit = Some(money(amount));
        Command::Change(ChangeAccount { credit_limit, ..ChangeAccount::default() })
    };
    bench.run(limit("10")).expect("raised");
    let debt = Command::Adjust { amount: money("-4"), reason: "manual debit".to_owned() };
    bench.run(debt).expect("within the limit");
    assert_eq!(bench.state.episode, None, "available is 6");
    bench.run(limit("4")).expect("cut");
    assert_eq!(bench.state.episode, None, "zero is fine (A4)");
    bench.run(limit("3.99")).expect("cut");
    assert_eq!(bench.state.episode.expect("in arrears").since, bench.now);
    assert!(bench.took().contains(&Transition::T5));
    bench.run(limit("4")).expect("raised");
    assert_eq!(bench.state.episode, None);
    assert!(bench.took().contains(&Transition::T7));
    let refused = bench.run(limit("-1")).expect_err("below zero");
    assert!(matches!(refused, Refusal::Invalid { field: "credit_limit", .. }), "{refused}");
}

#[test]
fn a16_a_zone_begins_with_the_next_month_and_moves_what_is_due_later() {
    let mut bench = Bench::open(NOON, BillingMode::Daily);
    bench.pay("100", "p1");
    let package = bench.buy("monthly_starter", Some(APP)).expect("bought");
    assert_eq!(bench.expiry(&package.id), Some(at("2026-12-23T00:00:00Z")));
    let before = bench.state.timers.clone();
    let change = |zone: &str| {
        Command::Change(ChangeAccount { zone: Some(zone.to_owned()), ..ChangeAccount::default() })
    };
    bench.run(change("Asia/Tokyo")).expect("changed");
    let eras = bench.state.profile.as_ref().expect("open").calendar.eras();
    assert_eq!(eras.len(), 2);
    assert_eq!(eras[1].zone, "Asia/Tokyo");
    assert_eq!(bench.expiry(&package.id), Some(at("2026-12-22T15:00:00Z")));
    for (timer, due) in &before {
        if *timer != TimerKind::PackageExpiry(package.id.clone()) {
            assert_eq!(bench.state.timers.get(timer), Some(due), "{}", timer.code());
        }
    }
    let refused = bench.run(change("Nowhere/Else")).expect_err("unknown");
    assert!(matches!(refused, Refusal::Calendar(_)), "{refused}");
    let rows = bench.history.rows.len();
    bench.run(change("Asia/Tokyo")).expect("the same");
    assert_eq!(bench.history.rows.len(), rows, "nothing to write down");
}

#[test]
fn a8_minutes_before_postpaid_stay_absorbed_and_a25_billed_ones_stay_billed() {
    let mut bench = Bench::open(NOON, BillingMode::Off);
    let day = "2026-11-23";
    let switch = |billing| Command::SetBilling { billing };
    // Recording is in no package, so each minute is somebody's.
    bench.use_minutes(APP, Sku::RecordAudio, "2026-11-23T10:00:00Z", 5);
    assert_eq!(bench.shares(day, APP, Sku::RecordAudio), (0, 0, 5));
    bench.run(switch(BillingMode::Daily)).expect("on");
    bench.use_minutes(APP, Sku::RecordAudio, "2026-11-23T11:00:00Z", 3);
    assert_eq!(bench.shares(day, APP, Sku::RecordAudio), (0, 3, 5));
    let debt = Command::Adjust { amount: money("-1"), reason: "manual debit".to_owned() };
    bench.run(debt).expect("in debt");
    bench.run(switch(BillingMode::Off)).expect("allowed while in debt (A25)");
    bench.use_minutes(APP, Sku::RecordAudio, "2026-11-23T11:30:00Z", 2);
    assert_eq!(bench.shares(day, APP, Sku::RecordAudio), (0, 3, 7));
    let rows = bench.history.rows.len();
    bench.run(switch(BillingMode::Off)).expect("the same");
    assert_eq!(bench.history.rows.len(), rows, "nothing to write down");
}

#[test]
fn t10_postpaid_brings_an_unfunded_application_back() {
    let mut bench = Bench::open(NOON, BillingMode::Off);
    bench.use_minutes(APP, Sku::Audio, "2026-11-23T10:00:00Z", 10_000);
    assert!(bench.took().contains(&Transition::T9));
    assert!(!bench.state.holds.is_empty(), "free minutes are used");
    bench.run(Command::SetBilling { billing: BillingMode::Monthly }).expect("on");
    assert!(bench.state.holds.is_empty(), "{:?}", bench.state.holds);
    assert!(bench.took().contains(&Transition::T10));
    bench.run(Command::SetBilling { billing: BillingMode::Off }).expect("off");
    assert!(bench.took().contains(&Transition::T9), "checked when postpaid goes");
    let scopes = bench.state.holds.values().filter(|hold| hold.scope.covers(OTHER_APP)).count();
    assert_eq!(scopes, 1);
}

#[test]
fn p22_only_a_sandbox_clock_moves_and_only_forward_in_bounded_steps() {
    let (wall, day) = (at(NOON), 24);
    let hours = jiff::SignedDuration::from_hours;
    let to = |to| Command::MoveClock { to, wall };
    let live = Bench::open(NOON, BillingMode::Daily);
    let refused = by(&live, ActorRole::Customer, &to(wall + hours(day)));
    assert_eq!(refused.expect_err("live"), Refusal::NotSandbox);

    let bench = sandbox();
    for wrong in [wall - hours(1), wall + CLOCK_STEP_MAX + hours(1)] {
        let refused = by(&bench, ActorRole::Customer, &to(wrong)).expect_err("out of bounds");
        let now = wall;
        assert_eq!(refused, Refusal::Clock { now, to: wrong, most: CLOCK_STEP_MAX });
    }
    let (state, _) = by(&bench, ActorRole::Customer, &to(wall + hours(day))).expect("moved");
    assert_eq!(state.head.clock_offset_us, 24 * 3_600_000_000);
    let ahead = Bench { state, now: wall + hours(day), ..bench };
    let refused = by(&ahead, ActorRole::Customer, &to(wall + hours(day - 1)));
    assert!(matches!(refused, Err(Refusal::Clock { .. })), "the offset only grows");
    let (state, again) = by(&ahead, ActorRole::Customer, &to(wall + hours(day))).expect("no move");
    assert!(again.changes.is_empty());
    assert_eq!(state.head.clock_offset_us, 24 * 3_600_000_000);
    let (state, _) = by(&ahead, ActorRole::Customer, &to(wall + hours(day) + CLOCK_STEP_MAX))
        .expect("the longest step");
    assert_eq!(state.head.clock_offset_us, 401 * 24 * 3_600_000_000);
}
