//! `GET /claims/check` and `POST /claims/repair`: whether what is in use is the sum of the claims.

use axum::{Json, extract::State as Shared};
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QuerySelect, sea_query::Expr};
use serde::Serialize;
use store::{Store, Tx};
use types::{Result, Timestamp, api::Items};
use utoipa::ToSchema;
use web::{Caller, Problem};

use crate::{
    State, caller,
    inventory::{
        self,
        rows::{host, storage},
    },
};

/// One column that is not the sum of its claims.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ClaimDifference)]
pub struct Difference {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage: Option<String>,
    pub name: String,
    /// `vcpus_used`, `memory_used` or `claimed`.
    pub column: &'static str,
    pub stored: i64,
    pub summed: i64,
}

/// The answer of a repair, in words for the API document.
#[derive(ToSchema)]
#[schema(as = ClaimDifferences)]
#[allow(dead_code, reason = "describes `Items<Difference>`")]
pub struct Differences {
    pub items: Vec<Difference>,
}

pub async fn check(Shared(state): Shared<State>, Caller(cx): Caller) -> Result<Json<Items<Difference>>, Problem> {
    caller::allowed(&cx, "list")?;
    let items = differences(&state.store).await?;
    Ok(Json(Items { items, next: None }))
}

pub async fn repair(Shared(state): Shared<State>, Caller(cx): Caller) -> Result<Json<Items<Difference>>, Problem> {
    caller::allowed(&cx, "update")?;
    let items = differences(&state.store).await?;
    let mut tx = state.store.begin().await?;
    for difference in &items {
        tracing::warn!(?difference, "what is in use was not the sum of its claims");
        set(&tx, difference).await?;
    }
    tx.wake(inventory::CHANNEL);
    tx.commit().await?;
    Ok(Json(Items { items, next: None }))
}

/// A row with its sums, read by one statement so that both are of the same moment.
#[derive(FromQueryResult)]
struct Sums {
    id: String,
    name: String,
    vcpus_used: i64,
    memory_used: i64,
    vcpus: i64,
    memory: i64,
}

#[derive(FromQueryResult)]
struct Sum {
    id: String,
    name: String,
    claimed: i64,
    disk: i64,
}

const VCPUS: &str = "(SELECT CAST(COALESCE(SUM(c.vcpus), 0) AS BIGINT) FROM claim c WHERE c.host_id = host.id)";
const MEMORY: &str = "(SELECT CAST(COALESCE(SUM(c.memory), 0) AS BIGINT) FROM claim c WHERE c.host_id = host.id)";
const DISK: &str = "(SELECT CAST(COALESCE(SUM(c.disk), 0) AS BIGINT) FROM claim c WHERE c.storage_id = storage.id)";

async fn differences(store: &Store) -> Result<Vec<Difference>> {
    use host::Column::{MemoryUsed, VcpusUsed};
    let hosts = host::Entity::find()
        .select_only()
        .columns([host::Column::Id, host::Column::Name, VcpusUsed, MemoryUsed])
        .expr_as(Expr::cust(VCPUS), "vcpus")
        .expr_as(Expr::cust(MEMORY), "memory");
    let storages = storage::Entity::find()
        .select_only()
        .columns([storage::Column::Id, storage::Column::Name, storage::Column::Claimed])
        .expr_as(Expr::cust(DISK), "disk");
    let hosts = store.rows(hosts.into_model::<Sums>()).await?;
    let storages = store.rows(storages.into_model::<Sum>()).await?;
    let hosts = hosts.into_iter().flat_map(|row| {
        [
            ("vcpus_used", row.vcpus_used, row.vcpus),
            ("memory_used", row.memory_used, row.memory),
        ]
        .map(|(column, stored, summed)| Difference {
            host: Some(row.id.clone()),
            storage: None,
            name: row.name.clone(),
            column,
            stored,
            summed,
        })
    });
    let storages = storages.into_iter().map(|row| Difference {
        host: None,
        storage: Some(row.id),
        name: row.name,
        column: "claimed",
        stored: row.claimed,
        summed: row.disk,
    });
    Ok(hosts.chain(storages).filter(|d| d.stored != d.summed).collect())
}

/// The row is locked before its claims are added up: whoever changes claims changes the row after them.
async fn set(tx: &Tx, difference: &Difference) -> Result<()> {
    let now = Expr::value(Timestamp::now());
    if let Some(id) = &difference.host {
        tx.lock(host::Entity::find_by_id(id)).await?;
        let update = host::Entity::update_many()
            .col_expr(host::Column::VcpusUsed, Expr::cust(VCPUS))
            .col_expr(host::Column::MemoryUsed, Expr::cust(MEMORY))
            .col_expr(host::Column::UpdatedAt, now)
            .filter(host::Column::Id.eq(id.as_str()));
        tx.update(update).await?;
    } else if let Some(id) = &difference.storage {
        tx.lock(storage::Entity::find_by_id(id)).await?;
        let update = storage::Entity::update_many()
            .col_expr(storage::Column::Claimed, Expr::cust(DISK))
            .col_expr(storage::Column::UpdatedAt, now)
            .filter(storage::Column::Id.eq(id.as_str()));
        tx.update(update).await?;
    }
    Ok(())
}
