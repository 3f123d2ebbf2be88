//! What ends a token before its time, at once here and within a second in another replica.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use serde_json::{Value, json};
use store::Store;
use types::Timestamp;

use crate::kit::{World, call, on_project, replica};

/// A world with `anna`, a member of project `p`; the administrator's token, anna's id and p's.
async fn with_anna() -> (World, String, String, String) {
    let world = World::new().await;
    let admin = world.admin().await;
    let project = world.create("projects", &admin, json!({ "name": "p" })).await;
    let project = project["id"].as_str().unwrap().to_owned();
    let anna = world
        .person(&admin, "anna", "member", &format!("projects/{project}"))
        .await;
    (world, admin, anna, project)
}

async fn alive(world: &World, token: &str) -> bool {
    let status = world.get("/v3/auth/projects", token).await.status;
    assert!([StatusCode::OK, StatusCode::UNAUTHORIZED].contains(&status));
    status == StatusCode::OK
}

#[tokio::test]
async fn each_reason_ends_the_token_at_once() {
    let (world, admin, anna, project) = with_anna().await;
    let member = world.role(&admin, "member").await;
    let user = format!("/v3/users/{anna}");
    let grant = format!("/v3/projects/{project}/users/{anna}/roles/{member}");
    let target = format!("/v3/projects/{project}");
    let disable = json!({ "enabled": false });
    let enable = json!({ "enabled": true });
    // What ends it, what makes the next login possible again.
    let reasons = [
        (
            "PATCH",
            &user,
            json!({ "user": { "password": "anna" } }),
            ("GET", &user, Value::Null),
        ),
        (
            "PATCH",
            &user,
            json!({ "user": disable }),
            ("PATCH", &user, json!({ "user": enable })),
        ),
        ("DELETE", &grant, Value::Null, ("PUT", &grant, Value::Null)),
        (
            "PATCH",
            &target,
            json!({ "project": disable }),
            ("PATCH", &target, json!({ "project": enable })),
        ),
        ("DELETE", &user, Value::Null, ("GET", &target, Value::Null)),
    ];
    for (method, path, body, (method_back, path_back, body_back)) in reasons {
        let token = world.login("anna", "anna", on_project("p")).await;
        assert!(alive(&world, &token).await);
        let reply = world.call(method, path, &admin, body).await;
        assert!(reply.status.is_success(), "{reply:?}");
        assert!(!alive(&world, &token).await, "{method} {path}");
        assert!(
            world
                .call(method_back, path_back, &admin, body_back)
                .await
                .status
                .is_success()
        );
        assert!(!alive(&world, &token).await, "ended is ended: {method} {path}");
    }
    assert!(alive(&world, &admin).await, "others are not concerned");
}

#[tokio::test]
async fn logging_out_ends_the_login_and_what_was_derived_from_it() {
    let (world, ..) = with_anna().await;
    let first = world.login("anna", "anna", json!("unscoped")).await;
    let other = world.login("anna", "anna", json!("unscoped")).await;
    let identity = json!({ "methods": ["token"], "token": { "id": first } });
    let derived = world
        .authenticate(identity.clone(), on_project("p"))
        .await
        .header("x-subject-token")
        .to_owned();
    let headers = [("x-auth-token", other.as_str()), ("x-subject-token", first.as_str())];
    let reply = call(&world.app, "DELETE", "/v3/auth/tokens", &headers, Value::Null).await;
    assert_eq!(reply.status, StatusCode::NO_CONTENT);
    assert!(!alive(&world, &first).await && !alive(&world, &derived).await);
    assert!(alive(&world, &other).await);
    assert_eq!(
        world.authenticate(identity, Value::Null).await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn people_change_their_own_password() {
    let (world, admin, anna, _) = with_anna().await;
    let token = world.login("anna", "anna", on_project("p")).await;
    let path = format!("/v3/users/{anna}/password");
    let body = |old: &str| json!({ "user": { "original_password": old, "password": "better" } });
    assert_eq!(
        world.call("POST", &path, &token, body("wrong")).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        world.call("POST", &path, &admin, body("anna")).await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        world.call("POST", &path, &token, json!({ "user": {} })).await.status,
        StatusCode::BAD_REQUEST
    );
    assert!(alive(&world, &token).await);
    assert_eq!(
        world.call("POST", &path, &token, body("anna")).await.status,
        StatusCode::NO_CONTENT
    );
    assert!(!alive(&world, &token).await);
    assert_eq!(
        world.try_login("anna", "anna", Value::Null).await.status,
        StatusCode::UNAUTHORIZED
    );
    world.login("anna", "better", on_project("p")).await;
}

#[tokio::test]
async fn leaving_a_group_or_losing_its_role_ends_the_tokens_it_gave() {
    let (world, admin, anna, project) = with_anna().await;
    let group = world.create("groups", &admin, json!({ "name": "g" })).await;
    let group = group["id"].as_str().unwrap();
    let role = world.create("roles", &admin, json!({ "name": "operator" })).await;
    let role = role["id"].as_str().unwrap();
    let inside = format!("/v3/groups/{group}/users/{anna}");
    let grant = format!("/v3/projects/{project}/groups/{group}/roles/{role}");
    for path in [&inside, &grant] {
        world.call("PUT", path, &admin, Value::Null).await;
    }
    for end in [
        inside.as_str(),
        &grant,
        &format!("/v3/groups/{group}"),
        &format!("/v3/roles/{role}"),
    ] {
        let reply = world.try_login("anna", "anna", on_project("p")).await;
        let token = reply.header("x-subject-token").to_owned();
        assert!(alive(&world, &token).await);
        assert_eq!(
            world.call("DELETE", end, &admin, Value::Null).await.status,
            StatusCode::NO_CONTENT,
            "{end}"
        );
        let concerned = !end.ends_with(role) || end == grant;
        assert_eq!(alive(&world, &token).await, !concerned, "{end}");
        if end == inside {
            world.call("PUT", &inside, &admin, Value::Null).await;
        }
    }
}

#[tokio::test]
async fn a_disabled_domain_locks_everybody_in_it_out() {
    let world = World::new().await;
    let admin = world.admin().await;
    let domain = world.create("domains", &admin, json!({ "name": "d" })).await;
    let domain = domain["id"].as_str().unwrap();
    let user = json!({ "name": "u", "password": "u", "domain_id": domain });
    world.create("users", &admin, user).await;
    let identity = json!({ "methods": ["password"],
        "password": { "user": { "name": "u", "password": "u", "domain": { "name": "d" } } } });
    let reply = world.authenticate(identity.clone(), Value::Null).await;
    let token = reply.header("x-subject-token").to_owned();
    assert!(alive(&world, &token).await);
    let off = json!({ "domain": { "enabled": false } });
    world.call("PATCH", &format!("/v3/domains/{domain}"), &admin, off).await;
    assert!(!alive(&world, &token).await);
    assert_eq!(
        world.authenticate(identity, Value::Null).await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn another_replica_hears_of_it_within_a_second() {
    let (world, admin, anna, _) = with_anna().await;
    // A process of its own: another connection, no shared memory.
    let (other, _app) = replica(&Store::open(&world.url).await.unwrap()).await;
    let token = world.login("anna", "anna", on_project("p")).await;
    assert!(other.verifier().verify(&token, Timestamp::now()).is_ok());
    let begun = Instant::now();
    world
        .call(
            "PATCH",
            &format!("/v3/users/{anna}"),
            &admin,
            json!({ "user": { "enabled": false } }),
        )
        .await;
    let mut look = tokio::time::interval(Duration::from_millis(20));
    while other.verifier().verify(&token, Timestamp::now()).is_ok() {
        look.tick().await;
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "the other replica never heard of it"
        );
    }
}
