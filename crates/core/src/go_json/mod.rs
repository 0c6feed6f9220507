//! JSON as Go writes it and complains about it: side services and error texts depend on both.
//!
//! Only the differences from other JSON libraries are here: sorted keys, every number a float, escapes
//! that are safe in HTML, and the texts of syntax errors.

mod encode;
mod syntax;

pub use encode::{encode, encode_string, number};
pub use syntax::{check, check_stream};

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::Value;

    /// What Go 1.26 answers for the same texts.
    const GOLDEN: &str = include_str!("golden.jsonl");

    #[test]
    fn errors_and_output_are_those_of_go() {
        let mut rows = 0;
        for line in GOLDEN.lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            let text = row["in"].as_str().unwrap();
            assert_eq!(check(text.as_bytes()).err().unwrap_or_default(), row["error"].as_str().unwrap(), "{text:?}");
            let stream = check_stream(text.as_bytes()).err().unwrap_or_default();
            assert_eq!(stream, row["stream"].as_str().unwrap(), "{text:?}, as a stream");
            if let (Some(expected), Ok(value)) = (row["out"].as_str(), serde_json::from_str(text)) {
                assert_eq!(encode(&value), expected, "{text:?}");
            }
            rows += 1;
        }
        assert_eq!(rows, 124);
    }
}
