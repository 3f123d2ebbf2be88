//! JSON bodies in the exact shape that was asked for; what is wrong is said the way Glance's clients read it.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    response::{IntoResponse, Response},
};
use serde::de::DeserializeOwned;
use types::Error;

use crate::fault::Fault;

pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let bytes = Bytes::from_request(request, state).await.map_err(|e| {
            Fault::from(Error::invalid("the request's body could not be read").because(e)).into_response()
        })?;
        let body = web::input::parse(&bytes).map_err(|e| Fault::from(e).into_response())?;
        Ok(Self(body))
    }
}
