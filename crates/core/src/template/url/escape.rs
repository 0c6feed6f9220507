//! Percent-encoding by the place in a URL.

/// Where in a URL a text stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Path,
    Host,
    /// The zone of an IPv6 address.
    HostZone,
    User,
    Fragment,
    Query,
}

/// Whether a byte must be encoded there.
fn must_escape(byte: u8, place: Place) -> bool {
    let plain = match place {
        Place::Path => b"-_.~$&+,/:;=@".as_slice(),
        Place::Host | Place::HostZone => b"-_.~!\"$&'()*+,:;<=>[]",
        Place::User => b"-_.~$&+,;=",
        Place::Fragment => b"-_.~!$&()*+,/:;=?@",
        // The space becomes a plus sign.
        Place::Query => b"-_.~ ",
    };
    !(byte.is_ascii_alphanumeric() || plain.contains(&byte))
}

/// As a key or value of a query.
pub(in crate::template) fn query_escape(text: &[u8]) -> Vec<u8> {
    let mut escaped = escape(text, Place::Query);
    for byte in escaped.iter_mut().filter(|byte| **byte == b' ') {
        *byte = b'+';
    }
    escaped
}

pub(super) fn escape(text: &[u8], place: Place) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut escaped = Vec::with_capacity(text.len());
    for byte in text {
        if must_escape(*byte, place) {
            escaped.extend([b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        } else {
            escaped.push(*byte);
        }
    }
    escaped
}

/// Whether a text could be an encoding; other encodings than ours pass.
pub(super) fn is_escaped(text: &[u8], place: Place) -> bool {
    text.iter().all(|byte| b"!$&'()*+,;=:@[]%".contains(byte) || !must_escape(*byte, place))
}

/// The decoded text; nothing where the encoding is broken or stands for what the place does not allow.
pub(super) fn unescape(text: &[u8], place: Place) -> Option<Vec<u8>> {
    let in_host = matches!(place, Place::Host | Place::HostZone);
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        if *first != b'%' {
            if in_host && first.is_ascii() && must_escape(*first, place) {
                return None;
            }
            decoded.push(*first);
            rest = after;
            continue;
        }
        let (digits, after) = after.split_at_checked(2)?;
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let byte = digit(digits[0])? << 4 | digit(digits[1])?;
        let allowed = match place {
            _ if digits == b"25" => true,
            Place::Host => !byte.is_ascii(),
            Place::HostZone => byte == b' ' || !must_escape(byte, Place::Host),
            _ => true,
        };
        if !allowed {
            return None;
        }
        decoded.push(byte);
        rest = after;
    }
    Some(decoded)
}
