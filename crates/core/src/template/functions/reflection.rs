//! Go's names for types and kinds, and deep equality.

use super::super::function::Function;
use super::super::function::Param::{Any, Text};
use super::Value;
use super::arguments::bytes;
use super::equality::deep_equal;

pub(super) const ALL: &[Function] = &[
    Function::pure("typeOf", &[Any], |args| Ok(Value::text(args[0].type_name()))),
    Function::pure("typeIs", &[Text, Any], |args| Ok(Value::Bool(bytes(&args[0])? == args[1].type_name().as_bytes()))),
    // Also true for a pointer to the type.
    Function::pure("typeIsLike", &[Text, Any], |args| {
        let (name, wanted) = (args[1].type_name().as_bytes(), bytes(&args[0])?);
        Ok(Value::Bool(name == wanted || name.strip_prefix(b"*") == Some(wanted)))
    }),
    Function::pure("kindOf", &[Any], |args| Ok(Value::text(args[0].kind_name()))),
    Function::pure("kindIs", &[Text, Any], |args| Ok(Value::Bool(bytes(&args[0])? == args[1].kind_name().as_bytes()))),
    Function::pure("deepEqual", &[Any, Any], |args| deep_equal(&args[0], &args[1]).map(Value::Bool)),
];
