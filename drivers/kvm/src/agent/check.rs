//! What a spec must be before anything is made of it. Pure.

use contract::{Error, MachineSpec, Result, compute::Shape};
use uuid::Uuid;

/// The server's name for whoever reads `virsh list`, with as much of its id as makes it unique.
pub fn domain_name(name: &str, id: Uuid) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || "-_.".contains(c) {
            c
        } else {
            '-'
        }
    };
    let name: String = name.chars().take(48).map(plain).collect();
    format!("{name}-{}", &id.simple().to_string()[..8])
}

pub fn machine(spec: &MachineSpec) -> Result<()> {
    shape(spec.shape)?;
    if spec.disks.is_empty() {
        return Err(Error::invalid(format!("server {} has no disk to boot from", spec.name)));
    }
    let is_mac = |mac: &str| {
        let parts: Vec<_> = mac.split(':').collect();
        parts.len() == 6 && parts.iter().all(|part| part.len() == 2 && hex::decode(part).is_ok())
    };
    match spec.nics.iter().find(|nic| !is_mac(&nic.mac)) {
        Some(nic) => Err(Error::invalid(format!(
            "`{}` is not a card address like 52:54:00:12:34:56",
            nic.mac
        ))),
        None => Ok(()),
    }
}

pub fn shape(shape: Shape) -> Result<()> {
    match shape.vcpus > 0 && shape.memory.as_mib() >= 16 {
        true => Ok(()),
        false => Err(Error::invalid("a server needs at least 1 vcpu and 16M of memory")),
    }
}
