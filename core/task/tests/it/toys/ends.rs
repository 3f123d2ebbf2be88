//! Workflows without steps: only their ends matter.

use auth::Cx;
use serde::{Deserialize, Serialize};
use store::{Tx, sea_orm::EntityTrait};
use task::{Outcome, StepKind, TaskCx, Workflow, row::task as tasks};
use types::{Error, Result, TaskId};

/// Ends in one of three ways.
#[derive(Serialize, Deserialize)]
pub enum Ends {
    Well,
    /// The rows cannot be changed as they should.
    Refused,
    /// The rows of this task are changed too.
    With(TaskId),
}

impl Workflow for Ends {
    const NAME: &'static str = "ends";

    async fn run(&self, _: &TaskCx) -> Result<()> {
        Ok(())
    }

    async fn finish(&self, _: &Cx, tx: &mut Tx, _: &Outcome) -> Result<()> {
        match self {
            Self::Well => Ok(()),
            Self::Refused => Err(Error::broken("the row is not what it was")),
            Self::With(other) => tx.lock(tasks::Entity::find_by_id(*other)).await.map(drop),
        }
    }

    fn steps() -> Vec<StepKind> {
        vec![]
    }
}
