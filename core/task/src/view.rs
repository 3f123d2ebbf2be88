//! What people see of a task: where it is, which steps it took, what went wrong.

use serde::{Deserialize, Serialize};
use types::{Error, TaskId, Timestamp, states};

use crate::row::{record, step_record};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskView {
    pub id: TaskId,
    pub kind: String,
    pub state: states::Task,
    pub resource: ResourceRef,
    pub progress: Option<String>,
    /// The step under way, or being undone.
    pub step: Option<String>,
    pub error: Option<Error>,
    pub steps: Vec<StepView>,
    pub parent: Option<TaskId>,
    pub cancel_requested: bool,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceRef {
    pub noun: String,
    pub id: String,
    pub name: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepView {
    pub seq: i64,
    pub name: String,
    pub state: states::TaskStep,
    /// How often it was tried.
    pub attempts: i64,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub error: Option<Error>,
}

/// `steps` in the order of `seq`; leave them out for a list.
pub fn view(task: record::Model, steps: Vec<step_record::Model>) -> TaskView {
    TaskView {
        id: task.id,
        kind: task.kind,
        state: task.state,
        resource: ResourceRef {
            noun: task.resource_noun,
            id: task.resource_id,
            name: task.resource_name,
        },
        progress: task.progress,
        step: current(task.state, &steps),
        error: task.stuck.or(task.error).map(|json| json.0),
        steps: steps.into_iter().map(step_view).collect(),
        parent: task.parent,
        cancel_requested: task.cancel_requested,
        created_at: task.created_at,
        started_at: task.started_at,
        finished_at: task.finished_at,
    }
}

fn step_view(step: step_record::Model) -> StepView {
    let failed = step.attempts + step.undo_attempts;
    let open = step.state == states::TaskStep::Started;
    StepView {
        seq: step.seq,
        name: step.name,
        state: step.state,
        attempts: if open { step.attempts + 1 } else { failed.max(1) },
        started_at: step.started_at,
        finished_at: step.finished_at,
        error: step.error.map(|json| json.0),
    }
}

fn current(state: states::Task, steps: &[step_record::Model]) -> Option<String> {
    let mut backwards = steps.iter().rev();
    let step = match state {
        states::Task::Running => backwards.next().filter(|step| step.state == states::TaskStep::Started),
        states::Task::Undoing | states::Task::NeedsOperator => {
            backwards.find(|step| step.state != states::TaskStep::Undone)
        }
        _ => None,
    };
    step.map(|step| step.name.clone())
}
