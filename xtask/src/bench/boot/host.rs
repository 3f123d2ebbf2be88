//! This machine as a host: a libvirt of our own in its namespace, `isobar serve` and `isobar agent`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::bench::{
    Bench,
    command::output,
    site::{Process, Site},
    wait,
};

/// Fields end in the order they stand: guests with libvirt last.
pub struct Host {
    _agent: Process,
    pub site: Site,
    libvirt: Libvirt,
    dir: PathBuf,
}

struct Libvirt {
    tool: PathBuf,
    state: String,
    uri: String,
}

impl Libvirt {
    fn start(bench: &Bench) -> Result<Self> {
        let (tool, state) = (bench.tool("libvirt"), bench.dir.join("libvirt").display().to_string());
        let said = output(Command::new(&tool).args(["start", &state, "--isolated"]))?;
        let uri = said.lines().find_map(|line| line.strip_prefix("LIBVIRT_URI="));
        let uri = uri.context("tools/libvirt told no LIBVIRT_URI")?.to_owned();
        Ok(Self { tool, state, uri })
    }
}

impl Drop for Libvirt {
    fn drop(&mut self) {
        if let Err(error) = output(Command::new(&self.tool).args(["stop", &self.state])) {
            eprintln!("bench: {error:#}");
        }
    }
}

impl Host {
    pub fn open(bench: &Bench) -> Result<Self> {
        let guest = bench.root.join("target/guest");
        output(Command::new(bench.tool("guest-image/build")).arg(&guest))?;
        let accel = output(
            Command::new(bench.tool("probe-accel"))
                .arg(&guest)
                .arg(guest.join("accel")),
        )?;
        eprintln!("bench: guests run with {accel}");
        let libvirt = Libvirt::start(bench)?;
        let site = Site::start(bench, "boot", None)?;
        let agent = agent(bench, &site, &libvirt.uri, &accel)?;
        site.furnish(&guest.join("guest.qcow2"), "qcow2", "10.124.0.0/24")?;
        Ok(Self {
            _agent: agent,
            site,
            libvirt,
            dir: bench.dir.clone(),
        })
    }

    pub fn virsh(&self, words: &[&str]) -> Result<String> {
        output(Command::new("virsh").args(["-q", "-c", &self.libvirt.uri]).args(words))
    }

    /// A file of the measurement.
    pub fn path(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }

    /// Process ids of guests whose disk is below our directory; other guests of this machine are not ours to count.
    pub fn guests(&self) -> Vec<u32> {
        let ours = self.dir.display().to_string();
        let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        pids.filter(|pid| is_guest(Path::new(&format!("/proc/{pid}")), &ours))
            .collect()
    }
}

/// The name is looked at first, because it is cheap and nearly always another.
fn is_guest(process: &Path, ours: &str) -> bool {
    let is_qemu = fs::read(process.join("comm")).is_ok_and(|name| name.starts_with(b"qemu-system"));
    is_qemu && {
        let line = fs::read(process.join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        line.contains("guest=") && line.contains(ours)
    }
}

fn agent(bench: &Bench, site: &Site, uri: &str, accel: &str) -> Result<Process> {
    let token = site.climc(&["host", "join-token", "-o", "json"])?;
    let token: Value = serde_json::from_str(&token).context("climc host join-token")?;
    let token = token["token"]
        .as_str()
        .context("climc host join-token gave no token")?
        .to_owned();
    let (data, log) = (bench.dir.join("agent"), bench.dir.join("agent.log"));
    let mut command = Command::new(bench.binary("isobar"));
    command.args([
        "agent",
        "--join",
        &site.origin,
        "--token",
        &token,
        "--libvirt-uri",
        uri,
        "--accel",
        accel,
    ]);
    let mut agent = Process::start(command.arg("--data-dir").arg(&data), &log)?;
    wait::until(
        "the host is ready",
        Duration::from_secs(60),
        Duration::from_millis(200),
        || {
            agent.alive(&log).context("isobar agent")?;
            let hosts: Value = serde_json::from_str(&site.climc(&["host", "list", "-o", "json"])?)?;
            let ready = hosts
                .as_array()
                .into_iter()
                .flatten()
                .any(|host| host["state"] == "ready");
            Ok(ready.then_some(()))
        },
    )?;
    Ok(agent)
}
