//! What users ask about themselves, and administrators about them: groups, projects, a new password.

use axum::{
    Extension,
    extract::{Path, State as FromState},
};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use types::{Error, Kind, Timestamp};

use crate::{
    State,
    answer::{Answer, done, ok},
    assignment,
    attributes::Body,
    caller::Caller,
    front::Origin,
    group, project,
    query::{Parameters, Query},
    resource::{collection, event, find, finish, replace},
    revocation,
    user::{self, Entity},
};

/// The old password is asked for again: a stolen token is not enough to keep an account.
pub async fn change_password(
    FromState(state): FromState<State>,
    caller: Caller,
    Path(id): Path<String>,
    body: Body,
) -> Answer {
    if !caller.is(&id) {
        return Err(Error::denied("you may change only your own password this way").into());
    }
    let mut attributes = body.open("user")?;
    let old = attributes.text("original_password")?.flatten();
    let new = attributes.text("password")?.flatten();
    let (Some(old), Some(new)) = (old, new) else {
        return Err(Error::invalid("`original_password` and `password` of the user must be given").into());
    };
    let before = find::<Entity>(&state, &caller, &id).await?;
    if !state.hasher().check(old, before.password_hash.clone()).await? {
        return Err(Error::new(Kind::Unauthenticated, "the original password is wrong")
            .code("login_failed")
            .into());
    }
    let hash = state.hasher().hash(new).await?;
    let mut tx = state.store().begin().await?;
    let row = tx.lock(Entity::find_by_id(before.id.clone())).await?;
    // Whoever changed it meanwhile has ended the token this request came with.
    let Some(mut row) = row.filter(|row| row.password_hash == before.password_hash) else {
        return Err(Error::conflict("the password was changed by somebody else at the same time").into());
    };
    row.password_hash = Some(hash);
    row.password_at = Some(Timestamp::now());
    revocation::raise(&mut tx, &mut row, Timestamp::now()).await?;
    replace::<Entity>(&tx, &row).await?;
    event::<Entity>(&mut tx, &caller, &row, "password-changed").await?;
    finish(&state, tx).await?;
    Ok(done())
}

pub async fn groups(
    FromState(state): FromState<State>,
    Extension(origin): Extension<Origin>,
    caller: Caller,
    Path(id): Path<String>,
    parameters: Parameters,
) -> Answer {
    let user = find::<Entity>(&state, &caller, &id).await?;
    let ids = group::of_user(state.store(), user.id.as_str()).await?;
    let select = group::Entity::find().filter(group::Column::Id.is_in(ids));
    let path = format!("/users/{id}/groups");
    Ok(ok(collection::<group::Entity>(
        &state,
        &origin,
        select,
        &Query::new(parameters),
        &path,
    )
    .await?))
}

/// The projects a user has a role on, directly or by a group.
pub async fn projects(
    FromState(state): FromState<State>,
    Extension(origin): Extension<Origin>,
    caller: Caller,
    Path(id): Path<String>,
    parameters: Parameters,
) -> Answer {
    let user: user::Model = find::<Entity>(&state, &caller, &id).await?;
    let ids = assignment::targets(state.store(), user.id.as_str(), "project").await?;
    let select = project::Entity::find().filter(project::Column::Id.is_in(ids));
    let path = format!("/users/{id}/projects");
    Ok(ok(collection::<project::Entity>(
        &state,
        &origin,
        select,
        &Query::new(parameters),
        &path,
    )
    .await?))
}
