//! Runs the tests of a file against the rules of a configuration.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use jiff::Timestamp;
use keyward_core::diagnostic::Diagnostic;
use keyward_core::document::{Value, to_json};
use keyward_core::ports::UnixTime;

use super::compare::{Mismatch, compare};
use super::token::{TestKeys, signing_set};
use super::{ServiceFile, TestCase, TestFile};
use crate::config::settings::Settings;
use crate::explain::World;
use crate::explain::keys::OfflineKeys;
use crate::explain::request::{Asked, Wanted};
use crate::explain::side::{Scripted, ScriptedSide};
use crate::explain::verdict::judge;
use crate::snapshot::Built;

/// What a test came to.
pub struct CaseResult {
    /// Its name.
    pub name: String,
    /// Where it is not as expected; empty when it passed.
    pub mismatches: Vec<Mismatch>,
}

/// Runs every test, in order. The error is what keeps the file or the configuration from being used at all.
pub async fn run(file: &TestFile, settings: &Settings) -> Result<Vec<CaseResult>, Vec<Diagnostic>> {
    let one = |problem: Diagnostic| vec![problem];
    let now = now(file).map_err(one)?;
    let keys = TestKeys::for_tokens_of(file).map_err(one)?;
    let world = |script| {
        Ok(World {
            keys: Arc::new(OfflineKeys::new(keys.set(), Some(signing_set()?))),
            side: Arc::new(ScriptedSide::new(script)),
            env: file.env.clone(),
            secrets: file.secrets.clone(),
            now,
        })
    };
    let usual = world(Vec::new()).map_err(one)?;
    let built = usual.compile(settings).map_err(one)?;
    if let Some(unread) = built.unread.first() {
        return Err(vec![unread.clone()]);
    }
    let mut results = Vec::new();
    for test in &file.tests {
        let expectation = test.expectation().map_err(one)?;
        let asked = asked(test, &keys, now).map_err(|problem| {
            vec![Diagnostic::error(format!("the test `{}`: {problem}", test.name)).at(&test.expect.origin)]
        })?;
        // What services answered must not be remembered from one test to the next.
        let own: Option<(World, Built)> = match test.services.is_empty() {
            true => None,
            false => {
                let world = world(script(test).map_err(one)?).map_err(one)?;
                let built = world.compile(settings).map_err(one)?;
                Some((world, built))
            }
        };
        let (world, built) = own.as_ref().map_or((&usual, &built), |(world, built)| (world, built));
        let verdict = judge(asked, &built.snapshot, world).await;
        results.push(CaseResult { name: test.name.clone(), mismatches: compare(&expectation, &verdict) });
    }
    Ok(results)
}

fn now(file: &TestFile) -> Result<UnixTime, Diagnostic> {
    match &file.now {
        Some(text) => text.parse::<Timestamp>().map(|time| UnixTime(time.as_second())).map_err(|_| {
            Diagnostic::error(format!("`now`: `{text}` is no time")).hint("write it as `2026-01-31T12:00:00Z`")
        }),
        None => {
            let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            Ok(UnixTime(i64::try_from(since.as_secs()).unwrap_or(i64::MAX)))
        }
    }
}

fn asked(test: &TestCase, keys: &TestKeys, now: UnixTime) -> Result<Asked, String> {
    const TOKEN: &str = "${token}";
    let request = &test.request;
    let token = request.token.as_ref().map(|token| keys.sign(token, now)).transpose()?;
    let places_it = request.url.contains(TOKEN) || request.headers.values().any(|value| value.contains(TOKEN));
    let fill = |text: &str| token.as_deref().map_or_else(|| text.to_owned(), |token| text.replace(TOKEN, token));
    let mut headers: Vec<(String, String)> =
        request.headers.iter().map(|(name, value)| (name.clone(), fill(value))).collect();
    if let (Some(token), false) = (&token, places_it) {
        headers.push(("Authorization".to_owned(), format!("Bearer {token}")));
    }
    let asked = Asked::of(&Wanted {
        method: request.method.clone().unwrap_or_else(|| "GET".to_owned()),
        url: fill(&request.url),
        headers,
        body: Bytes::from(request.body.clone().unwrap_or_default()),
    })?;
    Ok(match request.peer {
        Some(peer) => asked.from_peer(peer),
        None => asked,
    })
}

fn script(test: &TestCase) -> Result<Vec<Scripted>, Diagnostic> {
    let one = |service: &ServiceFile| {
        let refuse = |what: String| {
            Diagnostic::error(format!("the test `{}`, `services`: {what}", test.name)).at(&test.expect.origin)
        };
        let method = service.method.as_deref().map(|name| Method::from_bytes(name.as_bytes()));
        let method = method.transpose().map_err(|_| refuse("`method` is not a method".to_owned()))?;
        let status = service.status.unwrap_or(200);
        let status = StatusCode::from_u16(status).map_err(|_| refuse(format!("{status} is not a status")))?;
        let mut headers = HeaderMap::new();
        for (name, value) in &service.headers {
            let parsed = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value));
            let (Ok(name), Ok(value)) = parsed else {
                return Err(refuse(format!("`{name}` is not a header field")));
            };
            headers.append(name, value);
        }
        let body = match service.body.as_ref().map(|node| (&node.value, node)) {
            None | Some((Value::Null, _)) => Bytes::new(),
            Some((Value::String(text), _)) => Bytes::from(text.clone()),
            Some((_, node)) => {
                headers.entry("content-type").or_insert(HeaderValue::from_static("application/json"));
                Bytes::from(to_json(node).to_string())
            }
        };
        Ok(Scripted { method, url: service.url.clone(), status, headers, body })
    };
    test.services.iter().map(one).collect()
}
