//! The gateway in front of small services made here, in the same process and over real sockets.

#![allow(clippy::unwrap_used)]

mod kit;

mod forwarding;
mod limits;
mod own;
mod replicas;
mod sessions;
mod streams;
