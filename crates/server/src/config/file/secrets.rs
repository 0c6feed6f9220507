//! `secrets` in the configuration, mirrored. A kind of place has one key of [`SecretSourceFile`], and one row
//! of [`KINDS`](crate::secrets::kinds::KINDS).

use keyward_core::document::Node;
use keyward_core::document::duration::GoDuration;
use schemars::JsonSchema;
use serde::Deserialize;

use super::secret_places::{AwsSecretsManager, Vault};

mirror! {
    /// Where secrets come from.
    Secrets {
        /// A directory with one file per variable, such as a mounted Kubernetes secret; looked at before
        /// the environment.
        env_dir: String,
        /// How long a value may be used after its source was last read, when the source is down; then rules
        /// that use it deny. One hour by default.
        max_stale: GoDuration,
        /// How often sources are asked for new values, give or take a tenth; one minute by default.
        refresh_interval: GoDuration,
        /// Places that hold secrets, which templates name with `secret`.
        #[schemars(with = "Option<Vec<SecretSourceFile>>")]
        sources: Vec<Node>,
        /// Whether other processes of the same user may trace Keyward, and read its memory, environment and open files
        /// under `/proc`; true by default. Linux only. Only a start changes it.
        traceable: bool,
    }
    /// A place that holds secrets: exactly one of the keys that name a kind of place, and what goes with it.
    SecretSourceFile {
        /// Kind: a file that holds one secret.
        file: String,
        /// Kind: a directory in which every file is a secret of the same name, such as a mounted Kubernetes secret.
        directory: String,
        /// Kind: the credentials that systemd passes to the service, by their names there.
        systemd: bool,
        /// Kind: AWS Secrets Manager. A secret's `id` is its name or ARN, its `version` the identifier of a version
        /// (32 to 64 characters) or a label such as `AWSPREVIOUS`.
        aws_secrets_manager: AwsSecretsManager,
        /// Kind: HashiCorp Vault. A secret's `id` is its path below the mount, its `field` is needed, its `version` is
        /// a number.
        vault: Vault,
        /// What templates call the secret of `file`; the file's name by default.
        name: String,
        /// Where its secrets may be sent, such as `api.example.com`, `*.example.com` or `api.example.com:8443`;
        /// anywhere by default.
        hosts: Vec<String>,
        /// The secrets that are wanted of a place that is asked by name.
        secrets: Vec<NamedSecretFile>,
    }
    /// A secret, and what its place calls it.
    NamedSecretFile {
        /// What templates call it.
        name: String,
        /// What the place calls it.
        id: String,
        /// The member of the JSON object that the place holds; without one, the whole text is the value.
        field: String,
        /// Which version; the current one by default.
        version: String,
        /// Where it may be sent, instead of the `hosts` of the source.
        hosts: Vec<String>,
    }
}
