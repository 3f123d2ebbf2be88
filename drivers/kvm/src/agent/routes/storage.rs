//! Volumes, snapshots and images: `/volumes`, `/snapshots`, `/images`.

use axum::{
    Json,
    body::{Body, Bytes},
    extract::{Path, Query, State as In},
};
use contract::{ExternalRef, SnapshotFacts, Token, Volume, VolumeSpec};
use serde::Deserialize;

use super::{Answer, At, Failure, Id, parse};
use crate::{
    agent::{
        node::{self, Node},
        snapshot,
    },
    wire::{Create, Grow, Listing, Other, SnapshotSpec},
};

pub async fn volumes(In(at): At) -> Answer<Listing<Volume>> {
    at.read(Node::volumes).await
}

pub async fn volume(In(at): At, Path(id): Id) -> Answer<Volume> {
    at.read(move |node| node.volume(node::parse("disk", &id)?)).await
}

pub async fn volume_of(In(at): At, Path(token): Id) -> Answer<Option<Volume>> {
    at.read(move |node| node.volume_of(&Token::new(token))).await
}

pub async fn create_volume(In(at): At, body: Bytes) -> Answer<ExternalRef> {
    let create: Create<VolumeSpec> = parse(&body)?;
    let mut objects = vec![at.node.reference(node::id("volume", &create.token)?).to_string()];
    objects.extend(create.spec.image.iter().map(ToString::to_string));
    at.change("create volume", objects, move |node| {
        node.create_volume(&create.spec, &create.token)
    })
    .await
}

pub async fn delete_volume(In(at): At, Path(id): Id) -> Answer<()> {
    let objects = vec![at.node.reference(&id).to_string()];
    at.change("delete volume", objects, move |node| match node::parse("disk", &id) {
        Ok(id) => node.delete_volume(id),
        Err(_) => Ok(()),
    })
    .await
}

pub async fn grow(In(at): At, Path(id): Id, body: Bytes) -> Answer<()> {
    let (uuid, size) = (node::parse("disk", &id)?, parse::<Grow>(&body)?.size);
    at.change("resize volume", vec![at.node.reference(&id).to_string()], move |node| {
        node.grow(uuid, size)
    })
    .await
}

pub async fn rebuild(In(at): At, Path(id): Id, body: Bytes) -> Answer<()> {
    let (uuid, image) = (node::parse("disk", &id)?, parse::<Other>(&body)?.id);
    let objects = vec![at.node.reference(&id).to_string(), image.to_string()];
    at.change("rebuild volume", objects, move |node| node.rebuild(uuid, &image))
        .await
}

pub async fn snapshots(In(at): At, Path(id): Id) -> Answer<Vec<SnapshotFacts>> {
    at.read(move |node| node.snapshots(node::parse("disk", &id)?)).await
}

pub async fn create_snapshot(In(at): At, Path(id): Id, body: Bytes) -> Answer<ExternalRef> {
    let create: Create<SnapshotSpec> = parse(&body)?;
    let uuid = node::parse("disk", &id)?;
    let objects = vec![at.node.reference(&id).to_string()];
    at.change("create snapshot", objects, move |node| {
        node.create_snapshot(uuid, &create.spec.name, &create.token)
    })
    .await
}

pub async fn delete_snapshot(In(at): At, Path(id): Id) -> Answer<()> {
    let Ok((volume, snapshot)) = snapshot::parse(&id) else {
        return Ok(Json(()));
    };
    let objects = vec![at.node.reference(volume).to_string()];
    at.change("delete snapshot", objects, move |node| {
        node.delete_snapshot(volume, snapshot)
    })
    .await
}

pub async fn revert(In(at): At, Path(id): Id) -> Answer<()> {
    let (volume, snapshot) = snapshot::parse(&id)?;
    let objects = vec![at.node.reference(volume).to_string()];
    at.change("revert", objects, move |node| node.revert(volume, snapshot))
        .await
}

pub async fn images(In(at): At) -> Answer<Vec<ExternalRef>> {
    at.read(Node::images).await
}

pub async fn image(In(at): At, Path(digest): Id) -> Answer<ExternalRef> {
    at.read(move |node| node.image(&digest)).await
}

#[derive(Deserialize)]
pub struct Announced {
    format: String,
    size: u64,
}

pub async fn upload(In(at): At, Path(digest): Id, Query(image): Query<Announced>, body: Body) -> Answer<ExternalRef> {
    let content = body.into_data_stream();
    at.node
        .receive(&digest, &image.format, image.size, content)
        .await
        .map(Json)
        .map_err(Failure)
}

pub async fn delete_image(In(at): At, Path(digest): Id) -> Answer<()> {
    let objects = vec![at.node.reference(&digest).to_string()];
    at.change("delete image", objects, move |node| node.delete_image(&digest))
        .await
}
