//! Errors as RFC 9457 problem documents: the one place where a [`Kind`] becomes a status.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;
use types::{Error, Kind};

/// An error on its way out.
#[derive(Debug)]
pub struct Problem(pub Error);

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

pub const fn status(kind: Kind) -> StatusCode {
    match kind {
        Kind::Invalid => StatusCode::BAD_REQUEST,
        Kind::Unauthenticated => StatusCode::UNAUTHORIZED,
        Kind::Denied => StatusCode::FORBIDDEN,
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Conflict | Kind::Cancelled => StatusCode::CONFLICT,
        Kind::Quota => StatusCode::FORBIDDEN,
        Kind::Capacity | Kind::Unsupported => StatusCode::UNPROCESSABLE_ENTITY,
        Kind::Throttled => StatusCode::TOO_MANY_REQUESTS,
        Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Timeout => StatusCode::GATEWAY_TIMEOUT,
        Kind::Broken => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self(error) = self;
        let status = status(error.kind);
        if status.is_server_error() {
            tracing::error!(kind = ?error.kind, code = error.code, "{}", error.chain());
        }
        let wait = error.retry_after.map(|wait| wait.as_secs().max(1));
        let mut body = json!({
            "type": format!("urn:isobar:error:{}", error.code),
            "title": status.canonical_reason().unwrap_or("Error"),
            "status": status.as_u16(),
            "detail": error.message,
            "code": error.code,
            "kind": error.kind,
        });
        // What is not known is left out; the request id is in the response's header and added by the outer layer.
        for (key, value) in [
            ("resource", json!(error.resource)),
            ("retry_after", json!(wait)),
            ("details", error.details),
        ] {
            if !value.is_null() {
                body[key] = value;
            }
        }
        if !error.causes.is_empty() {
            body["causes"] = json!(error.causes);
        }
        let kind = [(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        )];
        let mut response = (status, kind, body.to_string()).into_response();
        if let Some(wait) = wait {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(wait));
        }
        response
    }
}
