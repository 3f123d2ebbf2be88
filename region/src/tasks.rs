//! `/tasks`: what is under way and what became of it. And who holds what.

use std::collections::HashMap;

use auth::Cx;
use axum::{
    Json, Router,
    extract::{Path, RawQuery, State as Get},
    http::StatusCode,
    routing::{get, post},
};
use store::{
    Found, Store,
    sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder},
};
use task::{
    pause,
    row::{hold, record, step_record},
};
use types::{
    Error, Kind, Result, TaskId,
    api::{Items, task as api},
    states,
};
use web::{
    Caller, Input, Problem,
    docs::Operation,
    query::{Listing, Plain, Wishes},
};

use crate::{Routes, State, ops, setup};

/// The tasks that hold these objects now, by object id.
pub async fn holders<T: ToString>(store: &Store, noun: &str, ids: &[T]) -> Result<HashMap<String, TaskId>> {
    let keys: Vec<_> = ids.iter().map(|id| format!("{noun}/{}", id.to_string())).collect();
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = store
        .all(hold::Entity::find().filter(hold::Column::Resource.is_in(keys)))
        .await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| Some((row.resource.split_once('/')?.1.to_owned(), row.task_id)))
        .collect())
}

pub fn routes() -> Routes {
    use utoipa::openapi::HttpMethod::{Get, Post};
    let router = Router::new()
        .route("/tasks", get(list))
        .route("/tasks/{id}", get(show))
        .route("/tasks/{id}/cancel", post(cancel))
        .route("/tasks/{id}/retry", post(retry))
        .route("/tasks/{id}/abandon", post(abandon));
    let operations = vec![
        Operation::new(Get, "/tasks", "task_list", "task", "Tasks: work that takes time.")
            .query("state", "one or several states, separated by commas")
            .query("kind", "one or several workflows, separated by commas")
            .query("parent", "the children of this task")
            .query("resource_noun", "what it is about: `server`")
            .query("resource_id", "the id of what it is about")
            .query("resource_name", "the name of what it is about")
            .query("created_at.le", "asked for at this time or before")
            .query("everywhere", "true: all projects within reach, not only the token's")
            .query("limit", "1 to 1000")
            .query("after", "`next` of the page before")
            .lists::<api::View>(),
        Operation::new(Get, "/tasks/{id}", "task_get", "task", "One task with its steps.")
            .query("wait", "answer when it is over, or after this long: `30s`")
            .answers::<api::View>("200", "the task"),
        Operation::new(
            Post,
            "/tasks/{id}/cancel",
            "task_cancel",
            "task",
            "Stops it at the next safe point and undoes what was done.",
        )
        .answers::<api::View>("200", "the task"),
        Operation::new(
            Post,
            "/tasks/{id}/retry",
            "task_retry",
            "task",
            "Tries again to undo a task that needs an operator.",
        )
        .takes::<Reason>()
        .answers::<api::View>("200", "the task"),
        Operation::new(
            Post,
            "/tasks/{id}/abandon",
            "task_abandon",
            "task",
            "Gives up undoing a task that needs an operator.",
        )
        .takes::<Reason>()
        .answers::<api::View>("200", "the task"),
    ];
    (router, operations)
}

/// Why an operator decided so; kept with the task.
#[derive(serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    pub reason: String,
}

async fn list(
    Get(state): Get<State>,
    Caller(cx): Caller,
    RawQuery(raw): RawQuery,
) -> Result<Json<Items<api::View>>, Problem> {
    let listing = Listing::parse(raw.as_deref())?;
    let page = state.store.list::<record::Entity>(&cx, &listing.query).await?;
    let ids: Vec<_> = page.items.iter().map(|row| row.id).collect();
    let mut tallies = task::tallies(&state.store, &ids).await?;
    let mut items: Vec<_> = page
        .items
        .into_iter()
        .map(|row| {
            let tally = tallies.remove(&row.id);
            view(row, vec![], tally)
        })
        .collect();
    say_paused(&state, &mut items).await?;
    Ok(Json(Items { items, next: page.next }))
}

async fn show(
    Get(state): Get<State>,
    Caller(cx): Caller,
    Path(id): Path<String>,
    RawQuery(raw): RawQuery,
) -> Result<Json<api::View>, Problem> {
    let wishes = Wishes::parse(raw.as_deref())?;
    let found = find(&state, &cx, "get", &id).await?;
    if let Some(limit) = wishes.wait {
        task::wait(&state.store, found.id, limit).await?;
    }
    whole(&state, &cx, &id).await
}

/// The task at hand or in history.
async fn find(state: &State, cx: &Cx, verb: &str, id: &str) -> Result<Found<record::Entity>> {
    let found = state.store.find::<record::Entity>(cx, verb, id).await;
    let days = state.keep.readable.as_secs() / 86_400;
    found.map_err(|mut error| {
        if error.kind == Kind::NotFound && days > 0 && id.parse::<TaskId>().is_ok() {
            error.message = format!("{}; tasks are forgotten {days} days after their end", error.message);
        }
        error
    })
}

async fn whole(state: &State, cx: &Cx, id: &str) -> Result<Json<api::View>, Problem> {
    let found = find(state, cx, "get", id).await?;
    let steps = step_record::Entity::find()
        .filter(step_record::Column::TaskId.eq(found.id))
        .order_by_asc(step_record::Column::Seq);
    let steps = state.store.all(steps).await?;
    let tally = task::tallies(&state.store, &[found.id]).await?.remove(&found.id);
    let mut view = view(found.into_inner(), steps, tally);
    say_paused(state, std::slice::from_mut(&mut view)).await?;
    Ok(Json(view))
}

/// What is queued and held back says so where others say what they are doing.
async fn say_paused(state: &State, tasks: &mut [api::View]) -> Result<()> {
    let held = |task: &&mut api::View| task.state == states::Task::Queued && !task.cancel_requested;
    let mut queued = tasks.iter_mut().filter(held).peekable();
    if queued.peek().is_none() {
        return Ok(());
    }
    let pauses = pause::paused(&state.store).await?;
    for task in queued {
        if let Some(pause) = pause::of(&pauses, &task.kind) {
            task.progress = format!("paused by {}: {}", pause.actor, pause.reason);
        }
    }
    Ok(())
}

async fn cancel(
    Get(state): Get<State>,
    Caller(cx): Caller,
    _: Plain,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<api::View>), Problem> {
    let found = find(&state, &cx, "cancel", &id).await?;
    task::cancel(&cx, &state.store, &setup::workflows(), found.id).await?;
    Ok((StatusCode::ACCEPTED, whole(&state, &cx, &id).await?))
}

async fn retry(
    Get(state): Get<State>,
    Caller(cx): Caller,
    _: Plain,
    Path(id): Path<String>,
    Input(input): Input<Reason>,
) -> Result<Json<api::View>, Problem> {
    let found = find(&state, &cx, "retry", &id).await?;
    operator(&cx)?;
    ops::reason(&input.reason)?;
    task::retry(&cx, &state.store, found.id, &input.reason).await?;
    whole(&state, &cx, &id).await
}

async fn abandon(
    Get(state): Get<State>,
    Caller(cx): Caller,
    _: Plain,
    Path(id): Path<String>,
    Input(input): Input<Reason>,
) -> Result<Json<api::View>, Problem> {
    let found = find(&state, &cx, "retry", &id).await?;
    operator(&cx)?;
    ops::reason(&input.reason)?;
    task::abandon(&cx, &state.store, found.id, &input.reason).await?;
    whole(&state, &cx, &id).await
}

fn operator(cx: &Cx) -> Result<()> {
    match cx.reach("task", "retry") {
        auth::Reach::Everything => Ok(()),
        _ => Err(Error::denied(
            "only an administrator decides about a task that needs an operator",
        )),
    }
}

/// What the children did is what a parent did.
fn view(row: record::Model, steps: Vec<step_record::Model>, tally: Option<task::Tally>) -> api::View {
    let whole = task::view(row.clone(), steps);
    let steps = whole
        .steps
        .into_iter()
        .map(|step| api::Step {
            seq: step.seq,
            name: step.name,
            state: step.state.to_string(),
            attempts: step.attempts,
            error: step.error,
            started_at: step.started_at,
            finished_at: step.finished_at,
        })
        .collect();
    api::View {
        id: row.id,
        kind: row.kind,
        state: row.state,
        noun: row.resource_noun,
        resource_id: row.resource_id,
        resource_name: row.resource_name,
        progress: tally
            .map(|tally| tally.to_string())
            .or(whole.progress)
            .unwrap_or_default(),
        step: whole.step,
        error: whole.error,
        cancel_requested: row.cancel_requested,
        actor: row.who.user_name.clone(),
        request_id: row.request_id,
        project_id: row.project_id,
        parent: row.parent,
        steps,
        created_at: row.created_at,
        started_at: row.started_at,
        finished_at: row.finished_at,
    }
}
