//! Operations that a cloud goes on with after it answered, where asking again would begin them anew.

use std::time::Duration;

use contract::{Op, Progress};
use serde::{Deserialize, Serialize};
use task::{Step, StepCx};
use types::{AccountId, Result};

use crate::clouds::StepClouds;

/// The handle of an operation under way; `None` when it was over at once. A step returns it, so that it survives.
pub type Handle = Option<String>;

pub fn handle(op: Op<()>) -> Handle {
    match op {
        Op::Done(()) => None,
        Op::Pending { operation, .. } => Some(operation),
    }
}

/// Wait until the cloud has finished it.
#[derive(Serialize, Deserialize)]
pub struct AwaitOperation {
    pub account: AccountId,
    pub operation: String,
}

impl Step for AwaitOperation {
    type Output = ();
    const NAME: &'static str = "await-operation";

    fn limit(&self) -> Duration {
        Duration::from_secs(3600)
    }

    async fn run(&self, cx: &StepCx) -> Result<()> {
        let cloud = cx.cloud(self.account).await?;
        match cloud.poll(&cx.call(), &self.operation).await? {
            Progress::Running { after, .. } => Err(cx.park(after)),
            Progress::Done(_) => Ok(()),
            Progress::Failed(error) => Err(error),
        }
    }

    /// Looking changes nothing.
    async fn undo(&self, _: &StepCx) -> Result<()> {
        Ok(())
    }
}
