//! Servers that speak as HashiCorp Vault does, for the same cases: a double, one that repeats what a real server answered
//! when it was recorded, and a real one where there is any.

mod double;
mod exchange;
mod front;
mod real;
mod recorded;
mod reviews;
mod token;

use std::io::Write;
use std::sync::Once;

use serde_json::Value;

pub use self::double::Double;
pub use self::front::Front;
pub use self::real::Real;
use self::recorded::{Recorded, Recording};

/// Where the KV engine is mounted. No Vault that is in use has such names: a real one keeps what else it holds.
pub const MOUNT: &str = "keyward-test";
/// Where the auth method of Kubernetes is mounted.
pub const KUBERNETES: &str = "keyward-test-kubernetes";
/// Where the auth method for AppRoles is mounted.
pub const APPROLE: &str = "keyward-test-approle";
/// The role of either method.
pub const ROLE: &str = "keyward";
/// The identifier of the AppRole.
pub const ROLE_ID: &str = "role-of-keyward";
/// Its secret identifier.
pub const SECRET_ID: &str = "secret-id-of-role";

/// What tests make of a Vault.
pub trait Server {
    /// Where what passes is noted.
    fn front(&self) -> &Front;
    /// The URL without that.
    fn url(&self) -> String {
        self.front().url()
    }
    /// Makes an object the next version of a secret.
    fn put(&self, path: &str, data: &Value);
    /// Deletes a version, which can be had back.
    fn delete(&self, path: &str, version: u64);
    /// Deletes a version for good.
    fn destroy(&self, path: &str, version: u64);
    /// Issues a token that lives so many seconds and reads every secret; 0 for one that lives for ever.
    fn token(&self, token: &str, seconds: u64);
    /// Lets both auth methods issue tokens that live so many seconds.
    fn logins(&self, seconds: u64, renewable: bool);
    /// Revokes every token but the one that this is done with.
    fn revoke_all(&self);
    /// Denies a path, such as `auth/token/renew-self`, to every token that does not live for ever.
    fn forbid(&self, path: &str);
    /// Does everything from now on in a namespace. Whether there are any.
    fn enter(&self, namespace: &str) -> bool;
    /// Seals it, if that can be undone.
    fn seal(&self) -> bool;
    /// Undoes it.
    fn unseal(&self);
}

/// The token of a service account, signed by nobody.
pub fn account_token() -> String {
    reviews::account_token("keyward")
}

/// The token of an account that no role is bound to.
pub fn strangers_token() -> String {
    reviews::account_token("stranger")
}

/// Plays a case against the double and against what was recorded of it, and sees whether these agree; then against a
/// real server, if there is one. A case that is being recorded is played against that alone.
///
/// # Panics
/// When Keyward asked other things than when the case was recorded, or the double answers otherwise.
pub fn on_every_server(case: &str, play: impl Fn(&dyn Server)) {
    if let Some(server) = recorded::who_is_recorded() {
        let real = real().expect("KEYWARD_VAULT_ADDR says which server is recorded");
        play(&real);
        return Recording::of(&server, &real.front().exchanges()).write(case);
    }
    let recording = Recording::read(case);
    let (double, recorded) = (Double::start(), Recorded::start(&recording));
    play(&double);
    recording.compare(case, &double.front().exchanges());
    play(&recorded);
    recording.compare(case, &recorded.front().exchanges());
    if let Some(real) = real() {
        play(&real);
    }
}

/// The double, and a real server where there is one.
pub fn servers() -> impl Iterator<Item = Box<dyn Server>> {
    let real = std::iter::once_with(real).flatten().map(|real| Box::new(real) as Box<dyn Server>);
    std::iter::once_with(|| Box::new(Double::start()) as Box<dyn Server>).chain(real)
}

/// A real server; says once that there is none.
fn real() -> Option<Real> {
    static SAID: Once = Once::new();
    let real = Real::start();
    if real.is_none() {
        SAID.call_once(|| tell("skipped: KEYWARD_VAULT_ADDR names no running Vault\n"));
    }
    real
}

/// Says something that is seen even when the test passes, unlike with `eprintln!`.
pub fn tell(what: &str) {
    std::io::stderr().write_all(what.as_bytes()).unwrap();
}

/// A path with everything escaped but its slashes.
fn escaped(path: &str) -> String {
    let escaped = |byte: u8| match byte {
        b'/' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    path.bytes().map(escaped).collect()
}
