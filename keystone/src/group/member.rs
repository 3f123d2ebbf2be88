//! Who is in a group. Leaving one ends the user's tokens: the roles it gave are in them.

use axum::{
    Extension,
    extract::{Path, State as FromState},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QuerySelect, QueryTrait, entity::prelude::*,
    sea_query::OnConflict,
};
use store::Tx;
use types::{Error, GroupId, Result, Timestamp, UserId};

use crate::{
    State,
    answer::{Answer, done, ok},
    assignment,
    caller::{Caller, refused},
    front::Origin,
    group,
    query::{Parameters, Query},
    resource::{collection, covers, event, find, finish},
    revocation, user,
};

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "keystone_member")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub group_id: GroupId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
}

impl ActiveModelBehavior for ActiveModel {}

/// The users of a group.
pub async fn users(tx: &Tx, group: &str) -> Result<Vec<String>> {
    let rows = tx.all(Entity::find().filter(Column::GroupId.eq(group))).await?;
    Ok(rows.into_iter().map(|row| row.user_id.to_string()).collect())
}

pub async fn list(
    FromState(state): FromState<State>,
    Extension(origin): Extension<Origin>,
    caller: Caller,
    Path(id): Path<String>,
    parameters: Parameters,
) -> Answer {
    let group = find::<group::Entity>(&state, &caller, &id).await?;
    // A subquery, not a list of ids: groups may be larger than a statement may have values.
    let inside = Entity::find()
        .select_only()
        .column(Column::UserId)
        .filter(Column::GroupId.eq(group.id.as_str()));
    let select = user::Entity::find().filter(user::Column::Id.in_subquery(inside.into_query()));
    let path = format!("/groups/{id}/users");
    Ok(ok(collection::<user::Entity>(
        &state,
        &origin,
        select,
        &Query::new(parameters),
        &path,
    )
    .await?))
}

pub async fn check(
    FromState(state): FromState<State>,
    caller: Caller,
    Path((group, user)): Path<(String, String)>,
) -> Answer {
    let group = find::<group::Entity>(&state, &caller, &group).await?;
    let select = Entity::find()
        .filter(Column::GroupId.eq(group.id.as_str()))
        .filter(Column::UserId.eq(user.as_str()));
    match state.store().one(select).await? {
        Some(_) => Ok(done()),
        None => Err(Error::not_found("user", &user)
            .wrap(format!("that user is not in group `{}`", group.name))
            .into()),
    }
}

pub async fn add(FromState(state): FromState<State>, caller: Caller, Path(pair): Path<(String, String)>) -> Answer {
    let (group, user) = both(&state, &caller, &pair, "add-user").await?;
    let mut tx = state.store().begin().await?;
    assignment::guard(&tx, &caller, "group", group.id.as_str()).await?;
    let row = ActiveModel {
        group_id: Set(group.id.clone()),
        user_id: Set(user.id.clone()),
    };
    let once = OnConflict::columns([Column::GroupId, Column::UserId])
        .do_nothing()
        .to_owned();
    tx.execute(Entity::insert(row).on_conflict(once).as_query()).await?;
    event::<group::Entity>(&mut tx, &caller, &group, "user-added").await?;
    finish(&state, tx).await?;
    Ok(done())
}

pub async fn remove(FromState(state): FromState<State>, caller: Caller, Path(pair): Path<(String, String)>) -> Answer {
    let (group, user) = both(&state, &caller, &pair, "remove-user").await?;
    let mut tx = state.store().begin().await?;
    assignment::guard(&tx, &caller, "group", group.id.as_str()).await?;
    let inside = Entity::delete_many()
        .filter(Column::GroupId.eq(group.id.as_str()))
        .filter(Column::UserId.eq(user.id.as_str()));
    if tx.delete(inside).await? == 0 {
        return Err(Error::not_found("user", &pair.1).into());
    }
    revocation::users(&mut tx, &[user.id.to_string()], Timestamp::now()).await?;
    event::<group::Entity>(&mut tx, &caller, &group, "user-removed").await?;
    finish(&state, tx).await?;
    Ok(done())
}

async fn both(
    state: &State,
    caller: &Caller,
    (group, user): &(String, String),
    verb: &str,
) -> Result<(group::Model, user::Model)> {
    let group = find::<group::Entity>(state, caller, group).await?;
    let user = find::<user::Entity>(state, caller, user).await?;
    let reach = caller.reach("group", verb)?;
    match covers::<group::Entity>(&reach, &group) && covers::<user::Entity>(&reach, &user) {
        true => Ok((group, user)),
        false => Err(refused("group", verb)),
    }
}
