//! `GET /role_assignments`: who has what where, as given or as it works out.

use std::collections::{BTreeMap, BTreeSet};

use auth::{Reach, policy::IMPLIED};
use axum::{Extension, Router, extract::State as FromState, routing::get};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, Select};
use serde_json::{Value, json};
use store::Store;
use types::Result;

use super::{ALL, Column, Entity, Model, names::Names};
use crate::{
    State,
    answer::{Answer, ok},
    caller::{Caller, refused},
    front::Origin,
    group, project,
    query::{Parameters, Query},
    role,
};

pub fn routes() -> Router<State> {
    Router::new().route("/role_assignments", get(list))
}

/// An assignment and the group it came by, when it was worked out.
pub type Entry = (Model, Option<String>);

async fn list(
    FromState(state): FromState<State>,
    Extension(origin): Extension<Origin>,
    caller: Caller,
    parameters: Parameters,
) -> Answer {
    let query = Query::new(parameters);
    let own = query.get("user.id").is_some_and(|id| caller.is(id));
    let reach = match own {
        true => Reach::Everything,
        false => caller.cx.reach("role-assignment", "list"),
    };
    if reach.is_nothing() {
        return Err(refused("role-assignment", "list").into());
    }
    let store = state.store();
    let effective = query.flag("effective");
    let mut rows = store.all(filtered(store, &query, effective).await?).await?;
    rows.retain({
        let inside = inside(store, &reach).await?;
        move |row| {
            inside
                .as_ref()
                .is_none_or(|ids| ids.contains(&(row.target_kind.clone(), row.target_id.clone())))
        }
    });
    let mut entries: Vec<Entry> = rows.into_iter().map(|row| (row, None)).collect();
    if effective {
        entries = work_out(store, entries).await?;
        entries.retain(|(row, _)| matches(row, &query));
    }
    let names = match query.flag("include_names") {
        true => Some(Names::load(store, &entries).await?),
        false => None,
    };
    let items: Vec<Value> = entries
        .iter()
        .map(|entry| view(entry, names.as_ref(), &origin))
        .collect();
    let own = origin.link("/role_assignments");
    Ok(ok(
        json!({ "role_assignments": items, "links": { "next": null, "self": own, "previous": null } }),
    ))
}

async fn filtered(store: &Store, query: &Query, effective: bool) -> Result<Select<Entity>> {
    let mut select = Entity::find();
    if let Some(user) = query.get("user.id") {
        let groups = match effective {
            true => group::of_user(store, user).await?,
            false => Vec::new(),
        };
        select = select.filter(super::concerning(user, groups));
    }
    if let Some(group) = query.get("group.id") {
        select = select.filter(super::of_actor("group", group));
    }
    if let Some(role) = query.get("role.id").filter(|_| !effective) {
        select = select.filter(Column::RoleId.eq(role));
    }
    for (key, kind) in [("scope.project.id", "project"), ("scope.domain.id", "domain")] {
        if let Some(id) = query.get(key) {
            select = select
                .filter(Column::TargetKind.eq(kind))
                .filter(Column::TargetId.eq(id));
        }
    }
    if query.get("scope.system").is_some() {
        select = select.filter(Column::TargetKind.eq("system"));
    }
    Ok(select)
}

/// What only holds after groups and implied roles are expanded.
fn matches(row: &Model, query: &Query) -> bool {
    let user = query
        .get("user.id")
        .is_none_or(|id| row.actor_kind == "user" && row.actor_id == id);
    user && query.get("role.id").is_none_or(|id| row.role_id.as_str() == id)
}

/// The targets within a domain; None when everything is.
async fn inside(store: &Store, reach: &Reach) -> Result<Option<BTreeSet<(String, String)>>> {
    let Reach::Domain(domain) = reach else {
        return Ok(match reach {
            Reach::Everything => None,
            _ => Some(BTreeSet::new()),
        });
    };
    let projects = project::Entity::find().filter(project::Column::DomainId.eq(domain.as_str()));
    let projects = store.all(projects).await?;
    let mut ids: BTreeSet<_> = projects
        .into_iter()
        .map(|project| ("project".to_owned(), project.id.to_string()))
        .collect();
    ids.insert(("domain".to_owned(), domain.to_string()));
    Ok(Some(ids))
}

/// Groups become their members, roles bring the ones they include.
async fn work_out(store: &Store, entries: Vec<Entry>) -> Result<Vec<Entry>> {
    let roles = store.all(role::Entity::find()).await?;
    let members = store.all(group::member::Entity::find()).await?;
    let mut all = BTreeMap::new();
    for (row, _) in entries {
        let actors: Vec<(String, Option<String>)> = match row.actor_kind.as_str() {
            "user" => vec![(row.actor_id.clone(), None)],
            _ => {
                let inside = members.iter().filter(|member| member.group_id.as_str() == row.actor_id);
                inside
                    .map(|member| (member.user_id.to_string(), Some(row.actor_id.clone())))
                    .collect()
            }
        };
        for (actor_id, by) in actors {
            let mut given = row.clone();
            given.actor_kind = "user".to_owned();
            given.actor_id = actor_id;
            for role_id in chain(&roles, &row.role_id) {
                let mut entry = given.clone();
                entry.role_id = role_id;
                all.insert(
                    (entry.actor_id.clone(), place(&entry), entry.role_id.clone(), by.clone()),
                    (entry, by.clone()),
                );
            }
        }
    }
    Ok(all.into_values().collect())
}

fn chain(roles: &[role::Model], id: &types::RoleId) -> Vec<types::RoleId> {
    let mut ids = vec![id.clone()];
    let mut name = roles
        .iter()
        .find(|role| role.id == *id)
        .map_or("", |role| role.name.as_str());
    for (upper, lower) in IMPLIED {
        if name == *upper {
            name = lower;
            ids.extend(
                roles
                    .iter()
                    .find(|role| role.name == *lower)
                    .map(|role| role.id.clone()),
            );
        }
    }
    ids
}

/// Where a target is found below `/v3/`.
fn place(row: &Model) -> String {
    match row.target_kind.as_str() {
        "system" => "system".to_owned(),
        kind => format!("{kind}s/{}", row.target_id),
    }
}

fn view((row, by): &Entry, names: Option<&Names>, origin: &Origin) -> Value {
    let object = |kind: &str, id: &str| match names {
        Some(names) => names.object(kind, id),
        None => json!({ "id": id }),
    };
    let place = place(row);
    let scope = match row.target_kind.as_str() {
        "system" => json!({ "system": { ALL: true } }),
        kind => json!({ kind: object(kind, &row.target_id) }),
    };
    let (kind, id) = match by {
        Some(group) => ("group", group),
        None => (row.actor_kind.as_str(), &row.actor_id),
    };
    let mut links = json!({ "assignment": origin.link(&format!("/{place}/{kind}s/{id}/roles/{}", row.role_id)) });
    if let Some(group) = by {
        links["membership"] = origin.link(&format!("/groups/{group}/users/{}", row.actor_id)).into();
    }
    json!({
        "role": object("role", row.role_id.as_str()),
        row.actor_kind.as_str(): object(&row.actor_kind, &row.actor_id),
        "scope": scope,
        "links": links,
    })
}
