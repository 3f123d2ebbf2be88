//! The record of an image: create, show, change, tag, delete.

use axum::{body::Body, http::Method};
use serde_json::json;

use crate::world::{ADMIN, MEMBER, World, noise, raw};

#[tokio::test]
async fn an_image_is_shown_as_glance_shows_it() {
    let world = World::new().await;
    let fields = json!({ "name": "deb", "disk_format": "raw", "container_format": "bare", "min_disk": 1,
        "tags": ["b", "a", "b"], "os_distro": "debian", "owner_specified.openstack.md5": "" });
    let reply = world.post(MEMBER, "/v2/images", fields).await;
    let image = reply.json();
    let id = image["id"].as_str().unwrap();
    assert_eq!(
        reply.header("location"),
        format!("http://cloud.test/image/v2/images/{id}")
    );
    assert_eq!(
        reply.header("openstack-image-import-methods"),
        "glance-direct,web-download"
    );
    assert_eq!(id.len(), 36);
    for (key, value) in [
        ("status", json!("queued")),
        ("visibility", json!("shared")),
        ("owner", json!("p1")),
        ("size", json!(null)),
        ("checksum", json!(null)),
        ("os_hash_value", json!(null)),
        ("min_disk", json!(1)),
        ("tags", json!(["b", "a"])),
        ("os_distro", json!("debian")),
        ("owner_specified.openstack.md5", json!("")),
        ("self", json!(format!("/v2/images/{id}"))),
        ("file", json!(format!("/v2/images/{id}/file"))),
    ] {
        assert_eq!(image[key], value, "{key}");
    }
    let made = image["created_at"].as_str().unwrap();
    assert!(made.len() == 20 && made.ends_with('Z'), "{made}");
    assert_eq!(world.get(MEMBER, &format!("/v2/images/{id}")).await.json(), image);
    assert_eq!(world.used("images").await, 1);
    assert_eq!(world.events(id).await, ["image.created"]);
}

#[tokio::test]
async fn odd_records_are_refused_in_one_sentence() {
    let world = World::new().await;
    for (fields, status, sentence) in [
        (
            json!({ "status": "active" }),
            403,
            "`status` is read-only: the service fills it",
        ),
        (json!({ "id": "x" }), 400, "an image's id is a UUID, not \"x\""),
        (
            json!({ "min_disk": -1 }),
            400,
            "`min_disk` is a whole number from 0 to 2147483647, not -1",
        ),
        (
            json!({ "colour": 3 }),
            400,
            "property `colour` is 3; properties of an image are text",
        ),
        (
            json!({ "visibility": "public" }),
            403,
            "only administrators make images public",
        ),
        (
            json!({ "visibility": "secret" }),
            400,
            "`secret` is not a visibility: use one of public, private, shared, community",
        ),
        (
            json!({ "disk_format": "zip" }),
            400,
            "`disk_format` is `zip`; it must be one of raw, qcow2, vmdk, vdi, vhd, vhdx, iso",
        ),
        (
            json!({ "owner": "p2" }),
            403,
            "an image belongs to the project of the token: log in to that project",
        ),
        (json!([]), 400, "the request does not have the right shape"),
    ] {
        let (got, said) = world.post(MEMBER, "/v2/images", fields.clone()).await.refusal();
        assert_eq!(got, status, "{fields}: {said}");
        assert!(said.starts_with(sentence), "{fields}: {said}");
    }
    assert_eq!(world.used("images").await, 0);
}

#[tokio::test]
async fn an_id_is_taken_once() {
    let world = World::new().await;
    let id = "8c5a2b1e-0000-4000-8000-000000000001";
    assert_eq!(world.create(MEMBER, json!({ "id": id })).await, id);
    let (status, said) = world.post(MEMBER, "/v2/images", json!({ "id": id })).await.refusal();
    assert_eq!(
        (status, said),
        (409, format!("there is an image with the id `{id}` already"))
    );
    assert_eq!(world.used("images").await, 1);
}

#[tokio::test]
async fn a_quota_of_images_is_kept() {
    let world = World::new().await;
    world.limit("images", 1).await;
    let id = world.create(MEMBER, raw("one")).await;
    let (status, said) = world.post(MEMBER, "/v2/images", raw("two")).await.refusal();
    assert_eq!(
        (status, said.as_str()),
        (
            413,
            "the project's quota of images is 1 and 1 are used: 1 more do not fit"
        )
    );
    assert_eq!(world.delete(MEMBER, &format!("/v2/images/{id}")).await.status, 204);
    world.create(MEMBER, raw("two")).await;
}

#[tokio::test]
async fn patches_change_one_level() {
    let world = World::new().await;
    let id = world.create(MEMBER, json!({ "name": "old", "a/b": "1" })).await;
    let changes = json!([
        { "op": "replace", "path": "/name", "value": "new" },
        { "op": "add", "path": "/os_distro", "value": "debian" },
        { "op": "replace", "path": "/a~1b", "value": "2" },
        { "op": "replace", "path": "/tags", "value": ["x"] },
        { "op": "replace", "path": "/protected", "value": true },
    ]);
    let image = world.patch(MEMBER, &id, changes).await.json();
    assert_eq!(
        (&image["name"], &image["os_distro"], &image["a/b"]),
        (&json!("new"), &json!("debian"), &json!("2"))
    );
    let image = world
        .patch(MEMBER, &id, json!([{ "op": "remove", "path": "/os_distro" }]))
        .await
        .json();
    assert_eq!(image.get("os_distro"), None);
    for (change, status, sentence) in [
        (
            json!({ "op": "replace", "path": "/none", "value": "" }),
            409,
            "has no property `none` to replace",
        ),
        (
            json!({ "op": "remove", "path": "/none" }),
            409,
            "has no property `none`",
        ),
        (
            json!({ "op": "remove", "path": "/name" }),
            403,
            "`name` cannot be removed",
        ),
        (
            json!({ "op": "replace", "path": "/id", "value": "x" }),
            403,
            "`id` is read-only",
        ),
        (
            json!({ "op": "add", "path": "/checksum", "value": "x" }),
            403,
            "`checksum` is read-only",
        ),
        (
            json!({ "op": "replace", "path": "/visibility", "value": "public" }),
            403,
            "only administrators",
        ),
        (
            json!({ "op": "replace", "path": "/tags/0", "value": "x" }),
            400,
            "is not a path of one property",
        ),
        (json!({ "op": "move", "path": "/name" }), 400, "unknown variant `move`"),
    ] {
        let whole = json!([{ "op": "replace", "path": "/name", "value": "half" }, change]);
        let (got, said) = world.patch(MEMBER, &id, whole).await.refusal();
        assert_eq!(got, status, "{change}: {said}");
        assert!(said.contains(sentence), "{change}: {said}");
    }
    assert_eq!(
        world.get(MEMBER, &format!("/v2/images/{id}")).await.json()["name"],
        "new"
    );
    let kind = [("content-type", "application/json")];
    let reply = world
        .call(
            MEMBER,
            Method::PATCH,
            &format!("/v2/images/{id}"),
            &kind,
            Body::from("[]"),
        )
        .await;
    assert_eq!(reply.status, 415);
    assert_eq!(
        reply.header("accept-patch"),
        "application/openstack-images-v2.1-json-patch"
    );
}

#[tokio::test]
async fn tags_come_and_go() {
    let world = World::new().await;
    let id = world.create(MEMBER, raw("x")).await;
    let path = format!("/v2/images/{id}/tags/web%20server");
    assert_eq!(world.put(MEMBER, &path, &[], "").await.status, 204);
    assert_eq!(world.put(MEMBER, &path, &[], "").await.status, 204);
    assert_eq!(
        world.get(MEMBER, &format!("/v2/images/{id}")).await.json()["tags"],
        json!(["web server"])
    );
    assert_eq!(world.delete(MEMBER, &path).await.status, 204);
    assert_eq!(world.delete(MEMBER, &path).await.status, 404);
}

#[tokio::test]
async fn a_protected_image_stays() {
    let world = World::new().await;
    let id = world.create(MEMBER, json!({ "protected": true })).await;
    let (status, said) = world.delete(MEMBER, &format!("/v2/images/{id}")).await.refusal();
    let sentence = format!("image `{id}` is protected: unset its protection before you delete it");
    assert_eq!((status, said), (403, sentence));
    world
        .patch(
            MEMBER,
            &id,
            json!([{ "op": "replace", "path": "/protected", "value": false }]),
        )
        .await;
    assert_eq!(world.delete(MEMBER, &format!("/v2/images/{id}")).await.status, 204);
    assert_eq!(world.get(MEMBER, &format!("/v2/images/{id}")).await.status, 404);
    assert_eq!(world.used("images").await, 0);
}

#[tokio::test]
async fn closed_content_is_not_given_out() {
    let world = World::new().await;
    let id = world.active(MEMBER, "x", &noise(1, 4)).await;
    let path = format!("/v2/images/{id}");
    assert_eq!(
        world
            .post(MEMBER, &format!("{path}/actions/deactivate"), json!({}))
            .await
            .status,
        204
    );
    assert_eq!(world.get(MEMBER, &path).await.json()["status"], "deactivated");
    assert_eq!(world.get(MEMBER, &format!("{path}/file")).await.status, 403);
    assert_eq!(world.get(ADMIN, &format!("{path}/file")).await.status, 200);
    assert_eq!(
        world
            .post(MEMBER, &format!("{path}/actions/reactivate"), json!({}))
            .await
            .status,
        204
    );
    assert_eq!(world.get(MEMBER, &format!("{path}/file")).await.status, 200);
    let queued = world.create(MEMBER, raw("y")).await;
    let reply = world
        .post(MEMBER, &format!("/v2/images/{queued}/actions/reactivate"), json!({}))
        .await;
    assert_eq!(reply.status, 403);
}
