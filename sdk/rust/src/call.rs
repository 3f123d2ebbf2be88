//! One request: built, authorised, sent, repeated where that is safe, and its failure understood.

use std::time::Duration;

use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture};
use reqwest::{Body, Method, RequestBuilder, Response, Url, header::HeaderMap};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::{Instant, timeout, timeout_at};
use types::Kind;

use crate::{Client, Error, Result, Service, retry};

const REQUEST_ID: &str = "x-openstack-request-id";

/// A request being built.
pub struct Call {
    client: Client,
    method: Method,
    service: Service,
    path: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    body: Option<Bytes>,
    timeout: Duration,
    repeatable: bool,
    anonymous: bool,
}

/// An answer with a success status, read whole.
pub struct Reply {
    pub status: u16,
    pub body: Bytes,
    headers: HeaderMap,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|e| Error::invalid_answer("this request", e))
    }
}

impl Call {
    pub(crate) fn new(client: Client, method: Method, service: Service, path: String) -> Self {
        Self {
            repeatable: method.is_idempotent(),
            timeout: client.options().timeout,
            client,
            method,
            service,
            path,
            query: Vec::new(),
            headers: vec![(REQUEST_ID.to_owned(), format!("req-{}", uuid::Uuid::new_v4()))],
            body: None,
            anonymous: false,
        }
    }

    pub fn query(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((key.into(), value.into()));
        self
    }

    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn json(self, body: &impl Serialize) -> Self {
        let bytes = serde_json::to_vec(body).unwrap_or_default();
        self.bytes("application/json", bytes)
    }

    pub fn bytes(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self.header("content-type", content_type)
    }

    /// Gives a create its idempotency key; with it the request may be sent again.
    pub fn keyed(self) -> Self {
        self.header("idempotency-key", uuid::Uuid::new_v4().to_string())
            .repeatable()
    }

    /// Says that doing it twice is the same as doing it once.
    pub fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    pub(crate) fn anonymous(mut self) -> Self {
        self.anonymous = true;
        self
    }

    /// The full address, after logging in to learn where the service is.
    pub async fn url(&self) -> Result<Url> {
        if self.path.starts_with("http://") || self.path.starts_with("https://") {
            return self.parse(&self.path);
        }
        let base = match self.service {
            Service::Identity => self.client.auth().auth_url.trim_end_matches('/').to_owned(),
            service => self.client.session().await?.base(service, self.client.auth())?,
        };
        self.parse(&format!("{base}/{}", self.path.trim_start_matches('/')))
    }

    fn parse(&self, text: &str) -> Result<Url> {
        let mut url = Url::parse(text)
            .map_err(|e| Error::new(Kind::Invalid, format!("`{text}` is not an address")).because(e))?;
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        Ok(url)
    }

    /// Sends it and reads the whole answer.
    pub async fn send(self) -> Result<Reply> {
        match self.retried(|response| whole(response).boxed()).await {
            // The first attempt did it and its answer was lost.
            (Err(error), 2..) if error.status() == Some(404) && self.method == Method::DELETE => Ok(Reply {
                status: 204,
                headers: HeaderMap::new(),
                body: Bytes::new(),
            }),
            (answered, _) => answered,
        }
    }

    /// Sends it and reads the answer as JSON.
    pub async fn receive<T: DeserializeOwned>(self) -> Result<T> {
        let what = format!("{} {}", self.method, self.path);
        let reply = self.send().await?;
        serde_json::from_slice(&reply.body).map_err(|e| Error::invalid_answer(&what, e))
    }

    /// Sends it and gives the answer as it arrives. Only the wait for its beginning is bounded.
    pub async fn open(self) -> Result<Response> {
        self.retried(|response| async { Ok(response) }.boxed()).await.0
    }

    /// Sends a body of any length, once.
    pub async fn upload(self, body: Body) -> Result<Response> {
        let session = self.client.session().await?;
        let request = self.request(Some(&session.token)).await?;
        checked(self.url().await?, request.body(body).send().await).await
    }

    /// The outcome, and how many attempts it took. What `read` makes of an answer is part of the attempt.
    async fn retried<T>(&self, read: Read<T>) -> (Result<T>, u32) {
        let options = self.client.options();
        let attempts = if self.repeatable { options.attempts.max(1) } else { 1 };
        let deadline = options.deadline.max(self.timeout);
        let end = Instant::now() + deadline;
        let mut renewed = false;
        let mut attempt = 1;
        loop {
            let done = timeout_at(end, self.once(read, &mut renewed)).await;
            let error = match done.unwrap_or_else(|_| Err(self.late(deadline))) {
                Ok(answer) => return (Ok(answer), attempt),
                Err(error) => error,
            };
            match retry::pause(&error, attempt) {
                Some(pause) if attempt < attempts && Instant::now() + pause < end => tokio::time::sleep(pause).await,
                _ => return (Err(error), attempt),
            }
            attempt += 1;
        }
    }

    /// One attempt, and a second one with a new login when the token was refused.
    async fn once<T>(&self, read: Read<T>, renewed: &mut bool) -> Result<T> {
        if self.anonymous {
            return self.attempt(None, read).await;
        }
        let session = self.client.session().await?;
        match self.attempt(Some(&session.token), read).await {
            Err(error) if error.status() == Some(401) && !*renewed => {
                *renewed = true;
                let session = self.client.replace(&session).await?;
                self.attempt(Some(&session.token), read).await
            }
            done => done,
        }
    }

    async fn attempt<T>(&self, token: Option<&str>, read: Read<T>) -> Result<T> {
        let mut request = self.request(token).await?;
        if let Some(body) = &self.body {
            request = request.body(body.clone());
        }
        let url = self.url().await?;
        let origin = origin(&url);
        let exchange = async { read(checked(url, request.send().await).await?).await };
        timeout(self.timeout, exchange).await.unwrap_or_else(|_| {
            let message = format!("{origin} did not answer within {:?}", self.timeout);
            Err(Error::new(Kind::Timeout, message))
        })
    }

    fn late(&self, deadline: Duration) -> Error {
        let message = format!("{} {} did not end within {deadline:?}", self.method, self.path);
        Error::new(Kind::Timeout, message)
    }

    async fn request(&self, token: Option<&str>) -> Result<RequestBuilder> {
        let url = self.url().await?;
        let options = self.client.options();
        let cacert = self.client.auth().cacert.as_deref();
        let client = self.client.transport().client(&url, &options.user_agent, cacert)?;
        let mut request = client.request(self.method.clone(), url);
        if let Some(token) = token {
            request = request.header("x-auth-token", token);
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        Ok(request)
    }
}

/// What is made of an answer with a success status.
type Read<T> = fn(Response) -> BoxFuture<'static, Result<T>>;

async fn whole(response: Response) -> Result<Reply> {
    let origin = origin(response.url());
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = response.bytes().await.map_err(|e| Error::broke_off(&origin, e))?;
    Ok(Reply { status, body, headers })
}

fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

async fn checked(url: Url, sent: reqwest::Result<Response>) -> Result<Response> {
    let response = sent.map_err(|e| Error::transport(&origin(&url), e))?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let header = |name: &str| {
        let value = response.headers().get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    let request_id = header(REQUEST_ID);
    let retry_after = header("retry-after")
        .and_then(|text| text.parse().ok())
        .map(Duration::from_secs);
    let body = response.bytes().await.unwrap_or_default();
    Err(Error::answer(status.as_u16(), request_id, retry_after, &body))
}

/// A key as one segment of a path.
///
/// Keys that would change the path (empty, `.`, `..`) become ones that no object has.
pub(crate) fn segment(key: &str) -> String {
    if matches!(key, "" | "." | "..") {
        return format!("%25{key}");
    }
    let mut text = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => text.push(char::from(byte)),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_never_changes_the_path() {
        for (key, path) in [
            ("web", "web"),
            ("a/b?c", "a%2Fb%3Fc"),
            ("..", "%25.."),
            ("", "%25"),
            ("é", "%C3%A9"),
        ] {
            assert_eq!(segment(key), path);
        }
    }
}
