//! One service behind the gateway, called in its router or over HTTP; bodies stream through, whichever way.

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Uri, header},
    response::Response,
};
use tower::ServiceExt;
use types::{Error, Result};
use web::caller::{REQUEST_ID, RequestId};

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
        origin: String,
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
            Upstream::Http(origin) => Transport::Http {
                client: http_client(connect),
                origin: origin.trim_end_matches('/').to_owned(),
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
            Transport::Http { client, origin } => {
                *onward.uri_mut() = target(&parts.uri, origin).map_err(|e| self.unwritable(e))?;
                let http = client.as_ref().map_err(Clone::clone)?;
                let request = reqwest::Request::try_from(onward.map(streamed)).map_err(|e| self.unwritable(e))?;
                let answer = http.execute(request).await.map_err(|e| self.lost(e))?;
                let mut answer = Response::from(answer).map(Body::new);
                remove_one_hop(answer.headers_mut());
                Ok(answer)
            }
        }
    }

    /// Whether it is alive. What is in this process is.
    pub async fn probe(&self) -> Result<()> {
        let Transport::Http { client, origin } = &self.transport else {
            return Ok(());
        };
        let answer = client
            .as_ref()
            .map_err(Clone::clone)?
            .get(format!("{origin}/healthz"))
            .send()
            .await;
        match answer.map_err(|e| self.lost(e))?.status() {
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

    /// Without the address in it: clients need not know where services live.
    fn lost(&self, error: reqwest::Error) -> Error {
        let sentence = if error.is_connect() {
            format!("the {} service cannot be reached: try again in a moment", self.name)
        } else {
            format!("the connection to the {} service broke before it answered", self.name)
        };
        Error::unavailable(sentence)
            .because(error.without_url())
            .details(serde_json::json!({ "service": self.name }))
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

/// A body that is not there must not become a chunked one.
fn streamed(body: Body) -> reqwest::Body {
    use axum::body::HttpBody;
    if body.is_end_stream() {
        return reqwest::Body::from("");
    }
    reqwest::Body::wrap_stream(body.into_data_stream())
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
