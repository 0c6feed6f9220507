//! Constraints on versions: `^1.2`, `>=1 <2 || 5`, `1.2 - 1.4`, `~1.x`.

use std::cmp::Ordering;
use std::sync::LazyLock;

use ::regex::{Captures, Regex};

use super::semver::{Version, compare_pre};

/// The longest constraint.
const MAX_LENGTH: usize = 1024;

/// Whether a version is within a constraint.
pub(super) fn holds(constraint: &str, version: &str) -> Result<bool, String> {
    let alternatives = parse(constraint).ok_or_else(|| "improper version constraint".to_owned())?;
    let version = Version::parse(version)?;
    Ok(alternatives.iter().any(|all| all.iter().all(|limit| limit.allows(&version))))
}

/// One comparison.
struct Limit {
    operator: Operator,
    version: Version,
    /// How many parts were written out; the others are open.
    parts: u8,
}

#[derive(Clone, Copy)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
    Tilde,
    Caret,
}

struct Shapes {
    range: Regex,
    limit: Regex,
    whole: Regex,
}

static SHAPES: LazyLock<Option<Shapes>> = LazyLock::new(|| {
    let tail = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*";
    let part = "[0-9|xX*]+";
    let version = format!(r"v?{part}(?:\.{part})?(?:\.{part})?(?:-{tail})?(?:\+{tail})?");
    let operator = r"(?:!=|>=|=>|<=|=<|~>|=|>|<|~|\^)?";
    let space = r"[\t\n\x0C\r ]*";
    let limit = format!("{operator}{space}{version}");
    Some(Shapes {
        range: Regex::new(&format!(r"{space}({version})[\t\n\x0C\r ]+-[\t\n\x0C\r ]+({version}){space}")).ok()?,
        whole: Regex::new(&format!(r"^{space}{limit}{space}(?:(?:[\t\n\x0C\r ]+|,{space}){limit}{space})*$")).ok()?,
        limit: Regex::new(&format!(
            r"({operator}){space}v?({part})(?:\.({part}))?(?:\.({part}))?((?:-{tail})?)(?:\+{tail})?"
        ))
        .ok()?,
    })
});

/// Alternatives of limits that must all hold.
fn parse(text: &str) -> Option<Vec<Vec<Limit>>> {
    let shapes = SHAPES.as_ref().filter(|_| text.len() <= MAX_LENGTH)?;
    let text = shapes.range.replace_all(text, ">= $1, <= $2 ");
    text.split("||")
        .map(|alternative| {
            shapes.whole.is_match(alternative).then_some(())?;
            shapes.limit.captures_iter(alternative).map(|found| limit(&found)).collect()
        })
        .collect()
}

fn limit(found: &Captures<'_>) -> Option<Limit> {
    let operator = match found.get(1)?.as_str() {
        "" | "=" => Operator::Equal,
        "!=" => Operator::NotEqual,
        ">" => Operator::Greater,
        ">=" | "=>" => Operator::GreaterEqual,
        "<" => Operator::Less,
        "<=" | "=<" => Operator::LessEqual,
        "^" => Operator::Caret,
        _ => Operator::Tilde,
    };
    let part = |index: usize| {
        let text = found.get(index).map_or("", |part| part.as_str());
        (!matches!(text, "" | "x" | "X" | "*")).then_some(text)
    };
    let (parts, numbers) = match (part(2), part(3), part(4)) {
        (None, _, _) => (0, "0.0.0".to_owned()),
        (Some(major), None, _) => (1, format!("{major}.0.0")),
        (Some(major), Some(minor), None) => (2, format!("{major}.{minor}.0")),
        (Some(major), Some(minor), Some(patch)) => (3, format!("{major}.{minor}.{patch}")),
    };
    let version = Version::parse(&format!("{numbers}{}", &found[5])).ok()?;
    Some(Limit { operator, version, parts })
}

impl Limit {
    fn allows(&self, version: &Version) -> bool {
        let (limit, order) = (&self.version, version.compare(&self.version));
        let exact = matches!(self.operator, Operator::NotEqual) && self.parts == 3;
        // Pre-releases are only for who asks for one.
        if !exact && !version.pre.is_empty() && limit.pre.is_empty() {
            return false;
        }
        let (major, minor) = (version.major.cmp(&limit.major), version.minor.cmp(&limit.minor));
        match self.operator {
            Operator::Equal if self.parts == 3 => order.is_eq(),
            Operator::Equal | Operator::Tilde => self.is_near(version, order),
            Operator::NotEqual => match self.parts {
                3 => order.is_ne(),
                _ if major.is_ne() => true,
                // `!=*` is read as `!=0.0.0` is, up to the major and minor number.
                0 => minor.is_ne() || version.patch != limit.patch || order.is_ne(),
                1 => false,
                _ if minor.is_ne() => true,
                _ => {
                    (!version.pre.is_empty() || !limit.pre.is_empty()) && compare_pre(&version.pre, &limit.pre).is_ne()
                }
            },
            Operator::Greater => match self.parts {
                0 | 3 => order.is_gt(),
                1 => major.is_gt(),
                _ => major.is_gt() || major.is_eq() && minor.is_gt(),
            },
            Operator::GreaterEqual => order.is_ge(),
            Operator::Less => order.is_lt(),
            Operator::LessEqual => match self.parts {
                3 => order.is_le(),
                1 => major.is_le(),
                _ => major.is_lt() || major.is_eq() && minor.is_le(),
            },
            Operator::Caret => self.is_compatible(version, order),
        }
    }

    /// Only what was not written out may be larger; the last number of three may, too.
    fn is_near(&self, version: &Version, order: Ordering) -> bool {
        let limit = &self.version;
        if order.is_lt() {
            return false;
        }
        let zero = (limit.major, limit.minor, limit.patch) == (0, 0, 0);
        if zero && matches!(self.parts, 0 | 3) {
            return true;
        }
        version.major == limit.major && (self.parts == 1 || version.minor == limit.minor)
    }

    /// The first number that is not zero may not change.
    fn is_compatible(&self, version: &Version, order: Ordering) -> bool {
        let limit = &self.version;
        if order.is_lt() {
            return false;
        }
        if limit.major > 0 || self.parts == 1 {
            return version.major == limit.major;
        }
        if version.major > 0 {
            return false;
        }
        if limit.minor > 0 || self.parts == 2 {
            return version.minor == limit.minor;
        }
        version.minor == 0 && version.patch == limit.patch
    }
}
