//! A task as people see it, under way or in history. Read only: it is a view of both tables.

use auth::Who;
use sea_orm::entity::prelude::*;
use store::{Row, Scoped};
use types::{DomainId, Error, Json, ProjectId, TaskId, Timestamp, states};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "task_record")]
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
    pub created_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}

impl Row for Entity {
    const NOUN: &'static str = "task";
    const SCOPED: Scoped = Scoped::Project;
    const SORTABLE: &'static [&'static str] = &["created_at", "id"];
    const HIDDEN: &'static [&'static str] = &["who", "error", "stuck"];
}
