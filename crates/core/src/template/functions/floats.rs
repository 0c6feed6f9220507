//! Arithmetic on floats. Sums and products are made with exact decimals, as the reference does.

use num_bigint::BigInt;

use super::super::function::Function;
use super::super::function::Param::{Any, Float, Int};
use super::arguments::{float, int};
use super::cast::to_float;
use super::{Outcome, Value};

/// Digits after the point that a quotient keeps.
const QUOTIENT_DIGITS: i32 = 16;

pub(super) const ALL: &[Function] = &[
    Function::pure("add1f", &[Any], |args| decimal(&args[0], &[Value::Int(1)], Decimal::add)),
    Function::variadic("addf", &[], Any, |args| decimal(&Value::Float(0.0), args, Decimal::add)),
    Function::variadic("subf", &[Any], Any, |args| decimal(&args[0], &args[1..], Decimal::subtract)),
    Function::variadic("mulf", &[Any], Any, |args| decimal(&args[0], &args[1..], Decimal::multiply)),
    Function::variadic("divf", &[Any], Any, |args| decimal(&args[0], &args[1..], Decimal::divide)),
    Function::variadic("maxf", &[Any], Any, |args| extreme(args, |one, other| one > other)),
    Function::variadic("minf", &[Any], Any, |args| extreme(args, |one, other| one < other)),
    Function::pure("ceil", &[Any], |args| Ok(Value::Float(to_float(&args[0]).ceil()))),
    Function::pure("floor", &[Any], |args| Ok(Value::Float(to_float(&args[0]).floor()))),
    Function::variadic("round", &[Any, Int], Float, |args| {
        let on = args.get(2).map_or(Ok(0.5), float)?;
        Ok(Value::Float(rounded(to_float(&args[0]), int(&args[1])?, on)))
    }),
];

/// Up from `on` tenths of the last place, down below: negative numbers always go down.
fn rounded(value: f64, places: i64, on: f64) -> f64 {
    let scale = 10f64.powi(i32::try_from(places).unwrap_or(if places < 0 { i32::MIN } else { i32::MAX }));
    let scaled = scale * value;
    let whole = if scaled.fract() >= on { scaled.ceil() } else { scaled.floor() };
    whole / scale
}

fn extreme<'a>(args: &[Value<'a>], wins: fn(f64, f64) -> bool) -> Outcome<'a> {
    let pick = |one: f64, other: f64| {
        if one.is_infinite() && wins(one, 0.0) || other.is_infinite() && wins(other, 0.0) {
            if one.is_infinite() && wins(one, 0.0) { one } else { other }
        } else if one.is_nan() || other.is_nan() {
            f64::NAN
        } else if one == 0.0 && other == 0.0 {
            // Go knows which zero is larger.
            if wins(1f64.copysign(one), 1f64.copysign(other)) { one } else { other }
        } else if wins(one, other) {
            one
        } else {
            other
        }
    };
    Ok(Value::Float(args.iter().map(to_float).reduce(pick).unwrap_or(0.0)))
}

fn decimal<'a>(
    first: &Value<'a>,
    others: &[Value<'a>],
    step: fn(Decimal, Decimal) -> Result<Decimal, String>,
) -> Outcome<'a> {
    let start = Decimal::of(to_float(first))?;
    let result = others.iter().try_fold(start, |so_far, value| step(so_far, Decimal::of(to_float(value))?))?;
    Ok(Value::Float(result.float()))
}

/// `digits` times ten to the power of `exponent`.
struct Decimal {
    digits: BigInt,
    exponent: i32,
}

impl Decimal {
    /// The shortest decimal that reads as this float.
    fn of(value: f64) -> Result<Self, String> {
        if !value.is_finite() {
            return Err("cannot compute with a value that is not finite".to_owned());
        }
        let shortest = format!("{value:e}");
        let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
        let fraction = mantissa.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        let digits = mantissa.replace('.', "").parse().unwrap_or_default();
        let exponent = exponent.parse::<i32>().unwrap_or(0) - i32::try_from(fraction).unwrap_or(0);
        Ok(Self { digits, exponent })
    }

    fn float(&self) -> f64 {
        format!("{}e{}", self.digits, self.exponent).parse().unwrap_or(f64::NAN)
    }

    /// The digits as they are with a smaller exponent.
    fn at(&self, exponent: i32) -> BigInt {
        &self.digits * power(self.exponent - exponent)
    }

    fn add(self, other: Self) -> Result<Self, String> {
        let exponent = self.exponent.min(other.exponent);
        Ok(Self { digits: self.at(exponent) + other.at(exponent), exponent })
    }

    fn subtract(self, other: Self) -> Result<Self, String> {
        self.add(Self { digits: -other.digits, exponent: other.exponent })
    }

    fn multiply(self, other: Self) -> Result<Self, String> {
        Ok(Self { digits: self.digits * other.digits, exponent: self.exponent + other.exponent })
    }

    /// Rounded half away from zero.
    fn divide(self, other: Self) -> Result<Self, String> {
        let zero = BigInt::default();
        if other.digits == zero {
            return Err("decimal division by 0".to_owned());
        }
        let shift = self.exponent - other.exponent + QUOTIENT_DIGITS;
        let (above, below) = if shift < 0 {
            (self.digits, other.digits * power(-shift))
        } else {
            (self.digits * power(shift), other.digits)
        };
        let negative = (above < zero) != (below < zero);
        let (quotient, remainder) = (&above / &below, &above % &below);
        let twice = if remainder < zero { remainder * -2 } else { remainder * 2 };
        let size = if below < zero { -below } else { below };
        let up = BigInt::from(i32::from(twice >= size));
        Ok(Self { digits: if negative { quotient - up } else { quotient + up }, exponent: -QUOTIENT_DIGITS })
    }
}

fn power(exponent: i32) -> BigInt {
    BigInt::from(10).pow(exponent.unsigned_abs())
}
