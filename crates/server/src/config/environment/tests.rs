use super::*;
use keyward_core::diagnostic::Severity;
use keyward_core::document::to_json;
use serde_json::{Value as Json, json};

fn base() -> Json {
    json!({"mutators": {"header": {"config": {"headers": {"X-B": "c"}}}}, "access_rules": {"repositories": ["file://a"]}})
}

fn applied(base: &Json, variables: &[(&str, &str)]) -> (Node, Vec<Diagnostic>) {
    let mut node = Node::from_json(base, "file");
    let variables: Vec<_> = variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let findings = apply(&mut node, &variables);
    (node, findings)
}

/// Rows of serving spec 2.3, [T] and [S], and what it leaves open.
#[test]
fn variables_name_paths_and_are_read_by_type() {
    let rows = [
        ("SERVE_PROXY_PORT", "1234", "serve.proxy.port", json!(1234)),
        ("serve_proxy_port", "1234", "serve.proxy.port", json!(1234)),
        ("AUTHENTICATORS_NOOP_ENABLED", "1", "authenticators.noop.enabled", json!(true)),
        ("ACCESS_RULES_REPOSITORIES", "inline://W10=", "access_rules.repositories", json!(["inline://W10="])),
        (
            "ACCESS_RULES_REPOSITORIES",
            "file://a,file://b",
            "access_rules.repositories",
            json!(["file://a", "file://b"]),
        ),
        (
            "ACCESS_RULES_REPOSITORIES",
            "\"file://a,b\", file://c",
            "access_rules.repositories",
            json!(["file://a,b", "file://c"]),
        ),
        ("ACCESS_RULES_REPOSITORIES", "\"file://\"\"a\"\"\"", "access_rules.repositories", json!(["file://\"a\""])),
        ("ACCESS_RULES_REPOSITORIES", "[\"file://z\"]", "access_rules.repositories", json!(["file://z"])),
        ("ACCESS_RULES_REPOSITORIES", "[]", "access_rules.repositories", json!([])),
        ("ACCESS_RULES_REPOSITORIES_0", "file://z", "access_rules.repositories", json!(["file://z"])),
        ("ACCESS_RULES_REPOSITORIES_1", "file://z", "access_rules.repositories", json!(["file://a", "file://z"])),
        (
            "AUTHENTICATORS_JWT_CONFIG_SCOPE_STRATEGY",
            "exact",
            "authenticators.jwt.config.scope_strategy",
            json!("exact"),
        ),
        (
            "AUTHENTICATORS_JWT_CONFIG_JWKS_URLS_0",
            "http://k",
            "authenticators.jwt.config.jwks_urls",
            json!(["http://k"]),
        ),
        ("AUTHENTICATORS_JWT_CONFIG", "{\"jwks_ttl\":\"5s\"}", "authenticators.jwt.config", json!({"jwks_ttl": "5s"})),
        ("AUTHENTICATORS_JWT", "{\"enabled\":true}", "authenticators.jwt", json!({"enabled": true})),
        (
            "AUTHENTICATORS_OAUTH2_INTROSPECTION_CONFIG_TOKEN_FROM_HEADER",
            "X-T",
            "authenticators.oauth2_introspection.config.token_from",
            json!({"header": "X-T"}),
        ),
        (
            "AUTHENTICATORS_JWT_CONFIG_TOKEN_FROM_COOKIE",
            "sid",
            "authenticators.jwt.config.token_from",
            json!({"cookie": "sid"}),
        ),
        (
            "AUTHENTICATORS_BEARER_TOKEN_CONFIG_TOKEN_FROM_QUERY_PARAMETER",
            "t",
            "authenticators.bearer_token.config.token_from",
            json!({"query_parameter": "t"}),
        ),
        (
            "AUTHENTICATORS_JWT_CONFIG_TOKEN_FROM",
            "{\"header\":\"X\"}",
            "authenticators.jwt.config.token_from",
            json!({"header": "X"}),
        ),
        (
            "AUTHENTICATORS_OAUTH2_INTROSPECTION_CONFIG_TOKEN_FROM_HEADER",
            "X-T",
            "authenticators.oauth2_introspection.config.token_from",
            json!({"header": "X-T"}),
        ),
        (
            "AUTHENTICATORS_JWT_CONFIG_TOKEN_FROM_COOKIE",
            "sid",
            "authenticators.jwt.config.token_from",
            json!({"cookie": "sid"}),
        ),
        (
            "AUTHENTICATORS_BEARER_TOKEN_CONFIG_TOKEN_FROM_QUERY_PARAMETER",
            "t",
            "authenticators.bearer_token.config.token_from",
            json!({"query_parameter": "t"}),
        ),
        (
            "AUTHENTICATORS_JWT_CONFIG_TOKEN_FROM",
            "[{\"header\":\"X\"}]",
            "authenticators.jwt.config.token_from",
            json!([{"header": "X"}]),
        ),
        (
            "MUTATORS_HEADER_CONFIG_HEADERS",
            "{\"X-A\":\"b\"}",
            "mutators.header.config.headers",
            json!({"X-B": "c", "X-A": "b"}),
        ),
        ("ERRORS_FALLBACK", "redirect", "errors.fallback", json!(["redirect"])),
        ("LOG_LEVEL", "debug", "log.level", json!("debug")),
        ("LOG", "{\"level\":\"debug\"}", "log", json!({"level": "debug"})),
        ("ACCESS_RULES_MATCHING_STRATEGY", "glob", "access_rules.matching_strategy", json!("glob")),
        (
            "TRACING_PROVIDERS_OTLP_SAMPLING_SAMPLING_RATIO",
            "0.5",
            "tracing.providers.otlp.sampling.sampling_ratio",
            json!(0.5),
        ),
        ("SERVE_API_CORS_ALLOWED_METHODS", "POST", "serve.api.cors.allowed_methods", json!(["POST"])),
        ("ISSUER_CLIENTS", "[{\"id\":\"a\"}]", "issuer.clients", json!([{"id": "a"}])),
    ];
    for (name, text, path, expected) in rows {
        let (node, findings) = applied(&base(), &[(name, text)]);
        assert_eq!(findings, [], "{name}");
        assert_eq!(node.get(path).map(to_json), Some(expected), "{name}={text}");
    }
    let others = [("PATH", "/bin"), ("MUTATORS_HEADER_CONFIG_HEADERS_X_USER", "x"), ("HOME", "/")];
    let (node, findings) = applied(&base(), &others);
    assert!(findings.is_empty() && to_json(&node) == base());
}

#[test]
fn wholes_come_before_their_parts_however_the_environment_is_ordered() {
    let variables = [
        ("ACCESS_RULES_REPOSITORIES_10", "k"),
        ("ACCESS_RULES_REPOSITORIES_2", "c"),
        ("ACCESS_RULES_REPOSITORIES_1", "b"),
        ("ACCESS_RULES_REPOSITORIES", "a"),
        ("LOG_LEVEL", "warn"),
        ("LOG", "{\"level\":\"info\",\"format\":\"json\"}"),
    ];
    let (node, findings) = applied(&base(), &variables);
    assert_eq!(node.get("access_rules.repositories").map(to_json), Some(json!(["a", "b", "c"])));
    assert_eq!(node.get("log").map(to_json), Some(json!({"level": "warn", "format": "json"})));
    let said: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("there is no element before number 10: the list has 3"), "{said:?}");
}

#[test]
fn values_that_cannot_be_read_name_their_variable() {
    for (name, text) in [
        ("SERVE_PROXY_PORT", "abc"),
        ("SERVE_PROXY_PORT", ""),
        ("AUTHENTICATORS_NOOP_ENABLED", "maybe"),
        ("MUTATORS_HEADER_CONFIG_HEADERS", "x"),
        ("MUTATORS_HEADER_CONFIG", "x"),
        ("SERVE_PROXY_HOST", "\u{fffd}"),
        ("ACCESS_RULES_REPOSITORIES", ""),
        ("ACCESS_RULES_REPOSITORIES", "a,,b"),
        ("ACCESS_RULES_REPOSITORIES", "a\nb"),
        ("ACCESS_RULES_REPOSITORIES", "[a"),
        ("AUTHENTICATORS_JWT_CONFIG_TOKEN_FROM", "x"),
        ("TRACING_PROVIDERS_OTLP_SAMPLING_SAMPLING_RATIO", "half"),
    ] {
        let (_, findings) = applied(&json!({}), &[(name, text)]);
        let expected = format!("environment variable `{name}`: error: expected");
        assert!(
            findings.first().is_some_and(|one| one.to_string().starts_with(&expected)),
            "{name}={text}: {findings:?}"
        );
    }
}

/// W30: an environment is shared with software that knows nothing of this one.
#[test]
fn variables_of_others_do_not_stop_anything() {
    let variables = [
        ("VERSION", "1.2.3"),
        ("PROFILING", "mutex"),
        ("LOG", "debug"),
        ("SERVE", "x"),
        ("ERRORS", "x"),
        ("TRACING", "x"),
        ("AUDIT", "yes"),
        ("ISSUER", "https://issuer.example.com"),
        ("ISSUER_URL", "https://issuer.example.com"),
        ("ISSUER_PORT", "tcp://10.0.0.1:80"),
        ("SECRETS", "/run/secrets"),
    ];
    for (name, text) in variables {
        let (node, findings) = applied(&base(), &[(name, text)]);
        assert!(findings.iter().all(|finding| finding.severity == Severity::Warning), "{name}: {findings:?}");
        assert_eq!(to_json(&node), base(), "{name}");
    }
    let both = [("ISSUER_URL", "https://i"), ("ISSUER_INSECURE_OPEN", "true")];
    let (node, findings) = applied(&json!({}), &both);
    assert!(findings.is_empty());
    assert_eq!(node.get("issuer").map(to_json), Some(json!({"insecure_open": true, "url": "https://i"})));
    let with_issuer = json!({"issuer": {"insecure_open": true}});
    let (node, findings) = applied(&with_issuer, &[("ISSUER_URL", "https://issuer.example.com")]);
    assert!(findings.is_empty());
    assert_eq!(node.get("issuer.url").map(to_json), Some(json!("https://issuer.example.com")));
}

#[test]
fn a_variable_that_nearly_names_a_setting_is_warned_of() {
    // (name, the name that it misses)
    let rows = [
        ("SERVE_PROXY_PROT", Some("SERVE_PROXY_PORT")),
        ("SERVE_PROXY_PORTS", Some("SERVE_PROXY_PORT")),
        ("ACCESS_RULES_REPOSITORY", None),
        ("ACCESS_RULES_REPOSITORES", Some("ACCESS_RULES_REPOSITORIES")),
        ("authenticators_jwt_enable", Some("AUTHENTICATORS_JWT_ENABLED")),
        ("SERVE_PORT_80_TCP_ADDR", None),
        ("LOG_LEVELS", None),
        ("PATH", None),
        ("SERVÉ_PROXY_PORT", None),
    ];
    for (name, expected) in rows {
        let (_, findings) = applied(&base(), &[(name, "1")]);
        let hints: Vec<_> = findings.iter().filter_map(|finding| finding.hint.clone()).collect();
        let expected: Vec<_> = expected.map(|name| format!("did you mean `{name}`?")).into_iter().collect();
        assert_eq!(hints, expected, "{name}");
        assert!(findings.iter().all(|finding| finding.severity == Severity::Warning), "{name}");
    }
}
