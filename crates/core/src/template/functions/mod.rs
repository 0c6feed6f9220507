//! The functions a template can call: one file per subject, one row per function.

mod aes;
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
mod passwords;
mod paths;
mod random;
mod reflection;
mod regex;
mod regex_syntax;
mod semver;
mod split;
mod strings;
mod time;
mod urls;
mod version_constraint;
mod words;
mod wrap;

pub(super) use arguments::appended;
pub(super) use paths::clean as cleaned_path;

use super::function::{Function, Outcome};
use super::value::Value;

/// Every table.
const TABLES: &[&[Function]] = &[
    aes::ALL,
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
    passwords::ALL,
    paths::ALL,
    random::ALL,
    regex::ALL,
    reflection::ALL,
    semver::ALL,
    split::ALL,
    strings::ALL,
    time::ALL,
    urls::ALL,
    wrap::ALL,
];

/// Finds a function by name.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    TABLES.iter().copied().flatten().find(|function| function.name == name)
}

/// Functions of the reference that cannot be had, with the reason and the remedy.
pub(super) fn refused(name: &str) -> Option<(String, &'static str)> {
    match name {
        "getHostByName" => Some((
            "`getHostByName` is refused: a template must not make a request wait for name servers".to_owned(),
            "write the address, or let the rule's upstream name the host",
        )),
        "buildCustomCert"
        | "genCA"
        | "genCAWithKey"
        | "genPrivateKey"
        | "genSelfSignedCert"
        | "genSelfSignedCertWithKey"
        | "genSignedCert"
        | "genSignedCertWithKey" => Some((
            format!("`{name}` is refused: a proxy makes no keys and certificates, which nobody else would know"),
            "make them where they are used, and pass on with `env` what a header needs of them",
        )),
        _ => None,
    }
}
