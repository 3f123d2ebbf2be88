//! Who calls: the token of a request becomes a [`Cx`], or the request is refused.

use std::{ops::Deref, sync::Arc};

use async_trait::async_trait;
use auth::{Cx, Policy, Who};
use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, HeaderValue, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use types::{Error, Kind, Result};

use crate::Problem;

/// The header that carries the request id in both directions, as OpenStack clients know it.
pub const REQUEST_ID: &str = "x-openstack-request-id";

/// Turns a token into whoever it speaks for, without asking anybody.
#[async_trait]
pub trait Authenticate: Send + Sync {
    async fn authenticate(&self, token: &str) -> Result<Who>;
}

/// What stands in front of every route.
#[derive(Clone)]
pub struct Gate {
    pub tokens: Arc<dyn Authenticate>,
    pub policy: Arc<Policy>,
}

/// The id of one request, from the caller or made here.
#[derive(Clone, Debug)]
pub struct RequestId(pub Arc<str>);

/// Middleware: gives the request an id and, when it carries a good token, a [`Cx`].
pub async fn identify(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    request.extensions_mut().insert(RequestId(id.clone()));
    let cx = match token(request.headers()) {
        Some(token) => match gate.tokens.authenticate(token).await {
            Ok(who) => Ok(Cx::new(who, gate.policy.clone(), &id)),
            Err(error) => Err(error),
        },
        None => Err(Error::new(
            Kind::Unauthenticated,
            "log in first: this request carries no token",
        )),
    };
    request.extensions_mut().insert(Identified(cx));
    let mut response = next.run(request).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

#[derive(Clone)]
struct Identified(Result<Cx>);

/// The verified caller of a request. A handler that takes this answers nobody anonymous.
pub struct Caller(pub Cx);

impl Deref for Caller {
    type Target = Cx;
    fn deref(&self) -> &Cx {
        &self.0
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        let refuse = |error: Error| {
            let mut response = Problem(error).into_response();
            let hint = HeaderValue::from_static("Keystone uri=\"/identity/v3\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, hint);
            response
        };
        match parts.extensions.get::<Identified>() {
            Some(Identified(Ok(cx))) => Ok(Self(cx.clone())),
            Some(Identified(Err(error))) => Err(refuse(error.clone())),
            None => Err(refuse(Error::broken("this route was mounted without its gate"))),
        }
    }
}

/// `X-Auth-Token`, or a bearer token.
pub fn token(headers: &HeaderMap) -> Option<&str> {
    let named = headers.get("x-auth-token").and_then(|value| value.to_str().ok());
    let bearer = || {
        headers
            .get(header::AUTHORIZATION)?
            .to_str()
            .ok()?
            .strip_prefix("Bearer ")
    };
    named.or_else(bearer).map(str::trim).filter(|token| !token.is_empty())
}

fn request_id(headers: &HeaderMap) -> Arc<str> {
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    match given.filter(|id| id.len() == 40 && id.starts_with("req-") && id.bytes().all(|b| b.is_ascii_graphic())) {
        Some(id) => id.into(),
        None => format!("req-{}", uuid::Uuid::new_v4()).into(),
    }
}
