//! Where the bearer of a token may go: the catalog, and the scopes a new token can be asked for.

use axum::{Extension, extract::State as FromState};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};

use crate::{
    State,
    answer::{Answer, ok},
    assignment,
    caller::Caller,
    catalog, domain,
    front::Origin,
    project,
    query::{Parameters, Query},
    resource::collection,
};

pub async fn catalog(
    FromState(state): FromState<State>,
    Extension(origin): Extension<Origin>,
    caller: Caller,
) -> Answer {
    let catalog = catalog::build(&state, &caller.claims, &origin).await?;
    let links = json!({ "next": null, "self": origin.link("/auth/catalog"), "previous": null });
    Ok(ok(json!({ "catalog": catalog, "links": links })))
}

pub async fn projects(
    FromState(state): FromState<State>,
    Extension(origin): Extension<Origin>,
    caller: Caller,
    parameters: Parameters,
) -> Answer {
    let ids = assignment::targets(state.store(), caller.claims.user.as_str(), "project").await?;
    let select = project::Entity::find()
        .filter(project::Column::Id.is_in(ids))
        .filter(project::Column::Enabled.eq(true));
    let query = Query::new(parameters);
    Ok(ok(collection::<project::Entity>(
        &state,
        &origin,
        select,
        &query,
        "/auth/projects",
    )
    .await?))
}

pub async fn domains(
    FromState(state): FromState<State>,
    Extension(origin): Extension<Origin>,
    caller: Caller,
    parameters: Parameters,
) -> Answer {
    let ids = assignment::targets(state.store(), caller.claims.user.as_str(), "domain").await?;
    let select = domain::Entity::find()
        .filter(domain::Column::Id.is_in(ids))
        .filter(domain::Column::Enabled.eq(true));
    let query = Query::new(parameters);
    Ok(ok(collection::<domain::Entity>(
        &state,
        &origin,
        select,
        &query,
        "/auth/domains",
    )
    .await?))
}

pub async fn system(
    FromState(state): FromState<State>,
    Extension(origin): Extension<Origin>,
    caller: Caller,
) -> Answer {
    let targets = assignment::targets(state.store(), caller.claims.user.as_str(), "system").await?;
    let system: Vec<Value> = targets.iter().map(|_| json!({ "all": true })).collect();
    let links = json!({ "next": null, "self": origin.link("/auth/system"), "previous": null });
    Ok(ok(json!({ "system": system, "links": links })))
}
