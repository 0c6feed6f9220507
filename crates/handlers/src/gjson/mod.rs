//! GJSON paths, in which session stores' answers are read (`subject_from`, `extra_from`).
//!
//! The reference searches the text of an answer; here it is parsed first, and a path is compiled once. What
//! a path can say: keys, `*` and `?` in keys, `\` before a special character, array indexes, `#`, `#.path`,
//! `#(query)` and `#(query)#`, `|`, `{a,"name":b}` and `[a,b]`, `..` before a path into JSON lines, `!` before a
//! literal, and the modifiers of [`modifier`].

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
    /// `..`: steps into the lines of a text, of which an answer has one.
    Lines(Vec<Step>),
    /// `!`: a value of its own.
    Literal(Value),
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
        self.find_in(Some(document))
    }

    /// The same where an earlier stage may have found nothing: some stages make something of that, too.
    fn find_in<'v>(&self, input: Option<&'v Value>) -> Option<Cow<'v, Value>> {
        let mut found = input.map(Cow::Borrowed);
        for stage in &self.stages {
            let outcome = match found {
                None => stage.apply(None),
                Some(Cow::Borrowed(value)) => stage.apply(Some(value)),
                Some(Cow::Owned(value)) => stage.apply(Some(&value)).map(owned),
            };
            found = match outcome {
                Ok(found) => found,
                Err(End::Nothing) => return None,
                Err(End::EmptyList) => return Some(Cow::Owned(Value::Array(Vec::new()))),
            };
        }
        found
    }

    /// Whether it begins with a stage that makes something of nothing, or may.
    fn takes_nothing(&self) -> bool {
        self.stages.first().is_some_and(|stage| !matches!(stage, Stage::Walk(_) | Stage::Lines(_) | Stage::Literal(_)))
    }
}

/// A walk that ended before its last step: nothing further is asked of what it found.
enum End {
    Nothing,
    EmptyList,
}

type Found<'v> = Option<Cow<'v, Value>>;

impl Stage {
    fn apply<'v>(&self, value: Option<&'v Value>) -> Result<Found<'v>, End> {
        Ok(match self {
            Stage::Lines(steps) => {
                let lines = Value::Array(value.cloned().into_iter().collect());
                owned(walk(steps, &lines)?)
            }
            Stage::Literal(literal) => Some(Cow::Owned(literal.clone())),
            Stage::Modify(modifier) => modifier.apply(value),
            Stage::Object(members) => {
                let found = members.iter().filter_map(|(name, path)| Some((name.clone(), path.find_in(value)?)));
                let map: Map<String, Value> = found.map(|(name, value)| (name, value.into_owned())).collect();
                Some(Cow::Owned(map.into()))
            }
            Stage::Array(paths) => Some(collect(paths.iter().filter_map(|path| path.find_in(value)))),
            Stage::Walk(steps) => walk(steps, value.ok_or(End::Nothing)?)?,
        })
    }
}

/// `None` when the last step finds nothing.
fn walk<'v>(steps: &[Step], value: &'v Value) -> Result<Found<'v>, End> {
    let Some((step, rest)) = steps.split_first() else { return Ok(Some(Cow::Borrowed(value))) };
    let further_in = |found: Option<&'v Value>| match found {
        Some(value) => walk(rest, value),
        None if rest.is_empty() => Ok(None),
        None => Err(End::Nothing),
    };
    match (step, value) {
        (Step::Into { key: Key::Literal(key), .. }, Value::Object(map)) => further_in(map.get(key)),
        // A member that does not lead on gives way to the next one whose key fits.
        (Step::Into { key: Key::Wild(pattern), .. }, Value::Object(map)) => {
            let mut outcome = further_in(None);
            for (_, value) in map.iter().filter(|(key, _)| pattern.fits(key)) {
                match walk(rest, value) {
                    Ok(None) => outcome = Ok(None),
                    Err(End::Nothing) => {}
                    found => return found,
                }
            }
            outcome
        }
        (Step::Into { index, .. }, Value::Array(list)) => further_in(index.and_then(|index| list.get(index))),
        (Step::Count, Value::Array(list)) => Ok(Some(Cow::Owned(list.len().into()))),
        (Step::Count, Value::Object(map)) => further_in(map.get("#")),
        (Step::Each(path), Value::Array(list)) => Ok(Some(collect(list.iter().filter_map(|value| path.find(value))))),
        (Step::First(query, then), Value::Array(list)) => match list.iter().find(|value| query.fits(value)) {
            Some(value) => Ok(further(then.as_ref(), value)),
            None if then.is_none() => Ok(None),
            None => Err(End::Nothing),
        },
        (Step::All(query, then), Value::Array(list)) => {
            let mut fitting = list.iter().filter(|value| query.fits(value)).peekable();
            match (fitting.peek(), then) {
                (None, Some(_)) => Err(End::EmptyList),
                _ => Ok(Some(collect(fitting.filter_map(|value| further(then.as_ref(), value))))),
            }
        }
        // In an object it would be a key.
        (Step::Each(path), Value::Object(map)) => match map.get("#") {
            None if path.takes_nothing() => Ok(path.find_in(None)),
            found => found.and_then(|value| path.find(value)).map(Some).ok_or(End::Nothing),
        },
        (Step::First(_, then) | Step::All(_, then), Value::Object(_)) => match then {
            None => Ok(None),
            Some(path) if path.takes_nothing() => Ok(path.find_in(None)),
            Some(_) => Err(End::Nothing),
        },
        _ => Err(End::Nothing),
    }
}

fn owned<'v>(found: Found<'_>) -> Found<'v> {
    found.map(|found| Cow::Owned(found.into_owned()))
}

fn further<'v>(path: Option<&Path>, value: &'v Value) -> Option<Cow<'v, Value>> {
    path.map_or(Some(Cow::Borrowed(value)), |path| path.find(value))
}

fn collect<'v>(found: impl Iterator<Item = Cow<'v, Value>>) -> Cow<'v, Value> {
    Cow::Owned(Value::Array(found.map(Cow::into_owned).collect()))
}
