//! The methods of `time.Time` that give one value.

use super::super::super::function::{Method, Param};
use super::super::super::value::{Integer, IntegerType, Object};
use super::super::arguments::{appended, bytes, int, text};
use super::super::{Outcome, Value};
use super::civil::{self, Civil, MONTHS, WEEKDAYS};
use super::duration::{self, DURATION};
use super::location::{self, Location};
use super::moment::{Moment, TYPE};
use super::zone::Zone;
use super::{marshal, print};

const TIME: Param = Param::Object(TYPE);
const LENGTH: Param = Param::Integer(&DURATION);

pub(super) const ALL: &[Method] = &[
    Method::new("Year", &[], |args| of_date(args, |civil| civil.year)),
    Method::new("Month", &[], |args| named(args, &MONTH, |civil| civil.month)),
    Method::new("Day", &[], |args| of_date(args, |civil| civil.day)),
    Method::new("Weekday", &[], |args| named(args, &WEEKDAY, |civil| civil.weekday)),
    Method::new("YearDay", &[], |args| of_date(args, |civil| civil.year_day)),
    Method::new("Hour", &[], |args| of_date(args, |civil| civil.hour)),
    Method::new("Minute", &[], |args| of_date(args, |civil| civil.minute)),
    Method::new("Second", &[], |args| of_date(args, |civil| civil.second)),
    Method::new("Nanosecond", &[], |args| Ok(Value::Int(i64::from(Moment::of(&args[0])?.nanos)))),
    Method::new("Unix", &[], |args| since_1970(args, duration::SECOND)),
    Method::new("UnixMilli", &[], |args| since_1970(args, 1_000_000)),
    Method::new("UnixMicro", &[], |args| since_1970(args, 1_000)),
    Method::new("UnixNano", &[], |args| since_1970(args, 1)),
    Method::new("IsZero", &[], |args| compared(&[args[0].clone(), zero()], i128::eq)),
    Method::new("IsDST", &[], |args| Ok(Value::Bool(is_summer_time(Moment::of(&args[0])?)))),
    Method::new("String", &[], |args| Ok(Value::text(Moment::of(&args[0])?.show()))),
    Method::new("Format", &[Param::Text], |args| text(print::print(Moment::of(&args[0])?, bytes(&args[1])?))),
    Method::new("GoString", &[], |args| Ok(Value::text(Moment::of(&args[0])?.source()))),
    Method::new("AppendFormat", &[Param::Bytes, Param::Text], |args| {
        appended(args.get(1), &print::print(Moment::of(&args[0])?, bytes(&args[2])?))
    }),
    Method::new("MarshalText", &[], |args| appended(None, &marshal::text(Moment::of(&args[0])?)?)),
    Method::new("AppendText", &[Param::Bytes], |args| appended(args.get(1), &marshal::text(Moment::of(&args[0])?)?)),
    Method::new("MarshalJSON", &[], |args| {
        appended(None, &[b"\"", marshal::text(Moment::of(&args[0])?)?.as_slice(), b"\""].concat())
    }),
    Method::new("MarshalBinary", &[], |args| appended(None, &marshal::binary(Moment::of(&args[0])?)?)),
    Method::new("GobEncode", &[], |args| appended(None, &marshal::binary(Moment::of(&args[0])?)?)),
    Method::new("AppendBinary", &[Param::Bytes], |args| {
        appended(args.get(1), &marshal::binary(Moment::of(&args[0])?)?)
    }),
    Method::new("UTC", &[], |args| in_zone(args, &Zone::Utc)),
    Method::new("Local", &[], |args| in_zone(args, &Zone::Local)),
    Method::new("In", &[Param::Object(location::TYPE)], |args| in_zone(args, location::of(&args[1])?)),
    Method::new("Location", &[], |args| Ok(Value::object(Location(Moment::of(&args[0])?.zone.clone())))),
    Method::new("Add", &[LENGTH], |args| Ok(Value::object(Moment::of(&args[0])?.plus(args[1].integer().unwrap_or(0))))),
    Method::new("AddDate", &[Param::Int, Param::Int, Param::Int], add_date),
    Method::new("Sub", &[TIME], |args| duration::made(Moment::of(&args[0])?.since(Moment::of(&args[1])?))),
    Method::new("Before", &[TIME], |args| compared(args, i128::lt)),
    Method::new("After", &[TIME], |args| compared(args, i128::gt)),
    Method::new("Equal", &[TIME], |args| compared(args, i128::eq)),
    Method::new("Compare", &[TIME], |args| {
        let order = Moment::of(&args[0])?.total().cmp(&Moment::of(&args[1])?.total());
        Ok(Value::Int(i64::from(order as i8)))
    }),
    Method::new("Truncate", &[LENGTH], |args| cut(args, |_, _| false)),
    Method::new("Round", &[LENGTH], |args| cut(args, |rest, unit| rest * 2 >= unit)),
];

static MONTH: IntegerType = IntegerType {
    name: "time.Month",
    kind: "int",
    signed: true,
    show: Some(|month| shown(&MONTHS, month - 1, "Month", month)),
    methods: &[],
};

static WEEKDAY: IntegerType = IntegerType {
    name: "time.Weekday",
    kind: "int",
    signed: true,
    show: Some(|day| shown(&WEEKDAYS, day, "Weekday", day)),
    methods: &[],
};

fn shown(names: &[&str], index: i64, of: &str, number: i64) -> String {
    let name = usize::try_from(index).ok().and_then(|index| names.get(index));
    name.map_or_else(|| format!("%!{of}({number})"), |name| (*name).to_owned())
}

fn is_summer_time(moment: &Moment) -> bool {
    moment.zone.is_summer_time(moment.seconds)
}

fn zero<'a>() -> Value<'a> {
    Value::object(Moment::ZERO)
}

fn of_date<'a>(args: &[Value<'a>], part: fn(&Civil) -> i64) -> Outcome<'a> {
    Ok(Value::Int(part(&Moment::of(&args[0])?.civil())))
}

fn named<'a>(args: &[Value<'a>], of: &'static IntegerType, part: fn(&Civil) -> i64) -> Outcome<'a> {
    Ok(Value::Integer(Integer { of, bits: part(&Moment::of(&args[0])?.civil()) }))
}

fn since_1970<'a>(args: &[Value<'a>], unit: i64) -> Outcome<'a> {
    let units = Moment::of(&args[0])?.total().div_euclid(i128::from(unit));
    i64::try_from(units).map(Value::Int64).map_err(|_| "the date is out of range".to_owned())
}

fn in_zone<'a>(args: &[Value<'a>], zone: &Zone) -> Outcome<'a> {
    Ok(Value::object(Moment::of(&args[0])?.clone().in_zone(zone.clone())))
}

fn compared<'a>(args: &[Value<'a>], holds: fn(&i128, &i128) -> bool) -> Outcome<'a> {
    Ok(Value::Bool(holds(&Moment::of(&args[0])?.total(), &Moment::of(&args[1])?.total())))
}

/// Years, months and days later; what is past the end of a month is in the next.
fn add_date<'a>(args: &[Value<'a>]) -> Outcome<'a> {
    let moment = Moment::of(&args[0])?;
    let (now, (offset, _)) = (moment.civil(), moment.offset());
    let sum = |part: i64, index: usize| {
        let sum = part.checked_add(int(&args[index])?).filter(|sum| sum.abs() < 1_000_000_000_000);
        sum.ok_or_else(|| "the date is out of range".to_owned())
    };
    let (year, month, day) = (sum(now.year, 1)?, sum(now.month, 2)?, sum(now.day, 3)?);
    let local = civil::seconds(year, month, day, (now.hour, now.minute, now.second));
    // The offset there, found as the reference finds it: by that of the moment an offset earlier.
    let (there, _) = moment.zone.at(local.saturating_sub(offset));
    Ok(Value::object(Moment { seconds: local.saturating_sub(there), nanos: moment.nanos, zone: moment.zone.clone() }))
}

/// Down to a multiple of a duration since the year one, or up to the next.
fn cut<'a>(args: &[Value<'a>], up: fn(i128, i128) -> bool) -> Outcome<'a> {
    let (moment, unit) = (Moment::of(&args[0])?, i128::from(args[1].integer().unwrap_or(0)));
    if unit <= 0 {
        return Ok(args[0].clone());
    }
    let total = moment.total();
    let rest = (total - Moment::ZERO.total()).rem_euclid(unit);
    Ok(Value::object(moment.at(total - rest + if up(rest, unit) { unit } else { 0 })))
}
