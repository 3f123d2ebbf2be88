//! The tests, by what they are about.

pub mod absent;
pub mod calls;
pub mod disks;
pub mod images;
pub mod lists;
pub mod networks;
pub mod power;
pub mod servers;
pub mod tokens;
