//! What a session asks of keystone: log in, look, end. Identity v3, like any other client.

use std::time::Duration;

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
};
use serde::Deserialize;
use serde_json::{Value, json};
use types::{Error, Kind, Result};
use web::caller::RequestId;

use super::{Login, Named, Session};
use crate::{Gateway, client::Client};

pub const TOKEN: &str = "x-auth-token";
const SUBJECT: &str = "x-subject-token";
const TOKENS: &str = "/identity/v3/auth/tokens?nocatalog";

/// How long keystone may take, and how much it may say.
const PATIENCE: Duration = Duration::from_secs(30);
const ANSWER: usize = 1 << 20;

/// For whom keystone is asked.
pub struct Asking<'a> {
    pub gateway: &'a Gateway,
    pub client: &'a Client,
    pub id: &'a RequestId,
}

impl Asking<'_> {
    /// The token, and what it is for.
    pub async fn log_in(&self, login: &Login) -> Result<(String, Session)> {
        let (status, headers, body) = self.ask(Method::POST, None, credentials(login).to_string()).await?;
        if !status.is_success() {
            return Err(refusal(status, &body));
        }
        let token = headers.get(SUBJECT).and_then(|token| token.to_str().ok());
        let token = token.ok_or_else(|| Error::broken("keystone logged in without giving a token"))?;
        Ok((token.to_owned(), session(body)?))
    }

    pub async fn show(&self, token: &str) -> Result<Session> {
        let (status, _, body) = self.ask(Method::GET, Some(token), String::new()).await?;
        match status {
            status if status.is_success() => session(body),
            StatusCode::NOT_FOUND | StatusCode::UNAUTHORIZED => {
                Err(Error::new(Kind::Unauthenticated, "this session is over: log in again"))
            }
            status => Err(refusal(status, &body)),
        }
    }

    /// A token that has ended already is fine.
    pub async fn revoke(&self, token: &str) -> Result<()> {
        let (status, _, body) = self.ask(Method::DELETE, Some(token), String::new()).await?;
        match status {
            StatusCode::NOT_FOUND | StatusCode::UNAUTHORIZED => Ok(()),
            status if status.is_success() => Ok(()),
            status => Err(refusal(status, &body).wrap("the session could not be ended: try again")),
        }
    }

    async fn ask(&self, method: Method, token: Option<&str>, body: String) -> Result<(StatusCode, HeaderMap, Value)> {
        let broken = |e: axum::http::Error| Error::broken("a request to keystone could not be built").because(e);
        let mut request = Request::builder().method(method).uri(TOKENS);
        if let Some(token) = token {
            request = request.header(TOKEN, token).header(SUBJECT, token);
        }
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let request = request.body(Body::from(body)).map_err(broken)?;
        let identity = &self.gateway.services.identity;
        let work = async {
            let answer = identity.call(request, self.client, self.id).await?;
            let (parts, body) = answer.into_parts();
            let lost = |e| Error::unavailable("keystone's answer broke off").because(e);
            let bytes = to_bytes(body, ANSWER).await.map_err(lost)?;
            Ok((
                parts.status,
                parts.headers,
                serde_json::from_slice(&bytes).unwrap_or_default(),
            ))
        };
        let late = |_| Error::new(Kind::Timeout, "the identity service has not answered within 30 s");
        tokio::time::timeout(PATIENCE, work).await.map_err(late)?
    }
}

fn credentials(login: &Login) -> Value {
    let domain = match &login.domain {
        Some(name) => json!({ "name": name }),
        None => json!({ "id": "default" }),
    };
    let user = json!({ "name": login.username, "domain": domain, "password": login.password });
    let mut auth = json!({ "identity": { "methods": ["password"], "password": { "user": user } } });
    if let Some(project) = &login.project {
        auth["scope"] = json!({ "project": { "name": project, "domain": domain } });
    }
    json!({ "auth": auth })
}

#[derive(Deserialize)]
struct Answer {
    token: Token,
}

#[derive(Deserialize)]
struct Token {
    user: User,
    project: Option<Named>,
    #[serde(default)]
    roles: Vec<Named>,
    expires_at: String,
}

#[derive(Deserialize)]
struct User {
    id: String,
    name: String,
    domain: Named,
}

fn session(body: Value) -> Result<Session> {
    let unreadable = |e| Error::broken("keystone's answer about a token cannot be read").because(e);
    let Answer { token } = serde_json::from_value(body).map_err(unreadable)?;
    Ok(Session {
        user: Named {
            id: token.user.id,
            name: token.user.name,
        },
        domain: token.user.domain,
        project: token.project,
        roles: token.roles.into_iter().map(|role| role.name).collect(),
        expires_at: token.expires_at,
    })
}

/// Keystone's envelope, or a problem document, as the error it describes.
fn refusal(status: StatusCode, body: &Value) -> Error {
    let kind = match status {
        StatusCode::UNAUTHORIZED => Kind::Unauthenticated,
        StatusCode::FORBIDDEN => Kind::Denied,
        StatusCode::TOO_MANY_REQUESTS => Kind::Throttled,
        status if status.is_client_error() => Kind::Invalid,
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => Kind::Unavailable,
        _ => Kind::Broken,
    };
    let said = body["error"]["message"].as_str().or(body["detail"].as_str());
    Error::new(
        kind,
        said.map_or_else(|| format!("keystone answered {status}"), str::to_owned),
    )
}
