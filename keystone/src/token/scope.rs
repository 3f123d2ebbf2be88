//! What a token is for, and the roles its user has there.

use std::collections::BTreeSet;

use auth::Scope;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use types::{Error, Kind, Result, RoleId};

use super::{login::domain_of, request};
use crate::{State, assignment, domain, project, role, user};

/// A scope with the roles held there, implied ones included.
pub struct Granted {
    pub scope: Scope,
    pub roles: Vec<String>,
}

pub async fn grant(state: &State, user: &user::Model, asked: Option<&request::Scope>) -> Result<Granted> {
    match asked {
        Some(request::Scope::Project { project }) => on_project(state, user, find_project(state, project).await?).await,
        Some(request::Scope::Domain { domain }) => on_domain(state, user, domain_of(state, domain).await?).await,
        Some(request::Scope::System { system }) if system.all => on_system(state, user).await,
        Some(request::Scope::System { .. }) => Err(Error::invalid("the system is one: ask for {\"all\": true}")),
        Some(request::Scope::Word(word)) if word == "unscoped" => Ok(unscoped()),
        Some(request::Scope::Word(word)) => Err(Error::invalid(format!("`{word}` is not a scope"))),
        None => usual(state, user).await,
    }
}

fn unscoped() -> Granted {
    Granted {
        scope: Scope::Unscoped,
        roles: Vec::new(),
    }
}

/// The user's default project, if they still have a role there; else nothing in particular.
async fn usual(state: &State, user: &user::Model) -> Result<Granted> {
    let Some(id) = &user.default_project_id else {
        return Ok(unscoped());
    };
    let project = state.store().one(project::Entity::find_by_id(id.clone())).await?;
    match on_project(state, user, project).await {
        Err(e) if e.kind == Kind::Unauthenticated => Ok(unscoped()),
        answer => answer,
    }
}

async fn find_project(state: &State, key: &request::Project) -> Result<Option<project::Model>> {
    let select = match (&key.id, &key.name, &key.domain) {
        (Some(id), ..) => project::Entity::find().filter(project::Column::Id.eq(id.as_str())),
        (None, Some(name), Some(domain)) => {
            let Some(domain) = domain_of(state, domain).await? else {
                return Ok(None);
            };
            project::Entity::find()
                .filter(project::Column::Name.eq(name.as_str()))
                .filter(project::Column::DomainId.eq(domain.id.as_str()))
        }
        _ => {
            return Err(Error::invalid(
                "a project is named by its id, or by its name and domain",
            ));
        }
    };
    state.store().one(select).await
}

async fn on_project(state: &State, user: &user::Model, project: Option<project::Model>) -> Result<Granted> {
    let project = project
        .filter(|project| project.enabled)
        .ok_or_else(|| nothing("project"))?;
    enabled_domain(state, &project.domain_id)
        .await
        .map_err(|_| nothing("project"))?;
    let ids = assignment::roles(state.store(), user.id.as_str(), "project", project.id.as_str()).await?;
    let scope = Scope::Project {
        id: project.id,
        domain: project.domain_id,
    };
    named(state, "project", scope, ids).await
}

async fn on_domain(state: &State, user: &user::Model, domain: Option<domain::Model>) -> Result<Granted> {
    let domain = domain
        .filter(|domain| domain.enabled)
        .ok_or_else(|| nothing("domain"))?;
    let ids = assignment::roles(state.store(), user.id.as_str(), "domain", domain.id.as_str()).await?;
    named(state, "domain", Scope::Domain { id: domain.id }, ids).await
}

async fn on_system(state: &State, user: &user::Model) -> Result<Granted> {
    let ids = assignment::roles(state.store(), user.id.as_str(), "system", assignment::ALL).await?;
    named(state, "system", Scope::System, ids).await
}

async fn named(state: &State, kind: &str, scope: Scope, ids: BTreeSet<RoleId>) -> Result<Granted> {
    let roles = role::with_implied(state.store(), ids).await?;
    match roles.is_empty() {
        true => Err(nothing(kind)),
        false => Ok(Granted {
            scope,
            roles: roles.into_iter().map(|role| role.name).collect(),
        }),
    }
}

async fn enabled_domain(state: &State, id: &types::DomainId) -> Result<()> {
    let domain = state.store().one(domain::Entity::find_by_id(id.clone())).await?;
    match domain.is_some_and(|domain| domain.enabled) {
        true => Ok(()),
        false => Err(nothing("domain")),
    }
}

/// The same for what is absent, disabled, or not the user's: nobody learns which.
fn nothing(kind: &str) -> Error {
    let message = match kind {
        "system" => "you have no role on the system: ask an administrator for one".to_owned(),
        _ => format!("that {kind} is disabled or absent, or you have no role on it: ask an administrator for one"),
    };
    Error::new(Kind::Unauthenticated, message).code("no_role")
}
