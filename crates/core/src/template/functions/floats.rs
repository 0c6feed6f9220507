//! sprig's arithmetic on floats, and its sequences of numbers.

use super::math::{to_float, to_int};
use super::{Function, MANY, Outcome, Value, int, row};

/// The longest sequence.
const MAX_SEQUENCE: u64 = 10_000;

pub(super) const ALL: &[Function] = &[
    row("add1f", 1, 1, |args| Ok(Value::Float(to_float(&args[0]) + 1.0))),
    row("addf", 1, MANY, |args| fold(args, |one, other| one + other)),
    row("subf", 1, MANY, |args| fold(args, |one, other| one - other)),
    row("mulf", 1, MANY, |args| fold(args, |one, other| one * other)),
    row("divf", 1, MANY, |args| fold(args, |one, other| one / other)),
    row("maxf", 1, MANY, |args| fold(args, f64::max)),
    row("minf", 1, MANY, |args| fold(args, f64::min)),
    row("biggest", 1, MANY, |args| Ok(Value::Int(args.iter().map(to_int).max().unwrap_or(0)))),
    row("ceil", 1, 1, |args| Ok(Value::Float(to_float(&args[0]).ceil()))),
    row("floor", 1, 1, |args| Ok(Value::Float(to_float(&args[0]).floor()))),
    row("round", 2, 3, round),
    row("seq", 0, 3, sequence),
    row("toDecimal", 1, 1, |args| {
        let text = super::super::format::text(&args[0]);
        Ok(Value::Int(i64::from_str_radix(&text, 8).unwrap_or(0)))
    }),
    row("untilStep", 3, 3, |args| {
        let numbers = steps(int(&args[0])?, int(&args[1])?, int(&args[2])?)?;
        Ok(Value::List(numbers.into_iter().map(Value::Int).collect()))
    }),
];

fn fold<'a>(args: &[Value<'a>], step: fn(f64, f64) -> f64) -> Outcome<'a> {
    Ok(Value::Float(args.iter().map(to_float).reduce(step).unwrap_or(0.0)))
}

/// Half up, or from another fraction up, after so many places.
fn round<'a>(args: &[Value<'a>]) -> Outcome<'a> {
    let places = i32::try_from(int(&args[1])?).ok().filter(|places| (-300..=300).contains(places));
    let Some(places) = places else { return Err("the number of places is out of range".to_owned()) };
    let up_from = args.get(2).map_or(0.5, to_float);
    let power = 10_f64.powi(places);
    let digits = power * to_float(&args[0]);
    let fraction = digits.fract();
    let rounded = if fraction >= up_from { digits.ceil() } else { digits.floor() };
    Ok(Value::Float(rounded / power))
}

fn sequence<'a>(args: &[Value<'a>]) -> Outcome<'a> {
    let towards = |start: i64, end: i64| if end < start { -1 } else { 1 };
    let (start, end, step) = match *args {
        [] => return Ok(Value::text("")),
        [ref end] => (1, int(end)?, towards(1, int(end)?)),
        [ref start, ref end] => (int(start)?, int(end)?, towards(int(start)?, int(end)?)),
        [ref start, ref step, ref end, ..] => (int(start)?, int(end)?, int(step)?),
    };
    if (end < start) != (step < 0) {
        return Ok(Value::text(""));
    }
    let numbers = steps(start, end.saturating_add(step.signum()), step)?;
    Ok(Value::text(numbers.iter().map(i64::to_string).collect::<Vec<_>>().join(" ")))
}

/// From `start` towards `stop`, which is left out.
fn steps(start: i64, stop: i64, step: i64) -> Result<Vec<i64>, String> {
    if step == 0 || (stop < start) != (step < 0) {
        return Ok(Vec::new());
    }
    if start.abs_diff(stop) / step.unsigned_abs() > MAX_SEQUENCE {
        return Err("the list is too long".to_owned());
    }
    let next = |at: &i64| at.checked_add(step);
    let inside = |at: &i64| if step > 0 { *at < stop } else { *at > stop };
    Ok(std::iter::successors(Some(start), next).take_while(inside).collect())
}
