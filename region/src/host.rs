//! Hosts: machines that carry servers. Facts come from their agent or their cloud; the intent from operators.

pub mod authority;
pub mod delete;
pub mod facts;
pub mod intent;
pub mod join;

mod claims;

use std::collections::HashMap;

use auth::Cx;
use store::{
    Found, Row, Scoped, Store, Tx,
    sea_orm::{self, FromQueryResult, QueryFilter, QuerySelect, entity::prelude::*, sea_query::Expr},
};
use types::{AccountId, Error, ExternalRef, HostId, Json, Result, Size, Timestamp, ZoneId, api::host as api, states};
use web::Made;

use crate::{State, account, place::zone, server, swap::swap};

/// The channel that wakes the scheduler: hosts, storages or claims changed.
pub const INVENTORY: &str = "inventory";

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "host")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: HostId,
    pub name: String,
    pub account_id: AccountId,
    pub zone_id: ZoneId,
    pub external_id: ExternalRef,
    pub endpoint: Option<String>,
    pub state: states::Host,
    pub intent: api::Intent,
    pub faults: Json<Vec<String>>,
    pub architecture: String,
    pub hypervisor: String,
    pub driver: String,
    pub vcpus: i64,
    pub memory: Size,
    pub vcpus_used: i64,
    pub memory_used: Size,
    pub cpu_overcommit: i64,
    pub memory_overcommit: i64,
    pub memory_reserved: Size,
    pub tags: Json<Vec<String>>,
    pub seen_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: i64,
}

impl ActiveModelBehavior for ActiveModel {}

impl Row for Entity {
    const NOUN: &'static str = "host";
    const SCOPED: Scoped = Scoped::Shared;
    const HIDDEN: &'static [&'static str] = &["endpoint"];
}

impl web::Resource<State> for Entity {
    const PATH: &'static str = "hosts";
    const ABOUT: &'static str = "Hosts: machines that carry servers.";
    type View = api::View;

    async fn views(state: &State, _: &Cx, rows: Vec<Model>) -> Result<Vec<api::View>> {
        let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
        let servers = servers(&state.store, &ids).await?;
        let ids: Vec<_> = rows.iter().map(|row| row.account_id).collect();
        let accounts = state
            .store
            .all(account::Entity::find().filter(account::Column::Id.is_in(ids)))
            .await?;
        let accounts: HashMap<_, _> = accounts.into_iter().map(|row| (row.id, row.name)).collect();
        let zones = state.store.all(zone::Entity::find()).await?;
        let zones: HashMap<_, _> = zones.into_iter().map(|row| (row.id, row.name)).collect();
        Ok(rows
            .into_iter()
            .map(|row| api::View {
                servers: servers.get(&row.id).copied().unwrap_or_default(),
                ..view(row, &accounts, &zones)
            })
            .collect())
    }
}

#[derive(FromQueryResult)]
struct Carried {
    host_id: HostId,
    servers: i64,
}

/// How many servers each of these hosts carries; those without any are left out.
async fn servers(store: &Store, ids: &[HostId]) -> Result<HashMap<HostId, i64>> {
    use server::Column::{HostId as Host, Id, State};
    let select = server::Entity::find()
        .select_only()
        .column(Host)
        .column_as(Id.count(), "servers")
        .filter(Host.is_in(ids.iter().copied()))
        .filter(State.ne(states::Server::Deleted))
        .group_by(Host);
    let rows = store.rows(select.into_model::<Carried>()).await?;
    Ok(rows.into_iter().map(|row| (row.host_id, row.servers)).collect())
}

fn view(row: Model, accounts: &HashMap<AccountId, String>, zones: &HashMap<ZoneId, String>) -> api::View {
    api::View {
        id: row.id,
        name: row.name,
        state: row.state,
        intent: row.intent,
        servers: 0,
        faults: row.faults.0,
        seen_at: row.seen_at,
        account: accounts.get(&row.account_id).cloned().unwrap_or_default(),
        account_id: row.account_id,
        zone: zones.get(&row.zone_id).cloned().unwrap_or_default(),
        architecture: row.architecture,
        hypervisor: row.hypervisor,
        vcpus: row.vcpus,
        vcpus_used: row.vcpus_used,
        memory: row.memory,
        memory_used: row.memory_used,
        cpu_overcommit: row.cpu_overcommit,
        memory_overcommit: row.memory_overcommit,
        tags: row.tags.0,
        created_at: row.created_at,
        updated_at: row.updated_at,
        version: row.version,
    }
}

impl web::Update<State> for Entity {
    type Input = api::Update;

    async fn update(_: &State, _: &Cx, tx: &mut Tx, found: Found<Self>, input: api::Update) -> Result<Model> {
        for (name, ratio) in [
            ("cpu_overcommit", input.cpu_overcommit),
            ("memory_overcommit", input.memory_overcommit),
        ] {
            if ratio.is_some_and(|ratio| !(100..=100_000).contains(&ratio)) {
                return Err(Error::invalid(format!(
                    "{name} is in thousandths: from 100 (a tenth) to 100000 (a hundredfold)"
                )));
            }
        }
        tx.wake(INVENTORY);
        swap::<Self>(tx, found.id, found.version, |mut update| {
            if let Some(tags) = input.tags {
                update = update.col_expr(Column::Tags, Expr::value(Json(tags)));
            }
            if let Some(ratio) = input.cpu_overcommit {
                update = update.col_expr(Column::CpuOvercommit, Expr::value(ratio));
            }
            if let Some(ratio) = input.memory_overcommit {
                update = update.col_expr(Column::MemoryOvercommit, Expr::value(ratio));
            }
            update
        })
        .await
    }
}

impl web::Delete<State> for Entity {
    async fn ready(state: &State, cx: &Cx, found: &Found<Self>) -> Result<()> {
        delete::ready(state, cx, found).await
    }

    async fn delete(_: &State, _: &Cx, tx: &mut Tx, found: Found<Self>) -> Result<Made<Self>> {
        delete::delete(tx, found.id).await
    }
}
