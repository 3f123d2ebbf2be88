//! Giving, taking, checking and listing the roles of one actor on one target.

use std::collections::{BTreeSet, HashMap};

use auth::Reach;
use axum::{
    Extension, Router,
    extract::{Path, State as FromState},
    routing::{MethodRouter, get, put},
};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryTrait, sea_query::OnConflict};
use serde_json::{Value, json};
use store::{Event, Tx};
use types::{DomainId, Error, Result, Timestamp};

use super::{ALL, ActiveModel, Column, Entity, Model};
use crate::{
    State,
    answer::{Answer, done, ok},
    caller::{Caller, refused},
    domain,
    front::Origin,
    group, project,
    resource::{entity, find, finish},
    revocation, role, user,
};

/// Which kinds of things a route is about.
#[derive(Clone, Copy)]
struct Kinds {
    actor: &'static str,
    target: &'static str,
}

type Ids = HashMap<String, String>;

pub fn routes() -> Router<State> {
    let mut router = Router::new();
    for target in ["project", "domain", "system"] {
        for actor in ["user", "group"] {
            let place = match target {
                "system" => "/system".to_owned(),
                _ => format!("/{target}s/{{target}}"),
            };
            let kinds = Extension(Kinds { actor, target });
            let all: MethodRouter<State> = get(list).layer(kinds);
            let one: MethodRouter<State> = put(give).get(check).delete(take).layer(kinds);
            router = router
                .route(&format!("{place}/{actor}s/{{actor}}/roles"), all)
                .route(&format!("{place}/{actor}s/{{actor}}/roles/{{role}}"), one);
        }
    }
    router
}

/// Everything a grant names, looked up within the caller's sight.
struct Grant {
    row: Model,
    role: Option<role::Model>,
}

async fn grant(state: &State, caller: &Caller, kinds: Kinds, ids: &Ids, verb: &str) -> Result<Grant> {
    let reach = caller.reach("role-assignment", verb)?;
    let id = |key: &str| ids.get(key).map_or("", String::as_str);
    let role = match ids.get("role") {
        Some(id) => Some(find::<role::Entity>(state, caller, id).await?),
        None => None,
    };
    let (target_id, target_domain) = target(state, caller, kinds.target, id("target")).await?;
    let (actor_id, actor_domain) = match actor(state, caller, kinds.actor, id("actor")).await {
        // What is gone may still have to be taken away, by somebody who may take anything.
        Err(e) if e.kind == types::Kind::NotFound && verb == "delete" && reach == Reach::Everything => {
            (id("actor").to_owned(), None)
        }
        other => other.map(|(id, domain)| (id, Some(domain)))?,
    };
    let within = |domain: &Option<DomainId>| reach.covers(None, domain.as_ref());
    if !within(&target_domain) || !(within(&actor_domain) || reach == Reach::Everything) {
        return Err(refused("role-assignment", verb));
    }
    let row = Model {
        actor_kind: kinds.actor.to_owned(),
        actor_id,
        target_kind: kinds.target.to_owned(),
        target_id,
        role_id: role.as_ref().map_or_else(types::RoleId::new, |role| role.id.clone()),
    };
    Ok(Grant { row, role })
}

async fn target(state: &State, caller: &Caller, kind: &str, id: &str) -> Result<(String, Option<DomainId>)> {
    Ok(match kind {
        "project" => {
            let project = find::<project::Entity>(state, caller, id).await?;
            (project.id.to_string(), Some(project.domain_id))
        }
        "domain" => {
            let domain = find::<domain::Entity>(state, caller, id).await?;
            (domain.id.to_string(), Some(domain.id))
        }
        _ => (ALL.to_owned(), None),
    })
}

async fn actor(state: &State, caller: &Caller, kind: &str, id: &str) -> Result<(String, DomainId)> {
    Ok(match kind {
        "user" => {
            let user = find::<user::Entity>(state, caller, id).await?;
            (user.id.to_string(), user.domain_id)
        }
        _ => {
            let group = find::<group::Entity>(state, caller, id).await?;
            (group.id.to_string(), group.domain_id)
        }
    })
}

/// Nobody grants or takes what they do not hold.
fn check_power(caller: &Caller, role: Option<&role::Model>) -> Result<()> {
    let name = role.map_or("", |role| role.name.as_str());
    match caller.is_admin() || caller.claims.roles.iter().any(|held| held == name) {
        true => Ok(()),
        false => Err(Error::denied(format!(
            "you do not hold the role `{name}`, so you cannot give or take it"
        ))),
    }
}

async fn give(
    FromState(state): FromState<State>,
    Extension(kinds): Extension<Kinds>,
    caller: Caller,
    Path(ids): Path<Ids>,
) -> Answer {
    let Grant { row, role } = grant(&state, &caller, kinds, &ids, "create").await?;
    check_power(&caller, role.as_ref())?;
    let mut tx = state.store().begin().await?;
    let once = OnConflict::columns([
        Column::ActorKind,
        Column::ActorId,
        Column::TargetKind,
        Column::TargetId,
        Column::RoleId,
    ])
    .do_nothing()
    .to_owned();
    tx.execute(Entity::insert(active(&row)).on_conflict(once).as_query())
        .await?;
    note(&mut tx, &caller, &row, "created").await?;
    finish(&state, tx).await?;
    Ok(done())
}

async fn take(
    FromState(state): FromState<State>,
    Extension(kinds): Extension<Kinds>,
    caller: Caller,
    Path(ids): Path<Ids>,
) -> Answer {
    let Grant { row, role } = grant(&state, &caller, kinds, &ids, "delete").await?;
    check_power(&caller, role.as_ref())?;
    let mut tx = state.store().begin().await?;
    let this = Entity::delete_many()
        .filter(super::of_actor(&row.actor_kind, &row.actor_id))
        .filter(Column::TargetKind.eq(row.target_kind.as_str()))
        .filter(Column::TargetId.eq(row.target_id.as_str()))
        .filter(Column::RoleId.eq(row.role_id.as_str()));
    if tx.delete(this).await? == 0 {
        return Err(missing(kinds).into());
    }
    let users = match row.actor_kind.as_str() {
        "user" => vec![row.actor_id.clone()],
        _ => group::member::users(&tx, &row.actor_id).await?,
    };
    revocation::users(&mut tx, &users, Timestamp::now()).await?;
    note(&mut tx, &caller, &row, "deleted").await?;
    finish(&state, tx).await?;
    Ok(done())
}

async fn check(
    FromState(state): FromState<State>,
    Extension(kinds): Extension<Kinds>,
    caller: Caller,
    Path(ids): Path<Ids>,
) -> Answer {
    let Grant { row, .. } = grant(&state, &caller, kinds, &ids, "get").await?;
    match held(&state, &row).await?.contains(&row.role_id) {
        true => Ok(done()),
        false => Err(missing(kinds).into()),
    }
}

async fn list(
    FromState(state): FromState<State>,
    Extension(origin): Extension<Origin>,
    Extension(kinds): Extension<Kinds>,
    caller: Caller,
    Path(ids): Path<Ids>,
) -> Answer {
    let Grant { row, .. } = grant(&state, &caller, kinds, &ids, "list").await?;
    let held: Vec<String> = held(&state, &row).await?.iter().map(ToString::to_string).collect();
    let roles = state
        .store()
        .all(role::Entity::find().filter(role::Column::Id.is_in(held)))
        .await?;
    let items: Vec<Value> = roles.iter().map(|role| entity::<role::Entity>(role, &origin)).collect();
    Ok(ok(
        json!({ "roles": items, "links": { "next": null, "self": origin.v3, "previous": null } }),
    ))
}

/// The roles this very actor has on the target, without those of its groups.
async fn held(state: &State, row: &Model) -> Result<BTreeSet<types::RoleId>> {
    let select = Entity::find()
        .filter(super::of_actor(&row.actor_kind, &row.actor_id))
        .filter(Column::TargetKind.eq(row.target_kind.as_str()))
        .filter(Column::TargetId.eq(row.target_id.as_str()));
    Ok(state
        .store()
        .all(select)
        .await?
        .into_iter()
        .map(|row| row.role_id)
        .collect())
}

fn missing(kinds: Kinds) -> Error {
    let message = format!("that {} does not have this role on that {}", kinds.actor, kinds.target);
    Error::new(types::Kind::NotFound, message)
}

fn active(row: &Model) -> ActiveModel {
    ActiveModel {
        actor_kind: Set(row.actor_kind.clone()),
        actor_id: Set(row.actor_id.clone()),
        target_kind: Set(row.target_kind.clone()),
        target_id: Set(row.target_id.clone()),
        role_id: Set(row.role_id.clone()),
    }
}

async fn note(tx: &mut Tx, caller: &Caller, row: &Model, what: &str) -> Result<()> {
    let event = Event {
        kind: format!("role-assignment.{what}"),
        id: row.actor_id.clone(),
        name: row.actor_kind.clone(),
        owner: None,
        data: json!({ "role": row.role_id, row.target_kind.as_str(): row.target_id }),
    };
    tx.event(&caller.cx, event).await
}
