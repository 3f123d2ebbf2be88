//! Workflows whose end is refused.

use auth::Cx;
use serde::{Deserialize, Serialize};
use store::Tx;
use task::{Outcome, StepKind, TaskCx, Workflow};
use types::{Error, Result};

use super::Make;

/// Its end is refused when all went well.
#[derive(Serialize, Deserialize)]
pub struct Guarded;

impl Workflow for Guarded {
    const NAME: &'static str = "guarded";

    async fn run(&self, cx: &TaskCx) -> Result<()> {
        cx.step(Make { name: "a".to_owned() }).await.map(drop)
    }

    async fn finish(&self, _: &Cx, _: &mut Tx, outcome: &Outcome) -> Result<()> {
        match outcome {
            Outcome::Succeeded => Err(Error::conflict("somebody was faster")),
            _ => Ok(()),
        }
    }

    fn steps() -> Vec<StepKind> {
        task::steps![Make]
    }
}

/// Its end is refused when it did not go well.
#[derive(Serialize, Deserialize)]
pub struct Unending;

impl Workflow for Unending {
    const NAME: &'static str = "unending";

    async fn run(&self, cx: &TaskCx) -> Result<()> {
        cx.step(Make { name: "a".to_owned() }).await.map(drop)
    }

    async fn finish(&self, _: &Cx, _: &mut Tx, outcome: &Outcome) -> Result<()> {
        outcome
            .error()
            .map_or(Ok(()), |_| Err(Error::conflict("the row is locked away")))
    }

    fn steps() -> Vec<StepKind> {
        task::steps![Make]
    }
}
