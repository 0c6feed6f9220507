//! The part of Kubernetes that Vault asks: reviews of the tokens of service accounts
//! (<https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-review-v1/>).

use std::io::{BufReader, Write};
use std::net::TcpStream;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::exchange::Answer;
use crate::scripted::upstream;
use crate::wire::read_request;

/// The namespace of every account.
pub(super) const NAMESPACE: &str = "default";

/// The token of an account of this name, signed by nobody. It lives until the year 2100.
pub(super) fn account_token(account: &str) -> String {
    let claims = json!({
        "iss": "https://kubernetes.default.svc",
        "sub": format!("system:serviceaccount:{NAMESPACE}:{account}"),
        "iat": 1_764_000_000,
        "exp": 4_102_444_800_u64,
        "kubernetes.io": {"namespace": NAMESPACE, "serviceaccount": {"name": account, "uid": uid(account)}},
    });
    let encode = |part: &str| URL_SAFE_NO_PAD.encode(part);
    format!(
        "{}.{}.{}",
        encode("{\"alg\":\"RS256\",\"typ\":\"JWT\"}"),
        encode(&claims.to_string()),
        encode("no signature")
    )
}

fn uid(account: &str) -> String {
    format!("uid-of-{account}")
}

/// Starts one that knows every such token. The URL.
pub(super) fn start() -> String {
    let port = upstream(|mut stream: TcpStream| {
        let Ok(Some(request)) = read_request(&mut BufReader::new(&stream)) else { return };
        let review: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let shown = review["spec"]["token"].as_str().unwrap_or_default();
        let account = ["keyward", "stranger"].into_iter().find(|account| account_token(account) == shown);
        let status = match account {
            Some(account) => json!({"authenticated": true, "user": {
                "username": format!("system:serviceaccount:{NAMESPACE}:{account}"),
                "uid": uid(account),
                "groups": ["system:serviceaccounts", "system:authenticated"],
            }}),
            None => json!({"authenticated": false}),
        };
        let body = json!({"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "status": status});
        let _ = stream.write_all(&Answer::new(201, body).bytes());
    });
    format!("http://127.0.0.1:{port}")
}
