//! What follows from a change: what goes with it, and the event that tells of it.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::{crud::check, kit::World};

#[tokio::test]
async fn a_domain_takes_everything_in_it_along() {
    let world = World::new().await;
    let token = world.admin().await;
    let domain = world.create("domains", &token, json!({ "name": "d" })).await;
    let id = domain["id"].as_str().unwrap();
    let parent = world
        .create("projects", &token, json!({ "name": "p", "domain_id": id }))
        .await;
    world
        .create(
            "projects",
            &token,
            json!({ "name": "c", "domain_id": id, "parent_id": parent["id"] }),
        )
        .await;
    let user = world
        .create("users", &token, json!({ "name": "u", "domain_id": id }))
        .await;
    let group = world
        .create("groups", &token, json!({ "name": "g", "domain_id": id }))
        .await;
    let (user, group) = (user["id"].as_str().unwrap(), group["id"].as_str().unwrap());
    let role = world.role(&token, "member").await;
    for path in [
        format!("domains/{id}/users/{user}/roles/{role}"),
        format!("groups/{group}/users/{user}"),
    ] {
        check(
            &world.call("PUT", &format!("/v3/{path}"), &token, Value::Null).await,
            StatusCode::NO_CONTENT,
        );
    }
    let parent = format!("/v3/projects/{}", parent["id"].as_str().unwrap());
    check(
        &world.call("DELETE", &parent, &token, Value::Null).await,
        StatusCode::FORBIDDEN,
    );
    let path = format!("/v3/domains/{id}");
    check(
        &world.call("DELETE", &path, &token, Value::Null).await,
        StatusCode::FORBIDDEN,
    );
    check(
        &world
            .call("PATCH", &path, &token, json!({ "domain": { "enabled": false } }))
            .await,
        StatusCode::OK,
    );
    check(
        &world.call("DELETE", &path, &token, Value::Null).await,
        StatusCode::NO_CONTENT,
    );
    check(
        &world.get(&format!("/v3/users/{user}"), &token).await,
        StatusCode::NOT_FOUND,
    );
    let left = world
        .get(&format!("/v3/role_assignments?scope.domain.id={id}"), &token)
        .await;
    assert_eq!(left.body["role_assignments"], json!([]));
    let own = json!({ "domain": { "enabled": false } });
    check(
        &world.call("PATCH", "/v3/domains/default", &token, own).await,
        StatusCode::FORBIDDEN,
    );
}

#[tokio::test]
async fn every_change_is_an_event() {
    let world = World::new().await;
    let token = world.admin().await;
    let project = world.create("projects", &token, json!({ "name": "p" })).await;
    let path = format!("/v3/projects/{}", project["id"].as_str().unwrap());
    world.call("DELETE", &path, &token, Value::Null).await;
    let cx = auth::Cx::service("test", "req-test");
    let since = store::event::Since {
        limit: 10,
        ..Default::default()
    };
    let events = world.store.events(&cx, &since).await.unwrap();
    let kinds: Vec<_> = events
        .iter()
        .map(|event| (event.kind.as_str(), event.actor.as_str()))
        .collect();
    assert_eq!(kinds, [("project.created", "admin"), ("project.deleted", "admin")]);
}
