//! Which task holds a resource.

use sea_orm::entity::prelude::*;
use types::{TaskId, Timestamp};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "hold")]
pub struct Model {
    /// `noun/id`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub resource: String,
    pub task_id: TaskId,
    pub since: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
