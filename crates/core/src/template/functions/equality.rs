//! `reflect.DeepEqual`: the same type and the same content.

use super::Value;

/// How many values are looked at; what is shared counts each time it is met.
const MAX_COMPARISONS: usize = 100_000;

/// Whether two values are deeply equal.
pub(super) fn deep_equal(one: &Value<'_>, other: &Value<'_>) -> Result<bool, String> {
    let mut pending = vec![(one.clone(), other.clone())];
    let mut seen = 0;
    while let Some((one, other)) = pending.pop() {
        seen += 1;
        if seen + pending.len() > MAX_COMPARISONS {
            return Err("the values are too large to be compared".to_owned());
        }
        let equal = match (&one, &other) {
            (Value::Nil | Value::Null, Value::Nil | Value::Null) => true,
            (Value::Bool(one), Value::Bool(other)) => one == other,
            (Value::Int(one), Value::Int(other)) | (Value::Int64(one), Value::Int64(other)) => one == other,
            #[allow(clippy::float_cmp)]
            (Value::Float(one), Value::Float(other)) => one == other,
            (Value::Complex(one), Value::Complex(other)) => one == other,
            (Value::Text(one), Value::Text(other)) => one == other,
            (Value::Integer(one), Value::Integer(other)) => one.of.name == other.of.name && one.bits == other.bits,
            (Value::Object(one), Value::Object(other)) => {
                one.type_name() == other.type_name() && one.source() == other.source()
            }
            _ => {
                if one.type_name() != other.type_name() || is_nil(&one) != is_nil(&other) || one.len() != other.len() {
                    return Ok(false);
                }
                if let (Some(ones), Some(others)) = (one.elements(), other.elements()) {
                    pending.extend(ones.into_iter().zip(others));
                } else if let (Some(ones), Some(others)) = (one.members(), other.members()) {
                    for ((key, one), (other_key, other)) in ones.into_iter().zip(others) {
                        if key != other_key {
                            return Ok(false);
                        }
                        pending.push((one, other));
                    }
                }
                true
            }
        };
        if !equal {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_nil(value: &Value<'_>) -> bool {
    match value {
        Value::List(list) => list.nil,
        Value::Map(map) => map.nil,
        _ => false,
    }
}
