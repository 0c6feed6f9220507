//! Password hashes and derived passwords. They are made to be slow, so only a template that does not depend
//! on the request may use them: it is rendered once, at load.

use aws_lc_rs::hmac;

use super::super::function::Param::{self, Text};
use super::super::function::{Function, Surroundings};
use super::super::value::IntegerType;
use super::arguments::{bytes, text};
use super::{Outcome, Value};

pub(super) const ALL: &[Function] = &[
    Function::outside("bcrypt", &[Text], |around, args| text(bcrypted(around, bytes(&args[0])?)?)).only_at_load(),
    // A name that no password file can hold gives the text of the reference's error as the value.
    Function::outside("htpasswd", &[Text, Text], |around, args| {
        let (name, password) = (bytes(&args[0])?, bytes(&args[1])?);
        if name.contains(&b':') {
            return text([b"invalid username: ", name].concat());
        }
        text([name, b":", bcrypted(around, password)?.as_bytes()].concat())
    })
    .only_at_load(),
    Function::pure("derivePassword", DERIVED, derived).only_at_load(),
];

const DERIVED: &[Param] = &[Param::Integer(&UINT32), Text, Text, Text, Text];

static UINT32: IntegerType = IntegerType { name: "uint32", kind: "uint32", signed: false, show: None, methods: &[] };

/// The cost the reference uses.
const COST: u32 = 10;
/// What bcrypt can take in.
const MAX_PASSWORD: usize = 72;

fn bcrypted(around: &Surroundings<'_>, password: &[u8]) -> Result<String, String> {
    if password.len() > MAX_PASSWORD {
        return Ok("failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes".to_owned());
    }
    let mut salt = [0; 16];
    around.random.fill(&mut salt);
    let hash = bcrypt::hash_with_salt(password, COST, salt).map_err(|error| error.to_string())?;
    Ok(hash.format_for_version(bcrypt::Version::TwoA))
}

/// What every derived password starts from.
const SEED: &[u8] = b"com.lyndir.masterpassword";

/// The Master Password algorithm: which characters stand where, for each kind of password.
fn shapes(kind: &[u8]) -> Option<&'static [&'static str]> {
    Some(match kind {
        b"maximum" => &["anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"],
        b"long" => &[
            "CvcvnoCvcvCvcv",
            "CvcvCvcvnoCvcv",
            "CvcvCvcvCvcvno",
            "CvccnoCvcvCvcv",
            "CvccCvcvnoCvcv",
            "CvccCvcvCvcvno",
            "CvcvnoCvccCvcv",
            "CvcvCvccnoCvcv",
            "CvcvCvccCvcvno",
            "CvcvnoCvcvCvcc",
            "CvcvCvcvnoCvcc",
            "CvcvCvcvCvccno",
            "CvccnoCvccCvcv",
            "CvccCvccnoCvcv",
            "CvccCvccCvcvno",
            "CvcvnoCvccCvcc",
            "CvcvCvccnoCvcc",
            "CvcvCvccCvccno",
            "CvccnoCvcvCvcc",
            "CvccCvcvnoCvcc",
            "CvccCvcvCvccno",
        ],
        b"medium" => &["CvcnoCvc", "CvcCvcno"],
        b"short" => &["Cvcn"],
        b"basic" => &["aaanaaan", "aannaaan", "aaannaaa"],
        b"pin" => &["nnnn"],
        _ => return None,
    })
}

fn characters(class: u8) -> &'static [u8] {
    match class {
        b'C' => b"BCDFGHJKLMNPQRSTVWXYZ",
        b'v' => b"aeiou",
        b'c' => b"bcdfghjklmnpqrstvwxyz",
        b'a' => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
        b'n' => b"0123456789",
        b'o' => b"@&%?,=[]_:-+*$#!'^~;()/.",
        _ => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
    }
}

fn derived<'a>(args: &[Value<'a>]) -> Outcome<'a> {
    let counter = u32::try_from(args[0].integer().unwrap_or(0) & i64::from(u32::MAX)).unwrap_or(0);
    let (kind, password, user, site) = (bytes(&args[1])?, bytes(&args[2])?, bytes(&args[3])?, bytes(&args[4])?);
    let Some(shapes) = shapes(kind) else {
        return text([b"cannot find password template ", kind].concat());
    };
    let length = |text: &[u8]| u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes();
    let salt = [SEED, &length(user), user].concat();
    let cost = scrypt::Params::new(15, 8, 2).map_err(|error| error.to_string())?;
    let mut key = [0; 64];
    scrypt::scrypt(password, &salt, &cost, &mut key).map_err(|error| error.to_string())?;
    let message = [SEED, &length(site), site, &counter.to_be_bytes()].concat();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &message);
    let seed = tag.as_ref();
    let shape = shapes[usize::from(seed[0]) % shapes.len()];
    let chosen = shape.bytes().zip(&seed[1..]).map(|(class, seed)| {
        let characters = characters(class);
        characters[usize::from(*seed) % characters.len()]
    });
    text(chosen.collect::<Vec<u8>>())
}
