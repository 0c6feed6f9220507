//! Dates in a layout.

use super::civil::{Civil, MONTHS, WEEKDAYS};
use super::layout::{self, Offset, Pad, Part};
use super::moment::Moment;

/// A moment in a layout.
pub(super) fn print(moment: &Moment, layout: &[u8]) -> Vec<u8> {
    let (offset, zone) = moment.offset();
    let civil = moment.civil();
    let mut out = Vec::new();
    let mut rest = layout;
    while let Some((before, part, after)) = layout::next(rest) {
        out.extend(before);
        match part {
            Part::Fraction { digits, trims, mark } => out.extend(fraction(moment.nanos, digits, trims, mark).bytes()),
            Part::ZoneName if zone.is_empty() => {
                out.extend(numeric(offset, Offset { z: false, colons: false, minutes: true, seconds: false }).bytes());
            }
            Part::ZoneName => out.extend(zone.bytes()),
            Part::Offset(form) => out.extend(numeric(offset, form).bytes()),
            part => out.extend(of_date(&civil, part).bytes()),
        }
        rest = after;
    }
    out.extend(rest);
    out
}

fn of_date(civil: &Civil, part: Part) -> String {
    let name = |names: &[&'static str], index: i64| {
        usize::try_from(index).ok().and_then(|index| names.get(index).copied()).unwrap_or_default()
    };
    let (month, weekday) = (name(&MONTHS, civil.month - 1), name(&WEEKDAYS, civil.weekday));
    let noon = if civil.hour >= 12 { "PM" } else { "AM" };
    match part {
        Part::Year if civil.year < 0 => format!("-{:04}", civil.year.unsigned_abs()),
        Part::Year => format!("{:04}", civil.year),
        Part::ShortYear => format!("{:02}", civil.year.max(0) % 100),
        Part::MonthName => month.to_owned(),
        Part::ShortMonthName => month.chars().take(3).collect(),
        Part::Weekday => weekday.to_owned(),
        Part::ShortWeekday => weekday.chars().take(3).collect(),
        Part::Month(pad) => padded(civil.month, pad, 2),
        Part::Day(pad) => padded(civil.day, pad, 2),
        Part::YearDay(pad) => padded(civil.year_day, pad, 3),
        Part::Hour => padded(civil.hour, Pad::Zero, 2),
        Part::Hour12(pad) => padded((civil.hour + 11) % 12 + 1, pad, 2),
        Part::Minute(pad) => padded(civil.minute, pad, 2),
        Part::Second(pad) => padded(civil.second, pad, 2),
        Part::LowerNoon => noon.to_ascii_lowercase(),
        Part::UpperNoon => noon.to_owned(),
        // Of the moment, not of the date.
        Part::ZoneName | Part::Offset(_) | Part::Fraction { .. } => String::new(),
    }
}

fn padded(number: i64, pad: Pad, width: usize) -> String {
    match pad {
        Pad::None => number.to_string(),
        Pad::Space => format!("{number:width$}"),
        Pad::Zero => format!("{number:0width$}"),
    }
}

fn numeric(offset: i64, form: Offset) -> String {
    if form.z && offset == 0 {
        return "Z".to_owned();
    }
    // The sign is that of the whole minutes.
    let (sign, minutes, size) = match offset / 60 {
        minutes if minutes < 0 => ('-', -minutes, -offset),
        minutes => ('+', minutes, offset),
    };
    let colon = if form.colons { ":" } else { "" };
    let mut shown = format!("{sign}{:02}", minutes / 60);
    if form.minutes {
        shown += &format!("{colon}{:02}", minutes % 60);
    }
    if form.seconds {
        shown += &format!("{colon}{:02}", size % 60);
    }
    shown
}

/// The mark and so many digits; without trailing zeros maybe nothing at all.
fn fraction(nanos: u32, digits: usize, trims: bool, mark: u8) -> String {
    let all = format!("{nanos:09}");
    let kept: String = all.chars().chain(std::iter::repeat('0')).take(digits).collect();
    let kept = if trims { kept.trim_end_matches('0') } else { &kept };
    if kept.is_empty() { String::new() } else { format!("{}{kept}", char::from(mark)) }
}
