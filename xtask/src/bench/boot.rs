//! From a create until qemu runs, beside plain `virsh define` and `virsh start` of the same machine, by turns. The peer
//! finds its disk made and its network up, so the ratio says all that Isobar adds.

mod host;
mod xml;

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{Bench, command::output, http::Http, site, wait};
use host::Host;

const OURS: &str = "POST /servers until qemu runs";
const PEER: &str = "virsh define + start until qemu runs";
const LIMIT: Duration = Duration::from_secs(60);

pub fn run(bench: &mut Bench) -> Result<()> {
    ensure!(
        super::small::is_root(),
        "libvirt needs root: run this part as root, or leave it out with --only"
    );
    bench.report.line(OURS, "ms", Some(PEER), None);
    let host = Host::open(bench)?;
    let mut http = host.site.login()?;
    // The first one brings the image to the host and the network up; its definition is the peer's model.
    create(&mut http, "model")?;
    let running = |http: &mut Http, name: &str| {
        wait::until("the server runs", LIMIT, Duration::from_millis(50), || {
            state(http, name, "running")
        })
    };
    running(&mut http, "model")?;
    let model = Model::read(&host)?;
    host.site.climc(&["server", "stop", "model", "--force", "--wait"])?;
    for round in 0..bench.rounds {
        let name = format!("boot-{round}");
        let before = host.guests();
        let began = Instant::now();
        create(&mut http, &name)?;
        bench.report.time(OURS, seen(&host, &before, began)?)?;
        running(&mut http, &name)?;
        host.site.climc(&["server", "delete", &name, "--yes", "--wait"])?;
        bench.report.time(PEER, model.boot(&host, round)?)?;
    }
    host.site.climc(&["server", "delete", "model", "--yes", "--wait"])?;
    Ok(())
}

fn create(http: &mut Http, name: &str) -> Result<()> {
    http.post("/servers", &site::server(name))?
        .expect(202, "POST /servers")
        .map(drop)
}

/// Whether the server is in `wanted`; an error when it failed.
fn state(http: &mut Http, name: &str, wanted: &str) -> Result<Option<()>> {
    let server: Value = http
        .get(&format!("/servers/{name}"))?
        .expect(200, "GET /servers")?
        .json()?;
    ensure!(server["state"] != "failed", "server {name} failed: {}", server["fault"]);
    Ok((server["state"] == wanted).then_some(()))
}

/// Since `began`, until a guest runs that was not there before.
fn seen(host: &Host, before: &[u32], began: Instant) -> Result<Duration> {
    wait::until("qemu runs", LIMIT, Duration::from_millis(1), || {
        let came = host.guests().iter().any(|pid| !before.contains(pid));
        Ok(came.then(|| began.elapsed()))
    })
}

/// A machine of Isobar's as libvirt knows it.
struct Model {
    definition: String,
    backing: String,
}

impl Model {
    fn read(host: &Host) -> Result<Self> {
        let names = host.virsh(&["list", "--name"])?;
        let name = names.lines().next().context("libvirt has no running guest")?;
        let definition = host.virsh(&["dumpxml", "--inactive", name])?;
        let disk = xml::first(&definition, "<source file='").context("the guest has no disk")?;
        let info = output(Command::new("qemu-img").args(["info", "-U", "--output=json", disk]))?;
        let info: Value = serde_json::from_str(&info).context("qemu-img info")?;
        let backing = info["full-backing-filename"]
            .as_str()
            .context("the guest's disk is not an overlay")?
            .to_owned();
        Ok(Self { definition, backing })
    }

    /// Boots a copy by hand, and takes it away again.
    fn boot(&self, host: &Host, round: usize) -> Result<Duration> {
        let name = format!("plain-{round}");
        let (disk, log, file) = (
            host.path(&format!("{name}.qcow2")),
            host.path(&format!("{name}.log")),
            host.path(&format!("{name}.xml")),
        );
        let size = ["1G".to_owned()];
        let create = ["create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", &self.backing, &disk];
        output(Command::new("qemu-img").args(create).args(size))?;
        let copy = xml::Copy {
            name: &name,
            disk: &disk,
            log: &log,
            card: format!("52:54:00:be:00:{:02x}", round % 256),
        };
        fs::write(&file, copy.of(&self.definition)).context("the definition cannot be written")?;
        let before = host.guests();
        let began = Instant::now();
        host.virsh(&["define", &file])?;
        host.virsh(&["start", &name])?;
        let took = seen(host, &before, began)?;
        host.virsh(&["destroy", &name])?;
        host.virsh(&["undefine", &name, "--nvram"])?;
        drop(fs::remove_file(&disk));
        Ok(took)
    }
}
