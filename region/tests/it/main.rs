//! The region as a whole: with the real scheduler and the real image service beside it and a simulated cloud behind it.

#![allow(clippy::unwrap_used)]

mod call;
mod site;
mod world;

mod accounts;
mod exhaust;
mod hosts;
mod leaks;
mod many;
mod observe;
mod ops;
mod refuse;
mod routes;
mod watch;
