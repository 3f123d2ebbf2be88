//! The collections: the same five routes behave the same everywhere.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::kit::{Reply, World};

/// Plural, what a create needs, an update, and whether a name may be there only once.
fn collections() -> Vec<(&'static str, Value, Value, bool)> {
    vec![
        (
            "domains",
            json!({ "name": "d1" }),
            json!({ "description": "changed", "enabled": false }),
            true,
        ),
        (
            "projects",
            json!({ "name": "p1", "tags": ["a"] }),
            json!({ "description": "changed" }),
            true,
        ),
        (
            "users",
            json!({ "name": "u1", "password": "x", "email": "u1@x" }),
            json!({ "email": "changed" }),
            true,
        ),
        (
            "groups",
            json!({ "name": "g1" }),
            json!({ "description": "changed" }),
            true,
        ),
        (
            "roles",
            json!({ "name": "r1" }),
            json!({ "description": "changed" }),
            true,
        ),
        (
            "regions",
            json!({ "id": "far" }),
            json!({ "description": "changed" }),
            true,
        ),
        (
            "services",
            json!({ "type": "dns", "name": "s1" }),
            json!({ "description": "changed" }),
            false,
        ),
        (
            "endpoints",
            json!({ "service_id": "image", "interface": "public", "url": "http://e/%(project_id)s" }),
            json!({ "url": "http://changed" }),
            false,
        ),
    ]
}

pub fn check(reply: &Reply, status: StatusCode) {
    assert_eq!(reply.status, status, "{reply:?}");
    if status.is_client_error() {
        assert_eq!(reply.body["error"]["code"], status.as_u16());
        assert!(!reply.message().is_empty());
    }
}

#[tokio::test]
async fn every_collection_creates_shows_lists_updates_and_deletes() {
    let world = World::new().await;
    let token = world.admin().await;
    for (plural, create, update, unique) in collections() {
        let noun = plural.trim_end_matches('s');
        let mut create = create.clone();
        create["team"] = "blue".into();
        let made = world.create(plural, &token, create.clone()).await;
        let one = format!("/v3/{plural}/{}", made["id"].as_str().unwrap());
        assert_eq!(made["links"]["self"], format!("http://cloud.test/identity{one}"));
        assert_eq!(made["team"], "blue", "attributes of one's own are kept");
        assert!(made.get("password").is_none() && made.get("password_hash").is_none());
        let shown = world.get(&one, &token).await;
        assert_eq!(shown.body[noun], made);
        check(&world.call("HEAD", &one, &token, Value::Null).await, StatusCode::OK);
        let list = world.get(&format!("/v3/{plural}"), &token).await;
        assert!(list.body[plural].as_array().unwrap().contains(&made), "{list:?}");
        assert_eq!(
            list.body["links"]["self"],
            format!("http://cloud.test/identity/v3/{plural}")
        );
        if unique {
            check(
                &world
                    .call("POST", &format!("/v3/{plural}"), &token, json!({ noun: create }))
                    .await,
                StatusCode::CONFLICT,
            );
        }
        let changed = world.call("PATCH", &one, &token, json!({ noun: update })).await;
        check(&changed, StatusCode::OK);
        for (key, value) in update.as_object().unwrap() {
            assert_eq!(&changed.body[noun][key], value);
        }
        assert_eq!(changed.body[noun]["team"], "blue");
        check(
            &world.call("PATCH", &one, &token, json!({ "wrong": {} })).await,
            StatusCode::BAD_REQUEST,
        );
        check(
            &world.call("DELETE", &one, &token, Value::Null).await,
            StatusCode::NO_CONTENT,
        );
        for method in ["GET", "DELETE"] {
            check(
                &world.call(method, &one, &token, Value::Null).await,
                StatusCode::NOT_FOUND,
            );
        }
        check(
            &world.call("PATCH", &one, &token, json!({ noun: update })).await,
            StatusCode::NOT_FOUND,
        );
        check(
            &world.call("PUT", &one, &token, Value::Null).await,
            StatusCode::METHOD_NOT_ALLOWED,
        );
        assert!(
            !world
                .call("PUT", &one, &token, Value::Null)
                .await
                .header("allow")
                .is_empty()
        );
    }
}

#[tokio::test]
async fn wrong_attributes_are_400_and_name_what_is_wrong() {
    let world = World::new().await;
    let token = world.admin().await;
    for (plural, body, word) in [
        ("projects", json!({}), "name"),
        ("projects", json!({ "name": "" }), "name"),
        ("projects", json!({ "name": 7 }), "name"),
        ("projects", json!({ "name": "x".repeat(65) }), "name"),
        ("projects", json!({ "name": "p", "enabled": "yes" }), "enabled"),
        ("projects", json!({ "name": "p", "is_domain": true }), "is_domain"),
        (
            "users",
            json!({ "name": "u", "password": "x".repeat(2000) }),
            "password",
        ),
        ("users", json!({ "name": "u", "domain_id": "not an id" }), "not an id"),
        (
            "endpoints",
            json!({ "service_id": "image", "interface": "inner", "url": "u" }),
            "interface",
        ),
    ] {
        let noun = plural.trim_end_matches('s');
        let reply = world
            .call("POST", &format!("/v3/{plural}"), &token, json!({ noun: body }))
            .await;
        check(&reply, StatusCode::BAD_REQUEST);
        assert!(reply.message().contains(word), "{}", reply.message());
    }
    for (plural, body) in [
        ("users", json!({ "name": "u", "domain_id": "absent" })),
        ("projects", json!({ "name": "p", "parent_id": "absent" })),
        (
            "endpoints",
            json!({ "service_id": "absent", "interface": "public", "url": "u" }),
        ),
    ] {
        let noun = plural.trim_end_matches('s');
        check(
            &world
                .call("POST", &format!("/v3/{plural}"), &token, json!({ noun: body }))
                .await,
            StatusCode::NOT_FOUND,
        );
    }
    let moved = json!({ "project": { "domain_id": "elsewhere" } });
    let path = format!("/v3/projects/{}", world.made.admin_project);
    check(
        &world.call("PATCH", &path, &token, moved).await,
        StatusCode::BAD_REQUEST,
    );
}

#[tokio::test]
async fn a_name_is_looked_up_as_clients_do_it() {
    let world = World::new().await;
    let token = world.admin().await;
    world.create("projects", &token, json!({ "name": "p 1%" })).await;
    check(&world.get("/v3/projects/p%201%25", &token).await, StatusCode::NOT_FOUND);
    let reply = world.get("/v3/projects?name=p%201%25&unknown=ignored", &token).await;
    assert_eq!(reply.names("projects"), ["p 1%"]);
    assert!(
        world
            .get("/v3/projects?name=p", &token)
            .await
            .names("projects")
            .is_empty()
    );
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let world = World::new().await;
    let token = world.admin().await;
    for name in ["web-1", "web-2", "WEB-3", "db_1", "dbx1"] {
        let enabled = name != "db_1";
        world
            .create("projects", &token, json!({ "name": name, "enabled": enabled }))
            .await;
    }
    for (query, expected) in [
        ("name__contains=eb-", vec!["WEB-3", "web-1", "web-2"]),
        ("name__startswith=db_", vec!["db_1"]),
        ("name__endswith=1", vec!["db_1", "dbx1", "web-1"]),
        ("enabled=False", vec!["db_1"]),
        ("name__startswith=db&enabled=true", vec!["dbx1"]),
        ("domain_id=other", vec![]),
    ] {
        assert_eq!(
            world
                .get(&format!("/v3/projects?{query}"), &token)
                .await
                .names("projects"),
            expected,
            "{query}"
        );
    }
    let mut path = "/v3/projects?limit=2&name__icontains=1".to_owned();
    let mut seen = Vec::new();
    loop {
        let reply = world.get(&path, &token).await;
        seen.extend(reply.names("projects"));
        let Some(next) = reply.body["links"]["next"].as_str() else {
            assert!(reply.body.get("truncated").is_none());
            break;
        };
        assert_eq!(reply.body["truncated"], true);
        path = next.strip_prefix("http://cloud.test/identity").unwrap().to_owned();
    }
    seen.sort();
    assert_eq!(seen, ["db_1", "dbx1", "web-1"]);
    check(
        &world.get("/v3/projects?limit=none", &token).await,
        StatusCode::BAD_REQUEST,
    );
}
