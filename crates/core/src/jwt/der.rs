//! As much DER (X.690) as RSA private keys need: sequences, integers, octet strings.

/// The integers of a PKCS#1 `RSAPrivateKey` (RFC 8017 A.1.2), alone or inside PKCS#8 (RFC 5208).
pub(super) fn rsa_integers(der: &[u8]) -> Option<Vec<&[u8]>> {
    let (tag, body, _) = element(der)?;
    if tag != SEQUENCE {
        return None;
    }
    let elements = elements(body)?;
    match elements.as_slice() {
        // PKCS#8: version, algorithm, key.
        [(INTEGER, _), (SEQUENCE, _), (OCTETS, key), ..] => rsa_integers(key),
        integers if integers.len() == 9 && integers.iter().all(|(tag, _)| *tag == INTEGER) => {
            Some(integers.iter().skip(1).map(|(_, value)| unsigned(value)).collect())
        }
        _ => None,
    }
}

/// A PKCS#1 `RSAPrivateKey` from its eight numbers: n, e, d, p, q, dp, dq, qi.
pub(super) fn rsa_private_key(numbers: &[Vec<u8>]) -> Vec<u8> {
    let mut body = encode(INTEGER, &[0]);
    for number in numbers {
        let digits = unsigned(number);
        let mut value = Vec::with_capacity(digits.len() + 1);
        if digits.first().is_none_or(|first| first & 0x80 != 0) {
            value.push(0);
        }
        value.extend_from_slice(digits);
        body.extend(encode(INTEGER, &value));
    }
    encode(SEQUENCE, &body)
}

const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const SEQUENCE: u8 = 0x30;

fn elements(mut body: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    let mut found = Vec::new();
    while !body.is_empty() {
        let (tag, value, rest) = element(body)?;
        found.push((tag, value));
        body = rest;
    }
    Some(found)
}

/// Tag, value, and what follows.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = if *first < 0x80 {
        (usize::from(*first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if digits.len() > 4 {
            return None;
        }
        (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
    };
    let (value, rest) = rest.split_at_checked(length)?;
    Some((*tag, value, rest))
}

fn unsigned(number: &[u8]) -> &[u8] {
    let start = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
    &number[start..]
}

fn encode(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = value.len().to_be_bytes();
    let digits = unsigned(&length);
    if value.len() < 0x80 {
        out.push(digits.first().copied().unwrap_or(0));
    } else {
        out.push(0x80 | u8::try_from(digits.len()).unwrap_or(0x7f));
        out.extend_from_slice(digits);
    }
    out.extend_from_slice(value);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_in_every_form_of_at_most_four_octets() {
        type Parts<'a> = Option<(u8, &'a [u8], &'a [u8])>;
        let rows: &[(&[u8], Parts<'_>)] = &[
            (&[2, 1, 9, 7], Some((2, &[9], &[7]))),
            (&[2, 0x80, 9], Some((2, &[], &[9]))),
            (&[2, 0x82, 0, 1, 9, 7], Some((2, &[9], &[7]))),
            (&[2, 0x84, 0, 0, 0, 1, 9], Some((2, &[9], &[]))),
            (&[2, 0x85, 0, 0, 0, 0, 1, 9], None),
            (&[2, 2, 9], None),
            (&[2, 0x82, 1], None),
            (&[2], None),
        ];
        for (der, parts) in rows {
            assert_eq!(element(der), *parts, "{der:?}");
        }
    }

    #[test]
    fn only_the_nine_integers_of_a_private_key_are_taken() {
        let of = |tag: u8, count: usize| encode(SEQUENCE, &encode(tag, &[5]).repeat(count));
        for (der, expected) in
            [(of(INTEGER, 9), Some(8)), (of(INTEGER, 8), None), (of(INTEGER, 10), None), (of(OCTETS, 9), None)]
        {
            assert_eq!(rsa_integers(&der).map(|numbers| numbers.len()), expected, "{der:?}");
        }
    }
}
