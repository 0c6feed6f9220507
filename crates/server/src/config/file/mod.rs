//! The configuration file, mirrored: every key that can be written (serving spec 2.6, 2.7, extensions).
//! What the values mean and which defaults they have is decided in [`settings`](super::settings).

use std::collections::BTreeMap;

use keyward_core::document::Node;
use keyward_core::document::duration::GoDuration;
use keyward_core::rule::pattern::Strategy;
use schemars::JsonSchema;
use serde::Deserialize;

use self::repository::RepositoryItem;
use self::secrets::Secrets;
use self::serve::Serve;
use self::tracing::Tracing;

type Json = serde_json::Value;

macro_rules! mirror {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
            #[serde(deny_unknown_fields, default)]
            pub struct $name { $($(#[$field_doc])* pub $field: Option<$type>,)* }
        )*
    };
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident),* $(,)? })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
            #[serde(rename_all = "snake_case")]
            pub enum $name { $($(#[$variant_doc])* $variant,)* }
        )*
    };
}

// The macros come first: these modules use them.
pub mod repository;
pub mod secret_places;
pub mod secrets;
pub mod serve;
pub mod tracing;

mirror! {
    /// The whole file.
    ConfigFile {
        /// The version of Oathkeeper that it was written for, such as `v0.40.0`; informational.
        #[schemars(regex(pattern = r"^v[0-9]+\.[0-9]+\.[0-9]+([-+][0-9A-Za-z.+-]*)?$"))]
        version: String,
        /// Accepted and without effect, as in the reference.
        profiling: Profiling,
        /// Listeners.
        serve: Serve,
        /// Where rules come from and how they match.
        access_rules: AccessRules,
        /// Authenticators by id.
        authenticators: BTreeMap<String, Option<Handler>>,
        /// Authorizers by id.
        authorizers: BTreeMap<String, Option<Handler>>,
        /// Mutators by id.
        mutators: BTreeMap<String, Option<Handler>>,
        /// How denials are answered.
        errors: Errors,
        /// Diagnostics log.
        log: Log,
        /// Traces.
        tracing: Tracing,
        /// Accepted and without effect: nothing is ever reported anywhere.
        #[schemars(with = "Option<Json>")]
        sqa: Node,
        /// Extension: where secrets come from.
        secrets: Secrets,
        /// Extension: the audit log.
        audit: Audit,
        /// Extension: the token issuer.
        #[schemars(with = "Option<crate::issuer::settings::IssuerFile>")]
        issuer: Node,
    }
    /// Where rules come from and how they match.
    AccessRules {
        /// Rule documents: `file://` (also directories), `inline://`, `http://`, `https://`, `s3://`, `gs://`, `azblob://`.
        #[schemars(with = "Option<Vec<RepositoryItem>>")]
        repositories: Vec<Node>,
        /// `glob` or `regexp`.
        matching_strategy: StrategyName,
        /// Extension: `loopback` or `strict`.
        match_authority: MatchAuthority,
        /// Extension: how often documents behind URLs are asked for again; one minute by default.
        refresh_interval: GoDuration,
        /// Extension: how long one attempt to fetch such a document may take; 15s by default.
        fetch_timeout: GoDuration,
        /// Extension: the largest rule document, in bytes; 16777216 by default, which is also the most.
        max_document_bytes: usize,
        /// Extension: a directory with the last good copy of each document behind a URL, for starts while its source is
        /// down. It is made, for this process alone; one that others can write to is refused.
        cache_dir: String,
    }
    /// How denials are answered.
    Errors {
        /// Handlers to try when no rule's own handler answers.
        #[schemars(with = "Option<Vec<String>>")]
        fallback: Vec<Node>,
        /// Error handlers by id.
        handlers: BTreeMap<String, Option<Handler>>,
    }
    /// One handler's switch and global settings.
    Handler {
        /// Rules may use it.
        enabled: bool,
        /// Settings that rules merge theirs over.
        #[schemars(with = "Option<Json>")]
        config: Node,
    }
    /// Diagnostics log, on standard error.
    Log {
        /// panic, fatal, error, warn, info, debug or trace.
        level: LogLevel,
        /// text, json, json_pretty or gelf.
        format: LogFormat,
        /// Without effect: values are always redacted.
        leak_sensitive_values: bool,
        /// Without effect: `[redacted]` stands for every value.
        redaction_text: String,
        /// Without effect: no header values are logged at all.
        additional_redacted_headers: Vec<String>,
    }
    /// The audit log.
    Audit {
        /// stdout, file, syslog, tcp, or off.
        sink: AuditSinkName,
        /// The file of the file sink.
        path: String,
        /// When the file is rotated; never by default.
        rotate: AuditRotation,
        /// The collector of the syslog and tcp sinks: `tcp://host:port` or `tls://host:port`.
        url: String,
        /// What the messages of the syslog sink say of themselves.
        syslog: AuditSyslog,
        /// What happens when records cannot be written: block (nothing is forwarded) or drop.
        policy: AuditPolicyName,
    }
    /// When the file of audit records is rotated, and what is kept.
    AuditRotation {
        /// Another file is begun before this one would have more bytes; at least 65536.
        max_bytes: u64,
        /// Another file is begun when as much time is over, in UTC: `24h` at midnight, `1h` at the full hour.
        every: GoDuration,
        /// How many rotated files are kept; all of them by default.
        keep: usize,
    }
    /// What messages of syslog say of themselves.
    AuditSyslog {
        /// The facility, which collectors sort by.
        facility: SyslogFacility,
        /// What sends them, in at most 48 printable ASCII characters.
        app_name: String,
    }
}

names! {
    /// `access_rules.matching_strategy`
    StrategyName {
        /// Globs.
        Glob,
        /// Regular expressions.
        Regexp,
    }
    /// `access_rules.match_authority`
    MatchAuthority {
        /// Loopback names with the proxy's own port match rules written for it.
        Loopback,
        /// Only the exact authority matches.
        Strict,
    }
    /// `serve.proxy.underscore_headers`
    UnderscoreHeaders {
        /// They stay behind.
        Drop,
        /// They go on, but for those that look like a header that a rule sets or that holds a credential.
        Pass,
    }
    /// `serve.proxy.method_override_headers`
    MethodOverrideHeaders {
        /// The request is answered with 400.
        Refuse,
        /// They go on: a rule that allows one method then allows every method that the upstream takes from them.
        Pass,
    }
    /// `serve.proxy.echoed_credentials`
    EchoedCredential {
        /// They are not looked for.
        Off,
        /// The field is taken out; in a body, the value is overwritten.
        Remove,
        /// The caller gets 502.
        Refuse,
    }
    /// `log.level`
    LogLevel {
        /// As error.
        Panic,
        /// As error.
        Fatal,
        /// Failures.
        Error,
        /// Failures and what may become one.
        Warn,
        /// What happens.
        Info,
        /// Every decision.
        Debug,
        /// Everything.
        Trace,
    }
    /// `profiling`
    Profiling {
        /// Of the processor.
        Cpu,
        /// Of the memory.
        Mem,
        /// Of nothing.
        #[serde(rename = "")]
        Off,
    }
    /// `log.format`
    LogFormat {
        /// One JSON object a line.
        Json,
        /// One JSON object over several lines.
        JsonPretty,
        /// One GELF 1.1 object a line.
        Gelf,
        /// For people.
        Text,
    }
    /// `audit.sink`
    AuditSinkName {
        /// Append to a file.
        File,
        /// Write no records.
        Off,
        /// Standard output.
        Stdout,
        /// Send messages of syslog (RFC 5424, RFC 6587) to a collector.
        Syslog,
        /// Send lines to a collector.
        Tcp,
    }
    /// `audit.syslog.facility`
    SyslogFacility {
        /// 1
        User,
        /// 3
        Daemon,
        /// 4
        Auth,
        /// 10
        Authpriv,
        /// 13
        Audit,
        /// 16
        Local0,
        /// 17
        Local1,
        /// 18
        Local2,
        /// 19
        Local3,
        /// 20
        Local4,
        /// 21
        Local5,
        /// 22
        Local6,
        /// 23
        Local7,
    }
    /// `audit.policy`
    AuditPolicyName {
        /// No request without its record.
        Block,
        /// Lose records, and count them.
        Drop,
    }
}

impl From<StrategyName> for Strategy {
    fn from(name: StrategyName) -> Self {
        match name {
            StrategyName::Glob => Strategy::Glob,
            StrategyName::Regexp => Strategy::Regexp,
        }
    }
}
