//! Problem documents for what only a gateway refuses: sizes and methods, which have statuses of their own.

use axum::{
    extract::Request,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

/// A problem document whose status does not follow from a kind of error.
fn document(status: StatusCode, code: &str, detail: &str) -> Response {
    let body = json!({
        "type": format!("urn:isobar:error:{code}"),
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "detail": detail,
        "code": code,
        "kind": "invalid",
    });
    let kind = [(header::CONTENT_TYPE, "application/problem+json")];
    (status, kind, body.to_string()).into_response()
}

pub async fn no_such_method(request: Request) -> Response {
    let (method, path) = (request.method(), request.uri().path());
    let detail = format!("{method} is not possible at {path}");
    document(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", &detail)
}

pub fn too_large(limit: u64) -> Response {
    let detail = format!("the request's body is larger than the {limit} bytes that are accepted here");
    document(StatusCode::PAYLOAD_TOO_LARGE, "too_large", &detail)
}
