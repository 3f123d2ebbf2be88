//! What every request passes: its id, the origin its links are written with, the headers every answer has.

use axum::{
    Router,
    extract::{Request, State as FromState},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header},
    middleware::{Next, from_fn_with_state},
    response::Response,
};
use tower::ServiceBuilder;

use crate::State;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-openstack-request-id");

/// The id of this request, as it appears in logs, events and the answer.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// Where the client sees us.
#[derive(Clone, Debug)]
pub struct Origin {
    /// `https://cloud.example`: the whole installation.
    pub root: String,
    /// `https://cloud.example/identity/v3`: this API.
    pub v3: String,
}

impl Origin {
    pub fn link(&self, path: &str) -> String {
        format!("{}{path}", self.v3)
    }
}

/// Puts the front before the routes, so that it sees paths before they are matched.
pub fn behind(state: State, inner: Router) -> Router {
    let layer = from_fn_with_state(state, pass);
    Router::new().fallback_service(ServiceBuilder::new().layer(layer).service(inner))
}

async fn pass(FromState(state): FromState<State>, mut request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    let origin = origin(&state, request.headers());
    let challenge = format!("Keystone uri=\"{}\"", origin.v3);
    trim(request.uri_mut());
    request.extensions_mut().insert(RequestId(id.clone()));
    request.extensions_mut().insert(origin);
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("X-Auth-Token"));
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, id);
    }
    if response.status() == StatusCode::UNAUTHORIZED
        && let Ok(challenge) = HeaderValue::from_str(&challenge)
    {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// The id the gateway gave the request, or a new one.
fn request_id(headers: &HeaderMap) -> String {
    let given = ["x-request-id", "x-openstack-request-id"]
        .iter()
        .find_map(|name| headers.get(*name)?.to_str().ok())
        .filter(|id| id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
    match given {
        Some(id) => id.to_owned(),
        None => format!("req-{}", uuid::Uuid::new_v4()),
    }
}

fn origin(state: &State, headers: &HeaderMap) -> Origin {
    let header = |name: &str| {
        let value = headers.get(name)?.to_str().ok()?.split(',').next()?.trim();
        let plain = |b: u8| b.is_ascii_alphanumeric() || b".-:[]_".contains(&b);
        (!value.is_empty() && value.bytes().all(plain)).then(|| value.to_owned())
    };
    let root = match &state.options().public_url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => {
            let scheme = header("x-forwarded-proto").unwrap_or_else(|| "http".to_owned());
            let host = header("x-forwarded-host").or_else(|| header("host"));
            format!("{scheme}://{}", host.unwrap_or_else(|| "localhost".to_owned()))
        }
    };
    let v3 = format!("{root}{}/v3", state.options().prefix);
    Origin { root, v3 }
}

/// `/v3/users/` means `/v3/users`.
fn trim(uri: &mut Uri) {
    let path = uri.path();
    if path.len() < 2 || !path.ends_with('/') {
        return;
    }
    let path = match path.trim_end_matches('/') {
        "" => "/",
        trimmed => trimmed,
    };
    let target = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    if let Ok(trimmed) = target.parse() {
        *uri = trimmed;
    }
}
