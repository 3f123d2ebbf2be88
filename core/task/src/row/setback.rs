//! One of many that a reconciler looks at, whose last look failed.

use sea_orm::entity::prelude::*;
use types::{Error, Json, Timestamp};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "setback")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub reconciler: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub resource: String,
    /// What people call it.
    pub name: String,
    /// Of the resource when it failed; another one is looked at anew.
    pub generation: i64,
    /// Looks that failed since the last that did not.
    pub failures: i64,
    pub error: Json<Error>,
    /// When the first of them failed.
    pub since: Timestamp,
    /// Not before this.
    pub due_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}
