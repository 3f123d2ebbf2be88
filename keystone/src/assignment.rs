//! Assignments: which user or group has which role on which project, domain, or the whole system.

mod grant;
mod list;
mod names;

use std::collections::{BTreeMap, BTreeSet};

use axum::Router;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, entity::prelude::*};
use store::{Store, Tx};
use types::{Error, Result, RoleId, Timestamp};

use crate::{State, caller::Caller, group, revocation, role};

/// The only target of kind `system`.
pub const ALL: &str = "all";

#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "keystone_assignment")]
pub struct Model {
    /// `user` or `group`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub actor_kind: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub actor_id: String,
    /// `project`, `domain` or `system`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub target_kind: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub target_id: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub role_id: RoleId,
}

impl ActiveModelBehavior for ActiveModel {}

pub fn routes() -> Router<State> {
    grant::routes().merge(list::routes())
}

fn of_actor(kind: &str, id: &str) -> Condition {
    Condition::all()
        .add(Column::ActorKind.eq(kind))
        .add(Column::ActorId.eq(id))
}

/// Rows that concern a user, directly or by these groups.
fn concerning(user: &str, groups: Vec<String>) -> Condition {
    let by_group = Condition::all()
        .add(Column::ActorKind.eq("group"))
        .add(Column::ActorId.is_in(groups));
    Condition::any().add(of_actor("user", user)).add(by_group)
}

/// The roles a user has on one target, before implied ones are added.
pub async fn roles(store: &Store, user: &str, target_kind: &str, target_id: &str) -> Result<BTreeSet<RoleId>> {
    let groups = group::of_user(store, user).await?;
    let select = Entity::find()
        .filter(concerning(user, groups))
        .filter(Column::TargetKind.eq(target_kind))
        .filter(Column::TargetId.eq(target_id));
    Ok(store.all(select).await?.into_iter().map(|row| row.role_id).collect())
}

/// Everything of one kind that a user has any role on.
pub async fn targets(store: &Store, user: &str, target_kind: &str) -> Result<BTreeSet<String>> {
    let groups = group::of_user(store, user).await?;
    let select = Entity::find()
        .filter(concerning(user, groups))
        .filter(Column::TargetKind.eq(target_kind));
    Ok(store.all(select).await?.into_iter().map(|row| row.target_id).collect())
}

/// Refuses to touch a user or group that holds more than the caller does: nobody rises by changing somebody else.
pub async fn guard(tx: &Tx, caller: &Caller, kind: &str, id: &str) -> Result<()> {
    if caller.is_admin() {
        return Ok(());
    }
    let mut groups = Vec::new();
    if kind == "user" {
        let inside = group::member::Entity::find().filter(group::member::Column::UserId.eq(id));
        groups = tx
            .all(inside)
            .await?
            .into_iter()
            .map(|row| row.group_id.to_string())
            .collect();
    }
    let of_groups = Condition::all()
        .add(Column::ActorKind.eq("group"))
        .add(Column::ActorId.is_in(groups));
    let rows = tx
        .all(Entity::find().filter(Condition::any().add(of_actor(kind, id)).add(of_groups)))
        .await?;
    let known: BTreeMap<RoleId, String> = tx
        .all(role::Entity::find())
        .await?
        .into_iter()
        .map(|role| (role.id, role.name))
        .collect();
    let beyond = |row: &Model| {
        let name = known.get(&row.role_id).map_or("", String::as_str);
        row.target_kind == "system" || !caller.claims.roles.iter().any(|held| held == name)
    };
    match rows.iter().any(beyond) {
        true => Err(Error::denied(format!(
            "this {kind} holds roles that you do not: ask an administrator"
        ))),
        false => Ok(()),
    }
}

/// Takes all roles from an actor that is being deleted.
pub async fn forget_actor(tx: &Tx, kind: &str, id: &str) -> Result<()> {
    tx.delete(Entity::delete_many().filter(of_actor(kind, id)))
        .await
        .map(drop)
}

/// Takes all roles from a group and ends its members' tokens.
pub async fn forget_group(tx: &mut Tx, id: &str, now: Timestamp) -> Result<()> {
    let users = group::member::users(tx, id).await?;
    revocation::users(tx, &users, now).await?;
    forget_actor(tx, "group", id).await
}

/// Takes all roles on a target that is being deleted. Its tokens are ended by a revocation of the target itself.
pub async fn forget_target(tx: &Tx, kind: &str, id: &str) -> Result<()> {
    let all = Entity::delete_many()
        .filter(Column::TargetKind.eq(kind))
        .filter(Column::TargetId.eq(id));
    tx.delete(all).await.map(drop)
}

/// Ends the tokens of everybody who holds this role anywhere.
pub async fn end_holders(tx: &mut Tx, role: &role::Model, now: Timestamp) -> Result<()> {
    let rows = tx
        .all(Entity::find().filter(Column::RoleId.eq(role.id.as_str())))
        .await?;
    let mut users = BTreeSet::new();
    for row in rows {
        match row.actor_kind.as_str() {
            "user" => _ = users.insert(row.actor_id),
            _ => users.extend(group::member::users(tx, &row.actor_id).await?),
        }
    }
    let users: Vec<String> = users.into_iter().collect();
    revocation::users(tx, &users, now).await
}
