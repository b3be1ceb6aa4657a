//! Packages: granted, bought, given back, ended, forfeited; and which pays for a minute.

use fermata_billing::calendar::{YearMonth, add_months_clamped, monthly_valid_until};
use fermata_billing::catalog::{Catalog, PackageKind, PackageScope, PackageType, Validity};
use fermata_billing::hold::HoldKind;
use fermata_billing::limits::CLOSE_RETRY;
use fermata_billing::money::{Money, Price};
use fermata_billing::state::DayKey;
use fermata_types::SdkAppId;
use jiff::{SignedDuration, Span, Timestamp, civil::Date};

use super::{Oracle, When, plus};
use crate::{Fallible, text};

/// Where a package stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PackStatus {
    /// Bought or granted; its days may be over.
    Valid,
    Refunded,
    Forfeited,
}

/// One package.
#[derive(Debug, Clone)]
pub(crate) struct Pack {
    pub(crate) code: String,
    pub(crate) version: u32,
    pub(crate) free: bool,
    pub(crate) of_app: bool,
    pub(crate) app: Option<SdkAppId>,
    pub(crate) from: Date,
    pub(crate) until: Date,
    pub(crate) end: Timestamp,
    pub(crate) priority: i32,
    pub(crate) created: Timestamp,
    pub(crate) price: i64,
    /// Thousandths of minutes.
    pub(crate) units: i64,
    /// After all closed days.
    pub(crate) settled: i64,
    /// After the open days too.
    pub(crate) left: i64,
    pub(crate) status: PackStatus,
    /// When its applications are looked at next: at its end, and until its last day has closed.
    pub(crate) look: Timestamp,
    /// Its last day has closed and what was left expired.
    pub(crate) ended: bool,
}

impl Pack {
    fn pays_for(&self, app: SdkAppId) -> bool {
        self.app.is_none_or(|own| own == app)
    }

    fn has_day(&self, day: Date) -> bool {
        self.from <= day && day <= self.until
    }
}

impl Oracle {
    /// Numbers of packages in the published order: free; of an application; ends earlier; priority; older.
    pub(super) fn burning_order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.packs.len()).collect();
        order.retain(|number| {
            self.packs
                .get(*number)
                .is_some_and(|pack| pack.settled > 0 && pack.status != PackStatus::Refunded)
        });
        order.sort_by_key(|number| {
            let pack = self.packs.get(*number);
            pack.map(|pack| {
                (!pack.free, !pack.of_app, pack.end, pack.priority, pack.created, *number)
            })
        });
        order
    }

    /// Takes one minute from the first package that has something left for it; the last minute takes what there is.
    pub(super) fn burn_minute(
        &mut self,
        catalog: &Catalog,
        order: &[usize],
        key: DayKey,
        late: bool,
    ) -> Fallible<Option<(usize, i64)>> {
        for number in order {
            let Some(pack) = self.packs.get_mut(*number) else { continue };
            let forfeited = late && pack.status == PackStatus::Forfeited;
            if pack.left <= 0 || forfeited || !pack.has_day(key.day) || !pack.pays_for(key.app) {
                continue;
            }
            let version = catalog.version(pack.version).ok_or("no such version")?;
            let kind = version.package_types.get(&pack.code).ok_or("no such type")?;
            let Some(ratio) = kind.ratio(key.sku) else { continue };
            let units = i64::from(ratio.thousandths()).min(pack.left);
            pack.left -= units;
            return Ok(Some((*number, units)));
        }
        Ok(None)
    }

    fn add(
        &mut self,
        kind: &PackageType,
        version: u32,
        app: Option<SdkAppId>,
        price: i64,
        days: (Date, Date),
        now: Timestamp,
    ) -> Fallible<()> {
        let units = kind.units.thousandths();
        let end = self.calendar.day_end(days.1).map_err(text)?;
        self.packs.push(Pack {
            code: kind.code.clone(),
            version,
            free: kind.kind == PackageKind::Free,
            of_app: kind.scope == PackageScope::App,
            app,
            from: days.0,
            until: days.1,
            end,
            look: end,
            priority: kind.priority,
            created: now,
            price,
            units,
            settled: units,
            left: units,
            status: PackStatus::Valid,
            ended: false,
        });
        Ok(())
    }

    /// The free minutes of a month (S16, T11).
    pub(super) fn grant(
        &mut self,
        catalog: &Catalog,
        month: YearMonth,
        now: Timestamp,
    ) -> Fallible<()> {
        if self.irreversible() {
            return Ok(());
        }
        let next = month.next().map_err(text)?;
        self.next_grant = Some((next, self.calendar.month_start(next).map_err(text)?));
        let violation = self.has_hold(HoldKind::Violation);
        if violation || self.free_month.is_some_and(|granted| granted >= month) {
            return Ok(());
        }
        self.settle_absorbed();
        let version = catalog.version_at(now).map_err(text)?;
        let days = (month.first_day().max(self.opened_day), month.last_day());
        let kinds: Vec<&PackageType> = version.free_types().collect();
        for kind in kinds {
            self.add(kind, version.version, None, 0, days, now)?;
        }
        self.free_month = Some(month);
        self.allocate(catalog)?;
        if self.policy.free_renewal_reopens {
            self.lift_unfunded(now)?;
        }
        Ok(())
    }

    /// May it be bought now? Answers whether it was.
    pub(crate) fn buy(
        &mut self,
        catalog: &Catalog,
        code: &str,
        app: Option<SdkAppId>,
        when: When,
    ) -> Fallible<bool> {
        let (version, kind) = catalog.package_type(when.now, code).map_err(text)?;
        let today = self.today(when.now)?;
        let scope_fits = match kind.scope {
            PackageScope::Account => app.is_none(),
            PackageScope::App => app.is_some_and(|app| self.apps.contains(&app)),
        };
        let price = kind.price(self.currency).map_err(text)?.micros();
        let another = |pack: &Pack| {
            pack.code == code
                && pack.app == app
                && pack.status == PackStatus::Valid
                && pack.left > 0
                && pack.has_day(today)
        };
        let stacks = kind.stackable || !self.packs.iter().any(another);
        if !self.may_buy() || !scope_fits || self.available() < price || !stacks {
            return Ok(false);
        }
        let until = match kind.validity {
            Validity::CalendarMonth => YearMonth::of(today).last_day(),
            Validity::Month => monthly_valid_until(today).map_err(text)?,
            Validity::Years(years) => {
                let months = i32::try_from(years * 12).map_err(text)?;
                add_months_clamped(today, months).map_err(text)?.yesterday().map_err(text)?
            }
            Validity::Days(days) => {
                today.checked_add(Span::new().days(i64::from(days) - 1)).map_err(text)?
            }
        };
        self.settle_absorbed();
        self.add(kind, version, app, price, (today, until), when.now)?;
        self.take(price, when);
        self.allocate(catalog)?;
        self.lift_unfunded(when.now)?;
        Ok(true)
    }

    /// May it be given back now? Answers what came back.
    pub(crate) fn refund(
        &mut self,
        catalog: &Catalog,
        created: Timestamp,
        when: When,
    ) -> Fallible<Option<i64>> {
        let Some(number) = self.packs.iter().position(|pack| pack.created == created) else {
            return Ok(None);
        };
        let today = self.today(when.now)?;
        let irreversible = self.irreversible();
        let currency = self.currency;
        let Some(pack) = self.packs.get_mut(number) else { return Ok(None) };
        let version = catalog.version(pack.version).ok_or("no such version")?;
        let kind = version.package_types.get(&pack.code).ok_or("no such type")?;
        let days = i64::from(kind.refundable_days);
        let in_time =
            when.now.duration_since(pack.created) <= SignedDuration::from_hours(24 * days);
        let monthly = kind.kind == PackageKind::Monthly && days > 0;
        let unused = pack.status == PackStatus::Valid && pack.left == pack.units;
        if irreversible || !monthly || !in_time || !unused {
            return Ok(None);
        }
        let count = |from: Date, to: Date| to.since(from).map(|span| span.get_days()).map_err(text);
        let all = count(pack.from, pack.until)? + 1;
        let rest = count(today, pack.until)?.clamp(0, all);
        let price = Price::new(Money::from_micros(pack.price), u32::try_from(all).map_err(text)?);
        let back = price.map_err(text)?.charge(u64::try_from(rest).map_err(text)?, currency);
        let back = back.map_err(text)?.micros();
        (pack.settled, pack.left, pack.status) = (0, 0, PackStatus::Refunded);
        self.settle_absorbed();
        self.moved(back, when.applied, when.now);
        self.allocate(catalog)?;
        self.check_funding(when)?;
        Ok(Some(back))
    }

    /// The last day of a package is over: what it paid for needs something else (T9).
    pub(super) fn pack_ends(&mut self, number: usize, when: When) -> Fallible<()> {
        let (open_day, spread) = (self.open_day, self.spread);
        if let Some(pack) = self.packs.get_mut(number) {
            if open_day > pack.until || pack.settled == 0 {
                pack.ended = true;
            } else {
                let close = self.calendar.daily_close(pack.until, spread).map_err(text)?;
                let close = plus(close, SignedDuration::from_secs(1));
                let later = plus(when.applied, CLOSE_RETRY);
                pack.look = if close > when.now { close } else { later };
            }
        }
        self.check_funding(when)
    }

    /// Everything that is left is lost (T21); what the open days burnt stays burnt.
    pub(super) fn forfeit(&mut self) {
        for pack in self.packs.iter_mut().filter(|pack| pack.status == PackStatus::Valid) {
            // What had expired before is not there to be forfeited.
            if !pack.ended {
                pack.settled -= pack.left;
                pack.left = 0;
                pack.status = PackStatus::Forfeited;
            }
        }
    }

    /// Does something free, or something bought, pay for minutes of the application today?
    pub(super) fn covered(&self, app: SdkAppId, today: Date, free: bool) -> bool {
        let pays = |pack: &&Pack| {
            pack.free == free
                && pack.status == PackStatus::Valid
                && pack.left > 0
                && pack.has_day(today)
        };
        self.packs.iter().filter(pays).any(|pack| pack.pays_for(app))
    }

    /// The ends of days may have moved with a zone.
    pub(super) fn days_moved(&mut self, now: Timestamp) -> Fallible<()> {
        for pack in self.packs.iter_mut().filter(|pack| !pack.ended) {
            pack.end = self.calendar.day_end(pack.until).map_err(text)?;
            if pack.end > now {
                pack.look = pack.end;
            }
        }
        if let Some((month, _)) = self.next_grant {
            self.next_grant = Some((month, self.calendar.month_start(month).map_err(text)?));
        }
        Ok(())
    }
}
