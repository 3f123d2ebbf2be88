//! `POST /claims/resize`: more or less of the same host or storage, atomically; only what grows needs room.

use axum::{Json, extract::State as Shared};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, sea_query::Expr};
use serde::{Deserialize, Serialize};
use store::{Store, Tx};
use types::{Error, Kind, Result, Size};
use utoipa::ToSchema;
use web::{Caller, Input, Problem};

use super::{Column, Entity, Model, View, book, commit::bytes};
use crate::{
    State, caller, inventory,
    inventory::rows::{host, storage},
};

/// The amounts a consumer shall hold; what is absent stays.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ClaimResize)]
pub struct Resize {
    pub consumer: String,
    /// The same token again changes nothing.
    pub token: String,
    #[serde(default)]
    pub vcpus: Option<u32>,
    #[serde(default)]
    pub memory: Option<Size>,
    /// For a consumer with one disk.
    #[serde(default)]
    pub disk: Option<Size>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ClaimResized)]
pub struct Resized {
    pub claims: Vec<View>,
}

pub async fn resize(
    Shared(state): Shared<State>,
    Caller(cx): Caller,
    Input(wanted): Input<Resize>,
) -> Result<Json<Resized>, Problem> {
    caller::allowed(&cx, "update")?;
    Ok(Json(change(&state.store, &wanted).await?))
}

async fn change(store: &Store, wanted: &Resize) -> Result<Resized> {
    let mut tx = store.begin().await?;
    let mut claims = Vec::new();
    let mine = Entity::find().filter(Column::Consumer.eq(wanted.consumer.as_str()));
    for row in tx.all(mine.order_by_asc(Column::Id)).await? {
        claims.extend(tx.lock(Entity::find_by_id(row.id)).await?);
    }
    if claims.is_empty() {
        return Err(Error::not_found("claim", &wanted.consumer));
    }
    if wanted.vcpus.is_some() || wanted.memory.is_some() {
        let head = only(&mut claims, &wanted.consumer, "host", |row| row.storage_id.is_none())?;
        let vcpus = wanted.vcpus.map_or(head.vcpus, i64::from);
        let memory = wanted.memory.map_or(head.memory, bytes);
        on_host(&tx, head, vcpus, memory, &wanted.token).await?;
    }
    if let Some(disk) = wanted.disk {
        let row = only(&mut claims, &wanted.consumer, "disk", |row| row.storage_id.is_some())?;
        on_storage(&tx, row, bytes(disk), &wanted.token).await?;
    }
    tx.wake(inventory::CHANNEL);
    tx.commit().await?;
    Ok(Resized {
        claims: claims.into_iter().map(View::from).collect(),
    })
}

fn only<'a>(
    claims: &'a mut [Model],
    consumer: &str,
    what: &str,
    is_it: impl Fn(&Model) -> bool,
) -> Result<&'a mut Model> {
    let mut these = claims.iter_mut().filter(|row| is_it(row));
    match (these.next(), these.next()) {
        (Some(row), None) => Ok(row),
        (None, _) => Err(Error::not_found("claim", format!("{what} of {consumer}"))),
        _ => Err(Error::conflict(format!("{consumer} holds more than one claim of a {what}")).code("claim_ambiguous")),
    }
}

async fn on_host(tx: &Tx, row: &mut Model, vcpus: i64, memory: i64, token: &str) -> Result<()> {
    if row.resized_by.as_deref() == Some(token) {
        return Ok(());
    }
    let more = (vcpus - row.vcpus, memory - row.memory);
    if !book::grow_host(tx, &row.host_id, more.0, more.1).await? {
        return Err(host_is_full(tx, &row.host_id, more).await?);
    }
    (row.vcpus, row.memory) = (vcpus, memory);
    save(tx, row, token).await
}

async fn on_storage(tx: &Tx, row: &mut Model, disk: i64, token: &str) -> Result<()> {
    let Some(storage) = row.storage_id.clone() else {
        return Ok(());
    };
    if row.resized_by.as_deref() == Some(token) {
        return Ok(());
    }
    if !book::grow_storage(tx, &storage, disk - row.disk).await? {
        return Err(storage_is_full(tx, &storage, disk - row.disk).await?);
    }
    row.disk = disk;
    save(tx, row, token).await
}

async fn save(tx: &Tx, row: &mut Model, token: &str) -> Result<()> {
    row.resized_by = Some(token.to_owned());
    let update = Entity::update_many()
        .col_expr(Column::Vcpus, Expr::value(row.vcpus))
        .col_expr(Column::Memory, Expr::value(row.memory))
        .col_expr(Column::Disk, Expr::value(row.disk))
        .col_expr(Column::ResizedBy, Expr::value(token))
        .filter(Column::Id.eq(row.id.as_str()));
    tx.update(update).await.map(drop)
}

async fn host_is_full(tx: &Tx, id: &str, (vcpus, memory): (i64, i64)) -> Result<Error> {
    let Some(host) = tx.one(host::Entity::find_by_id(id)).await? else {
        return Ok(Error::not_found("host", id));
    };
    let free = host.vcpus * host.cpu_overcommit / 1000 - host.vcpus_used;
    let room = (host.memory - host.memory_reserved) * host.memory_overcommit / 1000 - host.memory_used;
    let mut lacks = Vec::new();
    if vcpus > free {
        lacks.push(format!("needs {vcpus} more vcpus and has {} free", free.max(0)));
    }
    if memory > room {
        lacks.push(format!(
            "needs {} more memory and has {} free",
            size(memory),
            size(room)
        ));
    }
    Ok(full(format!(
        "host {} has no room for this size: it {}",
        host.name,
        lacks.join("; it ")
    ))
    .on("host", id))
}

async fn storage_is_full(tx: &Tx, id: &str, disk: i64) -> Result<Error> {
    let Some(storage) = tx.one(storage::Entity::find_by_id(id)).await? else {
        return Ok(Error::not_found("storage", id));
    };
    let (needs, has) = (size(disk), size(storage.capacity - storage.claimed));
    let text = format!(
        "storage {} has no room for this size: it needs {needs} more and has {has} free",
        storage.name
    );
    Ok(full(text).on("storage", id))
}

fn full(text: String) -> Error {
    Error::new(Kind::Capacity, text).code("no_room")
}

fn size(bytes: i64) -> Size {
    Size::bytes(bytes.max(0).unsigned_abs())
}
