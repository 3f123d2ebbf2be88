//! The tables of this crate. Callers read [`record`] through the store's scoped queries; the rest is the engine's own.

pub mod hold;
pub mod pause;
pub mod reconciler;
pub mod record;
pub mod setback;
pub mod step;
pub mod step_record;
pub mod task;
