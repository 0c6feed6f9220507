//! Versions, as the `semver` functions of the reference read them: more lenient than semver.org.

use std::any::Any as Anything;
use std::cmp::Ordering;
use std::sync::LazyLock;

use ::regex::Regex;

use super::super::format::quote;
use super::super::function::Param::{Object as Struct, Text};
use super::super::function::{Function, Method};
use super::super::value::{Integer, IntegerType, Object};
use super::arguments::{appended, utf8};
use super::{Outcome, Value, version_constraint};

pub(super) const ALL: &[Function] = &[
    Function::pure("semver", &[Text], |args| Ok(Value::object(Version::parse(&utf8(&args[0])?)?))),
    Function::pure("semverCompare", &[Text, Text], |args| {
        version_constraint::holds(&utf8(&args[0])?, &utf8(&args[1])?).map(Value::Bool)
    }),
];

/// What `semver` gives.
const TYPE: &str = "*semver.Version";
/// What the methods give that make another version. It lacks the methods that compare.
const VALUE: &str = "semver.Version";

static UINT64: IntegerType = IntegerType { name: "uint64", kind: "uint64", signed: false, show: None, methods: &[] };

/// A version.
#[derive(Clone)]
pub(super) struct Version {
    pub(super) major: u64,
    pub(super) minor: u64,
    pub(super) patch: u64,
    pub(super) pre: String,
    metadata: String,
    original: String,
    /// Whether this is no pointer.
    by_value: bool,
}

impl Version {
    /// Missing parts are zero, a `v` may stand before.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        static SHAPE: LazyLock<Option<Regex>> = LazyLock::new(|| {
            let tail = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*";
            Regex::new(&format!(r"^v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?(?:-({tail}))?(?:\+({tail}))?$")).ok()
        });
        let invalid = || "invalid semantic version".to_owned();
        let parts = SHAPE.as_ref().and_then(|shape| shape.captures(text)).ok_or_else(invalid)?;
        let number = |index: usize| parts.get(index).map_or(Ok(0), |part| part.as_str().parse().map_err(|_| invalid()));
        let part = |index: usize| parts.get(index).map_or_else(String::new, |part| part.as_str().to_owned());
        let pre = part(4);
        if pre.split('.').any(is_padded) {
            return Err("version segment starts with 0".to_owned());
        }
        let (major, minor, patch) = (number(1)?, number(2)?, number(3)?);
        Ok(Self { major, minor, patch, pre, metadata: part(5), original: text.to_owned(), by_value: false })
    }

    /// By precedence; metadata does not count.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        let numbers = |version: &Self| (version.major, version.minor, version.patch);
        numbers(self).cmp(&numbers(other)).then_with(|| match (self.pre.is_empty(), other.pre.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => compare_pre(&self.pre, &other.pre),
        })
    }

    /// The next version of a kind.
    fn next(&self, major: u64, minor: u64, patch: u64) -> Self {
        self.made(Self { major, minor, patch, pre: String::new(), metadata: String::new(), ..self.clone() })
    }

    /// A version that was made from this one; it keeps the `v`.
    fn made(&self, version: Self) -> Self {
        let original = if self.original.starts_with('v') { format!("v{}", version.show()) } else { version.show() };
        Self { original, by_value: true, ..version }
    }
}

/// Part by part: numbers below words, fewer parts below more.
pub(super) fn compare_pre(one: &str, other: &str) -> Ordering {
    let (mut ones, mut others) = (one.split('.'), other.split('.'));
    loop {
        let order = match (ones.next(), others.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(one), Some(other)) if one == other => Ordering::Equal,
            (Some(one), Some(other)) => match (one.parse::<u64>(), other.parse::<u64>()) {
                (Ok(one), Ok(other)) => one.cmp(&other),
                (Ok(_), Err(_)) => Ordering::Less,
                (Err(_), Ok(_)) => Ordering::Greater,
                (Err(_), Err(_)) => one.cmp(other),
            },
        };
        if order.is_ne() {
            return order;
        }
    }
}

impl Object for Version {
    fn type_name(&self) -> &'static str {
        if self.by_value { VALUE } else { TYPE }
    }

    fn kind_name(&self) -> &'static str {
        if self.by_value { "struct" } else { "ptr" }
    }

    fn show(&self) -> String {
        let mut shown = format!("{}.{}.{}", self.major, self.minor, self.patch);
        for (mark, part) in [('-', &self.pre), ('+', &self.metadata)] {
            if !part.is_empty() {
                shown.push(mark);
                shown.push_str(part);
            }
        }
        shown
    }

    fn source(&self) -> String {
        let Self { major, minor, patch, .. } = self;
        let [pre, metadata, original] = [&self.pre, &self.metadata, &self.original].map(|text| quote(text.as_bytes()));
        format!(
            "{}{VALUE}{{major:{major:#x}, minor:{minor:#x}, patch:{patch:#x}, pre:{pre}, metadata:{metadata}, \
             original:{original}}}",
            if self.by_value { "" } else { "&" },
        )
    }

    fn json(&self) -> Option<serde_json::Value> {
        Some(self.show().into())
    }

    fn field<'a>(&self, _: &str) -> Option<Value<'a>> {
        None
    }

    fn methods(&self) -> &'static [Method] {
        if self.by_value { &METHODS[..OF_VALUES] } else { METHODS }
    }

    fn as_any(&self) -> &dyn Anything {
        self
    }
}

/// How many of the methods, counted from the first, those that are no pointers have, too.
const OF_VALUES: usize = 14;

const METHODS: &[Method] = &[
    Method::new("Major", &[], |args| number(args, |version| version.major)),
    Method::new("Minor", &[], |args| number(args, |version| version.minor)),
    Method::new("Patch", &[], |args| number(args, |version| version.patch)),
    Method::new("Prerelease", &[], |args| Ok(Value::text(of(&args[0])?.pre.as_str()))),
    Method::new("Metadata", &[], |args| Ok(Value::text(of(&args[0])?.metadata.as_str()))),
    Method::new("String", &[], |args| Ok(Value::text(of(&args[0])?.show()))),
    Method::new("Value", &[], |args| Ok(Value::text(of(&args[0])?.show()))),
    Method::new("MarshalText", &[], |args| appended(None, of(&args[0])?.show().as_bytes())),
    Method::new("MarshalJSON", &[], |args| appended(None, format!("\"{}\"", of(&args[0])?.show()).as_bytes())),
    Method::new("IncMajor", &[], |args| next(args, |version| version.next(version.major + 1, 0, 0))),
    Method::new("IncMinor", &[], |args| next(args, |version| version.next(version.major, version.minor + 1, 0))),
    Method::new("IncPatch", &[], |args| {
        next(args, |version| {
            let step = u64::from(version.pre.is_empty());
            version.next(version.major, version.minor, version.patch + step)
        })
    }),
    Method::new("SetPrerelease", &[Text], |args| {
        let (version, pre) = (of(&args[0])?, utf8(&args[1])?.into_owned());
        if !pre.is_empty() && !pre.split('.').all(|part| is_part(part) && !is_padded(part)) {
            return Err("invalid prerelease".to_owned());
        }
        Ok(Value::object(version.made(Version { pre, ..version.clone() })))
    }),
    Method::new("SetMetadata", &[Text], |args| {
        let (version, metadata) = (of(&args[0])?, utf8(&args[1])?.into_owned());
        if !metadata.is_empty() && !metadata.split('.').all(is_part) {
            return Err("invalid metadata".to_owned());
        }
        Ok(Value::object(version.made(Version { metadata, ..version.clone() })))
    }),
    Method::new("Original", &[], |args| Ok(Value::text(of(&args[0])?.original.as_str()))),
    Method::new("Compare", &[Struct(TYPE)], |args| {
        Ok(Value::Int(i64::from(of(&args[0])?.compare(of(&args[1])?) as i8)))
    }),
    Method::new("Equal", &[Struct(TYPE)], |args| compared(args, Ordering::is_eq)),
    Method::new("LessThan", &[Struct(TYPE)], |args| compared(args, Ordering::is_lt)),
    Method::new("LessThanEqual", &[Struct(TYPE)], |args| compared(args, Ordering::is_le)),
    Method::new("GreaterThan", &[Struct(TYPE)], |args| compared(args, Ordering::is_gt)),
    Method::new("GreaterThanEqual", &[Struct(TYPE)], |args| compared(args, Ordering::is_ge)),
];

/// What may stand between the points of a prerelease or metadata.
fn is_part(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// A number with a zero before it.
fn is_padded(part: &str) -> bool {
    part.len() > 1 && part.starts_with('0') && part.bytes().all(|byte| byte.is_ascii_digit())
}

fn of<'v>(value: &'v Value<'_>) -> Result<&'v Version, String> {
    match value {
        Value::Object(object) => object.as_any().downcast_ref().ok_or_else(|| "not a version".to_owned()),
        _ => Err("not a version".to_owned()),
    }
}

fn number<'a>(args: &[Value<'a>], part: fn(&Version) -> u64) -> Outcome<'a> {
    Ok(Value::Integer(Integer { of: &UINT64, bits: part(of(&args[0])?).cast_signed() }))
}

fn next<'a>(args: &[Value<'a>], step: fn(&Version) -> Version) -> Outcome<'a> {
    let version = of(&args[0])?;
    if [version.major, version.minor, version.patch].contains(&u64::MAX) {
        return Err("the version is too large".to_owned());
    }
    Ok(Value::object(step(version)))
}

fn compared<'a>(args: &[Value<'a>], wanted: fn(Ordering) -> bool) -> Outcome<'a> {
    Ok(Value::Bool(wanted(of(&args[0])?.compare(of(&args[1])?))))
}
