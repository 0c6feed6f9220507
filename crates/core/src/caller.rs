//! Who is asking. Made once for each credential and read for every request that shows it, mostly long after other
//! work has pushed it out of the processor's cache: so it lies in few pieces of memory.

use std::mem::size_of_val;

use crate::members::Members;

/// A caller whose credential was verified, and what it says.
#[derive(Debug, Default)]
pub struct Caller {
    /// Subject, issuer, scopes and audience, one after the other.
    text: Box<str>,
    /// Where each of them ends.
    ends: Box<[u32]>,
    has_issuer: bool,
    scopes: usize,
    extra: Members,
}

impl Caller {
    /// A caller by what its credential says of it. The subject is empty for `noop`.
    pub fn new<S: AsRef<str>>(subject: &str, issuer: Option<&str>, scopes: &[S], audience: &[S]) -> Self {
        let lists = || scopes.iter().chain(audience).map(AsRef::as_ref);
        let parts = || [subject].into_iter().chain(issuer).chain(lists());
        let mut text = String::with_capacity(parts().map(str::len).sum());
        let mut ends = Vec::with_capacity(1 + usize::from(issuer.is_some()) + scopes.len() + audience.len());
        for part in parts() {
            text.push_str(part);
            ends.push(u32::try_from(text.len()).unwrap_or(u32::MAX));
        }
        Self {
            text: text.into(),
            ends: ends.into(),
            has_issuer: issuer.is_some(),
            scopes: scopes.len(),
            extra: Members::default(),
        }
    }

    /// The same with everything else the credential says.
    pub fn saying(self, extra: Members) -> Self {
        Self { extra, ..self }
    }

    /// The subject; empty for `noop`.
    pub fn subject(&self) -> &str {
        self.part(0)
    }

    /// The credential's issuer (`iss`).
    pub fn issuer(&self) -> Option<&str> {
        self.has_issuer.then(|| self.part(1))
    }

    /// The scopes the credential grants.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        let first = self.first_scope();
        (first..first + self.scopes).map(|index| self.part(index))
    }

    /// Whom the credential is meant for.
    pub fn audience(&self) -> impl Iterator<Item = &str> {
        (self.first_scope() + self.scopes..self.ends.len()).map(|index| self.part(index))
    }

    /// Everything that the authenticator learned.
    pub fn extra(&self) -> &Members {
        &self.extra
    }

    /// The lengths of the pieces of memory it points to, without `extra`, in bytes.
    pub(crate) fn pieces(&self) -> [usize; 2] {
        [self.text.len(), size_of_val(&*self.ends)]
    }

    fn first_scope(&self) -> usize {
        1 + usize::from(self.has_issuer)
    }

    fn part(&self, index: usize) -> &str {
        let end = |index: usize| self.ends.get(index).map(|end| *end as usize);
        let start = index.checked_sub(1).map_or(Some(0), end);
        start.zip(end(index)).and_then(|(start, end)| self.text.get(start..end)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_is_found_again() {
        type Row = (&'static str, Option<&'static str>, &'static [&'static str], &'static [&'static str]);
        let rows: &[Row] = &[
            ("", None, &[], &[]),
            ("alice", None, &[], &["a"]),
            ("alice", Some(""), &[""], &[]),
            ("älice", Some("http://issuer"), &["a", "", "b c"], &["x", "ÿ"]),
            ("", Some("i"), &[], &["x"]),
        ];
        for (subject, issuer, scopes, audience) in rows {
            let caller = Caller::new(subject, *issuer, scopes, audience);
            assert_eq!((caller.subject(), caller.issuer()), (*subject, *issuer));
            assert_eq!(caller.scopes().collect::<Vec<_>>(), *scopes);
            assert_eq!(caller.audience().collect::<Vec<_>>(), *audience);
        }
        let nobody = Caller::default();
        assert_eq!((nobody.subject(), nobody.issuer(), nobody.scopes().count()), ("", None, 0));
        assert_eq!(nobody.audience().count(), 0);
    }
}
