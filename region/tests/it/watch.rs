//! What hosts tell: a task that waits goes on at once, whatever its timer says; what cannot be asked is held back.

use std::time::Duration;

use contract::{ExternalRef, Kind};
use serde_json::{Value, json};
use sim::{control::Reach, world::Side};
use store::{
    Store,
    sea_orm::{
        ColumnTrait, EntityTrait, QueryFilter,
        sea_query::{Expr, ExprTrait},
    },
};
use task::row::task::{Column, Entity};
use testkit::{Database, both};
use types::{TaskId, Timestamp};

use crate::{
    call::{ADMIN, MEMBER, post},
    observe::Alive,
    site::{PATIENCE, migrations},
};

/// A stop that waits for its guest, which does not listen. Its next look is an hour away.
async fn stopping(alive: &Alive) -> TaskId {
    let control = alive.site.control().await;
    control.deafen(&alive.machine().await).await.unwrap();
    let stop = post("/servers/web/stop", json!({ "timeout_seconds": 3600 }));
    let task = alive.site.begun(stop).await;
    while !park(&alive.site.store, task).await {
        tokio::task::yield_now().await;
    }
    task
}

/// Whether it was parked: then it is for an hour.
async fn park(store: &Store, task: TaskId) -> bool {
    let later = Expr::value(Timestamp::now() + Duration::from_secs(3600));
    let parked = Entity::update_many()
        .col_expr(Column::DueAt, later)
        .filter(Column::Id.eq(task))
        .filter(Column::Owner.is_null())
        .filter(Expr::col(Column::DueAt).gt(Timestamp::now()))
        .filter(Column::StartedAt.is_not_null());
    let tx = store.begin().await.unwrap();
    let parked = tx.update(parked).await.unwrap() == 1;
    tx.commit().await.unwrap();
    parked
}

async fn a_stop_ends_when_the_guest_is_off(database: Database) {
    let alive = Alive::on(database, json!({ "hosts": 1 })).await;
    let task = stopping(&alive).await;
    let control = alive.site.control().await;
    control.power_off(&alive.machine().await).await.unwrap();
    let ended = task::wait(&alive.site.store, task, PATIENCE).await.unwrap();
    assert_eq!(ended.as_str(), "succeeded");
    assert_eq!(alive.site.get(MEMBER, "/servers/web").await["state"], "stopped");
    alive.ends().await;
}

async fn a_stop_ends_when_the_server_is_gone(database: Database) {
    let alive = Alive::on(database, json!({ "hosts": 1 })).await;
    let task = stopping(&alive).await;
    let control = alive.site.control().await;
    control.remove(&alive.machine().await).await.unwrap();
    let ended = task::wait(&alive.site.store, task, PATIENCE).await.unwrap();
    assert_eq!(ended.as_str(), "failed");
    alive.ends().await;
}

fn of<'a>(page: &'a Value, reconciler: &str) -> &'a Value {
    let all = page["reconcilers"].as_array().unwrap();
    all.iter().find(|row| row["name"] == reconciler).unwrap_or(&Value::Null)
}

/// A silent host and a failing account, on the operator's page; the rest is seen as ever.
async fn what_fails_is_held_back(database: Database) {
    let alive = Alive::on(database, json!({ "hosts": 2 })).await;
    let (site, control) = (&alive.site, alive.site.control().await);
    let world = control.world().await.unwrap();
    let used = world.machines.values().next().unwrap().host.clone();
    let other = world.hosts.keys().find(|id| **id != used).unwrap();
    control.reach(&ExternalRef::new(other), Reach::Silent).await.unwrap();
    let page = alive
        .until(ADMIN, "/ops", |page| of(page, "host-changes")["held_back"] == 1)
        .await;
    let said = of(&page, "host-changes")["worst"]["text"].as_str().unwrap();
    assert!(said.starts_with("host `sim-") && said.contains(" failed "), "{said}");

    let wrong = json!({ "hosts": 1, "state": site.journal().with_file_name("wrong.jsonl") });
    let wrong = json!({ "name": "wrong", "driver": "sim", "options": wrong });
    let task = site.begun(post("/cloud-accounts", wrong).admin()).await;
    task::wait(&site.store, task, PATIENCE).await.unwrap();
    crate::accounts::cloud(site, "wrong")
        .await
        .fail_next(Some("hosts.list"), 1000, Side::Before, Kind::Denied)
        .await
        .unwrap();
    let twice = |page: &Value| of(page, "host-facts")["worst"]["failures"].as_i64() >= Some(2);
    let page = alive.until(ADMIN, "/ops", twice).await;
    let facts = of(&page, "host-facts");
    assert_eq!(facts["held_back"], 1, "{facts:#}");
    let said = facts["worst"]["text"].as_str().unwrap();
    assert!(
        said.starts_with("cloud account `wrong` failed ") && said.contains("hosts.list"),
        "{said}"
    );

    control.power_off(&alive.machine().await).await.unwrap();
    alive
        .until(MEMBER, "/servers/web", |row| row["state"] == "stopped")
        .await;
    control.reach(&ExternalRef::new(other), Reach::Answers).await.unwrap();
    alive
        .until(ADMIN, "/ops", |page| of(page, "host-changes")["held_back"] == 0)
        .await;
    alive.ends().await;
}

both!(
    &migrations();
    a_stop_ends_when_the_guest_is_off,
    a_stop_ends_when_the_server_is_gone,
    what_fails_is_held_back,
);
