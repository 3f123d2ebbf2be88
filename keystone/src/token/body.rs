//! The description of a token, as login and validation return it.

use auth::{Scope, token::Claims};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use types::{DomainId, Error, Kind, Result};

use crate::{State, catalog, domain, front::Origin, project, role};

/// Names and ids of everything the claims speak of, and the catalog if it is wanted and the token has a scope.
pub async fn describe(state: &State, claims: &Claims, with_catalog: bool, origin: &Origin) -> Result<Value> {
    let mut token = json!({
        "methods": claims.methods,
        "user": {
            "id": claims.user,
            "name": claims.user_name,
            "domain": domain_object(state, &claims.domain).await?,
            "password_expires_at": null,
        },
        "audit_ids": claims.audit_ids,
        "issued_at": claims.issued_at,
        "expires_at": claims.expires_at,
    });
    match &claims.scope {
        Scope::Unscoped => return Ok(json!({ "token": token })),
        Scope::System => token["system"] = json!({ "all": true }),
        Scope::Domain { id } => token["domain"] = domain_object(state, id).await?,
        Scope::Project { id, domain } => {
            let project = state.store().one(project::Entity::find_by_id(id.clone())).await?;
            let project = project.ok_or_else(|| gone("project"))?;
            let domain = domain_object(state, domain).await?;
            token["project"] = json!({ "id": id, "name": project.name, "domain": domain });
            token["is_domain"] = false.into();
        }
    }
    let names = claims.roles.iter().map(String::as_str);
    let roles = state
        .store()
        .all(role::Entity::find().filter(role::Column::Name.is_in(names)))
        .await?;
    let roles: Vec<Value> = roles
        .iter()
        .map(|role| json!({ "id": role.id, "name": role.name }))
        .collect();
    token["roles"] = roles.into();
    if with_catalog {
        token["catalog"] = catalog::build(state, claims, origin).await?;
    }
    Ok(json!({ "token": token }))
}

async fn domain_object(state: &State, id: &DomainId) -> Result<Value> {
    let domain = state.store().one(domain::Entity::find_by_id(id.clone())).await?;
    let domain = domain.ok_or_else(|| gone("domain"))?;
    Ok(json!({ "id": id, "name": domain.name }))
}

fn gone(kind: &str) -> Error {
    Error::new(Kind::NotFound, format!("the {kind} of this token was deleted")).code("token_revoked")
}
