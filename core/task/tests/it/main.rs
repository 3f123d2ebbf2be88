//! The engine on real databases, with toy workflows whose effects are entries of a shared map.
//!
//! Each on SQLite and on PostgreSQL.

#![allow(clippy::unwrap_used)]

mod children;
mod control;
mod ends;
mod engine;
mod faults;
mod fence;
mod history;
mod limit;
mod model;
mod orphans;
mod pause;
mod reconcile;
mod toys;
mod world;
