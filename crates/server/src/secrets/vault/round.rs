//! One attempt at everything that is wanted, with a token that is renewed or replaced when it must be.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use http::StatusCode;

use super::api::{Api, Stored};
use super::problem::Problem;
use super::token::{Age, Token};
use crate::secrets::backend::{Failure, Fetched, Value, Wanted};

/// Path and version.
type Asked<'a> = (&'a str, Option<&'a str>);

pub(super) struct Round<'a> {
    api: &'a Api<'a>,
    clock: &'a (dyn Fn() -> Instant + Send + Sync),
    token: Option<Arc<Token>>,
    /// The token is known to be good, or as new as can be: what it may not read, no other may.
    is_checked: bool,
}

impl<'a> Round<'a> {
    pub(super) fn new(
        api: &'a Api<'a>,
        clock: &'a (dyn Fn() -> Instant + Send + Sync),
        token: Option<Arc<Token>>,
    ) -> Self {
        Self { api, clock, token, is_checked: false }
    }

    /// The outcomes in the order of `wanted`, and the token to go on with.
    pub(super) async fn fetch(mut self, wanted: &'a [Wanted]) -> (Vec<Fetched>, Option<Arc<Token>>) {
        let mut outcomes: BTreeMap<Asked<'a>, Result<Stored, Failure>> = BTreeMap::new();
        let mut over = None;
        for asked in wanted.iter().map(asked) {
            if over.is_some() || outcomes.contains_key(&asked) {
                continue;
            }
            match self.read(asked).await {
                Ok(outcome) => {
                    outcomes.insert(asked, outcome);
                }
                Err(failure) => over = Some(failure),
            }
        }
        let outcome = |wanted: &Wanted| match (outcomes.get(&asked(wanted)), &over) {
            (Some(Ok(stored)), _) => value(stored, wanted),
            (Some(Err(failure)), _) | (None, Some(failure)) => Err(failure.clone()),
            (None, None) => Err(Failure::new("it was not asked for")),
        };
        (wanted.iter().map(outcome).collect(), self.token)
    }

    /// Reads one path. The outer error is one that every path would have.
    async fn read(&mut self, (path, version): Asked<'_>) -> Result<Result<Stored, Failure>, Failure> {
        let token = self.usable().await?;
        let mut outcome = self.api.read(&token.secret, path, version).await;
        if outcome.as_ref().err() == Some(&Problem::Refused(StatusCode::FORBIDDEN)) && !self.is_checked {
            self.is_checked = true;
            if !self.is_good(&token).await {
                let token = self.sign_in().await?;
                outcome = self.api.read(&token.secret, path, version).await;
            }
        }
        let what = format!("`{path}`");
        outcome.map(Ok).or_else(|problem| match problem {
            Problem::Refused(StatusCode::FORBIDDEN) => Ok(Err(self.forbidden(path))),
            problem if problem.is_about_all() => Err(problem.failure(&what, self.api)),
            problem => Ok(Err(problem.failure(&what, self.api))),
        })
    }

    /// A token that is not known to be over.
    async fn usable(&mut self) -> Result<Arc<Token>, Failure> {
        let Some(token) = self.token.clone() else { return self.sign_in().await };
        if self.api.options.login.given()?.is_some_and(|given| given != token.secret) {
            return self.sign_in().await;
        }
        match token.age((self.clock)()) {
            Age::Good => Ok(token),
            Age::Over => self.sign_in().await,
            Age::Renew => {
                let now = (self.clock)();
                match self.api.renew(&token.secret).await {
                    Ok(auth) => Ok(self.keep(Token::issued(auth, now))),
                    Err(Problem::Refused(status)) if status.is_client_error() => self.sign_in().await,
                    // It is good for a while yet.
                    Err(_) => Ok(token),
                }
            }
        }
    }

    async fn sign_in(&mut self) -> Result<Arc<Token>, Failure> {
        // Its lifetime counts from before it was issued.
        let now = (self.clock)();
        let token = self.api.options.login.sign_in(self.api, now).await?;
        self.is_checked = true;
        Ok(self.keep(token))
    }

    fn keep(&mut self, token: Token) -> Arc<Token> {
        let token = Arc::new(token);
        self.token = Some(token.clone());
        token
    }

    /// Whether a token still works. One that may not say so is taken for one that does not.
    async fn is_good(&self, token: &Token) -> bool {
        !matches!(self.api.about(&token.secret).await, Err(Problem::Refused(StatusCode::FORBIDDEN)))
    }

    fn forbidden(&self, path: &str) -> Failure {
        let policy = format!("allow `read` on `{}/data/{path}` in a policy of this identity", self.api.options.mount);
        let failure = Failure::new(format!("Vault answered 403 for `{path}`"));
        match self.api.options.login.given() {
            Ok(Some(_)) => failure.remedy(format!("{policy}; or give a new token, if this one is over or revoked")),
            _ => failure.remedy(policy),
        }
    }
}

fn asked(wanted: &Wanted) -> Asked<'_> {
    (&wanted.id, wanted.version.as_deref())
}

fn value(stored: &Stored, wanted: &Wanted) -> Fetched {
    let version = stored.metadata.version;
    let Some(members) = &stored.data else {
        let (what, remedy) = match stored.metadata.destroyed {
            true => ("destroyed", "write a new version"),
            false => ("deleted", "undelete it with `vault kv undelete`, or write a new version"),
        };
        return Err(Failure::new(format!("version {version} of `{}` is {what}", wanted.id)).remedy(remedy));
    };
    let Some(field) = &wanted.field else {
        return Err(Failure::new(format!("`{}` holds an object", wanted.id)).remedy("say which member, with `field`"));
    };
    Ok(Value { secret: members.pick(field)?, version: version.to_string() })
}
