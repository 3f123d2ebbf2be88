//! The verdict: what was asked for, what the tables say and what the cloud has are the same.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::load::{Fate, Wish};
use crate::kit::{Lab, Site};

/// Nothing lost, nothing doubled, nothing left over, nobody refused, nothing for an operator to do.
pub fn all_well(site: &Site, lab: &Lab, fates: &[Fate]) {
    site.settled(240);
    let refused: Vec<_> = fates
        .iter()
        .filter_map(|fate| Some((&fate.name, fate.refused.as_ref()?)))
        .collect();
    assert!(refused.is_empty(), "refused: {refused:#?}");
    assert_eq!(
        site.list("task list --all-projects --state needs_operator"),
        [] as [Value; 0]
    );
    tasks(site, fates);
    servers(site, lab, fates);
    lab.nothing_doubled();
    site.no_leaks();
}

/// However often it was asked: one task makes each server, and one deletes it.
fn tasks(site: &Site, fates: &[Fate]) {
    let mut made: BTreeMap<(String, String), usize> = BTreeMap::new();
    for task in site.list("task list") {
        *made
            .entry((text(&task["kind"]), text(&task["resource_name"])))
            .or_default() += 1;
    }
    for fate in fates {
        let count = |kind: &str| {
            made.get(&(kind.to_owned(), fate.name.clone()))
                .copied()
                .unwrap_or_default()
        };
        let wanted = (1, usize::from(fate.wish == Wish::Delete));
        let tasks = (count("server-create"), count("server-delete"));
        assert_eq!(tasks, wanted, "tasks that create and delete {}", fate.name);
    }
}

fn servers(site: &Site, lab: &Lab, fates: &[Fate]) {
    let servers = site.list("server list");
    let kept = fates.iter().filter(|fate| fate.wish != Wish::Delete);
    let names = servers.iter().map(|server| text(&server["name"]));
    assert_eq!(
        names.collect::<BTreeSet<_>>(),
        kept.map(|fate| fate.name.clone()).collect()
    );
    let cancelled: BTreeSet<_> = fates
        .iter()
        .filter(|fate| fate.wish == Wish::Cancel)
        .map(|fate| &*fate.name)
        .collect();
    for server in &servers {
        let may_fail = cancelled.contains(server["name"].as_str().unwrap());
        match server["state"].as_str().unwrap() {
            "running" => {}
            // The cloud refused nothing, so nothing else has a reason to fail.
            "failed" if may_fail && server["fault"].is_string() => {}
            _ => panic!("it should run: {server:#}"),
        }
    }
    let running = servers.iter().filter(|server| server["state"] == "running");
    let (mut machines, mut volumes) = (Vec::new(), Vec::new());
    for server in running {
        machines.push(text(&server["id"]));
        volumes.extend(server["disks"].as_array().unwrap().iter().map(text));
    }
    let world = lab.world();
    same(
        "machines",
        world.machines.values().map(|row| row.name.clone()),
        machines,
    );
    same("volumes", world.volumes.values().map(|row| row.name.clone()), volumes);
    let used = site.list("quota list");
    let used = used.iter().find(|quota| quota["resource"] == "servers").unwrap();
    assert_eq!(used["used"], servers.len(), "quota: {used}");
}

/// Counts too: two things of one name are not one.
fn same(what: &str, exist: impl Iterator<Item = String>, recorded: Vec<String>) {
    let (mut exist, mut recorded) = (exist.collect::<Vec<_>>(), recorded);
    exist.sort();
    recorded.sort();
    assert_eq!(exist, recorded, "{what} of the cloud and of the tables");
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Everything is deleted, here and there.
pub fn leave(site: &Site, lab: &Lab) {
    let names = site.ok("server list -o name").replace('\n', " ");
    site.ok(&format!("server delete {names} --yes --wait"));
    site.no_leaks();
    lab.is_empty();
}
