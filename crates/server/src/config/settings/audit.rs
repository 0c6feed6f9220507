//! The audit log: where records go, and what happens when they cannot.

use std::path::PathBuf;
use std::time::Duration;

use keyward_core::diagnostic::Diagnostic;
use keyward_core::document::duration::GoDuration;
use keyward_core::rule::upstream::{Upstream, UpstreamOrigin};

use super::Check;
use crate::config::file::{Audit, AuditPolicyName, AuditRotation, AuditSinkName, AuditSyslog, SyslogFacility};

/// The least of `audit.rotate.max_bytes`: rotated files of one second have at most a thousand names.
pub const LEAST_ROTATED_BYTES: u64 = 64 * 1024;
/// What `audit.url` looks like.
pub const COLLECTOR_PATTERN: &str = "^(tcp|tls)://[^/?#@]+:[1-9][0-9]{0,4}$";
/// What `audit.syslog.app_name` looks like (RFC 5424 section 6.2.5).
pub const APP_NAME_PATTERN: &str = "^[!-~]{1,48}$";
const SHORTEST_PERIOD: Duration = Duration::from_secs(1);

/// The audit log.
#[derive(Clone, Debug)]
pub struct AuditSettings {
    /// Where records go.
    pub sink: AuditSink,
    /// Refuse requests when records cannot be written, rather than lose records.
    pub blocks: bool,
}

/// Where audit records go.
#[derive(Clone, Debug)]
pub enum AuditSink {
    /// Append to a file, which is rotated or not.
    File(PathBuf, Option<Rotation>),
    /// Nowhere.
    Off,
    /// Standard output.
    Stdout,
    /// A collector in the network.
    Collector(CollectorSettings),
}

/// When a file is rotated, and what is kept; one of the first two is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Before it would have more bytes.
    pub max_bytes: Option<u64>,
    /// When as much time is over, counted from the beginning of 1970 in UTC.
    pub every: Option<Duration>,
    /// How many rotated files are kept; without it, all of them.
    pub keep: Option<usize>,
}

/// A collector.
#[derive(Clone, Debug)]
pub struct CollectorSettings {
    /// As it is written.
    pub url: String,
    /// The same, with the scheme of HTTP that is plain, or over TLS, as it is.
    pub origin: UpstreamOrigin,
    /// Messages of syslog rather than lines.
    pub syslog: Option<Syslog>,
}

/// What messages of syslog say of themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Syslog {
    /// The number of the facility (RFC 5424 section 6.2.1).
    pub facility: u8,
    /// What sends them.
    pub app_name: String,
}

impl Check<'_> {
    pub(super) fn audit(&mut self, file: Audit) -> AuditSettings {
        let named = file.sink.unwrap_or(AuditSinkName::Stdout);
        let is_collector = matches!(named, AuditSinkName::Syslog | AuditSinkName::Tcp);
        self.belongs("rotate", file.rotate.is_none() || named == AuditSinkName::File, "only the sink `file` rotates");
        self.belongs("url", file.url.is_none() || is_collector, "only the sinks `syslog` and `tcp` have a collector");
        let is_syslog = named == AuditSinkName::Syslog;
        self.belongs("syslog", file.syslog.is_none() || is_syslog, "only the sink `syslog` sends such messages");
        let rotation = file.rotate.and_then(|rotate| self.rotation(&rotate));
        let syslog = self.syslog(file.syslog.unwrap_or_default());
        let missing = file.url.is_none();
        let mut written = file.url.and_then(|url| {
            let origin = origin_of(&url).map_err(|problem| self.refuse("audit.url", problem)).ok()?;
            Some(CollectorSettings { url, origin, syslog: None })
        });
        let mut collector = |check: &mut Self, name: &str, syslog: Option<Syslog>| match written.take() {
            Some(collector) => AuditSink::Collector(CollectorSettings { syslog, ..collector }),
            None => {
                if missing {
                    check.refuse("audit", format!("the {name} sink needs `url`"));
                }
                AuditSink::Off
            }
        };
        let sink = match named {
            AuditSinkName::Off => AuditSink::Off,
            AuditSinkName::File => match file.path {
                Some(path) if !path.is_empty() => AuditSink::File(path.into(), rotation),
                _ => {
                    self.refuse("audit", "the file sink needs `path`");
                    AuditSink::Off
                }
            },
            AuditSinkName::Syslog => collector(self, "syslog", Some(syslog)),
            AuditSinkName::Tcp => collector(self, "tcp", None),
            AuditSinkName::Stdout => AuditSink::Stdout,
        };
        AuditSettings { sink, blocks: file.policy != Some(AuditPolicyName::Drop) }
    }

    /// Refuses a setting of another sink: what it promises would not come about.
    fn belongs(&mut self, key: &str, is_right: bool, problem: &str) {
        if !is_right {
            let path = format!("audit.{key}");
            let finding = Diagnostic::error(format!("`{path}`: {problem}")).at(&self.place_of_key(&path));
            self.errors.push(finding.hint(format!("remove `{key}`, or name another sink")));
        }
    }

    fn rotation(&mut self, file: &AuditRotation) -> Option<Rotation> {
        let every = file.every.map(|GoDuration(every)| every);
        if every.is_some_and(|every| every < SHORTEST_PERIOD) {
            self.refuse("audit.rotate.every", "write at least `1s`");
        }
        if file.max_bytes.is_some_and(|bytes| bytes < LEAST_ROTATED_BYTES) {
            self.refuse("audit.rotate.max_bytes", format!("write at least {LEAST_ROTATED_BYTES}"));
        }
        if file.keep == Some(0) {
            self.refuse("audit.rotate.keep", "write at least 1, or leave it out to keep every file");
        }
        if every.is_none() && file.max_bytes.is_none() {
            self.refuse("audit.rotate", "write `max_bytes`, `every`, or both");
        }
        Some(Rotation { max_bytes: file.max_bytes, every, keep: file.keep })
    }

    fn syslog(&mut self, file: AuditSyslog) -> Syslog {
        let app_name = file.app_name.unwrap_or_else(|| "keyward".to_owned());
        if !(1..=48).contains(&app_name.len()) || !app_name.bytes().all(|byte| byte.is_ascii_graphic()) {
            self.refuse("audit.syslog.app_name", "write 1 to 48 printable ASCII characters without spaces");
        }
        Syslog { facility: number(file.facility.unwrap_or(SyslogFacility::Local0)), app_name }
    }
}

/// RFC 5424 section 6.2.1, table 1.
fn number(facility: SyslogFacility) -> u8 {
    match facility {
        SyslogFacility::User => 1,
        SyslogFacility::Daemon => 3,
        SyslogFacility::Auth => 4,
        SyslogFacility::Authpriv => 10,
        SyslogFacility::Audit => 13,
        SyslogFacility::Local0 => 16,
        SyslogFacility::Local1 => 17,
        SyslogFacility::Local2 => 18,
        SyslogFacility::Local3 => 19,
        SyslogFacility::Local4 => 20,
        SyslogFacility::Local5 => 21,
        SyslogFacility::Local6 => 22,
        SyslogFacility::Local7 => 23,
    }
}

/// Reads `tcp://host:port` and `tls://host:port`.
fn origin_of(url: &str) -> Result<UpstreamOrigin, String> {
    const SHAPE: &str = "write `tcp://host:port`, or `tls://host:port`";
    let (scheme, authority) = match url.split_once("://") {
        Some(("tcp", rest)) => ("http", rest),
        Some(("tls", rest)) => ("https", rest),
        _ => return Err(SHAPE.to_owned()),
    };
    let port = authority.rsplit_once(':').map_or("", |(_, port)| port);
    let is_port =
        !port.starts_with('0') && port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    if !is_port || authority.contains(['/', '?', '#', '@']) {
        return Err(SHAPE.to_owned());
    }
    let read = Upstream::parse(&format!("{scheme}://{authority}"), "")?;
    Ok(read.origin().as_ref().clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_has_a_host_and_a_port_and_nothing_else() {
        let rows = [
            ("tcp://logs.example.com:601", Some("http logs.example.com 601")),
            ("tls://LOGS.example.com:6514", Some("https logs.example.com 6514")),
            ("tcp://127.0.0.1:80", Some("http 127.0.0.1 80")),
            ("tcp://[::1]:514", Some("http ::1 514")),
            ("tcp://logs.example.com", None),
            ("tcp://logs.example.com:", None),
            ("tcp://logs.example.com:0", None),
            ("tcp://logs.example.com:65536", None),
            ("tcp://logs.example.com:+514", None),
            ("tcp://logs.example.com:514/", None),
            ("tcp://ann:secret@logs.example.com:514", None),
            ("tcp://:514", None),
            ("udp://logs.example.com:514", None),
            ("logs.example.com:514", None),
            ("", None),
        ];
        for (url, expected) in rows {
            let read =
                origin_of(url).map(|origin| format!("{} {} {}", origin.scheme.as_str(), origin.host, origin.port));
            assert_eq!(read.ok().as_deref(), expected, "{url}");
        }
    }
}
