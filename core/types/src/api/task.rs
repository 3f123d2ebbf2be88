//! Tasks: work that takes time, with its steps and its cause.

use serde::{Deserialize, Serialize};

use crate::{Error, ProjectId, TaskId, Timestamp, states};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = Task))]
pub struct View {
    pub id: TaskId,
    /// The workflow's name: `server-create`.
    pub kind: String,
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub state: states::Task,
    /// What it is about.
    pub noun: String,
    pub resource_id: String,
    pub resource_name: String,
    /// What it is doing, in a few words. Of a task with children it says how far they are: `137 of 200 done, 2 failed`.
    pub progress: String,
    /// The name of the step it is in or ended in.
    pub step: Option<String>,
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub error: Option<Error>,
    pub cancel_requested: bool,
    pub actor: String,
    pub request_id: String,
    pub project_id: Option<ProjectId>,
    /// The task that waits for this one.
    pub parent: Option<TaskId>,
    /// Present when one task is asked for, absent in lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = TaskStep))]
pub struct Step {
    pub seq: i64,
    pub name: String,
    /// `started`, `waiting`, `done`, `undoing`, `undone`, `failed`.
    pub state: String,
    pub attempts: i64,
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub error: Option<Error>,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
}
