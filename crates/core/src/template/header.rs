//! Headers as templates see them: Go's `http.Header`, with names in canonical form.

use http::{HeaderMap, HeaderName};

use super::value::{Entries, Text, Value};

/// All values of a name, given in any case.
pub(super) fn values<'a>(map: &'a HeaderMap, name: &str) -> Vec<Value<'a>> {
    map.get_all(name).iter().map(|value| Value::Text(Text::Borrowed(value.as_bytes()))).collect()
}

/// The first value of a name, given in any case; without one, empty text.
pub(super) fn first<'a>(map: &'a HeaderMap, name: &str) -> Value<'a> {
    // `Host` is no header to Go.
    let found = map.get(name).filter(|_| !name.eq_ignore_ascii_case("host"));
    Value::Text(found.map_or_else(|| Text::borrowed(""), |value| Text::Borrowed(value.as_bytes())))
}

/// The entry of a key as Go's map holds it: only the canonical form is found.
pub(super) fn exact<'a>(map: &'a HeaderMap, key: &[u8]) -> Option<Value<'a>> {
    let name = std::str::from_utf8(key).ok()?;
    if canonical(name) != name || name == "Host" {
        return None;
    }
    let values = values(map, name);
    (!values.is_empty()).then(|| Value::typed_list(super::value::Element::Text, values))
}

/// All entries.
pub(super) fn entries<'a>(map: &'a HeaderMap) -> Entries<'a> {
    // `Host` is no header to Go.
    map.keys()
        .filter(|name| *name != http::header::HOST)
        .map(|name: &HeaderName| {
            let list = Value::typed_list(super::value::Element::Text, values(map, name.as_str()));
            (Text::from(canonical(name.as_str())), list)
        })
        .collect()
}

/// The canonical form of a name: the first letter and each one after a dash is upper case.
pub(super) fn canonical(name: &str) -> String {
    let mut starts = true;
    name.chars()
        .map(|c| {
            let shown = if starts { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
            starts = c == '-';
            shown
        })
        .collect()
}
