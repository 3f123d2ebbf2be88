//! Roles given to users and groups, checked, listed, worked out, taken.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::kit::World;

#[tokio::test]
async fn a_role_is_given_checked_listed_and_taken_everywhere() {
    let world = World::new().await;
    let token = world.admin().await;
    let user = world.create("users", &token, json!({ "name": "u" })).await;
    let group = world.create("groups", &token, json!({ "name": "g" })).await;
    let role = world.role(&token, "member").await;
    for target in [
        format!("projects/{}", world.made.admin_project),
        "domains/default".to_owned(),
        "system".to_owned(),
    ] {
        for actor in [
            format!("users/{}", user["id"].as_str().unwrap()),
            format!("groups/{}", group["id"].as_str().unwrap()),
        ] {
            let all = format!("/v3/{target}/{actor}/roles");
            let one = format!("{all}/{role}");
            let steps = [
                ("HEAD", StatusCode::NOT_FOUND),
                ("DELETE", StatusCode::NOT_FOUND),
                ("PUT", StatusCode::NO_CONTENT),
                ("PUT", StatusCode::NO_CONTENT),
                ("HEAD", StatusCode::NO_CONTENT),
                ("GET", StatusCode::NO_CONTENT),
            ];
            for (method, status) in steps {
                assert_eq!(
                    world.call(method, &one, &token, Value::Null).await.status,
                    status,
                    "{method} {one}"
                );
            }
            assert_eq!(world.get(&all, &token).await.names("roles"), ["member"]);
            assert_eq!(
                world.call("DELETE", &one, &token, Value::Null).await.status,
                StatusCode::NO_CONTENT
            );
            assert!(world.get(&all, &token).await.names("roles").is_empty());
            let absent = format!("{all}/absent");
            assert_eq!(
                world.call("PUT", &absent, &token, Value::Null).await.status,
                StatusCode::NOT_FOUND
            );
        }
    }
}

/// The entries as `who role where`, sorted.
async fn entries(world: &World, token: &str, query: &str) -> Vec<String> {
    let reply = world
        .get(&format!("/v3/role_assignments?include_names&{query}"), token)
        .await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    let name = |value: &Value| value["name"].as_str().unwrap_or("?").to_owned();
    let mut lines: Vec<String> = reply.body["role_assignments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            let actor = entry.get("user").or(entry.get("group")).unwrap();
            let place = ["project", "domain"].iter().find_map(|kind| entry["scope"].get(kind));
            let place = place.map_or("system".to_owned(), name);
            format!("{} {} {place}", name(actor), name(&entry["role"]))
        })
        .collect();
    lines.sort();
    lines
}

#[tokio::test]
async fn assignments_are_listed_as_given_and_as_they_work_out() {
    let world = World::new().await;
    let token = world.admin().await;
    let project = world.create("projects", &token, json!({ "name": "p" })).await;
    let project = project["id"].as_str().unwrap();
    let user = world.person(&token, "anna", "reader", "domains/default").await;
    let group = world.create("groups", &token, json!({ "name": "staff" })).await;
    let group = group["id"].as_str().unwrap();
    let member = world.role(&token, "member").await;
    for path in [
        format!("groups/{group}/users/{user}"),
        format!("projects/{project}/groups/{group}/roles/{member}"),
    ] {
        assert_eq!(
            world
                .call("PUT", &format!("/v3/{path}"), &token, Value::Null)
                .await
                .status,
            StatusCode::NO_CONTENT
        );
    }
    let all = entries(&world, &token, "").await;
    let expected = [
        "admin admin admin",
        "admin admin system",
        "anna reader Default",
        "isobar service service",
        "staff member p",
    ];
    assert_eq!(all, expected);
    assert_eq!(
        entries(&world, &token, &format!("user.id={user}")).await,
        ["anna reader Default"]
    );
    let effective = entries(&world, &token, &format!("user.id={user}&effective")).await;
    assert_eq!(effective, ["anna member p", "anna reader Default", "anna reader p"]);
    assert_eq!(
        entries(&world, &token, &format!("scope.project.id={project}")).await,
        ["staff member p"]
    );
    assert_eq!(
        entries(&world, &token, &format!("group.id={group}")).await,
        ["staff member p"]
    );
    assert_eq!(
        entries(&world, &token, "scope.system=all").await,
        ["admin admin system"]
    );
    let by_role = entries(
        &world,
        &token,
        &format!("role.id={member}&effective&scope.project.id={project}"),
    )
    .await;
    assert_eq!(by_role, ["anna member p"]);
    let anna = world
        .login("anna", "anna", json!({ "project": { "id": project } }))
        .await;
    assert_eq!(
        entries(&world, &anna, &format!("user.id={user}")).await,
        ["anna reader Default"]
    );
    assert_eq!(
        world.get("/v3/role_assignments", &anna).await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        world
            .get(&format!("/v3/users/{user}/projects"), &anna)
            .await
            .names("projects"),
        ["p"]
    );
    assert_eq!(
        world
            .get(&format!("/v3/users/{user}/groups"), &anna)
            .await
            .names("groups"),
        ["staff"]
    );
    assert_eq!(
        world
            .get(&format!("/v3/groups/{group}/users"), &token)
            .await
            .names("users"),
        ["anna"]
    );
    let inside = format!("/v3/groups/{group}/users/{user}");
    assert_eq!(
        world.call("HEAD", &inside, &token, Value::Null).await.status,
        StatusCode::NO_CONTENT
    );
    let outside = format!("/v3/groups/{group}/users/{}", world.made.admin);
    assert_eq!(
        world.call("HEAD", &outside, &token, Value::Null).await.status,
        StatusCode::NOT_FOUND
    );
}
