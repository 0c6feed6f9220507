//! A table of requests with what is expected of each: what `rules test` reads.

mod compare;
mod run;
mod token;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use keyward_core::diagnostic::{Diagnostic, Origin};
use keyward_core::document::{Node, decode};
use keyward_core::pipeline::denial::Reason;
use serde::Deserialize;

pub use compare::{Mismatch, upstream_url};
pub use run::{CaseResult, run};

use crate::config::text_file;
use crate::config::yaml::{self, Dialect};

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestFile {
    /// Values of `{{ env "NAME" }}`, before the environment's.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Values of `{{ secret "NAME" }}`, before those of the sources; `hosts` still count.
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
    /// What time it is, as `2026-01-31T12:00:00Z`; the real time by default.
    #[serde(default)]
    pub now: Option<String>,
    /// The tests.
    pub tests: Vec<TestCase>,
}

/// One request and what is expected of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestCase {
    /// What the test is about.
    pub name: String,
    /// The request.
    pub request: RequestFile,
    /// What side services answer; calls that are not answered here fail.
    #[serde(default)]
    pub services: Vec<ServiceFile>,
    /// What is expected.
    pub expect: Node,
}

/// A request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestFile {
    /// GET by default.
    #[serde(default)]
    pub method: Option<String>,
    /// Scheme, host, path, query.
    pub url: String,
    /// Header fields; `${token}` in a value, or in the URL, stands for the token.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body.
    #[serde(default)]
    pub body: Option<String>,
    /// A token to sign. Where nothing says `${token}` it is a bearer token.
    #[serde(default)]
    pub token: Option<TokenFile>,
    /// The caller's address; loopback by default.
    #[serde(default)]
    pub peer: Option<IpAddr>,
}

/// A token to sign.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenFile {
    /// Its claims. `iat`, `nbf` and `exp` may be written as `+15m` or `-1h` from now; `iat` is now and `exp` in
    /// 15 minutes unless written, null leaves them out.
    #[serde(default)]
    pub claims: Option<Node>,
    /// RS256 by default.
    #[serde(default)]
    pub alg: Option<String>,
    /// With a signature that does not verify.
    #[serde(default)]
    pub tampered: bool,
}

/// An answer of a side service.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceFile {
    /// Any by default.
    #[serde(default)]
    pub method: Option<String>,
    /// The URL; without a query it stands for any.
    pub url: String,
    /// 200 by default.
    #[serde(default)]
    pub status: Option<u16>,
    /// Header fields.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body: a text, or anything else as JSON.
    #[serde(default)]
    pub body: Option<Node>,
}

/// What is expected. What is not written is not looked at.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// Whether it is permitted.
    #[serde(default)]
    pub outcome: Option<ExpectedOutcome>,
    /// The status of the answer to a denial; 200 for what is permitted.
    #[serde(default)]
    pub status: Option<u16>,
    /// The rule that takes it, by id; empty for none.
    #[serde(default)]
    pub rule: Option<String>,
    /// The reason of a denial, as in audit records.
    #[serde(default)]
    pub reason: Option<String>,
    /// The handler that denies.
    #[serde(default)]
    pub handler: Option<String>,
    /// Who asks, once that is known.
    #[serde(default)]
    pub subject: Option<String>,
    /// Header fields of the answer: to a denial, or of the decision API.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// What is sent upstream.
    #[serde(default)]
    pub upstream: Option<ExpectedUpstream>,
    /// Calls of side services, as `GET http://host/path`, in order.
    #[serde(default)]
    pub calls: Option<Vec<String>>,
}

/// Whether a request is permitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpectedOutcome {
    /// It is.
    Allowed,
    /// It is not.
    Denied,
}

/// What is sent upstream.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedUpstream {
    /// The method.
    #[serde(default)]
    pub method: Option<String>,
    /// Scheme, host, path, query.
    #[serde(default)]
    pub url: Option<String>,
    /// Header fields with their values.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Header fields that are there, with whatever value.
    #[serde(default)]
    pub present: Vec<String>,
    /// Header fields that are not there.
    #[serde(default)]
    pub absent: Vec<String>,
}

impl TestFile {
    /// Reads a file. Finds what could not be tested: no tests, tests that expect nothing.
    pub fn read(path: &Path) -> Result<Self, Diagnostic> {
        let source = path.display().to_string();
        let node = text_file::read(path, "the tests", |text| yaml::parse(text, &source, Dialect::Core))?;
        let file: TestFile = decode(&node)?;
        if file.tests.is_empty() {
            return Err(Diagnostic::error("`tests` is empty").at(&Origin::whole(source)));
        }
        Ok(file)
    }
}

impl TestCase {
    /// What is expected.
    pub fn expectation(&self) -> Result<Expectation, Diagnostic> {
        let is_empty = matches!(&self.expect.value, keyward_core::document::Value::Map(entries) if entries.is_empty());
        if is_empty {
            let finding = Diagnostic::error(format!("the test `{}` expects nothing", self.name));
            return Err(finding.at(&self.expect.origin).hint("write at least `outcome: allowed` or `outcome: denied`"));
        }
        let expectation: Expectation = decode(&self.expect)?;
        let known = |reason: &str| Reason::ALL.iter().any(|known| known.as_str() == reason);
        match expectation.reason.as_deref() {
            // What is permitted has none.
            None | Some("") => Ok(expectation),
            Some(reason) if known(reason) => Ok(expectation),
            Some(reason) => {
                let all: Vec<String> = Reason::ALL.iter().map(|known| format!("`{}`", known.as_str())).collect();
                let finding = Diagnostic::error(format!("the test `{}`: there is no reason `{reason}`", self.name));
                Err(finding.at(self.expect.origin_of("reason")).hint(format!("reasons are {}", all.join(", "))))
            }
        }
    }
}
