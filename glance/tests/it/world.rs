//! One service on its own database and directory, and callers with roles.

use std::{fs, path::PathBuf, process::Command, sync::Arc};

use async_trait::async_trait;
use auth::{Policy, Scope, Who};
use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode},
    middleware,
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use store::sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use tower::ServiceExt;
use types::{Error, Kind, Result};

/// A token of the tests is `project:role`.
struct Tokens;

#[async_trait]
impl web::Authenticate for Tokens {
    async fn authenticate(&self, token: &str) -> Result<Who> {
        let wrong = || Error::new(Kind::Unauthenticated, "this token is not valid");
        let (project, role) = token.split_once(':').ok_or_else(wrong)?;
        let domain: types::DomainId = "default".parse()?;
        Ok(Who {
            user: role.parse()?,
            user_name: role.to_owned(),
            domain: domain.clone(),
            scope: Scope::Project {
                id: project.parse()?,
                domain,
            },
            roles: vec![role.to_owned()],
        })
    }
}

pub struct World {
    pub state: glance::State,
    pub app: Router,
    pub dir: tempfile::TempDir,
    _database: testkit::Database,
}

pub const MEMBER: &str = "p1:member";
pub const OTHER: &str = "p2:member";
pub const ADMIN: &str = "ops:admin";

impl World {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// With some of its state changed before it starts.
    pub async fn with(change: impl FnOnce(&mut glance::State)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let database = testkit::Database::chosen(glance::MIGRATIONS).await;
        let mut state = glance::State::open(database.store.clone(), dir.path().join("images"), None).unwrap();
        change(&mut state);
        let app = mount(&state);
        Self {
            state,
            app,
            dir,
            _database: database,
        }
    }

    pub async fn call(&self, token: &str, method: Method, path: &str, headers: &[(&str, &str)], body: Body) -> Reply {
        let mut request = Request::builder().method(method).uri(format!("/image{path}"));
        request = request.header("x-auth-token", token).header("host", "cloud.test");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.app.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes().to_vec();
        Reply {
            status: parts.status,
            headers: parts.headers,
            bytes,
        }
    }

    pub async fn get(&self, token: &str, path: &str) -> Reply {
        self.call(token, Method::GET, path, &[], Body::empty()).await
    }

    pub async fn delete(&self, token: &str, path: &str) -> Reply {
        self.call(token, Method::DELETE, path, &[], Body::empty()).await
    }

    pub async fn post(&self, token: &str, path: &str, body: Value) -> Reply {
        let kind = [("content-type", "application/json")];
        self.call(token, Method::POST, path, &kind, Body::from(body.to_string()))
            .await
    }

    pub async fn patch(&self, token: &str, id: &str, changes: Value) -> Reply {
        let kind = [("content-type", "application/openstack-images-v2.1-json-patch")];
        let path = format!("/v2/images/{id}");
        self.call(token, Method::PATCH, &path, &kind, Body::from(changes.to_string()))
            .await
    }

    /// A new image's id.
    pub async fn create(&self, token: &str, fields: Value) -> String {
        let reply = self.post(token, "/v2/images", fields).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text());
        reply.json()["id"].as_str().unwrap().to_owned()
    }

    pub async fn upload(&self, token: &str, id: &str, bytes: impl Into<Body>) -> Reply {
        self.put(token, &format!("/v2/images/{id}/file"), &[], bytes).await
    }

    pub async fn put(&self, token: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Reply {
        let mut all = vec![("content-type", "application/octet-stream")];
        all.extend(headers);
        self.call(token, Method::PUT, path, &all, body.into()).await
    }

    /// An active raw image of these bytes.
    pub async fn active(&self, token: &str, name: &str, bytes: &[u8]) -> String {
        let id = self.create(token, raw(name)).await;
        let reply = self.upload(token, &id, bytes.to_vec()).await;
        assert_eq!(reply.status, StatusCode::NO_CONTENT, "{}", reply.text());
        id
    }

    pub async fn used(&self, resource: &str) -> i64 {
        let quotas = self.state.store.quotas(&"p1".parse().unwrap()).await.unwrap();
        quotas
            .iter()
            .find(|quota| quota.resource == resource)
            .map_or(0, |quota| quota.used)
    }

    pub async fn limit(&self, resource: &str, max: i64) {
        use store::{quota, sea_orm::entity::prelude::*};
        let project = "p1".parse().unwrap();
        let tx = self.state.store.begin().await.unwrap();
        tx.charge(&project, &[(resource, 0)]).await.unwrap();
        let update = quota::Entity::update_many()
            .col_expr(quota::Column::Max, Expr::value(max))
            .filter(quota::Column::Resource.eq(resource));
        tx.update(update).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Kinds of the events about an image, oldest first.
    pub async fn events(&self, id: &str) -> Vec<String> {
        use store::{event, sea_orm::QueryOrder};
        let about = event::Entity::find()
            .filter(event::Column::ResourceId.eq(id))
            .order_by_asc(event::Column::Seq);
        let events = self.state.store.all(about).await.unwrap();
        events.into_iter().map(|event| event.kind).collect()
    }

    /// The row, whoever may see it.
    pub async fn row(&self, id: &str) -> glance::image::Model {
        let id: types::ImageId = id.parse().unwrap();
        self.state
            .store
            .one(glance::image::Entity::find_by_id(id))
            .await
            .unwrap()
            .unwrap()
    }

    /// Waits until the image is in this state; events wake us.
    pub async fn until(&self, id: &str, status: &str) -> Value {
        let mut changed = self.state.store.signal(store::event::CHANNEL);
        let wait = async {
            loop {
                let image = self.get(ADMIN, &format!("/v2/images/{id}")).await.json();
                if image["status"] == status {
                    return image;
                }
                changed.changed().await.unwrap();
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), wait)
            .await
            .unwrap()
    }

    /// Files below a directory of the service: `contents` or `spool`.
    pub fn files(&self, below: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut dirs = vec![self.dir.path().join("images").join(below)];
        while let Some(dir) = dirs.pop() {
            for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
                match entry.file_type().unwrap().is_dir() {
                    true => dirs.push(entry.path()),
                    false => found.push(entry.path()),
                }
            }
        }
        found
    }

    /// Serves on a port of the loopback; the base URL.
    pub async fn listen(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = self.app.clone();
        tokio::spawn(async move { axum::serve(listener, app).await });
        format!("http://{address}")
    }
}

fn mount(state: &glance::State) -> Router {
    let gate = web::Gate {
        tokens: Arc::new(Tokens),
        policy: Arc::new(Policy::default()),
    };
    Router::new()
        .nest("/image", glance::app(state.clone()))
        .layer(middleware::from_fn_with_state(gate, web::caller::identify))
}

pub fn raw(name: &str) -> Value {
    json!({ "name": name, "disk_format": "raw", "container_format": "bare" })
}

/// Bytes that are no image of any format, and differ.
pub fn noise(seed: u8, sectors: usize) -> Vec<u8> {
    let mut state = u64::from(seed) + 1;
    let step = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    std::iter::repeat_with(step).take(sectors * 512).collect()
}

/// What `qemu-img create` makes with these arguments.
pub fn qemu_image(arguments: &[&str]) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new("qemu-img")
        .arg("create")
        .args(arguments)
        .args(["file", "4M"])
        .current_dir(dir.path())
        .output()
        .expect("qemu-img is missing: run tools/install host");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    fs::read(dir.path().join("file")).unwrap()
}

#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
}

impl Reply {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|_| panic!("{} {}", self.status, self.text()))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The status and the sentence of a refusal.
    pub fn refusal(&self) -> (u16, String) {
        (
            self.status.as_u16(),
            self.json()["message"].as_str().unwrap_or_default().to_owned(),
        )
    }
}
