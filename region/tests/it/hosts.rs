//! What operators want of hosts: drained, in maintenance, back in service, gone.

use contract::ExternalRef;
use region::{
    account,
    host::{self, facts},
    network::ensure,
};
use serde_json::{Value, json};
use sim::world::Side;
use store::sea_orm::{EntityTrait, sea_query::Expr};
use testkit::{Database, both};
use types::{Kind, Timestamp, states};

use crate::{
    call::{ADMIN, Call, delete, post},
    leaks::server,
    observe::Alive,
    refuse::refused,
    site::{Site, migrations},
    world::world,
};

async fn want(site: &Site, verb: &str) -> Value {
    site.made(post(&format!("/hosts/sim-1/{verb}"), Value::Null).admin())
        .await
}

/// One look at the hosts, as the region takes by itself every few seconds.
async fn look(site: &Site) {
    let account = site.store.one(account::Entity::find()).await.unwrap().unwrap();
    facts::observe(&site.state, &auth::Cx::service("test", "req-test"), &account)
        .await
        .unwrap();
}

async fn looked(site: &Site) -> [Value; 3] {
    look(site).await;
    shown(&site.get(ADMIN, "/hosts/sim-1").await)
}

fn shown(host: &Value) -> [Value; 3] {
    ["intent", "state", "servers"].map(|field| host[field].clone())
}

async fn takes_none(site: &Site) {
    let refused = site.call(server("more")).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.body["code"]),
        (422, &json!("no_host_fits")),
        "{:#}",
        refused.body
    );
    let disk = site.call(post("/disks", json!({ "name": "d", "size": "1G" }))).await;
    assert_eq!(disk.body["code"], "no_host_fits", "{:#}", disk.body);
}

async fn a_drained_host_waits_for_its_last_server(database: Database) {
    let site = Site::new(database).await;
    site.run(server("web")).await;
    assert_eq!(looked(&site).await, [json!("enabled"), json!("ready"), json!(1)]);
    let draining = [json!("draining"), json!("draining"), json!(1)];
    assert_eq!(shown(&want(&site, "drain").await), draining);
    assert_eq!(looked(&site).await, draining, "a server is on it");
    takes_none(&site).await;
    site.run(delete("/servers/web")).await;
    assert_eq!(looked(&site).await, [json!("draining"), json!("maintenance"), json!(0)]);
    takes_none(&site).await;
    assert_eq!(
        shown(&want(&site, "enable").await),
        [json!("enabled"), json!("ready"), json!(0)]
    );
    site.run(server("web")).await;
}

async fn a_host_in_maintenance_can_be_drained(database: Database) {
    let site = Site::new(database).await;
    site.run(server("web")).await;
    assert_eq!(
        shown(&want(&site, "disable").await),
        [json!("disabled"), json!("maintenance"), json!(1)]
    );
    assert_eq!(looked(&site).await, [json!("disabled"), json!("maintenance"), json!(1)]);
    takes_none(&site).await;
    want(&site, "drain").await;
    assert_eq!(looked(&site).await, [json!("draining"), json!("draining"), json!(1)]);
}

fn delete_host() -> Call {
    delete("/hosts/sim-1").admin()
}

/// Capacity for something, before its row says so, if it has one.
pub async fn claim(site: &Site, consumer: &str) {
    let ask = json!({ "consumers": [{ "consumer": consumer, "token": consumer }],
        "request": { "vcpus": 1, "memory": "512M", "disks": [{ "size": "1G" }], "count": 1 } });
    site.place(post("/claims", ask)).await;
}

async fn a_host_in_use_stays(database: Database) {
    let site = Site::new(database).await;
    site.run(server("web")).await;
    site.run(post("/disks", json!({ "name": "data", "size": "1G" }))).await;
    let said = refused(&site, delete_host(), 409, "in_service").await;
    assert!(said.contains("`sim-1`") && said.contains("disable"), "{said}");
    want(&site, "disable").await;
    let said = refused(&site, delete_host(), 409, "in_use").await;
    assert!(said.contains("server `web`"), "{said}");
    site.run(delete("/servers/web")).await;
    let said = refused(&site, delete_host(), 409, "in_use").await;
    assert!(said.contains("disk `data`"), "{said}");
    site.run(delete("/disks/data")).await;
    // Its capacity is taken before its row names the host.
    want(&site, "enable").await;
    let made = site.made(server("next")).await;
    claim(
        &site,
        &format!("server/{}", made["items"][0]["item"]["id"].as_str().unwrap()),
    )
    .await;
    want(&site, "disable").await;
    let said = refused(&site, delete_host(), 409, "in_use").await;
    assert!(said.contains("a claim of server `next`"), "{said}");
}

async fn a_deleted_host_is_gone_with_all_that_was_its(database: Database) {
    let site = Site::new(database).await;
    site.run(server("web")).await;
    site.run(delete("/servers/web")).await;
    claim(&site, "server/019a0000-0000-7000-8000-000000000000").await;
    want(&site, "drain").await;
    want(&site, "disable").await;
    let said = refused(&site, delete_host(), 409, "still_reported").await;
    assert!(said.contains("`sim-1`"), "{said}");

    let control = site.control().await;
    let host = control.world().await.unwrap().hosts.keys().next().unwrap().clone();
    control
        .fail_next(Some("hosts.list"), 1, Side::Before, Kind::Denied)
        .await
        .unwrap();
    let unsure = site.call(delete_host()).await;
    let said = unsure.body["detail"].as_str().unwrap();
    assert!(said.contains("stays until its cloud can say"), "{:#}", unsure.body);
    assert_eq!(site.store.count(ensure::Entity::find()).await.unwrap(), 1);
    control.remove_host(&ExternalRef::new(host)).await.unwrap();
    let gone = site.call(delete_host()).await;
    assert_eq!(gone.status, 204, "{:#}", gone.body);

    let end = world(&site).await;
    for nothing in ["hosts", "claims", "leaks"] {
        assert_eq!(end[nothing], json!([]), "{nothing}");
    }
    assert_eq!(site.store.count(ensure::Entity::find()).await.unwrap(), 0);
    assert_eq!(site.get(ADMIN, "/storages").await["items"], json!([]));
    let events = site.get(ADMIN, "/events?follow=false&noun=host&limit=1000").await;
    let last = events["items"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&last["kind"], &last["name"]),
        (&json!("host.deleted"), &json!("sim-1"))
    );
    look(&site).await;
    assert_eq!(site.get(ADMIN, "/hosts").await["items"], json!([]));
}

/// What the agent of a new host sends, and sends again when the answer was lost.
pub async fn join(site: &Site) -> Call {
    let token = site.made(post("/join-tokens", json!({})).admin()).await["token"].clone();
    let key = rcgen::KeyPair::generate().unwrap();
    let csr = rcgen::CertificateParams::default().serialize_request(&key).unwrap();
    post(
        "/hosts/join",
        json!({ "token": token, "csr": csr.pem().unwrap(), "name": "node", "url": "https://127.0.0.1:1" }),
    )
}

/// As if nobody had seen the host for years.
async fn unseen(site: &Site) {
    let long_ago: Timestamp = "2020-01-01T00:00:00.000000Z".parse().unwrap();
    let tx = site.store.begin().await.unwrap();
    let update = host::Entity::update_many().col_expr(host::Column::SeenAt, Expr::value(long_ago));
    assert_eq!(tx.update(update).await.unwrap(), 1);
    tx.commit().await.unwrap();
}

/// Nobody sees a lost host become empty: its drain never ends, and what is on it is all that keeps it.
async fn a_host_lost_while_it_was_drained_can_be_deleted(database: Database) {
    let site = Site::new(database).await;
    let made = site.made(server("next")).await["items"][0].clone();
    claim(&site, &format!("server/{}", made["item"]["id"].as_str().unwrap())).await;
    let control = site.control().await;
    let machine = control.world().await.unwrap().hosts.keys().next().unwrap().clone();
    control.remove_host(&ExternalRef::new(machine)).await.unwrap();
    unseen(&site).await;
    assert_eq!(looked(&site).await, [json!("enabled"), json!("lost"), json!(0)]);
    let said = refused(&site, delete_host(), 409, "in_service").await;
    assert!(said.contains("drain or disable it first"), "{said}");
    assert_eq!(
        shown(&want(&site, "drain").await),
        [json!("draining"), json!("lost"), json!(0)]
    );
    let said = refused(&site, delete_host(), 409, "in_use").await;
    assert!(said.contains("a claim of server `next`"), "{said}");
    let (state, _) = site.work_until(made["task"].as_str().unwrap().parse().unwrap()).await;
    assert_eq!(state, states::Task::Failed, "its host is gone");
    site.run(delete("/servers/next")).await;
    assert_eq!(looked(&site).await, [json!("draining"), json!("lost"), json!(0)]);
    let gone = site.call(delete_host()).await;
    assert_eq!(gone.status, 204, "{:#}", gone.body);
    look(&site).await;
    assert_eq!(site.get(ADMIN, "/hosts").await["items"], json!([]));
}

/// The agent of a deleted host has nothing to come back with.
async fn a_deleted_host_does_not_join_again_by_itself(database: Database) {
    let site = Site::empty(database).await;
    let join = join(&site).await;
    let first = site.made(join.clone()).await["host"].clone();
    assert_eq!(site.made(join.clone()).await["host"], first, "the answer was lost");
    site.made(post("/hosts/node/disable", Value::Null).admin()).await;
    let gone = site.call(delete("/hosts/node").admin()).await;
    assert_eq!(gone.status, 204, "{:#}", gone.body);
    let again = site.call(join).await;
    assert_eq!(
        (again.status.as_u16(), &again.body["code"]),
        (401, &json!("bad_join_token"))
    );
    assert_eq!(site.get(ADMIN, "/hosts").await["items"], json!([]));
}

both!(
    &migrations();
    a_drained_host_waits_for_its_last_server,
    a_host_in_maintenance_can_be_drained,
    a_host_in_use_stays,
    a_deleted_host_is_gone_with_all_that_was_its,
    a_deleted_host_does_not_join_again_by_itself,
    a_host_lost_while_it_was_drained_can_be_deleted,
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_region_at_work_ends_a_drain_by_itself() {
    let alive = Alive::new().await;
    want(&alive.site, "drain").await;
    alive.site.made(delete("/servers/web")).await;
    alive
        .until(ADMIN, "/hosts/sim-1", |host| host["state"] == "maintenance")
        .await;
    want(&alive.site, "enable").await;
    alive
        .until(ADMIN, "/hosts/sim-1", |host| host["state"] == "ready")
        .await;
    alive.ends().await;
}
