//! A database per test and a shared map that stands for a cloud.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use auth::Cx;
use serde_json::{Value, json};
use store::{
    Store,
    sea_orm::{self, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder},
};
use task::{
    Engine, Settings, Started, Target, Workflow,
    row::{record, step, step_record, task as tasks},
};
use testkit::Database;
use tokio::sync::watch;
use types::{Error, TaskId, states};

/// What exists, by token; how often each token's effect happened; switches of a test.
#[derive(Default)]
pub struct Inner {
    pub things: BTreeMap<String, String>,
    /// Every call, in order.
    pub calls: Vec<String>,
    /// Errors to report, by step name; taken from the front.
    pub errors: BTreeMap<String, Vec<Error>>,
}

#[derive(Clone)]
pub struct Cloud {
    pub inner: Arc<Mutex<Inner>>,
    /// Level: tests wait until the world looks right.
    pub changes: Arc<watch::Sender<u64>>,
    /// Steps that want to wait for the test wait until this is true.
    pub open: Arc<watch::Sender<bool>>,
}

impl Cloud {
    pub fn new() -> Self {
        Self {
            inner: Arc::default(),
            changes: Arc::new(watch::Sender::new(0)),
            open: Arc::new(watch::Sender::new(false)),
        }
    }

    pub fn change<T>(&self, f: impl FnOnce(&mut Inner) -> T) -> T {
        let result = f(&mut self.inner.lock().unwrap());
        self.changes.send_modify(|n| *n += 1);
        result
    }

    pub fn look<T>(&self, f: impl FnOnce(&Inner) -> T) -> T {
        f(&self.inner.lock().unwrap())
    }

    /// Waits until it looks so; 20 s at most.
    pub async fn until(&self, what: &str, so: impl Fn(&Inner) -> bool) {
        let mut changes = self.changes.subscribe();
        let waited = tokio::time::timeout(Duration::from_secs(20), async {
            while !self.look(&so) {
                changes.changed().await.unwrap();
            }
        });
        waited.await.unwrap_or_else(|_| panic!("never: {what}"));
    }

    pub fn fail(&self, step: &str, error: Error, times: usize) {
        self.change(|inner| {
            inner
                .errors
                .entry(step.to_owned())
                .or_default()
                .extend(vec![error; times])
        });
    }

    pub fn called(&self, call: &str) -> usize {
        self.look(|inner| inner.calls.iter().filter(|c| *c == call).count())
    }
}

/// One database with a cloud beside it.
#[derive(Clone)]
pub struct World {
    pub store: Store,
    pub cloud: Cloud,
    /// Of the database, on PostgreSQL.
    pub name: String,
    pub _database: Arc<Database>,
}

impl World {
    pub async fn sqlite() -> Self {
        Self::on(Database::sqlite(task::MIGRATIONS).await)
    }

    pub async fn postgres() -> Self {
        Self::on(Database::postgres(task::MIGRATIONS).await)
    }

    fn on(database: Database) -> Self {
        Self {
            store: database.store.clone(),
            cloud: Cloud::new(),
            name: database.name().to_owned(),
            _database: Arc::new(database),
        }
    }

    /// Makes the database as new, for the next of many runs.
    pub async fn clear(&self) {
        let tx = self.store.begin().await.unwrap();
        tx.delete(tasks::Entity::delete_many()).await.unwrap();
        tx.delete(step::Entity::delete_many()).await.unwrap();
        tx.delete(task::row::hold::Entity::delete_many()).await.unwrap();
        tx.delete(store::event::Entity::delete_many()).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// The server drops every connection to this database.
    pub async fn disconnect(&self) {
        let base = std::env::var("ISOBAR_TEST_POSTGRES").unwrap();
        let admin = sea_orm::Database::connect(&base).await.unwrap();
        let name = &self.name;
        let kill = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
        admin.execute_unprepared(&kill).await.unwrap();
    }

    pub fn builder(&self) -> task::engine::Builder {
        Engine::builder(self.store.clone(), crate::toys::registry())
            .extension(self.cloud.clone())
            .owner("test")
            .settings(quick())
    }

    pub async fn start<W: Workflow>(&self, workflow: &W, id: &str) -> types::Result<TaskId> {
        let mut tx = self.store.begin().await?;
        let task = task::start(&cx(), &mut tx, workflow, target(id)).await?;
        tx.commit().await?;
        Ok(task)
    }

    pub async fn join<W: Workflow>(&self, workflow: &W, id: &str) -> types::Result<Started> {
        let mut tx = self.store.begin().await?;
        let started = task::join_or_start(&cx(), &mut tx, workflow, target(id)).await?;
        tx.commit().await?;
        Ok(started)
    }

    pub async fn ended(&self, id: TaskId) -> states::Task {
        task::wait(&self.store, id, Duration::from_secs(20)).await.unwrap()
    }

    pub async fn row(&self, id: TaskId) -> tasks::Model {
        self.store.one(tasks::Entity::find_by_id(id)).await.unwrap().unwrap()
    }

    pub async fn steps(&self, id: TaskId) -> Vec<step::Model> {
        let steps = step::Entity::find().filter(step::Column::TaskId.eq(id));
        self.store.all(steps.order_by_asc(step::Column::Seq)).await.unwrap()
    }

    /// What people are shown.
    pub async fn seen(&self, id: TaskId) -> (record::Model, Vec<step_record::Model>) {
        let row = self.store.one(record::Entity::find_by_id(id)).await.unwrap().unwrap();
        let steps = step_record::Entity::find()
            .filter(step_record::Column::TaskId.eq(id))
            .order_by_asc(step_record::Column::Seq);
        (row, self.store.all(steps).await.unwrap())
    }

    pub async fn events(&self, id: TaskId) -> Vec<String> {
        self.events_of(&id.to_string()).await
    }

    pub async fn events_of(&self, id: &str) -> Vec<String> {
        use store::event;
        let events = event::Entity::find().filter(event::Column::ResourceId.eq(id));
        let events = self.store.all(events.order_by_asc(event::Column::Seq)).await.unwrap();
        events.into_iter().map(|event| event.kind).collect()
    }

    /// What exists, without the ids that differ from run to run.
    pub fn snapshot(&self) -> Value {
        self.cloud
            .look(|inner| json!(inner.things.values().collect::<Vec<_>>()))
    }
}

pub fn cx() -> Cx {
    Cx::service("tester", "req-1")
}

pub fn target(id: &str) -> Target {
    Target {
        noun: "thing",
        id: id.to_owned(),
        name: format!("name-of-{id}"),
        owner: None,
    }
}

pub fn quick() -> Settings {
    Settings {
        lease: Duration::from_millis(600),
        beat: Duration::from_millis(100),
        poll: Duration::from_millis(50),
        drain: Duration::from_millis(200),
        backoff: Duration::from_millis(4),
        longest_backoff: Duration::from_millis(20),
        undo_attempts: 3,
        ..Settings::default()
    }
}

/// Runs the same test on every database there is.
#[macro_export]
macro_rules! on_both {
    ($($name:ident)*) => {$(
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name($crate::world::World::sqlite().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$name($crate::world::World::postgres().await).await;
            }
        }
    )*};
}
