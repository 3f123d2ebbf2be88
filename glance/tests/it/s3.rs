//! The S3 backend against two servers: one checks signatures, the other is the one most people test with.

use std::sync::Arc;

use axum::{body::Body, http::Method};
use glance::backend::{Backend, S3, s3::Options};

use crate::{
    peers::{self, KEY, Peer, SECRET},
    world::{MEMBER, World, noise, raw},
};

fn open(peer: &Peer, secret: &str) -> S3 {
    let options = Options {
        endpoint: Some(peer.url.clone()),
        region: Some("us-east-1".to_owned()),
        access_key: Some(KEY.to_owned()),
        secret_key: Some(secret.to_owned()),
    };
    S3::open("s3://images/some/prefix", &options).unwrap()
}

async fn world_on(peer: &Peer) -> World {
    let backend = Arc::new(open(peer, SECRET));
    World::with(|state| state.backend = backend).await
}

async fn check(peer: Peer) {
    let world = world_on(&peer).await;
    world.state.backend.check().await.unwrap();
    // Small goes up whole, large in parts: 20 MiB are three.
    for (name, sectors) in [("small", 3), ("large", 40 << 10)] {
        let bytes = noise(1, sectors);
        let id = world.active(MEMBER, name, &bytes).await;
        let twin = world.active(MEMBER, name, &bytes).await;
        let path = format!("/v2/images/{id}/file");
        assert!(world.get(MEMBER, &path).await.bytes == bytes, "{name}");
        let range = [("range", "bytes=700-1400")];
        let part = world.call(MEMBER, Method::GET, &path, &range, Body::empty()).await;
        assert!(
            part.status == 206 && part.bytes == bytes[700..=1400],
            "{name} {}",
            part.status
        );
        let key = key(&world, &id).await;
        assert_eq!(key, self::key(&world, &twin).await, "stored once");
        assert_eq!(world.delete(MEMBER, &format!("/v2/images/{id}")).await.status, 204);
        assert!(world.get(MEMBER, &format!("/v2/images/{twin}/file")).await.bytes == bytes);
        assert_eq!(world.delete(MEMBER, &format!("/v2/images/{twin}")).await.status, 204);
        assert!(
            world.state.backend.read(&key, 0..1).await.is_err(),
            "{name} is still there"
        );
        world.state.backend.delete(&key).await.unwrap();
    }
    assert!(world.files("spool").is_empty() && world.files("contents").is_empty());
}

async fn key(world: &World, id: &str) -> String {
    use store::sea_orm::EntityTrait;
    let blob = world.row(id).await.blob_id.unwrap();
    let blob = world
        .state
        .store
        .one(glance::blob::Entity::find_by_id(blob))
        .await
        .unwrap();
    blob.unwrap().key()
}

#[tokio::test]
async fn a_server_that_checks_signatures() {
    check(peers::s3s().await).await;
}

#[tokio::test]
async fn moto() {
    check(peers::moto().await).await;
}

#[tokio::test]
async fn a_wrong_secret_is_said_plainly_and_leaves_nothing() {
    let peer = peers::s3s().await;
    let backend = Arc::new(open(&peer, "wrong"));
    let error = backend.check().await.unwrap_err();
    assert!(error.message.contains("refuses our keys"), "{}", error.chain());
    let world = World::with(|state| state.backend = backend).await;
    let id = world.create(MEMBER, raw("x")).await;
    assert_eq!(world.upload(MEMBER, &id, noise(1, 1)).await.status, 500);
    assert_eq!(world.row(&id).await.status, glance::image::Status::Queued);
    assert_eq!(world.used("image_gib").await, 0);
}

#[test]
fn a_store_is_named_by_bucket_and_prefix() {
    for url in ["s3://", "http://images", "images"] {
        let error = S3::open(url, &Options::default()).err().unwrap();
        assert!(error.message.contains("write s3://bucket"), "{}", error.message);
    }
}
