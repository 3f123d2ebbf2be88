//! Bad input: each gets the right status, a stable code and one clear sentence, and leaves nothing behind.

use serde_json::{Value, json};
use testkit::{Database, both};

use crate::{
    call::{Call, MEMBER, delete, post},
    leaks::server,
    site::{Site, migrations},
    world::world,
};

/// Asks, wants this refusal, and that the world is as before. Returns the sentence.
pub async fn refused(site: &Site, call: Call, status: u16, code: &str) -> String {
    let before = world(site).await;
    let reply = site.call(call.clone()).await;
    assert_eq!(reply.status, status, "{call:?}: {:#}", reply.body);
    assert_eq!(reply.body["code"], code, "{call:?}: {:#}", reply.body);
    assert_eq!(world(site).await, before, "{call:?} left something");
    let said = reply.body["detail"].as_str().unwrap().to_owned();
    assert!(
        !said.is_empty() && !said.contains('\n') && said.len() < 300,
        "one sentence: {said}"
    );
    said
}

fn with(mut call: Call, field: &str, value: Value) -> Call {
    call.body[field] = value;
    call
}

async fn quota(site: &Site, resource: &str, max: i64) {
    let call = post("/quotas?project=ours", json!({ "resource": resource, "max": max })).admin();
    site.made(Call { method: "PUT", ..call }).await;
}

async fn bad_input_is_refused(database: Database) {
    let site = Site::new(database).await;
    site.run(server("web")).await;
    let said = refused(&site, server("web"), 409, "name_taken").await;
    assert!(said.contains("`web`"), "{said}");
    refused(
        &site,
        post("/networks", json!({ "name": "net", "cidr": "10.1.0.0/24" })),
        409,
        "name_taken",
    )
    .await;
    refused(&site, server("no good"), 400, "bad_name").await;
    refused(&site, with(server("b"), "count", json!("many")), 400, "bad_body").await;
    refused(&site, with(server("b"), "image", json!("nothing")), 404, "not_found").await;
    refused(&site, with(server("b"), "networks", json!([])), 400, "invalid").await;
    refused(
        &site,
        post("/networks", json!({ "name": "n", "cidr": "10.1.0.1/24" })),
        400,
        "bad_cidr",
    )
    .await;
    refused(
        &site,
        post("/disks", json!({ "name": "d", "size": 0 })),
        400,
        "bad_size",
    )
    .await;

    let huge = json!({ "name": "huge", "vcpus": 512, "memory": "1T", "disk": "1G" });
    site.made(post("/flavors", huge).admin()).await;
    let said = refused(&site, with(server("b"), "flavor", json!("huge")), 422, "no_host_fits").await;
    assert!(said.contains("host"), "{said}");
    refused(
        &site,
        post("/disks", json!({ "name": "d", "size": "60T" })),
        422,
        "no_host_fits",
    )
    .await;

    quota(&site, "servers", 1).await;
    let said = refused(&site, server("b"), 403, "quota_exceeded").await;
    assert!(said.contains("servers is 1 and 1 are used"), "{said}");
    quota(&site, "servers", -1).await;
    quota(&site, "disk_gib", 2).await;
    refused(
        &site,
        post("/disks", json!({ "name": "d", "size": "2G" })),
        403,
        "quota_exceeded",
    )
    .await;
    refused(&site, delete("/networks/net"), 409, "in_use").await;
    refused(&site, delete("/flavors/one").admin(), 409, "in_use").await;
    refused(&site, delete("/cloud-accounts/sim").admin(), 409, "in_use").await;
    refused(&site, delete("/zones/here-a").admin(), 409, "in_use").await;
}

async fn a_full_network_is_said_so(database: Database) {
    let site = Site::new(database).await;
    site.made(post("/networks", json!({ "name": "tiny", "cidr": "10.9.0.0/29" })))
        .await;
    let on_tiny = |name: &str| with(server(name), "networks", json!(["tiny"]));
    // Six at once do not fit into five addresses: not one of them is made.
    let said = refused(&site, with(on_tiny("many"), "count", json!(6)), 422, "no_address").await;
    assert!(said.contains("`tiny`") && said.contains("all 5 are in use"), "{said}");
    site.made(with(on_tiny("many"), "count", json!(5))).await;
    refused(&site, on_tiny("more"), 422, "no_address").await;
}

async fn what_is_in_use_stays(database: Database) {
    let site = Site::new(database).await;
    site.run(server("web")).await;
    site.run(post("/disks", json!({ "name": "data", "size": "1G" }))).await;
    site.run(post("/disks/data/attach", json!({ "server": "web" }))).await;
    let said = refused(&site, delete("/disks/data"), 409, "in_use").await;
    assert!(said.contains("`web`") && said.contains("detach"), "{said}");
    refused(
        &site,
        post("/disks/data/attach", json!({ "server": "web" })),
        409,
        "wrong_state",
    )
    .await;
    let resize = post("/servers/web/resize", json!({ "flavor": "two" }));
    refused(&site, resize, 409, "wrong_state").await;
}

/// Nothing works on tasks here, so the first command goes on for ever.
async fn two_commands_at_once_are_told_of_each_other(database: Database) {
    let site = Site::new(database).await;
    site.run(server("web")).await;
    let first = site.begun(post("/servers/web/stop", Value::Null)).await;
    for second in [post("/servers/web/reboot", Value::Null), delete("/servers/web")] {
        let reply = site.call(second.clone()).await;
        assert_eq!(reply.body["details"]["task"], json!(first), "{:#}", reply.body);
        let said = refused(&site, second, 409, "busy").await;
        assert!(said.contains(&first.to_string()) && said.contains("`web`"), "{said}");
    }
}

/// Nothing works on tasks here, so the first command goes on for ever.
async fn the_same_command_twice_is_one_task(database: Database) {
    let site = Site::new(database).await;
    for name in ["web", "old"] {
        site.run(server(name)).await;
    }
    site.run(post("/disks", json!({ "name": "data", "size": "1G" }))).await;
    let stop = post("/servers/web/stop", Value::Null);
    let spare = post("/networks", json!({ "name": "spare", "cidr": "10.77.0.0/24" }));
    site.made(spare).await;
    for same in [
        stop,
        delete("/servers/old"),
        delete("/disks/data"),
        delete("/networks/spare"),
    ] {
        let first = site.begun(same.clone()).await;
        let again = site.call(same.clone()).await;
        assert_eq!(again.status, 202, "{same:?}: {:#}", again.body);
        assert_eq!(again.body["task"], json!(first), "{same:?}: {:#}", again.body);
    }
    let harder = post("/servers/web/stop", json!({ "force": true }));
    refused(&site, harder, 409, "busy").await;
    let events = site.get(MEMBER, "/events?follow=false&noun=server&limit=1000").await;
    let stops = events["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["kind"] == "server.stop");
    assert_eq!(stops.count(), 1, "only the first of them did something: {events:#}");
}

async fn a_key_that_is_sent_twice_makes_one_server(database: Database) {
    let site = Site::new(database).await;
    let send = async |body: &Value| {
        site.send(MEMBER, "POST", "/servers", &[("idempotency-key", "k1")], body)
            .await
    };
    let first = send(&server("web").body).await;
    let second = send(&server("web").body).await;
    assert_eq!((first.status, &first.body), (second.status, &second.body));
    assert_eq!(site.get(MEMBER, "/servers").await["items"].as_array().unwrap().len(), 1);
    let other = send(&server("other").body).await;
    assert_eq!(
        (other.status.as_u16(), other.body["code"].as_str()),
        (409, Some("idempotency_key_reused"))
    );
}

/// A client that got no answer sends the key again, and the first request may still be at work.
async fn a_key_that_is_sent_at_once_gives_one_answer(database: Database) {
    let site = Site::new(database).await;
    for (path, body) in [
        ("/servers", server("web").body),
        ("/networks", json!({ "name": "twice", "cidr": "10.9.0.0/24" })),
    ] {
        let headers = [("idempotency-key", "k1")];
        let send = |_| site.send(MEMBER, "POST", path, &headers, &body);
        let replies = futures::future::join_all((0..5).map(send)).await;
        for reply in &replies {
            assert!(reply.status.is_success(), "{:#}", reply.body);
            assert_eq!((reply.status, &reply.body), (replies[0].status, &replies[0].body));
        }
    }
}

async fn a_change_of_something_older_is_refused(database: Database) {
    let site = Site::new(database).await;
    let change = json!({ "name": "lan" });
    let send = async |version: &str| {
        site.send(MEMBER, "PATCH", "/networks/net", &[("if-match", version)], &change)
            .await
    };
    let stale = send("\"41\"").await;
    assert_eq!(
        (stale.status.as_u16(), stale.body["code"].as_str()),
        (409, Some("version_mismatch"))
    );
    let now = site.get(MEMBER, "/networks/net").await["version"].to_string();
    assert_eq!(send(&now).await.status, 200);
}

both!(
    &migrations();
    bad_input_is_refused,
    a_full_network_is_said_so,
    what_is_in_use_stays,
    two_commands_at_once_are_told_of_each_other,
    the_same_command_twice_is_one_task,
    a_key_that_is_sent_twice_makes_one_server,
    a_key_that_is_sent_at_once_gives_one_answer,
    a_change_of_something_older_is_refused,
);
