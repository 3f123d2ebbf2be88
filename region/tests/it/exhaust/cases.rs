//! How each workflow is begun, and what its failure leaves.

use serde_json::{Value, json};

use super::{Case, Failed};
use crate::call::{Call, delete, post};
use crate::site::Site;

/// What a server leaves on its host for the next one.
const HOST: &[&str] = &["/cloud/networks", "/cloud/images", "/networks"];

fn server(flavor: &str, stopped: bool) -> Call {
    let body = json!({ "name": "web", "image": "small", "flavor": flavor, "networks": ["net"], "stopped": stopped });
    post("/servers", body)
}

fn new_disk() -> Call {
    post("/disks", json!({ "name": "data", "size": "2G" }))
}

fn attached() -> Call {
    post("/disks/data/attach", json!({ "server": "web" }))
}

fn taken() -> Call {
    post("/snapshots", json!({ "name": "before", "disk": "data" }))
}

fn act(path: &'static str) -> Call {
    post(path, Value::Null)
}

fn server_becomes(world: &mut Value, state: &str) {
    world["servers"][0]["state"] = state.into();
}

fn disk_becomes(world: &mut Value, root: bool, state: &str) {
    let disks = world["disks"].as_array_mut().unwrap();
    disks
        .iter_mut()
        .filter(|disk| disk["root"] == root)
        .for_each(|disk| disk["state"] = state.into());
}

pub fn create_server() -> Case {
    let failed = |world: &mut Value| {
        server_becomes(world, "failed");
        disk_becomes(world, true, "failed");
        let held = world["addresses"].as_array_mut().unwrap();
        held.retain(|address| address[1].is_null());
    };
    Case::new(|_| server("one", false), Failed::Undone(failed)).sharing(HOST)
}

pub fn create_servers() -> Case {
    let two = |_: &Site| {
        let mut call = server("one", false);
        call.body["count"] = json!(2);
        call
    };
    Case::new(two, Failed::Parts).sharing(HOST)
}

pub fn delete_server() -> Case {
    Case::new(|_| delete("/servers/web"), Failed::Again).after(|_| vec![server("one", false), new_disk(), attached()])
}

pub fn start() -> Case {
    let failed = |world: &mut Value| server_becomes(world, "stopped");
    Case::new(|_| act("/servers/web/start"), Failed::Undone(failed)).after(|_| vec![server("one", true)])
}

pub fn stop() -> Case {
    let failed = |world: &mut Value| server_becomes(world, "running");
    Case::new(|_| act("/servers/web/stop"), Failed::Undone(failed)).after(|_| vec![server("one", false)])
}

/// On a slow cloud, so that the operation is waited for.
pub fn reboot() -> Case {
    let failed = |world: &mut Value| server_becomes(world, "running");
    Case::new(|_| act("/servers/web/reboot"), Failed::Undone(failed))
        .after(|_| vec![server("one", false)])
        .on(json!({ "hosts": 1, "latency_ms": 2 }))
}

/// While a server grows, the larger of both sizes is charged.
pub fn grow() -> Case {
    let failed = |world: &mut Value| {
        server_becomes(world, "stopped");
        world["quota"]["ours vcpus"] = json!(1);
        world["quota"]["ours memory_mib"] = json!(512);
    };
    Case::new(
        |_| post("/servers/web/resize", json!({ "flavor": "two" })),
        Failed::Undone(failed),
    )
    .after(|_| vec![server("one", true)])
}

pub fn shrink() -> Case {
    let failed = |world: &mut Value| server_becomes(world, "stopped");
    Case::new(
        |_| post("/servers/web/resize", json!({ "flavor": "one" })),
        Failed::Undone(failed),
    )
    .after(|_| vec![server("two", true)])
}

/// On a slow cloud, so that the operation is waited for.
pub fn rebuild() -> Case {
    let failed = |world: &mut Value| server_becomes(world, "running");
    Case::new(|_| act("/servers/web/rebuild"), Failed::Undone(failed))
        .after(|_| vec![server("one", false)])
        .on(json!({ "hosts": 1, "latency_ms": 2 }))
}

pub fn create_disk() -> Case {
    Case::new(
        |_| new_disk(),
        Failed::Undone(|world| disk_becomes(world, false, "failed")),
    )
}

pub fn delete_disk() -> Case {
    Case::new(|_| delete("/disks/data"), Failed::Again).after(|_| vec![new_disk()])
}

pub fn attach() -> Case {
    let failed = |world: &mut Value| {
        server_becomes(world, "running");
        disk_becomes(world, false, "available");
    };
    Case::new(|_| attached(), Failed::Undone(failed)).after(|_| vec![server("one", false), new_disk()])
}

pub fn detach() -> Case {
    let failed = |world: &mut Value| {
        server_becomes(world, "running");
        disk_becomes(world, false, "in_use");
    };
    Case::new(|_| act("/disks/data/detach"), Failed::Undone(failed))
        .after(|_| vec![server("one", false), new_disk(), attached()])
}

/// A volume that has grown stays grown.
pub fn resize_disk() -> Case {
    Case::new(|_| post("/disks/data/resize", json!({ "size": "3G" })), Failed::Again)
        .after(|_| vec![server("one", false), new_disk(), attached()])
}

pub fn snapshot() -> Case {
    let failed = |world: &mut Value| world["snapshots"][0]["state"] = "failed".into();
    Case::new(|_| taken(), Failed::Undone(failed)).after(|_| vec![new_disk()])
}

pub fn delete_snapshot() -> Case {
    Case::new(|_| delete("/snapshots/before"), Failed::Again).after(|_| vec![new_disk(), taken()])
}

/// The disk has grown since, and the cloud takes its time.
pub fn revert() -> Case {
    let before = |_: &Site| vec![new_disk(), taken(), post("/disks/data/resize", json!({ "size": "3G" }))];
    Case::new(|_| act("/snapshots/before/revert"), Failed::Again)
        .after(before)
        .on(json!({ "hosts": 1, "latency_ms": 2 }))
}

pub fn delete_network() -> Case {
    Case::new(|_| delete("/networks/net"), Failed::Again).after(|_| vec![server("one", true), delete("/servers/web")])
}

pub fn connect() -> Case {
    let failed = |world: &mut Value| world["accounts"][1]["state"] = "failed".into();
    let call = |_: &Site| post("/cloud-accounts", json!({ "name": "sim2", "driver": "sim" })).admin();
    Case::new(call, Failed::Undone(failed)).sharing(&["/hosts"])
}

pub fn sync() -> Case {
    let failed = |world: &mut Value| world["accounts"][0]["state"] = "failed".into();
    Case::new(|_| act("/cloud-accounts/sim/sync").admin(), Failed::Undone(failed))
}

pub fn forget() -> Case {
    // Asked again after a failure, it leaves the network on the cloud.
    Case::new(|_| delete("/cloud-accounts/sim").admin(), Failed::Again)
        .after(|_| vec![server("one", true), delete("/servers/web")])
        .sharing(&["/cloud/networks"])
}
