//! How functions and methods are declared: their parameters in Go's types, and their bodies.
//!
//! Arguments are checked and converted before a body runs, as Go does it: a literal takes the type that is
//! wanted, anything else must have it, and nil stands for an empty map where a map is wanted. A body may rely
//! on that.

use super::value::{IntegerType, Value};
use crate::ports::{Clock, Random};

/// What a function gives: a value, or why there is none. The text never holds an argument's value.
pub(super) type Outcome<'a> = Result<Value<'a>, String>;

/// The type of a parameter.
#[derive(Clone, Copy)]
pub(super) enum Param {
    /// `interface {}` or `reflect.Value`: anything, nil as [`Value::Nil`].
    Any,
    /// `string`, as [`Value::Text`].
    Text,
    /// `bool`, as [`Value::Bool`].
    Bool,
    /// `int`, as [`Value::Int`]; an `int64` is refused.
    Int,
    /// An integer of a rarer type, as [`Value::Integer`].
    Integer(&'static IntegerType),
    /// `float64`, as [`Value::Float`].
    Float,
    /// `[]uint8`, as a list of that type; nil becomes an empty one.
    Bytes,
    /// `map[string]interface {}`, as [`Value::Map`] or [`Value::JsonMap`]; nil becomes a nil map.
    Map,
    /// A struct of this type, as [`Value::Object`].
    Object(&'static str),
}

/// A function.
pub(super) struct Function {
    pub(super) name: &'static str,
    pub(super) params: &'static [Param],
    /// What further arguments must be, where any number of them is taken.
    pub(super) rest: Option<Param>,
    pub(super) body: Body,
    /// It may write into a map it is given, so the session must be handed out as a copy.
    pub(super) mutates: bool,
    /// It takes so long that no request may cause it: only a template that always renders the same may.
    pub(super) at_load: bool,
}

/// What a function does.
#[derive(Clone, Copy)]
pub(super) enum Body {
    /// The same arguments give the same value, so it may run when the template is compiled.
    Pure(for<'a> fn(&[Value<'a>]) -> Outcome<'a>),
    /// It reads the clock or takes random bytes, so it runs on every request.
    Outside(for<'a> fn(&Surroundings<'_>, &[Value<'a>]) -> Outcome<'a>),
    /// `and` and `or`: arguments after the first of this truth are not evaluated.
    Decides(bool),
}

/// What a function can reach besides its arguments.
pub(super) struct Surroundings<'s> {
    pub(super) clock: &'s dyn Clock,
    pub(super) random: &'s dyn Random,
}

/// A method. Its body gets the receiver as the first argument.
pub(super) struct Method {
    pub(super) name: &'static str,
    pub(super) params: &'static [Param],
    /// What further arguments must be, where any number of them is taken.
    pub(super) rest: Option<Param>,
    pub(super) body: for<'a> fn(&[Value<'a>]) -> Outcome<'a>,
}

impl Method {
    /// A method with exactly these parameters.
    pub(super) const fn new(
        name: &'static str,
        params: &'static [Param],
        body: for<'a> fn(&[Value<'a>]) -> Outcome<'a>,
    ) -> Self {
        Self { name, params, rest: None, body }
    }

    /// With any number of further arguments of one type.
    pub(super) const fn with_rest(mut self, rest: Param) -> Self {
        self.rest = Some(rest);
        self
    }
}

impl Function {
    /// A pure function with exactly these parameters.
    pub(super) const fn pure(
        name: &'static str,
        params: &'static [Param],
        body: for<'a> fn(&[Value<'a>]) -> Outcome<'a>,
    ) -> Self {
        Self { name, params, rest: None, body: Body::Pure(body), mutates: false, at_load: false }
    }

    /// A function that reads the clock or takes random bytes.
    pub(super) const fn outside(
        name: &'static str,
        params: &'static [Param],
        body: for<'a> fn(&Surroundings<'_>, &[Value<'a>]) -> Outcome<'a>,
    ) -> Self {
        Self { name, params, rest: None, body: Body::Outside(body), mutates: false, at_load: false }
    }

    /// A pure function that takes any number of further arguments of one type.
    pub(super) const fn variadic(
        name: &'static str,
        params: &'static [Param],
        rest: Param,
        body: for<'a> fn(&[Value<'a>]) -> Outcome<'a>,
    ) -> Self {
        Self { name, params, rest: Some(rest), body: Body::Pure(body), mutates: false, at_load: false }
    }

    /// With the note that it writes into maps.
    pub(super) const fn that_mutates(mut self) -> Self {
        self.mutates = true;
        self
    }

    /// With the note that it is too expensive for a request.
    pub(super) const fn only_at_load(mut self) -> Self {
        self.at_load = true;
        self
    }

    /// The type of the parameter at a position.
    pub(super) fn param(&self, index: usize) -> Option<Param> {
        self.params.get(index).copied().or(self.rest)
    }
}
