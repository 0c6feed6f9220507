//! The places that hold secrets, and what is wanted of them.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use keyward_core::diagnostic::{Diagnostic, Origin};
use keyward_core::document::decode::decode;
use keyward_core::document::{Node, Value, to_json};
use keyward_core::hosts::Hosts;

use super::Check;
use super::proxy::or;
use crate::config::file::secrets::{NamedSecretFile, SecretSourceFile, Secrets};
use crate::secrets::backend::Wanted;
use crate::secrets::files::Files;
use crate::secrets::kinds::{KINDS, Kind, Place, Written};

/// The longest `max_stale`: a value that nobody has confirmed for longer is no value.
const LONGEST_STALE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The places that hold secrets.
#[derive(Clone, Debug)]
pub struct SecretSettings {
    /// How long a value may be used after its source was last read.
    pub max_stale: Duration,
    /// How often sources are asked.
    pub refresh_interval: Duration,
    /// The places.
    pub sources: Vec<SourceSettings>,
    /// Other processes of the same user may look into this one.
    pub traceable: bool,
}

/// One place.
#[derive(Clone, Debug)]
pub struct SourceSettings {
    /// The key that names the kind of place.
    pub kind: &'static str,
    /// What messages and metrics call it.
    pub name: String,
    /// Where values are read.
    pub place: Place,
    /// Where secrets may be sent of which nothing else is said; `None` for anywhere.
    pub hosts: Option<Hosts>,
    /// What is wanted, of a place that is asked by name.
    pub secrets: Vec<NamedSecret>,
    /// Where it is written.
    pub origin: Origin,
    /// The same for what is written the same.
    pub fingerprint: [u8; 32],
}

/// A secret of a place that is asked by name.
#[derive(Clone, Debug)]
pub struct NamedSecret {
    /// What templates call it.
    pub name: String,
    /// What the place calls it.
    pub wanted: Wanted,
    /// Where it may be sent; `None` for anywhere.
    pub hosts: Option<Hosts>,
    /// Where it is written.
    pub origin: Origin,
}

impl Check<'_> {
    pub(super) fn secrets(&mut self, file: Secrets) -> SecretSettings {
        let max_stale = or(file.max_stale, 60 * 60);
        let refresh_interval = or(file.refresh_interval, 60);
        if refresh_interval < Duration::from_secs(1) {
            self.refuse("secrets.refresh_interval", "write at least `1s`");
        }
        if max_stale > LONGEST_STALE {
            self.refuse("secrets.max_stale", "write at most `168h`");
        } else if max_stale < refresh_interval {
            self.refuse("secrets.max_stale", "no value would last until the next refresh; write more");
        }
        let env_dir = file.env_dir.as_deref().filter(|path| !path.is_empty()).map(Path::new);
        let mut sources = Vec::new();
        for node in file.sources.iter().flatten() {
            match self.source(node, env_dir) {
                Ok(source) => sources.push(source),
                Err(problem) => self.errors.push(problem.at(&node.origin)),
            }
        }
        self.refuse_repeated_names(&sources);
        SecretSettings { max_stale, refresh_interval, sources, traceable: file.traceable.unwrap_or(true) }
    }

    fn source(&mut self, node: &Node, env_dir: Option<&Path>) -> Result<SourceSettings, Diagnostic> {
        let file: SecretSourceFile = decode(node)?;
        let kind = kind_of(node)?;
        let hosts = hosts(node)?;
        let secrets = named_secrets(node, &file, hosts.as_ref())?;
        let place = node.origin_of(kind.key);
        let misplaced = |key: &str, text: &str| Err(Diagnostic::error(text.to_owned()).at(&key_place(node, key)));
        match (kind.is_asked_by_name, secrets.is_empty()) {
            (true, true) => {
                return Err(Diagnostic::error(format!("of `{}` nothing is wanted", kind.key))
                    .at(place)
                    .hint("name its secrets: `secrets: [{name: NAME, id: WHAT THE PLACE CALLS IT}]`"));
            }
            (false, false) => {
                let text = format!("`secrets` does not go with `{}`, whose secrets have the names of files", kind.key);
                return misplaced("secrets", &text);
            }
            _ => {}
        }
        if file.name.is_some() && kind.key != "file" {
            return misplaced("name", &format!("`name` does not go with `{}`, but with `file`", kind.key));
        }
        let opened = (kind.open)(&Written { file: &file, node, secrets: &secrets, env_dir }).map_err(|problem| {
            let message = format!("`{}`: {}", kind.key, problem.message);
            Diagnostic { message, ..problem }.at(place)
        })?;
        let json = to_json(node).to_string();
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(digest(&SHA256, json.as_bytes()).as_ref());
        let name = match &opened {
            Place::Files(files) => files.name(),
            Place::Asked { name, .. } => name.clone(),
        };
        let origin = node.origin.clone();
        Ok(SourceSettings { kind: kind.key, name, place: opened, hosts, secrets, origin, fingerprint })
    }

    /// As far as names are known without reading anything.
    fn refuse_repeated_names(&mut self, sources: &[SourceSettings]) {
        let mut known: HashMap<&str, &Origin> = HashMap::new();
        for source in sources {
            let own = match &source.place {
                Place::Files(Files::One { name, .. }) => vec![(name.as_str(), &source.origin)],
                _ => source.secrets.iter().map(|secret| (secret.name.as_str(), &secret.origin)).collect(),
            };
            for (name, origin) in own {
                if let Some(other) = known.insert(name, origin) {
                    let finding = Diagnostic::error(format!("the secret `{name}` is there twice")).at(origin);
                    self.errors.push(finding.hint(format!("the other one is at {other}; give one another name")));
                }
            }
        }
    }
}

fn kind_of(node: &Node) -> Result<&'static Kind, Diagnostic> {
    let mut written = KINDS.iter().filter(|kind| node.entry(kind.key).is_some());
    let known = || KINDS.iter().map(|kind| format!("`{}`", kind.key)).collect::<Vec<_>>().join(", ");
    match (written.next(), written.next()) {
        (Some(kind), None) => Ok(kind),
        (Some(one), Some(other)) => {
            let text = format!("a source is one place, and `{}` and `{}` are two", one.key, other.key);
            Err(Diagnostic::error(text).at(&key_place(node, other.key)).hint("write two sources"))
        }
        _ => {
            Err(Diagnostic::error("nothing says what kind of place this is").hint(format!("write one of {}", known())))
        }
    }
}

fn named_secrets(
    node: &Node,
    file: &SecretSourceFile,
    hosts_of_source: Option<&Hosts>,
) -> Result<Vec<NamedSecret>, Diagnostic> {
    let Some(written) = &file.secrets else { return Ok(Vec::new()) };
    let Some(Value::List(items)) = node.get("secrets").map(|node| &node.value) else { return Ok(Vec::new()) };
    let read = |(file, node): (&NamedSecretFile, &Node)| {
        let given = |key: &str, value: &Option<String>| match value.clone().filter(|value| !value.is_empty()) {
            Some(value) => Ok(value),
            None => Err(Diagnostic::error(format!("the secret has no `{key}`")).at(&node.origin)),
        };
        let given_if_any = |key: &str, value: &Option<String>| value.as_ref().map(|_| given(key, value)).transpose();
        Ok(NamedSecret {
            name: given("name", &file.name)?,
            wanted: Wanted {
                id: given("id", &file.id)?,
                field: given_if_any("field", &file.field)?,
                version: given_if_any("version", &file.version)?,
            },
            hosts: hosts(node)?.or_else(|| hosts_of_source.cloned()),
            origin: node.origin.clone(),
        })
    };
    written.iter().zip(items).map(read).collect()
}

/// The `hosts` of a source or a secret.
fn hosts(node: &Node) -> Result<Option<Hosts>, Diagnostic> {
    let Some(list) = node.get("hosts") else { return Ok(None) };
    let written: Option<Vec<String>> = decode(list)?;
    let Some(written) = written else { return Ok(None) };
    if written.is_empty() {
        let finding = Diagnostic::error("`hosts` is empty: the secret may be sent nowhere").at(&list.origin);
        return Err(finding.hint("name hosts, or remove the key if it may be sent anywhere"));
    }
    Hosts::parse(&written).map(Some).map_err(|problem| {
        let finding = Diagnostic::error(format!("`hosts`: {problem}")).at(&list.origin);
        finding.hint("write host names without scheme and path, such as `api.example.com` or `*.example.com`")
    })
}

fn key_place(node: &Node, key: &str) -> Origin {
    node.entry(key).map_or_else(|| node.origin.clone(), |entry| entry.key_origin.clone())
}
