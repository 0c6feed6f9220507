//! Detached signatures of rule documents, in the format of minisign: Ed25519 over BLAKE2b-512.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use minisign_verify::{PublicKey as Key, Signature};

/// What the place of a document has to be followed by to be that of its signature.
const SUFFIX: &str = ".minisig";
/// The largest signature that is read, in bytes; usual ones have about 300.
pub(super) const MAX_SIGNATURE_BYTES: usize = 4096;

/// The key that signatures of a repository's documents are checked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(Key);

impl PublicKey {
    /// Parses the second line of a `minisign.pub` file. The error is for the operator.
    pub fn parse(line: &str) -> Result<Self, String> {
        let key = Key::from_base64(line.trim());
        key.map(Self).map_err(|_| "it is not a key of minisign: write the second line of its `minisign.pub`".to_owned())
    }

    /// Whether this key has signed the document. The error says what is wrong, for the operator.
    pub fn check(&self, document: &str, signature: &str) -> Result<(), String> {
        let signature = Signature::decode(signature).map_err(|_| "the signature is not one of minisign".to_owned())?;
        // Signatures over the document itself, as old versions made them, would be as good; one way is easier to keep right.
        self.0.verify(document.as_bytes(), &signature, false).map_err(|error| {
            match error {
                minisign_verify::Error::UnexpectedKeyId => "the signature was made with another key",
                minisign_verify::Error::UnexpectedAlgorithm => {
                    "the signature is in minisign's legacy form; sign with minisign 0.11 or later, without `-l`"
                }
                _ => "the signature is not one of this document",
            }
            .to_owned()
        })
    }
}

/// Where the signature of the document at a URL is: the suffix goes before query and fragment.
pub(super) fn url_of(url: &str) -> String {
    let (path, rest) = url.split_at(url.find(['?', '#']).unwrap_or(url.len()));
    format!("{path}{SUFFIX}{rest}")
}

/// Where the signature of a file is.
pub(super) fn file_of(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(SUFFIX);
    name.into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Made by minisign 0.11.
    macro_rules! signed {
        ($name:literal) => {
            include_str!(concat!("../../../cli/tests/signed/", $name))
        };
    }

    #[test]
    fn only_the_signature_of_this_document_by_this_key_passes() {
        let key = PublicKey::parse(signed!("public_key")).unwrap();
        let (rules, signature) = (signed!("rules.yaml"), signed!("rules.yaml.minisig"));
        let comment = signature.replace("trusted comment: rules", "trusted comment: other");
        let rows = [
            (rules, signature, ""),
            (signed!("changed.yaml"), signed!("changed.yaml.minisig"), ""),
            (signed!("changed.yaml"), signature, "not one of this document"),
            (rules, comment.as_str(), "not one of this document"),
            (rules, signed!("stranger.minisig"), "another key"),
            (rules, signed!("legacy.minisig"), "legacy form"),
            (rules, "", "not one of minisign"),
            (rules, "<html>", "not one of minisign"),
        ];
        for (document, signature, problem) in rows {
            let found = key.check(document, signature).err().unwrap_or_default();
            assert!(found.contains(problem) && found.is_empty() == problem.is_empty(), "{problem}: {found}");
        }
        for line in [
            "",
            "RWT",
            "untrusted comment: minisign public key",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        ] {
            assert!(PublicKey::parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn signatures_are_beside_their_documents() {
        let rows = [
            ("https://h/rules.yaml", "https://h/rules.yaml.minisig"),
            ("https://h/rules.yaml?v=1", "https://h/rules.yaml.minisig?v=1"),
            ("s3://b/k?region=eu#x", "s3://b/k.minisig?region=eu#x"),
        ];
        for (url, expected) in rows {
            assert_eq!(url_of(url), expected);
        }
        assert_eq!(file_of(Path::new("/a/b.yaml")), Path::new("/a/b.yaml.minisig"));
    }
}
