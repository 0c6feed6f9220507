//! Places that hold secrets and are asked over the network, mirrored.

use schemars::JsonSchema;
use serde::Deserialize;

mirror! {
    /// AWS Secrets Manager. Credentials are found as AWS's own tools find them.
    AwsSecretsManager {
        /// The region; by default that of the environment or the profile.
        region: String,
        /// A profile in the files that AWS's tools share, instead of the credentials that are found first.
        profile: String,
        /// The URL of an endpoint, instead of the region's own.
        endpoint: String,
    }
    /// A HashiCorp Vault, or what speaks like it (OpenBao): the KV engine, version 2.
    Vault {
        /// Its URL.
        address: String,
        /// The namespace; by default there is none.
        namespace: String,
        /// Where the engine is mounted; `secret` by default.
        mount: String,
        /// How to get a token: exactly one of the ways.
        auth: VaultAuth,
    }
    /// How to get a token of Vault. Tokens are renewed at half of their life.
    VaultAuth {
        /// A file that holds a token, such as the sink of a Vault Agent.
        token_file: String,
        /// The name of a variable that holds a token; looked for in `secrets.env_dir`, then in the environment.
        token_env: String,
        /// The account of the Kubernetes pod.
        kubernetes: VaultKubernetes,
        /// An AppRole.
        approle: VaultAppRole,
    }
    /// The Kubernetes auth method.
    VaultKubernetes {
        /// The role.
        role: String,
        /// Where the method is mounted, below `auth/`; `kubernetes` by default.
        mount: String,
        /// The file that holds the account's token; by default where Kubernetes mounts it.
        token_file: String,
    }
    /// The AppRole auth method.
    VaultAppRole {
        /// The identifier of the role.
        role_id: String,
        /// The file that holds the secret identifier.
        secret_id_file: String,
        /// Where the method is mounted, below `auth/`; `approle` by default.
        mount: String,
    }
}
