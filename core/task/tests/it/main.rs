//! The engine on real databases, with toy workflows whose effects are entries of a shared map.
//!
//! SQLite always; PostgreSQL as well when ISOBAR_TEST_POSTGRES is the URL of a server where databases may be created.

#![allow(clippy::unwrap_used)]

mod control;
mod engine;
mod faults;
mod fence;
mod reconcile;
mod toys;
mod world;
