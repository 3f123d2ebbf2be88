//! Creating, changing and deleting: one transaction with everything that follows from it.

use axum::{
    Extension,
    extract::{Path, State as FromState},
};
use sea_orm::{ActiveModelTrait, ColumnTrait, IntoActiveModel, QueryFilter};
use serde_json::{Value, json};
use store::{Event, Tx, row::column};
use types::{Error, Result};

use super::{Change, Resource, covers, read};
use crate::{
    State,
    answer::{Answer, created, done, ok},
    attributes::Body,
    caller::{Caller, refused},
    front::Origin,
    revocation::CHANNEL,
};

pub async fn create<E: Resource>(
    FromState(state): FromState<State>,
    Extension(origin): Extension<Origin>,
    caller: Caller,
    body: Body,
) -> Answer {
    let reach = caller.reach(E::NOUN, "create")?;
    let mut attributes = body.open(E::NOUN)?;
    E::prepare(&state, &mut attributes).await?;
    let mut row = E::blank(&caller, state.now());
    E::apply(&mut row, &mut attributes, Change::Create)?;
    if !covers::<E>(&reach, &row) {
        return Err(Error::denied(format!("you may create a {} only in your own domain", E::NOUN)).into());
    }
    let mut tx = state.store().begin().await?;
    E::storing(&mut tx, &caller, None, &mut row).await?;
    let fresh = row.clone().into_active_model().reset_all();
    let row = tx.insert(fresh).await.map_err(|e| taken::<E>(e, &row))?;
    event::<E>(&mut tx, &caller, &row, "created").await?;
    finish(&state, tx).await?;
    Ok(created(json!({ E::NOUN: read::entity::<E>(&row, &origin) })))
}

pub async fn update<E: Resource>(
    FromState(state): FromState<State>,
    Extension(origin): Extension<Origin>,
    caller: Caller,
    Path(id): Path<String>,
    body: Body,
) -> Answer {
    let before = read::find::<E>(&state, &caller, &id).await?;
    if !covers::<E>(&caller.cx.reach(E::NOUN, "update"), &before) {
        return Err(refused(E::NOUN, "update").into());
    }
    let mut attributes = body.open(E::NOUN)?;
    E::prepare(&state, &mut attributes).await?;
    let mut tx = state.store().begin().await?;
    let Some(before) = tx.lock(read::by_id::<E>(&id)?).await? else {
        return Err(Error::not_found(E::NOUN, &id).into());
    };
    let mut row = before.clone();
    E::apply(&mut row, &mut attributes, Change::Update)?;
    E::storing(&mut tx, &caller, Some(&before), &mut row).await?;
    replace::<E>(&tx, &row).await?;
    event::<E>(&mut tx, &caller, &row, "updated").await?;
    finish(&state, tx).await?;
    Ok(ok(json!({ E::NOUN: read::entity::<E>(&row, &origin) })))
}

pub async fn delete<E: Resource>(FromState(state): FromState<State>, caller: Caller, Path(id): Path<String>) -> Answer {
    let row = read::find::<E>(&state, &caller, &id).await?;
    if !covers::<E>(&caller.cx.reach(E::NOUN, "delete"), &row) {
        return Err(refused(E::NOUN, "delete").into());
    }
    let mut tx = state.store().begin().await?;
    let Some(row) = tx.lock(read::by_id::<E>(&id)?).await? else {
        return Err(Error::not_found(E::NOUN, &id).into());
    };
    E::deleting(&mut tx, &caller, &row).await?;
    let column = column::<E>("id").ok_or_else(|| Error::broken("this table has no id"))?;
    tx.delete(E::delete_many().filter(column.eq(id.as_str()))).await?;
    event::<E>(&mut tx, &caller, &row, "deleted").await?;
    finish(&state, tx).await?;
    Ok(done())
}

/// Writes the whole row over the stored one.
pub async fn replace<E: Resource>(tx: &Tx, row: &E::Model) -> Result<()> {
    let column = column::<E>("id").ok_or_else(|| Error::broken("this table has no id"))?;
    let changed = row.clone().into_active_model().reset_all();
    let update = E::update_many().set(changed).filter(column.eq(E::id(row)));
    tx.update(update).await.map(drop).map_err(|e| taken::<E>(e, row))
}

/// Commits, and makes this process see what was revoked before the answer leaves.
pub async fn finish(state: &State, mut tx: Tx) -> Result<()> {
    tx.wake(CHANNEL);
    tx.commit().await?;
    state.verifier().refresh().await
}

pub async fn event<E: Resource>(tx: &mut Tx, caller: &Caller, row: &E::Model, what: &str) -> Result<()> {
    let event = Event {
        kind: format!("{}.{what}", E::NOUN),
        id: E::id(row),
        name: E::name(row),
        owner: None,
        data: Value::Null,
    };
    tx.event(&caller.cx, event).await
}

fn taken<E: Resource>(error: Error, row: &E::Model) -> Error {
    match error.code.as_str() {
        "name_taken" => {
            Error::conflict(format!("a {} called `{}` exists already", E::NOUN, E::name(row))).code("name_taken")
        }
        _ => error,
    }
}
