//! Money: payments, vouchers, corrections, and the bills of days and months.

use fermata_billing::calendar::YearMonth;
use fermata_billing::catalog::Catalog;
use fermata_billing::limits::CLOSE_RETRY;
use fermata_billing::notice::NoticeKind;
use fermata_billing::state::{BillingMode, DayKey};
use jiff::{Timestamp, civil::Date};

use super::{Oracle, Stage, When, plus};
use crate::{Fallible, text};

/// Money with an end.
#[derive(Debug, Clone)]
pub(crate) struct Voucher {
    pub(crate) left: i64,
    pub(crate) expires: Timestamp,
}

/// Minutes of a closed day that wait for a bill, or stand on one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) minutes: u64,
    pub(crate) covered: u64,
    pub(crate) billed: u64,
    pub(crate) absorbed: u64,
    pub(crate) version: u32,
}

/// A bill.
#[derive(Debug, Clone)]
pub(crate) struct Bill {
    pub(crate) from: Date,
    pub(crate) to: Date,
    pub(crate) month: Option<YearMonth>,
    pub(crate) issued: Timestamp,
    pub(crate) lines: Vec<((DayKey, bool), Line, i64)>,
    pub(crate) total: i64,
    pub(crate) credited: i64,
}

impl Oracle {
    /// Cash and vouchers and credit (A4), micro-units.
    pub(crate) fn available(&self) -> i64 {
        self.cash + self.vouchers_left() + self.limit
    }

    pub(crate) fn vouchers_left(&self) -> i64 {
        self.vouchers.iter().map(|voucher| voucher.left).sum()
    }

    /// The customer's money moves.
    pub(super) fn moved(&mut self, cash: i64, applied: Timestamp, now: Timestamp) {
        self.cash += cash;
        self.judge(applied, now);
    }

    /// A debit: vouchers first, the one that ends first before others.
    pub(super) fn take(&mut self, amount: i64, when: When) {
        let mut rest = amount;
        let mut order: Vec<usize> = (0..self.vouchers.len()).collect();
        order.sort_by_key(|number| self.vouchers.get(*number).map(|one| (one.expires, *number)));
        for number in order {
            if let Some(voucher) = self.vouchers.get_mut(number) {
                let part = voucher.left.min(rest);
                voucher.left -= part;
                rest -= part;
            }
        }
        if amount != 0 {
            self.moved(-rest, when.applied, when.now);
        }
    }

    /// Answers whether it is accepted.
    pub(crate) fn pay(
        &mut self,
        amount: i64,
        reference: &str,
        elsewhere: bool,
        when: When,
    ) -> bool {
        if let Some((known, _)) = self.payments.get(reference) {
            return *known == amount;
        }
        if elsewhere {
            return false;
        }
        self.payments.insert(reference.to_owned(), (amount, false));
        self.received += amount;
        self.moved(amount, when.applied, when.now);
        true
    }

    pub(crate) fn reverse(&mut self, reference: &str, when: When) -> bool {
        match self.payments.get_mut(reference) {
            None => false,
            Some((_, true)) => true,
            Some((amount, reversed)) => {
                *reversed = true;
                let amount = *amount;
                self.received -= amount;
                self.tell(NoticeKind::PaymentReversed);
                self.moved(-amount, when.applied, when.now);
                true
            }
        }
    }

    pub(crate) fn voucher(&mut self, amount: i64, expires: Timestamp, when: When) -> bool {
        if expires <= when.now {
            return false;
        }
        self.vouchers.push(Voucher { left: amount, expires });
        self.absorbed_cost -= amount;
        self.judge(when.applied, when.now);
        true
    }

    pub(super) fn voucher_ends(&mut self, number: usize, when: When) {
        if let Some(voucher) = self.vouchers.get_mut(number) {
            let left = std::mem::take(&mut voucher.left);
            self.absorbed_cost += left;
            self.judge(when.applied, when.now);
        }
    }

    pub(crate) fn adjust(&mut self, amount: i64, when: When) -> bool {
        self.absorbed_cost -= amount;
        self.moved(amount, when.applied, when.now);
        true
    }

    pub(crate) fn credit_note(&mut self, number: usize, amount: i64, when: When) -> bool {
        let Some(bill) = self.bills.get_mut(number) else { return false };
        if amount <= 0 || bill.credited + amount > bill.total {
            return false;
        }
        bill.credited += amount;
        self.moved(amount, when.applied, when.now);
        true
    }

    pub(crate) fn set_limit(&mut self, limit: i64, when: When) -> bool {
        if limit != self.limit {
            self.limit = limit;
            self.judge(when.applied, when.now);
        }
        true
    }

    pub(crate) fn set_billing(
        &mut self,
        catalog: &Catalog,
        billing: BillingMode,
        when: When,
    ) -> Fallible<bool> {
        let old = self.billing;
        if old == billing {
            return Ok(true);
        }
        self.settle_absorbed();
        self.billing = billing;
        self.allocate(catalog)?;
        if old == BillingMode::Off {
            self.lift_unfunded(when.now)?;
        } else if billing == BillingMode::Off {
            self.check_funding(when)?;
        }
        Ok(true)
    }

    pub(crate) fn change_zone(&mut self, zone: &str, now: Timestamp) -> Fallible<bool> {
        let calendar = self.calendar.change_zone(zone, now).map_err(text)?;
        if calendar != self.calendar {
            self.calendar = calendar;
            self.days_moved(now)?;
            self.expect_closings(now)?;
        }
        Ok(true)
    }

    /// When the first open day and month are to be closed; never before now, never earlier than it was.
    pub(super) fn expect_closings(&mut self, now: Timestamp) -> Fallible<()> {
        let cleared = matches!(self.stage, Stage::Cleared { .. });
        if cleared && !self.owes() {
            return Ok(());
        }
        let day = self.calendar.daily_close(self.open_day, self.spread).map_err(text)?.max(now);
        self.close_due = Some(self.close_due.map_or(day, |known| known.max(day)));
        if !cleared || self.billing == BillingMode::Monthly {
            let month = self.calendar.monthly_close(self.open_month, self.spread);
            let month = month.map_err(text)?.max(now);
            self.month_due = Some(self.month_due.map_or(month, |known| known.max(month)));
        }
        Ok(())
    }

    /// Something used that no bill has shown.
    pub(super) fn owes(&self) -> bool {
        !self.pending.is_empty()
            || self.uses.range(Self::from_day(self.open_day)..).next().is_some()
    }

    /// Use after the clearing is billed all the same (A18).
    pub(super) fn wake(&mut self, when: When) -> Fallible<()> {
        if self.irreversible() { self.expect_closings(when.now) } else { Ok(()) }
    }

    pub(super) fn close_day(&mut self, catalog: &Catalog, when: When) -> Fallible<()> {
        let day = self.open_day;
        self.close_due = None;
        let end = self.calendar.day_end(day).map_err(text)?;
        let latest = self.calendar.daily_latest(day).map_err(text)?;
        if when.applied < latest && when.watermark < end {
            self.close_due = Some(plus(when.applied, CLOSE_RETRY).min(latest));
            return Ok(());
        }
        let next = day.tomorrow().map_err(text)?;
        let closing: Vec<DayKey> = self
            .uses
            .range(Self::from_day(day)..Self::from_day(next))
            .map(|(key, _)| *key)
            .collect();
        let mut cost = 0;
        for key in closing {
            let Some(used) = self.uses.get(&key) else { continue };
            for (number, units) in &used.burnt {
                if let Some(pack) = self.packs.get_mut(*number) {
                    pack.settled -= units;
                }
            }
            let line = Line {
                minutes: used.minutes(),
                covered: used.covered,
                billed: used.billed,
                absorbed: used.absorbed,
                version: used.version,
            };
            let price = self.price(catalog, used.version, key.sku)?;
            cost += price.charge(used.absorbed, self.currency).map_err(text)?.micros();
            if line.minutes > 0 {
                self.pending.insert((key, false), line);
            }
        }
        self.absorbed_cost -= cost;
        self.open_day = next;
        if self.billing != BillingMode::Monthly {
            let from = self.unbilled_from.min(day);
            self.unbilled_from = next;
            self.issue(catalog, (from, day, None), |_| true, when)?;
        }
        self.expect_closings(when.now)
    }

    pub(super) fn close_month(&mut self, catalog: &Catalog, when: When) -> Fallible<()> {
        let month = self.open_month;
        let last = month.last_day();
        self.month_due = None;
        if self.open_day <= last {
            // A cleared account that closes no days waits for none either.
            self.month_due = self.close_due.map(|_| plus(when.applied, CLOSE_RETRY));
            return Ok(());
        }
        self.open_month = month.next().map_err(text)?;
        if self.billing == BillingMode::Monthly && self.unbilled_from <= last {
            let from = self.unbilled_from;
            self.unbilled_from = self.open_month.first_day();
            let ready = |key: &(DayKey, bool)| key.1 || key.0.day <= last;
            self.issue(catalog, (from, last, Some(month)), ready, when)?;
        }
        self.expect_closings(when.now)
    }

    fn issue(
        &mut self,
        catalog: &Catalog,
        (from, to, month): (Date, Date, Option<YearMonth>),
        ready: impl Fn(&(DayKey, bool)) -> bool,
        when: When,
    ) -> Fallible<()> {
        let keys: Vec<_> = self.pending.keys().copied().filter(ready).collect();
        if keys.is_empty() {
            return Ok(());
        }
        let mut lines = Vec::new();
        let mut total = 0;
        for key in keys {
            let Some(line) = self.pending.remove(&key) else { continue };
            let price = self.price(catalog, line.version, key.0.sku)?;
            let amount = price.charge(line.billed, self.currency).map_err(text)?.micros();
            total += amount;
            lines.push((key, line, amount));
        }
        self.tell(NoticeKind::BillReady);
        self.bills.push(Bill { from, to, month, issued: when.applied, lines, total, credited: 0 });
        self.take(total, when);
        Ok(())
    }
}
