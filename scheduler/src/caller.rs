//! Who may place things: services of ours and administrators of the whole installation, nobody else.

use auth::{Cx, Reach};
use types::{Error, Result};

/// Claims belong to no project, so anything less than everything is nothing.
pub fn allowed(cx: &Cx, verb: &str) -> Result<()> {
    match cx.reach("claim", verb) {
        Reach::Everything => Ok(()),
        _ => Err(Error::denied(format!("you may not {verb} claims"))),
    }
}
