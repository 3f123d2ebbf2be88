//! A region on a database of its own, its neighbours, a simulated cloud in a file, and callers with roles.
//!
//! ```text
//! caller ── gate ── region ──┬── gate ── scheduler ──┐
//!                            ├── gate ── glance    ──┼── one database
//!                            └── sim (journal file)  ┘
//! ```

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::{Router, body::Body, http::StatusCode};
use region::account;
use serde_json::{Value, json};
use sim::Control;
use store::{
    Migration, Store,
    sea_orm::{ColumnTrait, EntityTrait, QueryFilter, sea_query::Expr},
};
use task::{Engine, Settings};
use testkit::Database;
use tokio_util::sync::CancellationToken;
use types::{Json, TaskId, states};
use web::Peer;

use crate::call::{Call, MEMBER, Reply, SERVICE, as_us, gated, post, send};

/// How long anything in these tests may take.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub fn migrations() -> Vec<Migration> {
    [
        task::MIGRATIONS,
        glance::MIGRATIONS,
        region::MIGRATIONS,
        scheduler::MIGRATIONS,
    ]
    .concat()
}

#[derive(Clone)]
pub struct Site {
    pub store: Store,
    pub state: region::State,
    app: Router,
    glance: Router,
    scheduler: Router,
    /// The image contents, the cloud's journal and, for SQLite, the database.
    dir: Arc<tempfile::TempDir>,
    images: PathBuf,
    _database: Option<Arc<Database>>,
}

impl Site {
    /// Nothing but a region and its zone.
    pub async fn empty(database: Database) -> Self {
        let store = database.store.clone();
        region::setup::bootstrap(&store, "here").await.unwrap();
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let images = dir.path().join("images");
        Self {
            _database: Some(Arc::new(database)),
            ..Self::assemble(store, dir, images)
        }
    }

    /// With a cloud of one host, an image, a network and flavors.
    pub async fn new(database: Database) -> Self {
        Self::with(database, json!({ "hosts": 1 })).await
    }

    pub async fn with(database: Database, options: Value) -> Self {
        let site = Self::empty(database).await;
        site.run(site.account("sim", options)).await;
        site.image("small").await;
        site.made(post("/networks", json!({ "name": "net", "cidr": "10.0.0.0/24" })))
            .await;
        for (name, vcpus, memory) in [("one", 1, "512M"), ("two", 2, "1G")] {
            let flavor = json!({ "name": name, "vcpus": vcpus, "memory": memory, "disk": "1G" });
            site.made(post("/flavors", flavor).admin()).await;
        }
        site
    }

    fn assemble(store: Store, dir: Arc<tempfile::TempDir>, images: PathBuf) -> Self {
        let (to_scheduler, scheduler) = Peer::local("scheduler");
        let (to_glance, glance) = Peer::local("glance");
        let images_state = glance::State::open(store.clone(), &images, None).unwrap();
        let glance_app = gated(glance::app(images_state));
        let scheduler_app = gated(scheduler::app(scheduler::State::new(store.clone())));
        scheduler.fill(as_us(scheduler_app.clone()));
        glance.fill(as_us(glance_app.clone()));
        let state = region::State::new(store.clone(), drivers::registry(), to_scheduler, to_glance);
        let app = gated(region::app(state.clone()));
        Self {
            store,
            state,
            app,
            glance: glance_app,
            scheduler: scheduler_app,
            dir,
            images,
            _database: None,
        }
    }

    /// The same again, on copies of the database file and of the cloud.
    pub async fn copy(&self, url: &str) -> Self {
        let from = PathBuf::from(url.trim_start_matches("sqlite://"));
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let to = dir.path().join("test.db");
        for end in ["", "-wal"] {
            let with = |path: &Path| PathBuf::from(format!("{}{end}", path.display()));
            if with(&from).exists() {
                std::fs::copy(with(&from), with(&to)).unwrap();
            }
        }
        let store = Store::open(&format!("sqlite://{}", to.display())).await.unwrap();
        let copy = Self::assemble(store, dir, self.images.clone());
        if self.journal().exists() {
            std::fs::copy(self.journal(), copy.journal()).unwrap();
        }
        copy.moved().await;
        copy
    }

    /// The accounts of a copy are in the copy's cloud.
    async fn moved(&self) {
        let tx = self.store.begin().await.unwrap();
        for row in tx.all(account::Entity::find()).await.unwrap() {
            let mut options = row.options.0;
            options["state"] = json!(self.journal());
            let update = account::Entity::update_many()
                .col_expr(account::Column::Options, Expr::value(Json(options)))
                .filter(account::Column::Id.eq(row.id));
            tx.update(update).await.unwrap();
        }
        tx.commit().await.unwrap();
    }

    pub fn journal(&self) -> PathBuf {
        self.dir.path().join("cloud.jsonl")
    }

    /// Connects a simulated cloud that lives in this site's directory.
    pub fn account(&self, name: &str, mut options: Value) -> Call {
        options["state"] = json!(self.journal());
        post(
            "/cloud-accounts",
            json!({ "name": name, "driver": "sim", "options": options }),
        )
        .admin()
    }

    /// The other side of the cloud.
    pub async fn control(&self) -> Control {
        let row = self.store.one(account::Entity::find()).await.unwrap().unwrap();
        let site = contract::Site {
            account: row.name,
            credential: row.options.0,
            ..contract::Site::default()
        };
        Control::open(&site).unwrap()
    }

    pub async fn image(&self, name: &str) {
        let body = json!({ "name": name, "disk_format": "raw", "container_format": "bare" });
        let made = send(&self.glance, MEMBER, "POST", "/v2/images", &[], body.to_string().into()).await;
        let path = format!("/v2/images/{}/file", made.body["id"].as_str().unwrap());
        let kind = [("content-type", "application/octet-stream")];
        let sent = send(&self.glance, MEMBER, "PUT", &path, &kind, vec![7u8; 64 << 10].into()).await;
        assert_eq!(sent.status, StatusCode::NO_CONTENT, "{:?}", sent.body);
    }

    pub async fn call(&self, call: Call) -> Reply {
        self.send(call.who, call.method, &call.path, &[], &call.body).await
    }

    pub async fn send(&self, who: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Reply {
        let body = if body.is_null() {
            Body::empty()
        } else {
            Body::from(body.to_string())
        };
        send(&self.app, who, method, path, headers, body).await
    }

    /// Asks the scheduler, past the region.
    pub async fn place(&self, call: Call) {
        let body = if call.body.is_null() {
            Body::empty()
        } else {
            call.body.to_string().into()
        };
        let reply = send(&self.scheduler, SERVICE, call.method, &call.path, &[], body).await;
        assert!(reply.status.is_success(), "{:#}", reply.body);
    }

    pub async fn get(&self, who: &str, path: &str) -> Value {
        let reply = self.send(who, "GET", path, &[], &Value::Null).await;
        assert_eq!(reply.status, StatusCode::OK, "GET {path}: {:#}", reply.body);
        reply.body
    }

    /// Something that is there at once.
    pub async fn made(&self, call: Call) -> Value {
        let reply = self.call(call.clone()).await;
        assert!(reply.status.is_success(), "{call:?}: {:#}", reply.body);
        reply.body
    }

    /// Something that takes a task; which one.
    pub async fn begun(&self, call: Call) -> TaskId {
        let body = self.made(call).await;
        let task = body["task"].as_str().or(body["items"][0]["task"].as_str());
        task.unwrap_or_else(|| panic!("no task: {body:#}")).parse().unwrap()
    }

    /// Something that takes a task, until that has succeeded.
    pub async fn run(&self, call: Call) {
        let task = self.begun(call.clone()).await;
        let (state, row) = self.work_until(task).await;
        assert_eq!(state, states::Task::Succeeded, "{call:?}: {:?}", row.error);
    }

    /// An engine works until this task is over.
    pub async fn work_until(&self, task: TaskId) -> (states::Task, task::row::task::Model) {
        let stop = CancellationToken::new();
        let engine = self.engine().build();
        let working = tokio::spawn({
            let stop = stop.clone();
            async move { engine.run(stop).await }
        });
        let state = task::wait(&self.store, task, PATIENCE).await.unwrap();
        stop.cancel();
        working.await.unwrap();
        let row = self.store.one(task::row::task::Entity::find_by_id(task)).await.unwrap();
        (state, row.unwrap())
    }

    pub fn engine(&self) -> task::engine::Builder {
        let settings = Settings {
            poll: Duration::from_millis(50),
            backoff: Duration::from_millis(2),
            longest_backoff: Duration::from_millis(20),
            ..Settings::default()
        };
        Engine::builder(self.store.clone(), region::setup::workflows())
            .extension(self.state.clone())
            .owner("test")
            .settings(settings)
    }
}
