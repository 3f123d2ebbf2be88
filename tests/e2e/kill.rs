//! The controller ends while it makes twenty servers, killed or asked to: what it had begun is finished, nothing twice.

use crate::kit::{Lab, Process, Site, wait_until};

const SERVERS: usize = 20;

#[test]
fn kill_in_the_middle() {
    ends_in_the_middle(Process::kill);
}

/// Within ten seconds and with success, although somebody follows the events; [`Process::stop`] waits no longer.
#[test]
fn stop_in_the_middle() {
    ends_in_the_middle(|controller| assert!(controller.stop().success()));
}

fn ends_in_the_middle(end: impl Fn(Process)) {
    let site = Site::new();
    let state = site.path("sim.journal");
    let lab = Lab::open(&state);
    let mut controller = site.serve();
    site.furnish(&format!(
        "hosts=8 --option state={} --option latency_ms=200",
        state.display()
    ));
    site.ok(&format!(
        "server create web --image tiny --flavor small --network lan --count {SERVERS}"
    ));

    // Moments by how much the cloud has made: the first thing, some servers, most servers.
    let moments: [(&str, &dyn Fn() -> bool); 3] = [
        ("something is made", &|| lab.made() > 2),
        ("five servers are made", &|| lab.machines() >= 5),
        ("most servers are made", &|| lab.machines() >= 12),
    ];
    for (moment, come) in moments {
        wait_until(moment, 120, come);
        let _watch = site.beside("event watch");
        end(controller);
        controller = site.serve();
    }
    site.settled(120);
    all_well(&site, &lab);

    let names = site.ok("server list -o name").replace('\n', " ");
    site.ok(&format!("server delete {names} --yes --wait"));
    site.no_leaks();
    lab.is_empty();
    assert!(controller.stop().success());
}

/// Every server ended running or failed, the cloud has exactly those that run, and nothing was made twice.
pub fn all_well(site: &Site, lab: &Lab) {
    let servers = site.list("server list");
    assert_eq!(servers.len(), SERVERS);
    let running = servers.iter().filter(|server| server["state"] == "running").count();
    let failed: Vec<_> = servers.iter().filter(|server| server["state"] == "failed").collect();
    assert_eq!(running + failed.len(), SERVERS, "{servers:#?}");
    // The cloud refused nothing, so there is no reason to give up.
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(lab.machines(), running);
    assert_eq!(lab.world().volumes.len(), running);
    lab.nothing_doubled();
    assert!(site.list("task list --all-projects --state needs_operator").is_empty());
    site.no_leaks();
}
