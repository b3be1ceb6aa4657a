//! Civil months, and dates a month apart.

use std::fmt;

use jiff::{Span, civil::Date};
use serde::{Deserialize, Serialize};

use super::{CalendarError, out_of_range};
use crate::money::excerpt;

/// One civil month, such as `2026-11`, which is also how it is written in JSON.
///
/// Years run from -9999 to 9999, those of dates; only years 0 to 9999 can be written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct YearMonth(
    /// Its first day, so that no other month than a real one can be said.
    Date,
);

impl YearMonth {
    /// The month with this number, 1 to 12, of a year.
    ///
    /// # Errors
    /// [`CalendarError::Month`] if there is none.
    pub fn new(year: i16, month: i8) -> Result<Self, CalendarError> {
        let wrong = |_| CalendarError::Month { value: format!("{year:04}-{month:02}") };
        Date::new(year, month, 1).map(Self).map_err(wrong)
    }

    /// The month that a day is in.
    pub fn of(day: Date) -> Self {
        Self(day.first_of_month())
    }

    /// Reads a month written as four digits, a hyphen and two digits.
    ///
    /// # Errors
    /// [`CalendarError::Month`] if it is written otherwise or there is no such month.
    pub fn parse(text: &str) -> Result<Self, CalendarError> {
        let wrong = || CalendarError::Month { value: excerpt(text) };
        let (year, month) = text.split_once('-').ok_or_else(wrong)?;
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if year.len() != 4 || month.len() != 2 || !digits(year) || !digits(month) {
            return Err(wrong());
        }
        let year = year.parse().map_err(|_| wrong())?;
        Self::new(year, month.parse().map_err(|_| wrong())?).map_err(|_| wrong())
    }

    /// Its year.
    pub fn year(self) -> i16 {
        self.0.year()
    }

    /// Its number in the year, 1 to 12.
    pub fn month(self) -> i8 {
        self.0.month()
    }

    /// Its first day.
    pub fn first_day(self) -> Date {
        self.0
    }

    /// Its last day.
    pub fn last_day(self) -> Date {
        self.0.last_of_month()
    }

    /// The month after it.
    ///
    /// # Errors
    /// [`CalendarError::OutOfRange`] after December 9999.
    pub fn next(self) -> Result<Self, CalendarError> {
        self.last_day().tomorrow().map(Self).map_err(|_| out_of_range(&self))
    }

    /// The month before it.
    ///
    /// # Errors
    /// [`CalendarError::OutOfRange`] before the first month there is.
    pub fn previous(self) -> Result<Self, CalendarError> {
        self.0.yesterday().map(Self::of).map_err(|_| out_of_range(&self))
    }
}

impl fmt::Display for YearMonth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year(), self.month())
    }
}

impl fmt::Debug for YearMonth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for YearMonth {
    type Err = CalendarError;

    fn from_str(text: &str) -> Result<Self, CalendarError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for YearMonth {
    type Error = CalendarError;

    fn try_from(text: String) -> Result<Self, CalendarError> {
        Self::parse(&text)
    }
}

impl From<YearMonth> for String {
    fn from(month: YearMonth) -> Self {
        month.to_string()
    }
}

/// The same date `months` later (earlier if negative); where that month is shorter, its last day.
///
/// # Errors
/// [`CalendarError::OutOfRange`].
pub fn add_months_clamped(day: Date, months: i32) -> Result<Date, CalendarError> {
    let span = Span::new().try_months(months).map_err(|_| out_of_range(&day))?;
    day.checked_add(span).map_err(|_| out_of_range(&day))
}

/// The last day on which a monthly package bought on `day` is valid: the day before the same date of the
/// next month. Bought on January 31, that date is February's last day, so the day before that.
///
/// # Errors
/// [`CalendarError::OutOfRange`].
pub fn monthly_valid_until(day: Date) -> Result<Date, CalendarError> {
    add_months_clamped(day, 1)?.yesterday().map_err(|_| out_of_range(&day))
}
