//! The catalog a token comes with: services and where they are, as this client sees them.

use std::collections::BTreeMap;

use auth::{Scope, token::Claims};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};
use types::Result;

use crate::{State, endpoint, front::Origin, service};

/// Enabled services with their enabled endpoints; services without any are left out.
pub async fn build(state: &State, claims: &Claims, origin: &Origin) -> Result<Value> {
    let services = service::Entity::find()
        .filter(service::Column::Enabled.eq(true))
        .order_by_asc(service::Column::Type);
    let services = state.store().all(services).await?;
    let endpoints = endpoint::Entity::find()
        .filter(endpoint::Column::Enabled.eq(true))
        .order_by_asc(endpoint::Column::Id);
    let mut by_service: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for row in state.store().all(endpoints).await? {
        let view = json!({
            "id": row.id,
            "interface": row.interface,
            "region": row.region_id,
            "region_id": row.region_id,
            "url": fill(&row.url, claims, origin),
        });
        by_service.entry(row.service_id).or_default().push(view);
    }
    let catalog = services.into_iter().filter_map(|service| {
        let endpoints = by_service.remove(&service.id)?;
        Some(json!({ "id": service.id, "type": service.r#type, "name": service.name, "endpoints": endpoints }))
    });
    Ok(Value::Array(catalog.collect()))
}

/// Fills in what endpoint URLs may refer to.
fn fill(url: &str, claims: &Claims, origin: &Origin) -> String {
    let project = match &claims.scope {
        Scope::Project { id, .. } => id.as_str(),
        _ => "",
    };
    let mut url = url.replace(endpoint::ORIGIN, &origin.root);
    for (word, value) in [
        ("tenant_id", project),
        ("project_id", project),
        ("user_id", claims.user.as_str()),
    ] {
        for form in [format!("%({word})s"), format!("$({word})s")] {
            url = url.replace(&form, value);
        }
    }
    url
}
