//! What workflows and steps see of the engine.

mod step;
mod task;

pub use step::StepCx;
pub(crate) use step::{Mode, PARKED};
pub(crate) use task::Stop;
pub use task::TaskCx;
