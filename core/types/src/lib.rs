//! The vocabulary every part of Isobar shares: ids, errors, times, sizes, states, configuration.
//! No I/O and no async; with the feature `db` the values can also be stored in a column.

pub mod api;
pub mod error;
pub mod ids;
pub mod json;
pub mod machine;
pub mod size;
pub mod states;
pub mod time;

pub mod config;

pub use error::{Error, Kind, Result};
pub use ids::*;
pub use json::Json;
pub use size::Size;
pub use time::Timestamp;
