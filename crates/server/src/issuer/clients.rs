//! Who may have tokens, in closed mode: clients and their secrets (RFC 6749 section 2.3).

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use keyward_core::diagnostic::Diagnostic;
use keyward_core::document::duration::GoDuration;
use keyward_core::ports::SecretSource;
use keyward_core::secret::Secret;
use subtle::{Choice, ConstantTimeEq};

use super::settings::ClientFile;
use crate::redaction;

/// Shorter secrets can be guessed.
const MIN_SECRET: usize = 16;

/// What is compared: all are of one length.
type Hash = [u8; 32];

/// A client with its grant.
pub struct Client {
    id_hash: Hash,
    secret_hash: Hash,
    /// Scopes it may ask for.
    pub scopes: Vec<String>,
    /// The `aud` of its tokens, when it is not the usual one.
    pub audience: Option<String>,
    /// The `sub` of its tokens.
    pub subject: String,
    /// The longest life of its tokens.
    pub max_ttl: Duration,
}

/// All clients.
pub struct Clients(Vec<Client>);

impl Clients {
    /// Looks every secret up. A client without one stops the start: it could never be served.
    pub fn load(written: &[ClientFile], secrets: &dyn SecretSource) -> Result<Self, Diagnostic> {
        written.iter().map(|client| Client::load(client, secrets)).collect::<Result<_, _>>().map(Self)
    }

    /// The client with this id and secret. Whatever is offered, the same work is done: how long it takes says neither
    /// which ids there are, nor how much of a secret is right.
    pub fn authenticate(&self, id: &str, secret: &str) -> Option<&Client> {
        self.find(id, secret, |one, other| one.ct_eq(other))
    }

    /// Each client is compared in both, and none of it ends early.
    fn find(&self, id: &str, secret: &str, mut equal: impl FnMut(&Hash, &Hash) -> Choice) -> Option<&Client> {
        let (id, secret) = (hash(id), hash(secret));
        let mut found = None;
        for client in &self.0 {
            let fits = equal(&id, &client.id_hash) & equal(&secret, &client.secret_hash);
            if bool::from(fits) {
                found = Some(client);
            }
        }
        found
    }
}

impl Client {
    fn load(written: &ClientFile, secrets: &dyn SecretSource) -> Result<Self, Diagnostic> {
        let refuse = |message: String| Diagnostic::error(format!("client `{}`: {message}", written.id));
        let secret = match (&written.secret_env, &written.secret_path) {
            (Some(name), _) => secrets.env(name).ok_or_else(|| refuse(format!("`{name}` is not set")))?,
            (None, Some(path)) => {
                let text = std::fs::read_to_string(path).map_err(|error| refuse(format!("`{path}`: {error}")))?;
                Secret::new(text.trim_end_matches(['\r', '\n']))
            }
            (None, None) => return Err(refuse("has no secret".to_owned())),
        };
        redaction::known().learn(&format!("client {}", written.id), [&secret]);
        if secret.expose().len() < MIN_SECRET {
            return Err(refuse(format!("its secret is shorter than {MIN_SECRET} characters")));
        }
        let kind = written.kind.unwrap_or_default();
        Ok(Self {
            id_hash: hash(&written.id),
            secret_hash: hash(secret.expose()),
            scopes: written.scopes.clone(),
            audience: written.audience.clone(),
            subject: written.subject.clone().unwrap_or_else(|| written.id.clone()),
            max_ttl: written.max_ttl.map_or_else(|| kind.usual_ttl(), |GoDuration(ttl)| ttl),
        })
    }
}

fn hash(text: &str) -> Hash {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::hint::black_box;
    use std::time::Instant;

    use keyward_core::credential::{Absent, NamedSecret};
    use keyward_testkit::same_flaw;

    use super::*;

    /// The secret of the client `NAME` is `the-secret-of-NAME`.
    struct Named;

    impl SecretSource for Named {
        fn env(&self, name: &str) -> Option<Secret> {
            Some(Secret::new(format!("the-secret-of-{name}")))
        }

        fn secret(&self, _: &str) -> Result<NamedSecret, Absent> {
            Err(Absent { cause: "clients name variables".to_owned(), remedy: None })
        }
    }

    const IDS: [&str; 5] = ["ci", "ci-2", "worker", "interactive", "last"];

    fn clients() -> Clients {
        let written =
            IDS.map(|id| ClientFile { id: id.to_owned(), secret_env: Some(id.to_owned()), ..ClientFile::default() });
        Clients::load(&written, &Named).unwrap()
    }

    /// What may be offered, and who that is.
    const OFFERED: [(&str, &str, Option<&str>); 12] = [
        ("ci", "the-secret-of-ci", Some("ci")),
        ("last", "the-secret-of-last", Some("last")),
        ("ci", "the-secret-of-cj", None),
        ("ci", "x", None),
        ("ci", "", None),
        ("ci", "the-secret-of-ci-2", None),
        ("last", "the-secret-of-ci", None),
        ("cj", "the-secret-of-ci", None),
        ("c", "the-secret-of-c", None),
        ("CI", "the-secret-of-ci", None),
        ("", "", None),
        ("a-client-that-nobody-has-heard-of", "the-secret-of-ci", None),
    ];

    /// Traefik: whoever had the name of a user waited longer for the refusal of a wrong password.
    fn the_same_is_compared_whatever_is_offered() {
        let clients = clients();
        for (id, secret, expected) in OFFERED {
            let mut compared = Vec::new();
            let found = clients.find(id, secret, |one, other| {
                compared.push((one.len(), *other));
                one.ct_eq(other)
            });
            assert_eq!(found.map(|client| client.subject.as_str()), expected, "{id} {secret}");
            let all: Vec<(usize, Hash)> =
                clients.0.iter().flat_map(|client| [(32, client.id_hash), (32, client.secret_hash)]).collect();
            assert!(compared == all, "{id} {secret}: {} comparisons", compared.len());
            assert_eq!(clients.authenticate(id, secret).map(|client| client.subject.as_str()), expected);
        }
    }

    same_flaw!(the_same_is_compared_whatever_is_offered: cve_2026_32595_unknown_names, cve_2026_41263_unknown_names);

    /// Welch's t of how long a wrong secret takes with an id that is known and one that is not, the slowest tenth left out.
    /// Beyond 4.5 either way something is told (dudect). It asserts nothing: what else the machine does counts too.
    #[test]
    #[ignore = "prints a measurement"]
    fn how_much_time_tells() {
        let clients = clients();
        let mut samples = [Vec::new(), Vec::new()];
        for round in 0..200_000_usize {
            let which = round.wrapping_mul(2_654_435_761) >> 7 & 1;
            let id = ["worker", "worked"][which];
            let begun = Instant::now();
            black_box(clients.authenticate(black_box(id), black_box("the-secret-of-worked")));
            samples[which].push(begun.elapsed().as_nanos() as f64);
        }
        let [known, unknown] = samples.map(|mut times| {
            times.sort_by(f64::total_cmp);
            times.truncate(times.len() * 9 / 10);
            let count = times.len() as f64;
            let mean = times.iter().sum::<f64>() / count;
            let spread = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
            (mean, spread / count)
        });
        let t = (known.0 - unknown.0) / (known.1 + unknown.1).sqrt();
        println!("known {:.1} ns, unknown {:.1} ns, t = {t:.2}", known.0, unknown.0);
    }
}
