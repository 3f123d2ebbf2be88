//! The built climc against scripted answers: what the client does with them. Nothing here tests the services.

#![allow(clippy::unwrap_used, reason = "a test binary")]

mod fake;
mod ops;

use expect_test::expect;
use fake::Fake;
use serde_json::{Value, json};

const TASK: &str = "task-00000000000000000000000000";

fn task(state: &str, error: Value) -> Value {
    json!({
        "id": TASK, "kind": "server-create", "state": state, "noun": "server", "resource_id": "srv-1", "resource_name": "web",
        "progress": "", "step": "boot", "error": error, "cancel_requested": false, "actor": "ann", "request_id": "req-1",
        "project_id": null, "created_at": "2026-11-21T08:00:00Z", "started_at": null, "finished_at": null,
    })
}

fn problem(status: u16, kind: &str, detail: &str) -> (u16, Value) {
    (
        status,
        json!({ "kind": kind, "code": kind, "detail": detail, "causes": ["because"], "request_id": "req-7" }),
    )
}

#[tokio::test]
async fn a_list_is_read_page_by_page_and_printed_as_one() {
    let fake = Fake::start().await;
    fake.on(
        "GET /servers?limit=500&state=running&after=x",
        [(200, json!({ "items": [{ "name": "b", "new": null }] }))],
    );
    fake.on(
        "GET /servers?limit=500&state=running",
        [(200, json!({ "items": [{ "name": "a" }], "next": "x" }))],
    );
    let ran = fake.climc("server list --state running -o json").await;
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(
        serde_json::from_str::<Value>(&ran.out).unwrap(),
        json!([{ "name": "a" }, { "name": "b", "new": null }])
    );
    assert_eq!(fake.climc("servers list --state running -o name").await.out, "a\nb\n");
}

#[tokio::test]
async fn one_login_serves_many_commands_until_it_is_refused() {
    let fake = Fake::start().await;
    let items = (200, json!({ "items": [] }));
    fake.on(
        "GET /flavors",
        [
            items.clone(),
            items.clone(),
            problem(401, "unauthenticated", "the token was revoked"),
            items,
        ],
    );
    for _ in 0..2 {
        assert_eq!(fake.climc("flavor list").await.code, 0);
    }
    assert_eq!(fake.logins(), 1);
    assert_eq!(fake.climc("flavor list").await.code, 0);
    assert_eq!(fake.logins(), 2);
    let used = fake.asked("GET /flavors").last().unwrap().headers["x-auth-token"].clone();
    assert_eq!(used, "token-2");
}

#[tokio::test]
async fn a_create_is_sent_again_with_the_same_key() {
    let fake = Fake::start().await;
    fake.on_with_retry_after(
        "POST /flavors",
        503,
        "0",
        (201, json!({ "name": "small", "id": "flv-1" })),
    );
    let ran = fake
        .climc("flavor create small --vcpus 1 --memory 512M --disk 1G -o name")
        .await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "small\n"));
    let asked = fake.asked("POST /flavors");
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0].headers["idempotency-key"], asked[1].headers["idempotency-key"]);
    let body: Value = serde_json::from_slice(&asked[1].body).unwrap();
    assert_eq!(
        body,
        json!({ "name": "small", "vcpus": 1, "memory": 536870912, "disk": 1073741824 })
    );
}

#[tokio::test]
async fn each_kind_of_failure_has_its_exit_code() {
    for (status, kind, code) in [
        (400, "invalid", 1),
        (404, "not_found", 3),
        (403, "denied", 4),
        (409, "conflict", 5),
        (403, "quota", 6),
        (422, "capacity", 6),
    ] {
        let fake = Fake::start().await;
        fake.on("GET /servers/web", [problem(status, kind, "it did not work")]);
        assert_eq!(fake.climc("server show web").await.code, code, "{kind}");
    }
}

#[tokio::test]
async fn an_error_is_one_sentence_its_causes_and_a_hint() {
    let fake = Fake::start().await;
    let mut busy = problem(409, "conflict", "server `web` is busy");
    busy.1["details"] = json!({ "task": "task-9" });
    fake.on("POST /servers/web/start", [busy]);
    let ran = fake.climc("server start web -v").await;
    expect![[r#"
        error: server `web` is busy
          because
        hint: climc task wait task-9
        code: conflict
        request id: req-7
        details: {"task":"task-9"}
    "#]]
    .assert_eq(&ran.err);
    assert_eq!((ran.code, ran.out.as_str()), (5, ""));
}

/// The task that waits for all is asked, and the others when it is over.
#[tokio::test]
async fn waiting_for_several_is_waiting_for_one_task() {
    let fake = Fake::start().await;
    let made = json!({ "items": [
        { "item": { "id": "srv-1", "name": "web-1" }, "task": "task-00000000000000000000000001" },
        { "item": { "id": "srv-2", "name": "web-2" }, "task": "task-00000000000000000000000002" },
    ], "task": TASK });
    fake.on("POST /servers", [(202, made)]);
    let full = json!({ "kind": "capacity", "code": "children_failed", "message": "1 of 2 did not succeed" });
    let answers = [(200, task("running", Value::Null)), (200, task("failed", full))];
    fake.on("GET /tasks/task-00000000000000000000000000", answers);
    fake.on(
        "GET /tasks/task-00000000000000000000000001",
        [(200, task("succeeded", Value::Null))],
    );
    let full = json!({ "kind": "capacity", "code": "no_capacity", "message": "no host fits" });
    fake.on(
        "GET /tasks/task-00000000000000000000000002",
        [(200, task("failed", full))],
    );
    let running = json!({ "id": "srv-1", "name": "web-1", "state": "running" });
    fake.on("GET /servers/srv-1", [(200, running)]);
    let ran = fake
        .climc("server create web --image i --flavor f --network n --count 2 --wait -o name")
        .await;
    assert_eq!((ran.code, ran.out.as_str()), (8, "web-1\n"), "{}", ran.err);
    assert!(ran.err.contains("no host fits"), "{}", ran.err);
    assert!(!ran.err.contains("1 of 2"), "each failure is told once: {}", ran.err);
    let asked: Vec<_> = fake.asked("GET /tasks/").into_iter().map(|asked| asked.line).collect();
    let parent = asked.iter().filter(|line| line.contains(TASK)).count();
    assert_eq!((parent, asked.len()), (2, 4), "{asked:?}");
}

#[tokio::test]
async fn waiting_follows_the_tasks_and_tells_partial_success() {
    let fake = Fake::start().await;
    let other = "task-00000000000000000000000001";
    let made = json!({ "items": [
        { "item": { "id": "srv-1", "name": "web-1" }, "task": TASK },
        { "item": { "id": "srv-2", "name": "web-2" }, "task": other },
    ] });
    fake.on("POST /servers", [(202, made)]);
    fake.on(
        "GET /tasks/task-00000000000000000000000000",
        [
            (200, task("running", Value::Null)),
            (200, task("succeeded", Value::Null)),
        ],
    );
    let full = json!({ "kind": "capacity", "code": "no_capacity", "message": "no host fits" });
    fake.on(
        "GET /tasks/task-00000000000000000000000001",
        [(200, task("failed", full))],
    );
    fake.on(
        "GET /servers/srv-1",
        [(200, json!({ "id": "srv-1", "name": "web-1", "state": "running" }))],
    );
    let ran = fake
        .climc("server create web --image i --flavor f --network n --count 2 --wait -o json")
        .await;
    assert_eq!(ran.code, 8, "{}", ran.err);
    assert_eq!(serde_json::from_str::<Value>(&ran.out).unwrap()[0]["state"], "running");
    assert!(ran.err.contains("no host fits"), "{}", ran.err);
    assert!(
        fake.asked("GET /tasks/")
            .iter()
            .all(|asked| asked.line.contains("wait=30s"))
    );
}

#[tokio::test]
async fn what_is_not_over_in_time_ends_with_seven() {
    let fake = Fake::start().await;
    fake.on("GET /tasks/", [(200, task("running", Value::Null))]);
    let ran = fake.climc(&format!("task wait {TASK} --timeout 1s")).await;
    assert_eq!(ran.code, 7, "{}", ran.err);
    assert!(
        ran.err.contains(&format!("hint: climc task wait {TASK}")),
        "{}",
        ran.err
    );
}

#[tokio::test]
async fn deleting_needs_a_yes() {
    let fake = Fake::start().await;
    fake.on("DELETE /flavors/small", [(204, Value::Null)]);
    let refused = fake.climc("flavor delete small").await;
    assert_eq!((refused.code, fake.asked("DELETE").len()), (2, 0));
    let done = fake.climc("flavor delete small --yes").await;
    assert_eq!((done.code, done.out.as_str()), (0, "flavor small deleted\n"));
}

#[tokio::test]
async fn deleting_several_goes_on_after_a_failure() {
    let fake = Fake::start().await;
    fake.on(
        "DELETE /servers/a",
        [(202, json!({ "item": { "name": "a" }, "task": TASK }))],
    );
    let ran = fake.climc("server-delete gone a --yes").await;
    assert_eq!(
        (ran.code, ran.out),
        (8, format!("server a is being deleted ({TASK})\n"))
    );
}

#[tokio::test]
async fn a_delete_whose_answer_was_lost_has_succeeded() {
    let fake = Fake::start().await;
    fake.on_with_retry_after(
        "DELETE /flavors/small",
        502,
        "0",
        problem(404, "not_found", "no such flavor"),
    );
    assert_eq!(fake.climc("flavor delete small --yes").await.code, 0);
}

#[tokio::test]
async fn batches_come_from_standard_input() {
    let fake = Fake::start().await;
    fake.on("POST /zones", [(201, json!({ "name": "made" }))]);
    let ran = fake
        .climc_with("zone create -f - -o name", "name: a\n---\nname: b\n")
        .await;
    assert_eq!((ran.code, ran.out.as_str()), (0, "made\nmade\n"));
    assert_eq!(fake.asked("POST /zones").len(), 2);
}

#[tokio::test]
async fn images_stream_up_and_are_checked_on_the_way_down() {
    let fake = Fake::start().await;
    let image = json!({ "id": "i1", "name": "tiny", "status": "active", "os_hash_algo": "sha256",
        "os_hash_value": "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" });
    fake.on(
        "POST /image/v2/images",
        [(201, json!({ "id": "i1", "name": "tiny", "status": "queued" }))],
    );
    fake.on("PUT /image/v2/images/i1/file", [(204, Value::Null)]);
    fake.on(
        "GET /image/v2/images/i1/file",
        [(200, json!("hello")), (200, json!("jello"))],
    );
    fake.on("GET /image/v2/images/i1", [(200, image.clone())]);
    fake.on("GET /image/v2/images?", [(200, json!({ "images": [image] }))]);
    let file = fake.home().join("disk.raw");
    std::fs::write(&file, vec![7; 3 << 20]).unwrap();
    let ran = fake
        .climc(&format!(
            "image create tiny --file {} --format raw --wait -o json",
            file.display()
        ))
        .await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(fake.asked("PUT /image")[0].body.len(), 3 << 20);
    let to = fake.home().join("out");
    let save = format!("image save tiny --file {}", to.display());
    assert_eq!(fake.climc(&save).await.code, 0);
    assert_eq!(std::fs::read_to_string(&to).unwrap(), "hello");
    let wrong = fake.climc(&save).await;
    assert!(wrong.code == 1 && wrong.err.contains("checksum"), "{}", wrong.err);
    assert_eq!(std::fs::read_to_string(&to).unwrap(), "hello");
}

#[tokio::test]
async fn the_event_stream_is_taken_up_where_it_broke() {
    let fake = Fake::start().await;
    let frame = |seq: i64| {
        let event = json!({ "seq": seq, "at": "2026-11-21T08:00:00Z", "kind": "server.running", "noun": "server", "resource_id": "srv-1",
            "name": "web", "project_id": null, "actor": "ann", "request_id": "req-1", "data": {} });
        json!(format!("id: {seq}\nevent: server.running\ndata: {event}\n\n"))
    };
    fake.on("GET /events", [(200, frame(4)), (200, frame(5))]);
    let ran = fake.climc("event watch --count 2 -o jsonl").await;
    let seqs: Vec<_> = ran
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["seq"].clone())
        .collect();
    assert_eq!((ran.code, seqs), (0, vec![json!(4), json!(5)]), "{}", ran.err);
    assert_eq!(fake.asked("GET /events")[1].headers["last-event-id"], "4");
}

/// Lists are asked for once at the start and once for what the stream told, not by the clock.
#[tokio::test]
async fn a_watched_list_is_shown_again_when_an_event_tells() {
    let fake = Fake::start().await;
    let list = |state: &str| json!({ "items": [{ "name": "web", "state": state }], "next": null });
    let event = |seq: i64| {
        let event = json!({ "seq": seq, "at": "2026-11-21T08:00:00Z", "kind": "server.running", "noun": "server", "resource_id": "srv-1",
            "name": "web", "project_id": null, "actor": "ann", "request_id": "req-1", "data": {} });
        format!("id: {seq}\nevent: server.running\ndata: {event}\n\n")
    };
    let frames = format!("id: 3\n\n{}{}", event(4), event(5));
    fake.on("GET /events", [(200, json!(frames)), problem(403, "denied", "no more")]);
    fake.on("GET /servers?", [(200, list("building")), (200, list("running"))]);
    let ran = fake.climc("server list --watch -o jsonl").await;
    let states: Vec<_> = ran
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["state"].clone())
        .collect();
    assert_eq!(states, [json!("building"), json!("running")], "{}", ran.err);
    assert!(ran.err.contains("no more"), "{}", ran.err);
    assert_eq!(fake.asked("GET /servers?").len(), 2);
    let asked = fake.asked("GET /events");
    assert!(!asked[0].headers.contains_key("last-event-id"));
    assert_eq!(asked[1].headers["last-event-id"], "5");
}

fn server(state: &str, guest: Value) -> Value {
    json!({
        "id": "srv-00000000000000000000000001", "name": "web", "state": state, "power_state": "on",
        "power_seen_at": null, "guest": guest, "guest_since": null, "fault": null, "task": null, "host": "h",
        "host_id": null, "account": "lab", "zone": "here", "image": "tiny", "flavor": "small",
        "flavor_id": "flv-00000000000000000000000002", "vcpus": 1, "memory": 1 << 29, "addresses": [],
        "disks": [], "keypair": null, "tags": {}, "project_id": "p1", "created_at": "2026-11-21T08:00:00Z",
        "updated_at": "2026-11-21T08:00:00Z", "version": 1,
    })
}

/// What the guest turns out to be decides how the command ends.
#[tokio::test]
async fn a_guest_is_waited_for() {
    for (state, guest, code, said) in [
        ("running", "up", 0, ""),
        ("running", "silent", 7, "climc server console-log"),
        ("running", "unknown", 1, "cannot tell"),
        ("stopped", "booting", 5, "is stopped"),
    ] {
        let fake = Fake::start().await;
        let booting = server("running", json!("booting"));
        let event = json!({ "seq": 4, "at": "2026-11-21T08:00:00Z", "kind": "server.guest", "noun": "server",
            "resource_id": booting["id"], "name": "web", "project_id": null, "actor": "isobar", "request_id": "r", "data": {} });
        let frames = format!("id: 3\n\nid: 4\nevent: server.guest\ndata: {event}\n\n");
        fake.on(
            "POST /servers/web/start",
            [(200, json!({ "item": booting, "task": null }))],
        );
        fake.on("GET /events", [(200, json!(frames))]);
        fake.on("GET /servers/", [(200, booting), (200, server(state, json!(guest)))]);
        let ran = fake.climc("server start web --wait-for guest -o json").await;
        assert_eq!(ran.code, code, "{guest}: {}", ran.err);
        assert!(ran.err.contains(said), "{guest}: {}", ran.err);
        assert_eq!(fake.asked("GET /servers/").len(), 2, "{guest}");
    }
}

#[tokio::test]
async fn mistyped_words_get_a_suggestion() {
    let fake = Fake::start().await;
    for (words, meant) in [("sevrer list", "server"), ("server lsit", "list")] {
        let ran = fake.climc(words).await;
        assert!(ran.code == 2 && ran.err.contains(meant), "{}", ran.err);
    }
    let ran = fake.climc("flavor create x --vcpus 1 --memory much --disk 1G").await;
    assert!(ran.code == 2 && ran.err.contains("not a size"), "{}", ran.err);
}

#[tokio::test]
async fn a_service_that_is_not_there_is_said_so() {
    let fake = Fake::start().await;
    let ran = fake.climc("context set far --auth-url http://127.0.0.1:1/v3").await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    let ran = fake.climc("server list --context far").await;
    assert!(
        ran.code == 1 && ran.err.contains("http://127.0.0.1:1 cannot be reached"),
        "{}",
        ran.err
    );
    assert_eq!(fake.climc("context delete nowhere --yes").await.code, 3);
}

#[tokio::test]
async fn leaks_make_doctor_fail() {
    let fake = Fake::start().await;
    let leak = json!({ "where": "host-1", "kind": "domain", "id": "d", "name": "old", "why": "no server has it" });
    fake.on(
        "GET /leaks",
        [(200, json!({ "items": [leak] })), (200, json!({ "items": [] }))],
    );
    assert_eq!(fake.climc("doctor --leaks").await.code, 1);
    assert_eq!(fake.climc("doctor --leaks").await.code, 0);
}

#[tokio::test]
async fn an_action_is_sent_once_and_a_role_is_given_where_it_is_said() {
    let fake = Fake::start().await;
    fake.on("POST /servers/web/reboot", [problem(503, "unavailable", "not now")]);
    assert_eq!(fake.climc("server reboot web").await.code, 1);
    assert_eq!(fake.asked("POST /servers/web/reboot").len(), 1);
    for (line, plural) in [
        ("GET /identity/v3/projects?", "projects"),
        ("GET /identity/v3/users?", "users"),
        ("GET /identity/v3/roles?", "roles"),
    ] {
        fake.on(
            line,
            [(200, json!({ plural: [{ "id": format!("{plural}-1"), "name": "x" }] }))],
        );
    }
    fake.on(
        "PUT /identity/v3/projects/projects-1/users/users-1/roles/roles-1",
        [(204, Value::Null)],
    );
    let ran = fake.climc("role add x --user x --project x").await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(fake.logins(), 1, "the role is given with the login that was there");
}
