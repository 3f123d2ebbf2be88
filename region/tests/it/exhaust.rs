//! Every workflow of the product through every fault: each ends at its goal or where it began.
//!
//! Deletions, and what else cannot be taken back, may end in between: then asking again must reach the goal.

mod cases;

use std::{future::Future, sync::Arc};

use region::{account, disk, network, server, setup, snapshot};
use serde_json::{Value, json};
use store::sea_orm::EntityTrait;
use task::{
    Workflow,
    testing::{self, Report, Scene},
};
use testkit::Database;
use tokio::task::JoinSet;
use types::{TaskId, states};

use crate::{
    call::{Call, delete},
    site::{Site, migrations},
    world::world,
};

/// One workflow, how it is begun, and what its failure leaves.
pub struct Case {
    options: Value,
    before: fn(&Site) -> Vec<Call>,
    call: fn(&Site) -> Call,
    failed: Failed,
    /// What failure may leave for the next: networks and images on hosts, facts that were seen.
    shared: &'static [&'static str],
}

/// What a failed task leaves.
#[derive(Clone, Copy)]
pub enum Failed {
    /// The world at the start, changed like this.
    Undone(fn(&mut Value)),
    /// Anything from where the same call leads to the goal.
    Again,
    /// Servers that are each whole or failed: deleting them leads to where the call began.
    Parts,
}

impl Case {
    pub fn new(call: fn(&Site) -> Call, failed: Failed) -> Self {
        Self {
            options: json!({ "hosts": 1 }),
            before: |_| vec![],
            call,
            failed,
            shared: &[],
        }
    }

    pub fn after(self, before: fn(&Site) -> Vec<Call>) -> Self {
        Self { before, ..self }
    }

    pub fn on(self, options: Value) -> Self {
        Self { options, ..self }
    }

    pub fn sharing(self, shared: &'static [&'static str]) -> Self {
        Self { shared, ..self }
    }

    async fn stage(&self, database: Database) -> Site {
        let site = Site::with(database, self.options.clone()).await;
        for call in (self.before)(&site) {
            site.run(call).await;
        }
        site
    }
}

/// The world without what a failure may leave for the next.
async fn masked(site: &Site, shared: &[&str]) -> Value {
    let mut world = world(site).await;
    for path in shared {
        *world.pointer_mut(path).unwrap() = Value::Null;
    }
    world
}

/// What the undisturbed run leads to, on a site of its own.
async fn goal(case: &Case, site: Site) -> Value {
    site.run((case.call)(&site)).await;
    let goal = masked(&site, case.shared).await;
    assert_eq!(goal["leaks"], json!([]), "the goal leaks");
    goal
}

async fn is_over(site: &Site, task: TaskId) -> bool {
    let row = site.store.one(task::row::task::Entity::find_by_id(task)).await.unwrap();
    row.is_some_and(|row| row.state.is_over())
}

/// The world once the task is over; when it is not the goal, after asking again.
async fn finished(site: Site, case: Arc<Case>, task: TaskId, goal: Value) -> Value {
    let now = masked(&site, case.shared).await;
    if now == goal || !is_over(&site, task).await {
        return now;
    }
    let again = site.begun((case.call)(&site)).await;
    let (state, row) = site.work_until(again).await;
    assert_eq!(state, states::Task::Succeeded, "asked again: {:?}", row.error);
    masked(&site, case.shared).await
}

/// The world once the task is over; when it failed, without what it was to make.
async fn cleared(site: Site, shared: &[&str], task: TaskId) -> Value {
    let row = site.store.one(task::row::task::Entity::find_by_id(task)).await.unwrap();
    let now = masked(&site, shared).await;
    if !matches!(row.unwrap().state, states::Task::Failed | states::Task::Cancelled) {
        return now;
    }
    for server in now["servers"].as_array().unwrap() {
        assert!(
            ["running", "failed"].contains(&server["state"].as_str().unwrap()),
            "{server:#}"
        );
        let path = format!("/servers/{}", server["name"].as_str().unwrap());
        site.run(delete(&path)).await;
    }
    masked(&site, shared).await
}

async fn scene(case: Arc<Case>, site: Site, goal: Value) -> Scene {
    let before = masked(&site, case.shared).await;
    let task = site.begun((case.call)(&site)).await;
    let engine = site.engine();
    match case.failed {
        Failed::Undone(change) => {
            let shared = case.shared;
            let world = move || {
                let site = site.clone();
                async move { masked(&site, shared).await }
            };
            Scene::new(engine, task, world).undone(move |mut start| {
                change(&mut start);
                start
            })
        }
        Failed::Parts => {
            let world = move || cleared(site.clone(), case.shared, task);
            Scene::new(engine, task, world).undone(move |_| before.clone())
        }
        Failed::Again => {
            let wanted = goal.clone();
            let world = move || finished(site.clone(), case.clone(), task, goal.clone());
            Scene::new(engine, task, world).undone(move |_| wanted.clone())
        }
    }
}

/// On SQLite each run begins with a copy of the same files.
pub async fn through<W: Workflow>(case: Case) -> Report {
    let case = Arc::new(case);
    let database = Database::sqlite(&migrations()).await;
    let url = database.url.clone();
    let stage = case.stage(database).await;
    let goal = goal(&case, stage.copy(&url).await).await;
    testing::exhaust::<W, _, _>(|| {
        let (case, goal) = (case.clone(), goal.clone());
        let copy = stage.copy(&url);
        async move { scene(case, copy.await, goal).await }
    })
    .await
}

/// On PostgreSQL each run makes everything anew.
async fn through_postgres<W: Workflow>(case: Case) -> Report {
    let case = Arc::new(case);
    let fresh = || async { case.stage(Database::postgres(&migrations()).await).await };
    let goal = goal(&case, fresh().await).await;
    testing::exhaust::<W, _, _>(|| {
        let (case, goal, fresh) = (case.clone(), goal.clone(), fresh());
        async move { scene(case, fresh.await, goal).await }
    })
    .await
}

/// Runs one scene beside the others; its name is printed when it fails.
fn go(runs: &mut JoinSet<Report>, name: &'static str, run: impl Future<Output = Report> + Send + 'static) {
    runs.spawn(async move {
        let begun = std::time::Instant::now();
        let report = tokio::spawn(run)
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        println!(
            "{name}: {} runs in {:?} over {:?}",
            report.runs,
            begun.elapsed(),
            report.steps
        );
        report
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_workflow_survives_everything() {
    let mut runs = JoinSet::new();
    servers(&mut runs);
    disks(&mut runs);
    snapshots(&mut runs);
    places(&mut runs);
    let mut reports = Vec::new();
    let mut broken = 0;
    while let Some(report) = runs.join_next().await {
        match report {
            Ok(report) => reports.push(report),
            Err(_) => broken += 1,
        }
    }
    assert_eq!(broken, 0, "{broken} of the scenes above failed");
    testing::assert_covered(&setup::workflows(), &reports);
}

/// The same on the other database, for one workflow that holds two rows and for one that claims.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_too() {
    use disk::{attach::AttachDisk, create::CreateDisk};
    through_postgres::<AttachDisk>(cases::attach()).await;
    through_postgres::<CreateDisk>(cases::create_disk()).await;
}

fn servers(runs: &mut JoinSet<Report>) {
    use server::{
        create::{CreateServer, CreateServers},
        delete::DeleteServer,
        power::Switch,
        rebuild::RebuildServer,
        resize::ResizeServer,
    };
    go(runs, "create", through::<CreateServer>(cases::create_server()));
    go(runs, "create many", through::<CreateServers>(cases::create_servers()));
    go(runs, "delete", through::<DeleteServer>(cases::delete_server()));
    go(runs, "start", through::<Switch>(cases::start()));
    go(runs, "stop", through::<Switch>(cases::stop()));
    go(runs, "reboot", through::<Switch>(cases::reboot()));
    go(runs, "grow", through::<ResizeServer>(cases::grow()));
    go(runs, "shrink", through::<ResizeServer>(cases::shrink()));
    go(runs, "rebuild", through::<RebuildServer>(cases::rebuild()));
}

fn disks(runs: &mut JoinSet<Report>) {
    use disk::{
        attach::{AttachDisk, DetachDisk},
        create::CreateDisk,
        delete::DeleteDisk,
        resize::ResizeDisk,
    };
    go(runs, "create disk", through::<CreateDisk>(cases::create_disk()));
    go(runs, "delete disk", through::<DeleteDisk>(cases::delete_disk()));
    go(runs, "attach", through::<AttachDisk>(cases::attach()));
    go(runs, "detach", through::<DetachDisk>(cases::detach()));
    go(runs, "resize disk", through::<ResizeDisk>(cases::resize_disk()));
}

fn snapshots(runs: &mut JoinSet<Report>) {
    use snapshot::{create::CreateSnapshot, delete::DeleteSnapshot, revert::RevertSnapshot};
    go(runs, "snapshot", through::<CreateSnapshot>(cases::snapshot()));
    go(
        runs,
        "delete snapshot",
        through::<DeleteSnapshot>(cases::delete_snapshot()),
    );
    go(runs, "revert", through::<RevertSnapshot>(cases::revert()));
}

fn places(runs: &mut JoinSet<Report>) {
    use account::{connect::Connect, delete::Forget, sync::Sync};
    go(
        runs,
        "delete network",
        through::<network::delete::DeleteNetwork>(cases::delete_network()),
    );
    go(runs, "connect", through::<Connect>(cases::connect()));
    go(runs, "sync", through::<Sync>(cases::sync()));
    go(runs, "forget", through::<Forget>(cases::forget()));
}
