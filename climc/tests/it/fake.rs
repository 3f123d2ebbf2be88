//! A service for the client's tests only: it answers what a test scripted and remembers what it was asked.
//! It knows nothing about the product; the product's own end-to-end tests run against the real services.

use std::{
    collections::VecDeque,
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

/// One scripted answer: taken by the first request whose method and path begin like this.
struct Script {
    line: &'static str,
    answers: VecDeque<(u16, Value, Option<&'static str>)>,
}

#[derive(Clone)]
pub struct Asked {
    pub line: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

#[derive(Default)]
struct Inner {
    scripts: Vec<Script>,
    asked: Vec<Asked>,
    origin: String,
    logins: usize,
}

#[derive(Clone, Default)]
pub struct Fake {
    inner: Arc<Mutex<Inner>>,
    home: Arc<Option<tempfile::TempDir>>,
}

pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Fake {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Self {
            home: Arc::new(Some(tempfile::tempdir().unwrap())),
            ..Self::default()
        };
        fake.inner.lock().unwrap().origin = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(fake.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        fake
    }

    /// Answers requests that begin with `line` (`GET /servers?`), one after another; the last one again and again.
    pub fn on(&self, line: &'static str, answers: impl IntoIterator<Item = (u16, Value)>) {
        let answers = answers.into_iter().map(|(status, body)| (status, body, None)).collect();
        self.inner.lock().unwrap().scripts.push(Script { line, answers });
    }

    pub fn on_with_retry_after(&self, line: &'static str, status: u16, after: &'static str, then: (u16, Value)) {
        let answers = VecDeque::from([(status, json!({}), Some(after)), (then.0, then.1, None)]);
        self.inner.lock().unwrap().scripts.push(Script { line, answers });
    }

    pub fn asked(&self, line: &str) -> Vec<Asked> {
        let inner = self.inner.lock().unwrap();
        inner
            .asked
            .iter()
            .filter(|asked| asked.line.starts_with(line))
            .cloned()
            .collect()
    }

    pub fn logins(&self) -> usize {
        self.inner.lock().unwrap().logins
    }

    pub fn home(&self) -> &Path {
        self.home.as_ref().as_ref().unwrap().path()
    }

    pub async fn climc(&self, words: &str) -> Ran {
        self.climc_with(words, "").await
    }

    /// Runs climc with `input` on standard input, which is no terminal.
    pub async fn climc_with(&self, words: &str, input: &str) -> Ran {
        let url = format!("{}/identity/v3", self.inner.lock().unwrap().origin);
        let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_climc"))
            .args(words.split_whitespace())
            .env_clear()
            .env("HOME", self.home())
            .envs([
                ("OS_AUTH_URL", url.as_str()),
                ("OS_USERNAME", "ann"),
                ("OS_PASSWORD", "right"),
                ("OS_PROJECT_NAME", "demo"),
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let done = child.wait_with_output().await.unwrap();
        Ran {
            code: done.status.code().unwrap_or(-1),
            out: String::from_utf8(done.stdout).unwrap(),
            err: String::from_utf8(done.stderr).unwrap(),
        }
    }
}

async fn answer(State(fake): State<Fake>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 26).await.unwrap();
    let path = head.uri.path_and_query().unwrap().as_str();
    if path.starts_with("/identity/v3/auth/tokens") {
        return login(&fake, &body);
    }
    let line = format!("{} {path}", head.method);
    let mut inner = fake.inner.lock().unwrap();
    inner.asked.push(Asked {
        line: line.clone(),
        headers: head.headers,
        body,
    });
    let script = inner.scripts.iter_mut().find(|script| line.starts_with(script.line));
    let Some(script) = script else {
        let problem = json!({ "kind": "not_found", "detail": format!("nothing is scripted for {line}") });
        return (StatusCode::NOT_FOUND, axum::Json(problem)).into_response();
    };
    let next = if script.answers.len() > 1 {
        script.answers.pop_front()
    } else {
        script.answers.front().cloned()
    };
    let (status, body, after) = next.unwrap();
    let status = StatusCode::from_u16(status).unwrap();
    let headers: Vec<_> = after.map(|after| ("retry-after", after)).into_iter().collect();
    match body {
        Value::Null => status.into_response(),
        Value::String(text) => (status, axum::response::AppendHeaders(headers), text).into_response(),
        body => (status, axum::response::AppendHeaders(headers), axum::Json(body)).into_response(),
    }
}

fn login(fake: &Fake, body: &[u8]) -> Response {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    if body.pointer("/auth/identity/password/user/password") != Some(&json!("right")) {
        let envelope =
            json!({ "error": { "code": 401, "message": "name or password is wrong", "title": "Unauthorized" } });
        return (StatusCode::UNAUTHORIZED, axum::Json(envelope)).into_response();
    }
    let mut inner = fake.inner.lock().unwrap();
    inner.logins += 1;
    let endpoint = |url: String| json!([{ "interface": "public", "region_id": "RegionOne", "url": url }]);
    let token = json!({ "token": {
        "expires_at": "2099-01-01T00:00:00.000000Z",
        "user": { "id": "u1", "name": "ann" },
        "project": { "id": "p1", "name": "demo" },
        "catalog": [
            { "type": "isobar", "endpoints": endpoint(inner.origin.clone()) },
            { "type": "image", "endpoints": endpoint(format!("{}/image", inner.origin)) },
        ],
    } });
    let header = [("x-subject-token", format!("token-{}", inner.logins))];
    (StatusCode::CREATED, header, axum::Json(token)).into_response()
}
