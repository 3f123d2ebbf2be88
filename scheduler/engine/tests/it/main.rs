//! All integration tests of the engine: cases to read, and traces against a plain oracle.

#![allow(clippy::unwrap_used)]

mod brute;
mod cases;
mod oracle;
mod script;
mod trace;
