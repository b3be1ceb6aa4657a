//! Seconds by day, and who pays for their minutes: a minute at a time, in the published order.

use fermata_billing::catalog::Catalog;
use fermata_billing::command::UsageDelta;
use fermata_billing::limits::{FUTURE_MAX, LATE_WINDOW};
use fermata_billing::money::Price;
use fermata_billing::state::{BillingMode, DayKey};
use fermata_types::{SdkAppId, Sku};

use super::{Line, Oracle, When, plus};
use crate::{Fallible, text};

/// Use of one application and SKU on one day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Use {
    pub(crate) seconds: i64,
    /// Units that were burnt, by package.
    pub(crate) burnt: Vec<(usize, i64)>,
    pub(crate) covered: u64,
    pub(crate) billed: u64,
    pub(crate) absorbed: u64,
    stays_billed: u64,
    stays_absorbed: u64,
    pub(crate) version: u32,
}

impl Use {
    pub(crate) fn minutes(&self) -> u64 {
        u64::try_from(self.seconds).unwrap_or(0).div_ceil(60)
    }

    pub(crate) fn charged(&self) -> u64 {
        self.covered + self.billed + self.absorbed
    }
}

/// What became of a report.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reported {
    pub(crate) open: bool,
    pub(crate) late: bool,
    pub(crate) aside: bool,
}

impl Oracle {
    /// Are minutes that no package covers paid in money?
    fn pays(&self) -> bool {
        self.billing != BillingMode::Off || self.policy.unfunded_billed
    }

    /// Seconds are reported (T1, T25, T26).
    pub(crate) fn report(
        &mut self,
        catalog: &Catalog,
        deltas: &[UsageDelta],
        when: When,
    ) -> Fallible<Reported> {
        let mut reported = Reported::default();
        let mut late: Vec<((jiff::civil::Date, Sku, SdkAppId), i64)> = Vec::new();
        for delta in deltas.iter().filter(|delta| delta.seconds != 0) {
            let day = self.calendar.day_of(delta.at).map_err(text)?;
            let end = self.calendar.day_end(day).map_err(text)?;
            let key = DayKey { day, app: delta.app, sku: delta.sku };
            let unknown = !self.apps.contains(&delta.app);
            let future = delta.at > plus(when.applied, FUTURE_MAX);
            let too_late = day < self.open_day && when.applied >= plus(end, LATE_WINDOW);
            if unknown || future || day < self.opened_day || too_late {
                reported.aside = true;
                self.aside += delta.seconds;
            } else if day >= self.open_day {
                reported.open = true;
                self.used(catalog, key)?.seconds += delta.seconds;
            } else {
                reported.late = true;
                late.push(((day, delta.sku, delta.app), delta.seconds));
            }
        }
        late.sort_by_key(|(order, _)| *order);
        let mut sums: Vec<((jiff::civil::Date, Sku, SdkAppId), i64)> = Vec::new();
        for (order, seconds) in late {
            match sums.last_mut() {
                Some((known, sum)) if *known == order => *sum += seconds,
                _ => sums.push((order, seconds)),
            }
        }
        for ((day, sku, app), seconds) in sums {
            self.late(catalog, DayKey { day, app, sku }, seconds)?;
        }
        if reported.open || reported.late {
            self.allocate(catalog)?;
            self.check_funding(when)?;
            self.wake(when)?;
        }
        Ok(reported)
    }

    fn used(&mut self, catalog: &Catalog, key: DayKey) -> Fallible<&mut Use> {
        let start = self.calendar.day_start(key.day).map_err(text)?;
        let version = catalog.version_at(start).map_err(text)?.version;
        Ok(self.uses.entry(key).or_insert_with(|| Use { version, ..Use::default() }))
    }

    /// Shares the minutes of all open days out, from the first day on, by SKU and application.
    pub(crate) fn allocate(&mut self, catalog: &Catalog) -> Fallible<()> {
        let order = self.burning_order();
        for pack in &mut self.packs {
            pack.left = pack.settled;
        }
        let pays = self.pays();
        let open = self.uses.range(Self::from_day(self.open_day)..);
        let mut keys: Vec<DayKey> = open.map(|(key, _)| *key).collect();
        keys.sort_by_key(|key| (key.day, key.sku, key.app));
        for key in keys {
            let Some(mut used) = self.uses.remove(&key) else { continue };
            let minutes = used.minutes();
            if !pays {
                used.stays_billed = used.stays_billed.max(used.billed);
            }
            used.absorbed = used.stays_absorbed.min(minutes);
            used.billed = used.stays_billed.min(minutes - used.absorbed);
            used.covered = 0;
            used.burnt.clear();
            for _ in used.absorbed + used.billed..minutes {
                let burnt = self.burn_minute(catalog, &order, key, false)?;
                match burnt {
                    Some((pack, units)) => {
                        used.covered += 1;
                        note(&mut used.burnt, pack, units);
                    }
                    None if pays => used.billed += 1,
                    None => used.absorbed += 1,
                }
            }
            self.uses.insert(key, used);
        }
        Ok(())
    }

    /// What nobody paid for until now stays so, whatever comes.
    pub(crate) fn settle_absorbed(&mut self) {
        for (_, used) in self.uses.range_mut(Self::from_day(self.open_day)..) {
            used.stays_absorbed = used.stays_absorbed.max(used.absorbed);
        }
    }

    /// Minutes of a closed day (T25): only what is beyond what was charged is charged, now.
    fn late(&mut self, catalog: &Catalog, key: DayKey, seconds: i64) -> Fallible<()> {
        let order = self.burning_order();
        for pack in &mut self.packs {
            pack.left = pack.settled;
        }
        let pays = self.pays();
        let mut used = self.used(catalog, key)?.clone();
        used.seconds += seconds;
        let fresh = used.minutes().saturating_sub(used.charged());
        let mut line = Line { version: used.version, ..Line::default() };
        for _ in 0..fresh {
            line.minutes += 1;
            match self.burn_minute(catalog, &order, key, true)? {
                Some((pack, units)) => {
                    line.covered += 1;
                    note(&mut used.burnt, pack, units);
                }
                None if pays => line.billed += 1,
                None => line.absorbed += 1,
            }
        }
        for pack in &mut self.packs {
            pack.settled = pack.left;
        }
        used.covered += line.covered;
        used.billed += line.billed;
        used.absorbed += line.absorbed;
        self.absorbed_cost -= self
            .price(catalog, used.version, key.sku)?
            .charge(line.absorbed, self.currency)
            .map_err(text)?
            .micros();
        self.uses.insert(key, used);
        if fresh > 0 {
            let waiting = self.pending.entry((key, true)).or_default();
            waiting.version = line.version;
            waiting.minutes += line.minutes;
            waiting.covered += line.covered;
            waiting.billed += line.billed;
            waiting.absorbed += line.absorbed;
        }
        Ok(())
    }

    pub(crate) fn price(&self, catalog: &Catalog, version: u32, sku: Sku) -> Fallible<Price> {
        let version = catalog.version(version).ok_or("no such version")?;
        version.price(self.currency, sku).map_err(text)
    }
}

fn note(burnt: &mut Vec<(usize, i64)>, pack: usize, units: i64) {
    match burnt.iter_mut().find(|(known, _)| *known == pack) {
        Some((_, sum)) => *sum += units,
        None => burnt.push((pack, units)),
    }
}
