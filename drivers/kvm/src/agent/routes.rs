//! The agent's API, version 1, as one table. Every handler is a few lines: read, lock, call [`Node`], answer.
//! Failures are [`contract::Error`] as JSON, so that the driver hands them on unchanged.

mod host;
mod machines;
mod storage;

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Path, Request, State as In},
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use contract::{Error, Kind};
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::{
    agent::{blocking, node::Node, observer::Observer},
    wire::REQUEST_ID,
};

/// libvirt calls have no limit of their own; an answer has this one, while the work goes on behind its lock.
const LIMIT: Duration = Duration::from_secs(120);

/// For requests with a body of JSON; user-data is the largest part. Images are streams and have no such limit.
const LARGEST_BODY: usize = 16 << 20;

#[derive(Clone)]
pub struct State {
    pub node: Arc<Node>,
    pub observer: Arc<Observer>,
    pub stop: CancellationToken,
}

pub fn router(state: State) -> Router {
    let v1 = Router::new()
        .route("/facts", get(host::facts))
        .route("/changes", get(host::changes))
        .route("/machines", get(machines::machines).post(machines::create_machine))
        .route(
            "/machines/{id}",
            get(machines::machine).delete(machines::delete_machine),
        )
        .route("/machines/{id}/console", get(machines::console))
        .route("/machines/{id}/{verb}", post(machines::act))
        .route("/volumes", get(storage::volumes).post(storage::create_volume))
        .route("/volumes/{id}", get(storage::volume).delete(storage::delete_volume))
        .route("/volumes/{id}/resize", post(storage::grow))
        .route("/volumes/{id}/rebuild", post(storage::rebuild))
        .route(
            "/volumes/{id}/snapshots",
            get(storage::snapshots).post(storage::create_snapshot),
        )
        .route("/snapshots/{id}", axum::routing::delete(storage::delete_snapshot))
        .route("/snapshots/{id}/revert", post(storage::revert))
        .route("/networks", get(host::networks).post(host::create_network))
        .route("/networks/{id}", axum::routing::delete(host::delete_network))
        .route("/networks/{id}/reserve", post(host::reserve))
        .route("/networks/{id}/release", post(host::release))
        .route("/images", get(storage::images))
        .route(
            "/images/{digest}",
            get(storage::image).put(storage::upload).delete(storage::delete_image),
        )
        .route("/tokens/{token}/machine", get(machines::machine_of))
        .route("/tokens/{token}/volume", get(storage::volume_of))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(middleware::from_fn(trace));
    Router::new().nest("/v1", v1).fallback(nowhere).with_state(state)
}

type Answer<T> = Result<Json<T>, Failure>;
type Id = Path<String>;
type At = In<State>;

impl State {
    /// Asks without changing anything.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Node) -> contract::Result<T> + Send + 'static,
    ) -> Answer<T> {
        let node = Arc::clone(&self.node);
        within(blocking(move || work(&node))).await
    }

    /// Changes something, alone with the objects named. The caller may go away; the work ends all the same.
    async fn change<T: Send + 'static>(
        &self,
        what: &'static str,
        objects: Vec<String>,
        work: impl FnOnce(&Node) -> contract::Result<T> + Send + 'static,
    ) -> Answer<T> {
        let (node, observer) = (Arc::clone(&self.node), Arc::clone(&self.observer));
        let done = async move {
            tracing::info!(what, ?objects, "begins");
            let held = node.locks.hold(objects.clone()).await;
            let done = blocking(move || {
                let _held = held;
                work(&node)
            });
            let done = done.await;
            match &done {
                Ok(_) => tracing::info!(what, ?objects, "done"),
                Err(error) => tracing::warn!(what, ?objects, error = error.chain(), "failed"),
            }
            observer.bell.notify_one();
            done
        };
        within(done).await
    }
}

async fn within<T>(work: impl Future<Output = contract::Result<T>>) -> Answer<T> {
    let slow = || {
        Error::new(
            Kind::Timeout,
            "the host needs longer than two minutes for this: ask again",
        )
    };
    tokio::time::timeout(LIMIT, work)
        .await
        .unwrap_or_else(|_| Err(slow()))
        .map(Json)
        .map_err(Failure)
}

/// Every line logged for a request carries the id that the controller gave it.
async fn trace(request: Request, next: Next) -> Response {
    let id = request
        .headers()
        .get(REQUEST_ID)
        .and_then(|id| id.to_str().ok())
        .unwrap_or_default();
    let span = tracing::info_span!("request", id);
    next.run(request).instrument(span).await
}

async fn nowhere() -> Failure {
    Failure(Error::not_found("route", "on this agent"))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> contract::Result<T> {
    serde_json::from_slice(body)
        .map_err(|e| Error::invalid("the request has not the shape the agent expects").because(e))
}

/// An error on its way out.
struct Failure(Error);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = match self.0.kind {
            Kind::Invalid => StatusCode::BAD_REQUEST,
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::Conflict => StatusCode::CONFLICT,
            Kind::Denied => StatusCode::FORBIDDEN,
            Kind::Capacity => StatusCode::INSUFFICIENT_STORAGE,
            Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Kind::Timeout => StatusCode::GATEWAY_TIMEOUT,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, Json(self.0)).into_response()
    }
}
