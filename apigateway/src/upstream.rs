//! One service behind the gateway, called in its router or over HTTP; bodies stream through, whichever way.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Uri, header},
    response::Response,
};
use futures::TryStreamExt;
use tower::ServiceExt;
use types::{Error, Result};
use web::{
    caller::{REQUEST_ID, RequestId},
    origins::{Origins, Unanswered},
};

use crate::{
    Upstream,
    client::{Client, FORWARDED_FOR, FORWARDED_HOST, FORWARDED_PROTO},
};

pub struct Service {
    /// As people call it: `identity`.
    pub name: &'static str,
    transport: Transport,
}

enum Transport {
    Local(Router),
    Http {
        client: Result<reqwest::Client>,
        origins: Origins,
    },
}

/// Meant for the next hop, which is us (RFC 9110 §7.6.1), or answered here already.
const ONE_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::EXPECT,
    HeaderName::from_static("keep-alive"),
];

/// What a client may not tell a service: the session, and words that are the gateway's.
const OURS: [&str; 4] = ["cookie", "forwarded", "x-real-ip", "x-request-id"];

impl Service {
    pub fn new(name: &'static str, upstream: &Upstream, connect: Duration) -> Self {
        let transport = match upstream {
            Upstream::Local(router) => Transport::Local(router.clone()),
            Upstream::Http(origins) => Transport::Http {
                client: http_client(connect),
                origins: Origins::new(name, origins),
            },
        };
        Self { name, transport }
    }

    /// Sends the request on and returns when the answer has begun. The request needs the path alone as its target.
    pub async fn call(&self, request: Request, client: &Client, id: &RequestId) -> Result<Response> {
        let (mut parts, body) = request.into_parts();
        rewrite(&mut parts.headers, client, id);
        let mut onward = Request::new(body);
        *onward.method_mut() = parts.method;
        *onward.headers_mut() = parts.headers;
        match &self.transport {
            Transport::Local(router) => {
                *onward.uri_mut() = target(&parts.uri, "").map_err(|e| self.unwritable(e))?;
                if let Some(host) = &client.host {
                    onward.headers_mut().insert(header::HOST, host.clone());
                }
                Ok(router
                    .clone()
                    .oneshot(onward)
                    .await
                    .unwrap_or_else(|never| match never {}))
            }
            Transport::Http { client, origins } => {
                let build = self.builder(&parts.uri, onward);
                let client = client.as_ref().map_err(Clone::clone)?;
                let answer = origins.send(client, build).await.map_err(|e| self.lost(e))?;
                let mut answer = Response::from(answer).map(Body::new);
                remove_one_hop(answer.headers_mut());
                Ok(answer)
            }
        }
    }

    /// Makes the request for one replica after another. The one body there is is lent to each: it belongs to the first
    /// that reads of it. A replica that accepts no connection has read nothing, so the next one sends all of it, without
    /// a byte being kept here. Should a body ever be asked for twice, the second request fails instead of being cut.
    fn builder(&self, uri: &Uri, request: Request) -> impl Fn(&str) -> Result<reqwest::Request> {
        let (parts, body) = request.into_parts();
        let empty = axum::body::HttpBody::is_end_stream(&body);
        let body = Arc::new(Mutex::new(Some(body)));
        move |origin| {
            // A body that is not there must not become a chunked one.
            let body = if empty {
                reqwest::Body::from("")
            } else {
                lent(body.clone())
            };
            let mut request = axum::http::Request::from_parts(parts.clone(), body);
            *request.uri_mut() = target(uri, origin).map_err(|e| self.unwritable(e))?;
            reqwest::Request::try_from(request).map_err(|e| self.unwritable(e))
        }
    }

    /// Whether it is alive. What is in this process is.
    pub async fn probe(&self) -> Result<()> {
        let Transport::Http { client, origins } = &self.transport else {
            return Ok(());
        };
        let client = client.as_ref().map_err(Clone::clone)?;
        let build = |origin: &str| {
            let request = client.get(format!("{origin}/healthz")).build();
            request.map_err(|e| self.unwritable(e))
        };
        let answer = origins.send(client, build).await.map_err(|e| self.lost(e))?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            status => Err(Error::unavailable(format!(
                "the {} service answers {status}",
                self.name
            ))),
        }
    }

    fn unwritable(&self, error: impl std::error::Error) -> Error {
        Error::invalid(format!("this request cannot be written for the {} service", self.name)).because(error)
    }

    /// Without an address in it: clients need not know where services live. The log names each.
    fn lost(&self, failure: Unanswered) -> Error {
        let name = self.name;
        let unreached = || Error::unavailable(format!("the {name} service cannot be reached: try again in a moment"));
        let error = match failure {
            Unanswered::Unwritable(error) => return error,
            Unanswered::Unreached(None) => unreached(),
            Unanswered::Unreached(Some(cause)) => unreached().because(cause.without_url()),
            Unanswered::Broken(cause) => {
                Error::unavailable(format!("the connection to the {name} service broke before it answered"))
                    .because(cause.without_url())
            }
        };
        error.details(serde_json::json!({ "service": name }))
    }
}

fn http_client(connect: Duration) -> Result<reqwest::Client> {
    // A gateway passes redirects on, and reaches its services by no proxy.
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .connect_timeout(connect)
        .build();
    client.map_err(|e| Error::unavailable("the gateway cannot make connections to its services").because(e))
}

/// A body that is taken out of `slot` when it is first read.
fn lent(slot: Arc<Mutex<Option<Body>>>) -> reqwest::Body {
    let take = async move {
        let body = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        let body = body.ok_or_else(|| io::Error::other("this body was sent already"))?;
        Ok::<_, io::Error>(body.into_data_stream().map_err(io::Error::other))
    };
    reqwest::Body::wrap_stream(futures::stream::once(take).try_flatten())
}

fn target(uri: &Uri, origin: &str) -> Result<Uri, axum::http::uri::InvalidUri> {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    format!("{origin}{path}").parse()
}

fn rewrite(headers: &mut HeaderMap, client: &Client, id: &RequestId) {
    remove_one_hop(headers);
    for name in OURS {
        headers.remove(name);
    }
    let host = headers.remove(header::HOST);
    let mut set = |name: &'static str, value: Option<HeaderValue>| {
        headers.remove(name);
        if let Some(value) = value {
            headers.insert(name, value);
        }
    };
    set(FORWARDED_FOR, client.path.parse().ok());
    set(FORWARDED_HOST, client.host.clone().or(host));
    set(FORWARDED_PROTO, Some(HeaderValue::from_static(client.scheme())));
    set(REQUEST_ID, id.0.parse().ok());
}

fn remove_one_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&ONE_HOP) {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_for_one_hop_go_with_those_that_connection_names() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "keep-alive, X-Private"),
            ("x-private", "1"),
            ("te", "trailers"),
            ("upgrade", "h2c"),
            ("x-kept", "1"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        remove_one_hop(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-kept"]);
    }
}
