//! Paths joined and references resolved (RFC 3986 section 5).

use super::{Parts, cut};
use crate::template::functions::cleaned_path;

impl Parts {
    /// What a reference means on a page with this URL.
    pub(super) fn resolve(&self, reference: &Self) -> Self {
        let mut made = reference.clone();
        if reference.scheme.is_empty() {
            made.scheme.clone_from(&self.scheme);
        }
        if !reference.scheme.is_empty() || !reference.host.is_empty() || reference.user.is_some() {
            made.set_path(&resolved(&reference.escaped_path(), b""));
            return made;
        }
        let without_host = |mut made: Self| {
            made.user = None;
            made.host.clear();
            made.path.clear();
            made
        };
        if !reference.opaque.is_empty() {
            return without_host(made);
        }
        if reference.path.is_empty() && !reference.force_query && reference.raw_query.is_empty() {
            made.raw_query.clone_from(&self.raw_query);
            if reference.fragment.is_empty() {
                made.fragment.clone_from(&self.fragment);
                made.raw_fragment.clone_from(&self.raw_fragment);
            }
        }
        if reference.path.is_empty() && !self.opaque.is_empty() {
            made.opaque.clone_from(&self.opaque);
            return without_host(made);
        }
        made.host.clone_from(&self.host);
        made.user.clone_from(&self.user);
        made.set_path(&resolved(&self.escaped_path(), &reference.escaped_path()));
        made
    }

    /// A path in which dots and doubled slashes are resolved.
    pub(crate) fn cleaned(path: &[u8]) -> Vec<u8> {
        cleaned_path(path)
    }

    /// Goes on below its path, in which dots and doubled slashes are resolved.
    pub(crate) fn go_below(&mut self, path: &str) {
        self.path = cleaned_path(&[&self.path, path.as_bytes()].concat());
        self.raw_path.clear();
    }

    /// The same URL with more segments; dots are resolved, and never above the root.
    pub(super) fn join<'t>(&self, elements: impl Iterator<Item = &'t [u8]>) -> Self {
        let base = self.escaped_path();
        let rooted = base.starts_with(b"/");
        let first = if rooted { base } else { [b"/", base.as_slice()].concat() };
        let mut last = first.clone();
        let mut all = vec![first];
        for element in elements {
            last = element.to_vec();
            all.push(last.clone());
        }
        all.retain(|element| !element.is_empty());
        let mut path = cleaned_path(&all.join(&b'/'));
        if !rooted {
            path.remove(0);
        }
        if last.ends_with(b"/") && !path.ends_with(b"/") {
            path.push(b'/');
        }
        let mut made = self.clone();
        made.set_path(&path);
        made
    }
}

/// A path as seen from another, without dot segments.
fn resolved(base: &[u8], path: &[u8]) -> Vec<u8> {
    let full = match path {
        [] => base.to_vec(),
        [b'/', ..] => path.to_vec(),
        _ => [&base[..memchr::memrchr(b'/', base).map_or(0, |slash| slash + 1)], path].concat(),
    };
    if full.is_empty() {
        return full;
    }
    let mut made = vec![b'/'];
    let (mut first, mut dots) = (true, false);
    let mut remaining = Some(full.as_slice());
    while let Some(rest) = remaining {
        let (element, after) = cut(rest, b'/');
        remaining = after;
        dots = matches!(element, b"." | b"..");
        match element {
            b"." => first = false,
            b".." => {
                made.truncate(memchr::memrchr(b'/', &made[1..]).map_or(1, |slash| slash + 1));
                first = made.len() == 1;
            }
            element => {
                if !first {
                    made.push(b'/');
                }
                made.extend(element);
                first = false;
            }
        }
    }
    if dots {
        made.push(b'/');
    }
    if made.get(1) == Some(&b'/') {
        made.remove(0);
    }
    made
}
