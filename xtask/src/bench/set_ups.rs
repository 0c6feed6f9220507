//! The ways to serve the load that are measured beside nginx. Each does everything else as well: scopes
//! where credentials have them, injection, audit records to a file, metrics.

use super::side::Asks;

/// One of them, a row of the table.
pub(super) struct SetUp {
    pub(super) title: &'static str,
    /// Its files.
    pub(super) name: &'static str,
    pub(super) rules: u32,
    pub(super) authenticator: Authenticator,
}

pub(super) const SET_UPS: [SetUp; 4] = [
    SetUp { title: "keyward, 10 rules", name: "few", rules: 10, authenticator: Authenticator::Jwt },
    SetUp { title: "keyward, 10,000 rules", name: "many", rules: 10_000, authenticator: Authenticator::Jwt },
    SetUp {
        title: "keyward, introspection",
        name: "introspection",
        rules: 10,
        authenticator: Authenticator::Introspection,
    },
    SetUp {
        title: "keyward, cookie_session",
        name: "cookie_session",
        rules: 10,
        authenticator: Authenticator::CookieSession,
    },
];

/// How callers show who they are.
#[derive(Clone, Copy)]
pub(super) enum Authenticator {
    /// RS256 tokens.
    Jwt,
    /// Opaque tokens whose introspection is remembered.
    Introspection,
    /// Cookies, with a call to the session store for each request.
    CookieSession,
}

impl Authenticator {
    /// Its name, its settings for all rules, and those of a rule. `keys` is a file of public keys,
    /// `side_port` that of the side service.
    pub(super) fn settings(self, keys: &str, side_port: u16) -> (&'static str, String, &'static str) {
        match self {
            Self::Jwt => (
                "jwt",
                format!(
                    "jwks_urls: [\"file://{keys}\"], trusted_issuers: [\"http://token-issuer:8080\"], \
                     target_audience: [oathkeeper-proxy], scope_strategy: exact"
                ),
                "required_scope: [\"jira:read\"]",
            ),
            Self::Introspection => (
                "oauth2_introspection",
                format!(
                    "introspection_url: \"http://127.0.0.1:{side_port}/introspect\", scope_strategy: exact, \
                     cache: {{enabled: true, ttl: 1h}}"
                ),
                "required_scope: [\"jira:read\"]",
            ),
            Self::CookieSession => (
                "cookie_session",
                format!(
                    "check_session_url: \"http://127.0.0.1:{side_port}/session\", preserve_path: true, \
                     force_method: GET, only: [sid]"
                ),
                "",
            ),
        }
    }

    /// The line of a request that names the caller.
    pub(super) fn credential(self, token: &str) -> String {
        match self {
            Self::Jwt => format!("Authorization: Bearer {token}"),
            Self::Introspection => "Authorization: Bearer opaque".to_owned(),
            Self::CookieSession => "Cookie: sid=bench".to_owned(),
        }
    }

    /// What the side service must see of it once it is warm.
    pub(super) fn asks(self) -> Asks {
        match self {
            Self::Jwt | Self::Introspection => Asks::Nothing,
            Self::CookieSession => Asks::PerRequest,
        }
    }
}
