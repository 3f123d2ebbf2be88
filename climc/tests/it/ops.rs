//! What an operator types: the page, holding a queue back, and finding tasks.

use expect_test::expect;
use serde_json::json;

use crate::{fake::Fake, task};

fn page() -> serde_json::Value {
    json!({
        "queues": [{
            "kind": "server-create", "queued": 12, "running": 3, "waiting": 1, "undoing": 0, "needs_operator": 0,
            "oldest_at": null,
        }],
        "paused": [],
        "workers": [{ "name": "4242-a1/0", "tasks": 3 }],
        "reconcilers": [{
            "name": "host-facts", "running": false, "started_at": null, "ended_at": null, "seconds": 0.0421,
            "next_at": null, "failures": 2,
            "error": { "kind": "unavailable", "code": "unavailable", "message": "the cloud is busy" },
            "held_back": 2,
            "worst": {
                "resource": "cloud-account/a", "failures": 3, "since": "2026-01-01T00:00:00Z",
                "next_at": "2026-01-01T00:00:30Z", "text": "cloud account `east` failed 3 times in a row: no answer",
            },
        }],
    })
}

#[tokio::test]
async fn the_page_of_an_operator() {
    let fake = Fake::start().await;
    fake.on("GET /ops", [(200, page()), (200, page())]);
    let ran = fake.climc("ops").await;
    expect![[r#"
        Queues
        KIND           QUEUED  RUNNING  WAITING  UNDOING  NEEDS_OPERATOR  OLDEST
        server-create  12      3        1        -        -

        Paused
        nothing is paused

        Workers
        NAME       TASKS
        4242-a1/0  3

        Reconcilers
        NAME        RUNNING  STARTED  SECONDS  NEXT  FAILURES  ERROR              HELD_BACK  WORST
        host-facts  false             0.042          2         the cloud is busy  2          cloud account `east` failed 3 times in a row: no answer
    "#]]
    .assert_eq(&ran.out);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let ran = fake.climc("ops show --query queues.0.queued").await;
    assert_eq!(ran.out, "12\n");
}

#[tokio::test]
async fn a_queue_is_paused_with_a_reason() {
    let fake = Fake::start().await;
    fake.on("POST /ops/pause", [(200, page())]);
    let ran = fake.climc("ops pause all --reason upgrade").await;
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let sent: serde_json::Value = serde_json::from_slice(&fake.asked("POST /ops/pause")[0].body).unwrap();
    assert_eq!(sent, json!({ "kind": "all", "reason": "upgrade" }));
    assert_eq!(fake.climc("ops pause all").await.code, 2);
}

#[tokio::test]
async fn tasks_are_found_by_what_they_are_about() {
    let fake = Fake::start().await;
    fake.on(
        "GET /tasks?limit=500&kind=server-create&resource_noun=server&resource_name=web",
        [(200, json!({ "items": [task("running", json!(null))] }))],
    );
    let ran = fake
        .climc("task list --kind server-create --resource server/web -o name")
        .await;
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let id = "srv-00000000000000000000000000";
    fake.on(
        "GET /tasks?limit=500&resource_id=srv-00000000000000000000000000",
        [(200, json!({ "items": [] }))],
    );
    let ran = fake.climc(&format!("task list --resource {id}")).await;
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    fake.on("GET /tasks?limit=500&created_at.le=", [(200, json!({ "items": [] }))]);
    let ran = fake.climc("task list --older-than 10m").await;
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
}
