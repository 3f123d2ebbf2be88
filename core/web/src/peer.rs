//! How one service calls another: over HTTP, or straight into its router when both live in one process.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use axum::{Router, body::Body};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tower::ServiceExt;
use types::{Error, Kind, Result};

use crate::{
    caller::REQUEST_ID,
    origins::{Origins, Unanswered},
};

/// How long a call to another service may take.
const LIMIT: Duration = Duration::from_secs(30);

/// How long one replica of it may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(2);

/// An answer that has begun.
type Answer = (StatusCode, http::HeaderMap, BoxStream<'static, Result<Bytes>>);

#[derive(Clone)]
enum Transport {
    /// Filled after all routers are made, since they refer to each other.
    Local(Arc<OnceLock<Router>>),
    Http {
        client: Result<reqwest::Client>,
        origins: Arc<Origins>,
    },
}

/// Another service of ours.
#[derive(Clone)]
pub struct Peer {
    name: &'static str,
    transport: Transport,
    login: Option<Arc<Login>>,
}

/// The router of a service in this process, given later.
#[derive(Clone)]
pub struct Slot(Arc<OnceLock<Router>>);

impl Slot {
    /// Connects it; the second call changes nothing.
    pub fn fill(&self, router: Router) {
        self.0.get_or_init(|| router);
    }
}

impl Peer {
    /// A service in the same process.
    pub fn local(name: &'static str) -> (Self, Slot) {
        let slot = Arc::new(OnceLock::new());
        (
            Self {
                name,
                transport: Transport::Local(slot.clone()),
                login: None,
            },
            Slot(slot),
        )
    }

    /// A service elsewhere, by the URLs below which its replicas serve it. When one of them accepts no connection the
    /// next is asked, and the one that answered is the first to be asked from then on.
    pub fn http(name: &'static str, bases: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let client = reqwest::Client::builder().connect_timeout(CONNECT).build();
        let transport = Transport::Http {
            client: client.map_err(|e| Error::unavailable(format!("connections to {name} cannot be made")).because(e)),
            origins: Arc::new(Origins::new(name, bases)),
        };
        Self {
            name,
            transport,
            login: None,
        }
    }

    /// The same service, called as `login` says.
    pub fn logged_in(mut self, login: Arc<Login>) -> Self {
        self.login = Some(login);
        self
    }

    pub async fn get<T: DeserializeOwned>(&self, cx_request_id: &str, path: &str) -> Result<T> {
        self.call(Method::GET, cx_request_id, path, None::<&Value>).await
    }

    pub async fn post<T: DeserializeOwned>(&self, request_id: &str, path: &str, body: &impl Serialize) -> Result<T> {
        self.call(Method::POST, request_id, path, Some(body)).await
    }

    /// One JSON call; a problem document comes back as the error it was.
    pub async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        request_id: &str,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> Result<T> {
        let encoded = body.map(serde_json::to_vec).transpose();
        let body = encoded
            .map_err(|e| Error::broken("a request could not be written").because(e))?
            .unwrap_or_default();
        let work = async {
            let (status, _, answer) = self.send(method, request_id, path, body).await?;
            let bytes = collect(answer).await?;
            if !status.is_success() {
                return Err(refusal(self.name, status, &bytes));
            }
            let bytes = if bytes.is_empty() {
                Bytes::from_static(b"null")
            } else {
                bytes
            };
            serde_json::from_slice(&bytes)
                .map_err(|e| Error::broken(format!("{} answered in an unexpected shape", self.name)).because(e))
        };
        let late = |_| Error::new(Kind::Timeout, format!("{} did not answer within 30 s", self.name));
        tokio::time::timeout(LIMIT, work).await.map_err(late)?
    }

    /// A body of any size, as it comes.
    pub async fn stream(&self, request_id: &str, path: &str) -> Result<BoxStream<'static, Result<Bytes>>> {
        let (status, _, answer) = self.send(Method::GET, request_id, path, Vec::new()).await?;
        if !status.is_success() {
            let bytes = collect(answer).await?;
            return Err(refusal(self.name, status, &bytes));
        }
        Ok(answer)
    }

    async fn send(&self, method: Method, request_id: &str, path: &str, body: Vec<u8>) -> Result<Answer> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(REQUEST_ID, request_id);
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if let Some(login) = &self.login {
            request = request.header("x-auth-token", Box::pin(login.token(request_id)).await?);
        }
        let name = self.name;
        let request = request.body(Bytes::from(body)).map_err(|e| unwritable(name, e))?;
        match &self.transport {
            Transport::Local(router) => {
                let router = router
                    .get()
                    .cloned()
                    .ok_or_else(|| Error::unavailable(format!("{name} has not started yet")))?;
                let response = router.oneshot(request.map(Body::from)).await;
                let (parts, body) = response.unwrap_or_else(|never| match never {}).into_parts();
                let stream = TryStreamExt::map_err(body.into_data_stream(), move |e| lost(name, e)).boxed();
                Ok((parts.status, parts.headers, stream))
            }
            Transport::Http { client, origins } => {
                let client = client.as_ref().map_err(Clone::clone)?;
                send_http(name, client, origins, &request, path).await
            }
        }
    }
}

async fn send_http(
    name: &'static str,
    client: &reqwest::Client,
    origins: &Origins,
    request: &Request<Bytes>,
    path: &str,
) -> Result<Answer> {
    let build = |origin: &str| {
        let mut request = request.clone();
        *request.uri_mut() = format!("{origin}{path}").parse().map_err(|e| unwritable(name, e))?;
        reqwest::Request::try_from(request).map_err(|e| unwritable(name, e))
    };
    let response = origins.send(client, build).await.map_err(|failure| match failure {
        Unanswered::Unwritable(error) => error,
        Unanswered::Unreached(Some(cause)) => {
            Error::unavailable(format!("{name} cannot be reached at {origins}")).because(cause)
        }
        Unanswered::Unreached(None) => Error::unavailable(format!("{name} cannot be reached: no origin of it is set")),
        Unanswered::Broken(cause) => lost(name, cause),
    })?;
    let (status, headers) = (response.status(), response.headers().clone());
    let stream = response.bytes_stream().map_err(move |e| lost(name, e)).boxed();
    Ok((status, headers, stream))
}

fn unwritable(name: &str, error: impl std::error::Error) -> Error {
    Error::broken(format!("a request to {name} could not be built")).because(error)
}

async fn collect(stream: BoxStream<'static, Result<Bytes>>) -> Result<Bytes> {
    let frames = stream.map_ok(http_body::Frame::data);
    Ok(BodyExt::collect(http_body_util::StreamBody::new(frames))
        .await?
        .to_bytes())
}

fn lost(name: &str, error: impl std::error::Error) -> Error {
    Error::unavailable(format!("the connection to {name} broke before its answer ended")).because(error)
}

/// An answer that is not a success, as the error it describes.
fn refusal(name: &str, status: StatusCode, body: &[u8]) -> Error {
    let document: Value = serde_json::from_slice(body).unwrap_or_default();
    if let (Ok(kind), Some(message)) = (
        serde_json::from_value(document["kind"].clone()),
        document["detail"].as_str(),
    ) {
        let mut error = Error::new(kind, message).details(document["details"].clone());
        if let Some(code) = document["code"].as_str() {
            error = error.code(code);
        }
        error.resource = document["resource"].as_str().map(str::to_owned);
        return error;
    }
    let kind = match status {
        StatusCode::NOT_FOUND => Kind::NotFound,
        StatusCode::UNAUTHORIZED => Kind::Unauthenticated,
        StatusCode::FORBIDDEN => Kind::Denied,
        StatusCode::CONFLICT => Kind::Conflict,
        StatusCode::TOO_MANY_REQUESTS => Kind::Throttled,
        status if status.is_client_error() => Kind::Invalid,
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => Kind::Unavailable,
        _ => Kind::Broken,
    };
    let said = document["error"]["message"].as_str().or(document["message"].as_str());
    Error::new(
        kind,
        said.map_or_else(|| format!("{name} answered {status}"), str::to_owned),
    )
}

/// A service's own user at keystone, and the token it has now.
pub struct Login {
    keystone: Peer,
    user: String,
    password: String,
    held: Mutex<Option<(String, Instant)>>,
}

/// A token is renewed when it is this old; keystone's live longer.
const RENEW: Duration = Duration::from_secs(300);

impl Login {
    /// A user in the default domain with a role on the project `service`.
    pub fn new(keystone: Peer, user: &str, password: &str) -> Self {
        Self {
            keystone,
            user: user.to_owned(),
            password: password.to_owned(),
            held: Mutex::new(None),
        }
    }

    async fn token(&self, request_id: &str) -> Result<String> {
        let mut held = self.held.lock().await;
        if let Some((token, since)) = &*held
            && since.elapsed() < RENEW
        {
            return Ok(token.clone());
        }
        let body = json!({ "auth": {
            "identity": { "methods": ["password"], "password": { "user": {
                "name": self.user, "domain": { "id": "default" }, "password": self.password } } },
            "scope": { "project": { "name": "service", "domain": { "id": "default" } } },
        }});
        let (status, headers, answer) = self
            .keystone
            .send(
                Method::POST,
                request_id,
                "/v3/auth/tokens?nocatalog",
                body.to_string().into(),
            )
            .await?;
        let bytes = collect(answer).await?;
        let token = headers
            .get("x-subject-token")
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        let Some(token) = token.filter(|_| status.is_success()) else {
            return Err(refusal("keystone", status, &bytes)
                .wrap("this service cannot log in: is service_secret the same everywhere?"));
        };
        *held = Some((token.clone(), Instant::now()));
        Ok(token)
    }
}
