//! Sessions of browsers: a token of keystone's in a cookie that no script can read.
//! There is no table behind them; a session lives and ends with its token.

mod cookie;
mod keystone;
mod site;

use axum::{
    Extension, Json, Router,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
    routing::post,
};
use types::{Error, Kind};
use utoipa::{ToSchema, openapi::HttpMethod};
use web::{Input, Problem, caller, caller::RequestId, docs::Operation};

use crate::{Gateway, client::Client};

const PATH: &str = "/session";

/// Who logs in, and for what.
#[derive(serde::Serialize, serde::Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    username: String,
    password: String,
    /// The name of the domain of the user and the project; the default domain when absent.
    domain: Option<String>,
    /// The name of a project; the user's default project when absent.
    project: Option<String>,
}

/// A session, as its owner may see it.
#[derive(serde::Serialize, ToSchema)]
pub struct Session {
    user: Named,
    /// The user's domain.
    domain: Named,
    /// What the session is for; absent when it is for no project.
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<Named>,
    roles: Vec<String>,
    /// RFC 3339.
    expires_at: String,
}

#[derive(serde::Serialize, serde::Deserialize, ToSchema)]
pub struct Named {
    id: String,
    name: String,
}

pub fn routes() -> Router<Gateway> {
    Router::new().route(PATH, post(log_in).get(show).delete(log_out))
}

pub fn operations() -> Vec<Operation> {
    let about = |method, id, summary| Operation::new(method, PATH, id, "session", summary);
    vec![
        about(
            HttpMethod::Post,
            "session_create",
            "Logs in and keeps the token in a cookie of the browser.",
        )
        .open()
        .takes::<Login>()
        .answers::<Session>("201", "logged in"),
        about(HttpMethod::Get, "session_get", "Says who is logged in.").answers::<Session>("200", "the session"),
        about(
            HttpMethod::Delete,
            "session_delete",
            "Logs out: ends the token and removes the cookie.",
        )
        .empty("204", "logged out"),
    ]
}

/// Middleware: the token of the cookie becomes a token header, if the request comes from a page of this origin. A request
/// with a token of its own is no session's, and no cookie goes further than this.
pub async fn guard(Extension(client): Extension<Client>, mut request: Request, next: Next) -> Response {
    let token = cookie::token(request.headers());
    let own = caller::token(request.headers()).is_some() || request.headers().contains_key(header::AUTHORIZATION);
    let session = token.filter(|_| !own);
    if !request.method().is_safe() {
        let site = site::of(request.headers(), client.host.as_ref());
        let refused = match &session {
            Some(_) => site != site::Site::Same,
            // Nobody may log a browser in as somebody else either.
            None => request.uri().path() == PATH && site == site::Site::Other,
        };
        if refused {
            let sentence = "this request comes from a page of another site; a session acts only for pages of this one";
            return Problem(Error::denied(sentence).code("cross_site")).into_response();
        }
    }
    if let Some(token) = session {
        request.headers_mut().insert(keystone::TOKEN, token);
    }
    request.headers_mut().remove(header::COOKIE);
    next.run(request).await
}

async fn log_in(
    State(gateway): State<Gateway>,
    Extension(client): Extension<Client>,
    Extension(id): Extension<RequestId>,
    Input(login): Input<Login>,
) -> Result<Response, Problem> {
    let asking = keystone::Asking {
        gateway: &gateway,
        client: &client,
        id: &id,
    };
    let (token, session) = asking.log_in(&login).await?;
    let cookie = cookie::keep(&token, &session.expires_at, client.https)?;
    Ok(with_cookie((StatusCode::CREATED, Json(session)), cookie))
}

async fn show(
    State(gateway): State<Gateway>,
    Extension(client): Extension<Client>,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
) -> Response {
    let asking = keystone::Asking {
        gateway: &gateway,
        client: &client,
        id: &id,
    };
    let session = match presented(&headers) {
        Ok(token) => asking.show(token).await,
        Err(error) => Err(error),
    };
    match session {
        Ok(session) => ([(header::CACHE_CONTROL, "no-store")], Json(session)).into_response(),
        Err(error) if error.kind == Kind::Unauthenticated => with_cookie(Problem(error), cookie::drop(client.https)),
        Err(error) => Problem(error).into_response(),
    }
}

/// When keystone cannot be asked the session stays, so that ending it can be tried again.
async fn log_out(
    State(gateway): State<Gateway>,
    Extension(client): Extension<Client>,
    Extension(id): Extension<RequestId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let asking = keystone::Asking {
        gateway: &gateway,
        client: &client,
        id: &id,
    };
    if let Ok(token) = presented(&headers) {
        asking.revoke(token).await?;
    }
    Ok(with_cookie(StatusCode::NO_CONTENT, cookie::drop(client.https)))
}

fn presented(headers: &HeaderMap) -> types::Result<&str> {
    let nobody = || Error::new(Kind::Unauthenticated, "nobody is logged in here: POST /session logs in");
    caller::token(headers).ok_or_else(nobody)
}

fn with_cookie(answer: impl IntoResponse, cookie: HeaderValue) -> Response {
    let mut response = answer.into_response();
    let headers = response.headers_mut();
    headers.insert(header::SET_COOKIE, cookie);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
