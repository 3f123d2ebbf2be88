//! Discovery, logging in, and what a token says.

use auth::token::KeySet;
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::kit::{PASSWORD, SECRET, World, bootstrap, call, on_project};

#[tokio::test]
async fn discovery_follows_the_host_the_client_used() {
    let world = World::new().await;
    for path in ["", "/"] {
        let reply = call(&world.app, "GET", path, &[], Value::Null).await;
        assert_eq!(reply.status, StatusCode::MULTIPLE_CHOICES, "{path:?}");
        assert_eq!(reply.header("location"), "http://cloud.test/identity/v3/");
        assert_eq!(reply.body["versions"]["values"][0]["id"], "v3.14");
    }
    let behind = [("x-forwarded-proto", "https"), ("x-forwarded-host", "cloud.example")];
    for path in ["/v3", "/v3/"] {
        let reply = call(&world.app, "GET", path, &behind, Value::Null).await;
        assert_eq!(reply.status, StatusCode::OK);
        let href = &reply.body["version"]["links"][0]["href"];
        assert_eq!(href, "https://cloud.example/identity/v3/");
        assert_eq!(reply.header("vary"), "X-Auth-Token");
        assert!(reply.header("x-openstack-request-id").starts_with("req-"));
    }
}

#[tokio::test]
async fn a_project_token_describes_itself() {
    let world = World::new().await;
    let reply = world.try_login("admin", PASSWORD, on_project("admin")).await;
    assert_eq!(reply.status, StatusCode::CREATED, "{reply:?}");
    let token = &reply.body["token"];
    assert_eq!(token["user"]["name"], "admin");
    assert_eq!(token["user"]["domain"], json!({ "id": "default", "name": "Default" }));
    assert_eq!(token["project"]["id"], world.made.admin_project.to_string());
    assert_eq!(token["methods"], json!(["password"]));
    let roles: Vec<&str> = token["roles"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["name"].as_str().unwrap())
        .collect();
    assert_eq!(roles.len(), 4, "admin includes manager, member and reader: {roles:?}");
    let catalog = token["catalog"].as_array().unwrap();
    let urls: Vec<String> = catalog
        .iter()
        .map(|s| {
            format!(
                "{} {}",
                s["type"].as_str().unwrap(),
                s["endpoints"][0]["url"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(
        urls,
        [
            "identity http://cloud.test/identity/v3",
            "image http://cloud.test/image",
            "isobar http://cloud.test"
        ]
    );
    assert!(reply.header("x-subject-token").len() < 1500);
}

#[tokio::test]
async fn every_scope_can_be_asked_for() {
    let world = World::new().await;
    let admin = world.admin().await;
    world.person(&admin, "anna", "manager", "domains/default").await;
    let reply = world
        .try_login("admin", PASSWORD, json!({ "system": { "all": true } }))
        .await;
    assert_eq!(reply.body["token"]["system"], json!({ "all": true }));
    let reply = world
        .try_login("anna", "anna", json!({ "domain": { "name": "Default" } }))
        .await;
    assert_eq!(reply.body["token"]["domain"]["id"], "default");
    let reply = world.try_login("admin", PASSWORD, json!("unscoped")).await;
    assert!(reply.body["token"]["roles"].is_null() && reply.body["token"]["catalog"].is_null());
    // Without a scope: the default project, or nothing in particular.
    let reply = world.try_login("admin", PASSWORD, Value::Null).await;
    assert_eq!(reply.body["token"]["project"]["name"], "admin");
    let reply = world.try_login("anna", "anna", Value::Null).await;
    assert!(reply.body["token"]["project"].is_null());
    for scope in [
        on_project("admin"),
        on_project("absent"),
        json!({ "system": { "all": true } }),
    ] {
        let reply = world.try_login("anna", "anna", scope).await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_login_is_not_told() {
    let world = World::new().await;
    let admin = world.admin().await;
    let off = world
        .create(
            "users",
            &admin,
            json!({ "name": "off", "password": "off", "enabled": false }),
        )
        .await;
    assert_eq!(off["enabled"], false);
    world.create("users", &admin, json!({ "name": "keyless" })).await;
    let mut sentences = Vec::new();
    for (user, password) in [
        ("admin", "wrong"),
        ("nobody", "x"),
        ("off", "off"),
        ("keyless", ""),
        ("admin", ""),
    ] {
        let reply = world.try_login(user, password, Value::Null).await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{user}");
        assert_eq!(
            reply.header("www-authenticate"),
            "Keystone uri=\"http://cloud.test/identity/v3\""
        );
        assert_eq!(reply.body["error"]["title"], "Unauthorized");
        sentences.push(reply.message().to_owned());
    }
    sentences.dedup();
    assert_eq!(
        sentences,
        ["the user name, domain or password is wrong, or the account is disabled"]
    );
}

#[tokio::test]
async fn malformed_logins_are_400() {
    let world = World::new().await;
    for body in [
        json!("{"),
        json!([]),
        json!({ "auth": {} }),
        json!({ "auth": { "identity": { "methods": [] } } }),
        json!({ "auth": { "identity": { "methods": ["password"] } } }),
        json!({ "auth": { "identity": { "methods": ["password"], "password": { "user": { "password": "x" } } } } }),
    ] {
        let reply = call(&world.app, "POST", "/v3/auth/tokens", &[], body).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{reply:?}");
        assert!(!reply.message().is_empty());
    }
    let large = Value::String("x".repeat(120_000));
    let reply = call(&world.app, "POST", "/v3/auth/tokens", &[], large).await;
    assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE);
    let reply = world
        .authenticate(json!({ "methods": ["smoke-signal"] }), Value::Null)
        .await;
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_token_buys_another_that_lives_no_longer() {
    let world = World::new().await;
    let first = world.try_login("admin", PASSWORD, json!("unscoped")).await;
    let token = first.header("x-subject-token");
    let identity = json!({ "methods": ["token"], "token": { "id": token } });
    let second = world.authenticate(identity, on_project("admin")).await;
    assert_eq!(second.status, StatusCode::CREATED, "{second:?}");
    assert_eq!(second.body["token"]["methods"], json!(["password", "token"]));
    assert_eq!(second.body["token"]["expires_at"], first.body["token"]["expires_at"]);
    assert_eq!(
        second.body["token"]["audit_ids"][1],
        first.body["token"]["audit_ids"][0]
    );
}

#[tokio::test]
async fn validation_repeats_the_token_to_those_who_may_ask() {
    let world = World::new().await;
    let admin = world.admin().await;
    let service = world.login("isobar", SECRET, on_project("service")).await;
    world
        .person(
            &admin,
            "anna",
            "member",
            &format!("projects/{}", world.made.admin_project),
        )
        .await;
    let anna = world.login("anna", "anna", on_project("admin")).await;
    let ask = async |method: &str, path: &str, caller: &str, subject: &str| {
        let headers = [("x-auth-token", caller), ("x-subject-token", subject)];
        call(&world.app, method, path, &headers, Value::Null).await
    };
    let reply = ask("GET", "/v3/auth/tokens", &service, &anna).await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(reply.header("x-subject-token"), anna);
    assert_eq!(reply.body["token"]["user"]["name"], "anna");
    assert!(reply.body["token"]["catalog"].is_array());
    let reply = ask("GET", "/v3/auth/tokens?nocatalog", &anna, &anna).await;
    assert!(reply.status == StatusCode::OK && reply.body["token"]["catalog"].is_null());
    let reply = ask("HEAD", "/v3/auth/tokens", &anna, &anna).await;
    assert!(reply.status == StatusCode::OK && reply.header("x-subject-token") == anna);
    assert_eq!(
        ask("GET", "/v3/auth/tokens", &anna, &service).await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        ask("GET", "/v3/auth/tokens", &anna, "rubbish").await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        ask("GET", "/v3/auth/tokens", "rubbish", &anna).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        ask("GET", "/v3/auth/tokens", &anna, "").await.status,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn the_bearer_learns_where_to_go() {
    let world = World::new().await;
    let admin = world.admin().await;
    world.create("projects", &admin, json!({ "name": "unreachable" })).await;
    assert_eq!(
        world.get("/v3/auth/projects", &admin).await.names("projects"),
        ["admin"]
    );
    assert!(world.get("/v3/auth/domains", &admin).await.names("domains").is_empty());
    assert_eq!(
        world.get("/v3/auth/system", &admin).await.body["system"],
        json!([{ "all": true }])
    );
    assert_eq!(
        world.get("/v3/auth/catalog", &admin).await.names("catalog"),
        ["glance", "isobar", "keystone"]
    );
}

#[tokio::test]
async fn keys_are_public_and_revocations_are_for_services() {
    let world = World::new().await;
    let anybody = world.get("/v3/isobar/keys", "").await;
    assert_eq!(anybody.body["keys"].as_array().unwrap().len(), 1);
    assert!(anybody.body.get("revocations").is_none());
    assert!(
        serde_json::from_value::<KeySet>(anybody.body).is_err(),
        "a set without revocations is no key set"
    );
    let service = world.login("isobar", SECRET, on_project("service")).await;
    let reply = world.get("/v3/isobar/keys", &service).await;
    let set: KeySet = serde_json::from_value(reply.body).unwrap();
    let verifier = auth::token::Verifier::new(set).unwrap();
    let (who, _) = verifier.verify(&service, types::Timestamp::now()).unwrap();
    assert_eq!(who.user, world.made.service);
}

#[tokio::test]
async fn rotation_keeps_old_tokens_alive() {
    let world = World::new().await;
    let old = world.admin().await;
    let kid = keystone::key::rotate(&world.store, types::Timestamp::now())
        .await
        .unwrap();
    let new = world.admin().await;
    assert_ne!(old.split('.').next(), new.split('.').next());
    for token in [&old, &new] {
        assert_eq!(world.get("/v3/auth/projects", token).await.status, StatusCode::OK);
    }
    assert_eq!(keystone::key::signer(&world.store).await.unwrap().kid(), kid);
}

#[tokio::test]
async fn starting_again_changes_nothing_but_the_service_secret() {
    let world = World::new().await;
    let service = world.login("isobar", SECRET, on_project("service")).await;
    assert!(world.made.fresh);
    let mut wanted = bootstrap();
    wanted.admin_password = "other".to_owned();
    let again = keystone::bootstrap(&world.store, &wanted).await.unwrap();
    assert!(!again.fresh);
    assert_eq!(
        (again.admin, again.service),
        (world.made.admin.clone(), world.made.service.clone())
    );
    assert_eq!(
        world.try_login("admin", "other", Value::Null).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(world.get("/v3/auth/projects", &service).await.status, StatusCode::OK);
    wanted.service_secret = "changed".to_owned();
    keystone::bootstrap(&world.store, &wanted).await.unwrap();
    world.login("isobar", "changed", on_project("service")).await;
    world.state.verifier().refresh().await.unwrap();
    assert_eq!(
        world.get("/v3/auth/projects", &service).await.status,
        StatusCode::UNAUTHORIZED
    );
}
