//! Others that can do this job, with the least of it that callers would notice: they verify the RS256 token and its
//! scope, take it away, and put the credential in. They write no records and count nothing.

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use keyward_testkit::ports::free_port;
use serde_json::{Value, json};

use super::machine;
use super::process::Server;
use super::setup::{PROXY_CORE, Stage};

/// One of them.
pub(super) struct Other {
    /// In the table.
    pub(super) title: &'static str,
    /// Its program, looked for in `PATH`.
    pub(super) program: &'static str,
    start: fn(&Stage, PathBuf) -> Result<Server, String>,
}

pub(super) const OTHERS: [Other; 2] = [
    Other { title: "HAProxy, jwt_verify", program: "haproxy", start: haproxy },
    Other { title: "Envoy, jwt_authn cached", program: "envoy", start: envoy },
];

impl Other {
    /// Starts it, where it is installed.
    pub(super) fn start(&self, stage: &Stage) -> Result<Option<Server>, String> {
        machine::find(self.program).map(|program| (self.start)(stage, program)).transpose()
    }
}

fn haproxy(stage: &Stage, program: PathBuf) -> Result<Server, String> {
    let port = free_port();
    let key = stage.write("public.pem", &public_key_pem(&stage.public_key()?)?)?;
    let configuration = format!(
        "global\n  nbthread 1\n  maxconn 5200\n\
         defaults\n  mode http\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n  http-reuse always\n\
         frontend callers\n  bind 127.0.0.1:{port}\n  \
         http-request set-var(txn.token) http_auth_bearer\n  \
         http-request set-var(txn.alg) var(txn.token),jwt_header_query('$.alg')\n  \
         http-request set-var(txn.exp) var(txn.token),jwt_payload_query('$.exp','int')\n  \
         http-request deny deny_status 401 unless {{ var(txn.alg) -m str RS256 }}\n  \
         http-request deny deny_status 401 unless {{ var(txn.token),jwt_verify(txn.alg,\"{key}\") 1 }}\n  \
         http-request deny deny_status 401 unless {{ var(txn.token),jwt_payload_query('$.iss') -m str {ISSUER} }}\n  \
         http-request deny deny_status 401 if {{ date,sub(txn.exp) ge 0 }}\n  \
         http-request deny deny_status 403 unless {{ var(txn.token),jwt_payload_query('$.scope') -m str jira:read }}\n  \
         http-request set-header Authorization \"{CREDENTIAL}\"\n  \
         http-request replace-path /jira(/.*) \\1\n  default_backend upstream\n\
         backend upstream\n  server one 127.0.0.1:{upstream}\n",
        key = key.display(),
        upstream = stage.upstream_port(),
    );
    let file = stage.write("haproxy.cfg", &configuration)?;
    let arguments = ["-db", "-f"].map(str::to_owned).into_iter().chain([file.display().to_string()]);
    Server::start("haproxy", PROXY_CORE, port, [program.display().to_string()].into_iter().chain(arguments).collect())
}

fn envoy(stage: &Stage, program: PathBuf) -> Result<Server, String> {
    let port = free_port();
    let address = |port: u16| json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
    let keys = json!({"keys": [stage.public_key()?]}).to_string();
    let token_filter = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
        "providers": {"issuer": {
            "issuer": ISSUER,
            "audiences": ["oathkeeper-proxy"],
            "local_jwks": {"inline_string": keys},
            "jwt_cache_config": {"jwt_cache_size": 4000},
            "payload_in_metadata": "claims",
        }},
        "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "issuer"}}],
    });
    let has_scope = json!({"metadata": {
        "filter": "envoy.filters.http.jwt_authn",
        "path": [{"key": "claims"}, {"key": "scope"}],
        "value": {"string_match": {"exact": "jira:read"}},
    }});
    let scope_filter = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
        "rules": {"action": "ALLOW", "policies": {"scope": {"permissions": [{"any": true}], "principals": [has_scope]}}},
    });
    let router = json!({"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"});
    let filter = |name: &str, config: &Value| json!({"name": name, "typed_config": config});
    let route = json!({
        "match": {"prefix": "/jira/"},
        "route": {"cluster": "upstream", "prefix_rewrite": "/"},
        "request_headers_to_add": [{
            "header": {"key": "Authorization", "value": CREDENTIAL},
            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
        }],
    });
    let manager = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "callers",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [
            filter("envoy.filters.http.jwt_authn", &token_filter),
            filter("envoy.filters.http.rbac", &scope_filter),
            filter("envoy.filters.http.router", &router),
        ],
    });
    let endpoint = json!({"endpoint": {"address": address(stage.upstream_port())}});
    let configuration = json!({"static_resources": {
        "listeners": [{
            "address": address(port),
            "filter_chains": [{"filters": [filter("envoy.filters.network.http_connection_manager", &manager)]}],
        }],
        "clusters": [{
            "name": "upstream",
            "type": "STATIC",
            "load_assignment": {"cluster_name": "upstream", "endpoints": [{"lb_endpoints": [endpoint]}]},
        }],
    }});
    let file = stage.write("envoy.json", &configuration.to_string())?;
    let (program, file) = (program.display().to_string(), file.display().to_string());
    let options = ["--concurrency", "1", "--disable-hot-restart", "--log-level", "error"];
    let arguments = [program.as_str(), "-c", &file].into_iter().chain(options);
    Server::start("envoy", PROXY_CORE, port, arguments.map(str::to_owned).collect())
}

const ISSUER: &str = "http://token-issuer:8080";
/// What callers do not have.
const CREDENTIAL: &str = "Basic YmVuY2g6bWFyaw==";

/// A public RSA key as X.509 has it (RFC 5280 section 4.1.2.7, RFC 8017 appendix A.1.1).
fn public_key_pem(key: &Value) -> Result<String, String> {
    let number = |name: &str| {
        let bytes = key[name].as_str().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        // A leading nought keeps it positive.
        bytes.map(|bytes| element(0x02, &[&[0], &*bytes].concat())).ok_or_else(|| format!("the key has no `{name}`"))
    };
    let key = element(0x30, &[number("n")?, number("e")?].concat());
    let encryption = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
    let info = element(0x30, &[element(0x30, &encryption), element(0x03, &[&[0], &*key].concat())].concat());
    Ok(format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(info)))
}

/// An element of DER (X.690 section 8.1).
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let length: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
    let head = match length[..] {
        [short] if short < 0x80 => vec![tag, short],
        _ => [&[tag, 0x80 | length.len() as u8], &*length].concat(),
    };
    [head, content.to_vec()].concat()
}
