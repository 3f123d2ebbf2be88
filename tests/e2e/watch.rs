//! A list that is watched follows the events: what a server becomes is seen while it happens.

use serde_json::Value;

use crate::kit::{Process, Site, wait, wait_until};

/// Less than the minute after which a watched list looks again by itself: only an event can be in time.
const TOLD: u64 = 45;

#[test]
fn a_watched_list_follows_a_server() {
    let site = Site::new();
    let controller = site.serve();
    site.furnish("hosts=2");
    site.ok("server create old --image tiny --flavor small --network lan --wait");

    let watch = site.beside("server list --watch -o json");
    shows(&watch, "old", "running");
    site.ok("server create web --image tiny --flavor small --network lan");
    shows(&watch, "web", "running");
    site.ok("server stop web");
    shows(&watch, "web", "stopped");
    site.ok("server delete old --yes");
    wait_until("the list is without `old`", TOLD, || {
        last(&watch).is_some_and(|servers| servers.len() == 1)
    });
    site.settled(60);

    // An open stream keeps nobody from stopping.
    assert!(controller.stop().success());
}

fn shows(watch: &Process, server: &str, state: &str) {
    wait(&format!("the list shows {server} {state}"), TOLD, || {
        let servers = last(watch)?;
        let shown = servers.iter().find(|shown| shown["name"] == server)?;
        (shown["state"] == state).then_some(())
    });
}

/// The list as it was shown last; none before the first.
fn last(watch: &Process) -> Option<Vec<Value>> {
    let text = watch.output();
    let shown = serde_json::Deserializer::from_str(&text).into_iter();
    shown.map_while(Result::ok).last()
}
