//! PostgreSQL and replicas: a region dies at work, a scheduler dies, the database dies. The others go on, nothing is lost.

use crate::{
    kill::all_well,
    kit::{Lab, Postgres, Roles, Site, postgres, wait, wait_until},
};

const STEPS: &str = "isobar_task_step_seconds_count";

#[test]
fn a_region_dies() {
    let site = Site::new();
    let (_database, url) = postgres();
    let mut roles = Roles::start(&site, &url);
    let lab = slow_lab(&site);
    let before = [0, 1].map(|n| roles.metric(n, STEPS));
    twenty(&site);
    // Either may have taken the work, and takes it in batches: the one that has some is the one to die.
    let works = |n: &u16| roles.metric(*n, STEPS) > before[usize::from(*n)] + 4.0;
    let victim = wait("a region makes servers", 120, || [0, 1].into_iter().find(works));
    assert!(lab.machines() < 20, "it is to die before the work is done");
    roles.kill(&format!("region-{victim}"));
    site.settled(240);
    let takeovers = roles.metric(1 - victim, "isobar_task_takeovers_total");
    assert!(takeovers > 0.0, "one region takes over what the other left");
    all_well(&site, &lab);
    // A region that starts anew takes part.
    roles.start_again(&format!("region-{victim}"));
    wait_until("it serves", 60, || roles.ready());
    leave(&site, &lab);
    roles.stop();
}

#[test]
fn a_scheduler_dies() {
    let site = Site::new();
    let (_database, url) = postgres();
    let mut roles = Roles::start(&site, &url);
    let lab = slow_lab(&site);
    // Both regions ask the first one first.
    twenty(&site);
    wait_until("something is made", 120, || lab.made() > 0);
    roles.kill("scheduler-0");
    site.ok("server create late --image tiny --flavor small --network lan --wait");
    site.ok("server delete late --yes --wait");
    site.settled(240);
    all_well(&site, &lab);
    roles.start_again("scheduler-0");
    wait_until("it serves", 60, || roles.ready());
    leave(&site, &lab);
    roles.stop();
}

#[test]
fn the_database_dies() {
    let site = Site::new();
    let postgres = Postgres::start(&site);
    let roles = Roles::start(&site, &postgres.url);
    let lab = slow_lab(&site);
    twenty(&site);
    for servers in [1, 10] {
        wait_until("some servers are made", 120, || lab.machines() >= servers);
        postgres.crash();
        wait_until("climc is answered again", 60, || site.climc("server list").code == 0);
    }
    site.settled(240);
    all_well(&site, &lab);
    leave(&site, &lab);
    roles.stop();
}

/// A cloud slow enough that somebody can die while it works.
fn slow_lab(site: &Site) -> Lab {
    let state = site.path("sim.journal");
    let lab = Lab::open(&state);
    site.furnish(&format!(
        "hosts=8 --option state={} --option latency_ms=400",
        state.display()
    ));
    lab
}

fn twenty(site: &Site) {
    site.ok("server create web --image tiny --flavor small --network lan --count 20");
}

/// Everything is deleted, here and there.
fn leave(site: &Site, lab: &Lab) {
    let names = site.ok("server list -o name").replace('\n', " ");
    site.ok(&format!("server delete {names} --yes --wait"));
    site.no_leaks();
    lab.is_empty();
}
