//! Text as Go has it: bytes, most often UTF-8, shared instead of copied.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::rc::Rc;

/// A Go `string`. Cloning never copies the bytes.
#[derive(Clone)]
pub(in crate::template) enum Text<'a> {
    /// Part of the session.
    Str(&'a str),
    /// Part of the template, or a header.
    Borrowed(&'a [u8]),
    /// Made while rendering.
    Shared(Rc<[u8]>),
}

impl<'a> Text<'a> {
    pub(in crate::template) fn borrowed(text: &'a str) -> Self {
        Text::Str(text)
    }

    pub(in crate::template) fn as_bytes(&self) -> &[u8] {
        match self {
            Text::Str(text) => text.as_bytes(),
            Text::Borrowed(bytes) => bytes,
            Text::Shared(bytes) => bytes,
        }
    }

    /// As UTF-8; a byte that is none becomes U+FFFD.
    pub(in crate::template) fn to_str(&self) -> Cow<'_, str> {
        if let Text::Str(text) = self {
            return Cow::Borrowed(text);
        }
        let bytes = self.as_bytes();
        // The check alone is much faster than the search for what to replace.
        std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
    }

    /// In bytes, as Go's `len`.
    pub(in crate::template) fn len(&self) -> usize {
        self.as_bytes().len()
    }
}

impl From<String> for Text<'_> {
    fn from(text: String) -> Self {
        Text::Shared(text.into_bytes().into())
    }
}

impl From<Vec<u8>> for Text<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Text::Shared(bytes.into())
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Text::borrowed(text)
    }
}

impl<'a> From<Cow<'a, str>> for Text<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        match text {
            Cow::Borrowed(text) => Text::borrowed(text),
            Cow::Owned(text) => text.into(),
        }
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Text<'_> {}

impl PartialOrd for Text<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

/// Lets maps be searched by `&[u8]`.
impl std::borrow::Borrow<[u8]> for Text<'_> {
    fn borrow(&self) -> &[u8] {
        self.as_bytes()
    }
}
