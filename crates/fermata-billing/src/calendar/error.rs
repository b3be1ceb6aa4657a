//! What can be wrong with a zone, a date or a calendar.

use super::ERAS_MAX;

/// Why a zone, a date or a calendar was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CalendarError {
    /// The zone database does not have it.
    #[error("{zone:?} is no IANA time zone; a name such as \"Europe/Berlin\" is allowed")]
    UnknownZone {
        /// What was given, cut short.
        zone: String,
    },
    /// One more change would pass [`ERAS_MAX`].
    #[error("the account has changed its time zone too often; at most {ERAS_MAX} are allowed")]
    TooManyEras,
    /// The eras are not those of a calendar.
    #[error("these eras are no calendar: {problem}")]
    Eras {
        /// What is wrong with them.
        problem: &'static str,
    },
    /// Not written as a month.
    #[error("{value:?} is no month; one written such as \"2026-11\" is allowed")]
    Month {
        /// What was given, cut short.
        value: String,
    },
    /// No hour of a day.
    #[error("{hour} is no hour of a day; 0 to 23 are allowed")]
    Hour {
        /// What was given.
        hour: i8,
    },
    /// Before the first or after the last moment that can be reckoned with.
    #[error("{what} is beyond the calendar, which ends with the year 9999")]
    OutOfRange {
        /// The date, month or instant.
        what: String,
    },
}
