//! Content: uploads whole and in pieces, stored once, refused when it is not what was claimed, read back in ranges.

use axum::{body::Body, http::Method};
use bytes::Bytes;
use serde_json::json;

use crate::world::{MEMBER, OTHER, World, noise, qemu_image, raw};

#[tokio::test]
async fn what_is_uploaded_comes_back() {
    let world = World::new().await;
    let bytes = noise(7, 4096);
    let id = world.active(MEMBER, "noise", &bytes).await;
    let image = world.get(MEMBER, &format!("/v2/images/{id}")).await.json();
    assert_eq!(
        (&image["status"], &image["size"]),
        (&json!("active"), &json!(bytes.len()))
    );
    assert_eq!(image["virtual_size"], json!(bytes.len()));
    assert_eq!(image["os_hash_algo"], "sha512");
    assert_eq!(image["os_hash_value"].as_str().unwrap().len(), 128);
    let reply = world.get(MEMBER, &format!("/v2/images/{id}/file")).await;
    assert_eq!((reply.status.as_u16(), reply.bytes == bytes), (200, true));
    assert_eq!(reply.header("content-md5"), image["checksum"].as_str().unwrap());
    assert_eq!(reply.header("content-length"), bytes.len().to_string());
    let tag = reply.header("etag").to_owned();
    let known = [("if-none-match", tag.as_str())];
    let path = format!("/v2/images/{id}/file");
    assert_eq!(
        world
            .call(MEMBER, Method::GET, &path, &known, Body::empty())
            .await
            .status,
        304
    );
    for (range, part) in [
        ("bytes=0-9", 0..10),
        ("bytes=1000-", 1000..bytes.len()),
        ("bytes=-5", bytes.len() - 5..bytes.len()),
    ] {
        let reply = world
            .call(MEMBER, Method::GET, &path, &[("range", range)], Body::empty())
            .await;
        assert_eq!(
            (reply.status.as_u16(), reply.bytes == bytes[part.clone()]),
            (206, true),
            "{range}"
        );
        assert_eq!(
            reply.header("content-range"),
            format!("bytes {}-{}/{}", part.start, part.end - 1, bytes.len())
        );
    }
    let beyond = [("range", "bytes=99999999-")];
    let reply = world.call(MEMBER, Method::GET, &path, &beyond, Body::empty()).await;
    assert_eq!(
        (reply.status.as_u16(), reply.header("content-range")),
        (416, format!("bytes */{}", bytes.len()).as_str())
    );
    assert_eq!(world.upload(MEMBER, &id, bytes).await.status, 409);
    assert_eq!(world.events(&id).await, ["image.created", "image.active"]);
    assert_eq!(world.used("image_gib").await, 1);
}

#[tokio::test]
async fn a_content_is_stored_once_and_goes_with_its_last_image() {
    let world = World::new().await;
    let bytes = noise(3, 100);
    let (first, second) = (
        world.active(MEMBER, "one", &bytes).await,
        world.active(OTHER, "two", &bytes).await,
    );
    assert_eq!(world.files("contents").len(), 1);
    assert!(world.files("spool").is_empty(), "{:?}", world.files("spool"));
    assert_eq!(world.delete(MEMBER, &format!("/v2/images/{first}")).await.status, 204);
    assert_eq!(
        world.get(OTHER, &format!("/v2/images/{second}/file")).await.bytes,
        bytes
    );
    assert_eq!(world.delete(OTHER, &format!("/v2/images/{second}")).await.status, 204);
    assert!(world.files("contents").is_empty());
    assert_eq!((world.used("images").await, world.used("image_gib").await), (0, 0));
    let again = world.active(MEMBER, "again", &bytes).await;
    assert_eq!(
        world.get(MEMBER, &format!("/v2/images/{again}/file")).await.bytes,
        bytes
    );
}

#[tokio::test]
async fn what_is_not_what_it_claims_leaves_nothing_behind() {
    let world = World::new().await;
    let qcow2 = qemu_image(&["-f", "qcow2"]);
    let id = world.create(MEMBER, raw("x")).await;
    for (bytes, sentence) in [
        (qcow2.clone(), "the file is qcow2, not raw"),
        (Vec::new(), "the file is empty"),
        (
            b"hello".to_vec(),
            "the file is not a disk image: its 5 bytes are not a whole number of 512-byte sectors",
        ),
    ] {
        let (status, said) = world.upload(MEMBER, &id, bytes).await.refusal();
        assert_eq!((status, said.as_str()), (400, sentence));
        let image = world.get(MEMBER, &format!("/v2/images/{id}")).await.json();
        assert_eq!((&image["status"], &image["size"]), (&json!("queued"), &json!(null)));
        assert!(world.files("spool").is_empty() && world.files("contents").is_empty());
        assert_eq!(world.used("image_gib").await, 0);
    }
    let kind = [("content-type", "application/json")];
    let path = format!("/v2/images/{id}/file");
    assert_eq!(
        world
            .call(MEMBER, Method::PUT, &path, &kind, Body::from("{}"))
            .await
            .status,
        415
    );
    // The same image takes the right content afterwards, and an unclaimed format is found out.
    assert_eq!(world.upload(MEMBER, &id, noise(1, 8)).await.status, 204);
    let open = world.create(MEMBER, json!({ "name": "open" })).await;
    assert_eq!(world.upload(MEMBER, &open, qcow2).await.status, 204);
    let image = world.get(MEMBER, &format!("/v2/images/{open}")).await.json();
    assert_eq!(
        (&image["disk_format"], &image["container_format"]),
        (&json!("qcow2"), &json!("bare"))
    );
    assert_eq!(image["virtual_size"], 4 << 20);
}

#[tokio::test]
async fn an_upload_comes_in_pieces() {
    let world = World::new().await;
    let bytes = noise(5, 20);
    let id = world.create(MEMBER, raw("pieces")).await;
    let path = format!("/v2/images/{id}/file");
    let piece = async |from: usize, to: usize, total: &str| {
        let range = format!("bytes {from}-{}/{total}", to - 1);
        world
            .put(MEMBER, &path, &[("content-range", &range)], bytes[from..to].to_vec())
            .await
    };
    let reply = piece(0, 1000, "10240").await;
    assert_eq!((reply.status.as_u16(), reply.header("upload-offset")), (202, "1000"));
    let reply = piece(2000, 3000, "*").await;
    assert_eq!((reply.status.as_u16(), reply.header("upload-offset")), (409, "1000"));
    assert_eq!(reply.refusal().1, "the upload stands at byte 1000: go on from there");
    let reply = world.get(MEMBER, &path).await;
    assert_eq!((reply.status.as_u16(), reply.header("upload-offset")), (204, "1000"));
    assert_eq!(piece(1000, 7000, "*").await.status, 202);
    assert_eq!(
        world.get(MEMBER, &format!("/v2/images/{id}")).await.json()["status"],
        "queued"
    );
    assert_eq!(piece(7000, 10240, "10240").await.status, 204);
    assert_eq!(world.get(MEMBER, &path).await.bytes, bytes);
}

#[tokio::test]
async fn a_broken_upload_goes_on_where_it_stopped() {
    let world = World::new().await;
    let bytes = noise(6, 40);
    let id = world.create(MEMBER, raw("broken")).await;
    let path = format!("/v2/images/{id}/file");
    let broken = futures::stream::iter([
        Ok(Bytes::from(bytes[..6000].to_vec())),
        Err(std::io::Error::other("gone")),
    ]);
    let reply = world.put(MEMBER, &path, &[], Body::from_stream(broken)).await;
    assert_eq!((reply.status.as_u16(), reply.header("upload-offset")), (400, "6000"));
    assert_eq!(reply.refusal().1, "the content broke off in the middle");
    let range = format!("bytes 6000-{}/{}", bytes.len() - 1, bytes.len());
    let reply = world
        .put(MEMBER, &path, &[("content-range", &range)], bytes[6000..].to_vec())
        .await;
    assert_eq!(reply.status, 204, "{}", reply.text());
    assert_eq!(world.get(MEMBER, &path).await.bytes, bytes);
}

#[tokio::test]
async fn only_one_writes_at_a_time() {
    let world = World::new().await;
    let id = world.create(MEMBER, raw("race")).await;
    let (started, mut waiting) = tokio::sync::mpsc::channel::<()>(1);
    let (finish, finished) = tokio::sync::oneshot::channel::<()>();
    let bytes = noise(9, 2);
    let half = bytes[..512].to_vec();
    let rest = bytes[512..].to_vec();
    let slow = futures::stream::once(async move {
        started.send(()).await.unwrap();
        Ok::<_, std::io::Error>(Bytes::from(half))
    });
    let slow = futures::StreamExt::chain(
        slow,
        futures::stream::once(async move {
            finished.await.unwrap();
            Ok(Bytes::from(rest))
        }),
    );
    let other = async {
        waiting.recv().await.unwrap();
        let (status, said) = world.upload(MEMBER, &id, noise(8, 2)).await.refusal();
        assert_eq!(
            (status, said),
            (409, format!("image `{id}` is saving: somebody else is at it"))
        );
        finish.send(()).unwrap();
    };
    let (reply, ()) = tokio::join!(world.upload(MEMBER, &id, Body::from_stream(slow)), other);
    assert_eq!(reply.status, 204);
    assert_eq!(world.get(MEMBER, &format!("/v2/images/{id}/file")).await.bytes, bytes);
}

#[tokio::test]
async fn limits_are_kept_before_and_at_the_end() {
    let world = World::with(|state| state.options.max_size = 4096).await;
    let id = world.create(MEMBER, raw("big")).await;
    let (status, said) = world.upload(MEMBER, &id, noise(1, 9)).await.refusal();
    assert_eq!(
        (status, said.as_str()),
        (
            413,
            "the content is larger than 4K, which is the most an image may have"
        )
    );
    world.limit("image_gib", 0).await;
    let stream = futures::stream::iter([Ok::<_, std::io::Error>(Bytes::from(noise(1, 1)))]);
    let (status, said) = world.upload(MEMBER, &id, Body::from_stream(stream)).await.refusal();
    let sentence = "the project's quota of image_gib is 0 and 0 are used: 1 more do not fit";
    assert_eq!((status, said.as_str()), (413, sentence));
    assert!(world.files("contents").is_empty() && world.files("spool").is_empty());
}

#[tokio::test]
async fn an_image_deleted_while_it_is_uploaded_leaves_nothing() {
    let world = World::with(|state| state.options.lease = std::time::Duration::from_millis(100)).await;
    let id = world.create(MEMBER, raw("gone")).await;
    let (started, mut waiting) = tokio::sync::mpsc::channel::<()>(1);
    let endless = futures::stream::unfold(started, |started| async move {
        started.send(()).await.ok()?;
        Some((Ok::<_, std::io::Error>(Bytes::from(noise(1, 1))), started))
    });
    let deletion = async {
        waiting.recv().await.unwrap();
        assert_eq!(world.delete(MEMBER, &format!("/v2/images/{id}")).await.status, 204);
        while waiting.recv().await.is_some() {}
    };
    let (reply, ()) = tokio::join!(world.upload(MEMBER, &id, Body::from_stream(endless)), deletion);
    assert_eq!(reply.status, 409, "{}", reply.text());
    let cx = auth::Cx::service("glance", "req-test");
    glance::sweep(&cx, &world.state).await.unwrap();
    assert!(world.files("contents").is_empty() && world.files("spool").is_empty());
}
