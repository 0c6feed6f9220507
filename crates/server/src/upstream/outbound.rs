//! The way out: where names lead, whom to trust, how long to wait. Upstreams, key sets, rule repositories
//! and side services share it; it is replaced as a whole when its settings or its CA files change.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use keyward_core::diagnostic::Diagnostic;
use keyward_core::rule::upstream::UpstreamOrigin;
use rustls::ClientConfig;

use super::connect::{UpstreamStream, connect};
use super::forward::{Forwarder, UpstreamTls};
use super::pool::Pool;
use super::resolve::Resolver;
use super::tls::{client_config, http1_only};
use crate::config::settings::proxy::UpstreamSettings;
use crate::http_client::HttpClient;
use crate::side_client::PooledSideClient;

/// One way out.
pub struct Outbound {
    settings: UpstreamSettings,
    /// Of the CA files' contents.
    trusted: Vec<u8>,
    tls: UpstreamTls,
    /// Calls side services.
    pub side: Arc<PooledSideClient>,
    documents: HttpClient,
}

impl Outbound {
    /// Reads the CA files.
    pub fn new(settings: &UpstreamSettings) -> Result<Arc<Self>, Diagnostic> {
        let trusted = fingerprint(&settings.ca_files);
        let any = client_config(&settings.ca_files, &[b"h2", b"http/1.1"])?;
        let tls = UpstreamTls { http1: http1_only(&any), any };
        let resolver = Resolver::new(settings.resolve.clone(), settings.addresses.clone());
        let side = PooledSideClient::new(resolver, tls.http1.clone(), settings.connect_timeout);
        let resolver = Resolver::new(settings.resolve.clone(), settings.addresses.for_documents());
        let documents = HttpClient::new(resolver, tls.http1.clone());
        Ok(Arc::new(Self { settings: settings.clone(), trusted, tls, side: Arc::new(side), documents }))
    }

    /// The same one, with its connections, unless something has changed.
    pub fn renewed(self: &Arc<Self>, settings: &UpstreamSettings) -> Result<Arc<Self>, Diagnostic> {
        match self.settings == *settings && self.trusted == fingerprint(&settings.ca_files) {
            true => Ok(self.clone()),
            false => Self::new(settings),
        }
    }

    /// One core's way to upstreams, with a pool of its own: connections that were made under other settings
    /// are not used.
    pub fn forwarder(&self) -> Forwarder {
        Forwarder::new(
            Rc::new(Pool::new(self.settings.idle_timeout)),
            Rc::new(Resolver::new(self.settings.resolve.clone(), self.settings.addresses.clone())),
            self.tls.clone(),
            self.settings.connect_timeout,
            self.settings.response_header_timeout,
        )
    }

    /// A way to servers that are spoken to in another protocol than HTTP.
    pub fn connector(&self) -> Connector {
        let mut tls = self.tls.http1.as_ref().clone();
        tls.alpn_protocols.clear();
        let resolver = Resolver::new(self.settings.resolve.clone(), self.settings.addresses.clone());
        Connector { resolver, tls: Arc::new(tls), limit: self.settings.connect_timeout }
    }

    /// A client for documents: a copy of one and the same, since whoever signs in keeps what that gave for as long
    /// as the client is the same.
    pub fn http_client(&self) -> HttpClient {
        self.documents.clone()
    }
}

/// Opens connections, one at a time.
pub struct Connector {
    resolver: Resolver,
    tls: Arc<ClientConfig>,
    limit: Duration,
}

impl Connector {
    /// Connects; TLS where the scheme is that of HTTP over TLS. What went wrong is for the operator.
    pub async fn connect(&self, to: &UpstreamOrigin) -> Result<UpstreamStream, String> {
        connect(to, &self.resolver, &self.tls, self.limit).await.map_err(|error| error.to_string())
    }
}

/// What cannot be read counts as empty here; whoever uses it says so.
fn fingerprint(files: &[PathBuf]) -> Vec<u8> {
    let mut digest = Context::new(&SHA256);
    for path in files {
        let contents = std::fs::read(path).unwrap_or_default();
        digest.update(&contents.len().to_be_bytes());
        digest.update(&contents);
    }
    digest.finish().as_ref().to_vec()
}
