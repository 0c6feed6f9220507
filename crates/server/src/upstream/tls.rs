//! TLS to upstreams: verification is always on, against the system's roots and configured ones.

use std::path::PathBuf;
use std::sync::Arc;

use keyward_core::diagnostic::{Diagnostic, Origin};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// Makes aws-lc the provider of every TLS configuration in this process.
pub fn install_provider() {
    // Fails only when a provider is installed already, which is this one.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// The same configuration, offering HTTP/1.1 only. The roots are shared.
pub fn http1_only(config: &ClientConfig) -> Arc<ClientConfig> {
    let mut config = config.clone();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

/// A client configuration that offers `protocols`. A CA file that cannot be read is an error, never
/// silently left out.
pub fn client_config(ca_files: &[PathBuf], protocols: &[&[u8]]) -> Result<Arc<ClientConfig>, Diagnostic> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    for path in ca_files {
        let refuse = |message: String| {
            Diagnostic::error(format!("`serve.proxy.upstream.ca_files`: {message}"))
                .at(&Origin::whole(path.display().to_string()))
        };
        let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect)
            .map_err(|error| refuse(format!("the file cannot be read: {error}")))?;
        if certificates.is_empty() {
            return Err(refuse("the file holds no certificate".to_owned()));
        }
        for certificate in certificates {
            roots.add(certificate).map_err(|error| refuse(format!("a certificate is not usable: {error}")))?;
        }
    }
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}
