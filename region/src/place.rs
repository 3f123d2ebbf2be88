//! Regions and zones: where hosts are.

pub mod region;
pub mod zone;
