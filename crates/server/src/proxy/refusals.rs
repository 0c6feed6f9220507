//! What callers do wrong before there is a request to decide on: counted by reason, and told with its connection, never
//! with what came over it.

use std::net::SocketAddr;
use std::time::{Instant, SystemTime};

use http::{StatusCode, Version};

use super::completion::Sinks;
use super::connection::Connection;
use crate::audit::ids::RequestName;
use crate::audit::record::AuditRecord;
use crate::metrics::faults::Fault;

impl Sinks {
    /// Says what was not told one by one.
    pub fn keep_up(&self, now: Instant) {
        self.pace.untold(now, |reason, count| {
            tracing::info!(reason, count, "more of the same, which were not told one by one");
        });
    }

    /// A connection broke the rules of its protocol.
    #[cold]
    pub fn fault(&self, fault: Fault, peer: SocketAddr) {
        self.metrics.shared().faults.count(fault);
        let (reason, protocol) = (fault.as_str(), fault.protocol());
        if self.pace.tells(reason, Instant::now()) {
            tracing::info!(%peer, protocol, reason, "connection at fault");
        }
    }

    /// A request was refused by the gate.
    #[cold]
    pub fn refused(&self, refusal: &'static str, name: &RequestName, version: Version, connection: &Connection) {
        self.metrics.shared().refused(refusal);
        if self.pace.tells(refusal, Instant::now()) {
            let (request_id, trace_id) = name.shown();
            let (peer, tls) = (connection.peer, connection.tls);
            tracing::info!(request_id, trace_id, %peer, protocol = ?version, tls, refusal, "request refused");
        }
    }

    /// Records a request that never became one: its head could not be read.
    pub fn unread(&self, rules_version: &str, connection: &Connection, status: StatusCode) {
        self.without_head("unreadable", rules_version, connection, status);
    }

    /// The same of one whose head did not end in time.
    pub fn late(&self, rules_version: &str, connection: &Connection) {
        self.without_head("header_timeout", rules_version, connection, StatusCode::REQUEST_TIMEOUT);
    }

    #[cold]
    fn without_head(&self, refusal: &'static str, rules_version: &str, connection: &Connection, status: StatusCode) {
        let name = RequestName { id: self.request_ids.next(), trace_id: None, parent: None };
        self.refused(refusal, &name, Version::HTTP_11, connection);
        self.audit.write(&AuditRecord {
            ts: Some(SystemTime::now()),
            request_id: name.id.as_bytes(),
            rules_version,
            outcome: "denied",
            reason: Some("request_refused"),
            status: status.as_u16(),
            client_ip: Some(&connection.peer_ip),
            ..AuditRecord::default()
        });
    }
}
