//! The calls of the demo: printed to be tried, or made and judged.

use std::path::Path;

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use keyward_core::jwt::generate::generate;
use keyward_core::jwt::sign::SigningKey;
use keyward_server::issuer::routes::now;
use keyward_server::issuer::token::{TokenRequest, sign};
use serde_json::Value;
use tokio::net::TcpStream;

use super::demo::{JIRA_BASIC_AUTH, Ports};
use crate::output::print;

pub(super) fn instructions(ports: Ports) -> String {
    let Ports { proxy, issuer, api, .. } = ports;
    format!(
        "\nKeyward is serving. In another terminal:\n\n\
         1. Get a token (the demo's issuer gives one to anybody)\n\n\
         TOKEN=$(curl -s -X POST 'http://localhost:{issuer}/token?sub=ci&scope=jira:read' | \
         sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/')\n\n\
         2. Call \"Jira\" with it. The echo shows what Jira would have seen: the credential, not the token\n\n\
         curl -s -H \"Authorization: Bearer $TOKEN\" http://localhost:{proxy}/jira/rest/api/2/issue/DEMO-1\n\n\
         3. Call it without: 401\n\n\
         curl -si http://localhost:{proxy}/jira/rest/api/2/issue/DEMO-1\n\n\
         Health, rules and metrics: http://localhost:{api}/health/ready, /rules, /metrics. End with Ctrl-C.\n\n"
    )
}

/// One call and what must come of it.
struct Call {
    name: &'static str,
    method: Method,
    path: &'static str,
    token: Option<String>,
    expected: u16,
}

/// Makes every call; says which were answered wrongly.
pub(super) async fn make(ports: Ports, key: &SigningKey) -> bool {
    let calls = match calls(ports, key).await {
        Ok(calls) => calls,
        Err(problem) => {
            print(&format!("FAILED the issuer gave no token: {problem}\n"));
            return false;
        }
    };
    let mut right = true;
    for call in calls {
        let wrong = match ask(ports.proxy, &call.method, call.path, call.token.as_deref()).await {
            Ok((status, _)) if status != call.expected => Some(format!("status {status}, expected {}", call.expected)),
            Ok((200, body)) => judge_echo(&body, call.token.as_deref().unwrap_or_default()).err(),
            Ok(_) => None,
            Err(problem) => Some(problem),
        };
        match wrong {
            None => print(&format!("ok     {} -> {}\n", call.name, call.expected)),
            Some(problem) => {
                print(&format!("FAILED {}: {problem}\n", call.name));
                right = false;
            }
        }
    }
    right
}

async fn calls(ports: Ports, key: &SigningKey) -> Result<Vec<Call>, String> {
    const PATH: &str = "/jira/rest/api/2/issue/DEMO-1";
    let issued = issued(ports.issuer, "sub=ci&scope=jira:read").await?;
    let other_scope = issued_for_scope(ports.issuer, "okta:users:write").await?;
    let expired = issued_with_ttl(ports.issuer, -60).await?;
    let forger = generate("RS256", key.key_id(), 0)?.to_string();
    let forger = SigningKey::read(forger.as_bytes(), None, None).map_err(|error| error.to_string())?;
    let signed = |key: &SigningKey, audience: &str| {
        let request = TokenRequest {
            issuer: "http://token-issuer:8080".to_owned(),
            subject: "ci".to_owned(),
            audience: audience.to_owned(),
            scope: "jira:read".to_owned(),
            ttl: 900,
        };
        sign(key, &request, now()).map_err(|error| error.to_string())
    };
    let call = |name, method, path, token, expected| Call { name, method, path, token, expected };
    let good = || Some(issued.clone());
    Ok(vec![
        call("a good token; the echo saw the credential, not the token", Method::GET, PATH, good(), 200),
        call("the same with POST", Method::POST, PATH, good(), 200),
        call("no token", Method::GET, PATH, None, 401),
        call("an expired token", Method::GET, PATH, Some(expired), 401),
        call("a token with another scope", Method::GET, PATH, Some(other_scope), 401),
        call("a token for another audience", Method::GET, PATH, Some(signed(key, "other-service")?), 401),
        call("a forged signature", Method::GET, PATH, Some(signed(&forger, "oathkeeper-proxy")?), 401),
        call("a method that the rule does not name", Method::DELETE, PATH, good(), 404),
        call("a path that no rule names", Method::GET, "/okta/api/v1/users", good(), 404),
        call("a path that leaves the rule's prefix", Method::GET, "/jira/%2e%2e/okta", good(), 404),
    ])
}

/// The echo must have seen the credential exactly, the stripped path, and no trace of the token.
fn judge_echo(body: &[u8], token: &str) -> Result<(), String> {
    let seen: Value = serde_json::from_slice(body).map_err(|error| format!("the echo is not JSON: {error}"))?;
    let expected = format!("Basic {JIRA_BASIC_AUTH}");
    if seen["headers"]["authorization"] != expected.as_str() {
        return Err("the echo did not see the credential".to_owned());
    }
    if seen["headers"]["host"] != "echo-server" {
        return Err(format!("the echo saw host {}", seen["headers"]["host"]));
    }
    if seen["path"] != "/rest/api/2/issue/DEMO-1" {
        return Err(format!("the echo saw path {}", seen["path"]));
    }
    if seen.to_string().contains(token) {
        return Err("the echo saw the token".to_owned());
    }
    Ok(())
}

/// One record per call, each one line of JSON, none with a credential.
pub(super) fn check_audit(path: &Path) -> bool {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let records: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let allowed = records.iter().filter(|record| record["outcome"] == "allowed").count();
    let scope = records.iter().any(|record| record["reason"] == "insufficient_scope");
    let secret = text.contains(JIRA_BASIC_AUTH) || text.contains("eyJ");
    let right = records.len() == 10 && allowed == 2 && scope && !secret;
    let word = if right { "ok    " } else { "FAILED" };
    print(&format!("{word} the audit log: {} records, {allowed} allowed, no credential\n", records.len()));
    right
}

async fn issued_for_scope(port: u16, scope: &str) -> Result<String, String> {
    issued(port, &format!("sub=ci&scope={scope}")).await
}

async fn issued_with_ttl(port: u16, ttl: i32) -> Result<String, String> {
    issued(port, &format!("sub=ci&ttl={ttl}")).await
}

async fn issued(port: u16, query: &str) -> Result<String, String> {
    let (status, body) = ask(port, &Method::POST, &format!("/token?{query}"), None).await?;
    let answer: Value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
    answer["access_token"].as_str().map(str::to_owned).ok_or_else(|| format!("status {status}"))
}

async fn ask(port: u16, method: &Method, path: &str, token: Option<&str>) -> Result<(u16, Bytes), String> {
    let stream = TcpStream::connect(Ports::local(port)).await.map_err(|error| error.to_string())?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(path).header(header::HOST, format!("localhost:{port}"));
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let request = request.body(Full::<Bytes>::default()).map_err(|error| error.to_string())?;
    let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
    Ok((status, body))
}
