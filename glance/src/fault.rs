//! Errors as Glance's clients read them: JSON with a `message`, beside the fields of our problem documents.

use axum::{
    Json,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;
use types::{Error, Kind};

/// An error on its way out.
#[derive(Debug)]
pub struct Fault(Box<Parts>);

#[derive(Debug)]
struct Parts {
    error: Error,
    status: StatusCode,
    headers: HeaderMap,
}

/// What a handler answers.
pub type Answer<T = Response> = Result<T, Fault>;

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let status = match error.kind {
            // What the Image API calls over quota.
            Kind::Quota => StatusCode::PAYLOAD_TOO_LARGE,
            kind => web::problem::status(kind),
        };
        Self(Box::new(Parts {
            error,
            status,
            headers: HeaderMap::new(),
        }))
    }
}

impl Fault {
    /// An error whose status the Image API fixes.
    pub fn with_status(error: Error, status: StatusCode) -> Self {
        let mut fault = Self::from(error);
        fault.0.status = status;
        fault
    }

    pub fn with_header(mut self, name: &'static str, value: impl Into<HeaderValue>) -> Self {
        self.0.headers.insert(name, value.into());
        self
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let Parts { error, status, headers } = *self.0;
        if status.is_server_error() {
            tracing::error!(kind = ?error.kind, code = error.code, "{}", error.chain());
        }
        let mut body = json!({
            "message": error.message,
            "detail": error.message,
            "code": error.code,
            "kind": error.kind,
            "title": status.canonical_reason().unwrap_or("Error"),
            "status": status.as_u16(),
        });
        if let Some(resource) = error.resource {
            body["resource"] = resource.into();
        }
        if !error.details.is_null() {
            body["details"] = error.details;
        }
        if !error.causes.is_empty() {
            body["causes"] = json!(error.causes);
        }
        let mut response = (status, headers, Json(body)).into_response();
        if let Some(wait) = error.retry_after {
            let wait = HeaderValue::from(wait.as_secs().max(1));
            response.headers_mut().insert(header::RETRY_AFTER, wait);
        }
        response
    }
}
