//! What every request passes first and every answer last: the request id, security headers, the net under panics.

use std::{any::Any, sync::Arc};

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use types::Error;
use uuid::Uuid;
use web::{
    Problem,
    caller::{REQUEST_ID, RequestId},
};

use crate::{Gateway, client::Client};

/// Pages of ours have styles inside and nothing else; nobody may frame them.
const CONTENT_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Gives the request its id and its [`Client`], and the answer the same id.
pub async fn identify(State(gateway): State<Gateway>, mut request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    let client = Client::of(&request, &gateway.reached);
    request.extensions_mut().insert(RequestId(id.clone()));
    request.extensions_mut().insert(client);
    let mut response = next.run(request).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        // Replaces the one that a service set.
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// `req-<uuid>` as the caller sent it, or a new one.
fn request_id(headers: &HeaderMap) -> Arc<str> {
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let good = |id: &&str| id.len() == 40 && id.strip_prefix("req-").is_some_and(|id| Uuid::try_parse(id).is_ok());
    match given.filter(good) {
        Some(id) => id.into(),
        None => format!("req-{}", Uuid::new_v4()).into(),
    }
}

/// Sets what a browser must know before it shows an answer. What a service set stays.
pub async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let mut default = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    default(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    // Not `no-referrer`: with it browsers send `Origin: null`, and sessions need to see their own origin.
    default(header::REFERRER_POLICY, "same-origin");
    let html = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if html {
        let policy = HeaderValue::from_static(CONTENT_POLICY);
        headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(policy);
    }
    response
}

/// A defect in a handler is one answer of 500, not a dead connection.
pub fn panicked(panic: Box<dyn Any + Send>) -> Response<Body> {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    tracing::error!("a handler panicked: {text}");
    Problem(Error::broken(
        "something went wrong inside; the log has more under this answer's request id",
    ))
    .into_response()
}
