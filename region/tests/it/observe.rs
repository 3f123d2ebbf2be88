//! What happens behind our back: cut power, removed machines, silent hosts.

use std::time::Duration;

use contract::ExternalRef;
use serde_json::{Value, json};
use sim::control::Reach;
use testkit::Database;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    call::{ADMIN, MEMBER},
    leaks::server,
    site::{PATIENCE, Site, migrations},
};

/// A region at work, with a running server.
struct Alive {
    site: Site,
    stop: CancellationToken,
    work: tokio::task::JoinHandle<()>,
}

impl Alive {
    async fn new() -> Self {
        let site = Site::new(Database::sqlite(&migrations()).await).await;
        site.run(server("web")).await;
        let stop = CancellationToken::new();
        let work = tokio::spawn(region::setup::work(site.state.clone(), "test", stop.clone()));
        Self { site, stop, work }
    }

    async fn machine(&self) -> ExternalRef {
        let world = self.site.control().await.world().await.unwrap();
        ExternalRef::new(world.machines.keys().next().unwrap().clone())
    }

    /// Looks again with each event, and now and then, until it looks so.
    async fn until(&self, who: &str, path: &str, so: impl Fn(&Value) -> bool) -> Value {
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

    async fn ends(self) {
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
    let events = alive
        .site
        .get(MEMBER, "/events?follow=false&noun=server&limit=1000")
        .await;
    let kinds: Vec<_> = events["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["kind"].clone())
        .collect();
    assert!(kinds.contains(&json!("server.observed-off")), "{kinds:?}");
    alive.ends().await;
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
