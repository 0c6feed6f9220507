//! A certificate authority and server certificates, made for one test.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// An authority of one's own.
pub struct Authority {
    /// Its certificate in PEM: what a client has to trust.
    pub certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes one.
    pub fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(Vec::<String>::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Of the same name as those that it issues, OpenSSL would take them for authorities too.
        parameters.distinguished_name.push(DnType::CommonName, "testkit authority");
        let certificate = parameters.self_signed(&key).unwrap().pem();
        Self { certificate, issuer: Issuer::new(parameters, key) }
    }

    /// A server's configuration for these names.
    pub fn server(&self, names: &[&str], protocols: &[&[u8]]) -> Arc<ServerConfig> {
        let (certificate, key) = self.issue(names);
        serving(&certificate, &key, protocols)
    }

    /// The same, with a certificate that is good from the beginning of one year to the beginning of another.
    pub fn server_between(&self, names: &[&str], years: [i32; 2]) -> Arc<ServerConfig> {
        let (mut parameters, key) = (named(names), KeyPair::generate().unwrap());
        [parameters.not_before, parameters.not_after] = years.map(|year| rcgen::date_time_ymd(year, 1, 1));
        serving(&parameters.signed_by(&key, &self.issuer).unwrap(), &key, &[])
    }

    /// A client's configuration that trusts this authority and nobody else.
    pub fn client(&self, protocols: &[&[u8]]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Arc::new(config)
    }

    /// Certificate and key in PEM.
    pub fn pem(&self, names: &[&str]) -> (String, String) {
        let (certificate, key) = self.issue(names);
        (certificate.pem(), key.serialize_pem())
    }

    fn issue(&self, names: &[&str]) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        (named(names).signed_by(&key, &self.issuer).unwrap(), key)
    }
}

/// The configuration of a server whose certificate nobody else has signed.
pub fn self_signed_server(names: &[&str]) -> Arc<ServerConfig> {
    let key = KeyPair::generate().unwrap();
    serving(&named(names).self_signed(&key).unwrap(), &key, &[])
}

fn named(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    CertificateParams::new(names).unwrap()
}

fn serving(certificate: &rcgen::Certificate, key: &KeyPair, protocols: &[&[u8]]) -> Arc<ServerConfig> {
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Arc::new(config)
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}
