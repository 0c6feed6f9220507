//! Published advisories of proxies, gateways and libraries that do what Keyward does. For each of them a test that is named
//! after it shows, over raw sockets and with the real binary, that the same flaw is not here. Where several are one flaw,
//! one table has a test for each name.

#![allow(clippy::unwrap_used)]

mod bodies;
mod crates;
mod framing;
mod handshakes;
mod headers;
mod hosts;
mod logs;
mod paths;
mod ports;
mod side_services;
mod stage;
mod templates;
mod timing;
mod tokens;
mod tunnels;
