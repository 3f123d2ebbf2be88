//! The region as a whole: with the real scheduler and the real image service beside it and a simulated cloud behind it.

#![allow(clippy::unwrap_used)]

mod call;
mod site;
mod world;

mod exhaust;
mod leaks;
mod many;
mod observe;
mod ops;
mod refuse;
mod routes;
