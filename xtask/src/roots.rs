//! The certificates of the authorities that the web trusts, which a container image has to bring along. They are Mozilla's, at
//! the version that `Cargo.lock` names: those of the machine that builds may hold some that only its owner trusts.

use pem::{EncodeConfig, LineEnding, Pem, encode_many_config};
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

/// A file of them, as `/etc/ssl/certs/ca-certificates.crt` is.
pub(crate) fn pem() -> String {
    let certificates: Vec<Pem> =
        TLS_SERVER_ROOT_CERTS.iter().map(|certificate| Pem::new("CERTIFICATE", certificate.as_ref())).collect();
    encode_many_config(&certificates, EncodeConfig::new().set_line_ending(LineEnding::LF))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_authority_can_be_read_back() {
        let read = pem::parse_many(pem()).unwrap_or_default();
        assert!(read.len() > 100, "{} certificates", read.len());
        for (read, certificate) in read.iter().zip(TLS_SERVER_ROOT_CERTS) {
            assert_eq!(read.contents(), certificate.as_ref());
        }
        assert_eq!(read.len(), TLS_SERVER_ROOT_CERTS.len());
    }
}
