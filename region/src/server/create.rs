//! Creating servers: one transaction writes rows, quota, addresses and tasks; a task per server makes it.
//!
//! Several are children of one task, which waits for them.

mod intent;
mod many;
mod one;

use auth::Cx;
use axum::{
    Json, Router,
    body::Bytes,
    extract::{RawQuery, State as Get},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use serde::Serialize;
use serde_json::{Value, json};
use store::{Tx, sea_orm::EntityTrait};
use types::{
    Result, TaskId,
    api::{Accepted, server as api},
};
use web::{App, Caller, Problem, docs::Operation, noun::Key, query::Wishes};

use super::{
    Entity,
    fetch::{Ready, fetch},
    target,
};
use crate::{Routes, State};
use intent::Intent;

pub use many::CreateServers;
pub use one::CreateServer;

pub fn routes() -> Routes {
    use utoipa::openapi::HttpMethod;
    let about = "Creates servers: one, or `count` of them in one decision.";
    let operation = Operation::new(HttpMethod::Post, "/servers", "server_create", "server", about)
        .header(
            "Idempotency-Key",
            "sending the same key again gives the same answer and makes nothing new",
        )
        .query("wait", "answer when the tasks are over, or after this long: `30s`")
        .query("dry_run", "true: say where they would go, and change nothing")
        .takes::<api::Create>()
        .answers::<api::Plan>("200", "the plan of a dry run")
        .answers::<AcceptedServers>("202", "each server with the task that makes it");
    (Router::new().route("/servers", post(create)), vec![operation])
}

/// What a create of servers answers.
#[derive(Serialize, utoipa::ToSchema)]
struct AcceptedServers {
    items: Vec<AcceptedServer>,
    /// The task that waits for the tasks of all servers; absent when there is one server. It fails when any of them
    /// fails, and to cancel it is to cancel them.
    task: Option<TaskId>,
}

#[derive(Serialize, utoipa::ToSchema)]
struct AcceptedServer {
    item: api::View,
    task: TaskId,
}

async fn create(
    Get(state): Get<State>,
    Caller(cx): Caller,
    headers: HeaderMap,
    RawQuery(raw): RawQuery,
    body: Bytes,
) -> Result<Response, Problem> {
    let wishes = Wishes::parse(raw.as_deref())?;
    web::noun::allowed::<Entity>(&cx, "create")?;
    let key = Key::of::<Entity>(&cx, &headers, &body)?;
    if let Some(answer) = key.answered(state.store()).await? {
        return Ok(answer);
    }
    let made = make(&state, &cx, &key, &body, wishes).await;
    key.settle(state.store(), made).await
}

async fn make(state: &State, cx: &Cx, key: &Key, body: &Bytes, wishes: Wishes) -> Result<Response, Problem> {
    let ready = fetch(state, cx, web::input::parse(body)?).await?;
    let plan = plan(state, cx, &ready).await?;
    if wishes.dry_run {
        return Ok(Json(plan).into_response());
    }
    let mut tx = state.store.begin().await?;
    let mut intents = Vec::new();
    for name in &ready.names {
        intents.push(intent::insert(cx, &mut tx, &ready, name).await?);
    }
    let queued = queue(cx, &mut tx, &ready, &intents).await?;
    let answer = first_answer(state, &intents, &queued).await?;
    key.remember(&tx, StatusCode::ACCEPTED, &answer).await?;
    tx.commit().await?;
    let Some(limit) = wishes.wait else {
        return Ok((StatusCode::ACCEPTED, Json(answer)).into_response());
    };
    web::accepted::wait(&state.store, queued.last(), Some(limit)).await?;
    let mut fresh = Vec::new();
    for Intent { row, .. } in intents {
        fresh.extend(state.store.one(Entity::find_by_id(row.id)).await?);
    }
    let views = super::view::views(&state.store, fresh).await?;
    Ok((StatusCode::ACCEPTED, Json(self::answer(views, &queued)?)).into_response())
}

/// The tasks that were queued: one for each server, and for several one more that waits for them all.
struct Queued {
    parent: Option<TaskId>,
    tasks: Vec<TaskId>,
}

impl Queued {
    /// The one that ends last.
    fn last(&self) -> Option<TaskId> {
        self.parent.or_else(|| self.tasks.first().copied())
    }
}

async fn queue(cx: &Cx, tx: &mut Tx, ready: &Ready, intents: &[Intent]) -> Result<Queued> {
    if let [Intent { row, workflow, .. }] = intents {
        let task = task::start(cx, tx, workflow, target(row)).await?;
        let (parent, tasks) = (None, vec![task]);
        return Ok(Queued { parent, tasks });
    }
    let (parent, tasks) = many::start(cx, tx, &ready.input.name, intents).await?;
    Ok(Queued {
        parent: Some(parent),
        tasks,
    })
}

/// The answer before the commit, so that a repeated request is given the same.
async fn first_answer(state: &State, intents: &[Intent], queued: &Queued) -> Result<Value> {
    let rows = intents.iter().map(|intent| intent.row.clone()).collect();
    let views = super::view::views(&state.store, rows).await?;
    let known = views.into_iter().zip(intents).zip(&queued.tasks);
    let views = known
        .map(|((view, intent), task)| api::View {
            task: Some(*task),
            disks: vec![intent.disk],
            addresses: intent.addresses.clone(),
            ..view
        })
        .collect();
    answer(views, queued)
}

fn answer(views: Vec<api::View>, queued: &Queued) -> Result<Value> {
    let items = views.into_iter().zip(&queued.tasks);
    web::noun::json(&api::Created {
        items: items
            .map(|(item, task)| Accepted {
                item,
                task: Some(*task),
            })
            .collect(),
        task: queued.parent,
    })
}

/// Asks the scheduler without claiming, so that what fits nowhere is refused before anything is written.
async fn plan(state: &State, cx: &Cx, ready: &Ready) -> Result<api::Plan> {
    let consumers: Vec<_> = ready
        .names
        .iter()
        .map(|name| json!({ "consumer": format!("server/{name}"), "token": name }))
        .collect();
    let mut request = ready.ask.clone();
    request["count"] = json!(ready.names.len());
    let body = json!({ "consumers": consumers, "request": request, "dry_run": true });
    let claims: Value = state.scheduler.post(cx.request_id(), "/claims", &body).await?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let placements = claims["placements"].as_array().cloned().unwrap_or_default();
    let placements = ready
        .names
        .iter()
        .zip(placements)
        .map(|(server, place)| api::Planned {
            server: server.clone(),
            host: text(&place["host_name"]),
            why: text(&place["why"]),
        })
        .collect();
    Ok(api::Plan {
        placements,
        explanation: claims["explanation"].clone(),
    })
}
