//! The tables of this crate. Callers read [`task`] through the store's scoped queries; the rest is the engine's own.

pub mod hold;
pub mod reconciler;
pub mod step;
pub mod task;

pub use task::Entity;
