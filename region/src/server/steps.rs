//! The steps servers are made of and taken apart with, each with its opposite beside it.

mod lease;
mod machine;
mod place;
mod stage;
mod volume;

pub use lease::{LeaseAddress, UnleaseAddress};
pub use machine::{AwaitPower, DefineServer, PowerOff, PowerOn, RemoveMachine, Restart, power_up};
pub use place::{ClaimHost, Placed, ReleaseClaim};
pub use stage::StageImage;
pub use volume::{MakeVolume, RemoveVolume};
