//! The service over its routes, on SQLite and, when `ISOBAR_TEST_POSTGRES` holds a URL, on PostgreSQL too.

mod ask;
mod race;
mod site;
mod sums;
