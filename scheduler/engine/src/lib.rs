//! The placement engine: a snapshot of hosts and a request go in, a plan comes out.
//! No clock, no database, no async, no randomness: the same input always gives the same plan.
//! It claims nothing; whoever asked commits the plan and tells the snapshot what became of it.
//! Hosts live in columns. [`filter`] ands bitmaps, [`query`] reads numbers of what is left, [`score`] ranks,
//! [`place()`] takes the best; [`place_next()`] takes it from a ranking kept for that shape of request.
//! [`explain()`] and [`forecast()`] walk the same filters, so they cannot disagree with it.

pub mod host;
pub mod plan;
pub mod request;
pub mod snapshot;

mod bitmap;
mod disk;
mod explain;
mod filter;
mod forecast;
mod place;
mod query;
mod score;
mod shape;

pub use explain::explain;
pub use forecast::{Forecast, Room, forecast};
pub use host::{Amount, Host, Storage};
pub use place::place;
pub use plan::{Explanation, Filter, Lack, Miss, Placement, Plan, Points, Removed, Term};
pub use request::{Demand, Disk, Group, Piece, Request, Rule, Strategy, Tags, Weights};
pub use shape::place_next;
pub use snapshot::{Snapshot, UnknownHost};
