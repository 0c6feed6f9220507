//! What to take where something is missing.

use super::super::function::Function;
use super::super::function::Param::{Any, Bool};
use super::Value;

pub(super) const ALL: &[Function] = &[
    Function::variadic("default", &[Any], Any, |args| {
        Ok(args.get(1).filter(|given| !is_empty(given)).unwrap_or(&args[0]).clone())
    }),
    Function::pure("empty", &[Any], |args| Ok(Value::Bool(is_empty(&args[0])))),
    Function::variadic("coalesce", &[], Any, |args| {
        Ok(args.iter().find(|value| !is_empty(value)).cloned().unwrap_or(Value::Nil))
    }),
    Function::variadic("all", &[], Any, |args| Ok(Value::Bool(!args.iter().any(is_empty)))),
    Function::variadic("any", &[], Any, |args| Ok(Value::Bool(!args.iter().all(is_empty)))),
    Function::pure("ternary", &[Any, Any, Bool], |args| {
        Ok(args[if matches!(args[2], Value::Bool(true)) { 0 } else { 1 }].clone())
    }),
];

/// Nil, zero, false, or without content. Structs never are.
pub(super) fn is_empty(value: &Value<'_>) -> bool {
    !value.is_true()
}
