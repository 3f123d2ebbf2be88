//! Requests to services in this process, and who sends them.

use std::sync::Arc;

use async_trait::async_trait;
use auth::{Policy, Scope, Who};
use axum::{
    Router,
    body::Body,
    http::{HeaderMap, HeaderValue, Request, StatusCode},
    middleware::{self, Next},
};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;
use types::{Error, Kind, Result};
use web::{Authenticate, Gate};

/// The installation's administrator, a member and a reader of one project, a member of another.
pub const ADMIN: &str = "ops:admin";
pub const MEMBER: &str = "ours:member";
pub const READER: &str = "ours:reader";
pub const FOREIGN: &str = "theirs:member";
/// How our own services call each other.
pub const SERVICE: &str = "service:service";

/// A token of these tests is `project:role`.
struct Tokens;

#[async_trait]
impl Authenticate for Tokens {
    async fn authenticate(&self, token: &str) -> Result<Who> {
        let wrong = || Error::new(Kind::Unauthenticated, "this token is not valid");
        let (project, role) = token.split_once(':').ok_or_else(wrong)?;
        let domain = auth::policy::default_domain();
        let id = project.parse()?;
        Ok(Who {
            user: role.parse()?,
            user_name: role.to_owned(),
            domain: domain.clone(),
            scope: Scope::Project { id, domain },
            roles: vec![role.to_owned()],
        })
    }
}

/// What the region answered.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

/// A request to the region.
#[derive(Clone, Debug)]
pub struct Call {
    pub who: &'static str,
    pub method: &'static str,
    pub path: String,
    /// Null sends no body.
    pub body: Value,
}

pub fn post(path: &str, body: Value) -> Call {
    Call {
        who: MEMBER,
        method: "POST",
        path: path.to_owned(),
        body,
    }
}

pub fn delete(path: &str) -> Call {
    Call {
        who: MEMBER,
        method: "DELETE",
        path: path.to_owned(),
        body: Value::Null,
    }
}

impl Call {
    pub fn admin(self) -> Self {
        Self { who: ADMIN, ..self }
    }
}

pub async fn send(app: &Router, who: &str, method: &str, path: &str, headers: &[(&str, &str)], body: Body) -> Reply {
    let mut request = Request::builder().method(method).uri(path).header("host", "cloud.test");
    if !who.is_empty() {
        request = request.header("x-auth-token", who);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        request = request.header("content-type", "application/json");
    }
    let response = app.clone().oneshot(request.body(body).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| String::from_utf8_lossy(&bytes).into());
    Reply {
        status: parts.status,
        headers: parts.headers,
        body,
    }
}

pub fn gated(app: Router) -> Router {
    let gate = Gate {
        tokens: Arc::new(Tokens),
        policy: Arc::new(Policy::default()),
    };
    app.layer(middleware::from_fn_with_state(gate, web::caller::identify))
}

/// A call between services carries no token here; in the product it carries that of our own user.
pub fn as_us(app: Router) -> Router {
    app.layer(middleware::from_fn(
        async |mut request: axum::extract::Request, next: Next| {
            request
                .headers_mut()
                .entry("x-auth-token")
                .or_insert(HeaderValue::from_static(SERVICE));
            next.run(request).await
        },
    ))
}
