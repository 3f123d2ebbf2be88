//! `PATCH /v2/images/{id}`: JSON patch as the Image API restricts it, one level deep.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State as AxumState},
    http::{HeaderMap, StatusCode, header},
    response::IntoResponse,
};
use serde::Deserialize;
use serde_json::Value;
use types::{Error, Result};
use web::Caller;

use crate::{
    App,
    fault::{Answer, Fault},
    fields, find, image, show, view,
};

const KIND: &str = "application/openstack-images-v2.1-json-patch";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    op: Op,
    path: String,
    #[serde(default)]
    value: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Op {
    Add,
    Replace,
    Remove,
}

pub async fn update(
    cx: Caller,
    AxumState(state): App,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    if kind != KIND {
        let error = Error::invalid(format!("a change is sent as {KIND}, not as `{kind}`"));
        return Err(Fault::with_status(error, StatusCode::UNSUPPORTED_MEDIA_TYPE)
            .with_header("accept-patch", header::HeaderValue::from_static(KIND)));
    }
    find::owned(&state, &cx, "update", &id).await?;
    let changes: Vec<Change> = web::input::parse(&body)?;
    let image = show::change(&cx, &state, &id, "updated", |image| {
        changes.iter().try_for_each(|change| apply(&cx, image, change))
    })
    .await?;
    Ok(Json(view::view(&image)).into_response())
}

fn apply(cx: &auth::Cx, image: &mut image::Model, change: &Change) -> Result<()> {
    let key = key(&change.path)?;
    match change.op {
        Op::Remove => fields::remove(image, &key),
        _ if key == "id" => Err(Error::denied("`id` is read-only: the service fills it")),
        Op::Replace if !fields::is_core(&key) && !image.properties.contains_key(&key) => {
            fields::writable(&key)?;
            Err(Error::conflict(format!(
                "image `{}` has no property `{key}` to replace",
                image.id
            )))
        }
        Op::Add | Op::Replace => fields::set(cx, image, &key, &change.value),
    }
}

/// `/name` or `/some~1property`.
fn key(path: &str) -> Result<String> {
    let key = path
        .strip_prefix('/')
        .filter(|key| !key.is_empty() && !key.contains('/'));
    let key = key.ok_or_else(|| Error::invalid(format!("`{path}` is not a path of one property, such as /name")))?;
    Ok(key.replace("~1", "/").replace("~0", "~"))
}
