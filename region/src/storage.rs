//! Storages: pools on hosts that disks are made in. They come from sync; nobody creates them here.

use std::collections::HashMap;

use auth::Cx;
use store::{
    Row, Scoped,
    sea_orm::{self, QueryFilter, entity::prelude::*},
};
use types::{AccountId, HostId, Result, Size, StorageId, Timestamp, api::host as api};

use crate::{State, host};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "storage")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: StorageId,
    pub name: String,
    pub host_id: HostId,
    pub account_id: AccountId,
    pub backend: String,
    pub capacity: Size,
    pub claimed: Size,
    pub used: Size,
    pub enabled: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl ActiveModelBehavior for ActiveModel {}

impl Row for Entity {
    const NOUN: &'static str = "storage";
    const SCOPED: Scoped = Scoped::Shared;
}

impl web::Resource<State> for Entity {
    const PATH: &'static str = "storages";
    const ABOUT: &'static str = "Storages: pools on hosts that disks are made in.";
    type View = api::Storage;

    async fn views(state: &State, _: &Cx, rows: Vec<Model>) -> Result<Vec<api::Storage>> {
        let ids = rows.iter().map(|row| row.host_id);
        let hosts = state
            .store
            .all(host::Entity::find().filter(host::Column::Id.is_in(ids)))
            .await?;
        let names: HashMap<_, _> = hosts.into_iter().map(|host| (host.id, host.name)).collect();
        Ok(rows
            .into_iter()
            .map(|row| api::Storage {
                id: row.id,
                host: names.get(&row.host_id).cloned().unwrap_or_default(),
                name: row.name,
                host_id: row.host_id,
                backend: row.backend,
                capacity: row.capacity,
                claimed: row.claimed,
                used: row.used,
                created_at: row.created_at,
            })
            .collect())
    }
}
