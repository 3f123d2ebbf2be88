//! The host, its networks and what changed on it: `/facts`, `/networks`, `/changes`.

use std::time::Duration;

use axum::{
    Json,
    body::Bytes,
    extract::{Path, Query, State as In},
};
use contract::{ChangeFeed, Error, ExternalRef, HostFacts, Net, NetworkSpec, network::Lease};
use serde::Deserialize;

use super::{Answer, At, Failure, Id, parse};
use crate::{
    agent::{
        accel::Choice,
        node::{self, Node},
    },
    wire::{Create, Listing},
};

/// A reader of changes is answered at least this often.
const LONGEST_WAIT: u64 = 60;

pub async fn facts(In(at): At) -> Answer<Facts> {
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
pub struct Facts {
    #[serde(flatten)]
    facts: HostFacts,
    accelerator: Choice,
}

#[derive(Deserialize)]
pub struct Reader {
    since: Option<String>,
    #[serde(default)]
    wait: u64,
}

pub async fn changes(In(at): At, Query(reader): Query<Reader>) -> Answer<ChangeFeed> {
    let wait = Duration::from_secs(reader.wait.min(LONGEST_WAIT));
    let feed = &at.observer.feed;
    if !reader.since.as_deref().is_some_and(|since| feed.knows(since)) {
        at.observer.look().await?; // who is told everything is told what is true now
    }
    tokio::select! {
        told = feed.next(&at.node.id, reader.since.as_deref(), wait) => told.map(Json).map_err(Failure),
        () = at.stop.cancelled() => Err(Failure(Error::unavailable("the agent is stopping"))),
    }
}

pub async fn networks(In(at): At) -> Answer<Listing<Net>> {
    at.read(Node::networks).await
}

pub async fn create_network(In(at): At, body: Bytes) -> Answer<ExternalRef> {
    let create: Create<NetworkSpec> = parse(&body)?;
    let objects = vec![at.node.reference(node::id("network", &create.token)?).to_string()];
    at.change("create network", objects, move |node| {
        node.create_network(&create.spec, &create.token)
    })
    .await
}

pub async fn delete_network(In(at): At, Path(id): Id) -> Answer<()> {
    let objects = vec![at.node.reference(&id).to_string()];
    at.change("delete network", objects, move |node| {
        match node::parse("network", &id) {
            Ok(id) => node.delete_network(id),
            Err(_) => Ok(()),
        }
    })
    .await
}

pub async fn reserve(In(at): At, Path(id): Id, body: Bytes) -> Answer<()> {
    let (uuid, lease) = (node::parse("network", &id)?, parse::<Lease>(&body)?);
    at.change("reserve", vec![at.node.reference(&id).to_string()], move |node| {
        node.reserve(uuid, &lease)
    })
    .await
}

pub async fn release(In(at): At, Path(id): Id, body: Bytes) -> Answer<()> {
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
