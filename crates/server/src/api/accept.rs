//! What a caller would rather read: ranges of media types with their qualities (RFC 9110 section 12.5.1).

/// How well a media type fits what a caller accepts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Fit {
    /// From 0, which is a refusal, to 1.
    pub(super) quality: f32,
    /// It was asked for by its name, and not only as one of many.
    pub(super) is_named: bool,
}

/// What the most specific range that fits says of a media type, whose version a range may name. A range of another
/// version is one of another type.
pub(super) fn fit(accept: &str, offered: &str, version: Option<&str>) -> Fit {
    let family = offered.split('/').next().unwrap_or_default();
    let mut best = (0, Fit::default());
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let (mut quality, mut is_exact) = (1.0, false);
        let mut is_other = false;
        for (key, value) in parts.filter_map(|part| part.split_once('=')) {
            let value = value.trim().trim_matches('"');
            match (key.trim(), version) {
                (key, _) if key.eq_ignore_ascii_case("q") => {
                    quality = value.parse().ok().filter(|quality| (0.0..=1.0).contains(quality)).unwrap_or(0.0);
                }
                (key, Some(version)) if key.eq_ignore_ascii_case("version") => {
                    is_exact = value == version;
                    is_other = !is_exact;
                }
                _ => {}
            }
        }
        let specificity = match name {
            _ if is_other => continue,
            name if name.eq_ignore_ascii_case(offered) => 3 + u8::from(is_exact),
            name if name.strip_suffix("/*").is_some_and(|start| start.eq_ignore_ascii_case(family)) => 2,
            "*/*" => 1,
            _ => continue,
        };
        if specificity > best.0 {
            best = (specificity, Fit { quality, is_named: specificity > 2 });
        }
    }
    best.1
}
