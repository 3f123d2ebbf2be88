//! The whole product, as scripts and people use it: the real programs, their real output, nothing replaced.
//!
//! `ISOBAR_BIN_DIR=target/release cargo nextest run --test e2e` tries other programs than those of this build.
#![allow(clippy::unwrap_used)]

mod chaos;
mod doctor;
mod guest;
mod kill;
mod kit;
mod refusals;
mod replicas;
mod sqlite;
mod watch;
