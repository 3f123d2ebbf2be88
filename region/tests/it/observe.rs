//! What happens behind our back: cut power, removed machines, silent hosts.

use std::time::Duration;

use contract::ExternalRef;
use serde_json::{Value, json};
use sim::control::Reach;
use store::sea_orm::{
    EntityTrait,
    sea_query::{Expr, ExprTrait},
};
use testkit::Database;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    call::{ADMIN, MEMBER, post},
    leaks::server,
    site::{PATIENCE, Site, migrations},
};

/// A region at work, with a running server.
pub struct Alive {
    pub site: Site,
    stop: CancellationToken,
    work: tokio::task::JoinHandle<()>,
}

impl Alive {
    pub async fn new() -> Self {
        Self::on(Database::sqlite(&migrations()).await, json!({ "hosts": 1 })).await
    }

    pub async fn on(database: Database, options: Value) -> Self {
        let site = Site::with(database, options).await;
        site.run(server("web")).await;
        let stop = CancellationToken::new();
        let work = tokio::spawn(region::setup::work(site.state.clone(), "test", stop.clone()));
        Self { site, stop, work }
    }

    pub async fn machine(&self) -> ExternalRef {
        let world = self.site.control().await.world().await.unwrap();
        ExternalRef::new(world.machines.keys().next().unwrap().clone())
    }

    /// Looks again with each event, and now and then, until it looks so.
    pub async fn until(&self, who: &str, path: &str, so: impl Fn(&Value) -> bool) -> Value {
        let mut events = self.site.store.signal(store::event::CHANNEL);
        let end = Instant::now() + PATIENCE;
        loop {
            events.mark_unchanged();
            let seen = self.site.get(who, path).await;
            if so(&seen) {
                return seen;
            }
            assert!(Instant::now() < end, "{path} never changed: {seen:#}");
            // Timed out or woken: either way, look.
            let _ = timeout(Duration::from_millis(500), events.changed()).await;
        }
    }

    /// What events told of servers, in order.
    async fn kinds(&self) -> Vec<String> {
        let path = "/events?follow=false&noun=server&limit=1000";
        let events = self.site.get(MEMBER, path).await;
        let items = events["items"].as_array().unwrap();
        items
            .iter()
            .map(|event| event["kind"].as_str().unwrap().to_owned())
            .collect()
    }

    pub async fn ends(self) {
        self.stop.cancel();
        self.work.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_power_was_cut_is_stopped() {
    let alive = Alive::new().await;
    alive
        .site
        .control()
        .await
        .power_off(&alive.machine().await)
        .await
        .unwrap();
    let seen = alive
        .until(MEMBER, "/servers/web", |row| row["state"] == "stopped")
        .await;
    assert_eq!(seen["power_state"], "off");
    assert!(seen["power_seen_at"].is_number() || seen["power_seen_at"].is_string());
    let kinds = alive.kinds().await;
    assert!(kinds.contains(&"server.observed-off".to_owned()), "{kinds:?}");
    alive.ends().await;
}

/// Booting, silent after five minutes, up as soon as there is a sign, nothing when off, and booting again.
async fn a_guest_is_seen_to_come_up(database: Database) {
    let alive = Alive::on(database, json!({ "hosts": 1, "boot_ms": 3_600_000 })).await;
    let (control, machine) = (alive.site.control().await, alive.machine().await);
    let becomes = async |guest: Value| alive.until(MEMBER, "/servers/web", |row| row["guest"] == guest).await;
    let booting = becomes(json!("booting")).await;
    assert_eq!(booting["state"], "running");
    five_minutes_pass(&alive.site.store).await;
    let silent = becomes(json!("silent")).await;
    assert_eq!(
        silent["version"], booting["version"],
        "nobody's change is refused for it"
    );
    control.come_up(&machine).await.unwrap();
    becomes(json!("up")).await;
    control.power_off(&machine).await.unwrap();
    let off = becomes(Value::Null).await;
    assert_eq!((&off["state"], &off["guest_since"]), (&json!("stopped"), &Value::Null));
    alive.site.made(post("/servers/web/start", Value::Null)).await;
    becomes(json!("booting")).await;
    let kinds = alive.kinds().await;
    let told: Vec<_> = kinds.iter().filter(|kind| kind.starts_with("server.guest-")).collect();
    assert_eq!(
        told,
        [
            "server.guest-booting",
            "server.guest-silent",
            "server.guest-up",
            "server.guest-booting"
        ]
    );
    alive.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_is_seen_to_come_up_sqlite() {
    a_guest_is_seen_to_come_up(Database::sqlite(&migrations()).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_is_seen_to_come_up_postgres() {
    a_guest_is_seen_to_come_up(Database::postgres(&migrations()).await).await;
}

/// For the guests that boot.
async fn five_minutes_pass(store: &store::Store) {
    use region::server::{Column, Entity};
    let tx = store.begin().await.unwrap();
    let earlier = Expr::col(Column::GuestSince).sub(i64::from(5 * 60 * 1_000_000));
    let update = Entity::update_many().col_expr(Column::GuestSince, earlier);
    assert_eq!(tx.update(update).await.unwrap(), 1);
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_that_was_removed_is_missing() {
    let alive = Alive::new().await;
    alive.site.control().await.remove(&alive.machine().await).await.unwrap();
    let seen = alive
        .until(MEMBER, "/servers/web", |row| row["power_state"] == "missing")
        .await;
    assert!(seen["fault"].as_str().unwrap().contains("behind our back"), "{seen:#}");
    let leaks = crate::world::leaks(&alive.site).await;
    assert_eq!(
        (&leaks[0][0], &leaks[0][1]),
        (&json!("rows"), &json!("server")),
        "{leaks:?}"
    );
    alive.ends().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_host_is_lost_until_it_answers_again() {
    let alive = Alive::new().await;
    let control = alive.site.control().await;
    let host = ExternalRef::new(control.world().await.unwrap().hosts.keys().next().unwrap().clone());
    control.reach(&host, Reach::Silent).await.unwrap();
    alive.until(ADMIN, "/hosts/sim-1", |row| row["state"] == "lost").await;
    let seen = alive
        .until(MEMBER, "/servers/web", |row| row["power_state"] == "unknown")
        .await;
    assert_eq!(seen["state"], "running", "nobody knows better");
    control.reach(&host, Reach::Answers).await.unwrap();
    alive.until(ADMIN, "/hosts/sim-1", |row| row["state"] == "ready").await;
    alive
        .until(MEMBER, "/servers/web", |row| row["power_state"] == "on")
        .await;
    alive.ends().await;
}
