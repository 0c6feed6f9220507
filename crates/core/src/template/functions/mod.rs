//! The functions a template can call: one file per subject, one row per function.

mod arguments;
mod case;
mod cast;
mod copy;
mod defaults;
mod dicts;
mod encoding;
mod equality;
mod escapes;
mod floats;
mod flow;
mod hashes;
mod json;
mod json_text;
mod lists;
mod logic;
mod math;
mod merge;
mod paths;
mod random;
mod reflection;
mod regex;
mod regex_syntax;
mod runes;
mod semver;
mod split;
mod strings;
mod version_constraint;
mod words;
mod wrap;

use super::function::{Function, Outcome};
use super::value::Value;

/// Every table.
const TABLES: &[&[Function]] = &[
    case::ALL,
    cast::ALL,
    defaults::ALL,
    dicts::ALL,
    encoding::ALL,
    escapes::ALL,
    flow::ALL,
    floats::ALL,
    hashes::ALL,
    json::ALL,
    lists::ALL,
    logic::ALL,
    math::ALL,
    paths::ALL,
    random::ALL,
    regex::ALL,
    reflection::ALL,
    semver::ALL,
    split::ALL,
    strings::ALL,
    wrap::ALL,
];

/// Finds a function by name.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    TABLES.iter().copied().flatten().find(|function| function.name == name)
}

/// Functions of the reference that cannot be had, with the reason and the remedy.
pub(super) fn refused(name: &str) -> Option<(&'static str, &'static str)> {
    match name {
        "getHostByName" => Some((
            "`getHostByName` is refused: a template must not make a request wait for name servers",
            "write the address, or let the rule's upstream name the host",
        )),
        _ if PLANNED.contains(&name) => {
            Some(("this function of the reference is not supported yet", "use another function"))
        }
        _ => None,
    }
}

#[cfg(test)]
pub(super) mod tests;

/// Functions that rules may name and that are refused until they exist.
const PLANNED: &[&str] = &[
    "ago",
    "bcrypt",
    "buildCustomCert",
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
    "htmlDate",
    "htmlDateInZone",
    "htpasswd",
    "mustDateModify",
    "mustToDate",
    "must_date_modify",
    "now",
    "toDate",
    "unixEpoch",
    "urlJoin",
    "urlParse",
];
