//! Changing one row: a compare-and-swap on its version, or an unconditional change by the task that holds it.

use store::{
    Row, Tx,
    row::column,
    sea_orm::{
        ColumnTrait, QueryFilter, UpdateMany,
        sea_query::{Expr, ExprTrait},
    },
};
use types::{Error, Result, Timestamp};

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
