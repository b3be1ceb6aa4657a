//! The truth, found another way: the facts of one account and what follows from them by the rules.
//!
//! It shares words and value types with the core (calendar, prices, ratios, the burning order's published words)
//! and none of its handlers. It stores no timers: what is due next is derived from the facts each time.
//! It burns packages a minute at a time, and keeps every debit and credit to tell the episodes from.

mod bills;
mod packages;
mod standing;
mod usage;

use std::collections::{BTreeMap, BTreeSet};

use fermata_billing::calendar::{Calendar, YearMonth, spread_s};
use fermata_billing::catalog::Catalog;
use fermata_billing::money::Currency;
use fermata_billing::notice::NoticeKind;
use fermata_billing::policy::Policy;
use fermata_billing::state::{BillingMode, DayKey};
use fermata_types::{SdkAppId, Sku};
use jiff::{SignedDuration, Timestamp, civil::Date};

pub(crate) use bills::{Bill, Line, Voucher};
pub(crate) use packages::{Pack, PackStatus};
pub(crate) use standing::{Episode, Held, Plan, Stage, Ticket};
pub(crate) use usage::Use;

use crate::{Fallible, text};

/// What may happen by itself, in the order in which it does where moments are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Grant,
    PackEnd(usize),
    VoucherEnd(usize),
    DayClose,
    MonthClose,
    Warn(u32),
    Suspend,
    ReclaimNotice(u32),
    Sweep,
    ClearStep,
}

/// When something is carried out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct When {
    /// The moment it counts from.
    pub(crate) now: Timestamp,
    /// The moment of its commit.
    pub(crate) applied: Timestamp,
    /// Before this all use is known.
    pub(crate) watermark: Timestamp,
}

/// One account.
#[derive(Debug)]
pub(crate) struct Oracle {
    pub(crate) calendar: Calendar,
    spread: u32,
    pub(crate) currency: Currency,
    pub(crate) billing: BillingMode,
    /// Micro-units.
    pub(crate) limit: i64,
    pub(crate) exempt: bool,
    pub(crate) policy: Policy,
    pub(crate) sandbox: bool,
    pub(crate) offset: SignedDuration,
    opened_day: Date,
    pub(crate) open_day: Date,
    pub(crate) open_month: YearMonth,
    pub(crate) unbilled_from: Date,
    free_month: Option<YearMonth>,
    next_grant: Option<(YearMonth, Timestamp)>,
    close_due: Option<Timestamp>,
    month_due: Option<Timestamp>,
    pub(crate) apps: BTreeSet<SdkAppId>,
    pub(crate) uses: BTreeMap<DayKey, Use>,
    /// Seconds that were set aside (T26).
    pub(crate) aside: i64,
    pub(crate) packs: Vec<Pack>,
    pub(crate) vouchers: Vec<Voucher>,
    pub(crate) pending: BTreeMap<(DayKey, bool), Line>,
    /// The customer's own money, micro-units.
    pub(crate) cash: i64,
    /// What absorbed minutes, vouchers and corrections cost the operator.
    pub(crate) absorbed_cost: i64,
    /// What providers have sent.
    pub(crate) received: i64,
    /// By reference: amount, and whether it was taken back.
    payments: BTreeMap<String, (i64, bool)>,
    pub(crate) bills: Vec<Bill>,
    /// Every change of what is available, at its commit: for the episodes, at the end.
    pub(crate) log: Vec<(Timestamp, i64)>,
    /// When each episode began.
    pub(crate) episodes: Vec<Timestamp>,
    pub(crate) episode: Option<Episode>,
    pub(crate) holds: Vec<Held>,
    pub(crate) stage: Stage,
    pub(crate) plan: Option<Plan>,
    /// Moments of clearing and days ahead that were announced.
    announced: BTreeSet<(Timestamp, u32)>,
    clear_due: Option<Timestamp>,
    pub(crate) ticket: Option<Ticket>,
    pub(crate) sweep_on: bool,
    /// How many notices of each kind must have gone out; of the kinds that the oracle counts.
    pub(crate) told: BTreeMap<NoticeKind, u64>,
}

pub(crate) fn plus(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// The moment before, as finely as moments are stored.
pub(crate) fn just_before(at: Timestamp) -> Timestamp {
    at.saturating_sub(SignedDuration::from_micros(1)).unwrap_or(at)
}

pub(crate) fn hours(count: u32) -> SignedDuration {
    SignedDuration::from_hours(i64::from(count))
}

/// How an account begins.
pub(crate) struct Opening<'a> {
    pub(crate) id: &'a str,
    pub(crate) zone: &'a str,
    pub(crate) billing: BillingMode,
    pub(crate) limit: i64,
    pub(crate) sandbox: bool,
    pub(crate) policy: Policy,
}

impl Oracle {
    pub(crate) fn open(catalog: &Catalog, terms: Opening<'_>, now: Timestamp) -> Fallible<Self> {
        let calendar = Calendar::new(terms.zone).map_err(text)?;
        let today = calendar.day_of(now).map_err(text)?;
        let month = YearMonth::of(today);
        let mut oracle = Self {
            spread: spread_s(terms.id),
            currency: Currency::USD,
            billing: terms.billing,
            limit: terms.limit,
            exempt: false,
            policy: terms.policy,
            sandbox: terms.sandbox,
            offset: SignedDuration::ZERO,
            opened_day: today,
            open_day: today,
            open_month: month,
            unbilled_from: today,
            free_month: None,
            next_grant: None,
            close_due: None,
            month_due: None,
            apps: BTreeSet::new(),
            uses: BTreeMap::new(),
            aside: 0,
            packs: Vec::new(),
            vouchers: Vec::new(),
            pending: BTreeMap::new(),
            cash: 0,
            absorbed_cost: 0,
            received: 0,
            payments: BTreeMap::new(),
            bills: Vec::new(),
            log: Vec::new(),
            episodes: Vec::new(),
            episode: None,
            holds: Vec::new(),
            stage: Stage::None,
            plan: None,
            announced: BTreeSet::new(),
            clear_due: None,
            ticket: None,
            sweep_on: true,
            told: BTreeMap::new(),
            calendar,
        };
        oracle.expect_closings(now)?;
        oracle.grant(catalog, month, now)?;
        Ok(oracle)
    }

    /// Account time at a moment of wall time.
    pub(crate) fn now(&self, wall: Timestamp) -> Timestamp {
        if self.sandbox { plus(wall, self.offset) } else { wall }
    }

    fn today(&self, now: Timestamp) -> Fallible<Date> {
        self.calendar.day_of(now).map_err(text)
    }

    pub(crate) fn tell(&mut self, kind: NoticeKind) {
        *self.told.entry(kind).or_default() += 1;
    }

    /// The first use of a day or later.
    fn from_day(day: Date) -> DayKey {
        DayKey { day, app: SdkAppId(0), sku: Sku::Audio }
    }

    /// Wall time of what is due first.
    pub(crate) fn next_wall_due(&self) -> Option<Timestamp> {
        let (due, _) = self.next()?;
        let offset = if self.sandbox { self.offset } else { SignedDuration::ZERO };
        Some(due.saturating_sub(offset).unwrap_or(due))
    }

    /// What is due first, derived from the facts.
    fn next(&self) -> Option<(Timestamp, Due)> {
        let mut first: Option<(Timestamp, Due)> = None;
        let mut offer = |at: Timestamp, due: Due| {
            if first.is_none_or(|known| (at, due) < known) {
                first = Some((at, due));
            }
        };
        if let Some((_, at)) = self.next_grant {
            offer(at, Due::Grant);
        }
        if !matches!(self.stage, Stage::Cleared { .. }) {
            for (number, pack) in self.packs.iter().enumerate().filter(|(_, pack)| !pack.ended) {
                offer(pack.look, Due::PackEnd(number));
            }
        }
        for (number, voucher) in self.vouchers.iter().enumerate() {
            if voucher.left > 0 {
                offer(voucher.expires, Due::VoucherEnd(number));
            }
        }
        if let Some(at) = self.close_due {
            offer(at, Due::DayClose);
        }
        if let Some(at) = self.month_due {
            offer(at, Due::MonthClose);
        }
        if let (Some(at), true) = (self.clear_due, self.is_clearing()) {
            offer(at, Due::ClearStep);
        }
        if !self.irreversible() {
            self.offer_standing(&mut offer);
        }
        first
    }

    /// Lives up to a moment: what is due on the way happens in order.
    pub(crate) fn catch_up(
        &mut self,
        catalog: &Catalog,
        until: Timestamp,
        jump: bool,
        wall: Timestamp,
        mark: Timestamp,
    ) -> Fallible<u64> {
        let began = self.now(wall);
        let mut count = 0;
        while let Some((due, what)) = self.next().filter(|(due, _)| *due <= until) {
            let applied = if jump { due.max(began) } else { until };
            let shift =
                if self.sandbox { applied.duration_since(wall) } else { SignedDuration::ZERO };
            let when = When { now: due, applied, watermark: plus(mark, shift) };
            self.happen(catalog, what, when)?;
            count += 1;
            if count > 100_000 {
                return Err(format!("the oracle never gets past {due}: {what:?}"));
            }
        }
        Ok(count)
    }

    fn happen(&mut self, catalog: &Catalog, what: Due, when: When) -> Fallible<()> {
        match what {
            Due::Grant => {
                if let Some((month, _)) = self.next_grant.take() {
                    self.grant(catalog, month, when.now)?;
                }
            }
            Due::PackEnd(number) => self.pack_ends(number, when)?,
            Due::VoucherEnd(number) => self.voucher_ends(number, when),
            Due::DayClose => self.close_day(catalog, when)?,
            Due::MonthClose => self.close_month(catalog, when)?,
            Due::Warn(hours) => self.warn(hours),
            Due::Suspend => self.suspend(when),
            Due::ReclaimNotice(days) => self.announce(days),
            Due::Sweep => self.sweep(when),
            Due::ClearStep => self.clear_next(when),
        }
        Ok(())
    }
}
