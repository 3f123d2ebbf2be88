//! Zones: parts of a region that fail apart from each other.

use auth::Cx;
use store::{
    Found, Row, Scoped, Store, Tx,
    sea_orm::{self, ActiveValue::Set, QueryFilter, QueryOrder, entity::prelude::*},
};
use types::{
    Error, RegionId, Result, Timestamp, ZoneId,
    api::{check_name, place as api},
};
use web::Made;

use super::region;
use crate::{State, account, flavor::taken, host};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "zone")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ZoneId,
    pub name: String,
    pub region_id: RegionId,
    pub created_at: Timestamp,
    pub version: i64,
}

impl ActiveModelBehavior for ActiveModel {}

impl Row for Entity {
    const NOUN: &'static str = "zone";
    const SCOPED: Scoped = Scoped::Shared;
}

/// The oldest zone: where things go when nobody says where.
pub async fn first(store: &Store) -> Result<Model> {
    let zone = store.one(Entity::find().order_by_asc(Column::CreatedAt)).await?;
    zone.ok_or_else(|| Error::broken("there is no zone: the region was never set up"))
}

impl web::Resource<State> for Entity {
    const PATH: &'static str = "zones";
    const ABOUT: &'static str = "Zones: parts of a region that fail apart from each other.";
    type View = api::Zone;

    async fn views(state: &State, _: &Cx, rows: Vec<Model>) -> Result<Vec<api::Zone>> {
        let regions = state.store.all(region::Entity::find()).await?;
        let name = |id| {
            regions
                .iter()
                .find(|region| region.id == id)
                .map(|region| region.name.clone())
        };
        Ok(rows
            .into_iter()
            .map(|row| api::Zone {
                id: row.id,
                region: name(row.region_id).unwrap_or_default(),
                name: row.name,
                created_at: row.created_at,
            })
            .collect())
    }
}

impl web::Create<State> for Entity {
    type Input = api::CreateZone;
    type Ready = (api::CreateZone, RegionId);

    async fn ready(state: &State, _: &Cx, input: api::CreateZone) -> Result<Self::Ready> {
        check_name("zone", &input.name)?;
        let region = state
            .store
            .one(region::Entity::find().order_by_asc(region::Column::CreatedAt))
            .await?;
        let region = region.ok_or_else(|| Error::broken("there is no region: it was never set up"))?;
        Ok((input, region.id))
    }

    async fn create(_: &State, _: &Cx, tx: &mut Tx, (input, region): Self::Ready) -> Result<Made<Self>> {
        let row = ActiveModel {
            id: Set(ZoneId::new()),
            name: Set(input.name.clone()),
            region_id: Set(region),
            created_at: Set(Timestamp::now()),
            version: Set(1),
        };
        Ok(Made::now(
            tx.insert(row).await.map_err(|e| taken(e, "zone", &input.name))?,
        ))
    }
}

impl web::Delete<State> for Entity {
    async fn delete(_: &State, _: &Cx, tx: &mut Tx, found: Found<Self>) -> Result<Made<Self>> {
        let row = found.into_inner();
        let host = tx
            .one(host::Entity::find().filter(host::Column::ZoneId.eq(row.id)))
            .await?;
        let account = tx
            .one(account::Entity::find().filter(account::Column::ZoneId.eq(row.id)))
            .await?;
        if host.is_some() || account.is_some() {
            let message = format!("zone `{}` still has hosts or cloud accounts in it", row.name);
            return Err(Error::conflict(message).code("in_use").on("zone", row.id));
        }
        tx.delete(Entity::delete_many().filter(Column::Id.eq(row.id))).await?;
        Ok(Made::now(row))
    }
}
