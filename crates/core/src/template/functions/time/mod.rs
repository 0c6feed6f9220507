//! Dates and durations: sprig's functions over Go's `time.Time`. The local time zone is UTC, as in the
//! reference's container.

mod civil;
mod duration;
mod layout;
mod location;
mod marshal;
mod methods;
mod moment;
mod parse;
mod print;
mod zone;

use super::super::function::Param::{Any, Object, Text};
use super::super::function::{Function, Surroundings};
use super::arguments::{bytes, text, utf8};
use super::{Outcome, Value};
use moment::{Moment, TYPE};
use zone::Zone;

/// What HTML's date field wants.
const HTML: &str = "2006-01-02";

pub(super) const ALL: &[Function] = &[
    Function::outside("now", &[], |around, _| Ok(Value::object(now(around)))),
    Function::outside("date", &[Text, Any], |around, args| shown(around, &args[0], &args[1], &Zone::Utc)),
    Function::outside("dateInZone", &[Text, Any, Text], in_zone),
    Function::outside("date_in_zone", &[Text, Any, Text], in_zone),
    Function::outside("htmlDate", &[Any], |around, args| shown(around, &Value::text(HTML), &args[0], &Zone::Utc)),
    Function::outside("htmlDateInZone", &[Any, Text], |around, args| {
        shown(around, &Value::text(HTML), &args[0], &zone_or_utc(&args[1])?)
    }),
    Function::pure("toDate", &[Text, Text], |args| {
        Ok(Value::object(parse::parse(&utf8(&args[0])?, &utf8(&args[1])?).unwrap_or(Moment::ZERO)))
    }),
    Function::pure("mustToDate", &[Text, Text], |args| {
        parse::parse(&utf8(&args[0])?, &utf8(&args[1])?).map(Value::object)
    }),
    Function::pure("dateModify", &[Text, Object(TYPE)], modified),
    Function::pure("date_modify", &[Text, Object(TYPE)], modified),
    Function::pure("mustDateModify", &[Text, Object(TYPE)], must_modify),
    Function::pure("must_date_modify", &[Text, Object(TYPE)], must_modify),
    Function::pure("unixEpoch", &[Object(TYPE)], |args| text(Moment::of(&args[0])?.seconds.to_string())),
    Function::outside("ago", &[Any], |around, args| {
        let now = now(around);
        let then = moment(&args[0]).unwrap_or_else(|| now.clone());
        text(duration::show(duration::rounded(now.since(&then), duration::SECOND)))
    }),
    Function::pure("duration", &[Any], |args| {
        let seconds = match &args[0] {
            Value::Text(text) => whole(&text.to_str()),
            Value::Int64(seconds) => *seconds,
            _ => 0,
        };
        text(duration::show(seconds.wrapping_mul(duration::SECOND)))
    }),
    Function::outside("durationRound", &[Any], |around, args| {
        let length = match &args[0] {
            Value::Text(text) => duration::parse(&text.to_str()).unwrap_or(0),
            Value::Int64(nanoseconds) => *nanoseconds,
            other => Moment::of(other).map_or(0, |then| now(around).since(then)),
        };
        text(duration::in_largest_unit(length))
    }),
];

fn now(around: &Surroundings<'_>) -> Moment {
    let unix = around.clock.unix();
    Moment { seconds: unix.as_secs().try_into().unwrap_or(i64::MAX), nanos: unix.subsec_nanos(), zone: Zone::Local }
}

/// A time, or seconds since 1970.
fn moment(value: &Value<'_>) -> Option<Moment> {
    match value {
        Value::Int(seconds) | Value::Int64(seconds) => Some(Moment { seconds: *seconds, nanos: 0, zone: Zone::Local }),
        other => Moment::of(other).ok().cloned(),
    }
}

/// A date in a layout; what is no date is now.
fn shown<'a>(around: &Surroundings<'_>, layout: &Value<'_>, date: &Value<'_>, zone: &Zone) -> Outcome<'a> {
    let moment = moment(date).unwrap_or_else(|| now(around)).in_zone(zone.clone());
    text(print::print(&moment, bytes(layout)?))
}

fn in_zone<'a>(around: &Surroundings<'_>, args: &[Value<'a>]) -> Outcome<'a> {
    shown(around, &args[0], &args[1], &zone_or_utc(&args[2])?)
}

fn zone_or_utc(name: &Value<'_>) -> Result<Zone, String> {
    Ok(Zone::find(&utf8(name)?).unwrap_or(Zone::Utc))
}

/// Later by a duration; as it was where that is none.
fn modified<'a>(args: &[Value<'a>]) -> Outcome<'a> {
    let moment = Moment::of(&args[1])?;
    Ok(Value::object(moment.plus(duration::parse(&utf8(&args[0])?).unwrap_or(0))))
}

fn must_modify<'a>(args: &[Value<'a>]) -> Outcome<'a> {
    let length = duration::parse(&utf8(&args[0])?).ok_or_else(|| "invalid duration".to_owned())?;
    Ok(Value::object(Moment::of(&args[1])?.plus(length)))
}

/// `strconv.ParseInt` with its error ignored.
fn whole(text: &str) -> i64 {
    text.parse().unwrap_or_else(|error: std::num::ParseIntError| match error.kind() {
        std::num::IntErrorKind::PosOverflow => i64::MAX,
        std::num::IntErrorKind::NegOverflow => i64::MIN,
        _ => 0,
    })
}
