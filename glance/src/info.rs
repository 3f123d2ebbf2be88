//! What a client may ask about the service itself: versions, import methods, stores, usage.

use axum::{
    Json,
    extract::{OriginalUri, State as AxumState},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use web::Caller;

use crate::{App, State, fault::Answer, import, origin};

/// The name of our only store.
pub const STORE: &str = "default";
/// The minor versions of v2 we speak, newest first.
const MINORS: std::ops::RangeInclusive<u32> = 0..=9;

/// `/`: the client has to choose one.
pub async fn choices(state: App, uri: OriginalUri, headers: HeaderMap) -> Response {
    (StatusCode::MULTIPLE_CHOICES, versions(state, uri, headers).await).into_response()
}

pub async fn versions(AxumState(state): App, OriginalUri(uri): OriginalUri, headers: HeaderMap) -> Json<Value> {
    Json(json!({ "versions": describe(&state, &uri, &headers) }))
}

fn describe(state: &State, uri: &axum::http::Uri, headers: &HeaderMap) -> Vec<Value> {
    let href = origin::url(state, headers, uri, "/v2/");
    let newest = *MINORS.end();
    let one = |minor| {
        json!({
            "id": format!("v2.{minor}"),
            "status": if minor == newest { "CURRENT" } else { "SUPPORTED" },
            "links": [{ "rel": "self", "href": href }],
        })
    };
    MINORS.rev().map(one).collect()
}

pub async fn imports(_: Caller) -> Json<Value> {
    Json(json!({ "import-methods": {
        "description": "Import methods available.", "type": "array", "value": import::METHODS } }))
}

pub async fn stores(_: Caller) -> Json<Value> {
    Json(json!({ "stores": [{ "id": STORE, "default": "true" }] }))
}

pub async fn usage(cx: Caller, AxumState(state): App) -> Answer {
    let (project, _) = cx.project()?;
    let quotas = state.store.quotas(project).await?;
    let one = |resource: &str, unit: i64| {
        let quota = quotas.iter().find(|quota| quota.resource == resource);
        let (limit, used) = quota.map_or((-1, 0), |quota| (quota.max, quota.used));
        json!({ "limit": if limit < 0 { -1 } else { limit * unit }, "usage": used * unit })
    };
    let usage =
        json!({ "usage": { "image_count_total": one("images", 1), "image_size_total": one("image_gib", 1024) } });
    Ok(Json(usage).into_response())
}
