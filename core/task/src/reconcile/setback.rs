//! What could not be looked at, and until when it is left alone. In the database, so that who takes over knows it too.

use std::collections::HashMap;

use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryTrait, sea_query::OnConflict};
use types::{Error, Json, Result, Timestamp};

use super::{ReconcileCx, each::Resource};
use crate::{
    engine::retry::backoff,
    row::setback::{ActiveModel, Column, Entity, Model},
};

/// By resource.
pub(super) async fn all(cx: &ReconcileCx) -> Result<HashMap<String, Model>> {
    let rows = cx.store.all(Entity::find().filter(Column::Reconciler.eq(cx.name)));
    Ok(rows.await?.into_iter().map(|row| (row.resource.clone(), row)).collect())
}

/// Whether it is left alone now.
pub(super) fn holds<T>(row: &Model, resource: &Resource<T>) -> bool {
    row.generation == resource.generation && row.due_at > Timestamp::now()
}

/// Leaves it alone, for longer with every failure in a row; `before` is what is known of the failures until now.
pub(super) async fn failed<T>(
    cx: &ReconcileCx,
    resource: &Resource<T>,
    before: Option<Model>,
    error: Error,
) -> Result<()> {
    let before = before.filter(|row| row.generation == resource.generation);
    let failures = before.as_ref().map_or(0, |row| row.failures);
    let wait = backoff(&cx.settings, failures).max(error.retry_after.unwrap_or_default());
    let row = ActiveModel {
        reconciler: Set(cx.name.to_owned()),
        resource: Set(resource.id.clone()),
        name: Set(resource.name.clone()),
        generation: Set(resource.generation),
        failures: Set(failures + 1),
        error: Set(Json(error)),
        since: Set(before.map_or_else(Timestamp::now, |row| row.since)),
        due_at: Set(Timestamp::now() + wait),
    };
    let others = [
        Column::Name,
        Column::Generation,
        Column::Failures,
        Column::Error,
        Column::Since,
        Column::DueAt,
    ];
    let again = OnConflict::columns([Column::Reconciler, Column::Resource])
        .update_columns(others)
        .to_owned();
    let insert = QueryTrait::query(&mut Entity::insert(row))
        .on_conflict(again)
        .to_owned();
    let tx = cx.store.begin().await?;
    tx.execute(&insert).await?;
    tx.commit().await
}

/// These went well, or are no more.
pub(super) async fn forget(cx: &ReconcileCx, resources: Vec<String>) -> Result<()> {
    if resources.is_empty() {
        return Ok(());
    }
    let rows = Entity::delete_many()
        .filter(Column::Reconciler.eq(cx.name))
        .filter(Column::Resource.is_in(resources));
    let tx = cx.store.begin().await?;
    tx.delete(rows).await?;
    tx.commit().await
}
