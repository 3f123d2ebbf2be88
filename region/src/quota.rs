//! `/quotas`: what a project may use and does.

use axum::{
    Json, Router,
    extract::{RawQuery, State as Get},
    routing::get,
};
use store::{
    quota::{Column, DEFAULTS, Entity},
    sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr},
};
use types::{
    Error, ProjectId, Result,
    api::{Items, quota as api},
};
use web::{Caller, Input, Problem, docs::Operation, query};

use crate::{Routes, State};

pub fn routes() -> Routes {
    use utoipa::openapi::HttpMethod;
    let operations = vec![
        Operation::new(
            HttpMethod::Get,
            "/quotas",
            "quota_list",
            "quota",
            "What a project may use and does.",
        )
        .query("project", "another project's id, for administrators")
        .lists::<api::View>(),
        Operation::new(
            HttpMethod::Put,
            "/quotas",
            "quota_set",
            "quota",
            "Sets one limit; below zero means none.",
        )
        .query("project", "another project's id")
        .takes::<api::Update>()
        .lists::<api::View>(),
    ];
    (Router::new().route("/quotas", get(list).put(set)), operations)
}

fn project(cx: &auth::Cx, raw: Option<&str>) -> Result<ProjectId> {
    let mut named = None;
    for (key, value) in query::pairs(raw) {
        match key.as_str() {
            "project" => named = Some(value.parse()?),
            _ => return Err(query::unknown(&key)),
        }
    }
    match named {
        Some(project) => Ok(project),
        None => cx.project().map(|(id, _)| id.clone()),
    }
}

async fn list(
    Get(state): Get<State>,
    Caller(cx): Caller,
    RawQuery(raw): RawQuery,
) -> Result<Json<Items<api::View>>, Problem> {
    let project = project(&cx, raw.as_deref())?;
    if !cx.reach("quota", "list").covers(Some(&project), None) {
        return Err(Error::not_found("project", project).into());
    }
    shown(&state, &project).await
}

async fn shown(state: &State, project: &ProjectId) -> Result<Json<Items<api::View>>, Problem> {
    let rows = state.store.quotas(project).await?;
    let items = DEFAULTS
        .iter()
        .map(
            |(resource, max)| match rows.iter().find(|row| row.resource == *resource) {
                Some(row) => api::View {
                    resource: row.resource.clone(),
                    max: row.max,
                    used: row.used,
                },
                None => api::View {
                    resource: (*resource).to_owned(),
                    max: *max,
                    used: 0,
                },
            },
        )
        .collect();
    Ok(Json(Items { items, next: None }))
}

async fn set(
    Get(state): Get<State>,
    Caller(cx): Caller,
    RawQuery(raw): RawQuery,
    Input(input): Input<api::Update>,
) -> Result<Json<Items<api::View>>, Problem> {
    if cx.reach("quota", "update") != auth::Reach::Everything {
        return Err(Error::denied("only an administrator sets quotas").into());
    }
    let project = project(&cx, raw.as_deref())?;
    if !DEFAULTS.iter().any(|(resource, _)| *resource == input.resource) {
        let known: Vec<_> = DEFAULTS.iter().map(|(resource, _)| *resource).collect();
        return Err(Error::invalid(format!(
            "there is no quota of `{}`: use one of {}",
            input.resource,
            known.join(", ")
        ))
        .into());
    }
    let tx = state.store.begin().await?;
    tx.charge(&project, &[(input.resource.as_str(), 0)])
        .await
        .or_else(|e| if e.kind == types::Kind::Quota { Ok(()) } else { Err(e) })?;
    let row = Entity::update_many()
        .col_expr(Column::Max, Expr::value(input.max))
        .filter(Column::ProjectId.eq(project.as_str()))
        .filter(Column::Resource.eq(input.resource));
    tx.update(row).await?;
    tx.commit().await?;
    shown(&state, &project).await
}
