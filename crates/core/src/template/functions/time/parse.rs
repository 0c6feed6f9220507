//! Reads dates by a layout, as `time.Parse` does with UTC as the local zone.

use super::civil::{self, MONTHS, WEEKDAYS};
use super::layout::{self, Offset, Pad, Part};
use super::moment::Moment;
use super::zone::Zone;

/// Reads a date.
pub(super) fn parse(layout: &str, value: &str) -> Result<Moment, String> {
    let mut found = Found::default();
    found.read(layout.as_bytes(), value.as_bytes()).and_then(|()| found.moment()).ok_or_else(|| {
        // The value may come from the caller, so it is not repeated.
        "the value does not fit the layout of a date".to_owned()
    })
}

/// What was read so far.
#[derive(Default)]
struct Found {
    year: i64,
    month: Option<i64>,
    day: Option<i64>,
    year_day: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    nanos: u32,
    /// Whether it is after noon.
    afternoon: Option<bool>,
    is_utc: bool,
    offset: Option<i64>,
    zone: Option<String>,
}

impl Found {
    fn read(&mut self, mut layout: &[u8], mut value: &[u8]) -> Option<()> {
        while let Some((before, part, after)) = layout::next(layout) {
            value = skip(value, before)?;
            value = self.part(part, value, after)?;
            layout = after;
        }
        skip(value, layout)?.is_empty().then_some(())
    }

    /// Reads one part and gives what follows it. `layout` is what follows in the layout.
    fn part<'v>(&mut self, part: Part, value: &'v [u8], layout: &[u8]) -> Option<&'v [u8]> {
        let rest = match part {
            Part::ShortYear => {
                let (digits, rest) = value.split_at_checked(2)?;
                let year = signed(digits)?;
                self.year = if year >= 69 { year + 1900 } else { year + 2000 };
                rest
            }
            Part::Year => {
                let (digits, rest) = value.split_at_checked(4).filter(|(digits, _)| digits[0].is_ascii_digit())?;
                self.year = signed(digits)?;
                rest
            }
            Part::MonthName | Part::ShortMonthName => {
                let (month, rest) = name(&MONTHS, part == Part::ShortMonthName, value)?;
                self.month = Some(month + 1);
                rest
            }
            Part::Weekday | Part::ShortWeekday => name(&WEEKDAYS, part == Part::ShortWeekday, value)?.1,
            Part::Month(pad) => {
                let (month, rest) = number(value, pad, 1..=12)?;
                self.month = Some(month);
                rest
            }
            Part::Day(pad) => {
                let value = if pad == Pad::Space { value.strip_prefix(b" ").unwrap_or(value) } else { value };
                let (day, rest) = number(value, pad, 0..=99)?;
                self.day = Some(day);
                rest
            }
            Part::YearDay(pad) => {
                let spaces =
                    if pad == Pad::Space { value.iter().take(2).take_while(|byte| **byte == b' ').count() } else { 0 };
                let value = &value[spaces..];
                let digits = value.iter().take(3).take_while(|byte| byte.is_ascii_digit()).count();
                if digits == 0 || pad == Pad::Zero && digits != 3 {
                    return None;
                }
                self.year_day = Some(signed(&value[..digits])?);
                &value[digits..]
            }
            Part::Hour => {
                let (hour, rest) = number(value, Pad::None, 0..=23)?;
                self.hour = hour;
                rest
            }
            Part::Hour12(pad) => {
                let (hour, rest) = number(value, pad, 0..=12)?;
                self.hour = hour;
                rest
            }
            Part::Minute(pad) => {
                let (minute, rest) = number(value, pad, 0..=59)?;
                self.minute = minute;
                rest
            }
            Part::Second(pad) => {
                let (second, rest) = number(value, pad, 0..=59)?;
                self.second = second;
                // A fraction may follow even where the layout has none.
                match layout::next(layout) {
                    Some((_, Part::Fraction { .. }, _)) => rest,
                    _ => self.fraction(rest).unwrap_or(rest),
                }
            }
            Part::UpperNoon | Part::LowerNoon => {
                let (noon, rest) = value.split_at_checked(2)?;
                self.afternoon = Some(match (part, noon) {
                    (Part::UpperNoon, b"PM") | (Part::LowerNoon, b"pm") => true,
                    (Part::UpperNoon, b"AM") | (Part::LowerNoon, b"am") => false,
                    _ => return None,
                });
                rest
            }
            Part::Offset(form) => match value {
                [b'Z', rest @ ..] if form.z => {
                    self.is_utc = true;
                    rest
                }
                _ => {
                    let (written, rest) = value.split_at_checked(form.length())?;
                    self.offset = Some(offset(written, form)?);
                    rest
                }
            },
            Part::ZoneName => match value.strip_prefix(b"UTC") {
                Some(rest) => {
                    self.is_utc = true;
                    rest
                }
                None => {
                    let (zone, rest) = value.split_at_checked(zone_length(value)?)?;
                    self.zone = Some(String::from_utf8_lossy(zone).into_owned());
                    rest
                }
            },
            Part::Fraction { digits, trims: false, .. } => {
                let (fraction, rest) = value.split_at_checked(1 + digits)?;
                self.nanos = nanoseconds(fraction)?;
                rest
            }
            Part::Fraction { .. } => self.fraction(value).unwrap_or(value),
        };
        Some(rest)
    }

    /// A fraction of any length, when there is one.
    fn fraction<'v>(&mut self, value: &'v [u8]) -> Option<&'v [u8]> {
        let digits = value.iter().skip(1).take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 || !matches!(value[0], b'.' | b',') {
            return None;
        }
        let (fraction, rest) = value.split_at(1 + digits);
        self.nanos = nanoseconds(fraction)?;
        Some(rest)
    }

    fn moment(self) -> Option<Moment> {
        let hour = match self.afternoon {
            Some(true) if self.hour < 12 => self.hour + 12,
            Some(false) if self.hour == 12 => 0,
            _ => self.hour,
        };
        let (month, day) = self.date()?;
        if day < 1 || day > civil::days_in(month, self.year) {
            return None;
        }
        let seconds = civil::seconds(self.year, month, day, (hour, self.minute, self.second));
        let (seconds, zone) = match (self.is_utc, self.offset, self.zone) {
            (true, _, _) => (seconds, Zone::Utc),
            // Local time, if it says so or says nothing.
            (false, None | Some(0), None) => (seconds, Zone::Local),
            (false, Some(offset), name) => (seconds - offset, Zone::Fixed { name: name.unwrap_or_default(), offset }),
            // The offset of a name is unknown, unless it is written like `GMT+3`.
            (false, None, Some(name)) => {
                let hours = name.strip_prefix("GMT").and_then(|hours| signed(hours.as_bytes())).unwrap_or(0);
                (seconds, Zone::Fixed { name, offset: hours * 3600 })
            }
        };
        Some(Moment { seconds, nanos: self.nanos, zone })
    }

    /// The month and day, which a day of the year must not contradict.
    fn date(&self) -> Option<(i64, i64)> {
        let Some(year_day) = self.year_day else {
            return Some((self.month.unwrap_or(1), self.day.unwrap_or(1)));
        };
        let days = 365 + i64::from(civil::is_leap(self.year));
        if !(1..=days).contains(&year_day) {
            return None;
        }
        let month = (1..=12).rev().find(|month| civil::days_before(*month, self.year) < year_day)?;
        let day = year_day - civil::days_before(month, self.year);
        let agrees = self.month.is_none_or(|known| known == month) && self.day.is_none_or(|known| known == day);
        agrees.then_some((month, day))
    }
}

/// Takes the text of a layout away; spaces stand for any number of spaces.
fn skip<'v>(mut value: &'v [u8], mut text: &[u8]) -> Option<&'v [u8]> {
    while let Some((first, rest)) = text.split_first() {
        if *first == b' ' {
            if value.first().is_some_and(|byte| *byte != b' ') {
                return None;
            }
            (text, value) = (without_spaces(text), without_spaces(value));
            continue;
        }
        value = value.strip_prefix(&[*first])?;
        text = rest;
    }
    Some(value)
}

fn without_spaces(text: &[u8]) -> &[u8] {
    &text[text.iter().take_while(|byte| **byte == b' ').count()..]
}

/// One or two digits; exactly two where zeros pad.
fn number(value: &[u8], pad: Pad, range: std::ops::RangeInclusive<i64>) -> Option<(i64, &[u8])> {
    let digits = value.iter().take(2).take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 || digits == 1 && pad == Pad::Zero {
        return None;
    }
    let (digits, rest) = value.split_at(digits);
    let number = signed(digits)?;
    range.contains(&number).then_some((number, rest))
}

fn signed(digits: &[u8]) -> Option<i64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// A name in any case.
fn name<'v>(names: &[&str], short: bool, value: &'v [u8]) -> Option<(i64, &'v [u8])> {
    names.iter().zip(0..).find_map(|(name, index)| {
        let name = if short { &name.as_bytes()[..3] } else { name.as_bytes() };
        let (written, rest) = value.split_at_checked(name.len())?;
        written.eq_ignore_ascii_case(name).then_some((index, rest))
    })
}

fn offset(written: &[u8], form: Offset) -> Option<i64> {
    let sign = match written[0] {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let step = if form.colons { 3 } else { 2 };
    let part = |index: usize, present: bool, limit: i64| {
        if !present {
            return Some(0);
        }
        let at = 1 + index * step;
        if form.colons && index > 0 && written[at - 1] != b':' {
            return None;
        }
        number(written.get(at..at + 2)?, Pad::Zero, 0..=limit).map(|(number, _)| number)
    };
    let (hours, minutes, seconds) = (part(0, true, 24)?, part(1, form.minutes, 60)?, part(2, form.seconds, 60)?);
    Some(sign * ((hours * 60 + minutes) * 60 + seconds))
}

/// The mark and digits; past the ninth they do not count.
fn nanoseconds(fraction: &[u8]) -> Option<u32> {
    if !matches!(fraction[0], b'.' | b',') {
        return None;
    }
    let digits = &fraction[1..fraction.len().min(10)];
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let shown = std::str::from_utf8(digits).ok()?;
    format!("{shown:0<9}").parse().ok()
}

/// How long the name of a time zone is, by its looks.
fn zone_length(value: &[u8]) -> Option<usize> {
    if value.len() < 3 {
        return None;
    }
    if value.starts_with(b"ChST") || value.starts_with(b"MeST") {
        return Some(4);
    }
    if let Some(after) = value.strip_prefix(b"GMT") {
        return Some(3 + signed_hours(after));
    }
    if matches!(value[0], b'+' | b'-') {
        return Some(signed_hours(value)).filter(|length| *length > 0);
    }
    match value.iter().take(6).take_while(|byte| byte.is_ascii_uppercase()).count() {
        5 if value[4] == b'T' => Some(5),
        4 if value[3] == b'T' || value.starts_with(b"WITA") => Some(4),
        3 => Some(3),
        _ => None,
    }
}

/// The length of a sign with hours up to 23.
fn signed_hours(value: &[u8]) -> usize {
    if !matches!(value.first(), Some(b'+' | b'-')) {
        return 0;
    }
    let digits = value[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let hours = std::str::from_utf8(&value[1..=digits]).ok().and_then(|digits| digits.parse::<u64>().ok());
    if hours.is_some_and(|hours| hours <= 23) { 1 + digits } else { 0 }
}
