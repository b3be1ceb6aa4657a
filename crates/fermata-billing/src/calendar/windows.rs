//! When the bills of days and months are made (policy S4, S5, A17).
//!
//! A window is civil time in the zone of the day or month that it bills, also when the account has moved
//! since: that zone is frozen into the bill (policy A16), and so no window moves when a zone changes.

use jiff::{SignedDuration, Timestamp, civil::Date};

use super::{Calendar, CalendarError, YearMonth, civil, out_of_range, tomorrow, zone};

/// The hour of the next day from which a day's bill can be made (policy S4).
pub const DAILY_CLOSE_HOUR: i8 = 8;
/// The hour of the next day by which a day's bill is made (policy S4).
pub const DAILY_LATEST_HOUR: i8 = 12;
/// The hour of the 1st of the next month after which a month's bill can be made (policy S5).
pub const MONTHLY_CLOSE_HOUR: i8 = 12;
/// The day of the next month by which a month's bill is made (policy S5).
pub const MONTHLY_LATEST_DAY: i8 = 3;
/// The hour of that day by which a month's bill is made: an hour before it ends.
pub const MONTHLY_LATEST_HOUR: i8 = 23;
/// Seconds by which accounts are spread over the daily window: three hours and a half of its four, so that
/// half an hour is left to wait for nodes (policy A17).
pub const SPREAD_S_MAX: u32 = 12_600;

/// Seconds after the start of the monthly window that its first account has, so that the last daily bill of
/// the month, due at that very hour, is always made before.
const MONTHLY_FIRST_S: u32 = 60;
/// Seconds over which accounts are spread in the monthly window: up to 11:59 of the 3rd.
const MONTHLY_SPREAD_S: u32 = 2 * 86_400 - 2 * MONTHLY_FIRST_S;

/// An account's place in bill windows: 0 to [`SPREAD_S_MAX`] - 1 seconds, the same for ever (policy A17).
///
/// FNV-1a, 64 bits, of the id; not meant to withstand anyone who chooses ids.
pub fn spread_s(account_id: &str) -> u32 {
    let hash = account_id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    u32::try_from(hash % u64::from(SPREAD_S_MAX)).unwrap_or(0)
}

impl Calendar {
    /// When the bill of `day` is due: at 08:00 of the next civil day plus the account's spread, which is
    /// cut to [`SPREAD_S_MAX`] (policy S4, A17). Always after the day has ended.
    ///
    /// # Errors
    /// [`CalendarError::OutOfRange`] and [`CalendarError::UnknownZone`].
    pub fn daily_close(&self, day: Date, account_spread: u32) -> Result<Timestamp, CalendarError> {
        let opens = civil(zone(self.zone_of(day))?, tomorrow(day)?, DAILY_CLOSE_HOUR)?;
        let due = later(opens, account_spread.min(SPREAD_S_MAX))?;
        // Where clocks jump in mid-morning the window is shorter.
        Ok(due.min(self.daily_latest(day)?))
    }

    /// When the bill of `day` is made at the latest, with what is there: at 12:00 of the next civil day
    /// (policy S4, A17).
    ///
    /// # Errors
    /// [`CalendarError::OutOfRange`] and [`CalendarError::UnknownZone`].
    pub fn daily_latest(&self, day: Date) -> Result<Timestamp, CalendarError> {
        civil(zone(self.zone_of(day))?, tomorrow(day)?, DAILY_LATEST_HOUR)
    }

    /// When the bill of `month` is due: from 12:01 on the 1st to 11:59 on the 3rd of the next month, by the
    /// account's spread (policy S5). Always after the last daily bill of the month.
    ///
    /// # Errors
    /// [`CalendarError::OutOfRange`] and [`CalendarError::UnknownZone`].
    pub fn monthly_close(
        &self,
        month: YearMonth,
        account_spread: u32,
    ) -> Result<Timestamp, CalendarError> {
        let zone = zone(self.zone_of(month.first_day()))?;
        let opens = civil(zone, month.next()?.first_day(), MONTHLY_CLOSE_HOUR)?;
        let spread = u64::from(account_spread.min(SPREAD_S_MAX));
        let scaled = spread * u64::from(MONTHLY_SPREAD_S) / u64::from(SPREAD_S_MAX);
        let seconds = u32::try_from(scaled).unwrap_or(MONTHLY_SPREAD_S);
        Ok(later(opens, seconds + MONTHLY_FIRST_S)?.min(self.monthly_latest(month)?))
    }

    /// When the bill of `month` is made at the latest: at 23:00 on the 3rd of the next month (policy S5).
    ///
    /// # Errors
    /// [`CalendarError::OutOfRange`] and [`CalendarError::UnknownZone`].
    pub fn monthly_latest(&self, month: YearMonth) -> Result<Timestamp, CalendarError> {
        let next = month.next()?;
        let day = Date::new(next.year(), next.month(), MONTHLY_LATEST_DAY);
        let day = day.map_err(|_| out_of_range(&next))?;
        civil(zone(self.zone_of(month.first_day()))?, day, MONTHLY_LATEST_HOUR)
    }
}

fn later(moment: Timestamp, seconds: u32) -> Result<Timestamp, CalendarError> {
    moment.checked_add(SignedDuration::from_secs(seconds.into())).map_err(|_| out_of_range(&moment))
}
