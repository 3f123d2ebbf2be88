//! One step of a task's journal.

use sea_orm::entity::prelude::*;
use serde_json::Value;
use types::{Error, Json, TaskId, Timestamp, states};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "task_step")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub task_id: TaskId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i64,
    pub name: String,
    pub params: Json<Value>,
    pub token: String,
    pub state: states::TaskStep,
    pub output: Option<Json<Value>>,
    /// Of the last attempt that failed.
    pub error: Option<Json<Error>>,
    /// How many attempts failed.
    pub attempts: i64,
    pub undo_attempts: i64,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}
