//! A token and how long it lives.

use std::time::{Duration, Instant};

use keyward_core::secret::Secret;

use super::api::{About, Auth};

/// A token that was good when it was last looked at.
pub(super) struct Token {
    pub(super) secret: Secret,
    is_renewable: bool,
    since: Instant,
    /// `None` for ever, or for as long as nobody knows.
    lifetime: Option<Duration>,
}

/// What to do about a token before it is used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Age {
    Good,
    /// Half of its life is over.
    Renew,
    Over,
}

impl Token {
    /// One that was issued or renewed.
    pub(super) fn issued(auth: Auth, since: Instant) -> Self {
        Self {
            secret: auth.client_token.0,
            is_renewable: auth.renewable,
            since,
            lifetime: (auth.lease_duration > 0).then(|| Duration::from_secs(auth.lease_duration)),
        }
    }

    /// One that was given, with what it says of itself, if it may.
    pub(super) fn given(secret: Secret, about: Option<&About>, since: Instant) -> Self {
        let ttl = about.map(|about| about.ttl).filter(|seconds| *seconds > 0);
        Self {
            secret,
            is_renewable: about.is_some_and(|about| about.renewable),
            since,
            lifetime: ttl.map(Duration::from_secs),
        }
    }

    pub(super) fn age(&self, now: Instant) -> Age {
        let age = now.saturating_duration_since(self.since);
        match self.lifetime {
            Some(lifetime) if age >= lifetime => Age::Over,
            Some(lifetime) if self.is_renewable && age >= lifetime / 2 => Age::Renew,
            _ => Age::Good,
        }
    }
}
