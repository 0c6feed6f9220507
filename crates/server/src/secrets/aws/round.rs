//! One attempt at everything that is wanted: each value is asked for once, however many of its fields are wanted.

use std::collections::BTreeMap;

use tracing::info;

use super::api::{Api, Batch, Get, MOST_IN_BATCH, Stored};
use super::problem::{About, Problem};
use crate::secrets::backend::{Failure, Fetched, Value, Wanted};
use crate::secrets::field::Members;

/// So many pages of a batch are read at most; one holds at least one value.
const MOST_PAGES: usize = MOST_IN_BATCH;
/// The least length of an identifier of a version. What is shorter is the label of one.
const LEAST_VERSION_ID: usize = 32;

/// Identifier and version.
type Asked<'a> = (&'a str, Option<&'a str>);

pub(super) struct Round<'a> {
    api: &'a Api,
    outcomes: BTreeMap<Asked<'a>, Result<Stored, Problem>>,
    /// A problem that everything has.
    over: Option<Problem>,
}

impl<'a> Round<'a> {
    pub(super) fn new(api: &'a Api) -> Self {
        Self { api, outcomes: BTreeMap::new(), over: None }
    }

    /// The outcomes in the order of `wanted`.
    pub(super) async fn fetch(mut self, wanted: &'a [Wanted]) -> Vec<Fetched> {
        let mut asked: Vec<Asked<'a>> = wanted.iter().map(asked).collect();
        asked.sort_unstable();
        asked.dedup();
        let current: Vec<&str> = asked.iter().filter(|asked| asked.1.is_none()).map(|asked| asked.0).collect();
        // One value is had in one request either way, and this needs one permission less.
        if current.len() > 1 {
            for batch in current.chunks(MOST_IN_BATCH) {
                self.batch(batch).await;
            }
        }
        for asked in asked {
            if !self.outcomes.contains_key(&asked) && self.over.is_none() {
                let outcome = self.api.get(&get(asked)).await;
                self.take(asked, outcome);
            }
        }
        wanted.iter().map(|wanted| self.outcome(wanted)).collect()
    }

    async fn batch(&mut self, ids: &[&'a str]) {
        let mut next_token = None;
        for _ in 0..MOST_PAGES {
            if self.over.is_some() || self.api.is_one_by_one() {
                return;
            }
            match self.api.batch(&Batch { secret_id_list: ids, next_token: next_token.take() }).await {
                Ok(page) => {
                    for id in ids {
                        if let Some(stored) = page.secret_values.iter().find(|stored| is_of(stored, id)) {
                            self.take((id, None), Ok(stored.clone()));
                        } else if let Some(error) = page.errors.iter().find(|error| error.secret_id == *id) {
                            self.take((id, None), Err(error.problem()));
                        }
                    }
                    match page.next_token {
                        None => return,
                        next => next_token = next,
                    }
                }
                Err(problem) if problem.is_about_batches() => {
                    info!(
                        "Secrets Manager hands out no batches, so values are asked for one by one; \
                         to change that, allow `secretsmanager:BatchGetSecretValue` on `*`"
                    );
                    self.api.go_one_by_one();
                }
                Err(problem) => {
                    self.note(&problem);
                    for id in ids {
                        self.outcomes.entry((id, None)).or_insert_with(|| Err(problem.clone()));
                    }
                    return;
                }
            }
        }
    }

    fn take(&mut self, asked: Asked<'a>, outcome: Result<Stored, Problem>) {
        if let Err(problem) = &outcome {
            self.note(problem);
        }
        self.outcomes.insert(asked, outcome);
    }

    fn note(&mut self, problem: &Problem) {
        if problem.is_about_all() {
            self.over = Some(problem.clone());
        }
    }

    fn outcome(&self, wanted: &Wanted) -> Fetched {
        let about = About { id: &wanted.id, region: self.api.region() };
        match (self.outcomes.get(&asked(wanted)), &self.over) {
            (Some(Ok(stored)), _) => value(stored, wanted),
            (Some(Err(problem)), _) | (None, Some(problem)) => Err(problem.failure(&about)),
            (None, None) => Err(Problem::Malformed.failure(&about)),
        }
    }
}

fn asked(wanted: &Wanted) -> Asked<'_> {
    (&wanted.id, wanted.version.as_deref())
}

fn get<'a>((secret_id, version): Asked<'a>) -> Get<'a> {
    let (version_id, version_stage) = match version {
        Some(id) if id.len() >= LEAST_VERSION_ID => (Some(id), None),
        label => (None, label),
    };
    Get { secret_id, version_id, version_stage }
}

/// Whether a value is the one with this name, this ARN, or this ARN without the six characters that AWS adds.
fn is_of(stored: &Stored, id: &str) -> bool {
    let is_start = || {
        let added = stored.arn.strip_prefix(id).and_then(|rest| rest.strip_prefix('-'));
        id.starts_with("arn:") && added.is_some_and(|added| added.len() == 6 && !added.contains('-'))
    };
    stored.name == id || stored.arn == id || is_start()
}

fn value(stored: &Stored, wanted: &Wanted) -> Fetched {
    let Some(text) = &stored.secret_string else {
        let what = if stored.secret_binary.is_some() { "bytes (`SecretBinary`)" } else { "nothing" };
        return Err(Failure::new(format!("`{}` holds {what}, and no text", wanted.id))
            .remedy("store it as text (`SecretString`), such as in base64"));
    };
    let secret = match &wanted.field {
        Some(field) => Members::parse(text.0.expose())?.pick(field)?,
        None => text.0.clone(),
    };
    Ok(Value { secret, version: stored.version_id.clone() })
}
