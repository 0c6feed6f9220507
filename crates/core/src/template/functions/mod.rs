//! The functions a template can call: one row each.

mod encoding;
mod lists;
mod logic;
mod math;
mod strings;

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

/// Finds a function by name.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    [logic::ALL, strings::ALL, math::ALL, encoding::ALL, lists::ALL]
        .into_iter()
        .flatten()
        .find(|function| function.name == name)
}

/// Functions that rules may name and that are refused by name until they exist.
pub(super) const PLANNED: &[&str] = &[
    "abbrev",
    "abbrevboth",
    "add1f",
    "addf",
    "adler32sum",
    "ago",
    "all",
    "any",
    "b32dec",
    "b32enc",
    "base",
    "bcrypt",
    "biggest",
    "buildCustomCert",
    "call",
    "camelcase",
    "ceil",
    "chunk",
    "clean",
    "compact",
    "concat",
    "date",
    "dateInZone",
    "dateModify",
    "date_in_zone",
    "date_modify",
    "decryptAES",
    "deepCopy",
    "deepEqual",
    "derivePassword",
    "dig",
    "dir",
    "divf",
    "duration",
    "durationRound",
    "encryptAES",
    "expandenv",
    "ext",
    "floor",
    "fromJson",
    "genCA",
    "genCAWithKey",
    "genPrivateKey",
    "genSelfSignedCert",
    "genSelfSignedCertWithKey",
    "genSignedCert",
    "genSignedCertWithKey",
    "getHostByName",
    "hello",
    "html",
    "htmlDate",
    "htmlDateInZone",
    "htpasswd",
    "indent",
    "initials",
    "isAbs",
    "js",
    "kebabcase",
    "merge",
    "mergeOverwrite",
    "maxf",
    "minf",
    "mulf",
    "mustAppend",
    "mustChunk",
    "mustCompact",
    "mustDateModify",
    "mustDeepCopy",
    "mustFirst",
    "mustFromJson",
    "mustHas",
    "mustInitial",
    "mustLast",
    "mustMerge",
    "mustMergeOverwrite",
    "mustPrepend",
    "mustPush",
    "mustRegexFind",
    "mustRegexFindAll",
    "mustRegexMatch",
    "mustRegexReplaceAll",
    "mustRegexReplaceAllLiteral",
    "mustRegexSplit",
    "mustRest",
    "mustReverse",
    "mustSlice",
    "mustToDate",
    "mustToJson",
    "mustToPrettyJson",
    "mustToRawJson",
    "mustUniq",
    "mustWithout",
    "must_date_modify",
    "nindent",
    "now",
    "omit",
    "osBase",
    "osClean",
    "osDir",
    "osExt",
    "osIsAbs",
    "pick",
    "pluck",
    "plural",
    "prepend",
    "push",
    "randAlpha",
    "randAlphaNum",
    "randAscii",
    "randBytes",
    "randInt",
    "randNumeric",
    "regexFind",
    "regexFindAll",
    "regexMatch",
    "regexQuoteMeta",
    "regexReplaceAll",
    "regexReplaceAllLiteral",
    "regexSplit",
    "round",
    "semver",
    "semverCompare",
    "seq",
    "set",
    "shuffle",
    "slice",
    "snakecase",
    "splitn",
    "subf",
    "swapcase",
    "toDate",
    "toDecimal",
    "toPrettyJson",
    "unixEpoch",
    "unset",
    "untilStep",
    "untitle",
    "urlJoin",
    "urlParse",
    "uuidv4",
    "values",
    "wrap",
    "wrapWith",
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
