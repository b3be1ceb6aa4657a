//! The oracle's account next to the real one: the first fact that differs, in words.

use std::collections::{BTreeMap, BTreeSet};

use fermata_billing::hold::{HoldKind, Scope};
use fermata_billing::journal::{Bill, JournalRow, LedgerAccount, Record};
use fermata_billing::notice::{NoticeKey, NoticeKind};
use fermata_billing::state::{DayKey, PackageStatus, Reclaim, State};
use jiff::{SignedDuration, Timestamp};

use crate::Fallible;
use crate::check::balance;
use crate::oracle::{Oracle, PackStatus, Stage};

fn same<T: PartialEq + std::fmt::Debug>(what: &str, real: &T, truth: &T) -> Fallible<()> {
    if real == truth {
        Ok(())
    } else {
        Err(format!("{what}: it is {real:?}, it should be {truth:?}"))
    }
}

type HoldRow = (HoldKind, Scope, Timestamp, Timestamp, bool);

/// Compares everything that the working set says.
pub(crate) fn state(oracle: &Oracle, state: &State) -> Fallible<()> {
    same("the customer's money", &balance(state, &LedgerAccount::Customer), &oracle.cash)?;
    same("vouchers", &balance(state, &LedgerAccount::Vouchers), &oracle.vouchers_left())?;
    same("received payments", &-balance(state, &LedgerAccount::CashClearing), &oracle.received)?;
    same("absorbed cost", &balance(state, &LedgerAccount::AbsorbedCost), &oracle.absorbed_cost)?;
    let since = state.episode.map(|episode| episode.since);
    same("arrears since", &since, &oracle.episode.as_ref().map(|episode| episode.since))?;
    let mut real: Vec<HoldRow> = state
        .holds
        .values()
        .map(|hold| (hold.kind, hold.scope, hold.since, hold.applied_at, hold.proposed))
        .collect();
    let mut truth: Vec<HoldRow> = oracle
        .holds
        .iter()
        .map(|hold| (hold.kind, hold.scope, hold.since, hold.applied, hold.proposed))
        .collect();
    real.sort();
    truth.sort();
    same("holds", &real, &truth)?;
    stage(oracle, state)?;
    let profile = state.profile.as_ref().ok_or("there is no profile")?;
    same("the open day", &profile.open_day, &oracle.open_day)?;
    same("the open month", &profile.open_month, &oracle.open_month)?;
    same("the first day on no bill", &profile.unbilled_from, &oracle.unbilled_from)?;
    days(oracle, state)?;
    packages(oracle, state)
}

fn stage(oracle: &Oracle, state: &State) -> Fallible<()> {
    let real = match state.reclaim {
        Reclaim::None | Reclaim::Due { .. } => Stage::None,
        Reclaim::Clearing { step, since } => Stage::Clearing { step, since },
        Reclaim::Cleared { at } => Stage::Cleared { at },
    };
    same("the stage of reclamation", &real, &oracle.stage)?;
    let due = match state.reclaim {
        Reclaim::Due { at } => Some(at),
        _ => None,
    };
    same("reclamation due", &due, &oracle.plan.as_ref().map(|plan| plan.at))
}

fn days(oracle: &Oracle, state: &State) -> Fallible<()> {
    let open = DayKey {
        day: oracle.open_day,
        app: fermata_types::SdkAppId(0),
        sku: fermata_types::Sku::Audio,
    };
    let truth = oracle.uses.range(open..);
    same("uses of open days", &state.days.len(), &truth.clone().count())?;
    for (key, used) in truth {
        let day = state.days.get(key).ok_or_else(|| format!("there is no use {key:?}"))?;
        let real = (day.seconds, day.covered(), day.billed, day.absorbed, day.catalog_version);
        let truth = (used.seconds, used.covered, used.billed, used.absorbed, used.version);
        if real != truth {
            return Err(format!(
                "seconds, covered, billed, absorbed, version of {key:?}: it is {real:?}, it should be {truth:?}"
            ));
        }
    }
    same("lines that wait", &state.pending.len(), &oracle.pending.len())?;
    for (key, line) in &state.pending {
        let truth = oracle.pending.get(&(key.key, key.late));
        let truth = truth.ok_or_else(|| format!("a line waits that should not: {key:?}"))?;
        let covered: u64 = line.burns.iter().map(|burn| burn.minutes).sum();
        let real = (line.minutes, covered, line.billed, line.absorbed);
        let truth = (truth.minutes, truth.covered, truth.billed, truth.absorbed);
        if real != truth {
            return Err(format!(
                "minutes, covered, billed, absorbed of the waiting {key:?}: it is {real:?}, it should be {truth:?}"
            ));
        }
    }
    Ok(())
}

fn packages(oracle: &Oracle, state: &State) -> Fallible<()> {
    let mut deferred = 0;
    for package in state.packages.values() {
        let found = oracle.packs.iter().find(|pack| {
            pack.created == package.created_at
                && pack.code == package.type_code
                && pack.app == package.app
        });
        let pack = found.ok_or_else(|| format!("there should be no package {}", package.id))?;
        let real = (package.from, package.until, package.settled.thousandths());
        let truth = (pack.from, pack.until, pack.settled);
        if real != truth {
            return Err(format!(
                "days and settled units of {}: it is {real:?}, it should be {truth:?}",
                package.id
            ));
        }
        if package.status == PackageStatus::Live {
            same("status", &pack.status, &PackStatus::Valid)?;
            if package.left.thousandths() != pack.left {
                return Err(format!(
                    "units left of {}: it is {:?}, it should be {}",
                    package.id, package.left, pack.left
                ));
            }
        }
        if package.status == PackageStatus::Live && pack.units > 0 {
            let used = i128::from(pack.units - pack.settled);
            let earned = i128::from(pack.price) * used / i128::from(pack.units);
            deferred += i128::from(pack.price) - earned;
        }
    }
    let reclaimed =
        state.packages.values().any(|package| package.status == PackageStatus::Reclaimed);
    if !reclaimed {
        same(
            "deferred revenue",
            &i128::from(balance(state, &LedgerAccount::DeferredRevenue)),
            &deferred,
        )?;
    }
    Ok(())
}

/// What the journal of an account has said so far.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    notices: BTreeSet<NoticeKey>,
    counts: BTreeMap<NoticeKind, u64>,
    /// When each notice was written, by kind, in order.
    pub(crate) times: BTreeMap<NoticeKind, Vec<Timestamp>>,
    low: BTreeMap<String, Timestamp>,
    pub(crate) bill_ids: Vec<fermata_billing::id::BillId>,
    bills: usize,
    episodes: usize,
    last: Option<(u64, [u8; 32])>,
    pub(crate) billed_to: Option<jiff::civil::Date>,
}

const COUNTED: &[NoticeKind] = &[
    NoticeKind::BillReady,
    NoticeKind::ArrearsReminder,
    NoticeKind::ArrearsWarning,
    NoticeKind::Suspended,
    NoticeKind::ArrearsCleared,
    NoticeKind::ReclaimNotice,
    NoticeKind::ReclaimFinal,
    NoticeKind::Cleared,
    NoticeKind::PaymentReversed,
];

impl Observed {
    /// Takes new rows in; each is held against what the oracle says must be there by now.
    pub(crate) fn rows(&mut self, oracle: &Oracle, rows: &[JournalRow]) -> Fallible<()> {
        for row in rows {
            let (seq, hash) = self.last.unwrap_or((0, [0; 32]));
            if row.seq != seq + 1 || row.prev_hash != hash {
                return Err(format!("P19: row {} does not follow row {seq}", row.seq));
            }
            self.last = Some((row.seq, row.hash));
            match &row.record {
                Record::Notice(notice) => self.notice(&notice.key, row.created_at)?,
                Record::Bill(bill) => self.bill(oracle, bill)?,
                Record::Audit(audit) if audit.action == "arrears_began" => {
                    let began = oracle.episodes.get(self.episodes).copied();
                    same("the begin of an episode", &Some(row.created_at), &began)?;
                    self.episodes += 1;
                }
                // A subscription that is made anew counts anew.
                Record::Audit(audit) if audit.action == "subscribed" => self.low.clear(),
                _ => {}
            }
        }
        same("the number of bills", &self.bills, &oracle.bills.len())?;
        same("the number of episodes", &self.episodes, &oracle.episodes.len())?;
        for kind in COUNTED {
            let real = self.counts.get(kind).copied().unwrap_or(0);
            let truth = oracle.told.get(kind).copied().unwrap_or(0);
            same(&format!("how many notices of the kind {}", kind.code()), &real, &truth)?;
        }
        Ok(())
    }

    fn notice(&mut self, key: &NoticeKey, at: Timestamp) -> Fallible<()> {
        if !self.notices.insert(key.clone()) {
            return Err(format!("I11: the notice {} was sent twice", key.text()));
        }
        *self.counts.entry(key.kind).or_default() += 1;
        self.times.entry(key.kind).or_default().push(at);
        if key.kind == NoticeKind::BalanceLow {
            let name = key.of.split('/').next().unwrap_or_default().to_owned();
            let sent: Timestamp =
                key.of.split('/').nth(1).unwrap_or_default().parse().unwrap_or(at);
            let last = self.low.insert(name, sent);
            if last.is_some_and(|last| sent.duration_since(last) < SignedDuration::from_hours(24)) {
                return Err(format!("I11: two balance alerts within a day: {}", key.text()));
            }
        }
        Ok(())
    }

    fn bill(&mut self, oracle: &Oracle, bill: &Bill) -> Fallible<()> {
        let truth = oracle.bills.get(self.bills);
        let truth = truth
            .ok_or_else(|| format!("there should be no bill {} of {}", bill.id, bill.to_day))?;
        self.bills += 1;
        self.bill_ids.push(bill.id.clone());
        same(
            "the period of a bill",
            &(bill.from_day, bill.to_day, bill.month),
            &(truth.from, truth.to, truth.month),
        )?;
        same("when a bill was issued", &bill.issued_at, &truth.issued)?;
        let mut real: Vec<_> = bill
            .lines
            .iter()
            .map(|line| {
                let covered: u64 = line.covered.iter().map(|burn| burn.minutes).sum();
                let minutes = (line.minutes, covered, line.billed, line.absorbed);
                ((line.key, line.late), minutes, line.catalog_version, line.amount.micros())
            })
            .collect();
        real.sort();
        let truth_lines: Vec<_> = truth
            .lines
            .iter()
            .map(|(key, line, amount)| {
                let minutes = (line.minutes, line.covered, line.billed, line.absorbed);
                (*key, minutes, line.version, *amount)
            })
            .collect();
        same("the lines of a bill", &real, &truth_lines)?;
        same("the total of a bill", &bill.total.micros(), &truth.total)?;
        if self.billed_to.is_some_and(|last| bill.from_day <= last) {
            return Err(format!("P9: the bill of {} begins within the one before", bill.from_day));
        }
        self.billed_to = Some(bill.to_day);
        Ok(())
    }
}

/// At the end: the episodes follow from every debit and credit alone; late lines and closed days agree (P17).
pub(crate) fn end(oracle: &Oracle) -> Fallible<()> {
    let mut open = false;
    let mut episodes = Vec::new();
    for (at, available) in &oracle.log {
        if !open && *available < 0 {
            episodes.push(*at);
        }
        open = *available < 0;
    }
    if !oracle.irreversible() {
        same("episodes told from the postings", &oracle.episodes, &episodes)?;
    }
    let mut billed: BTreeMap<DayKey, u64> = BTreeMap::new();
    let issued =
        oracle.bills.iter().flat_map(|bill| &bill.lines).map(|(key, line, _)| (key.0, line));
    let waiting = oracle.pending.iter().map(|(key, line)| (key.0, line));
    for (key, line) in issued.chain(waiting) {
        *billed.entry(key).or_default() += line.minutes;
    }
    for (key, used) in oracle.uses.iter().filter(|(key, _)| key.day < oracle.open_day) {
        let shown = billed.get(key).copied().unwrap_or(0);
        same("P17: minutes on bills", &shown, &used.charged().max(used.minutes()))?;
    }
    Ok(())
}
