//! The service over its routes, on SQLite and, when `ISOBAR_TEST_POSTGRES` holds a URL, on PostgreSQL too.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod ask;
mod race;
mod site;
mod sums;
