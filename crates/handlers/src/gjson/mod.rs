//! GJSON paths, in which session stores' answers are read (`subject_from`, `extra_from`).
//!
//! The reference searches the text of an answer; here it is parsed first, and a path is compiled once. What
//! a path can say: keys, `*` and `?` in keys, `\` before a special character, array indexes, `#`, `#.path`,
//! `#(query)` and `#(query)#`, `|`, `{a,"name":b}` and `[a,b]`, and the modifiers of [`modifier`]. Anything
//! else that GJSON knows is refused by name when the rule is bound.

mod modifier;
mod parse;
mod pattern;
mod query;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde_json::{Map, Value};

use self::modifier::Modifier;
use self::pattern::Pattern;
use self::query::Query;

/// A compiled path.
#[derive(Debug)]
pub(crate) struct Path {
    stages: Vec<Stage>,
}

/// What stands between two pipes: it works on the whole result of the stage before.
#[derive(Debug)]
enum Stage {
    /// A modifier.
    Modify(Modifier),
    /// `{…}`: an object of what the paths find.
    Object(Vec<(String, Path)>),
    /// `[…]`: an array of what the paths find.
    Array(Vec<Path>),
    /// Steps into the document.
    Walk(Vec<Step>),
}

/// One step into a document.
#[derive(Debug)]
enum Step {
    /// The member of an object, or the element of an array.
    Into { key: Key, index: Option<usize> },
    /// `#`: how many elements there are.
    Count,
    /// `#.path`: what the path finds in each element.
    Each(Path),
    /// `#(query)`: the first element that fits, and what the path finds in it.
    First(Query, Option<Path>),
    /// `#(query)#`: all of them.
    All(Query, Option<Path>),
}

/// Which member of an object.
#[derive(Debug)]
enum Key {
    Literal(String),
    Wild(Pattern),
}

impl Path {
    /// Compiles a path. The error says what cannot be used.
    pub(crate) fn compile(text: &str) -> Result<Self, String> {
        parse::path(text)
    }

    /// What the path finds. A member that is `null` is found.
    pub(crate) fn find<'v>(&self, document: &'v Value) -> Option<Cow<'v, Value>> {
        self.stages.iter().try_fold(Cow::Borrowed(document), |found, stage| match found {
            Cow::Borrowed(value) => stage.apply(value),
            Cow::Owned(value) => stage.apply(&value).map(|found| Cow::Owned(found.into_owned())),
        })
    }
}

impl Stage {
    fn apply<'v>(&self, value: &'v Value) -> Option<Cow<'v, Value>> {
        match self {
            Stage::Modify(modifier) => modifier.apply(value),
            Stage::Object(members) => {
                let found = members.iter().filter_map(|(name, path)| Some((name.clone(), path.find(value)?)));
                let map: Map<String, Value> = found.map(|(name, value)| (name, value.into_owned())).collect();
                Some(Cow::Owned(map.into()))
            }
            Stage::Array(paths) => Some(collect(paths.iter().filter_map(|path| path.find(value)))),
            Stage::Walk(steps) => walk(steps, value),
        }
    }
}

fn walk<'v>(steps: &[Step], value: &'v Value) -> Option<Cow<'v, Value>> {
    let Some((step, rest)) = steps.split_first() else { return Some(Cow::Borrowed(value)) };
    match (step, value) {
        (Step::Into { key: Key::Literal(key), .. }, Value::Object(map)) => walk(rest, map.get(key)?),
        // A member that does not lead on gives way to the next one whose key fits.
        (Step::Into { key: Key::Wild(pattern), .. }, Value::Object(map)) => {
            map.iter().filter(|(key, _)| pattern.fits(key)).find_map(|(_, value)| walk(rest, value))
        }
        (Step::Into { index, .. }, Value::Array(list)) => walk(rest, list.get((*index)?)?),
        (Step::Count, Value::Array(list)) => Some(Cow::Owned(list.len().into())),
        (Step::Count, Value::Object(map)) => map.get("#").map(Cow::Borrowed),
        (Step::Each(path), Value::Array(list)) => Some(collect(list.iter().filter_map(|value| path.find(value)))),
        (Step::First(query, then), Value::Array(list)) => {
            further(then.as_ref(), list.iter().find(|value| query.fits(value))?)
        }
        (Step::All(query, then), Value::Array(list)) => {
            let fitting = list.iter().filter(|value| query.fits(value));
            Some(collect(fitting.filter_map(|value| further(then.as_ref(), value))))
        }
        _ => None,
    }
}

fn further<'v>(path: Option<&Path>, value: &'v Value) -> Option<Cow<'v, Value>> {
    path.map_or(Some(Cow::Borrowed(value)), |path| path.find(value))
}

fn collect<'v>(found: impl Iterator<Item = Cow<'v, Value>>) -> Cow<'v, Value> {
    Cow::Owned(Value::Array(found.map(Cow::into_owned).collect()))
}
