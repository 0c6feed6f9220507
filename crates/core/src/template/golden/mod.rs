//! Functions, methods, formatting and the language itself against what the reference's own libraries answer.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value as Json;

use crate::credential::{Absent, NamedSecret};
use crate::members::Members;
use crate::ports::{Clock, Random, SecretSource};
use crate::secret::Secret;
use crate::template::{Template, TemplateData};

/// Templates with what Go's libraries make of them: an output, or an error of any wording.
const GOLDEN: &[(&str, &str)] = &[
    ("strings", include_str!("functions_strings.json")),
    ("case", include_str!("functions_case.json")),
    ("split", include_str!("functions_split.json")),
    ("conversion", include_str!("functions_conversion.json")),
    ("math", include_str!("functions_math.json")),
    ("defaults", include_str!("functions_defaults.json")),
    ("json", include_str!("functions_json.json")),
    ("reflection", include_str!("functions_reflection.json")),
    ("paths", include_str!("functions_paths.json")),
    ("encoding", include_str!("functions_encoding.json")),
    ("lists", include_str!("functions_lists.json")),
    ("dicts", include_str!("functions_dicts.json")),
    ("regex", include_str!("functions_regex.json")),
    ("semver", include_str!("functions_semver.json")),
    ("flow", include_str!("functions_flow.json")),
    ("dates", include_str!("functions_dates.json")),
    ("urls", include_str!("functions_urls.json")),
    ("methods", include_str!("methods.json")),
    ("printf", include_str!("functions_printf.json")),
    ("literals", include_str!("literals.json")),
    ("complex", include_str!("complex.json")),
    ("language", include_str!("language.json")),
    ("crypto", include_str!("functions_crypto.json")),
];

pub(super) struct Fixed;

impl SecretSource for Fixed {
    fn env(&self, _: &str) -> Option<Secret> {
        None
    }

    fn secret(&self, _: &str) -> Result<NamedSecret, Absent> {
        Err(Absent { cause: "there is none".to_owned(), remedy: None })
    }
}

impl Clock for Fixed {
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn unix(&self) -> Duration {
        Duration::from_secs(1_721_822_536)
    }
}

impl Random for Fixed {
    fn fill(&self, bytes: &mut [u8]) {
        aws_lc_rs::rand::fill(bytes).unwrap();
    }
}

fn headers(json: &Json) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, values) in json.as_object().into_iter().flatten() {
        for value in values.as_array().unwrap() {
            let name: HeaderName = name.parse().unwrap();
            map.append(name, HeaderValue::from_str(value.as_str().unwrap()).unwrap());
        }
    }
    map
}

fn render(text: &str, session: &Json) -> Result<String, String> {
    let header = headers(&session["Header"]);
    let request_header = headers(&serde_json::json!({"X-Foo": ["bar", "baz"]}));
    let captures = ["one".to_owned(), "two".to_owned()];
    let (clock, random): (Arc<dyn Clock>, Arc<dyn Random>) = (Arc::new(Fixed), Arc::new(Fixed));
    let template = Template::compile(text, &Fixed, &clock, &random).map_err(|error| error.to_string())?;
    let extra = session["Extra"].as_object().cloned().map(Members::from);
    let data = TemplateData {
        subject: session["Subject"].as_str().unwrap_or_default(),
        extra: extra.as_ref(),
        header: &header,
        captures: &captures,
        method: "GET",
        scheme: "http",
        host: "example.com:8080",
        path: "/a/b%20c",
        raw_query: "x=1&y=2",
        force_query: false,
        request_header: &request_header,
    };
    let mut out = String::new();
    template.render(&data, &mut out).map_err(|error| error.to_string())?;
    Ok(out)
}

#[test]
fn templates_answer_as_the_reference_does() {
    let (mut rows, mut wrong) = (0, Vec::new());
    for (subject, text) in GOLDEN {
        let golden: Json = serde_json::from_str(text).unwrap();
        for row in golden["rows"].as_array().unwrap() {
            let template = row["template"].as_str().unwrap();
            let session = if row["session"] == true { &golden["session"] } else { &Json::Null };
            let got = render(template, session);
            if got.as_ref().ok().map(String::as_str) != row["output"].as_str() {
                wrong.push(format!("{subject}: {template}\n  want {:?}\n  got  {got:?}", row["output"].as_str()));
            }
            rows += 1;
        }
    }
    assert!(rows > 5000);
    assert!(wrong.is_empty(), "{} of {rows} rows differ:\n{}", wrong.len(), wrong.join("\n"));
}
