//! HTTP/2 as attackers write it: every frame by hand, at the real binary, with an upstream behind it that notes what
//! reaches it. A request is answered, refused or forwarded clean and once; floods end the connection that sends them,
//! or are held to its limits, and others are served meanwhile.

#![allow(clippy::unwrap_used)]

mod advisories;
mod bodies;
mod caller;
mod destinations;
mod fields;
mod floods;
mod frames;
mod limits;
mod pseudo;
mod stage;
mod stalls;
mod told;
mod upstream;
