//! One process, SQLite, a simulated cloud: everything a person does with servers, and every way to be refused.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::kit::{Site, openstack};

#[test]
fn sqlite_one_process() {
    let site = Site::new();
    let controller = site.serve();
    site.furnish("hosts=20");
    site.ok("flavor create medium --vcpus 2 --memory 1G --disk 2G");

    create(&site);
    power(&site);
    reshape(&site);
    disks(&site);
    snapshots(&site);
    events(&site);
    tasks(&site);
    the_openstack_client(&site);
    site.no_leaks();

    site.ok("server delete web-1 web-2 web-3 web-4 web-5 --yes --wait");
    assert!(site.list("server list").is_empty());
    assert!(site.list("disk list").is_empty(), "root disks go with their servers");
    assert!(site.list("network addresses lan").is_empty());
    site.no_leaks();
    assert!(controller.stop().success());
}

fn create(site: &Site) {
    let plan = site.ok("server create web --image tiny --flavor small --network lan --count 5 --dry-run");
    assert!(plan.contains("lab-"), "a dry run names hosts:\n{plan}");
    assert!(site.list("server list").is_empty(), "a dry run changes nothing");

    site.ok("server create web --image tiny --flavor small --network lan --count 5 --wait-for guest");
    let servers = site.list("server list");
    assert_eq!(servers.len(), 5);
    let mut addresses = BTreeSet::new();
    for server in &servers {
        for key in ["id", "name", "state", "power_state", "host", "addresses"] {
            assert!(!server[key].is_null(), "`{key}` is missing: {server}");
        }
        assert_eq!(server["state"], "running", "{server}");
        assert_eq!(server["power_state"], "on", "{server}");
        assert_eq!(server["guest"], "up", "{server}");
        let address = server["addresses"][0]["address"].as_str().unwrap();
        assert!(address.starts_with("10.20.0."), "{server}");
        assert!(addresses.insert(address), "{address} was given twice");
    }
    let names: BTreeSet<_> = site.ok("server list -o name").lines().map(str::to_owned).collect();
    assert_eq!(names, (1..=5).map(|n| format!("web-{n}")).collect());
    assert!(!site.ok("server console-log web-1").is_empty());
}

fn power(site: &Site) {
    site.ok("server stop web-1 web-2 --wait");
    let stopped: BTreeSet<_> = site
        .ok("server list --state stopped -o name")
        .lines()
        .map(str::to_owned)
        .collect();
    assert_eq!(stopped, ["web-1", "web-2"].map(str::to_owned).into());
    site.ok("server start web-1 --wait");
    assert_eq!(site.state("web-1"), "running");
    site.ok("server reboot web-1 --wait");
    assert_eq!(site.state("web-1"), "running");
}

/// On `web-2`, which is stopped.
fn reshape(site: &Site) {
    site.refused(5, "server resize web-3 --flavor medium");
    site.ok("server resize web-2 --flavor medium --wait");
    let server = site.json("server show web-2");
    assert_eq!((&server["flavor"], &server["vcpus"]), (&"medium".into(), &2.into()));
    site.ok("server rebuild web-2 --wait");
    assert_eq!(site.state("web-2"), "stopped");
    site.ok("server start web-2 --wait");
}

fn disks(site: &Site) {
    let disk = || site.json("disk show data");
    site.ok("disk create data --size 2G --near web-1 --wait");
    assert_eq!(disk()["state"], "available");
    site.ok("disk attach data --server web-1 --wait");
    assert_eq!(disk()["state"], "in_use");
    assert_eq!(disk()["server_id"], site.json("server show web-1")["id"]);
    site.refused(5, "disk delete data --yes");
    site.ok("disk detach data --wait");
    assert_eq!(disk()["server_id"], Value::Null);
    site.ok("disk resize data --size 3G --wait");
    assert_eq!(disk()["size"], 3_u64 << 30);
}

fn snapshots(site: &Site) {
    site.ok("snapshot create before --disk data --wait");
    assert_eq!(site.list("snapshot list").len(), 1);
    site.ok("snapshot revert before --wait");
    assert_eq!(site.json("snapshot show before")["state"], "available");
    site.ok("snapshot delete before --yes --wait");
    assert!(site.list("snapshot list").is_empty());
    site.ok("disk delete data --yes --wait");
    site.refused(3, "disk show data");
}

/// A server's life as the stream tells it.
fn events(site: &Site) {
    let id = site.json("server show web-5")["id"].as_str().unwrap().to_owned();
    let listed = site.list(&format!("event list --noun server --resource {id}"));
    let kinds: Vec<_> = listed.iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds.first(), Some(&"server.created"));
    assert!(kinds.contains(&"server.running"));
    assert_eq!(kinds.last(), Some(&"server.guest-up"));
    let numbers: Vec<_> = listed.iter().map(|event| event["seq"].as_i64().unwrap()).collect();
    assert!(numbers.is_sorted());
    // The stream goes on from where a reader stopped.
    let since = numbers[0] - 1;
    let watched = site.ok(&format!(
        "event watch --resource {id} --since {since} --count {} -o jsonl",
        kinds.len()
    ));
    let watched: Vec<Value> = watched
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(watched, listed);
}

fn tasks(site: &Site) {
    let all = site.list("task list");
    let create = all.iter().find(|task| task["kind"] == "server-create").unwrap();
    let task = site.json(&format!("task show {}", create["id"].as_str().unwrap()));
    assert_eq!(task["state"], "succeeded");
    let steps = task["steps"].as_array().unwrap();
    assert!(steps.len() > 3, "{task:#}");
    assert!(steps.iter().all(|step| step["state"] == "done"), "{task:#}");
}

fn the_openstack_client(site: &Site) {
    let token = openstack(site, "token issue");
    assert!(token["id"].as_str().is_some_and(|id| !id.is_empty()), "{token}");
    let catalog = openstack(site, "catalog list");
    let types: BTreeSet<_> = catalog
        .as_array()
        .unwrap()
        .iter()
        .map(|service| service["Type"].as_str().unwrap())
        .collect();
    assert!(types.contains("identity") && types.contains("image"), "{catalog:#}");
    let images = openstack(site, "image list");
    assert_eq!(
        (&images[0]["Name"], &images[0]["Status"]),
        (&"tiny".into(), &"active".into())
    );
}
