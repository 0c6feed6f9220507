//! The proleptic Gregorian calendar. Our own, since the reference's years reach far beyond 9999, where those of
//! `jiff` and its like end.

/// Seconds of a day.
pub(super) const DAY: i64 = 86_400;

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub(super) const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// A date and a time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Civil {
    pub(super) year: i64,
    /// From 1.
    pub(super) month: i64,
    /// From 1.
    pub(super) day: i64,
    pub(super) hour: i64,
    pub(super) minute: i64,
    pub(super) second: i64,
    /// From 0, Sunday.
    pub(super) weekday: i64,
    /// From 1.
    pub(super) year_day: i64,
}

pub(super) fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// How many days of a year lie before a month.
pub(super) fn days_before(month: i64, year: i64) -> i64 {
    const BEFORE: [i64; 13] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];
    let month = usize::try_from(month - 1).unwrap_or(0).min(12);
    BEFORE[month] + i64::from(month > 1 && is_leap(year))
}

pub(super) fn days_in(month: i64, year: i64) -> i64 {
    days_before(month + 1, year) - days_before(month, year)
}

/// Days since 1970-01-01 of the first of January.
fn days_until(year: i64) -> i64 {
    let before = year - 1;
    before * 365 + before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400) - 719_162
}

impl Civil {
    /// What a clock in UTC shows.
    pub(super) fn of(seconds: i64) -> Self {
        let (days, rest) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
        // The mean length of a year is near enough to be off by one at most.
        let mut year = 1970 + i64::try_from(i128::from(days) * 400 / 146_097).unwrap_or(0);
        while days_until(year) > days {
            year -= 1;
        }
        while days_until(year + 1) <= days {
            year += 1;
        }
        let year_day = days - days_until(year);
        let month = (1..=12).rev().find(|month| days_before(*month, year) <= year_day).unwrap_or(1);
        Self {
            year,
            month,
            day: year_day - days_before(month, year) + 1,
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: rest % 60,
            weekday: (days + 4).rem_euclid(7),
            year_day: year_day + 1,
        }
    }
}

/// Seconds since 1970 of a date and time in UTC. Numbers outside their range carry over, as in Go.
pub(super) fn seconds(year: i64, month: i64, day: i64, (hour, minute, second): (i64, i64, i64)) -> i64 {
    let (carry, month) = ((month - 1).div_euclid(12), (month - 1).rem_euclid(12) + 1);
    // Nothing the calendar functions are given is near the bounds of 64 bits after this.
    let year = year.saturating_add(carry).clamp(-200_000_000_000, 200_000_000_000);
    let days = (days_until(year) + days_before(month, year)).saturating_add(day - 1);
    let time = hour * 3600 + minute * 60 + second;
    days.saturating_mul(DAY).saturating_add(time)
}
