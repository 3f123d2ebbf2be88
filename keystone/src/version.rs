//! Version discovery: what every client asks first, with links to where it asked.

use axum::{
    Extension,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use crate::{answer, front::Origin};

fn v3_document(origin: &Origin) -> Value {
    json!({
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{ "rel": "self", "href": format!("{}/", origin.v3) }],
        "media-types": [{ "base": "application/json", "type": "application/vnd.openstack.identity-v3+json" }],
    })
}

pub async fn all(Extension(origin): Extension<Origin>) -> Response {
    let body = json!({ "versions": { "values": [v3_document(&origin)] } });
    let location = [(header::LOCATION, format!("{}/", origin.v3))];
    (StatusCode::MULTIPLE_CHOICES, location, answer::ok(body)).into_response()
}

pub async fn v3(Extension(origin): Extension<Origin>) -> Response {
    answer::ok(json!({ "version": v3_document(&origin) }))
}
