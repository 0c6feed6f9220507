//! Why Secrets Manager handed out no value, and what to do about it. Its own messages are not repeated.

use http::StatusCode;

use crate::secrets::backend::Failure;

/// Why there is no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// Nobody can be asked without credentials.
    NoCredentials(String),
    /// Nobody answered: others need not be tried.
    NoAnswer(String),
    /// An answer that makes no sense.
    Malformed,
    /// An error.
    Refused {
        /// Of the answer; 200 inside of a batch.
        status: StatusCode,
        /// The name of the error, if it has one.
        code: Option<String>,
        /// The key that encrypts the secret is what was refused.
        is_about_key: bool,
    },
}

/// What is wanted of whom.
pub(super) struct About<'a> {
    pub(super) id: &'a str,
    pub(super) region: &'a str,
}

impl Problem {
    /// `code` as it is answered: `NAMESPACE#NAME:MORE`.
    pub(super) fn refused(status: StatusCode, code: Option<&str>, message: &str) -> Self {
        let code = code.map(|code| code.rsplit('#').next().unwrap_or_default());
        let code = code.map(|code| code.split(':').next().unwrap_or_default());
        let is_name = |code: &&str| (1..=64).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_alphanumeric());
        let code = code.filter(is_name).map(str::to_owned);
        Self::Refused { status, code, is_about_key: message.contains("KMS") }
    }

    /// Whether batches are what was refused, so that one by one may work.
    pub(super) fn is_about_batches(&self) -> bool {
        let Self::Refused { code: Some(code), .. } = self else { return false };
        matches!(&**code, "AccessDeniedException" | "AccessDenied" | "UnknownOperationException")
    }

    /// Whether everything else that is asked now would fail in the same way.
    pub(super) fn is_about_all(&self) -> bool {
        match self {
            Self::NoCredentials(_) | Self::NoAnswer(_) => true,
            Self::Malformed => false,
            Self::Refused { status, code, .. } => {
                status.is_redirection() || code.as_deref().is_some_and(|code| is_about_identity(code) || is_haste(code))
            }
        }
    }

    /// For the operator.
    pub(super) fn failure(&self, about: &About<'_>) -> Failure {
        let (status, code, is_about_key) = match self {
            Self::NoCredentials(cause) => {
                let remedy = "set `AWS_ACCESS_KEY_ID` and its secret, name a profile, or give the machine a role";
                return Failure::new(cause).remedy(remedy);
            }
            Self::NoAnswer(cause) => {
                let remedy =
                    format!("check that `{}` is a region of AWS, the endpoint, and the way to it", about.region);
                return Failure::new(cause).remedy(remedy);
            }
            Self::Malformed => {
                let remedy = "check that the endpoint is that of Secrets Manager";
                return Failure::new("the answer is not what Secrets Manager answers").remedy(remedy);
            }
            Self::Refused { status, code, is_about_key } => {
                (*status, code.as_deref().unwrap_or_default(), is_about_key)
            }
        };
        let number = if status == StatusCode::OK { "" } else { status.as_str() };
        let answered = [number, code].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
        let failure = Failure::new(format!("Secrets Manager answered {answered} for `{}`", about.id));
        match remedy(status, code, *is_about_key, about) {
            Some(remedy) => failure.remedy(remedy),
            None => failure,
        }
    }
}

fn remedy(status: StatusCode, code: &str, is_about_key: bool, about: &About<'_>) -> Option<String> {
    let About { id, region } = about;
    let remedy = match code {
        "DecryptionFailure" => key_remedy(id),
        "AccessDeniedException" if is_about_key => key_remedy(id),
        "AccessDeniedException" | "AccessDenied" => {
            let arn = arn(about);
            format!("allow `secretsmanager:GetSecretValue` on `{arn}`, for the identity that this process has there")
        }
        "ResourceNotFoundException" => {
            format!("check `id` and `version`: `{region}` has no such secret, or not that version of it")
        }
        "InvalidRequestException" => {
            "the secret may be marked for deletion: restore it, or name another one".to_owned()
        }
        "InvalidParameterException" | "ValidationException" => {
            "check how `id` and `version` are written: a version is an identifier of 32 to 64 characters, \
             or a label such as `AWSPREVIOUS`"
                .to_owned()
        }
        "ExpiredTokenException" | "ExpiredToken" => {
            "the session of the credentials is over: give new ones, or an identity that renews itself".to_owned()
        }
        code if is_about_identity(code) => {
            "AWS does not know these credentials, or the clock is wrong: check the access key and its secret".to_owned()
        }
        code if is_haste(code) => "it is asked again later; a longer `refresh_interval` asks less often".to_owned(),
        _ if status.is_redirection() => "redirects are not followed: name the endpoint itself".to_owned(),
        _ => return None,
    };
    Some(remedy)
}

fn key_remedy(id: &str) -> String {
    format!("allow `kms:Decrypt` on the key that encrypts `{id}`, and check that the key is enabled")
}

fn is_about_identity(code: &str) -> bool {
    const CODES: &[&str] = &[
        "ExpiredTokenException",
        "ExpiredToken",
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "MissingAuthenticationTokenException",
        "InvalidAccessKeyId",
        "InvalidToken",
    ];
    CODES.contains(&code)
}

fn is_haste(code: &str) -> bool {
    matches!(code, "ThrottlingException" | "Throttling" | "TooManyRequestsException")
}

/// What a policy has to name. AWS adds six characters to the name of a secret.
fn arn(about: &About<'_>) -> String {
    if about.id.starts_with("arn:") {
        return about.id.to_owned();
    }
    let partition = match about.region {
        region if region.starts_with("cn-") => "aws-cn",
        region if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    };
    format!("arn:{partition}:secretsmanager:{}:*:secret:{}-??????", about.region, about.id)
}
