//! The history of one world, drawn from one seed before anything runs.
//!
//! Events say what people, nodes and providers try, at which moment. What they mean in the state the world is
//! in by then (which package, which hold) is found when they happen, so that any event can be left out and the
//! rest still makes sense; shrinking depends on that.

use fermata_billing::state::BillingMode;
use fermata_types::Sku;
use jiff::{SignedDuration, Timestamp};

use crate::Fallible;
use crate::coverage::CrashPoint;
use crate::options::{Options, Polling};
use crate::rng::Dice;
use crate::terms::{PARTNERS, SKUS, TYPES, VARIANTS, ZONES};
use crate::text;

/// Nodes of the media plane.
pub(crate) const NODES: usize = 3;

/// One event.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    /// Wall time.
    pub(crate) at: Timestamp,
    /// Whose, where it is an account's.
    pub(crate) account: usize,
    pub(crate) what: What,
    /// What goes wrong with it.
    pub(crate) crash: Option<CrashPoint>,
}

/// What somebody tries.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum What {
    /// Somebody enters a room; windows follow, with a fate of their own by `dice`.
    Stay {
        node: usize,
        app: usize,
        sku: Sku,
        seconds: i64,
        dice: u64,
    },
    /// Seconds that are reported as they are, `ago` seconds after their use (sandbox).
    Report {
        app: usize,
        sku: Sku,
        seconds: i64,
        ago: i64,
    },
    Pay {
        cents: i64,
        number: u32,
    },
    /// Exactly what is owed, if anything is.
    PayDebt {
        number: u32,
    },
    /// The same at the very moment at which suspension is due (A19).
    PayAtDeadline {
        number: u32,
    },
    Chargeback {
        number: u32,
    },
    Buy {
        kind: usize,
        app: usize,
    },
    Refund {
        pick: usize,
    },
    SetBilling(BillingMode),
    CreateApp {
        app: usize,
    },
    Disable {
        app: usize,
    },
    Enable {
        app: usize,
    },
    Propose,
    Approve {
        same: bool,
    },
    DropHold {
        pick: usize,
    },
    Freeze,
    Admin {
        app: Option<usize>,
    },
    Closure,
    OpenTicket,
    ConfirmTicket,
    CancelTicket,
    Voucher {
        cents: i64,
        hours: i64,
    },
    CreditNote {
        pick: usize,
        percent: i64,
    },
    Adjust {
        cents: i64,
    },
    CreditLimit {
        cents: i64,
    },
    Exempt(bool),
    Zone(usize),
    Subscribe {
        cents: i64,
    },
    Dismiss,
    /// The sandbox clock.
    Clock {
        hours: i64,
    },
    /// New terms of a partner.
    Terms {
        partner: usize,
        variant: usize,
    },
    /// The sweep of reclamation is switched.
    Sweep(bool),
    /// Timers are looked at.
    Poll,
    /// A node says how far it has reported.
    Heartbeat {
        node: usize,
    },
    /// A node loses what it has not sent yet.
    TornTail {
        node: usize,
    },
}

/// Who an account is.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) opens: Timestamp,
    pub(crate) zone: usize,
    pub(crate) billing: BillingMode,
    pub(crate) sandbox: bool,
    pub(crate) partner: Option<usize>,
    pub(crate) limit_cents: i64,
    pub(crate) apps: usize,
}

/// A world before it begins.
#[derive(Debug, Clone)]
pub(crate) struct History {
    pub(crate) seed: u64,
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) people: Vec<Person>,
    /// By moment.
    pub(crate) events: Vec<Event>,
}

const MODES: &[BillingMode] = &[BillingMode::Daily, BillingMode::Monthly, BillingMode::Off];
const DAY_S: i64 = 86_400;

fn after(at: Timestamp, seconds: i64) -> Fallible<Timestamp> {
    at.saturating_add(SignedDuration::from_secs(seconds)).map_err(text)
}

/// Draws a history.
pub(crate) fn draw(seed: u64, options: &Options) -> Fallible<History> {
    let mut dice = Dice::new(seed);
    let epoch = Timestamp::from_second(1_767_225_600).map_err(text)?;
    let start = after(epoch, dice.between(0, 365) * DAY_S + dice.between(0, DAY_S))?;
    let length = i64::from(options.days) * DAY_S;
    let end = after(start, length)?;
    let mut history = History { seed, start, end, people: Vec::new(), events: Vec::new() };
    for account in 0..options.accounts {
        let person = person(&mut dice, options, start)?;
        acts(&mut dice, options, &mut history, account, &person)?;
        stays(&mut dice, options, &mut history, account, &person)?;
        history.people.push(person);
    }
    world(&mut dice, options, &mut history)?;
    history.events.sort_by_key(|event| event.at);
    Ok(history)
}

fn person(dice: &mut Dice, options: &Options, start: Timestamp) -> Fallible<Person> {
    let sandbox = !options.ungated && dice.permille(options.sandbox_permille);
    let partner =
        (!sandbox && dice.permille(options.partner_permille)).then(|| dice.below(PARTNERS));
    let limit = dice.permille(300);
    Ok(Person {
        opens: after(start, dice.between(0, 3 * DAY_S))?,
        zone: dice.below(ZONES.len()),
        billing: dice.pick(MODES).unwrap_or(BillingMode::Daily),
        sandbox,
        partner,
        limit_cents: if limit { dice.between(100, 3_000) } else { 0 },
        apps: 1 + dice.below(3),
    })
}

fn acts(
    dice: &mut Dice,
    options: &Options,
    history: &mut History,
    account: usize,
    person: &Person,
) -> Fallible<()> {
    let span = history.end.duration_since(person.opens).as_secs();
    let count = i64::from(options.acts_per_ten_days) * i64::from(options.days) / 10;
    // Some pay often, some hardly ever.
    let pays = dice.pick(&[20_u32, 250, 450]).unwrap_or(250);
    let wild = dice.permille(400);
    let mut number = 0;
    for _ in 0..count {
        let at = after(person.opens, dice.between(60, span))?;
        let what = if dice.permille(pays) {
            pay(dice, &mut number)
        } else if options.ungated {
            ungated(dice, &mut number)
        } else {
            act(dice, person, wild, &mut number)
        };
        let crash = crash(dice, options, &what);
        history.events.push(Event { at, account, what, crash });
    }
    if person.sandbox {
        for _ in 0..options.days / 6 {
            let at = after(person.opens, dice.between(60, span))?;
            let hours =
                if dice.permille(100) { dice.between(200, 1_600) } else { dice.between(0, 60) };
            history.events.push(Event { at, account, what: What::Clock { hours }, crash: None });
        }
    }
    Ok(())
}

fn crash(dice: &mut Dice, options: &Options, what: &What) -> Option<CrashPoint> {
    if !dice.permille(options.crash_permille) {
        return None;
    }
    let points: &[CrashPoint] = match what {
        What::Pay { .. } => {
            &[CrashPoint::BeforeCommit, CrashPoint::AfterCommit, CrashPoint::PaymentTwice]
        }
        What::Poll => &[
            CrashPoint::BeforeCommit,
            CrashPoint::BetweenTimers,
            CrashPoint::TwoControllers,
            CrashPoint::AfterDelivery,
        ],
        _ => &[CrashPoint::BeforeCommit, CrashPoint::AfterCommit],
    };
    dice.pick(points)
}

fn pay(dice: &mut Dice, number: &mut u32) -> What {
    *number += 1;
    if dice.permille(300) {
        let number = *number;
        return if number % 5 < 2 {
            What::PayAtDeadline { number }
        } else {
            What::PayDebt { number }
        };
    }
    // Now and then a reference that was used before.
    let number = if dice.permille(80) { *number / 2 } else { *number };
    What::Pay { cents: dice.between(1, 4_000), number }
}

fn ungated(dice: &mut Dice, number: &mut u32) -> What {
    match dice.below(4) {
        0 => What::Adjust { cents: dice.between(-1_500, 500) },
        1 => What::Voucher { cents: dice.between(1, 900), hours: dice.between(1, 900) },
        2 => What::CreditLimit { cents: dice.between(0, 2_000) },
        _ => What::Chargeback {
            number: u32::try_from(dice.below(1 + *number as usize)).unwrap_or(0),
        },
    }
}

fn act(dice: &mut Dice, person: &Person, wild: bool, number: &mut u32) -> What {
    let apps = person.apps;
    let which = dice.below(if wild { 130 } else { 100 });
    match which {
        0..18 => What::Buy { kind: dice.below(TYPES.len()), app: dice.below(apps) },
        18..23 => What::Refund { pick: dice.below(8) },
        23..31 => What::SetBilling(dice.pick(MODES).unwrap_or(BillingMode::Daily)),
        31..36 => What::Voucher { cents: dice.between(1, 900), hours: dice.between(1, 900) },
        36..40 => What::CreditNote { pick: dice.below(6), percent: dice.between(1, 130) },
        40..46 => What::Adjust { cents: dice.between(-1_800, 700) },
        46..50 => What::CreditLimit { cents: dice.between(0, 2_000) },
        50..56 => {
            let count = usize::try_from(*number).unwrap_or(0);
            What::Chargeback { number: u32::try_from(dice.below(count + 1)).unwrap_or(0) }
        }
        56..62 => What::Disable { app: dice.below(apps + 1) },
        62..70 => What::Enable { app: dice.below(apps + 1) },
        70..73 => What::CreateApp { app: dice.below(5) },
        73..76 => What::Zone(dice.below(ZONES.len())),
        76..79 => What::Subscribe { cents: dice.between(-300, 1_500) },
        79..82 => What::Dismiss,
        82..86 => What::Admin { app: dice.permille(500).then(|| dice.below(apps)) },
        91..94 => What::Freeze,
        94..100 => report(dice, apps),
        100..102 => What::Propose,
        102..105 => What::Approve { same: dice.permille(200) },
        105..107 => What::Closure,
        107..110 => What::OpenTicket,
        110..115 => What::ConfirmTicket,
        115..118 => What::CancelTicket,
        118..120 => What::Exempt(dice.permille(300)),
        // 86 to 90 among them, so that also tame customers see holds dropped.
        _ => What::DropHold { pick: dice.below(8) },
    }
}

fn report(dice: &mut Dice, apps: usize) -> What {
    let ago = match dice.below(12) {
        // In the future, a little and too far.
        0 => -dice.between(0, 240),
        1 => -dice.between(301, 3_000),
        // Too late.
        2 => dice.between(37 * DAY_S, 60 * DAY_S),
        3..6 => dice.between(0, 36 * DAY_S),
        6..9 => dice.between(0, 3 * DAY_S),
        _ => dice.between(0, DAY_S / 2),
    };
    let app = if dice.permille(50) { 9 } else { dice.below(apps) };
    let sku = dice.pick(SKUS).unwrap_or(Sku::Audio);
    What::Report { app, sku, seconds: corrected(dice.between(1, 20_000)), ago }
}

/// Now and then a report takes back what an earlier one, or none, has said.
fn corrected(seconds: i64) -> i64 {
    if seconds % 13 == 5 { -seconds / 2 } else { seconds }
}

fn stays(
    dice: &mut Dice,
    options: &Options,
    history: &mut History,
    account: usize,
    person: &Person,
) -> Fallible<()> {
    let span = history.end.duration_since(person.opens).as_secs();
    let rate = dice.between(1, 2 * i64::from(options.stays_per_ten_days));
    for _ in 0..rate * i64::from(options.days) / 10 {
        let at = after(person.opens, dice.between(60, span))?;
        let app = dice.below(person.apps);
        let sku = dice.pick(SKUS).unwrap_or(Sku::Audio);
        let most = if dice.permille(100) { 20_000 } else { 3_600 };
        let seconds = dice.between(1, most);
        let what = if person.sandbox {
            let seconds = corrected(seconds);
            What::Report { app, sku, seconds, ago: dice.between(0, 3_600) }
        } else {
            What::Stay { node: dice.below(NODES), app, sku, seconds, dice: dice.seed() }
        };
        let crash = crash(dice, options, &What::Dismiss);
        history.events.push(Event { at, account, what, crash });
    }
    Ok(())
}

/// What belongs to no account: looks at timers, heartbeats, new terms.
fn world(dice: &mut Dice, options: &Options, history: &mut History) -> Fallible<()> {
    let mut push = |at, what, crash| history.events.push(Event { at, account: 0, what, crash });
    let (start, end) = (history.start, history.end);
    let mut at = start;
    while at < end {
        if options.polling == Polling::Random {
            let point = crash(dice, options, &What::Poll);
            push(at, What::Poll, point);
        }
        let outage = dice.permille(options.outage_permille);
        let pause = if outage {
            dice.between(60, options.outage_max_hours * 3_600)
        } else {
            dice.between(1, options.poll_max_minutes * 60)
        };
        at = after(at, pause)?;
    }
    for node in 0..NODES {
        let mut at = after(start, 1)?;
        while at < end {
            push(at, What::Heartbeat { node }, None);
            let silent = dice.permille(15);
            let pause =
                if silent { dice.between(3_600, 2 * DAY_S) } else { dice.between(600, 6 * 3_600) };
            at = after(at, pause)?;
            if dice.permille(10) {
                push(at, What::TornTail { node }, None);
            }
        }
    }
    for _ in 0..options.days / 20 {
        let at = after(start, dice.between(0, i64::from(options.days) * DAY_S))?;
        let (partner, variant) = (dice.below(PARTNERS - 1), dice.below(VARIANTS));
        if !options.ungated {
            push(at, What::Terms { partner, variant }, None);
        }
        if dice.permille(200) {
            push(at, What::Sweep(dice.permille(600)), None);
        }
    }
    push(end, What::Poll, None);
    Ok(())
}
