//! A rule as it is written: one struct that mirrors the file, in every dialect (serving spec 5.1,
//! founding document, extensions).

use serde::Deserialize;

use crate::diagnostic::Diagnostic;
use crate::document::{Node, Value, decode};
use crate::rule::migrate::migrate;
use crate::rule::spelling;

/// One access rule.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleDefinition {
    /// Names the rule in logs, metrics and the audit record.
    #[serde(default, deserialize_with = "text_or_nothing")]
    #[schemars(with = "Option<String>")]
    pub id: String,
    /// Rule format version, as `v` and a semantic version.
    #[serde(default)]
    pub version: Option<String>,
    /// Free text.
    #[serde(default)]
    pub description: Option<String>,
    /// What the rule applies to.
    #[serde(default, rename = "match")]
    pub matches: Option<MatchDefinition>,
    /// Who may ask: tried in order, the first that is responsible decides.
    #[serde(default)]
    pub authenticators: Option<Vec<HandlerReference>>,
    /// Whether they may proceed. Either this or `authorizers`.
    #[serde(default)]
    pub authorizer: Option<HandlerReference>,
    /// Several authorizers, all of which must allow. Either this or `authorizer`.
    #[serde(default)]
    pub authorizers: Option<Vec<HandlerReference>>,
    /// What changes before the request is sent; all run, in order.
    #[serde(default)]
    pub mutators: Option<Vec<HandlerReference>>,
    /// How denials are answered; the first that matches wins.
    #[serde(default)]
    pub errors: Option<Vec<HandlerReference>>,
    /// Where requests go.
    #[serde(default)]
    pub upstream: Option<UpstreamDefinition>,
}

/// What a rule applies to.
#[derive(Clone, Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MatchDefinition {
    /// HTTP methods, in any case. An empty list matches nothing.
    #[serde(default)]
    pub methods: Option<Vec<String>>,
    /// The URL pattern: scheme, host and path; `<...>` holds glob or regexp syntax.
    #[serde(default)]
    pub url: Option<String>,
    /// Of an RPC rule: the authority pattern.
    #[serde(default)]
    pub authority: Option<String>,
    /// Makes it an RPC rule, which is for Oathkeeper's middleware and matches no HTTP request.
    #[serde(default)]
    pub full_method: Option<String>,
    /// Of an RPC rule: it may be called with GET.
    #[serde(default)]
    pub allow_http_get: Option<bool>,
}

impl MatchDefinition {
    /// Whether it is of an RPC rule (serving spec 5.1).
    pub fn is_rpc(&self) -> bool {
        self.full_method.is_some()
    }
}

/// A handler by name, with settings that go over the global ones.
#[derive(Clone, Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HandlerReference {
    /// The handler's id.
    #[serde(default)]
    pub handler: String,
    /// Its settings for this rule.
    #[serde(default)]
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    pub config: Option<Node>,
}

/// Where requests go.
#[derive(Clone, Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpstreamDefinition {
    /// Scheme, host, port and base path.
    #[serde(default)]
    pub url: Option<String>,
    /// Path prefix to remove, on segment borders.
    #[serde(default)]
    pub strip_path: Option<String>,
    /// Send the caller's `Host`.
    #[serde(default)]
    pub preserve_host: Option<bool>,
    /// Extension: send on whatever authenticated the caller.
    #[serde(default)]
    pub forward_caller_credential: Option<bool>,
    /// Extension: accept `%2F` in the path.
    #[serde(default)]
    pub allow_encoded_slashes: Option<bool>,
    /// Extension: protocols a caller may upgrade to, such as `websocket`.
    #[serde(default)]
    pub upgrade: Option<Vec<String>>,
}

/// A rule that was read, or as much of it as is needed to match and deny.
pub struct WrittenRule {
    /// The rule; only `id` and `match` are filled when `problem` is set.
    pub definition: RuleDefinition,
    /// Why the rest could not be read.
    pub problem: Option<Diagnostic>,
    /// The keys that are not known, besides the one that `problem` may be about.
    pub unknown_keys: Vec<Diagnostic>,
    /// What is written otherwise than it should be, but is understood.
    pub warnings: Vec<Diagnostic>,
    /// The rule as a tree, for positions and for the rules API.
    pub node: Node,
}

/// Reads one rule and brings it up to date. `doubled` says which key it holds twice, if it does. A faulty rule is kept with what can
/// be read of its `match`, so that it can match and deny, and takes no other rule with it. What is no map is no rule: the whole
/// document is refused.
pub fn read_rule(mut node: Node, doubled: Option<Diagnostic>) -> Result<WrittenRule, Diagnostic> {
    let spelled = spelling::correct(&mut node);
    let warnings = spelled.warnings;
    let problem = match decode::<RuleDefinition>(&node) {
        Err(problem) if !matches!(node.value, Value::Map(_)) => return Err(problem),
        Err(problem) => doubled.or(spelled.problem).unwrap_or(problem),
        Ok(mut definition) => match doubled {
            None => {
                migrate(&mut definition);
                return Ok(WrittenRule { definition, problem: None, unknown_keys: Vec::new(), warnings, node });
            }
            Some(problem) => problem,
        },
    };
    let matches = node.get("match").map(|written| {
        decode::<MatchDefinition>(written).unwrap_or_else(|_| MatchDefinition {
            url: written.get("url").and_then(|url| decode(url).ok()),
            methods: written.get("methods").and_then(|methods| decode(methods).ok()),
            ..MatchDefinition::default()
        })
    });
    let id = node.get("id").and_then(|id| decode::<String>(id).ok()).unwrap_or_default();
    let definition = RuleDefinition {
        id,
        version: None,
        description: None,
        matches,
        authenticators: None,
        authorizer: None,
        authorizers: None,
        mutators: None,
        errors: None,
        upstream: None,
    };
    let mut unknown_keys = spelling::unknown(&mut node);
    unknown_keys.retain(|key| key.origin != problem.origin);
    Ok(WrittenRule { definition, problem: Some(problem), unknown_keys, warnings, node })
}

impl WrittenRule {
    /// The rule as the reference reads it, which passes over keys that it does not know; nothing when it cannot be read
    /// like that either. For showing it, never for serving.
    pub(super) fn known_part(&self) -> Option<WrittenRule> {
        let mut node = self.node.clone();
        spelling::remove_unknown(&mut node);
        let mut definition = decode::<RuleDefinition>(&node).ok()?;
        migrate(&mut definition);
        Some(WrittenRule { definition, problem: None, unknown_keys: Vec::new(), warnings: Vec::new(), node })
    }
}

/// A key without a value says nothing.
fn text_or_nothing<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}
