//! What is known of the secrets that a rule uses, besides their values.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use crate::hosts::Hosts;
use crate::rule::upstream::UpstreamOrigin;
use crate::secret::Secret;
use crate::side_url::SideUrl;

/// The value of a secret that `{{ secret "NAME" }}` names, with what is known of it.
#[derive(Clone, Debug)]
pub struct NamedSecret {
    /// The value.
    pub value: Secret,
    /// What the place it is from calls its version; never derived from the value.
    pub version: Arc<str>,
    /// Where it may be sent; `None` for anywhere.
    pub hosts: Option<Hosts>,
}

/// Why there is no value behind a name. Never holds one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absent {
    /// What is wrong, for the operator.
    pub cause: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

/// A secret that a template uses, without its value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Credential {
    /// `{{ env "NAME" }}`
    Environment(Arc<str>),
    /// `{{ secret "NAME" }}`
    Named {
        /// The name.
        name: Arc<str>,
        /// The version of the value in use.
        version: Arc<str>,
        /// Where it may be sent; `None` for anywhere.
        hosts: Option<Hosts>,
    },
}

/// As the audit record names it.
impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(name) => write!(f, "env:{name}"),
            Self::Named { name, version, .. } => write!(f, "{name}@{version}"),
        }
    }
}

/// What a handler uses, noted while it is bound.
#[derive(Debug, Default)]
pub struct Uses {
    credentials: RefCell<Vec<Credential>>,
    services: RefCell<Vec<Arc<UpstreamOrigin>>>,
}

/// What one handler uses.
#[derive(Debug, Default)]
pub struct Used {
    /// Secrets, each once.
    pub credentials: Vec<Credential>,
    /// Side services that it calls.
    pub services: Vec<Arc<UpstreamOrigin>>,
}

impl Uses {
    /// Notes the secrets of a template.
    pub fn credentials(&self, used: &[Credential]) {
        let mut known = self.credentials.borrow_mut();
        for credential in used {
            if !known.contains(credential) {
                known.push(credential.clone());
            }
        }
    }

    /// Notes a side service.
    pub fn service(&self, url: &SideUrl) {
        self.services.borrow_mut().push(url.destination().clone());
    }

    /// Takes what was noted since the last time.
    pub(crate) fn take(&self) -> Used {
        Used { credentials: self.credentials.take(), services: self.services.take() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_handler_uses_is_noted_once_and_taken_once() {
        let named = Credential::Named { name: "token".into(), version: "3".into(), hosts: None };
        let variable = Credential::Environment("TOKEN".into());
        assert_eq!((named.to_string(), variable.to_string()), ("token@3".to_owned(), "env:TOKEN".to_owned()));
        let uses = Uses::default();
        uses.credentials(&[named.clone(), variable.clone(), named.clone()]);
        uses.credentials(std::slice::from_ref(&variable));
        assert_eq!(uses.take().credentials, [named, variable]);
        assert!(uses.take().credentials.is_empty());
    }
}
