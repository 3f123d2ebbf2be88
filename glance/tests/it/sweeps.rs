//! What a crash leaves, made by hand, and the sweep that mends it.

use axum::{Router, routing::get};
use glance::{Swept, blob, image};
use store::sea_orm::{ActiveValue::Set, entity::prelude::*};
use types::Timestamp;

use crate::world::{MEMBER, World, noise, raw};

async fn sweep(world: &World) -> Swept {
    let cx = auth::Cx::service("glance", "req-test");
    glance::sweep(&cx, &world.state).await.unwrap()
}

/// Puts an image into a state with a lease that ends so many seconds from now.
async fn leave(world: &World, id: &str, status: &str, from: &str, seconds: i64) {
    let until = Timestamp::from_micros(Timestamp::now().as_micros() + seconds * 1_000_000);
    let tx = world.state.store.begin().await.unwrap();
    let update = image::Entity::update_many()
        .col_expr(image::Column::Status, Expr::value(status))
        .col_expr(image::Column::Lease, Expr::value("dead"))
        .col_expr(image::Column::LeaseUntil, Expr::value(until))
        .col_expr(image::Column::ImportFrom, Expr::value(from))
        .filter(image::Column::Id.eq(id));
    assert_eq!(tx.update(update).await.unwrap(), 1);
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn an_upload_that_died_can_be_done_again() {
    let world = World::new().await;
    let id = world.create(MEMBER, raw("x")).await;
    leave(&world, &id, "saving", "", 60).await;
    assert_eq!(sweep(&world).await, Swept::default());
    assert_eq!(world.upload(MEMBER, &id, noise(1, 1)).await.status, 409);
    leave(&world, &id, "saving", "", -1).await;
    assert_eq!(
        sweep(&world).await,
        Swept {
            uploads: 1,
            ..Swept::default()
        }
    );
    assert_eq!(world.row(&id).await.status, image::Status::Queued);
    // Without a sweep, the next upload takes over by itself.
    leave(&world, &id, "saving", "", -1).await;
    assert_eq!(world.upload(MEMBER, &id, noise(1, 1)).await.status, 204);
}

#[tokio::test]
async fn an_import_that_died_runs_again() {
    let world = World::with(|state| state.options.import_allow = vec!["127.0.0.0/8".parse().unwrap()]).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let routes = Router::new().route("/", get(|| async { noise(4, 10) }));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let id = world.create(MEMBER, raw("x")).await;
    leave(&world, &id, "importing", &url, -1).await;
    assert_eq!(
        sweep(&world).await,
        Swept {
            imports: 1,
            ..Swept::default()
        }
    );
    world.until(&id, "active").await;
    assert_eq!(
        world.get(MEMBER, &format!("/v2/images/{id}/file")).await.bytes,
        noise(4, 10)
    );
    // Died before the URL was written down: nobody was told that it began.
    let id = world.create(MEMBER, raw("y")).await;
    leave(&world, &id, "importing", "", -1).await;
    sweep(&world).await;
    assert_eq!(world.row(&id).await.status, image::Status::Queued);
}

async fn left(world: &World, state: &str, image: &str) -> String {
    let id = uuid::Uuid::new_v4().simple().to_string();
    let row = blob::ActiveModel {
        id: Set(id.clone()),
        digest: Set("ab".repeat(64)),
        state: Set(state.to_owned()),
        refs: Set(0),
        size: Set(1),
        image_id: Set(image.to_owned()),
        lease: Set("dead".to_owned()),
        created_at: Set(Timestamp::now()),
    };
    let tx = world.state.store.begin().await.unwrap();
    let row = tx.insert(row).await.unwrap();
    tx.commit().await.unwrap();
    let file = world.dir.path().join("half");
    std::fs::write(&file, "x").unwrap();
    world.state.backend.put(&row.key(), &file).await.unwrap();
    id
}

#[tokio::test]
async fn content_nobody_refers_to_is_removed() {
    let world = World::new().await;
    let kept = world.active(MEMBER, "kept", &noise(1, 1)).await;
    let saving = world.create(MEMBER, raw("saving")).await;
    leave(&world, &saving, "saving", "", 60).await;
    left(&world, blob::STORING, &saving).await;
    left(&world, blob::STORING, "no-such-image").await;
    left(&world, blob::DELETING, "no-such-image").await;
    assert_eq!(world.files("contents").len(), 4);
    assert_eq!(
        sweep(&world).await,
        Swept {
            blobs: 2,
            ..Swept::default()
        }
    );
    assert_eq!(
        world.files("contents").len(),
        2,
        "what is kept, and what is being stored"
    );
    leave(&world, &saving, "saving", "", -1).await;
    assert_eq!(
        sweep(&world).await,
        Swept {
            uploads: 1,
            blobs: 1,
            ..Swept::default()
        }
    );
    assert_eq!(
        world.get(MEMBER, &format!("/v2/images/{kept}/file")).await.bytes,
        noise(1, 1)
    );
    assert_eq!(sweep(&world).await, Swept::default());
}

#[tokio::test]
async fn spooled_bytes_are_kept_while_their_upload_may_go_on() {
    let world = World::new().await;
    let id = world.create(MEMBER, raw("x")).await;
    let range = [("content-range", "bytes 0-511/1024")];
    assert_eq!(
        world
            .put(MEMBER, &format!("/v2/images/{id}/file"), &range, noise(1, 1))
            .await
            .status,
        202
    );
    std::fs::write(world.dir.path().join("images/spool/gone.part"), "x").unwrap();
    assert_eq!(
        sweep(&world).await,
        Swept {
            spools: 1,
            ..Swept::default()
        }
    );
    assert_eq!(world.files("spool").len(), 2, "the part and its mark");
    let range = [("content-range", "bytes 512-1023/1024")];
    assert_eq!(
        world
            .put(MEMBER, &format!("/v2/images/{id}/file"), &range, noise(2, 1))
            .await
            .status,
        204
    );
}
