//! Reads YAML and JSON into located documents: a thin adapter over `saphyr-parser`'s events.
//!
//! JSON is read as the YAML it is. Tags of one's own and several documents are refused, and duplicate keys break the rule
//! they are in, or the configuration: in a file that grants access, what looks like one thing must not be
//! another. Anchors, aliases and merge keys (`<<`) work as in the reference, up to a number of values.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use keyward_core::diagnostic::{Diagnostic, Origin};
use keyward_core::document::{Entry, Node, Value};
use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::scalars;

/// The largest file that is read.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;
/// How deep a document may nest.
const MAX_DEPTH: usize = 64;
/// How many values a document may hold once its aliases are written out.
const MAX_VALUES: usize = 2_000_000;

/// Which plain words are booleans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Configuration files: `true` and `false` (YAML 1.2 core schema).
    Core,
    /// Rule files: also `yes`, `no`, `on`, `off`, `y`, `n` (YAML 1.1), as the reference reads them.
    Rules,
}

/// Parses one document.
pub fn parse(text: &str, source: &str, dialect: Dialect) -> Result<Node, Diagnostic> {
    Reader::new(text, source, dialect)?.document()
}

/// Takes an item of a list, with what is wrong when it holds a key twice: the later value is in it then.
pub type TakeItem<'f> = dyn FnMut(Node, Option<Diagnostic>) -> Result<(), Diagnostic> + 'f;

/// Parses a document that is a list, and hands its items over one by one: a large file never stands in
/// memory as a whole tree. An empty document has no items. After an error the items so far are void.
pub fn parse_items(text: &str, source: &str, dialect: Dialect, item: &mut TakeItem<'_>) -> Result<(), Diagnostic> {
    let mut reader = Reader::new(text, source, dialect)?;
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::StreamEnd => return Ok(()),
            Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
            Event::SequenceStart(..) => break,
            event => {
                let node = reader.node(event, span)?;
                return match &node.value {
                    Value::Null => reader.end(),
                    other => {
                        let found = other.kind();
                        Err(Diagnostic::error(format!("expected a list, found {found}")).at(&node.origin))
                    }
                };
            }
        }
    }
    reader.depth += 1;
    loop {
        match reader.next()? {
            (Event::SequenceEnd | Event::StreamEnd, _) => return reader.end(),
            (event, span) => {
                let node = reader.node(event, span)?;
                item(node, reader.doubled.take())?;
            }
        }
    }
}

struct Reader<'t> {
    parser: Parser<'t, saphyr_parser::StrInput<'t>>,
    source: Arc<str>,
    dialect: Dialect,
    depth: usize,
    values: usize,
    anchors: HashMap<usize, Anchored>,
    /// The first key that was written twice, until somebody asks.
    doubled: Option<Diagnostic>,
}

/// What an anchor stands for.
#[derive(Clone)]
struct Anchored {
    node: Node,
    /// How many values that is.
    values: usize,
    doubled: Option<Diagnostic>,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str, source: &str, dialect: Dialect) -> Result<Self, Diagnostic> {
        if text.len() > MAX_BYTES {
            return Err(Diagnostic::error("the file is larger than 16 MiB").at(&Origin::whole(source)));
        }
        Ok(Self {
            parser: Parser::new_from_str(text),
            source: source.into(),
            dialect,
            depth: 0,
            values: 0,
            anchors: HashMap::new(),
            doubled: None,
        })
    }

    fn next(&mut self) -> Result<(Event<'t>, Span), Diagnostic> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                let marker = error.marker();
                let origin =
                    Origin { source: self.source.clone(), line: place(marker.line()), column: place(marker.col() + 1) };
                Err(Diagnostic::error(format!("not valid YAML or JSON: {}", error.info())).at(&origin))
            }
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn origin(&self, span: Span) -> Origin {
        Origin { source: self.source.clone(), line: place(span.start.line()), column: place(span.start.col() + 1) }
    }

    fn document(&mut self) -> Result<Node, Diagnostic> {
        let root = loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => {
                    let origin = Origin { source: self.source.clone(), line: 1, column: 1 };
                    return Ok(Node { value: Value::Null, origin });
                }
                Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
                event => break self.node(event, span)?,
            }
        };
        self.end()?;
        self.doubled.take().map_or(Ok(root), Err)
    }

    /// After a document: nothing follows but empty ones, such as after a `---` in the last line.
    fn end(&mut self) -> Result<(), Diagnostic> {
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(()),
                (Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing, _) => {}
                (Event::Scalar(text, ScalarStyle::Plain, 0, None), _)
                    if scalars::plain(&text, self.dialect) == Value::Null => {}
                (_, span) => {
                    let finding = Diagnostic::error("the file holds more than one document").at(&self.origin(span));
                    return Err(finding.hint("Oathkeeper passes over all but the first; write one file for each"));
                }
            }
        }
    }

    fn node(&mut self, event: Event<'t>, span: Span) -> Result<Node, Diagnostic> {
        let origin = self.origin(span);
        let before = self.values;
        self.count(1, &origin)?;
        let value = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                let Some(value) = scalars::value(&text, plain, tag.as_deref(), self.dialect) else {
                    let finding =
                        Diagnostic::error("the tag (`!name`) is not allowed, or the value is not what it says");
                    return Err(finding
                        .at(&origin)
                        .hint("leave the tag out; `!!str`, `!!int`, `!!float` and `!!bool` are known"));
                };
                (anchor, value)
            }
            Event::SequenceStart(anchor, _) => {
                self.enter(&origin)?;
                let list = self.list()?;
                self.depth -= 1;
                (anchor, Value::List(list))
            }
            Event::MappingStart(anchor, _) => {
                self.enter(&origin)?;
                let map = self.map()?;
                self.depth -= 1;
                (anchor, Value::Map(map))
            }
            Event::Alias(anchor) => {
                // The parser knows every anchor; only one that is still being read has no value yet.
                let Some(Anchored { node, values, doubled }) = self.anchors.get(&anchor).cloned() else {
                    return Err(Diagnostic::error("an alias stands inside of what it names").at(&origin));
                };
                self.count(values, &origin)?;
                self.doubled = self.doubled.take().or(doubled);
                return Ok(node);
            }
            _ => return Err(Diagnostic::error("a value is missing").at(&origin)),
        };
        let (anchor, value) = value;
        let node = Node { value, origin };
        if anchor != 0 {
            let values = self.values - before;
            self.anchors.insert(anchor, Anchored { node: node.clone(), values, doubled: self.doubled.clone() });
        }
        Ok(node)
    }

    fn count(&mut self, values: usize, origin: &Origin) -> Result<(), Diagnostic> {
        self.values = self.values.saturating_add(values);
        if self.values > MAX_VALUES {
            return Err(Diagnostic::error("the document holds too many values").at(origin));
        }
        Ok(())
    }

    fn enter(&mut self, origin: &Origin) -> Result<(), Diagnostic> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Diagnostic::error("nested too deeply").at(origin));
        }
        Ok(())
    }

    fn list(&mut self) -> Result<Vec<Node>, Diagnostic> {
        let mut list = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd | Event::StreamEnd, _) => return Ok(list),
                (event, span) => list.push(self.node(event, span)?),
            }
        }
    }

    fn map(&mut self) -> Result<Vec<Entry>, Diagnostic> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut known = HashSet::new();
        let (mut merged, mut twice) = (Vec::new(), false);
        loop {
            let (event, span) = self.next()?;
            let key_origin = self.origin(span);
            let key = match event {
                Event::MappingEnd | Event::StreamEnd => {
                    if twice {
                        keep_last(&mut entries);
                    }
                    entries.extend(merged.into_iter().filter(|entry: &Entry| known.insert(entry.key.clone())));
                    return Ok(entries);
                }
                Event::Scalar(text, ScalarStyle::Plain, ..) if text == "<<" => {
                    let (event, span) = self.next()?;
                    merged.extend(entries_to_merge(self.node(event, span)?)?);
                    continue;
                }
                Event::Scalar(text, ..) => text.into_owned(),
                _ => return Err(Diagnostic::error("a key must be a plain text").at(&key_origin)),
            };
            if !known.insert(key.clone()) {
                let finding = Diagnostic::error(format!("`{key}` is written twice")).at(&key_origin);
                self.doubled.get_or_insert(finding);
                twice = true;
            }
            let (event, span) = self.next()?;
            let value = self.node(event, span)?;
            entries.push(Entry { key, key_origin, value });
        }
    }
}

/// Of the entries with one key, the last stays.
fn keep_last(entries: &mut Vec<Entry>) {
    let mut seen = HashSet::new();
    let mut stays: Vec<bool> = entries.iter().rev().map(|entry| seen.insert(entry.key.clone())).collect();
    entries.retain(|_| stays.pop().unwrap_or(true));
}

/// What a merge key brings: a map's entries, or those of several maps, earlier ones first.
fn entries_to_merge(node: Node) -> Result<Vec<Entry>, Diagnostic> {
    match node.value {
        Value::Map(entries) => Ok(entries),
        Value::List(list) => Ok(list.into_iter().map(entries_to_merge).collect::<Result<Vec<_>, _>>()?.concat()),
        other => Err(Diagnostic::error(format!("`<<` needs a map, found {}", other.kind())).at(&node.origin)),
    }
}

fn place(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use keyward_core::document::to_json;
    use serde_json::json;

    #[test]
    fn documents_keep_values_and_places() {
        let node = parse("a:\n  - b: 1\n    c: [x, 'y', \"z\"]\n", "f.yaml", Dialect::Core).unwrap();
        assert_eq!(to_json(&node), json!({"a": [{"b": 1, "c": ["x", "y", "z"]}]}));
        assert_eq!(node.get("a").unwrap().origin.to_string(), "f.yaml:2:3");
        let json = parse("{\n\t\"a\": [1, 2.5, true, null]\n}", "f.json", Dialect::Core).unwrap();
        assert_eq!(to_json(&json), json!({"a": [1, 2.5, true, null]}));
        assert_eq!(to_json(&parse("", "f", Dialect::Core).unwrap()), json!(null));
    }

    #[test]
    fn what_could_deceive_is_refused_with_its_place() {
        let rows = [
            ("a: 1\na: 2\n", "f:2:1: error: `a` is written twice"),
            ("a: &x [*x]\n", "f:1:8: error: an alias stands inside of what it names"),
            ("<<: 1\n", "f:1:5: error: `<<` needs a map, found a number"),
            ("<<: [[{a: 1}], 2]\n", "`<<` needs a map"),
            ("--- 1\n--- 2\n", "f:2:5: error: the file holds more than one document"),
            ("---\n---\na: 1\n", "f:3:1: error: the file holds more than one document"),
            ("x: &x {a: 1, a: 2}\ny: *x\n", "f:1:14: error: `a` is written twice"),
            ("a: !x 1\n", "f:1:4: error: the tag (`!name`) is not allowed"),
            ("a: !!int x\n", "the value is not what it says"),
            ("a: [1\n", "not valid YAML or JSON"),
        ];
        for (text, expected) in rows {
            let error = parse(text, "f", Dialect::Core).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
        assert!(parse(&"[".repeat(100), "f", Dialect::Core).is_err());
    }

    #[test]
    fn empty_documents_may_follow() {
        for text in ["a: 1\n---\n", "--- {a: 1}\n...\n---\n# nothing\n--- ~\n", "a: 1\n...\n"] {
            assert_eq!(to_json(&parse(text, "f", Dialect::Core).unwrap()), json!({"a": 1}), "{text}");
        }
    }

    #[test]
    fn items_say_which_key_they_hold_twice() {
        let items = |text: &str| {
            let mut found = Vec::new();
            let mut take = |node: Node, doubled: Option<Diagnostic>| {
                found.push((to_json(&node), doubled.map(|problem| problem.to_string()).unwrap_or_default()));
                Ok(())
            };
            parse_items(text, "f", Dialect::Rules, &mut take).map(|()| found)
        };
        let found = items("- {a: 1, b: &x {c: 1, c: 2}, b: 3}\n- {a: 4}\n- {a: *x}\n").unwrap();
        let twice = "f:1:23: error: `c` is written twice".to_owned();
        assert_eq!(found[0], (json!({"a": 1, "b": 3}), twice.clone()));
        assert_eq!(found[1], (json!({"a": 4}), String::new()));
        assert_eq!(found[2], (json!({"a": {"c": 2}}), twice));
        for text in ["---\n---\n- {a: 1}\n", "- {a: 1}\n---\n- {a: 2}\n", "[]\n[]\n"] {
            assert!(items(text).is_err(), "{text}");
        }
        assert_eq!(items("---\n- {a: 1}\n---\n").unwrap().len(), 1);
    }

    #[test]
    fn anchors_and_merge_keys_are_written_out_up_to_a_limit() {
        let text = "base: &b {x: 1, y: 2}\nitem: {<<: *b, y: 3}\nlist: [*b, &n 5, *n]\nboth: {<<: [{z: 1}, *b]}\n";
        assert_eq!(
            to_json(&parse(text, "f", Dialect::Core).unwrap()),
            json!({"base": {"x": 1, "y": 2}, "item": {"y": 3, "x": 1}, "list": [{"x": 1, "y": 2}, 5, 5], "both": {"z": 1, "x": 1, "y": 2}})
        );
        let mut laughs = "l0: &l0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..20 {
            let below = vec![format!("*l{}", level - 1); 10].join(", ");
            laughs += &format!("l{level}: &l{level} [{below}]\n");
        }
        assert!(parse(&laughs, "f", Dialect::Core).unwrap_err().to_string().contains("too many values"));
    }

    proptest::proptest! {
        #[test]
        fn reading_never_panics(text in "[ \\n\\t{}\\[\\]:,\"'a-z0-9&*!|>#-]{0,60}", any in ".{0,60}") {
            let _ = parse(&text, "f", Dialect::Core);
            let _ = parse(&any, "f", Dialect::Rules);
        }
    }
}
