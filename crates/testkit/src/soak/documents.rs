//! What is replaced: the text of each, and how it takes the place of the one before.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

/// The paths of requests: a rule of the file serves the first, one of the remote rules the second.
pub(super) const PATHS: [&str; 2] = ["/soak", "/remote"];

/// The names of the headers that tell versions, in the order of [`super::seen::Versions::read`].
pub(super) const HEADERS: [&str; 8] = [
    "X-Whose",
    "X-Rules",
    "X-Rules-Too",
    "X-Environment",
    "X-Environment-Too",
    "X-Source",
    "X-Source-Too",
    "X-Configuration",
];

/// The names in `secrets.env_dir`, and those of the source.
pub(super) const ENVIRONMENT: [&str; 2] = ["SOAK_ID", "SOAK_SECRET"];
pub(super) const SOURCE: [&str; 2] = ["soak-id", "soak-secret"];

/// As editors and deployments do.
pub(super) fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let fresh = path.with_extension("fresh");
    fs::write(&fresh, text)?;
    fs::rename(fresh, path)
}

/// Makes a directory of secrets, mounted as Kubernetes does.
pub(super) fn mount(directory: &Path, names: [&str; 2]) -> std::io::Result<()> {
    fs::create_dir(directory)?;
    remount(directory, names, 1)?;
    names.iter().try_for_each(|name| symlink(format!("..data/{name}"), directory.join(name)))
}

/// Both files change with one link, and what it led to before goes at once.
pub(super) fn remount(directory: &Path, names: [&str; 2], version: u32) -> std::io::Result<()> {
    let name = format!("..{version}");
    fs::create_dir(directory.join(&name))?;
    for file in names {
        fs::write(directory.join(&name).join(file), version.to_string())?;
    }
    symlink(&name, directory.join("..data_tmp"))?;
    fs::rename(directory.join("..data_tmp"), directory.join("..data"))?;
    match version {
        1 => Ok(()),
        _ => fs::remove_dir_all(directory.join(format!("..{}", version - 1))),
    }
}

/// A configuration with these two directories of secrets.
pub(super) fn configuration(environment: &Path, source: &Path, version: u32) -> String {
    let (environment, source) = (environment.display(), source.display());
    format!(
        "authenticators: {{anonymous: {{enabled: true}}}}\nauthorizers: {{allow: {{enabled: true}}}}\n\
         mutators: {{header: {{enabled: true, config: {{headers: {{X-Configuration: \"{version}\"}}}}}}}}\n\
         secrets: {{env_dir: \"{environment}\", sources: [{{directory: \"{source}\"}}]}}\n\
         access_rules: {{refresh_interval: 1s}}\nserve: {{proxy: {{rules_version_header: true}}}}\nlog: {{level: warn}}\n"
    )
}

/// The rule file.
pub(super) fn rules(port: u16, upstream: u16, version: u32) -> String {
    rule("file", PATHS[0], port, upstream, version)
}

/// The remote rules.
pub(super) fn remote_rules(port: u16, upstream: u16, version: u32) -> String {
    rule("remote", PATHS[1], port, upstream, version)
}

fn rule(whose: &str, path: &str, port: u16, upstream: u16, version: u32) -> String {
    let [id, secret] = ENVIRONMENT;
    let [source_id, source_secret] = SOURCE;
    format!(
        "- id: {whose}\n  match: {{url: \"http://127.0.0.1:{port}{path}\", methods: [GET]}}\n  \
         authenticators: [{{handler: anonymous}}]\n  authorizer: {{handler: allow}}\n  \
         mutators:\n  - handler: header\n    config:\n      headers:\n        X-Whose: {whose}\n        \
         X-Rules: \"{version}\"\n        X-Rules-Too: \"{version}\"\n        \
         X-Environment: '{{{{ env \"{id}\" }}}}'\n        X-Environment-Too: '{{{{ env \"{secret}\" }}}}'\n        \
         X-Source: '{{{{ secret \"{source_id}\" }}}}'\n        X-Source-Too: '{{{{ secret \"{source_secret}\" }}}}'\n  \
         upstream: {{url: \"http://127.0.0.1:{upstream}\"}}\n"
    )
}
