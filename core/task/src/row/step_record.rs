//! A step as people see it, of a task under way or in history. Read only: it is a view of both tables.

use sea_orm::entity::prelude::*;
use types::{Error, Json, TaskId, Timestamp, states};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "task_step_record")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub task_id: TaskId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i64,
    pub name: String,
    pub state: states::TaskStep,
    /// Of the last attempt that failed.
    pub error: Option<Json<Error>>,
    /// How many attempts failed.
    pub attempts: i64,
    pub undo_attempts: i64,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}
