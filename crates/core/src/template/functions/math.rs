//! Integer arithmetic and ranges. Arithmetic gives `int64` and wraps around, as in Go.

use super::super::function::Function;
use super::super::function::Param::{Any, Int};
use super::super::value::Element;
use super::arguments::{int, text};
use super::cast::to_int;
use super::{Outcome, Value};

pub(super) const ALL: &[Function] = &[
    Function::variadic("add", &[], Any, |args| fold(args, i64::wrapping_add)),
    Function::pure("add1", &[Any], |args| Ok(Value::Int64(to_int(&args[0]).wrapping_add(1)))),
    Function::pure("sub", &[Any, Any], |args| fold(args, i64::wrapping_sub)),
    Function::variadic("mul", &[Any], Any, |args| fold(args, i64::wrapping_mul)),
    Function::pure("div", &[Any, Any], |args| divide(args, i64::wrapping_div)),
    Function::pure("mod", &[Any, Any], |args| divide(args, i64::wrapping_rem)),
    Function::variadic("max", &[Any], Any, |args| fold(args, i64::max)),
    Function::variadic("biggest", &[Any], Any, |args| fold(args, i64::max)),
    Function::variadic("min", &[Any], Any, |args| fold(args, i64::min)),
    Function::pure("until", &[Int], |args| {
        let count = int(&args[0])?;
        ints(0, count, if count < 0 { -1 } else { 1 })
    }),
    Function::pure("untilStep", &[Int, Int, Int], |args| ints(int(&args[0])?, int(&args[1])?, int(&args[2])?)),
    Function::variadic("seq", &[], Int, |args| {
        let given = args.iter().map(int).collect::<Result<Vec<i64>, String>>()?;
        let toward = |from: i64, to: i64| if to < from { -1 } else { 1 };
        let (start, step, end) = match given[..] {
            [end] => (1, toward(1, end), end),
            [start, end] => (start, toward(start, end), end),
            [start, step, end] if end >= start || step <= 0 => (start, step, end),
            _ => return text(""),
        };
        let words: Vec<String> =
            range(start, end.wrapping_add(toward(start, end)), step)?.iter().map(i64::to_string).collect();
        text(words.join(" "))
    }),
];

fn fold<'a>(args: &[Value<'a>], step: fn(i64, i64) -> i64) -> Outcome<'a> {
    Ok(Value::Int64(args.iter().map(to_int).reduce(step).unwrap_or(0)))
}

fn divide<'a>(args: &[Value<'a>], divide: fn(i64, i64) -> i64) -> Outcome<'a> {
    match to_int(&args[1]) {
        0 => Err("integer divide by zero".to_owned()),
        divisor => Ok(Value::Int64(divide(to_int(&args[0]), divisor))),
    }
}

fn ints<'a>(start: i64, stop: i64, step: i64) -> Outcome<'a> {
    Ok(Value::typed_list(Element::Int, range(start, stop, step)?.into_iter().map(Value::Int).collect()))
}

/// From `start` up or down to before `stop`; nothing when the step leads away from it.
fn range(start: i64, stop: i64, step: i64) -> Result<Vec<i64>, String> {
    let mut made = Vec::new();
    let mut at = Some(start);
    while let Some(value) = at.filter(|at| if step < 0 { *at > stop } else { step > 0 && *at < stop }) {
        super::arguments::holds(made.len() + 1)?;
        made.push(value);
        at = value.checked_add(step);
    }
    Ok(made)
}
