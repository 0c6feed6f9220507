//! Tokens of the double, and what is told of them.

use serde_json::{Value, json};

use super::double::answer;
use super::exchange::Answer;
use super::{APPROLE, MOUNT, ROLE};

pub(super) struct Token {
    /// 0 for ever.
    seconds: u64,
    pub(super) is_renewable: bool,
    /// Where it was issued.
    path: String,
    /// About whoever logged in.
    metadata: Value,
}

impl Token {
    /// One that somebody handed out.
    pub(super) fn given(seconds: u64) -> Self {
        Self { seconds, is_renewable: seconds > 0, path: "auth/token/create".to_owned(), metadata: Value::Null }
    }

    pub(super) fn by_login(mount: &str, seconds: u64, is_renewable: bool) -> Self {
        let metadata = match mount {
            APPROLE | "approle" => json!({"role_name": ROLE}),
            _ => json!({
                "role": ROLE,
                "service_account_name": ROLE,
                "service_account_namespace": "default",
                "service_account_secret_name": "",
                "service_account_uid": format!("uid-of-{ROLE}"),
            }),
        };
        Self { seconds, is_renewable, path: format!("auth/{mount}/login"), metadata }
    }

    fn policies(&self) -> Value {
        if self.seconds == 0 { json!(["root"]) } else { json!(["default", MOUNT]) }
    }

    /// A token that can never be renewed after a login is no service token, and has no accessor.
    fn kind(&self) -> &'static str {
        if self.is_renewable || self.metadata.is_null() { "service" } else { "batch" }
    }

    /// What a login, or a renewal, answers.
    pub(super) fn issued(&self, name: &str) -> Answer {
        let auth = json!({
            "client_token": name,
            "accessor": format!("accessor-of-{name}"),
            "policies": self.policies(),
            "token_policies": self.policies(),
            "metadata": self.metadata,
            "lease_duration": self.seconds,
            "renewable": self.is_renewable,
            "entity_id": "",
            "token_type": self.kind(),
            "orphan": true,
            "mfa_requirement": null,
            "num_uses": 0,
        });
        answer(200, Value::Null, auth)
    }

    /// What the token is told of itself.
    pub(super) fn described(&self, name: &str) -> Answer {
        let ends = if self.seconds == 0 { Value::Null } else { json!("2026-11-24T10:00:00.000000000Z") };
        let data = json!({
            "accessor": format!("accessor-of-{name}"),
            "creation_time": 1_764_000_000,
            "creation_ttl": self.seconds,
            "display_name": "token",
            "entity_id": "",
            "expire_time": ends,
            "explicit_max_ttl": 0,
            "id": name,
            "issue_time": "2026-11-24T09:00:00.000000000Z",
            "meta": self.metadata,
            "num_uses": 0,
            "orphan": true,
            "path": self.path,
            "policies": self.policies(),
            "renewable": self.is_renewable,
            "ttl": self.seconds,
            "type": self.kind(),
        });
        answer(200, data, Value::Null)
    }
}
