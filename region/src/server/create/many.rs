//! Several servers in one request: each has a task of its own, and one more waits for them all.

use auth::Cx;
use serde::{Deserialize, Serialize};
use store::Tx;
use task::{Child, Join, Outcome, Policy, StepKind, Target, TaskCx, Workflow};
use types::{Result, TaskId};

use super::{super::target, intent::Intent};

/// Queues all of them: the task that waits, and those that it waits for.
pub async fn start(cx: &Cx, tx: &mut Tx, name: &str, intents: &[Intent]) -> Result<(TaskId, Vec<TaskId>)> {
    let (project, domain) = cx.project()?;
    let children: Result<Vec<_>> = intents
        .iter()
        .map(|intent| Child::of(&intent.workflow, target(&intent.row)))
        .collect();
    let whole = Target {
        noun: "servers",
        // Each server is held by its own task. Only one request begins with this server.
        id: intents
            .first()
            .map(|intent| intent.row.id.to_string())
            .unwrap_or_default(),
        name: name.to_owned(),
        owner: Some((project.clone(), domain.clone())),
    };
    task::start_with(cx, tx, &CreateServers, whole, &children?).await
}

/// Waits for the tasks of several servers. When one fails the others go on, since each server is of use alone.
#[derive(Serialize, Deserialize)]
pub struct CreateServers;

impl Workflow for CreateServers {
    const NAME: &'static str = "server-create-many";

    async fn run(&self, cx: &TaskCx) -> Result<()> {
        cx.join(Policy::WaitForAll).await
    }

    /// Every row belongs to a child, which has written it.
    async fn finish(&self, _: &Cx, _: &mut Tx, _: &Outcome) -> Result<()> {
        Ok(())
    }

    fn steps() -> Vec<StepKind> {
        task::steps![Join]
    }
}
