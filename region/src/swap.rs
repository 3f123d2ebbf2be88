//! Changing one row: a compare-and-swap on its version, or an unconditional change by the task that holds it.

use store::{
    Row, Tx,
    row::column,
    sea_orm::{
        ColumnTrait, QueryFilter, UpdateMany,
        sea_query::{Expr, ExprTrait},
    },
};
use types::{
    Error, Json, Result, Timestamp,
    api::{Tags, check_name, check_tags},
};

use crate::flavor::taken;

/// Changes the row if it is still at `version`; `Conflict` when somebody was faster.
pub async fn swap<E: Row>(
    tx: &Tx,
    id: impl ToString,
    version: i64,
    change: impl FnOnce(UpdateMany<E>) -> UpdateMany<E>,
) -> Result<E::Model> {
    let id = id.to_string();
    let update = change(touched::<E>(&id)?).filter(named::<E>("version")?.eq(version));
    if tx.update(update).await? == 0 {
        return Err(Error::conflict(format!(
            "{} `{id}` was changed by somebody else in the meantime: look again",
            E::NOUN
        ))
        .code("version_mismatch")
        .on(E::NOUN, &id));
    }
    current::<E>(tx, &id).await
}

/// Changes the name, the tags or both, as a caller sent them.
pub async fn relabel<E: Row>(
    tx: &Tx,
    id: impl ToString,
    version: i64,
    name: Option<String>,
    tags: Option<Tags>,
) -> Result<E::Model> {
    let mut changes = Vec::new();
    if let Some(name) = &name {
        check_name(E::NOUN, name)?;
        changes.push((named::<E>("name")?, Expr::value(name.as_str())));
    }
    if let Some(tags) = tags {
        check_tags(&tags)?;
        changes.push((named::<E>("tags")?, Expr::value(Json(tags))));
    }
    let changed = swap::<E>(tx, id, version, |update| {
        changes
            .into_iter()
            .fold(update, |update, (column, value)| update.col_expr(column, value))
    });
    changed
        .await
        .map_err(|e| taken(e, E::NOUN, name.as_deref().unwrap_or_default()))
}

/// Changes the row whatever its version: for whoever holds it.
pub async fn set<E: Row>(
    tx: &Tx,
    id: impl ToString,
    change: impl FnOnce(UpdateMany<E>) -> UpdateMany<E>,
) -> Result<E::Model> {
    let id = id.to_string();
    tx.update(change(touched::<E>(&id)?)).await?;
    current::<E>(tx, &id).await
}

/// The row as the transaction sees it.
pub async fn current<E: Row>(tx: &Tx, id: impl ToString) -> Result<E::Model> {
    let id = id.to_string();
    let row = tx.one(E::find().filter(named::<E>("id")?.eq(&id))).await?;
    row.ok_or_else(|| Error::not_found(E::NOUN, id))
}

fn touched<E: Row>(id: &str) -> Result<UpdateMany<E>> {
    let version = named::<E>("version")?;
    Ok(E::update_many()
        .col_expr(version, Expr::col(version).add(1))
        .col_expr(named::<E>("updated_at")?, Expr::value(Timestamp::now()))
        .filter(named::<E>("id")?.eq(id)))
}

fn named<E: Row>(name: &str) -> Result<E::Column> {
    column::<E>(name).ok_or_else(|| Error::broken(format!("{} has no column {name}", E::NOUN)))
}
