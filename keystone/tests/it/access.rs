//! Who is let in: nobody without a token, nobody beyond their reach, nobody above what they hold.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::kit::{World, on_project};

/// Every route but discovery, login and the public keys; `{x}` stands for an id.
const ROUTES: &[(&str, &str)] = &[
    ("GET DELETE", "auth/tokens"),
    ("GET", "auth/catalog"),
    ("GET", "auth/projects"),
    ("GET", "auth/domains"),
    ("GET", "auth/system"),
    ("GET POST", "domains"),
    ("GET PATCH DELETE", "domains/{x}"),
    ("GET POST", "projects"),
    ("GET PATCH DELETE", "projects/{x}"),
    ("GET POST", "users"),
    ("GET PATCH DELETE", "users/{x}"),
    ("POST", "users/{x}/password"),
    ("GET", "users/{x}/groups"),
    ("GET", "users/{x}/projects"),
    ("GET POST", "groups"),
    ("GET PATCH DELETE", "groups/{x}"),
    ("GET", "groups/{x}/users"),
    ("GET PUT DELETE", "groups/{x}/users/{x}"),
    ("GET POST", "roles"),
    ("GET PATCH DELETE", "roles/{x}"),
    ("GET", "role_assignments"),
    ("GET", "projects/{x}/users/{x}/roles"),
    ("GET PUT DELETE", "projects/{x}/users/{x}/roles/{x}"),
    ("GET PUT DELETE", "domains/{x}/groups/{x}/roles/{x}"),
    ("GET PUT DELETE", "system/users/{x}/roles/{x}"),
    ("GET POST", "regions"),
    ("GET PATCH DELETE", "regions/{x}"),
    ("GET POST", "services"),
    ("GET PATCH DELETE", "services/{x}"),
    ("GET POST", "endpoints"),
    ("GET PATCH DELETE", "endpoints/{x}"),
];

#[tokio::test]
async fn nobody_anonymous_gets_an_answer() {
    let world = World::new().await;
    for (methods, path) in ROUTES {
        for method in methods.split(' ') {
            for token in ["", "rubbish"] {
                let path = format!("/v3/{}", path.replace("{x}", "default"));
                let reply = world.call(method, &path, token, json!({})).await;
                assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn a_member_changes_nothing_and_sees_only_what_is_theirs() {
    let world = World::new().await;
    let admin = world.admin().await;
    let project = world.create("projects", &admin, json!({ "name": "p" })).await;
    let project = project["id"].as_str().unwrap();
    let id = world
        .person(&admin, "anna", "member", &format!("projects/{project}"))
        .await;
    let anna = world.login("anna", "anna", on_project("p")).await;
    let own = format!("users/{id}");
    let open = ["auth/", "regions", "services", "endpoints", "domains/{x}"];
    for (methods, path) in ROUTES {
        for method in methods.split(' ') {
            if open.iter().any(|start| path.starts_with(start)) && method == "GET" {
                continue;
            }
            if path.starts_with("auth/tokens") {
                continue;
            }
            let path = format!("/v3/{}", path.replace("{x}", "default"));
            let reply = world.call(method, &path, &anna, json!({})).await;
            let refused = [StatusCode::FORBIDDEN, StatusCode::NOT_FOUND];
            assert!(refused.contains(&reply.status), "{method} {path}: {reply:?}");
        }
    }
    for path in [
        own.as_str(),
        &format!("projects/{project}"),
        "domains/default",
        "regions",
        "services",
        "endpoints",
    ] {
        assert_eq!(
            world.get(&format!("/v3/{path}"), &anna).await.status,
            StatusCode::OK,
            "{path}"
        );
    }
    let foreign = format!("/v3/projects/{}", world.made.admin_project);
    assert_eq!(world.get(&foreign, &anna).await.status, StatusCode::NOT_FOUND);
    let rise = json!({ "user": { "name": "root" } });
    assert_eq!(
        world.call("PATCH", &format!("/v3/{own}"), &anna, rise).await.status,
        StatusCode::FORBIDDEN
    );
}

/// A domain with its manager: the domain's id and the manager's token.
async fn managed(world: &World, admin: &str) -> (String, String) {
    let domain = world.create("domains", admin, json!({ "name": "d" })).await;
    let domain = domain["id"].as_str().unwrap().to_owned();
    world
        .person(admin, "boss", "manager", &format!("domains/{domain}"))
        .await;
    let token = world.login("boss", "boss", json!({ "domain": { "id": domain } })).await;
    (domain, token)
}

#[tokio::test]
async fn a_manager_looks_after_one_domain() {
    let world = World::new().await;
    let admin = world.admin().await;
    let (domain, boss) = managed(&world, &admin).await;
    let user = world
        .create("users", &boss, json!({ "name": "u", "password": "u" }))
        .await;
    assert_eq!(user["domain_id"], domain, "new things are made in the token's domain");
    let project = world.create("projects", &boss, json!({ "name": "p" })).await;
    world.create("groups", &boss, json!({ "name": "g" })).await;
    for plural in ["users", "projects", "groups"] {
        let noun = plural.trim_end_matches('s');
        assert_eq!(
            world.get(&format!("/v3/{plural}"), &boss).await.names(plural).len(),
            1,
            "{plural}"
        );
        let elsewhere = json!({ noun: { "name": "x", "domain_id": "default" } });
        let reply = world.call("POST", &format!("/v3/{plural}"), &boss, elsewhere).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN);
    }
    let foreign = format!("/v3/users/{}", world.made.admin);
    for method in ["GET", "PATCH", "DELETE"] {
        assert_eq!(
            world.call(method, &foreign, &boss, json!({})).await.status,
            StatusCode::NOT_FOUND
        );
    }
    let (user, project) = (user["id"].as_str().unwrap(), project["id"].as_str().unwrap());
    let member = world.role(&boss, "member").await;
    let grant = format!("/v3/projects/{project}/users/{user}/roles/{member}");
    assert_eq!(
        world.call("PUT", &grant, &boss, Value::Null).await.status,
        StatusCode::NO_CONTENT
    );
    let listed = world.get("/v3/role_assignments", &boss).await;
    assert_eq!(
        listed.body["role_assignments"].as_array().unwrap().len(),
        2,
        "{listed:?}"
    );
    assert_eq!(
        world.call("POST", "/v3/roles", &boss, json!({})).await.status,
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn a_manager_cannot_rise() {
    let world = World::new().await;
    let admin = world.admin().await;
    let (domain, boss) = managed(&world, &admin).await;
    let user = world
        .create("users", &boss, json!({ "name": "u", "password": "u" }))
        .await;
    let group = world.create("groups", &boss, json!({ "name": "g" })).await;
    let (user, group) = (user["id"].as_str().unwrap(), group["id"].as_str().unwrap());
    let role = world.role(&admin, "admin").await;
    let member = world.role(&admin, "member").await;
    for path in [
        format!("domains/{domain}/users/{user}/roles/{role}"),
        format!("system/users/{user}/roles/{member}"),
        format!("projects/{}/users/{user}/roles/{member}", world.made.admin_project),
        format!("domains/{domain}/users/{}/roles/{member}", world.made.admin),
    ] {
        let reply = world.call("PUT", &format!("/v3/{path}"), &boss, Value::Null).await;
        assert!(
            [StatusCode::FORBIDDEN, StatusCode::NOT_FOUND].contains(&reply.status),
            "{path}: {reply:?}"
        );
    }
    // Taking over somebody who holds more, or joining a group that gives more, is rising too.
    for path in [
        format!("domains/{domain}/users/{user}/roles/{role}"),
        format!("system/groups/{group}/roles/{role}"),
    ] {
        assert_eq!(
            world
                .call("PUT", &format!("/v3/{path}"), &admin, Value::Null)
                .await
                .status,
            StatusCode::NO_CONTENT
        );
    }
    let password = json!({ "user": { "password": "mine" } });
    for (method, path, body) in [
        ("PATCH", format!("users/{user}"), password),
        ("DELETE", format!("users/{user}"), Value::Null),
        ("PUT", format!("groups/{group}/users/{user}"), Value::Null),
        ("DELETE", format!("groups/{group}"), Value::Null),
    ] {
        let reply = world.call(method, &format!("/v3/{path}"), &boss, body).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN, "{method} {path}: {reply:?}");
    }
}

#[tokio::test]
async fn a_reader_of_the_system_reads_everything_and_changes_nothing() {
    let world = World::new().await;
    let admin = world.admin().await;
    world.person(&admin, "audit", "reader", "system").await;
    let audit = world
        .login("audit", "audit", json!({ "system": { "all": true } }))
        .await;
    for plural in [
        "users",
        "projects",
        "groups",
        "domains",
        "roles",
        "role_assignments",
        "endpoints",
    ] {
        assert_eq!(
            world.get(&format!("/v3/{plural}"), &audit).await.status,
            StatusCode::OK,
            "{plural}"
        );
        let reply = world.call("POST", &format!("/v3/{plural}"), &audit, json!({})).await;
        assert!(
            [StatusCode::FORBIDDEN, StatusCode::METHOD_NOT_ALLOWED].contains(&reply.status),
            "{plural}"
        );
    }
}

#[tokio::test]
async fn many_people_at_once_never_see_each_other() {
    let world = World::new().await;
    let admin = world.admin().await;
    let mut people = Vec::new();
    for n in 0..4 {
        let project = world
            .create("projects", &admin, json!({ "name": format!("p{n}") }))
            .await;
        let target = format!("projects/{}", project["id"].as_str().unwrap());
        let name = format!("user{n}");
        let id = world.person(&admin, &name, "member", &target).await;
        people.push((
            world.login(&name, &name, on_project(&format!("p{n}"))).await,
            id,
            target,
        ));
    }
    let world = std::sync::Arc::new(world);
    let mut tasks = tokio::task::JoinSet::new();
    for round in 0..100 {
        let world = world.clone();
        let (token, id, target) = people[round % people.len()].clone();
        let (_, other, foreign) = people[(round + 1) % people.len()].clone();
        tasks.spawn(async move {
            assert_eq!(
                world.get(&format!("/v3/users/{id}"), &token).await.body["user"]["id"],
                id
            );
            assert_eq!(
                world.get(&format!("/v3/users/{other}"), &token).await.status,
                StatusCode::FORBIDDEN
            );
            assert_eq!(world.get(&format!("/v3/{target}"), &token).await.status, StatusCode::OK);
            assert_eq!(
                world.get(&format!("/v3/{foreign}"), &token).await.status,
                StatusCode::NOT_FOUND
            );
        });
    }
    tasks.join_all().await;
}
