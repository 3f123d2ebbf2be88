//! Services that say what they were asked, and ways to ask a gateway.

use std::net::SocketAddr;

use apigateway::{Options, Upstream};
use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde_json::{Value, json};
use tower::ServiceExt;

/// Whether the services behind a gateway are routers or processes.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    Here,
    Elsewhere,
}

pub const PLACES: [Place; 2] = [Place::Here, Place::Elsewhere];

pub async fn upstream(place: Place, router: Router) -> Upstream {
    match place {
        Place::Here => Upstream::Local(router),
        Place::Elsewhere => Upstream::Http(vec![serve(router).await]),
    }
}

/// Serves a router on a free port, and returns its origin.
pub async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
    origin
}

/// Answers every request with what it was.
pub fn echo(name: &'static str) -> Router {
    Router::new().fallback(move |request: Request| async move {
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        let headers: serde_json::Map<String, Value> = parts
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), json!(value.to_str().unwrap())))
            .collect();
        Json(json!({
            "service": name,
            "method": parts.method.as_str(),
            "target": parts.uri.path_and_query().unwrap().as_str(),
            "headers": headers,
            "body": String::from_utf8_lossy(&body),
        }))
    })
}

/// Four echoes.
pub async fn echoes(place: Place) -> Options {
    Options {
        identity: upstream(place, echo("identity")).await,
        image: upstream(place, echo("image")).await,
        placement: upstream(place, echo("placement")).await,
        region: upstream(place, echo("region")).await,
        ..Options::default()
    }
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|e| panic!("{e}: {}", self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// One request straight into the router: `ask(&app, "POST /x", &[("host", "a")], "body")`.
pub async fn ask(app: &Router, line: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
    let (method, target) = line.split_once(' ').unwrap();
    let mut request = Request::builder()
        .method(method)
        .uri(target)
        .header("host", "cloud.example");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = app.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
    read(response).await
}

pub async fn read(response: Response) -> Answer {
    let (parts, body) = response.into_parts();
    let text = String::from_utf8(to_bytes(body, 1 << 20).await.unwrap().to_vec()).unwrap();
    Answer {
        status: parts.status,
        headers: parts.headers,
        text,
    }
}
