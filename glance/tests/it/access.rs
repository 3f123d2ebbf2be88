//! Who sees what, and who may do what: projects, visibility, members, roles, nobody.

use axum::{body::Body, http::Method};
use serde_json::json;

use crate::world::{ADMIN, MEMBER, OTHER, World, noise, raw};

const READER: &str = "p1:reader";

#[tokio::test]
async fn nobody_anonymous_gets_in() {
    let world = World::new().await;
    let id = world.create(MEMBER, raw("x")).await;
    let image = format!("/v2/images/{id}");
    for (method, path) in [
        (Method::GET, "/v2/images".to_owned()),
        (Method::POST, "/v2/images".to_owned()),
        (Method::GET, image.clone()),
        (Method::PATCH, image.clone()),
        (Method::DELETE, image.clone()),
        (Method::GET, format!("{image}/file")),
        (Method::PUT, format!("{image}/file")),
        (Method::PUT, format!("{image}/stage")),
        (Method::POST, format!("{image}/import")),
        (Method::POST, format!("{image}/actions/deactivate")),
        (Method::POST, format!("{image}/actions/reactivate")),
        (Method::PUT, format!("{image}/tags/x")),
        (Method::DELETE, format!("{image}/tags/x")),
        (Method::GET, format!("{image}/members")),
        (Method::POST, format!("{image}/members")),
        (Method::GET, format!("{image}/members/p2")),
        (Method::PUT, format!("{image}/members/p2")),
        (Method::DELETE, format!("{image}/members/p2")),
        (Method::GET, "/v2/schemas/image".to_owned()),
        (Method::GET, "/v2/info/import".to_owned()),
        (Method::GET, "/v2/info/stores".to_owned()),
        (Method::GET, "/v2/info/usage".to_owned()),
    ] {
        for token in ["", "forged"] {
            let reply = world.call(token, method.clone(), &path, &[], Body::empty()).await;
            assert_eq!(reply.status, 401, "{method} {path}");
            assert!(reply.header("www-authenticate").starts_with("Keystone uri="));
        }
    }
}

#[tokio::test]
async fn a_foreign_project_finds_nothing_and_changes_nothing() {
    let world = World::new().await;
    let id = world.active(MEMBER, "mine", &noise(1, 1)).await;
    let image = format!("/v2/images/{id}");
    for (method, path, body) in [
        (Method::GET, image.clone(), ""),
        (Method::DELETE, image.clone(), ""),
        (Method::GET, format!("{image}/file"), ""),
        (Method::PUT, format!("{image}/file"), ""),
        (Method::PUT, format!("{image}/stage"), ""),
        (
            Method::POST,
            format!("{image}/import"),
            r#"{"method":{"name":"glance-direct"}}"#,
        ),
        (Method::POST, format!("{image}/actions/deactivate"), ""),
        (Method::PUT, format!("{image}/tags/x"), ""),
        (Method::GET, format!("{image}/members"), ""),
        (Method::POST, format!("{image}/members"), r#"{"member":"p2"}"#),
    ] {
        let kind = [("content-type", "application/octet-stream")];
        let reply = world.call(OTHER, method.clone(), &path, &kind, Body::from(body)).await;
        assert_eq!(reply.status, 404, "{method} {path} {}", reply.text());
    }
    assert_eq!(world.patch(OTHER, &id, json!([])).await.status, 404);
    let list = world.get(OTHER, "/v2/images").await.json();
    assert_eq!(list["images"], json!([]));
}

#[tokio::test]
async fn a_reader_reads_and_no_more() {
    let world = World::new().await;
    let id = world.active(MEMBER, "mine", &noise(1, 1)).await;
    assert_eq!(world.get(READER, &format!("/v2/images/{id}")).await.status, 200);
    assert_eq!(world.post(READER, "/v2/images", raw("x")).await.status, 403);
    assert_eq!(world.delete(READER, &format!("/v2/images/{id}")).await.status, 403);
    assert_eq!(world.patch(READER, &id, json!([])).await.status, 403);
    let reply = world.get(READER, &format!("/v2/images/{id}/file")).await;
    assert_eq!(
        reply.refusal(),
        (403, format!("you may see image `{id}` but not download it"))
    );
}

#[tokio::test]
async fn visibility_decides_who_else_sees() {
    let world = World::new().await;
    let id = world.active(MEMBER, "mine", &noise(1, 1)).await;
    let path = format!("/v2/images/{id}");
    let listed = async |query: &str| {
        let list = world.get(OTHER, &format!("/v2/images{query}")).await.json();
        list["images"].as_array().unwrap().len()
    };
    for (visibility, by_id, in_list, among_community) in [
        ("public", 200, 1, 0),
        ("community", 200, 0, 1),
        ("shared", 404, 0, 0),
        ("private", 404, 0, 0),
    ] {
        let change = json!([{ "op": "replace", "path": "/visibility", "value": visibility }]);
        assert_eq!(world.patch(ADMIN, &id, change).await.status, 200);
        assert_eq!(world.get(OTHER, &path).await.status, by_id, "{visibility}");
        assert_eq!(
            world.get(OTHER, &format!("{path}/file")).await.status,
            by_id,
            "{visibility}"
        );
        assert_eq!(listed("").await, in_list, "{visibility}");
        assert_eq!(listed("?visibility=community").await, among_community, "{visibility}");
        assert_eq!(world.get(MEMBER, &path).await.status, 200);
        if by_id == 200 {
            let (status, said) = world.delete(OTHER, &path).await.refusal();
            assert_eq!(
                (status, said),
                (403, format!("you may see image `{id}` but not delete it"))
            );
        }
    }
    let change = json!([{ "op": "replace", "path": "/visibility", "value": "public" }]);
    assert_eq!(world.patch(MEMBER, &id, change).await.status, 403);
}

#[tokio::test]
async fn an_image_is_shared_and_accepted() {
    let world = World::new().await;
    let id = world.active(MEMBER, "mine", &noise(1, 1)).await;
    let members = format!("/v2/images/{id}/members");
    let reply = world.post(MEMBER, &members, json!({ "member": "p2" })).await;
    assert_eq!(reply.json()["status"], "pending");
    assert_eq!(
        world.post(MEMBER, &members, json!({ "member": "p2" })).await.status,
        409
    );
    let listed = async |query: &str| {
        let list = world.get(OTHER, &format!("/v2/images{query}")).await.json();
        list["images"].as_array().unwrap().len()
    };
    assert_eq!((listed("").await, listed("?member_status=pending").await), (0, 1));
    assert_eq!(world.get(OTHER, &format!("/v2/images/{id}/file")).await.status, 200);
    let reply = async |token: &'static str, status: &str| {
        let kind = [("content-type", "application/json")];
        let body = json!({ "status": status }).to_string();
        world
            .call(token, Method::PUT, &format!("{members}/p2"), &kind, Body::from(body))
            .await
            .status
            .as_u16()
    };
    assert_eq!(reply(MEMBER, "accepted").await, 403);
    assert_eq!(reply(OTHER, "perhaps").await, 400);
    assert_eq!(reply(OTHER, "accepted").await, 200);
    assert_eq!((listed("").await, listed("?visibility=shared").await), (1, 1));
    assert_eq!(world.post(OTHER, &members, json!({ "member": "p3" })).await.status, 403);
    assert_eq!(
        world.get(OTHER, &members).await.json()["members"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        world.get(OTHER, &format!("{members}/p2")).await.json()["status"],
        "accepted"
    );
    assert_eq!(world.delete(MEMBER, &format!("{members}/p2")).await.status, 204);
    assert_eq!(world.get(OTHER, &format!("/v2/images/{id}")).await.status, 404);
    let private = world.create(MEMBER, json!({ "visibility": "private" })).await;
    let reply = world
        .post(
            MEMBER,
            &format!("/v2/images/{private}/members"),
            json!({ "member": "p2" }),
        )
        .await;
    assert_eq!(reply.status, 403);
    assert_eq!(world.delete(MEMBER, &format!("/v2/images/{id}")).await.status, 204);
}
