//! Why an object could not be had, in words that name what to do and hold no credential.

use std::time::Duration;

use http::StatusCode;
use keyward_core::secret::shown_url;
use thiserror::Error;

use super::connector::{Heard, Trouble};

/// Why there is no object.
#[derive(Debug)]
pub struct Failure {
    /// For the operator.
    pub cause: String,
    /// Asking again may help.
    pub may_pass: bool,
    /// How long the store asks to wait.
    pub wait: Option<Duration>,
}

/// An error that is nothing but its text.
#[derive(Debug, Error)]
#[error("{0}")]
pub(super) struct Message(pub(super) String);

/// An answer that Keyward does not take.
pub(super) fn refused(why: &str) -> object_store::Error {
    object_store::Error::NotSupported { source: Box::new(Message(why.to_owned())) }
}

impl Failure {
    pub(super) fn passing(cause: String) -> Self {
        Self { cause, may_pass: true, wait: None }
    }

    pub(super) fn lasting(cause: String) -> Self {
        Self { cause, may_pass: false, wait: None }
    }

    /// What was heard last says more than the provider's client, and repeats no URL.
    pub(super) fn of(error: &object_store::Error, heard: &Heard, permission: &str) -> Self {
        if let object_store::Error::NotSupported { source } = error {
            return Self::lasting(source.to_string());
        }
        match heard.last() {
            Some(Trouble { host, outcome: Ok((status, code)), wait }) => {
                Self { wait, ..answered(&host, status, code.as_deref(), permission) }
            }
            Some(Trouble { host, outcome: Err(cause), .. }) => Self::passing(format!("{host}: {cause}")),
            // Nothing was asked, or what was answered made no sense: files of credentials, malformed answers.
            None => Self::passing(without_queries(&chain(error))),
        }
    }
}

fn answered(host: &str, status: StatusCode, code: Option<&str>, permission: &str) -> Failure {
    let code = code.map(|code| format!(" {code}")).unwrap_or_default();
    let advice = match status {
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => {
            format!("; what it needs is {permission}, for the identity that this process has there")
        }
        StatusCode::NOT_FOUND => "; bucket or object do not exist there".to_owned(),
        status if status.is_redirection() => "; redirects are not followed: name the region or the endpoint".to_owned(),
        _ => String::new(),
    };
    Failure {
        cause: format!("{host} answered {}{code}{advice}", status.as_u16()),
        may_pass: status.is_server_error()
            || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT),
        wait: None,
    }
}

/// An error with its causes, each said once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        next = cause.source();
    }
    text
}

/// URLs in a text can hold tokens.
fn without_queries(text: &str) -> String {
    let shown = |word| if str::contains(word, "://") { shown_url(word) } else { word.into() };
    text.split(' ').map(shown).collect::<Vec<_>>().join(" ")
}
