//! The region this installation is: one row, made at first start.

use auth::Cx;
use store::{
    Row, Scoped,
    sea_orm::{self, entity::prelude::*},
};
use types::{RegionId, Result, Timestamp, api::place as api};

use crate::State;

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "region")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RegionId,
    pub name: String,
    pub created_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}

impl Row for Entity {
    const NOUN: &'static str = "region";
    const SCOPED: Scoped = Scoped::Shared;
}

impl web::Resource<State> for Entity {
    const PATH: &'static str = "regions";
    const ABOUT: &'static str = "Regions.";
    type View = api::Region;

    async fn views(_: &State, _: &Cx, rows: Vec<Model>) -> Result<Vec<api::Region>> {
        Ok(rows
            .into_iter()
            .map(|row| api::Region {
                id: row.id,
                name: row.name,
                created_at: row.created_at,
            })
            .collect())
    }
}
