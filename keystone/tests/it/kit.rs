//! A keystone with an administrator on a database of its own, and short ways to call it.

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode},
};
use http_body_util::BodyExt;
use keystone::{Bootstrap, Made, Options, State};
use serde_json::{Value, json};
use store::Store;
use testkit::Database;
use tower::ServiceExt;

pub const PASSWORD: &str = "admin-password";
pub const SECRET: &str = "service-secret";

/// One installation.
pub struct World {
    pub app: Router,
    pub state: State,
    pub store: Store,
    pub made: Made,
    pub url: String,
    _database: Database,
}

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Reply {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn message(&self) -> &str {
        self.body["error"]["message"].as_str().unwrap_or_default()
    }

    /// The names in a list of this plural.
    pub fn names(&self, plural: &str) -> Vec<String> {
        let items = self.body[plural].as_array().unwrap_or_else(|| panic!("{self:?}"));
        let mut names: Vec<_> = items
            .iter()
            .map(|item| item["name"].as_str().unwrap_or_default().to_owned())
            .collect();
        names.sort();
        names
    }
}

pub fn bootstrap() -> Bootstrap {
    Bootstrap {
        admin_password: PASSWORD.to_owned(),
        service_secret: SECRET.to_owned(),
        region: "home".to_owned(),
    }
}

impl World {
    pub async fn new() -> Self {
        let database = Database::chosen(keystone::MIGRATIONS).await;
        let (store, url) = (database.store.clone(), database.url.clone());
        let made = keystone::bootstrap(&store, &bootstrap()).await.unwrap();
        let (state, app) = replica(&store).await;
        Self {
            app,
            state,
            store,
            made,
            url,
            _database: database,
        }
    }

    pub async fn call(&self, method: &str, path: &str, token: &str, body: Value) -> Reply {
        call(&self.app, method, path, &[("x-auth-token", token)], body).await
    }

    pub async fn get(&self, path: &str, token: &str) -> Reply {
        self.call("GET", path, token, Value::Null).await
    }

    /// Creates something that must succeed; its attributes.
    pub async fn create(&self, plural: &str, token: &str, attributes: Value) -> Value {
        let noun = plural.trim_end_matches('s');
        let reply = self
            .call("POST", &format!("/v3/{plural}"), token, json!({ noun: attributes }))
            .await;
        assert_eq!(reply.status, StatusCode::CREATED, "{reply:?}");
        reply.body[noun].clone()
    }

    pub async fn try_login(&self, user: &str, password: &str, scope: Value) -> Reply {
        let user = json!({ "name": user, "domain": { "id": "default" }, "password": password });
        let identity = json!({ "methods": ["password"], "password": { "user": user } });
        self.authenticate(identity, scope).await
    }

    pub async fn authenticate(&self, identity: Value, scope: Value) -> Reply {
        let mut auth = json!({ "identity": identity });
        if !scope.is_null() {
            auth["scope"] = scope;
        }
        call(&self.app, "POST", "/v3/auth/tokens", &[], json!({ "auth": auth })).await
    }

    pub async fn login(&self, user: &str, password: &str, scope: Value) -> String {
        let reply = self.try_login(user, password, scope).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{reply:?}");
        reply.header("x-subject-token").to_owned()
    }

    pub async fn admin(&self) -> String {
        self.login("admin", PASSWORD, on_project("admin")).await
    }

    pub async fn role(&self, token: &str, name: &str) -> String {
        let reply = self.get(&format!("/v3/roles?name={name}"), token).await;
        reply.body["roles"][0]["id"].as_str().unwrap().to_owned()
    }

    /// A user with a password, and a role on a target such as `projects/<id>`.
    pub async fn person(&self, token: &str, name: &str, role: &str, target: &str) -> String {
        let user = self
            .create(
                "users",
                token,
                json!({ "name": name, "password": name, "domain_id": "default" }),
            )
            .await;
        let id = user["id"].as_str().unwrap().to_owned();
        let role = self.role(token, role).await;
        let reply = self
            .call(
                "PUT",
                &format!("/v3/{target}/users/{id}/roles/{role}"),
                token,
                Value::Null,
            )
            .await;
        assert_eq!(reply.status, StatusCode::NO_CONTENT, "{reply:?}");
        id
    }
}

pub fn on_project(name: &str) -> Value {
    json!({ "project": { "name": name, "domain": { "id": "default" } } })
}

/// Another process on the same database.
pub async fn replica(store: &Store) -> (State, Router) {
    let verifier = keystone::verifier(store).await.unwrap();
    let state = State::new(store.clone(), verifier, Options::default()).unwrap();
    let app = Router::new().nest_service("/identity", keystone::app(state.clone()));
    (state, app)
}

pub async fn call(app: &Router, method: &str, path: &str, headers: &[(&str, &str)], body: Value) -> Reply {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let mut request = Request::builder()
        .method(method)
        .uri(format!("/identity{path}"))
        .header("host", "cloud.test");
    for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
        request = request.header(*name, *value);
    }
    let body = match body {
        Value::Null => Body::empty(),
        Value::String(raw) => Body::from(raw),
        body => Body::from(body.to_string()),
    };
    let response = app.clone().oneshot(request.body(body).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Reply {
        status: parts.status,
        headers: parts.headers,
        body,
    }
}
