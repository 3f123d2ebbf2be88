//! Imports: staged content, content from a URL, and URLs that would read our own network.

use axum::{Router, response::Redirect, routing::get};
use serde_json::{Value, json};

use crate::world::{MEMBER, World, noise, raw};

/// A web server on an address of the loopback; its base URL.
async fn server(address: &str, routes: Router) -> String {
    let listener = tokio::net::TcpListener::bind((address, 0)).await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    base
}

fn download(uri: &str) -> Value {
    json!({ "method": { "name": "web-download", "uri": uri }, "all_stores": null })
}

async fn open_to_first_loopback() -> World {
    World::with(|state| state.options.import_allow = vec!["127.0.0.1/32".parse().unwrap()]).await
}

#[tokio::test]
async fn staged_content_becomes_active_when_imported() {
    let world = World::new().await;
    let id = world.create(MEMBER, raw("staged")).await;
    let import = format!("/v2/images/{id}/import");
    let direct = json!({ "method": { "name": "glance-direct" } });
    let (status, said) = world.post(MEMBER, &import, direct.clone()).await.refusal();
    assert_eq!(
        (status, said),
        (409, format!("image `{id}` is queued: stage its content first"))
    );
    let bytes = noise(1, 3);
    let reply = world
        .put(MEMBER, &format!("/v2/images/{id}/stage"), &[], bytes.clone())
        .await;
    assert_eq!(reply.status, 204, "{}", reply.text());
    assert_eq!(
        world.get(MEMBER, &format!("/v2/images/{id}")).await.json()["status"],
        "uploading"
    );
    assert_eq!(world.get(MEMBER, &format!("/v2/images/{id}/file")).await.status, 204);
    assert_eq!(world.post(MEMBER, &import, direct).await.status, 202);
    assert_eq!(
        world.get(MEMBER, &format!("/v2/images/{id}")).await.json()["status"],
        "active"
    );
    assert_eq!(world.get(MEMBER, &format!("/v2/images/{id}/file")).await.bytes, bytes);
    assert_eq!(
        world.events(&id).await,
        ["image.created", "image.uploading", "image.active"]
    );
}

#[tokio::test]
async fn content_is_fetched_through_redirects() {
    let world = open_to_first_loopback().await;
    let bytes = noise(2, 5000);
    let served = bytes.clone();
    let routes = Router::new()
        .route("/latest", get(|| async { Redirect::temporary("/image.raw") }))
        .route("/image.raw", get(move || async move { served }));
    let base = server("127.0.0.1", routes).await;
    let id = world.create(MEMBER, raw("fetched")).await;
    let reply = world
        .post(
            MEMBER,
            &format!("/v2/images/{id}/import"),
            download(&format!("{base}/latest")),
        )
        .await;
    assert_eq!(reply.status, 202, "{}", reply.text());
    world.until(&id, "active").await;
    assert_eq!(world.get(MEMBER, &format!("/v2/images/{id}/file")).await.bytes, bytes);
    assert_eq!(
        world.events(&id).await,
        ["image.created", "image.importing", "image.active"]
    );
}

#[tokio::test]
async fn a_failed_import_says_why_and_leaves_the_image_waiting() {
    let world = open_to_first_loopback().await;
    let secret = server("127.0.0.2", Router::new().route("/", get(|| async { noise(3, 1) }))).await;
    let routes = Router::new()
        .route("/text", get(|| async { "no image" }))
        .route("/inside", get(move || async move { Redirect::temporary(&secret) }))
        .route("/loop", get(|| async { Redirect::temporary("/loop") }));
    let base = server("127.0.0.1", routes).await;
    let id = world.create(MEMBER, raw("failing")).await;
    for (path, why) in [
        (
            "/text",
            "the file is not a disk image: its 8 bytes are not a whole number of 512-byte sectors".to_owned(),
        ),
        ("/inside", "its host is inside this installation's networks".to_owned()),
        ("/loop", "the URL is redirected more than 5 times".to_owned()),
        ("/none", format!("`{base}/none` answers 404 Not Found")),
    ] {
        let import = download(&format!("{base}{path}"));
        let mut events = world.state.store.signal(store::event::CHANNEL);
        assert_eq!(
            world
                .post(MEMBER, &format!("/v2/images/{id}/import"), import)
                .await
                .status,
            202
        );
        while world.events(&id).await.last().unwrap() != "image.failed" {
            events.changed().await.unwrap();
        }
        let image = world.get(MEMBER, &format!("/v2/images/{id}")).await.json();
        assert_eq!(image["status"], "queued");
        let said = image["os_glance_import_error"].as_str().unwrap();
        assert!(said.contains(&why), "{path}: {said}");
        assert!(world.files("spool").is_empty() && world.files("contents").is_empty());
    }
    assert_eq!(world.upload(MEMBER, &id, noise(1, 1)).await.status, 204);
    let image = world.get(MEMBER, &format!("/v2/images/{id}")).await.json();
    assert_eq!(image.get("os_glance_import_error"), None);
}

#[tokio::test]
async fn our_own_network_is_not_read_through_an_import() {
    let world = World::new().await;
    let id = world.create(MEMBER, raw("x")).await;
    for uri in [
        "http://127.0.0.1/",
        "http://localhost:8500/identity",
        "http://169.254.169.254/latest/meta-data",
        "http://[::ffff:10.0.0.1]/",
        "http://0x7f000001/",
        "file:///etc/passwd",
        "ftp://1.1.1.1/x",
    ] {
        let reply = world
            .post(MEMBER, &format!("/v2/images/{id}/import"), download(uri))
            .await;
        assert_eq!(reply.status, 400, "{uri}: {}", reply.text());
        assert_eq!(reply.json()["code"], "bad_url");
    }
    let reply = world
        .post(
            MEMBER,
            &format!("/v2/images/{id}/import"),
            json!({ "method": { "name": "copy-image" } }),
        )
        .await;
    assert_eq!(
        reply.refusal().1,
        "there is no import method `copy-image`: use one of glance-direct, web-download"
    );
    assert_eq!(world.events(&id).await, ["image.created"]);
}
