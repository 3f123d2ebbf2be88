//! For routes that take no parameters: what is not known is refused here too.

use axum::{
    extract::FromRequestParts,
    http::request::Parts,
    response::{IntoResponse, Response},
};
use web::{Problem, query};

/// The query string was empty.
pub struct Plain;

impl<S: Send + Sync> FromRequestParts<S> for Plain {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        match query::pairs(parts.uri.query()).into_iter().next() {
            Some((key, _)) => Err(Problem(query::unknown(&key)).into_response()),
            None => Ok(Self),
        }
    }
}
