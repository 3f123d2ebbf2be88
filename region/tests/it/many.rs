//! Several servers in one request: one task waits for the tasks of all.

use serde_json::{Value, json};
use testkit::{Database, both};
use types::{TaskId, states};

use crate::{
    call::{Call, MEMBER, post},
    leaks::server,
    site::{Site, migrations},
};

fn three() -> Call {
    let mut call = server("web");
    call.body["count"] = json!(3);
    call
}

fn id(value: &Value) -> TaskId {
    value["task"].as_str().unwrap().parse().unwrap()
}

async fn task(site: &Site, id: TaskId) -> Value {
    site.get(MEMBER, &format!("/tasks/{id}")).await
}

async fn one_task_waits_for_all(database: Database) {
    let site = Site::new(database).await;
    let made = site.made(three()).await;
    let (parent, items) = (id(&made), made["items"].as_array().unwrap());
    let children = site.get(MEMBER, &format!("/tasks?parent={parent}")).await;
    let mut known: Vec<_> = children["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|task| task["id"].clone())
        .collect();
    let mut named: Vec<_> = items.iter().map(|item| item["task"].clone()).collect();
    known.sort_by_key(Value::to_string);
    named.sort_by_key(Value::to_string);
    assert_eq!((known.len(), known), (3, named));
    assert_eq!(task(&site, parent).await["progress"], "0 of 3 done");
    let (state, row) = site.work_until(parent).await;
    assert_eq!(state, states::Task::Succeeded, "{:?}", row.error);
    let seen = task(&site, parent).await;
    assert_eq!(
        (&seen["progress"], &seen["resource_name"]),
        (&json!("3 of 3 done"), &json!("web"))
    );
    assert_eq!(task(&site, id(&items[0])).await["parent"], made["task"]);
    let listed = site.get(MEMBER, "/tasks?kind=server-create-many").await;
    assert_eq!(listed["items"][0]["progress"], "3 of 3 done");
}

/// The others are made all the same, and the task says who was first and why.
async fn one_that_fails_fails_the_whole(database: Database) {
    let site = Site::new(database).await;
    let made = site.made(three()).await;
    let second = id(&made["items"][1]);
    site.made(post(&format!("/tasks/{second}/cancel"), Value::Null)).await;
    let (state, row) = site.work_until(id(&made)).await;
    assert_eq!(state, states::Task::Failed);
    assert_eq!(
        row.error.unwrap().chain(),
        "1 of 3 did not succeed; the first to fail: server `web-2`: it was cancelled by member"
    );
    assert_eq!(task(&site, id(&made)).await["progress"], "2 of 3 done, 1 cancelled");
    let servers = site.get(MEMBER, "/servers?sort=name").await;
    let states: Vec<_> = (0..3).map(|n| servers["items"][n]["state"].clone()).collect();
    assert_eq!(states, ["running", "failed", "running"]);
}

async fn who_cancels_the_whole_cancels_each(database: Database) {
    let site = Site::new(database).await;
    let made = site.made(three()).await;
    site.made(post(&format!("/tasks/{}/cancel", id(&made)), Value::Null))
        .await;
    let (state, _) = site.work_until(id(&made)).await;
    assert_eq!(state, states::Task::Cancelled);
    assert_eq!(task(&site, id(&made)).await["progress"], "0 of 3 done, 3 cancelled");
    for item in made["items"].as_array().unwrap() {
        assert_eq!(task(&site, id(item)).await["state"], "cancelled");
    }
}

both!(&migrations(); one_task_waits_for_all, one_that_fails_fails_the_whole, who_cancels_the_whole_cancels_each);
