//! A task: what was asked, for whom, how far it is, and which worker has it.

use auth::Who;
use sea_orm::entity::prelude::*;
use serde_json::Value;
use types::{DomainId, Error, Json, ProjectId, TaskId, Timestamp, states};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "task")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TaskId,
    /// The workflow's name.
    pub kind: String,
    pub state: states::Task,
    pub resource_noun: String,
    pub resource_id: String,
    pub resource_name: String,
    pub project_id: Option<ProjectId>,
    pub domain_id: Option<DomainId>,
    /// The workflow itself.
    pub params: Json<Value>,
    /// Who asked for it.
    pub who: Json<Who>,
    pub request_id: String,
    pub parent: Option<TaskId>,
    pub progress: Option<String>,
    /// Why it is undone or failed.
    pub error: Option<Json<Error>>,
    /// Why a person must look.
    pub stuck: Option<Json<Error>>,
    pub cancel_requested: bool,
    pub cancelled_by: Option<String>,
    /// A person decided to end it without undoing the rest.
    pub abandoned: bool,
    /// The worker that has it.
    pub owner: Option<String>,
    /// Somebody woke it while a worker had it: what it waits for may have happened since the worker looked.
    pub woken: bool,
    /// Grows with every claim: writes of an earlier claim are refused.
    pub fence: i64,
    /// From when on it may be claimed: its timer, or the end of the lease. None when there is nothing to do.
    pub due_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}
