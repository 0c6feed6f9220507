//! Go's date layouts: text in which parts of the reference time stand for parts of a date.

/// A part of a date, and how it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// `2006`
    Year,
    /// `06`
    ShortYear,
    /// `January`
    MonthName,
    /// `Jan`
    ShortMonthName,
    /// `1` or `01`
    Month(Pad),
    /// `Monday`
    Weekday,
    /// `Mon`
    ShortWeekday,
    /// `2`, `_2` or `02`
    Day(Pad),
    /// `__2` or `002`
    YearDay(Pad),
    /// `15`
    Hour,
    /// `3` or `03`
    Hour12(Pad),
    /// `4` or `04`
    Minute(Pad),
    /// `5` or `05`
    Second(Pad),
    /// `PM`
    UpperNoon,
    /// `pm`
    LowerNoon,
    /// `MST`
    ZoneName,
    /// `-0700` and its kin.
    Offset(Offset),
    /// `.000`, or `.999` without trailing zeros; the mark before the digits.
    Fraction { digits: usize, trims: bool, mark: u8 },
}

/// What stands before a number of one digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pad {
    None,
    Space,
    Zero,
}

/// How an offset is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offset {
    /// `Z` instead of no offset at all.
    pub(super) z: bool,
    pub(super) colons: bool,
    pub(super) minutes: bool,
    pub(super) seconds: bool,
}

impl Offset {
    const FORMS: [(&'static [u8], bool, bool, bool); 5] = [
        (b"070000", false, true, true),
        (b"07:00:00", true, true, true),
        (b"0700", false, true, false),
        (b"07:00", true, true, false),
        (b"07", false, false, false),
    ];

    /// How long it is in a date.
    pub(super) fn length(self) -> usize {
        let numbers = 1 + usize::from(self.minutes) + usize::from(self.seconds);
        1 + 2 * numbers + if self.colons { numbers - 1 } else { 0 }
    }
}

/// The text before the first part, that part, and the rest; `None` where there is none left.
pub(super) fn next(layout: &[u8]) -> Option<(&[u8], Part, &[u8])> {
    (0..layout.len()).find_map(|at| {
        let (skipped, part, length) = part(&layout[at..])?;
        Some((&layout[..at + skipped], part, &layout[at + skipped + length..]))
    })
}

/// The part that begins here: how much text belongs before it, and its length.
fn part(text: &[u8]) -> Option<(usize, Part, usize)> {
    let is = |form: &[u8]| text.starts_with(form);
    let lower = |at: usize| text.get(at).is_some_and(u8::is_ascii_lowercase);
    let found = |part, length| Some((0, part, length));
    match text[0] {
        b'J' if is(b"January") => found(Part::MonthName, 7),
        b'J' if is(b"Jan") && !lower(3) => found(Part::ShortMonthName, 3),
        b'M' if is(b"Monday") => found(Part::Weekday, 6),
        b'M' if is(b"Mon") && !lower(3) => found(Part::ShortWeekday, 3),
        b'M' if is(b"MST") => found(Part::ZoneName, 3),
        b'0' => match text.get(1)? {
            b'1' => found(Part::Month(Pad::Zero), 2),
            b'2' => found(Part::Day(Pad::Zero), 2),
            b'3' => found(Part::Hour12(Pad::Zero), 2),
            b'4' => found(Part::Minute(Pad::Zero), 2),
            b'5' => found(Part::Second(Pad::Zero), 2),
            b'6' => found(Part::ShortYear, 2),
            b'0' if is(b"002") => found(Part::YearDay(Pad::Zero), 3),
            _ => None,
        },
        b'1' if is(b"15") => found(Part::Hour, 2),
        b'1' => found(Part::Month(Pad::None), 1),
        b'2' if is(b"2006") => found(Part::Year, 4),
        b'2' => found(Part::Day(Pad::None), 1),
        // The underscore is only text before a year.
        b'_' if is(b"_2006") => Some((1, Part::Year, 4)),
        b'_' if is(b"_2") => found(Part::Day(Pad::Space), 2),
        b'_' if is(b"__2") => found(Part::YearDay(Pad::Space), 3),
        b'3' => found(Part::Hour12(Pad::None), 1),
        b'4' => found(Part::Minute(Pad::None), 1),
        b'5' => found(Part::Second(Pad::None), 1),
        b'P' if is(b"PM") => found(Part::UpperNoon, 2),
        b'p' if is(b"pm") => found(Part::LowerNoon, 2),
        sign @ (b'-' | b'Z') => {
            let form = Offset::FORMS.iter().find(|(form, ..)| text[1..].starts_with(form))?;
            let offset = Offset { z: sign == b'Z', colons: form.1, minutes: form.2, seconds: form.3 };
            found(Part::Offset(offset), 1 + form.0.len())
        }
        mark @ (b'.' | b',') => {
            let digit = *text.get(1).filter(|digit| matches!(digit, b'0' | b'9'))?;
            let digits = text[1..].iter().take_while(|byte| **byte == digit).count();
            // Other digits after these make it a number that is meant as such.
            let ends = !text.get(1 + digits).is_some_and(u8::is_ascii_digit);
            ends.then_some((0, Part::Fraction { digits, trims: digit == b'9', mark }, 1 + digits))
        }
        _ => None,
    }
}
