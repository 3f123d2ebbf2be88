//! Which service a request is for, how much it may send and how long it may take, and sending it there.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Extension,
    body::{Body, HttpBody},
    extract::{Request, State},
    http::{Method, header},
    response::{IntoResponse, Response},
};
use futures::StreamExt;
use tracing::Instrument;
use types::{Error, Kind, Result};
use web::{Problem, caller::RequestId};

use crate::{Gateway, Limits, Options, client::Client, problem, upstream::Service};

pub struct Services {
    pub identity: Service,
    image: Service,
    placement: Service,
    region: Service,
}

impl Services {
    pub fn new(options: &Options) -> Self {
        let connect = options.limits.connect;
        Self {
            identity: Service::new("identity", &options.identity, connect),
            image: Service::new("image", &options.image, connect),
            placement: Service::new("placement", &options.placement, connect),
            region: Service::new("region", &options.region, connect),
        }
    }

    pub const fn all(&self) -> [&Service; 4] {
        [&self.identity, &self.image, &self.placement, &self.region]
    }

    /// By the first segment of the path.
    fn of(&self, path: &str) -> &Service {
        match path.split('/').nth(1) {
            Some("identity") => &self.identity,
            Some("image") => &self.image,
            Some("placement") => &self.placement,
            _ => &self.region,
        }
    }
}

/// Handler of every path that is not ours.
pub async fn forward(
    State(gateway): State<Gateway>,
    Extension(client): Extension<Client>,
    Extension(id): Extension<RequestId>,
    request: Request,
) -> Response {
    if climbs(request.uri().path()) {
        let refusal = Error::invalid("a path may not contain `.` or `..`: write it out").code("bad_path");
        return Problem(refusal).into_response();
    }
    let service = gateway.services.of(request.uri().path());
    let span = tracing::info_span!("forward", id = %id.0, method = %request.method(), service = service.name);
    let started = Instant::now();
    let response = send(service, &gateway.limits, request, &client, &id)
        .instrument(span)
        .await;
    let labels = [
        ("service", service.name.to_owned()),
        ("status", response.status().as_u16().to_string()),
    ];
    metrics::counter!("isobar_gateway_requests_total", &labels).increment(1);
    metrics::histogram!("isobar_gateway_seconds", &labels).record(started.elapsed().as_secs_f64());
    response
}

async fn send(service: &Service, limits: &Limits, request: Request, client: &Client, id: &RequestId) -> Response {
    let upload = is_upload(&request);
    let patience = (!upload && !waits(&request)).then_some(limits.patience);
    let overflow = Arc::new(AtomicBool::new(false));
    let request = if upload {
        request
    } else {
        match hold_to(request, limits.body, overflow.clone()) {
            Ok(request) => request,
            Err(refusal) => return refusal,
        }
    };
    let answer = within(patience, service, service.call(request, client, id)).await;
    // However the service took it, a body that was cut short has only one cause.
    if overflow.load(Ordering::Relaxed) {
        return problem::too_large(limits.body);
    }
    answer.unwrap_or_else(|error| Problem(error).into_response())
}

async fn within<T>(patience: Option<Duration>, service: &Service, work: impl Future<Output = Result<T>>) -> Result<T> {
    let Some(patience) = patience else { return work.await };
    let late = |_| {
        let (name, seconds) = (service.name, patience.as_secs());
        let sentence =
            format!("the {name} service has not answered within {seconds} s; what was asked may still happen");
        Error::new(Kind::Timeout, sentence)
    };
    tokio::time::timeout(patience, work).await.map_err(late)?
}

/// Image data: as long as it takes, as large as the image service accepts.
fn is_upload(request: &Request) -> bool {
    let path = request.uri().path();
    request.method() == Method::PUT
        && path.starts_with("/image/")
        && (path.ends_with("/file") || path.ends_with("/stage"))
}

/// The caller asked for an answer that takes its time; the service bounds it.
fn waits(request: &Request) -> bool {
    let query = request.uri().query().unwrap_or_default();
    query.split('&').any(|pair| pair.starts_with("wait="))
}

/// Whether a URL parser on the way would make another path of this one.
fn climbs(path: &str) -> bool {
    path.split('/').any(|part| {
        let part = part.to_ascii_lowercase().replace("%2e", ".");
        matches!(part.as_str(), "." | "..") || part.contains('\\')
    })
}

/// Refuses a body that says it is too long; one that does not say is cut when it is, and `overflow` set.
fn hold_to(request: Request, limit: u64, overflow: Arc<AtomicBool>) -> Result<Request, Response> {
    let said = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    match said {
        Some(length) if length > limit => Err(problem::too_large(limit)),
        Some(_) => Ok(request),
        None if request.body().is_end_stream() => Ok(request),
        None => Ok(request.map(|body| cut(body, limit, overflow))),
    }
}

fn cut(body: Body, limit: u64, overflow: Arc<AtomicBool>) -> Body {
    let mut left = limit;
    Body::from_stream(body.into_data_stream().map(move |chunk| {
        let chunk = chunk.map_err(std::io::Error::other)?;
        match left.checked_sub(chunk.len() as u64) {
            Some(rest) => {
                left = rest;
                Ok(chunk)
            }
            None => {
                overflow.store(true, Ordering::Relaxed);
                Err(std::io::Error::other("the body is too large"))
            }
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_a_parser_would_change_are_seen() {
        for path in [
            "/image/../metrics",
            "/image/%2E%2e/metrics",
            "/./x",
            "/a/.%2e",
            "/a\\..\\b",
        ] {
            assert!(climbs(path), "{path}");
        }
        for path in ["/", "/servers/a.b", "/servers/...", "/identity/v3/"] {
            assert!(!climbs(path), "{path}");
        }
    }
}
