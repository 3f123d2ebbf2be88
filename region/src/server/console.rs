//! `GET /servers/{key}/console-log`: what the guest wrote last.

use axum::{
    Json, Router,
    extract::{Path, RawQuery, State as Get},
    routing::get,
};
use contract::Call;
use types::{Error, Result, api::server as api};
use web::{Caller, Problem, docs::Operation, query};

use super::Entity;
use crate::{
    Routes, State,
    clouds::{PATIENCE, family},
};

/// Bytes shown when the caller does not say, and at most.
const USUAL: usize = 64 << 10;
const MOST: usize = 1 << 20;

pub fn routes() -> Routes {
    use utoipa::openapi::HttpMethod;
    let about = "What the guest wrote to its console last.";
    let operation = Operation::new(
        HttpMethod::Get,
        "/servers/{key}/console-log",
        "server_console_log",
        "server",
        about,
    )
    .query("bytes", "how much of the end; 65536 when absent, at most 1048576")
    .answers::<api::ConsoleLog>("200", "the text");
    (
        Router::new().route("/servers/{key}/console-log", get(show)),
        vec![operation],
    )
}

async fn show(
    Get(state): Get<State>,
    Caller(cx): Caller,
    Path(key): Path<String>,
    RawQuery(raw): RawQuery,
) -> Result<Json<api::ConsoleLog>, Problem> {
    let mut limit = USUAL;
    for (name, value) in query::pairs(raw.as_deref()) {
        if name != "bytes" {
            return Err(query::unknown(&name).into());
        }
        let bytes = value.parse().ok().filter(|bytes| (1..=MOST).contains(bytes));
        limit = bytes.ok_or_else(|| Error::invalid(format!("bytes is `{value}`; it must be from 1 to {MOST}")))?;
    }
    let server = state.store.find::<Entity>(&cx, "get", &key).await?;
    let (account, machine) = server.machine()?;
    let call = Call::new(cx.request_id(), PATIENCE);
    let cloud = state.clouds.of(&call, account).await?;
    let text = family(cloud.compute(), "servers")?
        .console_log(&call, &machine, limit)
        .await?;
    Ok(Json(api::ConsoleLog { text }))
}
