//! Civil time of one account: its days, its months, and when their bills are due.
//!
//! Days and months are half open, follow the account's time zone and tile time without gap or overlap,
//! also where clocks change and where the account moves to another zone (policy A16, property P9).
//!
//! Not here: the clock (`now` is an argument) and deadlines of 24 hours or 60 days, which are absolute.

mod error;
mod month;
#[cfg(test)]
mod tests;
mod windows;

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};

use crate::money::excerpt;

pub use error::CalendarError;
pub use month::{YearMonth, add_months_clamped, monthly_valid_until};
pub use windows::{
    DAILY_CLOSE_HOUR, DAILY_LATEST_HOUR, MONTHLY_CLOSE_HOUR, MONTHLY_LATEST_DAY,
    MONTHLY_LATEST_HOUR, SPREAD_S_MAX, spread_s,
};

/// The most zones an account can have had; a change takes effect monthly, so this is more than ten years
/// of changing each month.
pub const ERAS_MAX: usize = 128;
/// The longest name of a zone, in bytes; the longest in use has 32.
pub const ZONE_LEN_MAX: usize = 64;
/// The days that an instant can lie in, given the date on the wall: that one and its two neighbours.
const DAYS_PER_DATE_MAX: u32 = 3;

fn out_of_range(what: &impl ToString) -> CalendarError {
    CalendarError::OutOfRange { what: what.to_string() }
}

/// A stretch of months in one zone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Era {
    /// Its IANA time zone.
    pub zone: String,
    /// Its first month; `None`: since ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<YearMonth>,
}

/// An account's civil time: its zone, and the zones it had before (policy A16).
///
/// In JSON `{"eras": [{"zone": "UTC"}, {"zone": "Europe/Berlin", "from": "2026-12"}]}`.
/// Reading one back checks the order of its eras but not that the zones are known, so that an account can be
/// loaded where the zone database lacks one; its questions are then answered by
/// [`CalendarError::UnknownZone`].
///
/// A day lasts from one midnight, or the time that takes its place where clocks skip it, to the next: 23 or
/// 25 hours where clocks change, none at all where a zone skips a date.
/// An era begins at the instant at which the month before it ends in the zone before it.
/// Its first day begins then too, whatever the clocks of the new zone say, and so may be longer or shorter;
/// days that are over in the new zone by then have no length.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Eras", into = "Eras")]
pub struct Calendar {
    /// The zone that holds since ever.
    first: String,
    /// Later zones with their first months, in order.
    later: Vec<(YearMonth, String)>,
}

/// A calendar as it is stored.
#[derive(Serialize, Deserialize)]
struct Eras {
    eras: Vec<Era>,
}

/// The era of a date or an instant, as far as it is needed.
struct InEra {
    zone: TimeZone,
    /// The first day and the instant it begins at; `None`: since ever.
    begins: Option<(Date, Timestamp)>,
}

impl Calendar {
    /// The civil time of an account that has been in `zone` since ever.
    ///
    /// Names are found whatever their case and kept as the database writes them.
    ///
    /// # Errors
    /// [`CalendarError::UnknownZone`].
    pub fn new(zone: &str) -> Result<Self, CalendarError> {
        Ok(Self { first: known_name(zone)?, later: Vec::new() })
    }

    /// The calendar of these eras: the first since ever, each later one from a later month.
    ///
    /// # Errors
    /// [`CalendarError::Eras`] and [`CalendarError::TooManyEras`]; zones are not looked up.
    pub fn from_eras(eras: Vec<Era>) -> Result<Self, CalendarError> {
        let problem = |problem| Err(CalendarError::Eras { problem });
        if eras.len() > ERAS_MAX {
            return Err(CalendarError::TooManyEras);
        }
        if eras.iter().any(|era| era.zone.is_empty() || era.zone.len() > ZONE_LEN_MAX) {
            return problem("the name of a zone is empty or too long");
        }
        let mut eras = eras.into_iter();
        let first = match eras.next() {
            None => return problem("there are none"),
            Some(Era { from: Some(_), .. }) => return problem("the first has a first month"),
            Some(Era { zone, from: None }) => zone,
        };
        let mut later: Vec<(YearMonth, String)> = Vec::new();
        for era in eras {
            let Some(from) = era.from else {
                return problem("a later one has no first month");
            };
            if later.last().is_some_and(|(before, _)| *before >= from) {
                return problem("their first months do not rise");
            }
            later.push((from, era.zone));
        }
        Ok(Self { first, later })
    }

    /// The zones and their first months, in order; never empty.
    pub fn eras(&self) -> Vec<Era> {
        let first = Era { zone: self.first.clone(), from: None };
        let later =
            self.later.iter().map(|(from, zone)| Era { zone: zone.clone(), from: Some(*from) });
        std::iter::once(first).chain(later).collect()
    }

    /// The calendar after a change of zone at `now`: it takes effect with the next civil month (policy A16),
    /// in place of a change that has not taken effect yet. Nothing before that month moves.
    ///
    /// # Errors
    /// [`CalendarError::UnknownZone`], [`CalendarError::TooManyEras`], [`CalendarError::OutOfRange`].
    pub fn change_zone(&self, zone: &str, now: Timestamp) -> Result<Self, CalendarError> {
        let name = known_name(zone)?;
        let from = self.month_of(now)?.next()?;
        let mut after = self.clone();
        after.later.retain(|(begun, _)| *begun < from);
        let current = after.later.last().map_or(&after.first, |(_, zone)| zone);
        if *current != name {
            after.later.push((from, name));
        }
        // The one since ever counts too.
        if after.later.len() >= ERAS_MAX { Err(CalendarError::TooManyEras) } else { Ok(after) }
    }

    /// The zone that holds on a day; it is frozen into the day's bill (policy A16).
    pub fn zone_of(&self, day: Date) -> &str {
        let month = YearMonth::of(day);
        let era = self.later.iter().rev().find(|(from, _)| *from <= month);
        era.map_or(&self.first, |(_, zone)| zone)
    }

    /// The instant at which a day begins. For a day without length it is where the next one begins.
    ///
    /// # Errors
    /// [`CalendarError::OutOfRange`] and [`CalendarError::UnknownZone`].
    pub fn day_start(&self, day: Date) -> Result<Timestamp, CalendarError> {
        let month = YearMonth::of(day);
        let eras = self.later.iter().take_while(|(from, _)| *from <= month).count();
        self.era(eras)?.day_start(day)
    }

    /// The instant at which a day ends: where the next one begins.
    ///
    /// # Errors
    /// [`CalendarError::OutOfRange`] and [`CalendarError::UnknownZone`].
    pub fn day_end(&self, day: Date) -> Result<Timestamp, CalendarError> {
        self.day_start(tomorrow(day)?)
    }

    /// The one day that an instant lies in.
    ///
    /// # Errors
    /// [`CalendarError::OutOfRange`] and [`CalendarError::UnknownZone`].
    pub fn day_of(&self, at: Timestamp) -> Result<Date, CalendarError> {
        let era = self.era_at(at)?;
        // Usually it is the date on the wall. Where midnight comes twice, or the first day of an era was
        // stretched or cut, it is a neighbour: the last day of the era that has begun by then.
        let wall = era.zone.to_datetime(at).date();
        let mut day = wall.tomorrow().unwrap_or(wall);
        for _ in 0..DAYS_PER_DATE_MAX {
            if let Some((first, _)) = era.begins
                && day <= first
            {
                return Ok(first);
            }
            // A day that would begin beyond the last instant there is has not begun either.
            if era.day_start(day).is_ok_and(|start| start <= at) {
                return Ok(day);
            }
            day = day.yesterday().map_err(|_| out_of_range(&at))?;
        }
        Err(out_of_range(&at))
    }

    /// The instant at which a month begins.
    ///
    /// # Errors
    /// [`CalendarError::OutOfRange`] and [`CalendarError::UnknownZone`].
    pub fn month_start(&self, month: YearMonth) -> Result<Timestamp, CalendarError> {
        self.day_start(month.first_day())
    }

    /// The instant at which a month ends: where the next one begins.
    ///
    /// # Errors
    /// [`CalendarError::OutOfRange`] and [`CalendarError::UnknownZone`].
    pub fn month_end(&self, month: YearMonth) -> Result<Timestamp, CalendarError> {
        self.month_start(month.next()?)
    }

    /// The one month that an instant lies in.
    ///
    /// # Errors
    /// [`CalendarError::OutOfRange`] and [`CalendarError::UnknownZone`].
    pub fn month_of(&self, at: Timestamp) -> Result<YearMonth, CalendarError> {
        self.day_of(at).map(YearMonth::of)
    }

    /// The instant of a full hour, 0 to 23, of a day.
    ///
    /// An hour that the clocks skip is the same time after they began; of one that comes twice it is the
    /// first. Never outside the day: on a day that was cut by a change of zone, the nearest moment in it.
    ///
    /// # Errors
    /// [`CalendarError::Hour`], [`CalendarError::OutOfRange`], [`CalendarError::UnknownZone`].
    pub fn at(&self, day: Date, hour: i8) -> Result<Timestamp, CalendarError> {
        let (start, end) = (self.day_start(day)?, self.day_end(day)?);
        Ok(civil(zone(self.zone_of(day))?, day, hour)?.clamp(start, end))
    }

    /// The era with this number: 0 is the one since ever.
    fn era(&self, number: usize) -> Result<InEra, CalendarError> {
        let mut eras = self.later.iter().take(number).rev();
        let Some((from, name)) = eras.next() else {
            return Ok(InEra { zone: zone(&self.first)?, begins: None });
        };
        let first = from.first_day();
        let name_before = eras.next().map_or(&self.first, |(_, name)| name);
        // The era before is a month long or more, so where it began itself does not matter here.
        let begins = civil(zone(name_before)?, first, 0)?;
        Ok(InEra { zone: zone(name)?, begins: Some((first, begins)) })
    }

    fn era_at(&self, at: Timestamp) -> Result<InEra, CalendarError> {
        for index in (1..=self.later.len()).rev() {
            let era = self.era(index)?;
            if era.begins.is_some_and(|(_, begins)| begins <= at) {
                return Ok(era);
            }
        }
        self.era(0)
    }
}

impl InEra {
    /// Where a day of this era begins.
    fn day_start(&self, day: Date) -> Result<Timestamp, CalendarError> {
        match self.begins {
            Some((first, begins)) if day == first => Ok(begins),
            Some((_, begins)) => Ok(civil(self.zone.clone(), day, 0)?.max(begins)),
            None => civil(self.zone.clone(), day, 0),
        }
    }
}

impl TryFrom<Eras> for Calendar {
    type Error = CalendarError;

    fn try_from(stored: Eras) -> Result<Self, CalendarError> {
        Self::from_eras(stored.eras)
    }
}

impl From<Calendar> for Eras {
    fn from(calendar: Calendar) -> Self {
        Self { eras: calendar.eras() }
    }
}

fn zone(name: &str) -> Result<TimeZone, CalendarError> {
    let unknown = || CalendarError::UnknownZone { zone: excerpt(name) };
    if name.is_empty() || name.len() > ZONE_LEN_MAX {
        return Err(unknown());
    }
    let zone = TimeZone::get(name).map_err(|_| unknown())?;
    // The library knows a name for "no zone is known", which is none to keep accounts in.
    if zone.is_unknown() { Err(unknown()) } else { Ok(zone) }
}

/// The zone's name as the database writes it.
fn known_name(name: &str) -> Result<String, CalendarError> {
    let zone = zone(name)?;
    zone.iana_name()
        .map(str::to_owned)
        .ok_or_else(|| CalendarError::UnknownZone { zone: excerpt(name) })
}

fn tomorrow(day: Date) -> Result<Date, CalendarError> {
    day.tomorrow().map_err(|_| out_of_range(&day))
}

/// The instant of a full hour of a date in a zone, whatever era it is in; hours that clocks skip or repeat
/// as [`Calendar::at`] says.
fn civil(zone: TimeZone, day: Date, hour: i8) -> Result<Timestamp, CalendarError> {
    if !(0..=23).contains(&hour) {
        return Err(CalendarError::Hour { hour });
    }
    let moment = day.at(hour, 0, 0, 0).to_zoned(zone);
    moment.map(|moment| moment.timestamp()).map_err(|_| out_of_range(&day))
}
