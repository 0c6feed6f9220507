//! A profile in the files that AWS's tools share (`~/.aws/credentials`, `~/.aws/config`).

use std::path::PathBuf;

use ini::{Ini, Properties};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey as Key};

use super::Variable;

/// Settings that are taken over.
const SETTINGS: &[(&str, Key)] = &[
    ("aws_access_key_id", Key::AccessKeyId),
    ("aws_secret_access_key", Key::SecretAccessKey),
    ("aws_session_token", Key::Token),
    ("web_identity_token_file", Key::WebIdentityTokenFile),
    ("role_arn", Key::RoleArn),
    ("role_session_name", Key::RoleSessionName),
    ("region", Key::Region),
];

/// Ways to credentials that only AWS's own tools go.
const UNSUPPORTED: &[&str] =
    &["credential_process", "source_profile", "credential_source", "sso_session", "sso_start_url"];

/// What a profile says.
pub(super) struct Profile(Vec<(Key, String)>);

impl Profile {
    /// The profile of a name, which must exist, or the default one, if there is one with credentials.
    pub(super) fn find(name: Option<&str>, variable: Variable<'_>) -> Result<Option<Self>, String> {
        let wanted = name.unwrap_or("default");
        let mut settings = Vec::new();
        // What the credentials file says goes before the configuration file.
        let files = [("AWS_CONFIG_FILE", "config"), ("AWS_SHARED_CREDENTIALS_FILE", "credentials")];
        for (named_by, usual) in files {
            let home = || variable("HOME").map(|home| PathBuf::from(home).join(".aws").join(usual));
            let Some(path) = variable(named_by).map(PathBuf::from).or_else(home) else { continue };
            let Ok(text) = std::fs::read_to_string(&path) else { continue };
            // The parser's own words can repeat a line of the file.
            let file = Ini::load_from_str_noescape(&text)
                .map_err(|error| format!("{}:{}: it is no INI file", path.display(), error.line))?;
            let prefixed = format!("profile {wanted}");
            if let Some(section) = file.section(Some(prefixed.as_str())).or_else(|| file.section(Some(wanted))) {
                collect(section, wanted, &mut settings)?;
            }
        }
        let has_credentials = settings.iter().any(|(key, _)| matches!(key, Key::AccessKeyId | Key::RoleArn));
        match (has_credentials, name) {
            (true, _) => Ok(Some(Self(settings))),
            (false, Some(name)) => Err(format!("there is no profile `{name}` with credentials in AWS's shared files")),
            (false, None) => Ok(None),
        }
    }

    pub(super) fn apply(self, builder: AmazonS3Builder) -> AmazonS3Builder {
        self.0.into_iter().fold(builder, |builder, (key, value)| builder.with_config(key, value))
    }
}

fn collect(section: &Properties, name: &str, settings: &mut Vec<(Key, String)>) -> Result<(), String> {
    if let Some(unsupported) = UNSUPPORTED.iter().find(|setting| section.contains_key(**setting)) {
        return Err(format!(
            "profile `{name}` of AWS's shared files says `{unsupported}`, which is not supported: \
             give keys, a role with `web_identity_token_file`, or the machine's own identity"
        ));
    }
    for (setting, key) in SETTINGS {
        settings.extend(section.get(setting).map(|value| (*key, value.to_owned())));
    }
    Ok(())
}
