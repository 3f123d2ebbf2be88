//! The only crate with a database connection. One API over SQLite and PostgreSQL.
//!
//! What a caller asks for goes through [`Store::find`] and [`Store::list`], which select only rows within the
//! caller's reach. What our own workers do goes through [`Store::one`], [`Store::all`] and a [`Tx`].
//! Everything that must happen together (row, quota, task, event) happens in one [`Tx`].

pub mod event;
pub mod find;
pub mod idempotency;
pub mod list;
pub mod migrate;
pub mod presence;
pub mod quota;
pub mod row;
pub mod signal;
pub mod tx;

mod fault;
mod group;
mod open;

pub use event::Event;
pub use fault::fault;
pub use find::Found;
pub use list::{Filter, Op, Page, Query};
pub use migrate::Migration;
pub use open::Store;
pub use presence::Presence;
pub use row::{Row, Scoped};
pub use sea_orm;
pub use tx::Tx;
