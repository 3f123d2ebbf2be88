//! Who is asking, and what they may do: callers, scopes, roles, policy, tokens. Checks happen where the data is read.

pub mod cx;
pub mod policy;
pub mod token;

pub use cx::{Cx, Scope, Who};
pub use policy::{Policy, Reach};
