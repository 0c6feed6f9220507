//! `vault` of the configuration.

use std::sync::Arc;
use std::time::Instant;

use keyward_core::diagnostic::Diagnostic;
use keyward_core::secret::Secret;
use keyward_core::side_url::SideUrl;

use super::{Credentials, Given, Login, Options, Vault};
use crate::config::file::secret_places::{VaultAppRole, VaultAuth, VaultKubernetes};
use crate::config::settings::secrets::NamedSecret;
use crate::secrets::EnvironmentSecrets;
use crate::secrets::kinds::{Place, REQUEST, Written};

/// The key.
pub(in crate::secrets) const KEY: &str = "vault";
/// Where Kubernetes mounts the token of a pod's account.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";
const WAYS: &str = "write one of `token_file`, `token_env`, `kubernetes`, `approle`";

/// `vault: {…}`
pub(in crate::secrets) fn open(written: &Written<'_>) -> Result<Place, Diagnostic> {
    let file = written.file.vault.clone().unwrap_or_default();
    let address = address(&written.needed(KEY, "address", file.address)?).map_err(|problem| {
        written.refuse(KEY, "address", &problem).hint("write one such as `https://vault.example.com:8200`")
    })?;
    let namespace = written.given(KEY, "namespace", file.namespace)?;
    let namespace = namespace.map(|namespace| namespace.trim_matches('/').to_owned());
    if namespace.as_ref().is_some_and(|namespace| !is_path(namespace)) {
        return Err(written.refuse(KEY, "namespace", "it is no path of a namespace"));
    }
    let mount = mount(written, "mount", file.mount, "secret")?;
    for secret in written.secrets {
        check(secret).map_err(|problem| problem.at(&secret.origin))?;
    }
    let login = login(written, file.auth.unwrap_or_default())?;
    let name = match &namespace {
        Some(namespace) => format!("{address} {namespace}/{mount}"),
        None => format!("{address} {mount}"),
    };
    let vault = Vault::new(Options { address, namespace, mount, login }, REQUEST, Instant::now);
    Ok(Place::Asked { backend: Arc::new(vault), name })
}

fn address(text: &str) -> Result<String, String> {
    let text = text.trim_end_matches('/');
    let url = SideUrl::parse(text)?;
    match text.contains('@') || url.query().is_some() || url.has_fragment() {
        true => Err("it must not hold credentials, a query or a fragment".to_owned()),
        false => Ok(text.to_owned()),
    }
}

fn check(secret: &NamedSecret) -> Result<(), Diagnostic> {
    let wanted = &secret.wanted;
    if !is_path(&wanted.id) {
        return Err(Diagnostic::error("`id` is no path: it has an empty segment, or one of dots")
            .hint("write the path below the mount, without slashes at its ends"));
    }
    if wanted.field.is_none() {
        return Err(Diagnostic::error("the secret has no `field`")
            .hint("say which member of what Vault holds there is the value"));
    }
    let is_number = |version: &String| version.parse::<u32>().is_ok_and(|number| number > 0);
    match wanted.version.as_ref().is_none_or(is_number) {
        true => Ok(()),
        false => Err(Diagnostic::error("`version` is no number of a version").hint("versions are counted from \"1\"")),
    }
}

fn login(written: &Written<'_>, auth: VaultAuth) -> Result<Login, Diagnostic> {
    let VaultAuth { token_file, token_env, kubernetes, approle } = auth;
    match (token_file, token_env, kubernetes, approle) {
        (Some(path), None, None, None) => {
            written.needed(KEY, "auth.token_file", Some(path)).map(|path| Login::Given(Given::File(path.into())))
        }
        (None, Some(name), None, None) => {
            let name = written.needed(KEY, "auth.token_env", Some(name))?;
            let variables = EnvironmentSecrets::new(written.env_dir.map(Into::into));
            Ok(Login::Given(Given::Variable { variables, name }))
        }
        (None, None, Some(kubernetes), None) => by_kubernetes(written, kubernetes),
        (None, None, None, Some(approle)) => by_role(written, approle),
        (None, None, None, None) => Err(written.refuse(KEY, "auth", "nothing says how to get a token").hint(WAYS)),
        _ => Err(written.refuse(KEY, "auth", "there are several ways to get a token").hint(WAYS)),
    }
}

fn by_kubernetes(written: &Written<'_>, file: VaultKubernetes) -> Result<Login, Diagnostic> {
    let role = written.needed(KEY, "auth.kubernetes.role", file.role)?;
    let token_file = written.given(KEY, "auth.kubernetes.token_file", file.token_file)?;
    let token_file = token_file.unwrap_or_else(|| ACCOUNT.to_owned()).into();
    let mount = mount(written, "auth.kubernetes.mount", file.mount, "kubernetes")?;
    Ok(Login::Method { mount, credentials: Credentials::Kubernetes { role, token_file } })
}

fn by_role(written: &Written<'_>, file: VaultAppRole) -> Result<Login, Diagnostic> {
    let role_id = Secret::new(written.needed(KEY, "auth.approle.role_id", file.role_id)?);
    let secret_id_file = written.needed(KEY, "auth.approle.secret_id_file", file.secret_id_file)?.into();
    let mount = mount(written, "auth.approle.mount", file.mount, "approle")?;
    Ok(Login::Method { mount, credentials: Credentials::AppRole { role_id, secret_id_file } })
}

fn mount(written: &Written<'_>, key: &str, given: Option<String>, usual: &str) -> Result<String, Diagnostic> {
    let mount = written.given(KEY, key, given)?.unwrap_or_else(|| usual.to_owned());
    match is_path(mount.trim_matches('/')) {
        true => Ok(mount.trim_matches('/').to_owned()),
        false => Err(written.refuse(KEY, key, "it is no path of a mount")),
    }
}

/// Segments between slashes, none of them empty or dots, which could lead elsewhere; nothing that no header holds.
fn is_path(text: &str) -> bool {
    let is_segment = |segment: &str| !matches!(segment, "" | "." | "..") && !segment.contains(char::is_control);
    text.split('/').all(is_segment)
}
