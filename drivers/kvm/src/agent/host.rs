//! What this host has and lacks.

use std::{fs, path::Path};

use contract::{Error, ExternalRef, HostFacts, Result, host::StorageFacts};
use types::Size;
use virt::connect::NodeInfo;

use crate::agent::{accel::Accel, libvirt, node::Node, store};

/// Less than this and the pool takes nothing new.
pub const LEAST_FREE: u64 = 256 << 20;

/// The name of the only pool.
const POOL: &str = "default";

impl Node {
    /// Never fails: what cannot be learnt is a fault.
    pub fn facts(&self) -> HostFacts {
        let mut faults = Vec::new();
        let info = self.node_info().unwrap_or_else(|error| {
            faults.push(error.chain());
            None
        });
        let storages = self.storage(&mut faults);
        for (program, package) in [("qemu-img", "qemu-utils"), ("dnsmasq", "dnsmasq-base")] {
            if !installed(program) {
                faults.push(format!("`{program}` is not installed: apt-get install {package}"));
            }
        }
        HostFacts {
            id: ExternalRef::new(self.id.as_str()),
            name: self.name.clone(),
            reachable: true,
            architecture: std::env::consts::ARCH.to_owned(),
            hypervisor: self.accel.accel.as_str().to_owned(),
            zone: None,
            vcpus: info.as_ref().map_or(0, |info| info.cpus),
            memory: Size::bytes(info.as_ref().map_or(0, |info| info.memory * 1024)),
            storages,
            faults,
        }
    }

    /// Asks libvirt for the machine's size and whether it can run guests of our kind at all.
    fn node_info(&self) -> Result<Option<NodeInfo>> {
        let connection = self.libvirt.connect()?;
        let info = connection
            .node_info()
            .map_err(libvirt::error("libvirt does not tell the size of this host"))?;
        let (kind, package) = match self.accel.accel {
            Accel::Kvm => ("kvm", "qemu-system-x86, with /dev/kvm readable for it"),
            Accel::Qemu => ("qemu", "qemu-system-x86"),
        };
        connection
            .domain_capabilities(None, Some(std::env::consts::ARCH), Some("q35"), Some(kind), 0)
            .map_err(libvirt::error(format!(
                "libvirt cannot run {kind} guests: install {package} and restart libvirtd"
            )))?;
        Ok(Some(info))
    }

    fn storage(&self, faults: &mut Vec<String>) -> Vec<StorageFacts> {
        let pool = self.store.pool();
        let probe = pool.join("writable.part");
        if let Err(error) = fs::write(&probe, b"x").and_then(|()| fs::remove_file(&probe)) {
            faults.push(format!("the pool {} cannot be written: {error}", pool.display()));
        }
        match room(&pool) {
            Ok(room) => {
                if room.free < LEAST_FREE {
                    faults.push(format!(
                        "the disk under {} has less than {} left: free some",
                        pool.display(),
                        Size::bytes(LEAST_FREE)
                    ));
                }
                vec![StorageFacts {
                    name: POOL.to_owned(),
                    backend: "dir".to_owned(),
                    capacity: Size::bytes(room.capacity),
                    used: Size::bytes(room.capacity.saturating_sub(room.free)),
                }]
            }
            Err(error) => {
                faults.push(error.chain());
                Vec::new()
            }
        }
    }
}

/// Bytes of the file system a directory is on.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    pub capacity: u64,
    /// What we may still write.
    pub free: u64,
}

pub fn room(path: &Path) -> Result<Room> {
    let stat = rustix::fs::statvfs(path).map_err(|e| -> Error { store::failed("measure", path, e.into()) })?;
    Ok(Room {
        capacity: stat.f_blocks.saturating_mul(stat.f_frsize),
        free: stat.f_bavail.saturating_mul(stat.f_frsize),
    })
}

/// Daemons live in directories that a user's PATH may lack.
fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut dirs = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into(), "/usr/bin".into()]);
    dirs.any(|dir| dir.join(program).is_file())
}
