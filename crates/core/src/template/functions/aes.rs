//! AES-256-CBC with a password that is cut or filled up to a key, as sprig has it. There is no integrity
//! check: whoever can change the text can change what it decrypts to.

use aws_lc_rs::cipher::{
    AES_256, AES_256_KEY_LEN, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey,
    UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::function::Function;
use super::super::function::Param::Text;
use super::arguments::{bytes, fits, text};
use super::encoding::base64;

/// The length of a block, and of what stands before the first.
const BLOCK: usize = 16;

pub(super) const ALL: &[Function] = &[
    Function::outside("encryptAES", &[Text, Text], |around, args| {
        let plain = bytes(&args[1])?;
        if plain.is_empty() {
            return text("");
        }
        fits(plain.len() * 2)?;
        let mut first = [0; BLOCK];
        around.random.fill(&mut first);
        let mut sealed = plain.to_vec();
        let key = PaddedBlockEncryptingKey::cbc_pkcs7(key(bytes(&args[0])?)?).map_err(failed)?;
        key.less_safe_encrypt(&mut sealed, EncryptionContext::Iv128(FixedLength::from(first))).map_err(failed)?;
        text(STANDARD.encode([first.as_slice(), &sealed].concat()))
    }),
    Function::pure("decryptAES", &[Text, Text], |args| {
        let encoded = bytes(&args[1])?;
        if encoded.is_empty() {
            return text("");
        }
        let all = base64(encoded).map_err(|_| "the text to decrypt is no base64".to_owned())?;
        let Some((first, sealed)) = all.split_first_chunk::<BLOCK>() else {
            return Err("the text to decrypt is too short".to_owned());
        };
        let mut opened = sealed.to_vec();
        let key = PaddedBlockDecryptingKey::cbc_pkcs7(key(bytes(&args[0])?)?).map_err(failed)?;
        let plain = key.decrypt(&mut opened, DecryptionContext::Iv128(FixedLength::from(first))).map_err(failed)?;
        text(&*plain)
    }),
];

fn key(password: &[u8]) -> Result<UnboundCipherKey, String> {
    let mut key = [0; AES_256_KEY_LEN];
    let length = password.len().min(key.len());
    key[..length].copy_from_slice(&password[..length]);
    UnboundCipherKey::new(&AES_256, &key).map_err(failed)
}

fn failed(_: aws_lc_rs::error::Unspecified) -> String {
    "the password or the text does not fit".to_owned()
}
