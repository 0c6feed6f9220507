//! Versions, as the `semver` functions of the reference read them: more lenient than semver.org.

use std::any::Any as Anything;
use std::cmp::Ordering;
use std::sync::LazyLock;

use ::regex::Regex;

use super::super::function::Param::{Object as Struct, Text};
use super::super::function::{Function, Method};
use super::super::value::{Integer, IntegerType, Object};
use super::arguments::utf8;
use super::{Outcome, Value, version_constraint};

pub(super) const ALL: &[Function] = &[
    Function::pure("semver", &[Text], |args| Ok(Value::object(Version::parse(&utf8(&args[0])?)?))),
    Function::pure("semverCompare", &[Text, Text], |args| {
        version_constraint::holds(&utf8(&args[0])?, &utf8(&args[1])?).map(Value::Bool)
    }),
];

const TYPE: &str = "*semver.Version";

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
        let padded = |part: &str| part.len() > 1 && part.starts_with('0') && part.bytes().all(|b| b.is_ascii_digit());
        if pre.split('.').any(padded) {
            return Err("version segment starts with 0".to_owned());
        }
        let (major, minor, patch) = (number(1)?, number(2)?, number(3)?);
        Ok(Self { major, minor, patch, pre, metadata: part(5), original: text.to_owned() })
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
        let mut next =
            Self { major, minor, patch, pre: String::new(), metadata: String::new(), original: String::new() };
        next.original = if self.original.starts_with('v') { format!("v{}", next.show()) } else { next.show() };
        next
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
        TYPE
    }

    fn kind_name(&self) -> &'static str {
        "ptr"
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

    fn json(&self) -> Option<serde_json::Value> {
        Some(self.show().into())
    }

    fn field<'a>(&self, _: &str) -> Option<Value<'a>> {
        None
    }

    fn methods(&self) -> &'static [Method] {
        METHODS
    }

    fn as_any(&self) -> &dyn Anything {
        self
    }
}

const METHODS: &[Method] = &[
    Method::new("Major", &[], |args| number(args, |version| version.major)),
    Method::new("Minor", &[], |args| number(args, |version| version.minor)),
    Method::new("Patch", &[], |args| number(args, |version| version.patch)),
    Method::new("Prerelease", &[], |args| Ok(Value::text(of(&args[0])?.pre.as_str()))),
    Method::new("Metadata", &[], |args| Ok(Value::text(of(&args[0])?.metadata.as_str()))),
    Method::new("Original", &[], |args| Ok(Value::text(of(&args[0])?.original.as_str()))),
    Method::new("String", &[], |args| Ok(Value::text(of(&args[0])?.show()))),
    Method::new("IncMajor", &[], |args| next(args, |version| version.next(version.major + 1, 0, 0))),
    Method::new("IncMinor", &[], |args| next(args, |version| version.next(version.major, version.minor + 1, 0))),
    Method::new("IncPatch", &[], |args| {
        next(args, |version| {
            let step = u64::from(version.pre.is_empty());
            version.next(version.major, version.minor, version.patch + step)
        })
    }),
    Method::new("Compare", &[Struct(TYPE)], |args| {
        Ok(Value::Int(i64::from(of(&args[0])?.compare(of(&args[1])?) as i8)))
    }),
    Method::new("Equal", &[Struct(TYPE)], |args| compared(args, Ordering::is_eq)),
    Method::new("LessThan", &[Struct(TYPE)], |args| compared(args, Ordering::is_lt)),
    Method::new("LessThanEqual", &[Struct(TYPE)], |args| compared(args, Ordering::is_le)),
    Method::new("GreaterThan", &[Struct(TYPE)], |args| compared(args, Ordering::is_gt)),
    Method::new("GreaterThanEqual", &[Struct(TYPE)], |args| compared(args, Ordering::is_ge)),
];

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
