//! The agent's API, version 1, as one table. Every handler is a few lines: read, lock, call [`Node`], answer.
//! Failures are [`contract::Error`] as JSON, so that the driver hands them on unchanged.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, Path, Query, State as In},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use contract::{
    ChangeFeed, Error, ExternalRef, HostFacts, Kind, Machine, MachineSpec, Net, NetworkSpec, SnapshotFacts, Token,
    Volume, VolumeSpec, compute::Shape, network::Lease,
};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{
    agent::{
        accel::Choice,
        blocking,
        change::Feed,
        node::{self, Node},
        snapshot,
    },
    wire::{Create, Grow, How, Listing, Other, SnapshotSpec},
};

/// libvirt calls have no limit of their own; an answer has this one, while the work goes on behind its lock.
const LIMIT: Duration = Duration::from_secs(120);

/// A reader of changes is answered at least this often.
const LONGEST_WAIT: u64 = 60;

/// For requests with a body of JSON; user-data is the largest part. Images are streams and have no such limit.
const LARGEST_BODY: usize = 16 << 20;

#[derive(Clone)]
pub struct State {
    pub node: Arc<Node>,
    pub feed: Arc<Feed>,
    pub look: Arc<Notify>,
    pub stop: CancellationToken,
}

pub fn router(state: State) -> Router {
    let v1 = Router::new()
        .route("/facts", get(facts))
        .route("/changes", get(changes))
        .route("/machines", get(machines).post(create_machine))
        .route("/machines/{id}", get(machine).delete(delete_machine))
        .route("/machines/{id}/console", get(console))
        .route("/machines/{id}/{verb}", post(act))
        .route("/volumes", get(volumes).post(create_volume))
        .route("/volumes/{id}", get(volume).delete(delete_volume))
        .route("/volumes/{id}/resize", post(grow))
        .route("/volumes/{id}/rebuild", post(rebuild))
        .route("/volumes/{id}/snapshots", get(snapshots).post(create_snapshot))
        .route("/snapshots/{id}", axum::routing::delete(delete_snapshot))
        .route("/snapshots/{id}/revert", post(revert))
        .route("/networks", get(networks).post(create_network))
        .route("/networks/{id}", axum::routing::delete(delete_network))
        .route("/networks/{id}/reserve", post(reserve))
        .route("/networks/{id}/release", post(release))
        .route("/images", get(images))
        .route("/images/{digest}", get(image).put(upload).delete(delete_image))
        .route("/tokens/{token}/machine", get(machine_of))
        .route("/tokens/{token}/volume", get(volume_of))
        .layer(DefaultBodyLimit::max(LARGEST_BODY));
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
        let (node, look) = (Arc::clone(&self.node), Arc::clone(&self.look));
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
            look.notify_one();
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

async fn facts(In(at): At) -> Answer<Facts> {
    at.read(|node| {
        Ok(Facts {
            facts: node.facts(),
            accelerator: node.accel.clone(),
        })
    })
    .await
}

/// What the contract asks for, and why guests run as they do.
#[derive(serde::Serialize)]
struct Facts {
    #[serde(flatten)]
    facts: HostFacts,
    accelerator: Choice,
}

#[derive(Deserialize)]
struct Reader {
    since: Option<String>,
    #[serde(default)]
    wait: u64,
}

async fn changes(In(at): At, Query(reader): Query<Reader>) -> Answer<ChangeFeed> {
    let wait = Duration::from_secs(reader.wait.min(LONGEST_WAIT));
    tokio::select! {
        feed = at.feed.next(&at.node.id, reader.since.as_deref(), wait) => feed.map(Json).map_err(Failure),
        () = at.stop.cancelled() => Err(Failure(Error::unavailable("the agent is stopping"))),
    }
}

async fn machines(In(at): At) -> Answer<Listing<Machine>> {
    at.read(Node::machines).await
}

async fn machine(In(at): At, Path(id): Id) -> Answer<Machine> {
    at.read(move |node| node.machine(node::parse("server", &id)?)).await
}

async fn machine_of(In(at): At, Path(token): Id) -> Answer<Option<Machine>> {
    at.read(move |node| node.machine_of(&Token::new(token))).await
}

async fn create_machine(In(at): At, body: Bytes) -> Answer<ExternalRef> {
    let create: Create<MachineSpec> = parse(&body)?;
    let mut objects = vec![at.node.reference(node::id("machine", &create.token)?).to_string()];
    objects.push(format!("name {}", create.spec.name));
    objects.extend(create.spec.disks.iter().map(ToString::to_string));
    objects.extend(create.spec.nics.iter().map(|nic| nic.network.to_string()));
    at.change("create machine", objects, move |node| {
        node.create_machine(&create.spec, &create.token)
    })
    .await
}

async fn delete_machine(In(at): At, Path(id): Id) -> Answer<()> {
    let objects = vec![at.node.reference(&id).to_string()];
    at.change("delete machine", objects, move |node| {
        match node::parse("server", &id) {
            Ok(id) => node.delete_machine(id),
            Err(_) => Ok(()),
        }
    })
    .await
}

async fn act(In(at): At, Path((id, verb)): Path<(String, String)>, body: Bytes) -> Answer<()> {
    let uuid = node::parse("server", &id)?;
    let own = at.node.reference(&id).to_string();
    match verb.as_str() {
        "start" => at.change("start", vec![own], move |node| node.start(uuid)).await,
        "stop" => {
            let how = parse::<How>(&body)?.how;
            at.change("stop", vec![own], move |node| node.stop(uuid, how)).await
        }
        "reboot" => {
            let how = parse::<How>(&body)?.how;
            at.change("reboot", vec![own], move |node| node.reboot(uuid, how)).await
        }
        "resize" => {
            let shape: Shape = parse(&body)?;
            at.change("resize", vec![own], move |node| node.resize(uuid, shape))
                .await
        }
        "attach" | "detach" => {
            let other: Other = parse(&body)?;
            let objects = vec![own, other.id.to_string()];
            let work = if verb == "attach" { Node::attach } else { Node::detach };
            let what = if verb == "attach" { "attach" } else { "detach" };
            at.change(what, objects, move |node| {
                work(node, uuid, node.local_uuid("disk", &other.id)?)
            })
            .await
        }
        _ => Err(Failure(Error::not_found("action", verb))),
    }
}

#[derive(Deserialize)]
struct Tail {
    limit: usize,
}

async fn console(In(at): At, Path(id): Id, Query(tail): Query<Tail>) -> Answer<String> {
    at.read(move |node| node.console_log(node::parse("server", &id)?, tail.limit))
        .await
}

async fn volumes(In(at): At) -> Answer<Listing<Volume>> {
    at.read(Node::volumes).await
}

async fn volume(In(at): At, Path(id): Id) -> Answer<Volume> {
    at.read(move |node| node.volume(node::parse("disk", &id)?)).await
}

async fn volume_of(In(at): At, Path(token): Id) -> Answer<Option<Volume>> {
    at.read(move |node| node.volume_of(&Token::new(token))).await
}

async fn create_volume(In(at): At, body: Bytes) -> Answer<ExternalRef> {
    let create: Create<VolumeSpec> = parse(&body)?;
    let mut objects = vec![at.node.reference(node::id("volume", &create.token)?).to_string()];
    objects.extend(create.spec.image.iter().map(ToString::to_string));
    at.change("create volume", objects, move |node| {
        node.create_volume(&create.spec, &create.token)
    })
    .await
}

async fn delete_volume(In(at): At, Path(id): Id) -> Answer<()> {
    let objects = vec![at.node.reference(&id).to_string()];
    at.change("delete volume", objects, move |node| match node::parse("disk", &id) {
        Ok(id) => node.delete_volume(id),
        Err(_) => Ok(()),
    })
    .await
}

async fn grow(In(at): At, Path(id): Id, body: Bytes) -> Answer<()> {
    let (uuid, size) = (node::parse("disk", &id)?, parse::<Grow>(&body)?.size);
    at.change("resize volume", vec![at.node.reference(&id).to_string()], move |node| {
        node.grow(uuid, size)
    })
    .await
}

async fn rebuild(In(at): At, Path(id): Id, body: Bytes) -> Answer<()> {
    let (uuid, image) = (node::parse("disk", &id)?, parse::<Other>(&body)?.id);
    let objects = vec![at.node.reference(&id).to_string(), image.to_string()];
    at.change("rebuild volume", objects, move |node| node.rebuild(uuid, &image))
        .await
}

async fn snapshots(In(at): At, Path(id): Id) -> Answer<Vec<SnapshotFacts>> {
    at.read(move |node| node.snapshots(node::parse("disk", &id)?)).await
}

async fn create_snapshot(In(at): At, Path(id): Id, body: Bytes) -> Answer<ExternalRef> {
    let create: Create<SnapshotSpec> = parse(&body)?;
    let uuid = node::parse("disk", &id)?;
    let objects = vec![at.node.reference(&id).to_string()];
    at.change("create snapshot", objects, move |node| {
        node.create_snapshot(uuid, &create.spec.name, &create.token)
    })
    .await
}

async fn delete_snapshot(In(at): At, Path(id): Id) -> Answer<()> {
    let Ok((volume, snapshot)) = snapshot::parse(&id) else {
        return Ok(Json(()));
    };
    let objects = vec![at.node.reference(volume).to_string()];
    at.change("delete snapshot", objects, move |node| {
        node.delete_snapshot(volume, snapshot)
    })
    .await
}

async fn revert(In(at): At, Path(id): Id) -> Answer<()> {
    let (volume, snapshot) = snapshot::parse(&id)?;
    let objects = vec![at.node.reference(volume).to_string()];
    at.change("revert", objects, move |node| node.revert(volume, snapshot))
        .await
}

async fn networks(In(at): At) -> Answer<Listing<Net>> {
    at.read(Node::networks).await
}

async fn create_network(In(at): At, body: Bytes) -> Answer<ExternalRef> {
    let create: Create<NetworkSpec> = parse(&body)?;
    let objects = vec![at.node.reference(node::id("network", &create.token)?).to_string()];
    at.change("create network", objects, move |node| {
        node.create_network(&create.spec, &create.token)
    })
    .await
}

async fn delete_network(In(at): At, Path(id): Id) -> Answer<()> {
    let objects = vec![at.node.reference(&id).to_string()];
    at.change("delete network", objects, move |node| {
        match node::parse("network", &id) {
            Ok(id) => node.delete_network(id),
            Err(_) => Ok(()),
        }
    })
    .await
}

async fn reserve(In(at): At, Path(id): Id, body: Bytes) -> Answer<()> {
    let (uuid, lease) = (node::parse("network", &id)?, parse::<Lease>(&body)?);
    at.change("reserve", vec![at.node.reference(&id).to_string()], move |node| {
        node.reserve(uuid, &lease)
    })
    .await
}

async fn release(In(at): At, Path(id): Id, body: Bytes) -> Answer<()> {
    let lease: Lease = parse(&body)?;
    at.change(
        "release",
        vec![at.node.reference(&id).to_string()],
        move |node| match node::parse("network", &id) {
            Ok(id) => node.release(id, &lease),
            Err(_) => Ok(()),
        },
    )
    .await
}

async fn images(In(at): At) -> Answer<Vec<ExternalRef>> {
    at.read(Node::images).await
}

async fn image(In(at): At, Path(digest): Id) -> Answer<ExternalRef> {
    at.read(move |node| node.image(&digest)).await
}

#[derive(Deserialize)]
struct Announced {
    format: String,
    size: u64,
}

async fn upload(In(at): At, Path(digest): Id, Query(image): Query<Announced>, body: Body) -> Answer<ExternalRef> {
    let content = body.into_data_stream();
    at.node
        .receive(&digest, &image.format, image.size, content)
        .await
        .map(Json)
        .map_err(Failure)
}

async fn delete_image(In(at): At, Path(digest): Id) -> Answer<()> {
    let objects = vec![at.node.reference(&digest).to_string()];
    at.change("delete image", objects, move |node| node.delete_image(&digest))
        .await
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
