//! Which replica runs a reconciler, and how its last round went.

use sea_orm::entity::prelude::*;
use types::{Error, Json, Timestamp};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "reconciler")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    pub owner: Option<String>,
    pub fence: i64,
    /// When the next round is due, or the lease of the round under way ends.
    pub due_at: Timestamp,
    /// Rounds that failed since the last that did not.
    pub failures: i64,
    pub error: Option<Json<Error>>,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
}

impl ActiveModelBehavior for ActiveModel {}
