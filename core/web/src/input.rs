//! Request bodies: JSON in the exact shape that was asked for, or one sentence about what is wrong.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    response::{IntoResponse, Response},
};
use serde::de::DeserializeOwned;
use types::Error;

use crate::Problem;

/// A JSON body. An empty body is read as `{}`, so that actions without parameters need none.
pub struct Input<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Input<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|e| Problem(Error::invalid("the request's body could not be read").because(e)).into_response())?;
        parse(&bytes).map(Self).map_err(|e| Problem(e).into_response())
    }
}

/// Reads a body. Errors name the field and the place.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> types::Result<T> {
    let bytes = if bytes.is_empty() { b"{}" } else { bytes };
    serde_json::from_slice(bytes).map_err(|e| {
        let code = if e.to_string().starts_with("unknown field") {
            "unknown_field"
        } else {
            "bad_body"
        };
        let what = if e.is_data() {
            "the request does not have the right shape"
        } else {
            "the request is not valid JSON"
        };
        Error::invalid(format!("{what}: {e}")).code(code)
    })
}
