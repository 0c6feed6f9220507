//! Side services that are not called: answers out of a script, and a list of what would have been asked.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use keyward_core::ports::{CallPolicy, LocalFuture, SideAnswer, SideClient, SideError, SideRequest};
use keyward_core::secret::shown_url;

use crate::side_client::is_retried;

/// An answer of a side service.
#[derive(Clone)]
pub struct Scripted {
    /// For this method only.
    pub method: Option<Method>,
    /// For this URL; without a query, for any.
    pub url: String,
    /// The status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// A call that a handler wanted to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The method.
    pub method: String,
    /// The URL as it may be shown.
    pub url: String,
    /// Whether the script had an answer.
    pub answered: bool,
}

/// Answers calls out of a script.
#[derive(Default)]
pub struct ScriptedSide {
    script: Vec<Scripted>,
    calls: Mutex<Vec<Call>>,
}

impl ScriptedSide {
    /// A client with these answers; what they do not cover is not answered.
    pub fn new(script: Vec<Scripted>) -> Self {
        Self { script, calls: Mutex::default() }
    }

    /// The calls since this was asked last.
    pub fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut *self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn answer(&self, request: &SideRequest, policy: &CallPolicy) -> Result<SideAnswer, SideError> {
        let address = request.url.split('?').next().unwrap_or_default();
        let scripted = self.script.iter().find(|one| {
            one.method.as_ref().is_none_or(|method| *method == request.method)
                && one.url == if one.url.contains('?') { request.url.as_str() } else { address }
        });
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(Call {
            method: request.method.to_string(),
            url: shown_url(&request.url).into_owned(),
            answered: scripted.is_some(),
        });
        let Some(scripted) = scripted else {
            return Err(SideError::Broken("side services are not called here".to_owned()));
        };
        if policy.attempts > 1 && is_retried(scripted.status) {
            let last = format!("status {}", scripted.status.as_u16());
            return Err(SideError::GaveUp { attempts: policy.attempts, last });
        }
        if scripted.body.len() > policy.max_body {
            return Err(SideError::TooLong);
        }
        Ok(SideAnswer { status: scripted.status, headers: scripted.headers.clone(), body: scripted.body.clone() })
    }
}

impl SideClient for ScriptedSide {
    fn call<'a>(
        &'a self,
        request: SideRequest,
        policy: &'a CallPolicy,
    ) -> LocalFuture<'a, Result<SideAnswer, SideError>> {
        Box::pin(std::future::ready(self.answer(&request, policy)))
    }
}
