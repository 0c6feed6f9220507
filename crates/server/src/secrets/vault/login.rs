//! How to get a token: a given one, or a login. Files are read each time, since they may be replaced.

use std::path::{Path, PathBuf};
use std::time::Instant;

use http::StatusCode;
use keyward_core::ports::SecretSource;
use keyward_core::secret::Secret;
use serde::Serialize;

use super::api::{Api, Auth};
use super::problem::Problem;
use super::token::Token;
use crate::redaction;
use crate::secrets::EnvironmentSecrets;
use crate::secrets::backend::Failure;
use crate::secrets::text;

/// How to get a token.
#[derive(Clone, Debug)]
pub enum Login {
    /// Somebody else gets it.
    Given(Given),
    /// Asking an auth method for it.
    Method {
        /// Where the method is mounted, below `auth/`.
        mount: String,
        /// What it is told.
        credentials: Credentials,
    },
}

/// Where a token lies.
#[derive(Clone, Debug)]
pub enum Given {
    /// In a file, such as the sink of a Vault Agent.
    File(PathBuf),
    /// In a variable.
    Variable {
        /// Where it is looked for.
        variables: EnvironmentSecrets,
        /// Its name.
        name: String,
    },
}

/// What an auth method is told.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// A Kubernetes service account.
    Kubernetes {
        /// The role.
        role: String,
        /// The file that holds the service account's token.
        token_file: PathBuf,
    },
    /// An AppRole.
    AppRole {
        /// The role's identifier: half of what gets a token.
        role_id: Secret,
        /// The file that holds the secret identifier.
        secret_id_file: PathBuf,
    },
}

#[derive(Serialize)]
struct Kubernetes<'a> {
    role: &'a str,
    jwt: &'a str,
}

#[derive(Serialize)]
struct AppRole<'a> {
    role_id: &'a str,
    secret_id: &'a str,
}

impl Login {
    /// The token that is given now; `None` where one is asked for.
    pub(super) fn given(&self) -> Result<Option<Secret>, Failure> {
        match self {
            Self::Given(given) => given.read().map(Some),
            Self::Method { .. } => Ok(None),
        }
    }

    /// Gets a token, which lives from `now` on.
    pub(super) async fn sign_in(&self, api: &Api<'_>, now: Instant) -> Result<Token, Failure> {
        match self {
            Self::Given(given) => {
                let secret = given.read()?;
                match api.about(&secret).await {
                    Ok(about) => Ok(Token::given(secret, Some(&about), now)),
                    // It may be good for secrets, and not for asking about itself.
                    Err(Problem::Refused(StatusCode::FORBIDDEN)) => Ok(Token::given(secret, None, now)),
                    Err(Problem::Refused(status @ (StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND))) => {
                        let cause = format!("Vault answered {} when asked about the token", status.as_u16());
                        Err(Failure::new(cause).remedy("check `namespace`, and the path of `address` if it has one"))
                    }
                    Err(problem) => Err(problem.failure("the token", api)),
                }
            }
            Self::Method { mount, credentials } => match credentials.show(api, mount).await? {
                Ok(auth) => Ok(Token::issued(auth, now)),
                Err(Problem::Refused(status)) if is_about_login(status) => {
                    let cause = format!("Vault answered {} to the login at `auth/{mount}`", status.as_u16());
                    Err(Failure::new(cause).remedy(credentials.remedy(mount)))
                }
                Err(problem) => Err(problem.failure("the login", api)),
            },
        }
    }
}

impl Given {
    fn read(&self) -> Result<Secret, Failure> {
        let secret = match self {
            Self::File(path) => read(path)?,
            Self::Variable { variables, name } => variables.env(name).ok_or_else(|| {
                Failure::new(format!("`{name}`, which should hold a token of Vault, is not set"))
                    .remedy("set it, or write a file of that name into `secrets.env_dir`")
            })?,
        };
        match secret.expose().is_empty() {
            true => Err(Failure::new("the token of Vault is empty").remedy("write a token there")),
            false => Ok(secret),
        }
    }
}

impl Credentials {
    /// The outer error is one of a file.
    async fn show(&self, api: &Api<'_>, mount: &str) -> Result<Result<Auth, Problem>, Failure> {
        match self {
            Self::Kubernetes { role, token_file } => {
                let jwt = read(token_file)?;
                Ok(api.login(mount, &Kubernetes { role, jwt: jwt.expose() }).await)
            }
            Self::AppRole { role_id, secret_id_file } => {
                let secret_id = read(secret_id_file)?;
                Ok(api.login(mount, &AppRole { role_id: role_id.expose(), secret_id: secret_id.expose() }).await)
            }
        }
    }

    fn remedy(&self, mount: &str) -> String {
        match self {
            Self::Kubernetes { role, .. } => format!(
                "check that `auth/{mount}` is a Kubernetes method of that namespace, and that its role `{role}` is bound \
                 to the service account and namespace that this process runs as"
            ),
            Self::AppRole { .. } => format!(
                "check that `auth/{mount}` is an AppRole method of that namespace, that `role_id` is right, and that \
                 the secret identifier is neither over nor used up"
            ),
        }
    }
}

/// A credential for Vault itself is a secret like those that are asked for with it.
fn read(path: &Path) -> Result<Secret, Failure> {
    let secret = text::read(path)?.secret;
    redaction::known().learn(&path.display().to_string(), [&secret]);
    Ok(secret)
}

fn is_about_login(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND)
}
