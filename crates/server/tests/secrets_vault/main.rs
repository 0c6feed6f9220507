//! HashiCorp Vault over real sockets: which values come, how tokens are got, renewed and replaced, and what is said when
//! there is no value. The same cases run against the double of the testkit, against what OpenBao answered when it was
//! recorded (`crates/testkit/vault`), and against a running Vault where `KEYWARD_VAULT_ADDR` names one.

#![allow(clippy::unwrap_used)]

mod asked;
mod faults;
mod tokens;
mod values;
