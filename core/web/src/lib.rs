//! From a `Resource` to routes, OpenAPI and responses; who calls; health; how services call each other.
//! Status codes live here and nowhere else.

pub mod accepted;
pub mod caller;
pub mod docs;
pub mod events;
pub mod health;
pub mod input;
pub mod noun;
pub mod observe;
pub mod origins;
pub mod peer;
pub mod problem;
pub mod query;
pub mod resource;

pub use accepted::Wait;
pub use caller::{Authenticate, Caller, Gate};
pub use input::Input;
pub use noun::{Noun, noun};
pub use peer::Peer;
pub use problem::Problem;
pub use resource::{App, Create, Delete, Made, Resource, Update};
