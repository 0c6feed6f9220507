//! The path of `upstream.url`, in the form in which it is sent.

use crate::gate::path::escape_at;

/// Resolves empty and dot segments, written plainly or encoded, and encodes each segment as the reference
/// does. `%2F` stays what it is: an escape, and no border of segments. The path of the root is empty.
pub(super) fn canonical(written: &str) -> Result<String, String> {
    let mut segments: Vec<Vec<u8>> = Vec::new();
    for segment in written.split('/') {
        let segment = decoded(segment)?;
        match &segment[..] {
            b"" | b"." => {}
            b".." => drop(segments.pop()),
            _ if segment.contains(&b'/') && segment.split(|byte| *byte == b'/').any(is_dots) => {
                return Err("its path holds dots beside an encoded slash".to_owned());
            }
            _ => segments.push(segment),
        }
    }
    let mut path = String::with_capacity(written.len());
    for segment in segments {
        path.push('/');
        for byte in segment {
            if is_plain(byte) {
                path.push(char::from(byte));
            } else {
                path.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    Ok(path)
}

fn is_dots(segment: &[u8]) -> bool {
    matches!(segment, b"." | b"..")
}

/// What the reference's library leaves unencoded in a path.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~$&+,:;=@".contains(&byte)
}

fn decoded(segment: &str) -> Result<Vec<u8>, String> {
    let segment = segment.as_bytes();
    let (mut bytes, mut at) = (Vec::with_capacity(segment.len()), 0);
    while let Some(&byte) = segment.get(at) {
        if byte == b'%' {
            let value = escape_at(segment, at);
            bytes.push(value.ok_or("its path holds `%` without two hexadecimal digits")?);
            at += 3;
        } else {
            bytes.push(byte);
            at += 1;
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form_for_every_way_to_write_it() {
        let rows = [
            ("", Some("")),
            ("/", Some("")),
            ("//", Some("")),
            ("/a/", Some("/a")),
            ("/a b", Some("/a%20b")),
            ("/a/../b", Some("/b")),
            ("/a/../../b", Some("/b")),
            ("/a//./b", Some("/a/b")),
            ("/%2e%2E/b", Some("/b")),
            ("/a%2e%2e/b", Some("/a../b")),
            ("/%41%7e", Some("/A~")),
            ("/x%20y%2By", Some("/x%20y+y")),
            ("/ä", Some("/%C3%A4")),
            ("/a|b'(c)*![d]", Some("/a%7Cb%27%28c%29%2A%21%5Bd%5D")),
            ("/a%2fb", Some("/a%2Fb")),
            ("/a%3Fb%23%25", Some("/a%3Fb%23%25")),
            ("/..%2Fb", None),
            ("/a%zz", None),
            ("/%4", None),
            ("/%", None),
        ];
        for (written, expected) in rows {
            assert_eq!(canonical(written).ok().as_deref(), expected, "{written}");
        }
    }
}
