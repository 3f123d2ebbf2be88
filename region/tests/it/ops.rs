//! The operator's page: what waits, what is paused and by whom, who works; and history behind the same routes.

use std::time::Duration;

use serde_json::{Value, json};
use task::{Keep, history};
use testkit::{Database, both};
use types::states::Task;

use crate::{
    call::{ADMIN, MEMBER, post},
    leaks::server,
    site::{Site, migrations},
};

async fn a_queue_is_paused_and_resumed(database: Database) {
    let site = Site::new(database).await;
    let wanted = json!({ "kind": "server-create", "reason": "storage is being moved" });
    let call = |path: &str, body: &Value| post(path, body.clone()).admin();
    let unknown = site
        .call(call("/ops/pause", &json!({ "kind": "server-make", "reason": "x" })))
        .await;
    assert_eq!(unknown.body["code"], "bad_kind", "{:#}", unknown.body);
    let mute = site
        .call(call("/ops/pause", &json!({ "kind": "all", "reason": " " })))
        .await;
    assert_eq!(mute.body["code"], "reason_needed", "{:#}", mute.body);
    let member = site.call(post("/ops/pause", wanted.clone())).await;
    assert_eq!(member.status, 403, "{:#}", member.body);

    let page = site.made(call("/ops/pause", &wanted)).await;
    assert_eq!(page["paused"][0]["reason"], wanted["reason"]);
    let task = site.begun(server("web")).await;
    site.run(post("/disks", json!({ "name": "data", "size": "1G" }))).await;
    let held = site.get(MEMBER, &format!("/tasks/{task}")).await;
    let said = held["progress"].as_str().unwrap();
    assert!(
        said.starts_with("paused by ") && said.ends_with(": storage is being moved"),
        "{held:#}"
    );
    assert_eq!(held["state"], "queued");
    let page = site.get(ADMIN, "/ops").await;
    let queue = &page["queues"][0];
    assert_eq!(
        (queue["kind"].as_str(), queue["queued"].as_i64()),
        (Some("server-create"), Some(1))
    );
    assert_eq!(queue["oldest_at"], held["created_at"]);

    let page = site.made(call("/ops/resume", &wanted)).await;
    assert_eq!(page["paused"], json!([]));
    assert_eq!(site.work_until(task).await.0, Task::Succeeded);
    let again = site.call(call("/ops/resume", &wanted)).await;
    assert_eq!(again.body["code"], "not_paused", "{:#}", again.body);
    let events = site.get(ADMIN, "/events?follow=false&noun=queue&limit=1000").await;
    let seen: Vec<_> = events["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| &event["kind"])
        .collect();
    assert_eq!(seen, ["queue.paused", "queue.resumed"]);
}

async fn history_is_behind_the_same_routes(database: Database) {
    let site = Site::new(database).await;
    let task = site.begun(server("web")).await;
    site.work_until(task).await;
    let path = format!("/tasks/{task}");
    let list = "/tasks?resource_name=web&kind=server-create&state=succeeded&created_at.le=2100-01-01T00:00:00Z";
    let before = (site.get(MEMBER, &path).await, site.get(MEMBER, list).await);
    assert_eq!(before.1["items"][0]["id"], json!(task));
    let mut keep = Keep {
        at_hand: Duration::ZERO,
        readable: Duration::ZERO,
    };
    assert!(history::sweep(&site.store, keep).await.unwrap().moved >= 1);
    assert_eq!((site.get(MEMBER, &path).await, site.get(MEMBER, list).await), before);
    assert_eq!(site.get(MEMBER, &format!("{path}?wait=1s")).await, before.0);
    let over = site.call(post(&format!("{path}/cancel"), Value::Null)).await;
    assert_eq!(over.body["code"], "task_over", "{:#}", over.body);

    keep.readable = Duration::from_nanos(1);
    history::sweep(&site.store, keep).await.unwrap();
    let gone = site.send(MEMBER, "GET", &path, &[], &Value::Null).await;
    assert_eq!(gone.status, 404);
    let said = gone.body["detail"].as_str().unwrap_or_default();
    assert!(
        said.contains("tasks are forgotten 30 days after their end"),
        "{:#}",
        gone.body
    );
}

both!(
    &migrations();
    a_queue_is_paused_and_resumed,
    history_is_behind_the_same_routes,
);
