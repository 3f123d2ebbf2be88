//! A kind of task that no worker takes from the queue, and why.

use sea_orm::entity::prelude::*;
use types::Timestamp;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "pause")]
pub struct Model {
    /// The name of a workflow, or [`crate::pause::ALL`].
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: String,
    /// Who paused it.
    pub actor: String,
    pub reason: String,
    pub since: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
