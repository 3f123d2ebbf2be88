//! `DELETE /claims`: gives back what a consumer or an ask holds, exactly once however often it is called.

use axum::{
    extract::{RawQuery, State as Shared},
    http::StatusCode,
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use store::{Store, Tx};
use types::{Error, Result};
use web::{Caller, Problem, query};

use super::{
    Column, Entity, Model,
    book::{self, Sums},
    group,
};
use crate::{State, caller, inventory};

/// Which claims to release.
enum Whose {
    Consumer(String),
    Token(String),
}

pub async fn release(
    Shared(state): Shared<State>,
    Caller(cx): Caller,
    RawQuery(raw): RawQuery,
) -> Result<StatusCode, Problem> {
    caller::allowed(&cx, "delete")?;
    free(&state.store, &parse(raw.as_deref())?).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn parse(raw: Option<&str>) -> Result<Whose> {
    let mut pairs = query::pairs(raw).into_iter();
    let whose = match pairs.next() {
        Some((key, value)) if key == "consumer" => Whose::Consumer(value),
        Some((key, value)) if key == "token" => Whose::Token(value),
        Some((key, _)) => return Err(query::unknown(&key)),
        None => return Err(Error::invalid("name a consumer or a token whose claims to release")),
    };
    match pairs.next() {
        Some(_) => Err(Error::invalid("name either one consumer or one token")),
        None => Ok(whose),
    }
}

async fn free(store: &Store, whose: &Whose) -> Result<()> {
    let select = match whose {
        Whose::Consumer(name) => Entity::find().filter(Column::Consumer.eq(name.as_str())),
        Whose::Token(token) => Entity::find().filter(Column::Token.eq(token.as_str())),
    };
    let mut tx = store.begin().await?;
    let mut freed = Vec::new();
    for row in tx.all(select.order_by_asc(Column::Id)).await? {
        freed.extend(remove(&tx, &row.id).await?);
    }
    if freed.is_empty() {
        return Ok(());
    }
    book::give(&tx, &Sums::of(&freed)).await?;
    tx.wake(inventory::CHANNEL);
    tx.commit().await
}

/// Deletes one claim and returns it as it was last; nothing when another release was faster.
async fn remove(tx: &Tx, id: &str) -> Result<Option<Model>> {
    let Some(row) = tx.lock(Entity::find_by_id(id)).await? else {
        return Ok(None);
    };
    tx.delete(Entity::delete_many().filter(Column::Id.eq(id))).await?;
    tx.delete(group::Entity::delete_many().filter(group::Column::ClaimId.eq(id)))
        .await?;
    Ok(Some(row))
}
