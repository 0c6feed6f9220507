//! Go structs that functions make: times, versions, certificates.

use std::any::Any;

use super::super::function::Method;
use super::Value;

/// A struct, or a pointer to one. A template sees its fields, its methods and its printed form.
pub(in crate::template) trait Object {
    /// Go's name for the type, such as `time.Time`.
    fn type_name(&self) -> &'static str;

    /// `struct` or `ptr`.
    fn kind_name(&self) -> &'static str {
        "struct"
    }

    /// Whether it is a nil pointer.
    fn is_nil(&self) -> bool {
        false
    }

    /// Whether this pointer and another, of the same type, point to one thing without being one value here.
    fn is_same(&self, _other: &dyn Object) -> bool {
        false
    }

    /// What `%v` and `{{ . }}` print.
    fn show(&self) -> String;

    /// What `%#v` prints. Equal structs have the same.
    fn source(&self) -> String {
        self.show()
    }

    /// What Go's JSON encoder writes, unless it cannot. Fields keep their order.
    fn json(&self) -> Option<serde_json::Value>;

    /// An exported field.
    fn field<'a>(&self, name: &str) -> Option<Value<'a>>;

    /// Its methods; they get the object as their first argument.
    fn methods(&self) -> &'static [Method] {
        &[]
    }

    /// For the functions that know the type.
    fn as_any(&self) -> &dyn Any;
}
