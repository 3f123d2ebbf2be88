//! What is refused, as a script meets it: the exit code, one clear sentence, and nothing left behind.

use std::fs;

use crate::kit::{Site, wait_until};

#[test]
fn bad_input_leaves_nothing() {
    let site = Site::new();
    let controller = site.serve();
    site.furnish("hosts=4 --option latency_ms=200");
    site.ok("server create web --image tiny --flavor small --network lan --wait");
    let (used, servers) = (site.json("quota list"), site.list("server list"));

    names_and_words(&site);
    no_room(&site);
    no_addresses(&site);
    no_quota(&site);
    not_an_image(&site);
    in_use(&site);
    two_commands_at_once(&site);
    patience_ends(&site);
    a_reader(&site);
    half_done(&site);

    site.settled(120);
    assert_eq!(site.json("quota list"), used, "quota is as it was");
    let ids = |servers: &[serde_json::Value]| servers.iter().map(|s| s["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&site.list("server list")), ids(&servers));
    site.no_leaks();
    assert!(controller.stop().success());
}

fn names_and_words(site: &Site) {
    site.says(3, "server show nobody", &["nobody"]);
    site.says(
        3,
        "server create other --image nothing --flavor small --network lan",
        &["image", "nothing"],
    );
    site.says(
        5,
        "server create web --image tiny --flavor small --network lan",
        &["web"],
    );
    site.says(5, "network create lan --cidr 10.21.0.0/24", &["lan"]);
    site.says(
        1,
        "network create wrong --cidr 10.20.0.0/99",
        &["10.20.0.0/99", "range"],
    );
    site.says(2, "server create other --flavour small", &["--flavour"]);
    site.says(2, "server create other --count many", &["many"]);
    site.says(1, "api POST /servers --data {\"nmae\":\"x\"}", &["nmae"]);
}

/// It says what each host lacks.
fn no_room(site: &Site) {
    site.ok("flavor create huge --vcpus 500 --memory 4T --disk 1G");
    let create = "server create other --image tiny --flavor huge --network lan";
    site.says(6, &format!("{create} --dry-run"), &["4", "host"]);
    site.says(6, &format!("{create} --wait"), &["host", "vcpu"]);
    clean(site, "other");
}

/// A range of eight has five addresses for guests: the network, its gateway and the broadcast take the others.
fn no_addresses(site: &Site) {
    site.ok("network create narrow --cidr 10.30.0.0/29");
    let create = "server create crowd --image tiny --flavor small --network narrow --count 6 --wait";
    site.says(6, create, &["narrow", "address"]);
    for n in 1..=6 {
        clean(site, &format!("crowd-{n}"));
    }
    site.ok("network delete narrow --yes --wait");
}

fn no_quota(site: &Site) {
    site.ok("quota set servers 1");
    let create = "server create other --image tiny --flavor small --network lan";
    site.says(6, create, &["quota", "servers", "1"]);
    site.says(3, "server show other", &["other"]);
    site.ok("quota set servers 1000");
}

fn not_an_image(site: &Site) {
    let text = site.path("poem.txt");
    fs::write(&text, "The line of equal pressure.\n".repeat(100)).unwrap();
    let create = format!("image create poem --file {} --format qcow2 --wait", text.display());
    site.says(1, &create, &["qcow2"]);
    if site.climc("image show poem").code == 0 {
        site.ok("image delete poem --yes");
    }
}

fn in_use(site: &Site) {
    site.ok("disk create data --size 2G --near web --wait");
    site.ok("disk attach data --server web --wait");
    site.says(5, "disk delete data --yes", &["data", "web"]);
    site.says(5, "network delete lan --yes", &["lan"]);
    site.ok("disk detach data --wait");
    site.ok("disk delete data --yes --wait");
}

/// The second is told of the first by its task.
fn two_commands_at_once(site: &Site) {
    site.ok("server reboot web");
    let task = site.list("task list --state queued,running")[0]["id"].clone();
    site.says(5, "server stop web", &["web", task.as_str().unwrap()]);
    site.settled(60);
    assert_eq!(site.state("web"), "running");
}

/// Who waits no longer than a second for a cloud that takes its time is told so; the work goes on.
fn patience_ends(site: &Site) {
    site.ok("cloud-account create slow --driver sim --option hosts=1 --option latency_ms=700 --wait");
    let create = "server create late --image tiny --flavor small --network lan --account slow";
    site.says(
        7,
        &format!("{create} --wait --timeout 1s"),
        &["task-", "1s", "it goes on"],
    );
    site.settled(120);
    assert_eq!(site.state("late"), "running");
    clean(site, "late");
    site.ok("cloud-account delete slow --yes --wait");
}

fn a_reader(site: &Site) {
    site.ok("user create ann --password long-enough-for-ann");
    site.ok("role add reader --user ann --project admin");
    let ann = |words: &str| site.climc_as(&[("OS_USERNAME", "ann"), ("OS_PASSWORD", "long-enough-for-ann")], words);
    assert_eq!(ann("server show web").code, 0);
    let answer = ann("server stop web");
    assert_eq!(answer.code, 4, "{}{}", answer.out, answer.err);
    assert!(
        answer.err.contains("ann") || answer.err.contains("server"),
        "{}",
        answer.err
    );
    site.ok("user delete ann --yes");
}

/// One of two is deleted, and the sentence names the other.
fn half_done(site: &Site) {
    site.ok("disk create spare --size 1G --near web --wait");
    site.says(8, "disk delete spare nothing --yes --wait", &["nothing"]);
    site.says(3, "disk show spare", &["spare"]);
}

/// A server that could not be made says so and can be deleted like any other.
fn clean(site: &Site, name: &str) {
    site.settled(60);
    if site.climc(&format!("server show {name}")).code == 0 {
        site.ok(&format!("server delete {name} --yes --wait"));
    }
    wait_until("it is gone", 30, || {
        site.climc(&format!("server show {name}")).code == 3
    });
}
