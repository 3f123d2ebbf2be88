//! A real guest in qemu, all the way from climc: it boots, gets its address, is watched, and survives our agent's death.

use std::{fs, path::PathBuf, process::Command};

use serde_json::Value;

use crate::kit::{Libvirt, Process, Roles, Site, postgres, program, wait, wait_until};

/// A guest under software emulation, on a machine that may have other things to do.
const BOOT: u64 = 240;

#[test]
fn a_guest_says_hello() {
    let site = Site::new();
    let mut controller = site.serve();
    let origin = controller.ready();
    hello(&site, &origin);
    assert!(controller.stop().success());
}

#[test]
fn a_guest_says_hello_through_replicas() {
    let site = Site::new();
    let (_database, url) = postgres();
    let roles = Roles::start(&site, &url);
    hello(&site, &roles.origin());
    roles.stop();
}

fn hello(site: &Site, origin: &str) {
    let libvirt = Libvirt::start(site);
    let agent = agent(site, &libvirt, origin);
    site.add_image();
    site.ok("network create lan --cidr 10.123.0.0/24");
    site.ok("flavor create small --vcpus 1 --memory 256M --disk 1G");

    site.ok("server create web --image tiny --flavor small --network lan --wait-for guest --timeout 240s");
    gave_its_sign(site, "web");
    says_hello(site, "web");
    loses_its_power(site, &libvirt);
    let agent = survives_the_agent(site, &libvirt, agent);
    the_table_and_virsh_agree(site, &libvirt, 2);
    site.no_leaks();

    site.ok("server delete web second --yes --wait");
    assert!(site.list("server list").is_empty());
    the_table_and_virsh_agree(site, &libvirt, 0);
    assert!(disks(site).is_empty(), "disks are left: {:?}", disks(site));
    site.no_leaks();
    site.ok("network delete lan --yes --wait");
    assert!(agent.stop().success());
}

/// The agent of this machine, joined and ready. Later starts need no token.
fn agent(site: &Site, libvirt: &Libvirt, origin: &str) -> Process {
    let token = site.json("host join-token")["token"].as_str().unwrap().to_owned();
    let agent = site.start("agent", command(libvirt).args(["--join", origin, "--token", &token]));
    host_is_ready(site);
    agent
}

fn command(libvirt: &Libvirt) -> Command {
    let mut command = program("isobar");
    command
        .arg("agent")
        .env("ISOBAR_LIBVIRT_URI", &libvirt.uri)
        .env("ISOBAR_ACCEL", "qemu");
    command
}

fn host_is_ready(site: &Site) {
    wait_until("the host is ready", 120, || {
        site.list("host list").iter().any(|host| host["state"] == "ready")
    });
}

/// It was seen to boot before it was up: an empty network card is no sign.
fn gave_its_sign(site: &Site, server: &str) {
    let shown = site.json(&format!("server show {server}"));
    assert_eq!(shown["guest"], "up", "{shown}");
    let id = shown["id"].as_str().unwrap();
    let events = site.list(&format!("event list --noun server --resource {id}"));
    let kinds: Vec<_> = events.iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert!(
        kinds.ends_with(&["server.running", "server.guest-booting", "server.guest-up"]),
        "{kinds:?}"
    );
}

fn says_hello(site: &Site, server: &str) {
    let log = wait(&format!("{server} says that it is ready"), BOOT, || {
        let log = site.ok(&format!("server console-log {server}"));
        log.contains("Isobar guest: ready").then_some(log)
    });
    assert!(log.contains(&format!("Isobar guest: hello from {server}")), "{log}");
    let address = site.json(&format!("server show {server}"))["addresses"][0]["address"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        log.contains(&format!("Isobar guest: address {address}")),
        "{address} is not in\n{log}"
    );
}

/// Somebody ends the guest behind our back: we notice, and can start it again.
fn loses_its_power(site: &Site, libvirt: &Libvirt) {
    let domains = libvirt.virsh("list --name");
    let [domain] = &domains[..] else {
        panic!("one guest runs: {domains:?}")
    };
    libvirt.virsh(&format!("destroy {domain}"));
    wait_until("the server is seen to be stopped", 60, || {
        site.state("web") == "stopped"
    });
    let off = site.json("server show web");
    assert_eq!((&off["power_state"], &off["guest"]), (&"off".into(), &Value::Null));
    site.ok("server start web --wait-for guest --timeout 240s");
    assert_eq!(site.state("web"), "running");
}

/// kill -9 of the agent while it makes a server: the guest that runs does not notice, the new one is finished.
fn survives_the_agent(site: &Site, libvirt: &Libvirt, agent: Process) -> Process {
    site.ok("server create second --image tiny --flavor small --network lan");
    wait_until("its disk is being made", 120, || {
        disks(site).len() > 1 || site.state("second") != "scheduling"
    });
    agent.kill();
    assert!(
        !libvirt.virsh("list --name").is_empty(),
        "guests run on without the agent"
    );
    let agent = site.start("agent", &mut command(libvirt));
    host_is_ready(site);
    site.settled(240);
    assert_eq!(site.state("second"), "running");
    assert_eq!(site.state("web"), "running");
    says_hello(site, "second");
    agent
}

/// A domain's name begins with its server's id.
fn the_table_and_virsh_agree(site: &Site, libvirt: &Libvirt, count: usize) {
    let defined = libvirt.virsh("list --all");
    assert_eq!(defined.len(), count, "{defined:?}");
    for server in site.list("server list") {
        let id = server["id"].as_str().unwrap();
        let power = if server["power_state"] == "on" {
            "running"
        } else {
            "shut off"
        };
        let known = defined.iter().any(|line| line.contains(id) && line.ends_with(power));
        assert!(known, "{server} is not among {defined:?}");
    }
}

/// Disks of servers on the host; the cached image is not one.
fn disks(site: &Site) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(site.path("agent/pool")) else {
        return Vec::new();
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths
        .filter(|path| path.extension().is_some_and(|kind| kind == "qcow2"))
        .collect()
}
