//! Putting disks into servers and taking them out, running or not.

use std::{
    collections::BTreeSet,
    thread,
    time::{Duration, Instant},
};

use contract::{Error, Kind, Result};
use uuid::Uuid;
use virt::sys;

use crate::agent::{
    compute::{Ours, active},
    domain::{self, Boot},
    libvirt,
    node::Node,
};

/// A running guest has to let go of a disk; most do within a second or two.
const PATIENCE: Duration = Duration::from_secs(12);

/// Target and path of each.
type Disks = Vec<(String, String)>;

/// Which of its two descriptions a domain is asked for or changed in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Now,
    NextBoot,
}

impl Node {
    pub fn attach(&self, machine: Uuid, volume: Uuid) -> Result<()> {
        let ours = self.domain(machine)?;
        let path = self.free_volume(volume, machine)?.display().to_string();
        let sides = sides(&ours)?;
        let taken: BTreeSet<_> = sides
            .iter()
            .flat_map(|(_, disks)| disks.iter().map(|(target, _)| target))
            .collect();
        let target = (0..)
            .map(domain::target)
            .find(|target| !taken.contains(target))
            .unwrap_or_default();
        let xml = domain::disk(&path, &target, Boot::Never);
        let flags = sides
            .iter()
            .filter(|(_, disks)| disks.iter().all(|(_, source)| *source != path))
            .fold(0, |flags, (side, _)| flags | flag(*side));
        if flags == 0 {
            return Ok(());
        }
        let what = format!("disk {volume} cannot be attached to server {}", ours.read.mark.name);
        ours.domain
            .attach_device_flags(&xml, flags)
            .map_err(libvirt::error(what))
    }

    pub fn detach(&self, machine: Uuid, volume: Uuid) -> Result<()> {
        let ours = self.domain(machine)?;
        let path = self.store.volume(volume).display().to_string();
        let end = Instant::now() + PATIENCE;
        let mut asked = BTreeSet::new();
        loop {
            let sides = sides(&ours)?;
            let on = |side: Side| {
                let disks = sides.iter().find(|(s, _)| *s == side);
                disks.and_then(|(_, disks)| disks.iter().find(|(_, source)| *source == path))
            };
            let left: Vec<_> = [Side::Now, Side::NextBoot]
                .into_iter()
                .filter_map(|s| Some((s, on(s)?)))
                .collect();
            if left.is_empty() {
                return Ok(());
            }
            for (side, (target, _)) in left {
                if asked.insert(flag(side)) {
                    ask(&ours, &domain::disk(&path, target, Boot::Never), flag(side))?;
                }
            }
            if Instant::now() > end {
                let message = format!(
                    "server {} has not let go of disk {volume} yet: try again, or stop it",
                    ours.read.mark.name
                );
                return Err(Error::new(Kind::Unavailable, message).code("disk_busy"));
            }
            thread::sleep(Duration::from_millis(100));
        }
    }
}

fn ask(ours: &Ours, xml: &str, flags: u32) -> Result<()> {
    match ours.domain.detach_device_flags(xml, flags) {
        // Asked before, by a call that did not wait long enough.
        Err(e) if e.message().contains("in the process of unplug") => Ok(()),
        other => other.map_err(libvirt::error(format!(
            "server {} cannot give up a disk",
            ours.read.mark.name
        ))),
    }
}

fn flag(side: Side) -> u32 {
    match side {
        Side::Now => sys::VIR_DOMAIN_AFFECT_LIVE,
        Side::NextBoot => sys::VIR_DOMAIN_AFFECT_CONFIG,
    }
}

/// The disks of a domain as it runs, if it runs, and as it will start.
fn sides(ours: &Ours) -> Result<Vec<(Side, Disks)>> {
    let disks = |flags| -> Result<_> {
        let text = ours
            .domain
            .xml_desc(flags)
            .map_err(libvirt::error("a server cannot be described"))?;
        Ok(domain::read(&text)?.map(|read| read.disks).unwrap_or_default())
    };
    let mut sides = vec![(Side::NextBoot, disks(sys::VIR_DOMAIN_XML_INACTIVE)?)];
    if active(ours)? {
        sides.push((Side::Now, disks(0)?));
    }
    Ok(sides)
}
