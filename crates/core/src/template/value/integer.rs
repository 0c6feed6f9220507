//! Go's integer types besides `int` and `int64`, among them named ones such as `time.Duration`.

use super::super::function::Method;

/// An integer of a rarer type.
#[derive(Clone, Copy)]
pub(in crate::template) struct Integer {
    pub(in crate::template) of: &'static IntegerType,
    /// The value; of a `uint64`, its bits.
    pub(in crate::template) bits: i64,
}

/// One such type.
pub(in crate::template) struct IntegerType {
    /// Go's name, such as `time.Month`.
    pub(in crate::template) name: &'static str,
    /// Its kind, such as `int`.
    pub(in crate::template) kind: &'static str,
    pub(in crate::template) signed: bool,
    /// Its `String` method.
    pub(in crate::template) show: Option<fn(i64) -> String>,
    /// Its other methods.
    pub(in crate::template) methods: &'static [Method],
}

/// `uint8`, what indexing a string gives.
pub(in crate::template) static UINT8: IntegerType =
    IntegerType { name: "uint8", kind: "uint8", signed: false, show: None, methods: &[] };

impl Integer {
    /// Its digits.
    pub(in crate::template) fn decimal(self) -> String {
        if self.of.signed { self.bits.to_string() } else { self.bits.cast_unsigned().to_string() }
    }
}
