//! Tokens that are made to be taken for something else: put together at random from what headers, claims, signatures and
//! spellings can be wrong with. The same number makes the same mistakes; the keys are new each time.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};

use super::dice::Dice;
use super::{Attempt, Expected};
use crate::tokens::Es256;

/// Where the stage wants a token.
pub const GUARDED: &str = "/guarded";

const CLAIMS: &str = r#"{"sub":"alice","exp":4000000000}"#;
/// Members of headers that are signed with the right key, and no reason to believe it all the same.
const HEADERS: &[&str] = &[
    r#""crit":["exp"],"exp":1"#,
    r#""crit":[]"#,
    r#""crit":null"#,
    r#""crit":["b64"],"b64":false"#,
    r#""b64":false"#,
    r#""alg":"ES256""#,
    r#""alg":"none""#,
    r#""\u0061lg":"none""#,
    r#""kid":"k""#,
    r#""x":{"y":1,"y":1}"#,
    r#""x":1e999"#,
    r#""x":NaN"#,
    r#""x":"\ud800""#,
    r#""x":01"#,
    r#""cty":"JWT","x":[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]"#,
];
/// Whole headers of the same kind.
const WHOLE_HEADERS: &[&str] = &[
    r#"{"kid":"k"}"#,
    r#"{"alg":null,"kid":"k"}"#,
    r#"{"alg":["ES256"],"kid":"k"}"#,
    r#"{"alg":256,"kid":"k"}"#,
    r#"{"ALG":"ES256","kid":"k"}"#,
    r#"{"alg":"es256","kid":"k"}"#,
    r#"{"alg":"ES256 ","kid":"k"}"#,
    r#"{"alg":"ES256\u0000","kid":"k"}"#,
    r#"{"alg":"ES256","kid":""}"#,
    r#"{"alg":"ES256","kid":["k"]}"#,
    r#"{"alg":"ES256","kid":"other"}"#,
    r#"{"alg":"ES256","kid":"../../../dev/null"}"#,
    r#"{"alg":"ES256","kid":"k"}{}"#,
    r#"{"alg":"ES256","kid":"k",}"#,
    r#"[{"alg":"ES256","kid":"k"}]"#,
    r#""ES256""#,
    "",
];
/// What says that a token is signed in another way than it is.
const ALGORITHMS: &[&str] = &[
    "none",
    "None",
    "NONE",
    "nOnE",
    "",
    "HS256",
    "HS384",
    "HS512",
    "RS256",
    "PS256",
    "ES384",
    "ES512",
    "ES256K",
    "EdDSA",
    "RSA-OAEP",
    "dir",
    "A128KW",
    "PBES2-HS256+A128KW",
];
/// Where a token says that keys are.
const KEY_MEMBERS: &[&str] = &[
    r#""jku":"http://127.0.0.1/keys""#,
    r#""x5u":"https://attacker.example/chain""#,
    r#""x5c":["MIIB"],"x5t":"AA","x5t#S256":"AA""#,
];
/// Claims under a right signature that are none, or over.
const BAD_CLAIMS: &[&str] = &[
    r#"{"sub":"alice","sub":"root","exp":4000000000}"#,
    r#"{"sub":"alice","s\u0075b":"root","exp":4000000000}"#,
    r#"{"sub":"alice","exp":1,"exp":4000000000}"#,
    r#"{"sub":"alice","exp":4000000000,"exp":1}"#,
    r#"{"sub":"alice"}"#,
    r#"{"sub":"alice","exp":1}"#,
    r#"{"sub":"alice","exp":-4000000000}"#,
    r#"{"sub":"alice","exp":"4000000000"}"#,
    r#"{"sub":"alice","exp":null}"#,
    r#"{"sub":"alice","exp":1e999}"#,
    r#"{"sub":"alice","exp":NaN}"#,
    r#"{"sub":"alice","exp":Infinity}"#,
    r#"{"sub":"alice","exp":[4000000000]}"#,
    r#"{"sub":"alice","exp":4000000000,"nbf":3999999999}"#,
    r#"{"sub":"alice","exp":4000000000,"x":{"a":1,"a":2}}"#,
    r#"{"sub":"alice","exp":4000000000,"x":1e999}"#,
    r#"{"sub":"alice","exp":4000000000,}"#,
    r#"{"sub":"alice","exp":4000000000} {}"#,
    r#"{"sub":"\ud800","exp":4000000000}"#,
    "[]",
    "null",
    "",
];
/// The most that a token may have, in bytes.
const MOST: usize = 8192;

/// The key that the stage trusts, and one that it does not.
pub struct Keys {
    own: Es256,
    attacker: Es256,
}

impl Default for Keys {
    fn default() -> Self {
        Self { own: Es256::new("k"), attacker: Es256::new("k") }
    }
}

impl Keys {
    /// The set of keys that the stage trusts.
    pub fn trusted(&self) -> String {
        serde_json::json!({"keys": [self.own.jwk()]}).to_string()
    }
}

/// So many of them; every tenth is sound.
pub fn attempts(keys: &Keys, count: usize, seed: u64) -> Vec<Attempt> {
    let mut dice = Dice::new(seed);
    let attempt = |number: usize| {
        let (kind, token, expected) = match number % 10 {
            0 => ("sound", keys.own.sign_bytes(HEADER.as_bytes(), CLAIMS.as_bytes()), Expected::Forwarded),
            _ => spoiled(keys, &mut dice),
        };
        request(format!("{kind} token {number}"), &token, expected)
    };
    (0..count).map(attempt).collect()
}

fn request(name: String, token: &str, expected: Expected) -> Attempt {
    let head =
        format!("GET {GUARDED}/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n");
    Attempt { name, bytes: head.into_bytes(), expected }
}

const HEADER: &str = r#"{"alg":"ES256","kid":"k"}"#;

fn spoiled(keys: &Keys, dice: &mut Dice) -> (&'static str, String, Expected) {
    type Make = fn(&Keys, &mut Dice) -> String;
    const KINDS: [(&str, Make); 8] = [
        ("algorithm", another_algorithm),
        ("header", spoiled_header),
        ("claims", spoiled_claims),
        ("attacker's", attackers),
        ("signature", spoiled_signature),
        ("spelling", another_spelling),
        ("form", another_form),
        ("size", too_large),
    ];
    let (kind, make) = KINDS[usize::try_from(dice.below(KINDS.len() as u64)).unwrap()];
    (kind, make(keys, dice), Expected::Refused)
}

/// With no signature, that of another algorithm, and one whose secret is the public key.
fn another_algorithm(keys: &Keys, dice: &mut Dice) -> String {
    let algorithm = dice.one_of(ALGORITHMS);
    let kid = dice.one_of(&[r#","kid":"k""#, "", r#","kid":"k","typ":"JWT""#]);
    let header = format!(r#"{{"alg":"{algorithm}"{kid}}}"#);
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(&header), URL_SAFE_NO_PAD.encode(CLAIMS));
    match dice.below(4) {
        0 => format!("{signed}."),
        1 => signed,
        2 => keys.own.sign_bytes(header.as_bytes(), CLAIMS.as_bytes()),
        _ => {
            let jwk = keys.own.jwk();
            let secrets =
                [jwk.to_string().into_bytes(), jwk["x"].as_str().unwrap().into(), keys.own.point(), Vec::new()];
            let secret = &secrets[usize::try_from(dice.below(secrets.len() as u64)).unwrap()];
            let tag = aws_lc_rs::hmac::sign(
                &aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret),
                signed.as_bytes(),
            );
            format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
        }
    }
}

fn spoiled_header(keys: &Keys, dice: &mut Dice) -> String {
    let header = match dice.below(3) {
        0 => dice.one_of(WHOLE_HEADERS).to_owned(),
        1 => format!(r#"{{"alg":"ES256","kid":"k",{}}}"#, dice.one_of(HEADERS)),
        _ => format!(r#"{{{},"alg":"ES256","kid":"k"}}"#, dice.one_of(HEADERS)),
    };
    keys.own.sign_bytes(header.as_bytes(), CLAIMS.as_bytes())
}

fn spoiled_claims(keys: &Keys, dice: &mut Dice) -> String {
    let mut claims = dice.one_of(BAD_CLAIMS).as_bytes().to_vec();
    match dice.below(4) {
        0 => claims = format!(r#"{{"exp":4000000000,"x":{}1{}}}"#, "[".repeat(900), "]".repeat(900)).into(),
        1 => claims = b"{\"sub\":\"a\xff\",\"exp\":4000000000}".to_vec(),
        2 if claims.is_empty() => claims = keys.own.sign_bytes(HEADER.as_bytes(), CLAIMS.as_bytes()).into_bytes(),
        _ => {}
    }
    keys.own.sign_bytes(HEADER.as_bytes(), &claims)
}

/// Signed by somebody whose key is named, or brought along.
fn attackers(keys: &Keys, dice: &mut Dice) -> String {
    let header = match dice.below(3) {
        0 => HEADER.to_owned(),
        1 => format!(r#"{{"alg":"ES256","kid":"k","jwk":{}}}"#, keys.attacker.jwk()),
        _ => format!(r#"{{"alg":"ES256","kid":"k",{}}}"#, dice.one_of(KEY_MEMBERS)),
    };
    keys.attacker.sign_bytes(header.as_bytes(), CLAIMS.as_bytes())
}

/// Zeros, other lengths, the form of other protocols, and one bit that is another.
fn spoiled_signature(keys: &Keys, dice: &mut Dice) -> String {
    let token = keys.own.sign_bytes(HEADER.as_bytes(), CLAIMS.as_bytes());
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let right = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let mut other = right.clone();
    let place = usize::try_from(dice.below(right.len() as u64)).unwrap();
    match dice.below(6) {
        0 => other[..32].fill(0),
        1 => other[32..].fill(0),
        2 => other.fill(0),
        3 => other.truncate(place),
        4 => other = [&[0x30, 0x44, 2, 0x20][..], &right[..32], &[2, 0x20], &right[32..]].concat(),
        _ => other[place] ^= 1 << dice.below(8),
    }
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(other))
}

/// Octets that a lenient reader takes for the same token.
fn another_spelling(keys: &Keys, dice: &mut Dice) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let token = keys.own.sign_bytes(HEADER.as_bytes(), CLAIMS.as_bytes());
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    let place = usize::try_from(dice.below(3)).unwrap();
    let part = parts[place].clone();
    let extra = dice.one_of(&["=", "==", " ", "\t", "A", "%3D", ".", "..", ",", "+", "/"]);
    let last = part.bytes().last().and_then(|last| ALPHABET.iter().position(|letter| *letter == last)).unwrap();
    let middle = part.len() / 2;
    let other = match dice.below(5) {
        // Space behind a field's value is no part of it.
        0 if place < 2 || !extra.trim().is_empty() => format!("{part}{extra}"),
        1 if !extra.trim().is_empty() => format!("{extra}{part}"),
        2 => format!("{}{extra}{}", &part[..middle], &part[middle..]),
        3 => URL_SAFE.encode(URL_SAFE_NO_PAD.decode(&part).unwrap()),
        _ => format!("{}{}", &part[..part.len() - 1], char::from(ALPHABET[last ^ 1])),
    };
    // Some parts have no other spelling of this kind.
    parts[place] = if other == part { STANDARD.encode(&part) } else { other };
    parts.join(".")
}

/// The other serialisations, encryption, a token in a token.
fn another_form(keys: &Keys, dice: &mut Dice) -> String {
    let token = keys.own.sign_bytes(HEADER.as_bytes(), CLAIMS.as_bytes());
    let parts: Vec<&str> = token.split('.').collect();
    match dice.below(5) {
        0 => serde_json::json!({"payload": parts[1], "protected": parts[0], "signature": parts[2]}).to_string(),
        1 => {
            let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"dir","enc":"A256GCM","zip":"DEF","kid":"k"}"#);
            format!("{header}..{}.{}.{}", parts[1], parts[1], parts[2])
        }
        2 => {
            let header = r#"{"alg":"PBES2-HS256+A128KW","p2c":2147483647,"p2s":"AA","enc":"A128GCM"}"#;
            format!("{}.{}.AA.{}.AA", URL_SAFE_NO_PAD.encode(header), parts[1], parts[1])
        }
        3 => keys.own.sign_bytes(br#"{"alg":"ES256","kid":"k","cty":"JWT"}"#, token.as_bytes()),
        _ => [parts[0], "", parts[1], parts[2]].join("."),
    }
}

fn too_large(keys: &Keys, dice: &mut Dice) -> String {
    let filler = "a".repeat(MOST);
    match dice.below(3) {
        0 => keys.own.sign_bytes(HEADER.as_bytes(), format!(r#"{{"exp":4000000000,"x":"{filler}"}}"#).as_bytes()),
        1 => {
            keys.own.sign_bytes(format!(r#"{{"alg":"ES256","kid":"k","x":"{filler}"}}"#).as_bytes(), CLAIMS.as_bytes())
        }
        _ => ".".repeat(MOST - 1),
    }
}
