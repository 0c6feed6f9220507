//! The functions a template can call: one row each.

mod dicts;
mod encoding;
mod escapes;
mod floats;
mod json;
mod lists;
mod logic;
mod math;
mod paths;
mod regexes;
mod sequences;
mod strings;
mod words;

use super::value::Value;

/// One function.
pub(super) struct Function {
    pub(super) name: &'static str,
    /// The fewest arguments, piped value included.
    pub(super) least: usize,
    /// The most arguments.
    pub(super) most: usize,
    pub(super) body: Body,
    /// An argument of this truth decides at once (`and`, `or`).
    pub(super) decides: Option<bool>,
}

pub(super) type Body = for<'a> fn(&[Value<'a>]) -> Outcome<'a>;
pub(super) type Outcome<'a> = Result<Value<'a>, String>;

/// Any number of arguments.
const MANY: usize = usize::MAX;

const fn row(name: &'static str, least: usize, most: usize, body: Body) -> Function {
    Function { name, least, most, body, decides: None }
}

/// Every table.
const TABLES: &[&[Function]] = &[
    logic::ALL,
    strings::ALL,
    math::ALL,
    encoding::ALL,
    lists::ALL,
    sequences::ALL,
    dicts::ALL,
    words::ALL,
    floats::ALL,
    json::ALL,
    regexes::ALL,
    paths::ALL,
    escapes::ALL,
];

/// Finds a function by name.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    TABLES.iter().flat_map(|table| table.iter()).find(|function| function.name == name)
}

/// Functions that rules may name and that are refused by name until they exist.
pub(super) const PLANNED: &[&str] = &[
    "adler32sum",
    "ago",
    "b32dec",
    "b32enc",
    "bcrypt",
    "buildCustomCert",
    "call",
    "camelcase",
    "date",
    "dateInZone",
    "dateModify",
    "date_in_zone",
    "date_modify",
    "decryptAES",
    "derivePassword",
    "duration",
    "durationRound",
    "encryptAES",
    "expandenv",
    "genCA",
    "genCAWithKey",
    "genPrivateKey",
    "genSelfSignedCert",
    "genSelfSignedCertWithKey",
    "genSignedCert",
    "genSignedCertWithKey",
    "getHostByName",
    "htmlDate",
    "htmlDateInZone",
    "htpasswd",
    "kebabcase",
    "mustDateModify",
    "mustToDate",
    "must_date_modify",
    "now",
    "randAlpha",
    "randAlphaNum",
    "randAscii",
    "randBytes",
    "randInt",
    "randNumeric",
    "semver",
    "semverCompare",
    "set",
    "shuffle",
    "snakecase",
    "toDate",
    "unixEpoch",
    "unset",
    "urlJoin",
    "urlParse",
    "uuidv4",
];

/// The text of a string argument; Go refuses anything else.
fn string<'v>(value: &'v Value<'_>) -> Result<&'v str, String> {
    match value {
        Value::Text(text) => Ok(text),
        Value::Nil => Err("invalid value; expected string".to_owned()),
        other => Err(format!("wrong type for value; expected string; got {}", other.type_name())),
    }
}

/// An integer argument; JSON numbers are floats and do not count, as in Go.
fn int(value: &Value<'_>) -> Result<i64, String> {
    match value {
        Value::Int(value) => Ok(*value),
        other => Err(format!("wrong type for value; expected int; got {}", other.type_name())),
    }
}
